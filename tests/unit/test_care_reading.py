"""A rule's document becomes a rule, or a list of everything that is wrong with it."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.clocks import Calendar
from functions.aftercare_triggers.rules.composite import AllOf, AnyOf
from functions.aftercare_triggers.rules.conditions import read_condition
from functions.aftercare_triggers.rules.fields import RuleErrors
from functions.aftercare_triggers.rules.frequency import AtLeast, AtMost, Exactly, Regularly
from functions.aftercare_triggers.rules.guards import ContactedWithin, Not, OptedOut, ProfileField, SubscriptionActive
from functions.aftercare_triggers.rules.lifecycle import AfterEvent, Anniversary, DateReached
from functions.aftercare_triggers.rules.reading import lookback_of, read_rule, wakes_of
from functions.aftercare_triggers.rules.recency import Restarted, Silence, Stopped
from functions.aftercare_triggers.rules.rule import (
    Action,
    BackfillMode,
    Cap,
    Escalation,
    Exit,
    Late,
    LatePolicy,
    ReEntry,
    Rule,
    Window,
)
from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.states import CARRIERS, HasNot, Threshold, Value
from functions.aftercare_triggers.rules.streak import Streak
from tests.care_conditions import fact, on, person, visit

NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)
DAY = timedelta(days=1)
VISIT = Selector("visit.attended")

THE_GYM = {
    "id": "missed-3-trainings",
    "version": 4,
    "priority": 70,
    "when": {
        "streak": {
            "of": "session",
            "outcome": "missed",
            "count": 3,
            "reset_by": "attended",
            "expected": "bookings",
            "miss_is": "marked",
            "grace": "PT3H",
            "unmarked_after": "P14D",
            "neutral": ["cancelled_by_club", "frozen", "cancelled_in_time"],
        }
    },
    "only_if": ["subscription.active"],
    "unless": {"contacted_within": "P7D", "opted_out": True},
    "re_entry": "new_episode",
    "cooldown": "P30D",
    "cap": {"per_client": "1/P14D", "per_manager": "15/day"},
    "window": {"client_local": "10:00-20:00", "calendar": "ru_working"},
    "late": {"policy": "fire_if_still_true", "expire": "P7D", "tolerance": "PT30M"},
    "backfill": "future_only",
    "holdout": "10%",
    "action": {
        "task": {
            "type": "call",
            "due": "next_working_slot+4h",
            "assign": "responsible",
            "text": "Не был на 3 тренировках подряд ({dates}). Предложить консультацию тренера.",
        }
    },
    "escalate": [{"count": 5, "to": "head_of_sales"}],
    "exit": {"on": "attended", "do": "complete_task", "result": "Клиент вернулся {date}"},
}


def read(**changes) -> Rule:
    """A short rule with some keys added."""
    document = {"id": "r", "when": {"silence": {"of": "visit.attended", "for": "14d"}}, "task": "Позвонить", **changes}
    return read_rule(document, effective_from=NOON)


def wrong(**changes) -> list[tuple]:
    with pytest.raises(RuleErrors) as caught:
        read(**changes)
    return [(error.path, error.problem, error.remedy) for error in caught.value.errors]


def paths(**changes) -> list[tuple]:
    return [path for path, _, _ in wrong(**changes)]


def condition(**when):
    return read(when=when).when


class TestTheWholeRule:
    def test_every_key_is_read(self):
        rule = read_rule(THE_GYM, effective_from=NOON)
        assert (rule.id, rule.version, rule.effective_from, rule.priority) == ("missed-3-trainings", 4, NOON, 70)
        assert rule.when == Streak(count=3)
        assert rule.only_if == (SubscriptionActive(),)
        assert rule.unless == (ContactedWithin(7 * DAY), OptedOut())
        assert (rule.re_entry, rule.cooldown) == (ReEntry.NEW_EPISODE, 30 * DAY)
        assert rule.cap == Cap((1, 14 * DAY), 15)
        assert rule.window == Window(time(10), time(20), "ru_working")
        assert rule.late == Late(LatePolicy.FIRE_IF_STILL_TRUE, 7 * DAY, timedelta(minutes=30))
        assert (rule.backfill, rule.holdout) == (BackfillMode.FUTURE_ONLY, 0.1)
        assert rule.action == Action(THE_GYM["action"]["task"]["text"], "call", timedelta(hours=4), "responsible")
        assert rule.escalate == (Escalation("head", count=5),)
        assert rule.exit == Exit(frozenset({"visit.attended"}), "Клиент вернулся {date}")

    def test_almost_everything_has_a_default(self):
        rule = read()
        assert rule == Rule(
            "r",
            1,
            NOON,
            Silence(VISIT, 14 * DAY),
            Action("Позвонить"),
            exit=rule.exit,
        )

    def test_the_exit_defaults_to_the_facts_that_end_the_condition(self):
        rule = read(when={"has_not": {"after": "purchase.completed", "event": "subscription.started", "within": "7d"}})
        assert rule.exit == Exit(frozenset({"subscription.started"}), "Клиент вернулся {date}")
        nps = read(when={"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": 6}})
        assert nps.exit is None
        assert read(exit="none").exit is None

    def test_a_document_of_the_book_says_when_it_came_into_force(self):
        assert read(effective_from="2026-11-20T12:00:00+03:00").effective_from == NOON

    def test_what_was_published_reads_the_same(self):
        assert read_rule(deepcopy(THE_GYM), effective_from=NOON) == read_rule(THE_GYM, effective_from=NOON)


class TestConditions:
    def test_count(self):
        window = {"of": "visit.attended", "n": 1, "in": "P30D"}
        assert condition(count={"op": "<=", **window}) == AtMost(VISIT, 1, 30 * DAY)
        assert condition(count={"op": "=", **window}) == Exactly(VISIT, 1, 30 * DAY)
        assert condition(count={"op": ">=", **window}) == AtLeast(VISIT, 1, 30 * DAY)

    def test_regularly(self):
        weekly = {"of": "visit.attended", "op": ">=", "n": 2, "per": "week", "at_least": 3, "of_last": 4}
        assert condition(regularly=weekly) == Regularly(VISIT, True, 2, 3, 4)

    def test_recency(self):
        had = {"of": "visit.attended", "had": {"n": 4, "in": "60d"}, "none_for": "14d"}
        assert condition(stopped=had) == Stopped(VISIT, 4, 60 * DAY, 14 * DAY)
        assert condition(restarted={"of": "attended", "gap": "30d"}) == Restarted(VISIT, 30 * DAY, 3 * DAY)

    def test_lifecycle(self):
        after = {"event": "purchase.completed", "which": "first", "by": "P3D", "at": "11:00", "stays": "2d"}
        assert condition(after=after) == AfterEvent(
            Selector("purchase.completed"), Calendar(days=3), "first", time(11), 2 * DAY
        )
        end = {"field": "subscription.end"}
        assert condition(after={**end, "by": "3d"}) == DateReached("subscription.end", Calendar(days=3), False)
        assert condition(before={**end, "by": "P1M"}) == DateReached("subscription.end", Calendar(months=1))
        assert condition(on=end) == DateReached("subscription.end", stays=DAY)
        assert condition(anniversary={"field": "birthday"}) == Anniversary("birthday")

    def test_states(self):
        score = {"of": "nps.responded", "path": "score", "op": "<=", "v": 6}
        assert condition(value=score) == Value(Selector("nps.responded"), "score", "<=", 6)
        left = {"path": "visits_left", "op": "<=", "v": 2}
        assert condition(threshold=left) == Threshold("visits_left", "<=", 2, CARRIERS)
        assert condition(threshold={**left, "of": "attended"}).carriers == {"visit.attended"}
        trial = {"event": "purchase.completed", "where": {"category": "trial"}}
        followed = {"after": trial, "event": "subscription.started", "within": "P7D"}
        assert condition(has_not=followed) == HasNot(
            Selector("purchase.completed", {"category": "trial"}), Selector("subscription.started"), 7 * DAY
        )

    def test_all_and_any(self):
        silence, birthday = {"silence": {"of": "attended", "for": "10d"}}, {"anniversary": {"field": "birthday"}}
        read_all = condition(all=[silence, {"any": [birthday, silence]}])
        quiet, born = Silence(VISIT, 10 * DAY), Anniversary("birthday")
        assert read_all == AllOf((quiet, AnyOf((born, quiet))))

    def test_a_type_of_the_firms_own_is_allowed(self):
        assert condition(silence={"of": "cafe.order", "for": "14d"}).of == Selector("cafe.order")


class TestSettings:
    def test_re_entry_after_a_while(self):
        rule = read(re_entry={"every": "P90D"})
        assert (rule.re_entry, rule.every) == (ReEntry.EVERY, 90 * DAY)

    def test_backfill_since(self):
        rule = read(backfill={"current_since": "P14D"})
        assert (rule.backfill, rule.backfill_since) == (BackfillMode.CURRENT_SINCE, 14 * DAY)

    @pytest.mark.parametrize("given_, share", [("10%", 0.1), ("0%", 0.0), (0, 0.0), (0.25, 0.25), ("12.5 %", 0.125)])
    def test_hold_out(self, given_, share):
        assert read(holdout=given_).holdout == share

    def test_caps(self):
        assert read(cap={"per_client": "none"}).cap == Cap(None, 15)
        assert read(cap={"per_client": "2/week", "per_manager": 3}).cap == Cap((2, 7 * DAY), 3)
        assert read(cap="none").cap == Cap(None, None)

    def test_windows(self):
        assert read(window={"client_local": "00:00-24:00"}).window == Window(time(0), time(0))
        assert read(window="none").window == Window(time(0), time(0))
        assert read(window={"client_local": "22:00-06:00"}).window == Window(time(22), time(6))
        own = {"id": "r", "when": {"on": {"field": "x"}}, "task": "a", "window": {"calendar": "clinic"}}
        assert read_rule(own, effective_from=NOON, calendars=["clinic"]).window.calendar == "clinic"

    @pytest.mark.parametrize("due, hours", [("next_working_slot", 0), ("next_working_slot+4h", 4), ("1d", 24)])
    def test_due(self, due, hours):
        assert read(task={"text": "a", "due": due}).action.due_after == timedelta(hours=hours)

    def test_guards(self):
        rule = read(only_if={"profile.city": ["Москва", "Казань"], "profile.age": {"op": ">=", "v": 18}})
        assert rule.only_if == (ProfileField("city", "=", ("Москва", "Казань")), ProfileField("age", ">=", (18,)))
        assert read(unless=[{"subscription.active": False}]).unless == (Not(SubscriptionActive()),)

    def test_escalation_after_a_while(self):
        assert read(escalate=[{"after": "P3D", "to": "head"}]).escalate == (Escalation("head", after=3 * DAY),)


class TestWhatIsWrong:
    def test_everything_is_named_at_once(self):
        found = paths(
            id="",
            when={"streak": {"count": 0, "cuont": 3}},
            cooldown="a while",
            late={"expire": "none"},
            task={"text": "{who}", "type": "fax"},
        )
        assert set(found) == {
            ("id",),
            ("when", "streak", "cuont"),
            ("when", "streak", "count"),
            ("cooldown",),
            ("late", "expire"),
            ("task", "text"),
            ("task", "type"),
        }

    def test_an_unknown_key_with_the_nearest_known_one(self):
        assert wrong(cool_down="P3D") == [(("cool_down",), "is not known", "did you mean `cooldown`?")]

    @pytest.mark.parametrize(
        "when, path",
        [
            (None, ("when",)),
            ({}, ("when",)),
            ("silence", ("when",)),
            ({"silense": {"of": "attended", "for": "3d"}}, ("when", "silense")),
            ({"silence": {"of": "attended", "for": "3d"}, "on": {"field": "x"}}, ("when",)),
            ({"silence": None}, ("when", "silence")),
            ({"silence": {"of": "attended"}}, ("when", "silence", "for")),
            ({"silence": {"of": "attended", "for": "P1M"}}, ("when", "silence", "for")),
            ({"silence": {"of": "attended", "for": 14}}, ("when", "silence", "for")),
            ({"silence": {"of": "attended", "for": "0d"}}, ("when", "silence", "for")),
            ({"silence": {"of": "attended", "for": "9999999999999d"}}, ("when", "silence", "for")),
            ({"silence": {"of": "visit.attendet", "for": "3d"}}, ("when", "silence", "of")),
            ({"silence": {"of": ["a"], "for": "3d"}}, ("when", "silence", "of")),
            ({"silence": {"of": "attended", "for": "3d", "where": []}}, ("when", "silence", "where")),
            ({"silence": {"of": "attended", "for": "3d", "where": {"a": {}}}}, ("when", "silence", "where", "a")),
            ({"all": []}, ("when", "all")),
            ({"all": [{"on": {"field": "x"}}, {"on": {}}]}, ("when", "all", 1, "on", "field")),
            ({"streak": {"count": "3"}}, ("when", "streak", "count")),
            ({"streak": {"count": True}}, ("when", "streak", "count")),
            ({"streak": {"count": 3, "neutral": ["late"]}}, ("when", "streak", "neutral")),
            ({"streak": {"count": 3, "expected": "cadence", "grace": "1h"}}, ("when", "streak", "grace")),
            (
                {"regularly": {"of": "attended", "n": 2, "at_least": 5, "of_last": 4}},
                ("when", "regularly", "at_least"),
            ),
            ({"cadence_break": {"of": "attended", "min": "9d", "max": "5d"}}, ("when", "cadence_break", "min")),
            ({"cadence_break": {"of": "attended", "k": 0}}, ("when", "cadence_break", "k")),
            (
                {"stopped": {"of": "attended", "had": {"n": 4, "in": "7d"}, "none_for": "14d"}},
                ("when", "stopped", "had", "in"),
            ),
            ({"count": {"of": "attended", "op": ">=", "n": 0, "in": "7d"}}, ("when", "count", "n")),
            ({"count": {"of": "attended", "op": "=>", "n": 1, "in": "7d"}}, ("when", "count", "op")),
            ({"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": "six"}}, ("when", "value", "v")),
            ({"threshold": {"path": "", "op": "<=", "v": 2}}, ("when", "threshold", "path")),
            ({"after": {"by": "3d"}}, ("when", "after")),
            ({"after": {"event": "purchase.completed", "by": "PT3H"}}, ("when", "after", "by")),
            ({"after": {"event": "purchase.completed", "by": "3d", "at": "25:00"}}, ("when", "after", "at")),
            ({"before": {"field": "subscription.end", "by": "0d"}}, ("when", "before", "by")),
            ({"before": {"field": "subscription.ends", "by": "3d"}}, ("when", "before", "field")),
            ({"on": {"field": "x", "stays": "forever"}}, ("when", "on", "stays")),
        ],
    )
    def test_conditions(self, when, path):
        assert paths(when=when) == [path]

    def test_a_rule_that_would_never_end_is_told_so(self):
        ((_, problem, _),) = wrong(when={"on": {"field": "x", "stays": "none"}})
        assert "no end" in problem

    @pytest.mark.parametrize(
        "changes, path",
        [
            ({"id": "с пробелом"}, ("id",)),
            ({"version": 0}, ("version",)),
            ({"effective_from": "2026-11-20T12:00:00"}, ("effective_from",)),
            ({"effective_from": 20261120}, ("effective_from",)),
            ({"effective_from": "0001-01-01T00:00:00+03:00"}, ("effective_from",)),
            ({"priority": 101}, ("priority",)),
            ({"only_if": ["subscription.activ"]}, ("only_if", 0, "subscription.activ")),
            ({"only_if": 7}, ("only_if",)),
            ({"unless": {"contacted_within": True}}, ("unless", "contacted_within")),
            ({"unless": {"opted_out": "yes"}}, ("unless", "opted_out")),
            ({"unless": {"profile.age": {"op": ">", "v": "old"}}}, ("unless", "profile.age")),
            ({"unless": {"profile.age": []}}, ("unless", "profile.age")),
            ({"re_entry": "twice"}, ("re_entry",)),
            ({"re_entry": "every"}, ("re_entry",)),
            ({"re_entry": {"every": "often"}}, ("re_entry", "every")),
            ({"cap": {"per_client": "one"}}, ("cap", "per_client")),
            ({"cap": {"per_client": "0/P14D"}}, ("cap", "per_client")),
            ({"cap": {"per_manager": True}}, ("cap", "per_manager")),
            ({"window": {"client_local": "10-20"}}, ("window", "client_local")),
            ({"window": {"client_local": "10:00-10:00"}}, ("window", "client_local")),
            ({"window": {"calendar": "ru_workng"}}, ("window", "calendar")),
            ({"late": "whenever"}, ("late",)),
            ({"backfill": "all"}, ("backfill",)),
            ({"backfill": "current_since"}, ("backfill",)),
            ({"holdout": 10}, ("holdout",)),
            ({"holdout": "110%"}, ("holdout",)),
            ({"task": ""}, ("task",)),
            ({"task": None}, ("task",)),
            ({"task": {"text": " "}}, ("task", "text")),
            ({"task": {"text": "Не был {dates"}}, ("task", "text")),
            ({"task": {"text": "Не был {date.year}"}}, ("task", "text")),
            ({"task": {"text": "Не был {0}"}}, ("task", "text")),
            ({"task": {"text": "a", "due": "soon"}}, ("task", "due")),
            ({"action": {"task": {"text": "a"}}}, ("action",)),
            ({"escalate": {"count": 5}}, ("escalate",)),
            ({"escalate": [{"to": "head"}]}, ("escalate", 0)),
            ({"escalate": [{"count": 5, "to": "head"}]}, ("escalate", 0, "count")),
            ({"exit": {"on": "visit.attendet"}}, ("exit", "on")),
            ({"exit": {"result": "{days}"}}, ("exit", "result")),
            ({"exit": {"do": "nothing"}}, ("exit", "do")),
        ],
    )
    def test_settings(self, changes, path):
        assert paths(**changes) == [path]

    def test_an_escalation_must_come_after_the_firing(self):
        rule = {**THE_GYM, "escalate": [{"count": 3, "to": "head"}]}
        with pytest.raises(RuleErrors) as caught:
            read_rule(rule, effective_from=NOON)
        assert [error.path for error in caught.value.errors] == [("escalate", 0, "count")]

    def test_a_rhythm_does_not_count_what_an_escalation_could_wait_for(self):
        rhythm = {"streak": {"count": 3, "expected": "cadence"}}
        assert paths(when=rhythm, escalate=[{"count": 5, "to": "head"}]) == [("escalate", 0, "count")]
        assert paths(when=rhythm, task="Не был {dates}") == [("task",)]

    def test_an_exit_for_a_condition_that_nothing_ends_must_say_what_does(self):
        score = {"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": 6}}
        assert paths(when=score, exit={"result": "Вернулся {date}"}) == [("exit", "on")]

    def test_a_placeholder_that_not_every_member_of_any_supplies(self):
        members = [
            {"silence": {"of": "attended", "for": "9d"}},
            {"count": {"of": "attended", "op": "<=", "n": 1, "in": "9d"}},
        ]
        assert paths(when={"any": members}, task="Не был {date}") == [("task",)]
        assert read(when={"all": members}, task="Не был {date}").action.text == "Не был {date}"

    def test_no_task_at_all(self):
        with pytest.raises(RuleErrors, match="write one `task:`"):
            read_rule({"id": "r", "when": {"on": {"field": "x"}}}, effective_from=NOON)

    @pytest.mark.parametrize("document", [None, [], "silence", 7])
    def test_what_is_no_mapping_is_no_rule(self, document):
        with pytest.raises(RuleErrors):
            read_rule(document, effective_from=NOON)


LIVED = [
    *[visit(f"{day:02}.10 12:00", left=5) for day in (1, 3, 5, 7, 9, 11)],
    *[fact("session.booked", f"{day}.10 12:00", f"b{day}", start=f"2026-10-{day}T19:00:00+03:00") for day in (12, 13)],
    *[fact("visit.missed", f"{day}.10 20:05", session_id=f"b{day}") for day in (12, 13)],
    visit("20.11 12:00", left=1),
    fact("purchase.completed", "10.11 12:00"),
    fact("profile.updated", "01.11 12:00", day="2026-11-21"),
    fact("profile.updated", "02.11 12:00", born="2000-11-20"),
]


@pytest.mark.parametrize(
    "when, at",
    [
        ({"streak": {"count": 1}}, "14.10 12:00"),
        ({"streak": {"count": 1, "expected": "cadence"}}, "15.10 12:00"),
        ({"silence": {"of": "attended", "for": "5d"}}, "20.10 12:00"),
        ({"stopped": {"of": "attended", "had": {"n": 2, "in": "60d"}, "none_for": "5d"}}, "20.10 12:00"),
        ({"restarted": {"of": "attended", "gap": "30d"}}, "20.11 12:00"),
        ({"cadence_break": {"of": "attended"}}, "20.10 12:00"),
        ({"count": {"of": "attended", "op": "<=", "n": 1, "in": "7d"}}, "20.11 12:00"),
        ({"regularly": {"of": "attended", "n": 1, "at_least": 1, "of_last": 2}}, "12.10 12:00"),
        ({"after": {"event": "purchase.completed", "by": "3d"}}, "13.11 12:00"),
        ({"after": {"field": "day", "by": "3d"}}, "24.11 12:00"),
        ({"before": {"field": "day", "by": "1d"}}, "20.11 12:00"),
        ({"on": {"field": "day"}}, "21.11 12:00"),
        ({"anniversary": {"field": "born"}}, "20.11 12:00"),
        ({"value": {"of": "attended", "path": "left", "op": "=", "v": 1}}, "20.11 12:00"),
        ({"threshold": {"path": "left", "op": "<=", "v": 2}}, "20.11 12:00"),
        ({"has_not": {"after": "purchase.completed", "event": "x", "within": "3d"}}, "14.11 12:00"),
    ],
)
def test_a_condition_supplies_to_texts_what_its_reading_says(when, at):
    errors = []
    condition = read_condition(when, ("when",), errors)
    assert errors == []
    client = person(*LIVED)
    assert condition.when.holds(client, on(at))
    assert condition.supplies <= set(condition.when.numbers(client, on(at)))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["3d", "none", "="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn):
    """The gym's rule with another value somewhere."""
    document = deepcopy(THE_GYM)
    place = document
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and draw(st.booleans()):
            place = place[key]
            continue
        place[key] = draw(anything)
        return document


@settings(max_examples=300, deadline=None)
@given(spoilt())
def test_whatever_stands_there_it_is_read_or_refused_with_reasons(document):
    try:
        read_rule(document, effective_from=NOON)
    except RuleErrors as refused:
        assert refused.errors
        assert all(error.problem and error.remedy for error in refused.errors)


class TestOfAllRules:
    def test_what_wakes_a_client(self):
        rules = [
            read(unless={"contacted_within": "7d"}),
            read(when={"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": 6}}),
        ]
        wakes = wakes_of(rules)
        assert {"nps.responded", "client.contacted", "subscription.unfrozen", "profile.updated"} <= wakes
        assert "visit.attended" not in wakes
        assert wakes_of([]) == frozenset()

    def test_how_far_back_facts_are_read(self):
        assert lookback_of([]) == 90 * DAY
        assert lookback_of([read()]) == 90 * DAY
        halfyear = read(when={"silence": {"of": "attended", "for": "180d"}})
        assert lookback_of([read(), halfyear]) == 270 * DAY
        birthday = {"anniversary": {"field": "birthday"}}
        either = read(when={"any": [birthday, {"count": {"of": "attended", "op": "<=", "n": 1, "in": "100d"}}]})
        assert lookback_of([either]) == 150 * DAY
