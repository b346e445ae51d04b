"""`conveyor events`: a table of facts, and facts of people whom nobody knows, on moto."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from functions.activity_intake.taking import Stores
from functions.shared import runtime
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.handle_hash import IDENTITY_KEY, handle_hash
from functions.shared.runtime import Runtime
from infra.cli.main import app
from tests.fakes import ManualClock
from tests.intake_door import KEY, IntakeDoor, visit

ANNA, FAMILY, NOBODY = "+79123456789", "+79991112233", "+79990000001"
VISITS = f"""Телефон;Дата;Событие
{ANNA};20.11.2026 18:30;пришёл
{ANNA};21.11.2026 18:30;не пришёл
{NOBODY};22.11.2026 10:00;пришёл
{FAMILY};22.11.2026 11:00;пришёл
{ANNA};вчера;пришёл
"""


class Office:
    def __init__(self, table: Table, path: Path) -> None:
        self.table = table
        self.stage = table._name
        self.file = path / "visits.csv"
        self.sqs = boto3.client("sqs", region_name="eu-central-1")
        self.queue = self.sqs.create_queue(QueueName=f"care-{self.stage}")["QueueUrl"]
        ssm = boto3.client("ssm", region_name="eu-central-1")
        ssm.put_parameter(Name=f"/conveyor/{self.stage}/{IDENTITY_KEY}", Value=KEY, Type="SecureString")
        self.door = IntakeDoor(table)  # applies the department
        self.stores = Stores.on(table)
        self.door.know(7, f"phone:{ANNA}")
        for client in (8, 9):
            self.door.know(client, f"phone:{FAMILY}")

    def run(self, *arguments: str) -> Result:
        environment = {"COLUMNS": "300", "NO_COLOR": "1"}
        return CliRunner().invoke(app, ["events", *arguments, "--table", self.table._name], env=environment)

    def take(self, text: str, *arguments: str) -> Result:
        self.file.write_bytes(text.encode("cp1251"))
        options = ("--stage", self.stage, "--queue-url", self.queue)
        return self.run("import", str(self.file), *options, *arguments)

    def woken(self) -> list[int]:
        clients: list[int] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                clients += json.loads(message["Body"])["wake"]
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return clients


@pytest.fixture
def office(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers its credentials
    before = runtime.current()
    runtime.install(Runtime(clock=ManualClock()))
    yield Office(table, tmp_path)
    runtime.install(before)


class TestImport:
    def test_without_yes_it_tells_what_it_would_do_and_writes_nothing(self, office: Office) -> None:
        result = office.take(VISITS)
        assert result.exit_code == 0, result.output
        for part in (
            "5 rows, CP1251, columns divided by ;, times in Europe/Moscow",
            "visit.attended: 3",
            "visit.missed: 1",
            "From 2026-11-20 18:30 to 2026-11-22 11:00",
            "line 6: no date: write 31.12.2026",
            "of known clients: 2, of people whom nobody knows (`conveyor events review`): 2, invalid: 1",
            "«csv» would be complete until 2026-11-22 11:00",
            "Nothing was written",
        ):
            assert part in result.stdout
        assert not office.stores.facts.of(7)
        assert not office.stores.feeds.all() and not office.stores.identities.parked() and not office.woken()

    def test_with_yes_facts_feed_and_wakes_and_a_second_time_nothing_new(self, office: Office) -> None:
        result = office.take(VISITS, "--yes", "--source", "till")
        assert result.exit_code == 0, result.output
        facts = office.stores.facts.of(7)
        assert [(fact.source, fact.type) for fact in facts] == [("till", "visit.attended"), ("till", "visit.missed")]
        feed = office.stores.feeds.all()["till"]
        assert feed.complete_until == feed.last_at == datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
        assert office.woken() == [7]
        again = office.take(VISITS, "--yes", "--source", "till")
        assert "known before: 2, of people whom nobody knows" in again.stdout
        assert office.stores.facts.of(7) == facts
        assert sum(each.facts for each in office.stores.identities.parked()) == 2

    def test_the_next_night_s_file_adds_what_is_new(self, office: Office) -> None:
        office.take(VISITS, "--yes")
        result = office.take(VISITS + f"{ANNA};23.11.2026 09:00;пришёл\n", "--yes")
        assert "of known clients: 1, known before: 2" in result.stdout
        assert office.stores.feeds.all()["csv"].complete_until == datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

    def test_of_a_source_that_tells_by_itself_a_file_says_no_end(self, office: Office) -> None:
        """Else all its rules would be judged no further than the file."""
        office.door.tell(visit())
        result = office.take(VISITS, "--yes", "--source", "gym")
        assert "stays as it is" in result.stdout
        assert office.stores.feeds.all()["gym"].complete_until is None
        office.take(VISITS, "--yes", "--source", "gym", "--complete-until", "22.11.2026 23:00")
        assert office.stores.feeds.all()["gym"].complete_until == datetime(2026, 11, 22, 20, 0, tzinfo=UTC)

    def test_a_history_teaches_no_silence(self, office: Office) -> None:
        office.take("".join([VISITS, *(f"{ANNA};{day:02}.10.2026;визит\n" for day in range(1, 31))]), "--yes")
        assert office.stores.feeds.all()["csv"].gaps == {}

    def test_another_zone(self, office: Office) -> None:
        office.take(VISITS, "--yes", "--timezone", "Asia/Vladivostok")
        assert office.stores.facts.of(7)[0].time == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "arguments", "words"),
        [
            ("Дата;Событие\n", (), "no column says who"),
            (VISITS, ("--timezone", "Moskau"), "IANA"),
            (VISITS, ("--complete-until", "morgen"), "--complete-until"),
            ("", (), "empty"),
        ],
    )
    def test_what_cannot_be_read_is_said_in_a_line(
        self, office: Office, text: str, arguments: tuple[str, ...], words: str
    ) -> None:
        result = office.take(text, *arguments)
        assert result.exit_code == 1
        assert words in result.stderr and len(result.stderr.splitlines()) == 1

    def test_a_phone_of_the_file_is_neither_shown_nor_stored(self, office: Office) -> None:
        shown = office.take(VISITS, "--yes").output
        stored = str(office.table._client().scan(TableName=office.table._name)["Items"])
        for number in ("9123456789", "9991112233", "9990000001"):
            assert number not in shown + stored


class TestReview:
    def test_everybody_is_known(self, office: Office) -> None:
        assert "Everybody is known." in office.run("review").stdout

    def test_the_unknown_are_listed_by_hash(self, office: Office) -> None:
        office.take(VISITS, "--yes")
        shown = office.run("review").stdout
        for number, candidates in ((NOBODY, "–"), (FAMILY, "8, 9")):
            (line,) = [each for each in shown.splitlines() if handle_hash(KEY, f"phone:{number}")[:12] in each]
            assert candidates in line and "csv" in line and "2026-11-22" in line
        (first, second) = json.loads(office.run("review", "--json").stdout)
        assert {first["facts"], second["facts"]} == {1}

    def test_whom_a_person_names_gets_the_facts_is_woken_and_known_from_then_on(self, office: Office) -> None:
        office.take(VISITS, "--yes")
        office.woken()
        hashed = handle_hash(KEY, f"phone:{NOBODY}")
        result = office.run("assign", hashed[:12], "11", "--queue-url", office.queue)
        assert "1 facts are those of contact 11" in result.stdout, result.output
        assert [fact.type for fact in office.stores.facts.of(11)] == ["visit.attended"]
        assert office.woken() == [11]
        assert office.door.statuses(visit(9, phone=NOBODY)) == ["accepted"]
        assert len(office.stores.identities.parked()) == 1

    def test_of_a_family_s_phone_only_the_facts_so_far_are_his(self, office: Office) -> None:
        office.take(VISITS, "--yes")
        hashed = handle_hash(KEY, f"phone:{FAMILY}")
        assert "wait for you again" in office.run("assign", hashed, "8", "--queue-url", office.queue).stdout
        assert office.door.statuses(visit(9, phone=FAMILY)) == ["unidentified"]

    def test_who_has_become_known_meanwhile_need_not_be_named(self, office: Office) -> None:
        office.take(VISITS, "--yes")
        office.door.know(12, f"phone:{NOBODY}")
        hashed = handle_hash(KEY, f"phone:{NOBODY}")
        assert "contact 12" in office.run("assign", hashed[:12], "--queue-url", office.queue).stdout

    @pytest.mark.parametrize(
        ("hashed", "words"), [("ab", "at least"), ("abcdefabcdef", "nothing waits"), ("family", "name the contact")]
    )
    def test_what_cannot_be_assigned(self, office: Office, hashed: str, words: str) -> None:
        office.take(VISITS, "--yes")
        wanted = handle_hash(KEY, f"phone:{FAMILY}") if hashed == "family" else hashed
        result = office.run("assign", wanted, "--queue-url", office.queue)
        assert result.exit_code == 1 and words in result.stderr
