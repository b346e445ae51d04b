"""`conveyor care` on a table like the deployed one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from functions.aftercare_triggers.rules.reading import lookback_of, read_rule, wakes_of
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared import runtime
from functions.shared.care import Client, FeedSpec, RuleBook
from functions.shared.facts import Fact
from functions.shared.runtime import Runtime
from infra.care.backtest import backtest
from infra.cli.main import app
from tests.builders import INNA
from tests.care_desk import department
from tests.care_player import CLIENT, Player, moment
from tests.fakes import ManualClock, create_table, dynamodb_client

QUIET: dict[str, Any] = {
    "id": "quiet",
    "version": 1,
    "effective_from": "2026-01-01T00:00:00+03:00",
    "when": {"silence": {"of": "visit.attended", "for": "14d"}},
    "task": "Не был {days} дн., последний визит {date}",
    "holdout": 0,
    "cap": "none",
}


def visit(client: int, at: str) -> Fact:
    return Fact(client, "gym", f"v-{at}", "visit.attended", moment(at), moment(at))


class Desk:
    """A table with one rule, at noon of 20 November; `run` is the command line."""

    def __init__(self) -> None:
        self.table = create_table(dynamodb_client(), f"sales-{uuid4()}")
        self.stores = Stores.on(self.table)
        self.stores.departments.store(department())
        self.publish(QUIET)

    def publish(self, *documents: dict[str, Any], **book: Any) -> None:
        rules = [read_rule(document) for document in documents]
        version = self.stores.books.current().version
        made = RuleBook(version, documents, wakes=wakes_of(rules), lookback=lookback_of(rules), **book)
        self.stores.books.publish(made)

    def client(self, number: int, *visits: str, **values: Any) -> None:
        self.stores.clients.put(Client(number, manager=INNA, **values))
        self.stores.facts.put([visit(number, at) for at in visits])

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["care", *arguments, "--table", self.table._name])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", "200")
    with mock_aws():
        runtime.install(Runtime(clock=ManualClock(moment("20.11 12:00"))))
        yield Desk()
        runtime.install(Runtime())


class TestPreview:
    def test_it_tells_for_whom_the_rule_is_true_and_for_whom_it_will_be(self, desk: Desk) -> None:
        desk.client(1, "01.11 20:00")
        desk.client(2, "10.11 20:00")
        desk.client(3, "19.11 20:00")
        result = desk.run("preview", "quiet")
        assert result.exit_code == 0, result.output
        assert "true for 1 of 3 clients (33%)" in result.stdout
        assert "Не был 18 дн., последний визит 01.11.2026" in result.stdout
        assert "for 2 more" in result.stdout
        assert "24.11.2026" in result.stdout and "03.12.2026" in result.stdout

    def test_it_says_what_stands_in_the_way(self, desk: Desk) -> None:
        desk.publish({**QUIET, "unless": {"contacted_within": "30d"}})
        desk.client(1, "01.11 20:00")
        call = moment("10.11 12:00")
        desk.stores.facts.put([Fact(1, "pbx", "c", "client.contacted", call, call)])
        found = json.loads(desk.run("preview", "quiet", "--json").stdout)
        [match] = found["matches"]
        assert (match["gate"], match["until"]) == ("guards", moment("10.12 12:00").isoformat())

    def test_a_rule_for_everybody_is_warned_of(self, desk: Desk) -> None:
        for number in range(1, 26):
            desk.client(number, "01.11 20:00")
        result = desk.run("preview", "quiet")
        assert "true for 25 of 25 clients (100%)" in result.stdout
        assert "storm guard" in result.stdout

    def test_a_silent_feed_is_said(self, desk: Desk) -> None:
        desk.publish(QUIET, feeds=(FeedSpec("turnstile", frozenset({"visit.attended"})),))
        desk.client(1, "01.11 20:00")
        assert "1 cannot be judged" in desk.run("preview", "quiet").stdout

    def test_rules_of_a_file_that_is_not_applied(self, desk: Desk, tmp_path: Any) -> None:
        file = tmp_path / "department.yaml"
        file.write_text(
            "department: Фитнес\ntimezone: Europe/Moscow\namocrm: {account: fit.amocrm.ru}\nmodel: one_level\n"
            "teams: {sales: {members: [anna@fit.example]}}\n"
            "aftercare: [{id: soon, when: {silence: {of: attended, for: 3d}}, task: Позвонить}]\n",
            encoding="utf-8",
        )
        desk.client(1, "15.11 20:00")
        result = desk.run("preview", "soon", "--department", str(file))
        assert "soon: true for 1 of 1 clients" in result.stdout

    def test_another_moment_than_now(self, desk: Desk) -> None:
        desk.client(1, "01.11 20:00")
        assert "true for 0 of 1" in desk.run("preview", "quiet", "--at", "2026-11-15T19:00+03:00").stdout
        assert "true for 1 of 1" in desk.run("preview", "quiet", "--at", "2026-11-15T20:00+03:00").stdout
        result = desk.run("preview", "quiet", "--at", "2026-11-15")
        assert (result.exit_code, result.stderr.partition(":")[0]) == (1, "--at 2026-11-15")

    def test_an_unknown_rule_names_the_known_ones(self, desk: Desk) -> None:
        result = desk.run("preview", "quite")
        assert (result.exit_code, result.stderr) == (1, "there is no rule 'quite'; there are: quiet\n")


class TestBacktest:
    def test_days_managers_and_returns(self, desk: Desk) -> None:
        desk.client(1, "01.10 20:00", "18.10 12:00", "12.11 20:00")
        desk.client(2, "02.10 20:00")
        result = desk.run("backtest", "quiet", "--days", "60")
        assert result.exit_code == 0, result.output
        assert "quiet: 3 firings in 61 days, 3 with a task, 0 in the hold-out." in result.stdout
        assert re.search(r"16\.10\.2026 █+ 1", result.stdout)
        assert "Within a week 33% came back" in result.stdout

    def test_a_longer_silence_is_one_firing_and_a_return_makes_room_for_the_next(self, desk: Desk) -> None:
        desk.client(1, "01.09 20:00", "20.09 20:00")
        found = json.loads(desk.run("backtest", "quiet", "--days", "90", "--json").stdout)
        assert [each["at"][:10] for each in found["firings"]] == ["2026-09-16", "2026-10-05"]

    def test_late_facts_count_when_they_came_or_when_they_happened(self, desk: Desk) -> None:
        desk.client(1, "01.10 20:00")
        late = replace(visit(1, "10.10 20:00"), received=moment("25.10 12:00"))
        desk.stores.facts.put([late])
        received = json.loads(desk.run("backtest", "quiet", "--json").stdout)
        by_time = json.loads(desk.run("backtest", "quiet", "--by", "time", "--json").stdout)
        assert [each["at"][:10] for each in received["firings"]] == ["2026-10-16", "2026-10-25"]
        assert [each["at"][:10] for each in by_time["firings"]] == ["2026-10-25"]


class TestExplain:
    def test_each_rule_its_truth_its_gate_and_what_it_rests_on(self, desk: Desk) -> None:
        desk.client(1, "01.11 20:00")
        result = desk.run("explain", "1")
        assert "quiet, version 1: true since 15.11.2026 20:00" in result.stdout
        assert "nothing stands in its way" in result.stdout
        assert "rests on: gym/v-01.11 20:00" in result.stdout

    def test_an_address_is_as_good_as_a_number(self, desk: Desk) -> None:
        desk.client(7, "19.11 20:00")
        result = desk.run("explain", "https://fit.amocrm.ru/contacts/detail/7?from=list")
        assert "Client 7" in result.stdout
        assert "the condition is not true" in result.stdout

    def test_who_is_unknown_is_said(self, desk: Desk) -> None:
        result = desk.run("explain", "99")
        assert result.exit_code == 1
        assert "Nothing is known of client 99" in result.stdout

    def test_before_the_first_rules_it_says_what_to_do(self) -> None:
        with mock_aws():
            table = create_table(dynamodb_client(), f"sales-{uuid4()}")
            result = CliRunner().invoke(app, ["care", "explain", "1", "--table", table._name])
        assert result.exit_code == 1
        assert "conveyor apply" in result.stderr


def test_a_storm_is_let_go_for_a_day(desk: Desk) -> None:
    assert "until 21.11.2026 12:00" in desk.run("approve", "quiet").stdout
    assert desk.stores.books.approved(moment("21.11 11:00")) == {"quiet"}
    assert desk.stores.books.approved(moment("21.11 13:00")) == frozenset()


RULES: list[dict[str, Any]] = [
    {"when": {"silence": {"of": "visit.attended", "for": "6d"}}},
    {"when": {"silence": {"of": "visit.attended", "for": "4d"}}, "cooldown": "20d"},
    {"when": {"stopped": {"of": "visit.attended", "had": {"n": 2, "in": "20d"}, "none_for": "5d"}}},
    {"when": {"count": {"of": "visit.attended", "op": ">=", "n": 3, "in": "7d"}}, "cap": {"per_client": "1/30d"}},
    {"when": {"after": {"event": "visit.attended", "which": "first", "by": "3d"}}, "exit": "none"},
]


@pytest.mark.parametrize("document", RULES, ids=lambda each: "-".join(each["when"]))
@pytest.mark.parametrize("seed", range(8))
def test_a_backtest_fires_what_the_engine_fired(document: dict[str, Any], seed: int) -> None:
    """The same history played forward, tick by tick, and looked at afterwards."""
    complete = {"id": "rule", "task": "Позвонить", "cap": "none", "effective_from": "2026-01-01T00:00:00+03:00"}
    rule = read_rule({**complete, **document}, holdout=0)
    chance, start, end = Random(seed), moment("01.03"), moment("01.06")
    facts = []
    for number in range(25):
        time = start + timedelta(minutes=10 * chance.randrange(92 * 144))
        late = timedelta(hours=chance.choice([0, 0, 0, 5, 40]))
        facts.append(Fact(CLIENT, "gym", f"v{number}", "visit.attended", time, time + late))
    player = Player(replace(rule, effective_from=start), start="01.03")
    for fact in facts:
        player.deliver(fact)
    player.run(end)
    made = department()
    sight = Sight(made, RuleBook(1), (rule,), {}, end)
    found = backtest(rule, sight, [(Client(CLIENT), [each for each in facts if each.received <= end])], end - start)
    assert [(each.anchor, each.at) for each in found.firings] == player.fired()
