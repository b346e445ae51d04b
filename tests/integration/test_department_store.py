from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.department import Department, Kind, Pipeline, Place, Route, Trigger
from functions.shared.errors import Contended, NotConfigured

DEPARTMENT = Department(
    version=0,
    name="Окна Плюс",
    subdomain="oknaplus",
    timezone=ZoneInfo("Europe/Moscow"),
    language="ru",
    model="one_level",
    teams=(),
    pipelines=(Pipeline("exchange", 1, "Биржа лидов", 11, 10, {"new": 11, "a": 12}),),
)


@pytest.fixture
def name(new_table: Callable[[], str]) -> str:
    return new_table()


@pytest.fixture
def departments(dynamodb: Any, name: str) -> Departments:
    return Departments(Table(lambda: dynamodb, name))


def test_an_empty_table_names_the_command_that_fills_it(departments: Departments) -> None:
    with pytest.raises(NotConfigured, match="conveyor apply"):
        departments.current()
    with pytest.raises(NotConfigured, match="version 3"):
        departments.version(3)
    assert departments.newest_version() == 0


def test_the_first_department_is_version_1_and_current(departments: Departments) -> None:
    stored = departments.store(DEPARTMENT)
    assert stored == replace(DEPARTMENT, version=1)
    assert departments.current() == departments.version(1) == stored


def test_a_change_is_a_new_version_and_the_old_one_stays(departments: Departments) -> None:
    first = departments.store(DEPARTMENT)
    second = departments.store(replace(first, language="en"))
    assert second == replace(DEPARTMENT, version=2, language="en")
    assert departments.current() == second
    assert departments.version(1) == first
    assert departments.newest_version() == 2


def test_the_same_content_is_no_new_version(departments: Departments) -> None:
    departments.store(DEPARTMENT)
    assert departments.store(replace(DEPARTMENT, version=9)) == replace(DEPARTMENT, version=1)
    assert departments.newest_version() == 1


def test_going_back_to_former_content_is_a_new_version(departments: Departments) -> None:
    departments.store(DEPARTMENT)
    departments.store(replace(DEPARTMENT, language="en"))
    assert departments.store(DEPARTMENT).version == 3


def test_of_two_who_store_at_once_one_is_told_to_apply_again(
    departments: Departments, dynamodb: Any, name: str
) -> None:
    # GIVEN an apply that is overtaken between its read and its write
    departments.store(DEPARTMENT)

    class Overtaken(Table):
        def transact(self, actions: Any) -> None:
            departments.store(replace(DEPARTMENT, name="the other's"))
            super().transact(actions)

    # WHEN it stores
    with pytest.raises(Contended):
        Departments(Overtaken(lambda: dynamodb, name)).store(replace(DEPARTMENT, name="ours"))

    # THEN the other's stands, whole
    assert departments.current() == departments.version(2)
    assert departments.current().name == "the other's"


def test_the_item_shows_a_person_what_it_is(departments: Departments, dynamodb: Any, name: str) -> None:
    departments.store(DEPARTMENT)
    key = {"pk": {"S": "DEPARTMENT"}, "sk": {"S": "CURRENT"}}
    item = dynamodb.get_item(TableName=name, Key=key)["Item"]
    assert (item["name"]["S"], item["version"]["N"], item["model"]["S"]) == ("Окна Плюс", "1", "one_level")


def rewritten(departments: Departments, dynamodb: Any, name: str, **changes: object) -> None:
    """Store the department and change its document behind the adapter's back; None takes a field out."""
    departments.store(DEPARTMENT)
    key = {"pk": {"S": "DEPARTMENT"}, "sk": {"S": "CURRENT"}}
    item = dynamodb.get_item(TableName=name, Key=key)["Item"]
    document = json.loads(item["document"]["S"]) | changes
    document = {field: value for field, value in document.items() if value is not None}
    dynamodb.put_item(TableName=name, Item=item | {"document": {"S": json.dumps(document)}})


def test_a_department_of_a_newer_conveyor_names_the_remedy(departments: Departments, dynamodb: Any, name: str) -> None:
    rewritten(departments, dynamodb, name, schema=99)
    with pytest.raises(NotConfigured, match=r"version 1 .* schema 99.* deploy a newer one"):
        departments.current()
    with pytest.raises(NotConfigured, match="schema 99"):
        departments.store(DEPARTMENT)


def test_a_department_stored_before_there_were_routes_is_read_and_gets_them_with_the_next_apply(
    departments: Departments, dynamodb: Any, name: str
) -> None:
    routes = (Route("qualified", (Trigger("exchange", "a"),), Kind.MOVE, to=Place("exchange", "new")),)
    later = ("routes", "refunds", "hop_limit", "answers", "answer_field", "origin_field", "head", "marketing")
    rewritten(departments, dynamodb, name, **dict.fromkeys((*later, "merging", "country", "names")))
    assert departments.current() == replace(DEPARTMENT, version=1)
    assert departments.store(replace(DEPARTMENT, routes=routes)).version == 2
    assert departments.current().routes == routes


def test_a_department_stored_without_the_account_is_read_and_gets_it_with_the_next_apply(
    departments: Departments, dynamodb: Any, name: str
) -> None:
    rewritten(departments, dynamodb, name, account_id=None)
    assert departments.current().account_id == 0
    assert departments.store(replace(DEPARTMENT, account_id=31_000_001)).version == 2
    assert departments.current().account_id == 31_000_001
