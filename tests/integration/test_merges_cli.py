"""`conveyor merges`: list, undo, preview."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from functions.shared import runtime
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.crm import LOST
from functions.shared.department import MergeMode
from functions.shared.errors import AmoCrmUnavailable
from functions.shared.merge import State
from functions.shared.runtime import Runtime
from infra.cli import merges as command
from infra.cli.main import app
from tests.fakes import ManualClock
from tests.merge_support import BASE_URL, DINA, Office, place, text_field

AMOCRM = ("--base-url", BASE_URL, "--token", "secret")


class Firm:
    """An office whose journal the command reads; the command's time is real, so its merges are of some minutes ago."""

    def __init__(self, client: Any, name: str) -> None:
        self.name = name
        table = Table(lambda: client, name)
        self.office = Office(table, ManualClock(datetime.now(UTC) - timedelta(minutes=10)))
        self.departments = Departments(table)
        self.rule(MergeMode.AUTO)
        zone = self.office.department.timezone
        self.today = self.office.clock.now().astimezone(zone).date().isoformat()

    def rule(self, mode: MergeMode) -> None:
        self.office.rule(mode)
        self.departments.store(self.office.department)

    def run(self, *arguments: str, answer: str = "") -> Result:
        environment = {"COLUMNS": "300", "NO_COLOR": "1"}
        sent = ["merges", *arguments, "--table", self.name]
        return CliRunner().invoke(app, sent, input=answer, env=environment)


