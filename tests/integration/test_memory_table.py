"""One contract, two tables: what the in-memory table says is what DynamoDB says."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.adapters.dynamodb.table import ConditionFailed, Table
from tests.memory_table import MemoryTable, ReservedWord, reserved_words


class Word(StrEnum):
    PENDING = "pending"


@pytest.fixture(params=["memory", "dynamodb"])
def subject(request: pytest.FixtureRequest) -> Table:
    return MemoryTable() if request.param == "memory" else request.getfixturevalue("table")


def row(**values: Any) -> dict[str, Any]:
    return {"pk": "LEAD#1", "sk": "STATE", **values}


KEY = {"pk": "LEAD#1", "sk": "STATE"}


def test_what_was_put_comes_back_in_plain_types(subject: Table) -> None:
    subject.put(row(word=Word.PENDING, list=(1, "two", None, True), map={"a": [1]}, none=None, flag=False))
    assert subject.get(KEY) == row(word="pending", list=[1, "two", None, True], map={"a": [1]}, none=None, flag=False)
    assert type(subject.get(KEY)["word"]) is str  # type: ignore[index]


def test_what_is_read_is_a_copy(subject: Table) -> None:
    subject.put(row(list=[1]))
    subject.get(KEY)["list"].append(2)  # type: ignore[index]
    assert subject.get(KEY) == row(list=[1])


def test_fractions_are_refused(subject: Table) -> None:
    with pytest.raises(TypeError):
        subject.put(row(share=0.5))


def test_missing_rows_are_missing_and_doubled_keys_are_read_once(subject: Table) -> None:
    subject.put(row(version=1))
    assert subject.get({"pk": "LEAD#2", "sk": "STATE"}) is None
    assert subject.get_many([KEY, KEY, {"pk": "LEAD#2", "sk": "STATE"}]) == [row(version=1)]  # type: ignore[list-item]


def test_a_partition_is_read_in_the_order_of_its_sort_keys(subject: Table) -> None:
    for key in ("MERGE#b", "MERGE#a", "STATE"):
        subject.put({"pk": "LEAD#1", "sk": key})
    subject.put({"pk": "LEAD#2", "sk": "MERGE#c"})
    assert [item["sk"] for item in subject.query("LEAD#1", "MERGE#")] == ["MERGE#a", "MERGE#b"]


def test_due_rows_come_the_earliest_first_with_their_keys_only(subject: Table) -> None:
    for lead, moment in (("LEAD#1", "2026-02"), ("LEAD#2", "2026-01"), ("LEAD#3", "2026-03")):
        subject.put({"pk": lead, "sk": "STATE", "due_shard": "DUE#stay#0", "due_at": moment, "more": 1})
    subject.put({"pk": "LEAD#4", "sk": "STATE", "due_shard": "DUE#other#0", "due_at": "2026-01"})
    subject.put({"pk": "LEAD#5", "sk": "STATE"})
    assert list(subject.due("due", "DUE#stay#0", "2026-02")) == [
        {"pk": "LEAD#2", "sk": "STATE", "due_shard": "DUE#stay#0", "due_at": "2026-01"},
        {"pk": "LEAD#1", "sk": "STATE", "due_shard": "DUE#stay#0", "due_at": "2026-02"},
    ]


CONDITIONS = [
    ("attribute_not_exists(pk)", {}),
    ("attribute_exists(version)", {":one": 1}),
    ("version = :one", {":one": 1}),
    ("version < :one", {":one": 1}),
    ("version <= :one", {":one": 1}),
    ("version > :one", {":one": 1}),
    ("version >= :one", {":one": 1}),
    ("attribute_exists(took) AND size(took) = :one", {":one": 1}),
    ("word_state IN (:a, :b)", {":a": "pending", ":b": "gone"}),
    ("attribute_not_exists(pk) OR word_state IN (:a)", {":a": "gone"}),
    ("version = :one AND word_state = :a", {":one": 1, ":a": "pending"}),
    ("(attribute_not_exists(version) OR version <= :one) AND attribute_not_exists(word_state)", {":one": 1}),
    ("attribute_not_exists(took) OR version = :one AND word_state = :a", {":one": 1, ":a": "pending"}),
]
ROWS = [
    None,
    {},
    {"version": 1},
    {"version": 2, "word_state": "pending"},
    {"version": 1, "word_state": "pending", "took": [1]},
    {"version": 0, "word_state": "gone", "took": []},
]


@pytest.mark.parametrize(("text", "values"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
def test_a_condition_holds_here_where_it_holds_in_dynamodb(
    text: str, values: dict[str, Any], new_table: Callable[[], str], dynamodb: Any
) -> None:
    for standing in ROWS:
        outcomes = []
        for subject in (MemoryTable(), Table(lambda: dynamodb, new_table())):
            if standing is not None:
                subject.put(row(**standing))
            used = {name: value for name, value in values.items() if name in text}
            try:
                subject.put(row(new=1), text, used or None)
            except ConditionFailed as failed:
                outcomes.append(failed.items)
            else:
                outcomes.append(["written"])
            assert subject.get(KEY) == (row(new=1) if outcomes[-1] == ["written"] else _stands(standing))
        assert outcomes[0] == outcomes[1], f"{text} on {standing}"


def _stands(standing: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if standing is None else row(**standing)


@pytest.mark.parametrize(
    "text", ["state = :a", "attribute_not_exists(Name)", "size(data) = :a", "version IN (:a) OR :a < lead"]
)
def test_a_reserved_word_is_refused_as_a_name_in_a_condition(text: str) -> None:
    with pytest.raises(ReservedWord):
        MemoryTable().put(row(), text, {":a": 1})


@pytest.mark.parametrize(
    "text", ["SET state = :a", "SET version = status", "SET word = if_not_exists(name, :a)", "REMOVE ttl"]
)
def test_a_reserved_word_is_refused_as_a_name_in_an_update(text: str, table: Table) -> None:
    values = {":a": 1} if ":a" in text else {}
    for subject, refusal in ((MemoryTable(), ReservedWord), (table, ClientError)):
        subject.put(row(version=1))
        with pytest.raises(refusal, match="reserved"):
            subject.update(KEY, text, values)  # type: ignore[arg-type]


def test_a_reserved_word_is_refused_before_any_condition_is_looked_at() -> None:
    with pytest.raises(ReservedWord):
        MemoryTable().update(KEY, "SET state = :a", {":a": 1}, "attribute_exists(pk)")  # type: ignore[arg-type]


def test_all_573_reserved_words_are_known() -> None:
    assert len(reserved_words()) == 573
    assert {"LEAD", "STATE", "NAME", "STATUS", "SOURCE", "DATA", "TTL"} <= reserved_words()


UPDATES = [
    ("SET word_state = :a", {":a": "x"}),
    ("SET word_state = :a, version = :one REMOVE took", {":a": "x", ":one": 1}),
    ("REMOVE took, version", {}),
    ("SET took = list_append(if_not_exists(took, :none), :new)", {":none": [], ":new": ["n"]}),
    ("SET kind = if_not_exists(kind, :a), word_state = if_not_exists(word_state, :a)", {":a": "x"}),
]


@pytest.mark.parametrize(("text", "values"), UPDATES, ids=[text for text, _ in UPDATES])
def test_an_update_leaves_here_what_it_leaves_in_dynamodb(
    text: str, values: dict[str, Any], new_table: Callable[[], str], dynamodb: Any
) -> None:
    for standing in ROWS:
        after = []
        for subject in (MemoryTable(), Table(lambda: dynamodb, new_table())):
            if standing is not None:
                subject.put(row(**standing))
            subject.update(KEY, text, values)  # type: ignore[arg-type]
            after.append(subject.get(KEY))
        assert after[0] == after[1], f"{text} on {standing}"


def test_a_transaction_is_all_or_nothing_and_says_which_condition_failed(subject: Table) -> None:
    other = {"pk": "LEAD#2", "sk": "STATE"}
    subject.put({**other, "version": 7})
    actions = [
        subject.put_action(row(version=1), "attribute_not_exists(pk)"),
        subject.update_action(other, "SET version = :two", {":two": 2, ":one": 1}, "version = :one"),  # type: ignore[arg-type]
    ]
    with pytest.raises(ConditionFailed) as failed:
        subject.transact(actions)
    assert failed.value.items == [None, {**other, "version": 7}]
    assert subject.get(KEY) is None

    subject.put({**other, "version": 1})
    subject.transact(actions)
    assert subject.get(KEY) == row(version=1)
    assert subject.get(other) == {**other, "version": 2}  # type: ignore[arg-type]


def test_a_row_is_deleted_only_if_the_condition_holds(subject: Table) -> None:
    subject.put(row(version=2))
    with pytest.raises(ConditionFailed) as failed:
        subject.delete(KEY, "version = :one", {":one": 1})  # type: ignore[arg-type]
    assert failed.value.items == [row(version=2)]
    subject.delete(KEY, "version = :two", {":two": 2})  # type: ignore[arg-type]
    assert subject.get(KEY) is None  # type: ignore[arg-type]


def test_an_update_without_a_row_makes_one_and_deletes_are_silent(subject: Table) -> None:
    subject.update(KEY, "SET version = :one", {":one": 1})  # type: ignore[arg-type]
    assert subject.get(KEY) == row(version=1)
    subject.delete(KEY)  # type: ignore[arg-type]
    subject.delete(KEY)  # type: ignore[arg-type]
    assert subject.get(KEY) is None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_comes_back_as_it_does_from_dynamodb(table: Table, value: Any) -> None:
    memory = MemoryTable()
    for subject in (memory, table):
        subject.put(row(value=value))
    assert memory.get(KEY) == table.get(KEY)
