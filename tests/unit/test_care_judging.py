"""The gates, one by one and in their order, with a condition that is true when the test says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from functions.aftercare_triggers.gates import closed_gate
from functions.aftercare_triggers.judging import Judgement, judge
from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.guards import ContactedWithin, SubscriptionActive
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import (
    Action,
    BackfillMode,
    Cap,
    Exit,
    Late,
    LatePolicy,
    ReEntry,
    Rule,
    Window,
)
from functions.aftercare_triggers.scene import Scene
from functions.aftercare_triggers.waking import view
from functions.aftercare_triggers.watermark import Watermarks
from functions.shared.care import Client, Feed, FeedSpec, OpenTask, Status, Trace
from functions.shared.facts import Fact
from tests.care_builders import DAY, HOUR, MOSCOW, NOON, VISIT, Spans, fact, rule, trace


def look(
    of: Rule,
    *facts: Fact,
    traces: Sequence[Trace] = (),
    client: Client | None = None,
    now: datetime = NOON,
    marks: Watermarks | None = None,
) -> Judgement:
    person = Person.of(1, MOSCOW, facts, now)
    seen = view(of, person, Scene(marks or Watermarks(now), WorkingDays(), b"key"))
    assert seen is not None
    return judge(seen, client or Client(1), traces)


class TestFiring:
    def test_what_holds_and_nothing_stops_fires_with_its_words_and_numbers(self) -> None:
        told = look(rule(Spans(((NOON - HOUR, NOON + DAY),), told={"name": "Анна"}), priority=70))
        episode = told.episode
        assert episode is not None
        assert (episode.status, episode.anchor, episode.text) == (Status.QUEUED, "a0", "Позвонить Анна")
        assert (episode.true_at, episode.planned_at, episode.decided_at) == (NOON - HOUR, NOON - HOUR, NOON)
        assert (episode.send_at, episode.expires_at, episode.priority) == (NOON, NOON - HOUR + 7 * DAY, 70)
        assert told.verdict.gate == "fire"

    def test_after_it_the_end_of_the_stretch_is_looked_for_and_a_return_wakes(self) -> None:
        told = look(rule())
        assert (told.due, told.wakes) == (NOON + DAY, VISIT)

    def test_the_value_is_the_newest_number_of_its_facts(self) -> None:
        valued = rule(action=Action("Позвонить", value="order.total"))
        facts = [
            fact("purchase.completed", NOON - 9 * DAY, "f1", order={"total": 500}),
            fact("purchase.completed", NOON - DAY, "f2", order={"total": 900}),
        ]
        own, others = look(valued, *facts).episode, look(valued, facts[1]).episode
        assert own is not None
        assert others is not None
        assert (own.value, others.value) == (500, 900)


class TestCondition:
    def test_what_does_not_hold_is_looked_at_when_it_may(self) -> None:
        told = look(rule(Spans(((NOON + DAY, NOON + 2 * DAY),))))
        assert (told.verdict.gate, told.due, told.episode) == ("condition", NOON + DAY, None)

    def test_where_nothing_can_be_foreseen_any_fact_it_reads_wakes(self) -> None:
        told = look(rule(Spans(())))
        assert (told.due, told.wakes) == (None, VISIT)

    def test_a_return_that_the_horizon_has_not_reached_counts_already(self) -> None:
        """An absence rule judged two days behind: the visit of yesterday is known."""
        late = FeedSpec("gym", VISIT, lag=2 * DAY)
        marks = Watermarks.of([late], {"gym": Feed("gym", NOON, NOON)}, MOSCOW, NOON)
        absent = rule(Spans(((NOON - 3 * DAY, NOON + 9 * DAY),), judged_at_watermark=True))
        assert look(absent, marks=marks).verdict.gate == "fire"
        told = look(absent, fact("visit.attended", NOON - DAY), marks=marks)
        assert (told.verdict.gate, told.episode, told.due) == ("returned", None, NOON + DAY)

    def test_an_exit_before_the_firing_calls_it_off(self) -> None:
        contacted = rule(exit=Exit(frozenset({"client.contacted"}), ""))
        assert look(contacted, fact("client.contacted", NOON - HOUR / 2)).verdict.gate == "returned"
        assert look(contacted, fact("client.contacted", NOON - 2 * HOUR)).verdict.gate == "fire"


class TestIdentityAndReEntry:
    @pytest.mark.parametrize("status", sorted(set(Status) - {Status.BASELINE}))
    def test_an_episode_of_the_stretch_stops_it_whatever_its_status(self, status: Status) -> None:
        told = look(rule(), traces=[trace("a0", NOON - HOUR, status)])
        assert (told.verdict.gate, told.episode) == ("identity", None)

    def test_but_not_a_baseline(self) -> None:
        assert look(rule(), traces=[trace("a0", NOON - HOUR, Status.BASELINE)]).episode is not None

    def test_once_is_stopped_by_any_firing_of_the_rule_and_by_nothing_less(self) -> None:
        once = rule(re_entry=ReEntry.ONCE)
        assert look(once, traces=[trace("a7", NOON - 99 * DAY)]).verdict.gate == "re_entry"
        for status in (Status.BASELINE, Status.SUPPRESSED, Status.VOID, Status.EXPIRED):
            assert look(once, traces=[trace("a7", NOON - 99 * DAY, status)]).verdict.gate == "fire"
        assert look(once, traces=[trace("a7", NOON - DAY, of="another")]).verdict.gate == "fire"

    def test_every_fires_the_same_stretch_again_under_the_next_number(self) -> None:
        again = rule(Spans(((NOON - 30 * DAY, NOON + DAY),)), re_entry=ReEntry.EVERY, every=9 * DAY)
        fired = [trace("a0", NOON - 20 * DAY), trace("a0#2", NOON - 9 * DAY)]
        episode = look(again, traces=fired).episode
        assert episode is not None
        assert (episode.anchor, episode.planned_at) == ("a0#3", NOON)
        early = look(again, traces=fired, now=NOON - HOUR)
        assert (early.verdict.gate, early.episode, early.due) == ("re_entry", None, NOON)

    def test_every_does_not_repeat_what_never_fired(self) -> None:
        again = rule(Spans(((NOON - 30 * DAY, NOON + DAY),)), re_entry=ReEntry.EVERY, every=9 * DAY)
        assert look(again, traces=[trace("a0", NOON - 20 * DAY, Status.SKIPPED_LATE)]).verdict.gate == "identity"


class TestBackfill:
    @pytest.mark.parametrize(
        ("backfill", "since", "fires"),
        [
            (BackfillMode.FUTURE_ONLY, None, False),
            (BackfillMode.CURRENT, None, True),
            (BackfillMode.CURRENT_SINCE, HOUR, True),
            (BackfillMode.CURRENT_SINCE, HOUR / 2, False),
        ],
    )
    def test_what_was_true_before_the_rule(self, backfill: BackfillMode, since: timedelta | None, fires: bool) -> None:
        new = replace(rule(), effective_from=NOON, backfill=backfill, backfill_since=since)
        episode = look(new).episode
        assert episode is not None
        assert episode.status is (Status.QUEUED if fires else Status.BASELINE)
        if fires:
            assert episode.planned_at == NOON

    def test_a_baseline_is_noted_once(self) -> None:
        new = replace(rule(), effective_from=NOON)
        assert look(new, traces=[trace("a0", NOON, Status.BASELINE)]).episode is None


class TestGatesThatDefer:
    def test_guards_hold_until_they_change_or_a_fact_comes(self) -> None:
        guarded = rule(unless=(ContactedWithin(7 * DAY),))
        told = look(guarded, fact("client.contacted", NOON - 2 * DAY))
        assert told.held is not None
        assert (told.held.gate, told.held.anchor, told.due) == ("guards", "a0", NOON + DAY)
        assert told.verdict.until == NOON + 5 * DAY
        active = look(rule(only_if=(SubscriptionActive(),)))
        assert active.verdict.until is None
        assert "subscription.started" in active.wakes

    def test_a_freeze_holds_absence_rules_only(self) -> None:
        frozen = fact("subscription.frozen", NOON - DAY, until=(NOON + DAY / 2).isoformat())
        spans = ((NOON - HOUR, NOON + DAY),)
        told = look(rule(Spans(spans, judged_at_watermark=True)), frozen)
        assert (told.verdict.gate, told.due) == ("freeze", NOON + DAY / 2)
        assert "subscription.unfrozen" in told.wakes
        assert look(rule(Spans(spans)), frozen).verdict.gate == "fire"

    def test_the_cool_down_counts_both_arms_of_the_same_rule(self) -> None:
        cool = rule(cooldown=30 * DAY)
        for status in (Status.OPEN, Status.HELD_OUT, Status.MERGED, Status.EXITED):
            told = look(cool, traces=[trace("a9", NOON - 29 * DAY, status)])
            assert (told.verdict.gate, told.due) == ("cooldown", NOON + DAY)
        assert look(cool, traces=[trace("a9", NOON - 30 * DAY)]).verdict.gate == "fire"
        assert look(cool, traces=[trace("a9", NOON - DAY, Status.VOID)]).verdict.gate == "fire"
        assert look(cool, traces=[trace("a9", NOON - DAY, of="another")]).verdict.gate == "fire"

    def test_the_cap_counts_tasks_of_all_rules(self) -> None:
        capped = rule(cap=Cap((2, 14 * DAY)))
        tasks = [trace("x", NOON - 13 * DAY, of="p"), trace("y", NOON - 2 * DAY, Status.CLOSED, of="q")]
        told = look(capped, traces=tasks)
        assert (told.verdict.gate, told.due) == ("cap", NOON + DAY)
        assert look(capped, traces=tasks, now=NOON + DAY - HOUR).verdict.gate == "cap"
        assert look(capped, traces=tasks[:1]).verdict.gate == "fire"
        joined = trace("z", NOON - DAY, Status.MERGED, of="q")
        assert look(capped, traces=[tasks[0], joined]).verdict.gate == "fire"

    def test_joining_a_task_that_stands_is_free(self) -> None:
        capped, used = rule(cap=Cap((1, 14 * DAY))), [trace("x", NOON - DAY, Status.OPEN, of="p")]
        task = OpenTask(7, 1, 0, "", NOON, NOON - DAY, NOON - DAY)
        assert look(capped, traces=used).verdict.gate == "cap"
        assert look(capped, traces=used, client=Client(1, open_task=task)).verdict.gate == "fire"
        queued = [trace("x", NOON, Status.QUEUED, of="p")]
        assert look(capped, traces=queued).verdict.gate == "fire"

    def test_a_task_that_was_held_out_would_stand_for_14_days(self) -> None:
        capped = rule(cap=Cap((1, 20 * DAY)))
        assert look(capped, traces=[trace("x", NOON - 13 * DAY, Status.HELD_OUT, "p")]).verdict.gate == "fire"
        assert look(capped, traces=[trace("x", NOON - 14 * DAY, Status.HELD_OUT, "p")]).verdict.gate == "cap"

    def test_the_window_holds_until_it_opens(self) -> None:
        told = look(rule(window=Window()), now=NOON + 9 * HOUR)
        assert (told.verdict.gate, told.due) == ("window", NOON + 22 * HOUR)

    def test_the_first_closed_gate_speaks(self) -> None:
        """All five closed: they open one after the other in their order."""
        spans = ((NOON - HOUR, NOON + DAY),)
        every = rule(
            Spans(spans, judged_at_watermark=True),
            unless=(ContactedWithin(7 * DAY),),
            cooldown=30 * DAY,
            cap=Cap((1, 14 * DAY)),
            window=Window(time(13), time(14)),
        )
        contacted = fact("client.contacted", NOON - DAY, "c")
        frozen = fact("subscription.frozen", NOON - DAY, "z")
        fired = trace("a9", NOON - DAY)
        scene = Scene(Watermarks(NOON), WorkingDays(), b"key")
        told = []
        for facts, traces in (
            ([contacted, frozen], [fired]),
            ([frozen], [fired]),
            ([], [fired]),
            ([], [replace(fired, rule="another")]),
            ([], []),
        ):
            seen = view(every, Person.of(1, MOSCOW, facts, NOON), scene)
            assert seen is not None
            closed = closed_gate(seen, Client(1), traces, NOON)
            told.append(closed and closed.gate)
        assert told == ["guards", "freeze", "cooldown", "cap", "window"]


class TestLateness:
    OLD = Spans(((NOON - 3 * DAY, NOON + DAY),))

    def test_late_but_still_true_fires(self) -> None:
        episode = look(rule(self.OLD)).episode
        assert episode is not None
        assert (episode.status, episode.planned_at) == (Status.QUEUED, NOON - 3 * DAY)

    def test_too_late_expires(self) -> None:
        told = look(rule(self.OLD, late=Late(expire=2 * DAY)))
        assert told.episode is not None
        assert (told.episode.status, told.episode.gate) == (Status.EXPIRED, "late")

    def test_skip_allows_its_tolerance(self) -> None:
        for tolerance, status in ((3 * DAY, Status.QUEUED), (2 * DAY, Status.SKIPPED_LATE)):
            episode = look(rule(self.OLD, late=Late(LatePolicy.SKIP, tolerance=tolerance))).episode
            assert episode is not None
            assert episode.status is status

    def test_waiting_on_purpose_is_not_lateness(self) -> None:
        """True for three days; a call kept it from firing until an hour ago, the night before that until ten."""
        waiting = rule(
            self.OLD,
            unless=(ContactedWithin(7 * DAY),),
            window=Window(),
            late=Late(LatePolicy.SKIP, tolerance=2 * HOUR),
        )
        episode = look(waiting, fact("client.contacted", NOON - 7 * DAY - 14 * HOUR)).episode
        assert episode is not None
        assert (episode.status, episode.planned_at) == (Status.QUEUED, NOON - 2 * HOUR)

    def test_neither_is_the_lag_of_a_feed(self) -> None:
        late = FeedSpec("gym", VISIT, lag=2 * DAY)
        marks = Watermarks.of([late], {"gym": Feed("gym", NOON, NOON)}, MOSCOW, NOON)
        absent = Spans(((NOON - 2 * DAY - HOUR, NOON + 9 * DAY),), judged_at_watermark=True)
        episode = look(rule(absent, late=Late(LatePolicy.SKIP, tolerance=HOUR)), marks=marks).episode
        assert episode is not None
        assert (episode.status, episode.planned_at) == (Status.QUEUED, NOON - HOUR)

    def test_fire_once_makes_up_for_a_moment_that_went_by(self) -> None:
        over = Spans(((NOON - 2 * DAY, NOON - DAY),))
        once = rule(over, late=Late(LatePolicy.FIRE_ONCE, expire=3 * DAY))
        episode = look(once).episode
        assert episode is not None
        assert (episode.anchor, episode.planned_at) == ("a0", NOON - 2 * DAY)
        assert look(rule(over)).episode is None
        assert look(once, now=NOON + 2 * DAY).episode is None
        assert look(once, traces=[trace("a0", NOON - DAY)]).episode is None
        assert look(once, fact("visit.attended", NOON - HOUR)).episode is None


class TestArm:
    def test_a_held_out_client_gets_a_row_and_no_words(self) -> None:
        told = look(rule(holdout=1.0))
        assert told.episode is not None
        assert (told.episode.status, told.episode.text, told.episode.send_at) == (Status.HELD_OUT, "", None)
        assert told.verdict.gate == "arm"
