"""What a wake makes of all rules, and of the episodes that stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from functions.aftercare_triggers.plan import Act, WakePlan
from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Cap, Escalation, Exit, ReEntry, Rule, Window
from functions.aftercare_triggers.scene import Scene
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.waking import wake
from functions.aftercare_triggers.watermark import Watermarks
from functions.shared.care import Client, Episode, Feed, FeedSpec, Held, Status
from functions.shared.facts import Fact
from tests.care_builders import DAY, HOUR, MOSCOW, NOON, VISIT, Spans, fact, rule, trace

GYM = FeedSpec("gym", VISIT)
ABSENT = Spans(((NOON - HOUR, NOON + 30 * DAY),), judged_at_watermark=True)
LATER = Spans(((NOON + DAY, NOON + 2 * DAY),))


def woken(
    client: Client,
    *rules: Rule,
    facts: Iterable[Fact] = (),
    now: datetime = NOON,
    feeds: Mapping[str, Feed] | None = None,
) -> WakePlan:
    marks = Watermarks.of([GYM] if feeds is not None else [], feeds or {}, MOSCOW, now)
    person = Person.of(client.id, MOSCOW, facts, now)
    return wake(client, person, rules, Scene(marks, WorkingDays(), b"key"), 5)


def with_open(status: Status = Status.OPEN, **changes: Any) -> Client:
    """Fired an hour ago."""
    has_task = status in (Status.OPEN, Status.MERGED)
    standing = replace(trace("a0", NOON - HOUR, status), **({"task_id": 9 * has_task} | changes))
    return Client(1, traces=(standing,))


class TestFiring:
    def test_every_rule_is_judged_and_the_row_remembers(self) -> None:
        plan = woken(Client(1, version=3), rule(), replace(rule(LATER), id="later"), facts=[fact("x", NOON - DAY)])
        assert [each.key for each in plan.episodes] == [("rule", "a0")]
        assert [(each.rule, each.gate) for each in plan.verdicts] == [("later", "condition"), ("rule", "fire")]
        row = plan.client
        assert (row.version, row.rules_version, row.first_at, row.due_at) == (3, 5, NOON - DAY, NOON + DAY)
        assert [each.status for each in row.traces] == [Status.QUEUED]
        assert row.exits >= VISIT

    def test_what_was_just_fired_waits_for_its_exit_and_its_escalation(self) -> None:
        steps = (Escalation("head", after=2 * HOUR),)
        contacted = rule(exit=Exit(frozenset({"client.contacted"}), ""), escalate=steps)
        row = woken(Client(1), contacted).client
        assert "client.contacted" in row.exits
        assert row.due_at == NOON + 2 * HOUR

    def test_the_same_wake_again_changes_nothing(self) -> None:
        once = woken(Client(1), rule())
        twice = woken(once.client, rule())
        assert (twice.episodes, twice.changes) == ((), ())
        assert twice.client == once.client

    def test_of_two_rules_the_more_urgent_takes_the_cap_and_the_other_joins_its_task(self) -> None:
        capped = Cap((1, 14 * DAY))
        urgent = replace(rule(cap=capped, priority=90), id="urgent")
        plan = woken(Client(1), rule(cap=capped, priority=10), urgent)
        assert [each.rule for each in plan.episodes] == ["urgent", "rule"]

    def test_a_hold_out_that_would_have_joined_does_not_count_as_a_task(self) -> None:
        plan = woken(with_open(Status.HELD_OUT), replace(rule(holdout=1.0), id="second"))
        assert [each.status for each in plan.client.traces] == [Status.HELD_OUT, Status.MERGED]
        assert [each.status for each in plan.episodes] == [Status.HELD_OUT]

    def test_what_stands_as_a_baseline_is_replaced(self) -> None:
        noted = Client(1, traces=(trace("a0", NOON - DAY, Status.BASELINE),))
        plan = woken(noted, rule())
        assert (plan.episodes, [each.status for each in plan.over_baseline]) == ((), [Status.QUEUED])

    def test_an_episode_that_was_forgotten_is_learned_again_and_stays(self) -> None:
        standing = woken(Client(1), rule()).episodes[0]
        known = remembered(Client(1), replace(standing, status=Status.CLOSED, ended_at=NOON))
        assert woken(known, rule()).episodes == ()

    def test_a_contact_that_was_merged_away_is_asleep(self) -> None:
        plan = woken(Client(1, merged_into=2, due_at=NOON), rule())
        assert (plan.episodes, plan.client.due_at) == ((), None)


class TestReturns:
    @pytest.mark.parametrize(
        ("status", "act", "becomes"),
        [
            (Status.OPEN, Act.STRIKE, Status.COMPLETED),
            (Status.MERGED, Act.STRIKE, Status.EXITED),
            (Status.HELD_OUT, Act.STRIKE, Status.COMPLETED),
            (Status.CLOSED, Act.STRIKE, Status.COMPLETED),
            (Status.QUEUED, Act.WITHDRAW, Status.EXITED),
            (Status.STORM, Act.WITHDRAW, Status.EXITED),
        ],
    )
    def test_a_return_ends_what_stands(self, status: Status, act: Act, becomes: Status) -> None:
        keeping = rule(cooldown=9 * DAY)
        plan = woken(with_open(status), keeping, facts=[fact("visit.attended", NOON)])
        (change,) = plan.changes
        assert (change.key, change.act, change.at) == (("rule", "a0"), act, NOON)
        assert change.words == "Пришёл 11.11.2026"
        assert [each.status for each in plan.client.traces] == [becomes]
        assert woken(plan.client, keeping, facts=[fact("visit.attended", NOON)]).changes == ()

    def test_a_task_that_is_being_set_is_looked_at_again_soon(self) -> None:
        plan = woken(with_open(Status.SENDING), rule(), facts=[fact("visit.attended", NOON)])
        assert plan.changes == ()
        assert plan.client.due_at is not None
        assert plan.client.due_at <= NOON + HOUR

    @pytest.mark.parametrize("status", [Status.HELD_OUT, Status.CLOSED])
    def test_a_return_after_two_weeks_is_put_down_to_nothing(self, status: Status) -> None:
        late = NOON + 14 * DAY
        long = Spans(((NOON - HOUR, NOON + 90 * DAY),))
        plan = woken(with_open(status), rule(long), facts=[fact("visit.attended", late)], now=late)
        assert plan.changes == ()

    @pytest.mark.parametrize(("status", "becomes"), [(Status.HELD_OUT, Status.CLOSED), (Status.MERGED, Status.EXITED)])
    def test_a_hold_out_wakes_when_its_task_would_have_closed(self, status: Status, becomes: Status) -> None:
        long = rule(Spans(((NOON - HOUR, NOON + 90 * DAY),)))
        plan = woken(with_open(status, task_id=0), long)
        assert plan.client.due_at == NOON - HOUR + 14 * DAY
        assert [each.status for each in woken(plan.client, long, now=NOON + 14 * DAY).client.traces] == [becomes]

    def test_a_fact_of_the_exit_that_leaves_the_condition_true_is_no_return(self) -> None:
        """The rule says visits end it, the condition does not mind them."""
        stubborn = rule(Spans(((NOON - HOUR, NOON + DAY),), returns=frozenset()))
        plan = woken(with_open(), stubborn, facts=[fact("visit.attended", NOON)])
        assert [each.act for each in plan.changes] == [
            Act.STRIKE
        ]  # it cannot end the stretch, so it is an exit by name
        minds = replace(stubborn, when=_Tolerant(((NOON - HOUR, NOON + DAY),)))
        assert woken(with_open(), minds, facts=[fact("visit.attended", NOON)]).changes == ()

    def test_who_comes_shortly_before_it_counts_has_come(self) -> None:
        """The visit is known at 12:00, and the condition minds it from 12:30 on."""
        early = rule(_Slow(((NOON - HOUR, NOON + DAY),)))
        came = [fact("visit.attended", NOON)]
        before = woken(with_open(), early, facts=came)
        assert (before.changes, before.client.due_at) == ((), NOON + HOUR / 2)
        after = woken(before.client, early, facts=came, now=NOON + HOUR)
        assert [(each.act, each.at) for each in after.changes] == [(Act.STRIKE, NOON)]

    def test_a_rule_without_an_exit_leaves_its_tasks_to_people(self) -> None:
        assert woken(with_open(), rule(exit=None), facts=[fact("visit.attended", NOON)]).changes == ()

    def test_a_rule_that_was_taken_out_of_the_book_too(self) -> None:
        plan = woken(with_open(), facts=[fact("visit.attended", NOON)])
        assert (plan.changes, [each.status for each in plan.client.traces]) == ((), [Status.OPEN])


class _Tolerant(Spans):
    """Visits could end it, but these do not."""

    def holds(self, person: Person, at: datetime) -> bool:
        return self._at(at) >= 0


class _Slow(Spans):
    """A visit ends it half an hour later."""

    def holds(self, person: Person, at: datetime) -> bool:
        return super().holds(person, at - HOUR / 2) or super().holds(person, at)


class TestCorrections:
    def test_a_stretch_that_never_was_is_void(self) -> None:
        plan = woken(with_open(), rule(LATER))
        (change,) = plan.changes
        assert (change.act, change.words) == (Act.VOID, "Данные исправлены")

    def test_what_is_void_does_not_cool_down(self) -> None:
        cool = rule(Spans(((NOON, NOON + DAY),)), cooldown=9 * DAY)
        (episode,) = woken(Client(1, traces=(trace("a7", NOON - HOUR, Status.OPEN),)), cool).episodes
        assert episode.status is Status.QUEUED

    def test_one_that_only_began_later_stands_even_when_it_is_over(self) -> None:
        moved = rule(Spans(((NOON - HOUR / 2, NOON + DAY),)))
        plan = woken(with_open(), moved)
        assert plan.changes == ()
        assert woken(plan.client, moved, now=NOON + 2 * DAY).changes == ()

    def test_an_edited_rule_corrects_nothing(self) -> None:
        edited = replace(rule(LATER), version=2, effective_from=NOON - HOUR / 2)
        assert woken(with_open(), edited).changes == ()

    def test_a_feed_that_falls_silent_corrects_nothing_and_forgets_nothing(self) -> None:
        silent = {"gym": Feed("gym", NOON - 9 * HOUR, NOON - 9 * HOUR)}
        absent = rule(Spans(((NOON - 2 * HOUR, NOON + 30 * DAY),), judged_at_watermark=True))
        held = Held("rule", "a1", "window", NOON - HOUR)
        client = Client(1, traces=(trace("a0", NOON - HOUR, Status.CLOSED),), held=(held,))
        plan = woken(client, absent, feeds=silent)
        assert (plan.changes, plan.episodes) == ((), ())
        assert plan.client.traces == client.traces
        assert plan.client.held == (held,)


class TestEscalation:
    AFTER = (Escalation("head", after=2 * DAY),)

    def test_a_step_is_due_after_its_time_and_done_once(self) -> None:
        stays = rule(Spans(((NOON - HOUR, NOON + 30 * DAY),)), escalate=self.AFTER)
        early = woken(with_open(), stays)
        assert (early.changes, early.client.due_at) == ((), NOON - HOUR + 2 * DAY)
        due = woken(early.client, stays, now=NOON + 2 * DAY)
        assert [(each.act, each.to) for each in due.changes] == [(Act.ESCALATE, "head")]
        assert woken(due.client, stays, now=NOON + 3 * DAY).changes == ()

    def test_it_keeps_to_the_window(self) -> None:
        stays = rule(Spans(((NOON - HOUR, NOON + 30 * DAY),)), escalate=self.AFTER, window=Window())
        night = woken(with_open(), stays, now=NOON + 2 * DAY + 9 * HOUR)
        assert (night.changes, night.client.due_at) == ((), NOON + 2 * DAY + 22 * HOUR)

    def test_by_count_it_looks_at_the_number_of_the_condition(self) -> None:
        step = (Escalation("head", count=5),)
        four, five = (Spans(((NOON - HOUR, NOON + DAY),), told={"count": count}) for count in ("4", "5"))
        assert woken(with_open(), rule(four, escalate=step)).changes == ()
        assert [each.step for each in woken(with_open(), rule(five, escalate=step)).changes] == [5]
        for held_out in (with_open(Status.HELD_OUT), with_open(Status.MERGED, task_id=0)):
            assert woken(held_out, rule(five, escalate=step)).changes == ()

    def test_a_task_that_is_not_set_yet_is_waited_for(self) -> None:
        five = rule(Spans(((NOON - HOUR, NOON + DAY),), told={"count": "5"}), escalate=(Escalation("head", count=5),))
        plan = woken(with_open(Status.QUEUED), five)
        assert plan.changes == ()
        assert plan.client.due_at is not None
        assert plan.client.due_at <= NOON + HOUR


class TestHeldStretches:
    def test_what_a_gate_holds_is_kept_and_noted_once_when_it_ends(self) -> None:
        night = rule(Spans(((NOON + 9 * HOUR, NOON + 12 * HOUR),)), window=Window())
        held = woken(Client(1), night, now=NOON + 10 * HOUR)
        assert held.episodes == ()
        assert held.client.held == (Held("rule", "a0", "window", NOON + 9 * HOUR),)
        ended = woken(held.client, night, now=NOON + 22 * HOUR)
        (episode,) = ended.episodes
        assert (episode.status, episode.gate, episode.anchor) == (Status.SUPPRESSED, "window", "a0")
        assert (episode.true_at, episode.decided_at) == (NOON + 9 * HOUR, NOON + 22 * HOUR)
        assert (ended.client.held, woken(ended.client, night, now=NOON + 23 * HOUR).episodes) == ((), ())

    def test_when_another_stretch_took_over_both_are_told(self) -> None:
        two = rule(Spans(((NOON + 9 * HOUR, NOON + 12 * HOUR), (NOON + 20 * HOUR, NOON + 30 * HOUR))), window=Window())
        held = woken(Client(1), two, now=NOON + 10 * HOUR)
        plan = woken(held.client, two, now=NOON + 22 * HOUR)
        assert {each.anchor: each.status for each in plan.episodes} == {"a0": Status.SUPPRESSED, "a1": Status.QUEUED}

    def test_what_never_was_leaves_nothing(self) -> None:
        client = Client(1, held=(Held("rule", "a0", "window", NOON - DAY),))
        plan = woken(client, rule(LATER))
        assert (plan.episodes, plan.client.held) == ((), ())

    def test_the_end_of_a_hold_fires_it(self) -> None:
        cool = rule(Spans(((NOON - HOUR, NOON + 30 * DAY),)), cooldown=9 * DAY)
        before = Client(1, traces=(trace("old", NOON - 8 * DAY),))
        held = woken(before, cool)
        assert held.client.due_at == NOON + DAY
        fired = woken(held.client, cool, now=NOON + DAY)
        assert [(each.status, each.planned_at) for each in fired.episodes] == [(Status.QUEUED, NOON + DAY)]
        assert fired.client.held == ()

    def test_a_cool_down_that_ended_in_an_outage_is_still_no_lateness(self) -> None:
        """The trace is kept while a stretch waits, so a second gate does not make the first look open."""
        cool = rule(Spans(((NOON - HOUR, NOON + 30 * DAY),)), cooldown=9 * DAY, window=Window())
        held = woken(Client(1, traces=(trace("old", NOON - 8 * DAY),)), cool)
        night = woken(held.client, cool, now=NOON + DAY + 9 * HOUR)
        assert night.client.held[0].gate == "window"
        fired = woken(night.client, cool, now=NOON + DAY + 22 * HOUR)
        assert fired.episodes[0].planned_at == NOON + DAY


class TestTimers:
    def test_nobody_to_wake_where_only_facts_can_change_anything(self) -> None:
        plan = woken(Client(1), rule(Spans(())))
        assert (plan.client.due_at, plan.client.exits) == (None, VISIT)

    def test_a_lagging_feed_is_waited_for(self) -> None:
        late = FeedSpec("gym", VISIT, lag=2 * DAY)
        marks = Watermarks.of([late], {"gym": Feed("gym", NOON, NOON)}, MOSCOW, NOON)
        absent = rule(Spans(((NOON - DAY, NOON + 30 * DAY),), judged_at_watermark=True))
        plan = wake(Client(1), Person.of(1, MOSCOW, [], NOON), [absent], Scene(marks, WorkingDays(), b""), 1)
        assert (plan.episodes, plan.client.due_at) == ((), NOON + DAY)

    def test_a_feed_that_never_told_anything_is_asked_daily(self) -> None:
        plan = woken(with_open(), rule(ABSENT), feeds={})
        assert [each.gate for each in plan.verdicts] == ["watermark"]
        assert (plan.client.due_at, plan.changes) == (NOON + DAY, ())

    def test_the_end_of_a_stretch_wakes_for_the_next(self) -> None:
        yearly = rule(Spans(((NOON, NOON + DAY), (NOON + 365 * DAY, NOON + 366 * DAY))))
        fired = woken(Client(1), yearly)
        assert fired.client.due_at == NOON + DAY
        assert woken(fired.client, yearly, now=NOON + DAY).client.due_at == NOON + 365 * DAY


class TestTraces:
    def test_what_no_gate_can_need_is_forgotten(self) -> None:
        cool = replace(rule(LATER, cooldown=30 * DAY, cap=Cap((1, 14 * DAY))), id="cool")
        once = replace(rule(LATER, re_entry=ReEntry.ONCE), id="once")
        plain = replace(rule(LATER), id="plain")
        kept = (
            trace("x", NOON - 29 * DAY, of="cool"),
            trace("x", NOON - 900 * DAY, of="once"),
            trace("y", NOON - 13 * DAY, of="plain"),
        )
        forgotten = (
            trace("w", NOON - 31 * DAY, of="cool"),
            trace("v", NOON - 15 * DAY, of="plain"),
            trace("u", NOON - DAY, Status.SUPPRESSED, of="plain"),
            trace("t", NOON - DAY, Status.SUPPRESSED, of="once"),
            trace("s", NOON - 15 * DAY, of="removed"),
        )
        assert woken(Client(1, traces=kept + forgotten), cool, once, plain).client.traces == kept

    def test_what_still_holds_is_remembered_however_old(self) -> None:
        old = Spans(((NOON - 900 * DAY, NOON + DAY),))
        for status in (Status.BASELINE, Status.CLOSED, Status.SKIPPED_LATE):
            known = (trace("a0", NOON - 899 * DAY, status),)
            assert [each.anchor for each in woken(Client(1, traces=known), rule(old)).client.traces] == ["a0"]

    def test_a_merged_reason_never_counts_as_a_task(self) -> None:
        client = with_open(Status.MERGED)
        ended = Episode(1, "rule", "a0", 1, Status.CLOSED, NOON, NOON, NOON)
        assert [each.status for each in remembered(client, ended).traces] == [Status.EXITED]
