"""`conveyor absent`, `back` and `explain` against a table, and against none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from functions.shared.absence import Absence
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.waiting import WaitingLead
from infra.cli.main import app
from tests.builders import ANNA, make_department

EMAIL = f"user{ANNA}@firm.example"
COMMANDS = [("absent", EMAIL), ("back", EMAIL), ("explain", "1")]
DAY = timedelta(days=1)


def day(offset: int) -> str:
    """A date so many days from now."""
    return (datetime.now(UTC) + offset * DAY).date().isoformat()


class Desk:
    def __init__(self, client: Any, name: str) -> None:
        self.name = name
        table = Table(lambda: client, name)
        self.departments, self.absences, self.room = Departments(table), Absences(table), WaitingRoom(table)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--table", self.name], env={"COLUMNS": "300", "NO_COLOR": "1"})


@pytest.fixture
def bare(dynamodb: Any, new_table: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A table without a department. The session is ours alone: it remembers its credentials."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return Desk(dynamodb, new_table())


@pytest.fixture
def desk(bare: Desk) -> Desk:
    bare.departments.store(make_department())
    return bare


def says_in_one_line(result: Result, words: str) -> bool:
    lines = result.stderr.splitlines()
    return result.exit_code == 1 and len(lines) == 1 and words in lines[0]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
class TestWithoutWhatItNeeds:
    def test_a_table_without_a_department_names_the_command_that_stores_one(self, command: Any, bare: Desk) -> None:
        assert says_in_one_line(bare.run(*command), "run `conveyor apply department.yaml`")

    def test_a_table_that_does_not_exist_is_said(self, command: Any, bare: Desk) -> None:
        bare.name = "conveyor-nowhere"
        assert says_in_one_line(bare.run(*command), "compare --table with output TableName")

    def test_missing_credentials_are_said(self, command: Any, bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(variable, raising=False)
        for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(variable, "/nonexistent")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        assert says_in_one_line(bare.run(*command), "no AWS credentials: log in")

    def test_a_missing_region_is_said(self, command: Any, bare: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("AWS_DEFAULT_REGION", "AWS_REGION"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        assert says_in_one_line(bare.run(*command), "set AWS_DEFAULT_REGION")

    def test_a_profile_that_does_not_exist_is_said(
        self, command: Any, bare: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        assert says_in_one_line(bare.run(*command), "correct AWS_PROFILE")


def test_an_absence_may_have_begun_yesterday(desk: Desk) -> None:
    result = desk.run("absent", EMAIL, "--from", day(-1), "--to", day(2))
    assert result.exit_code == 0
    (absence,) = desk.absences.of_team("lead_desk")
    assert absence.covers(datetime.now(UTC))


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (("--from", day(-9), "--to", day(-5)), "is in the past"),
        (("--to", day(-5)), "is in the past"),
        (("--from", day(-9)), "give --to as well"),
        (("--from", day(9), "--to", day(5)), "is not after --from"),
    ],
)
def test_an_absence_that_is_over_or_ends_before_it_begins_is_refused(
    desk: Desk, dates: tuple[str, ...], words: str
) -> None:
    result = desk.run("absent", EMAIL, *dates)
    assert result.exit_code == 2
    assert words in result.stderr
    assert desk.absences.of_team("lead_desk") == []


def test_overlapping_absences_are_all_kept_and_named(desk: Desk) -> None:
    first = desk.run("absent", EMAIL, "--from", day(1), "--to", day(5))
    assert "Notice" not in first.stdout
    second = desk.run("absent", EMAIL, "--from", day(3), "--to", day(8))
    assert f"Notice: an absence from {day(1)} 00:00 MSK to {day(6)} 00:00 MSK stays in force beside it" in second.stdout
    assert len(desk.absences.of_team("lead_desk")) == 2
    apart = desk.run("absent", EMAIL, "--from", day(20), "--to", day(21))
    assert "Notice" not in apart.stdout


def test_an_absence_with_the_same_beginning_is_replaced_and_that_is_said(desk: Desk) -> None:
    desk.run("absent", EMAIL, "--from", day(1), "--to", day(5))
    result = desk.run("absent", EMAIL, "--from", day(1), "--to", day(2))
    assert "is replaced" in result.stdout
    (absence,) = desk.absences.of_team("lead_desk")
    assert absence.end.date().isoformat() == day(3)


def test_who_is_back_gets_the_leads_that_wait_at_the_next_tick(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.absences.add(Absence("lead_desk", ANNA, now - DAY, now + 14 * DAY))
    desk.room.put([WaitingLead(7, "lead_desk", "site", "absent", now, now + 14 * DAY)])

    result = desk.run("back", EMAIL)

    assert result.exit_code == 0
    assert "looked at within a minute: 1." in result.stdout
    assert desk.absences.of_team("lead_desk") == []
    assert [lead.lead_id for lead in desk.room.due(datetime.now(UTC))] == [7]