@pytest.fixture
def firm(dynamodb: Any, new_table: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers its credentials
    firm = Firm(dynamodb, new_table())
    monkeypatch.setattr(command, "open_amocrm", lambda base_url, token, clock: firm.office.amocrm)
    return firm


@pytest.fixture
def office(firm: Firm) -> Office:
    return firm.office


class TestList:
    def test_nothing_was_merged(self, firm):
        result = firm.run("list")
        assert result.exit_code == 0
        assert "No merges in the last 30 days (merging: auto)." in result.stdout

    def test_every_merge_with_what_the_other_got(self, firm, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт [1]"], fields=[text_field(50, "да")])
        office.task(duplicate)
        office.merge((duplicate, survivor))
        result = firm.run("list")
        (line,) = [line for line in result.stdout.splitlines() if str(duplicate.id) in line]
        for part in (str(survivor.id), "phone", "done", "tags сайт [1]; fields 1; tasks 1"):
            assert part in line
        assert "Today 1 of at most 50" in result.stdout

    def test_as_json_for_programs(self, firm, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        office.merge((duplicate, survivor))
        (row,) = json.loads(firm.run("list", "--json").stdout)
        assert (row["duplicate"], row["survivor"], row["state"]) == (duplicate.id, survivor.id, "done")
        assert row["added"]["tags"] == ["сайт"]

    def test_older_ones_only_if_asked_for(self, firm, office):
        office.clock.advance(-3 * 24 * 3600)
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        assert str(duplicate.id) not in firm.run("list", "--days", "2").stdout
        assert str(duplicate.id) in firm.run("list", "--days", "5").stdout

    def test_today_is_the_day_of_the_department_by_the_clock_that_is_handed_in(self, firm, office, monkeypatch):
        # 02:30 on the 24th in Yekaterinburg, the 23rd in UTC and in Moscow
        office.clock.moment = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
        office.department = replace(office.department, timezone=ZoneInfo("Asia/Yekaterinburg"))
        firm.departments.store(office.department)
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        monkeypatch.setattr(runtime, "_installed", Runtime(clock=office.clock))
        shown = firm.run("list", "--days", "1").stdout
        assert "2026-11-24 02:30" in shown
        assert "Today 1 of at most 50" in shown
        office.clock.advance(24 * 3600)
        assert "No merges in the last 1 days" in firm.run("list", "--days", "1").stdout

    def test_why_a_merge_was_given_up_is_said_in_english(self, firm, office):
        said = ("сделку тем временем изменил человек", "amoCRM не принимает изменения: Сделка занята", "как есть")
        firm.rule(MergeMode.DRY_RUN)
        for reason in said:
            duplicate = office.duplicate()
            office.merge((duplicate, office.lead()))
            merge = replace(office.entry(duplicate), state=State.PENDING)
            office.merges.begin([merge], per_day=50)
            office.merges.refuse(merge, reason)
        shown = firm.run("list").stdout
        assert "refused: a person has changed the lead meanwhile" in shown
        assert "does not take the changes: Сделка занята" in shown
        assert "refused: как есть" in shown
        reasons = [row["reason"] for row in json.loads(firm.run("list", "--json").stdout)]
        assert "a person has changed the lead meanwhile" in reasons

    def test_dry_runs_are_shown_as_such(self, firm, office):
        firm.rule(MergeMode.DRY_RUN)
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        assert "dry_run" in firm.run("list").stdout


class TestUndo:
    def test_one_lead(self, firm, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        office.merge((duplicate, survivor))
        result = firm.run("undo", str(duplicate.id), *AMOCRM)
        assert (result.exit_code, result.stdout) == (0, f"{duplicate.id} from {survivor.id}: undone\n")
        assert not office.see(duplicate).is_closed
        assert office.see(survivor).tags == ()

    def test_what_cannot_be_restored_is_printed(self, firm, office):
        survivor, duplicate = office.lead(), office.duplicate(price=5)
        office.merge((duplicate, survivor))
        office.amocrm.human_sets_price(survivor.id, 9)
        result = firm.run("undo", str(duplicate.id), *AMOCRM)
        assert "  the price stays: it has been changed since" in result.stdout

    def test_a_whole_day_after_a_question(self, firm, office):
        first, middle, last = office.duplicate(), office.duplicate(), office.lead(owner=DINA)
        other = office.duplicate()
        office.merge((first, middle), (other, last))
        office.merge((middle, last))
        no = firm.run("undo", "--day", firm.today, *AMOCRM, answer="n\n")
        assert no.exit_code == 1
        assert office.see(first).is_closed
        yes = firm.run("undo", "--day", firm.today, *AMOCRM, answer="y\n")
        assert yes.exit_code == 0, yes.stdout
        assert "Undo these merges (3)?" in yes.stdout
        assert not any(office.see(lead).is_closed for lead in (first, middle, other, last))
        assert "Nothing to undo" in firm.run("undo", "--day", firm.today, "--yes", *AMOCRM).stdout

    def test_an_interrupted_day_is_completed_by_the_same_command(self, firm, office):
        survivor, crowd = office.lead(), [office.duplicate(tags=["сайт"]) for _ in range(3)]
        office.merge(*((each, survivor) for each in crowd))
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        broken = firm.run("undo", "--day", firm.today, "--yes", *AMOCRM)
        assert (broken.exit_code, broken.stderr) == (1, "down\n")
        assert firm.run("undo", "--day", firm.today, "--yes", *AMOCRM).exit_code == 0
        assert not any(office.see(lead).is_closed for lead in crowd)
        assert office.see(survivor).tags == ()

    def test_a_merge_that_cannot_be_undone_now_says_why(self, firm, office):
        first, middle, last = office.duplicate(), office.duplicate(), office.lead()
        office.merge((first, middle), (middle, last))
        result = firm.run("undo", str(first.id), *AMOCRM)
        assert result.exit_code == 1
        assert f"lead {middle.id} was itself merged into {last.id}: undo that first" in result.stdout
        assert office.see(first).status_id == LOST

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "name the leads, or --day"),
            (("5", "--day", "2026-11-23"), "name the leads, or --day"),
            (("5",), "lead 5 was not merged into another"),
            (("--day", "yesterday"), "'yesterday' is no date: write 2026-11-23"),
        ],
    )
    def test_what_was_not_understood_is_said(self, firm, arguments, words):
        result = firm.run("undo", *arguments, *AMOCRM)
        assert result.exit_code == 2
        assert words in result.stderr


class TestPreview:
    def test_it_says_what_would_go_over_and_writes_nothing(self, firm, office):
        client = office.amocrm.add_contact(name="Иван", phones=["+79991234567"])
        wife = office.amocrm.add_contact(name="Ольга", phones=["89991112233"])
        survivor = office.lead(contacts=[client.id], price=5)
        duplicate = office.duplicate("exchange.new", contacts=[client.id, wife.id], tags=["сайт"], price=7)
        office.amocrm.add_note(duplicate.id, "Примечание")
        office.task(duplicate)
        seen = office.see(survivor), office.see(duplicate)
        result = firm.run("preview", str(duplicate.id), *AMOCRM)
        assert result.stdout.splitlines() == [
            f"{duplicate.id}: would be merged into {survivor.id} (same_contact).",
            "  Goes over: contacts 1, tags 1, notes 1, open tasks 1, values only into a note 1.",
        ]
        assert (office.see(survivor), office.see(duplicate)) == seen
        assert office.merges.of_lead(duplicate.id) == []

    def test_a_family_with_one_phone_would_be_suggested(self, firm, office):
        mother = office.amocrm.add_contact(name="Ольга", phones=["8 (999) 123-45-67"])
        son = office.amocrm.add_contact(name="Иван", phones=["+79991234567"])
        survivor = office.lead(contacts=[mother.id])
        duplicate = office.duplicate("exchange.new", contacts=[son.id])
        result = firm.run("preview", str(duplicate.id), *AMOCRM)
        assert f"{duplicate.id}: would be suggested to a person: {survivor.id}." in result.stdout

    def test_no_duplicate_no_lead_and_the_question_of_a_person(self, firm, office):
        client = office.amocrm.add_contact(name="Иван")
        lead = office.duplicate("exchange.new", contacts=[client.id])
        warm = office.lead("warm_up.warming", contacts=[client.id])
        assert f"{lead.id}: no duplicate" in firm.run("preview", str(lead.id), *AMOCRM).stdout
        asked = firm.run("preview", str(lead.id), "7", "--asked", *AMOCRM).stdout
        assert f"{lead.id}: would be merged into {warm.id}" in asked
        assert "7: there is no such lead." in asked

    def test_it_speaks_english_whatever_the_department_speaks(self, firm, office):
        client = office.amocrm.add_contact(name="Иван")
        lead = office.duplicate("exchange.new", contacts=[client.id])
        office.lead("main.lost", contacts=[client.id])
        none_running = firm.run("preview", str(lead.id), *AMOCRM).stdout
        assert none_running == (
            f"{lead.id}: no duplicate (their other leads are closed or wait to be merged themselves).\n"
        )
        firm.rule(MergeMode.OFF)
        off = firm.run("preview", str(lead.id), *AMOCRM).stdout
        assert off == f"{lead.id}: no duplicate (merging is switched off).\n"

    def test_a_pair_that_was_undone_is_only_suggested(self, firm, office):
        client = office.amocrm.add_contact(name="Иван")
        survivor = office.lead(contacts=[client.id])
        duplicate = office.duplicate("exchange.new", contacts=[client.id])
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        assert office.department.place(*office.amocrm.place(duplicate.id)) == place("exchange.new")
        assert "would be suggested" in firm.run("preview", str(duplicate.id), *AMOCRM).stdout
