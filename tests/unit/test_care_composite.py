"""all and any: conditions made of conditions."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.cadence import CadenceBreak
from functions.aftercare_triggers.rules.clocks import Calendar
from functions.aftercare_triggers.rules.composite import AllOf, AnyOf
from functions.aftercare_triggers.rules.frequency import AtLeast, AtMost, Exactly, Regularly
from functions.aftercare_triggers.rules.lifecycle import AfterEvent, DateReached
from functions.aftercare_triggers.rules.recency import Restarted, Silence, Stopped
from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.states import HasNot, Threshold, Value
from tests.care_conditions import (
    DAY,
    INSTANT,
    VISITS,
    at_step,
    by_chance,
    fact,
    freezes,
    keeps_its_word,
    on,
    person,
    spans,
    steps,
    turns_true,
    visit,
    visits,
)

NO_VISIT_FOR_TEN_DAYS = Silence(VISITS, 10 * DAY)
ENDS_SOON = DateReached("subscription.end", Calendar(days=14), stays=14 * DAY)
CONTRACT = fact("subscription.started", "10.06 12:00", "c", subscription_id="s17", end="2026-12-10")


class TestAll:
    both = AllOf((NO_VISIT_FOR_TEN_DAYS, ENDS_SOON))
    last = visit("20.11 20:00", "last")

    def test_it_is_due_when_the_later_of_the_two_is(self):
        client = person(CONTRACT, self.last)
        assert self.both.next_due(client, on("25.11 12:00")) == on("30.11 20:00")
        turns_true(self.both, client, on("30.11 20:00"))
        assert self.both.anchor(client, on("01.12 10:00")) == "last"
        assert self.both.evidence(client, on("01.12 10:00")) == ["gym/last", "gym/c"]

    def test_a_visit_in_between_only_moves_the_next_look(self):
        client = person(CONTRACT, self.last, visit("28.11 20:00"))
        assert not self.both.holds(client, on("30.11 20:00"))
        assert self.both.next_due(client, on("30.11 20:00")) == on("08.12 20:00")
        turns_true(self.both, client, on("08.12 20:00"))

    def test_a_member_that_will_be_over_by_then_costs_one_look_for_nothing(self):
        client = person(CONTRACT, self.last, visit("30.11 19:00"))
        assert self.both.next_due(client, on("30.11 20:00")) == on("10.12 19:00")
        assert not self.both.holds(client, on("10.12 19:00"))

    def test_where_only_a_fact_can_make_one_member_true_only_a_fact_can_make_all_true(self):
        rule = AllOf((NO_VISIT_FOR_TEN_DAYS, Threshold("visits_left", "<=", 2)))
        assert rule.next_due(person(self.last), on("25.11 12:00")) is None
        assert rule.woken_by == NO_VISIT_FOR_TEN_DAYS.woken_by | Threshold("", "<=", 2).woken_by

    def test_a_second_member_that_passes_from_one_stretch_to_the_next_does_not_interrupt(self):
        rule = AllOf((Threshold("visits_left", "<=", 2), Value(Selector("nps.responded"), "score", "<=", 6)))
        responses = [fact("nps.responded", f"{day}.11 12:00", score=4) for day in (10, 14)]
        client = person(visit("06.11 12:00", "crossed", visits_left=2), *responses)
        assert rule.since(client, on("18.11 12:00")) == on("10.11 12:00")
        assert rule.anchor(client, on("18.11 12:00")) == "crossed"

    def test_one_member_that_speaks_of_absence_is_enough_to_wait_for_the_feeds(self):
        assert self.both.judged_at_watermark
        assert not AllOf((ENDS_SOON, Threshold("visits_left", "<=", 2))).judged_at_watermark

    def test_where_two_tell_the_same_name_the_first_listed_is_heard(self):
        client = person(CONTRACT, self.last)
        at = on("01.12 10:00")
        assert self.both.numbers(client, at) == NO_VISIT_FOR_TEN_DAYS.numbers(client, at)
        assert AllOf(self.both.members[::-1]).numbers(client, at) == ENDS_SOON.numbers(client, at)


class TestAny:
    bigger_pack = AnyOf((AtLeast(VISITS, 3, 7 * DAY), Threshold("visits_left", "<=", 2)))
    facts = (
        visit("02.11 19:00"),
        visit("04.11 19:00"),
        visit("06.11 19:00", "third"),
        fact("profile.updated", "07.11 12:00", "left", visits_left=2),
        fact("purchase.completed", "12.11 12:00", visits_left=20),
    )

    def test_the_member_that_began_the_stretch_names_it_with_its_place(self):
        client = person(*self.facts)
        turns_true(self.bigger_pack, client, on("06.11 19:00"))
        assert self.bigger_pack.anchor(client, on("06.11 19:00")) == "1:third"

    def test_another_member_that_takes_over_carries_the_stretch_on(self):
        client = person(*self.facts)
        for moment in ("07.11 12:00", "09.11 19:00", "11.11 12:00"):
            assert self.bigger_pack.anchor(client, on(moment)) == "1:third"
            assert self.bigger_pack.since(client, on(moment)) == on("06.11 19:00")
        assert self.bigger_pack.numbers(client, on("11.11 12:00"))["value"] == "2"

    def test_when_none_holds_any_more_it_is_over_and_only_facts_begin_it_anew(self):
        client = person(*self.facts)
        assert not self.bigger_pack.holds(client, on("12.11 12:00"))
        assert self.bigger_pack.next_due(client, on("12.11 12:00")) is None

    def test_of_two_that_turn_true_together_the_first_listed_names_it(self):
        client = person(*self.facts[:2], visit("06.11 19:00", "third", visits_left=1))
        assert self.bigger_pack.anchor(client, on("06.11 19:00")) == "1:third"
        assert AnyOf(self.bigger_pack.members[::-1]).anchor(client, on("06.11 19:00")) == "1:third"

    def test_it_is_due_when_the_first_of_them_is(self):
        either = AnyOf((NO_VISIT_FOR_TEN_DAYS, ENDS_SOON))
        assert either.next_due(person(CONTRACT, visit("20.11 20:00")), on("25.11 12:00")) == on("26.11 10:00")


class TestAnyOfWhatHappenedAndWhatDidNot:
    rule = AnyOf((NO_VISIT_FOR_TEN_DAYS, Value(Selector("nps.responded"), "score", "<=", 6)))
    silent_since = replace(person(visit("01.11 12:00", "last")), watermark=on("10.11 22:00"))

    def test_absence_waits_for_the_feeds(self):
        assert not self.rule.judged_at_watermark
        assert not self.rule.holds(self.silent_since, on("12.11 12:00"))
        told = replace(self.silent_since, watermark=on("12.11 12:00"))
        assert self.rule.anchor(told, on("12.11 12:00")) == "1:last"
        assert self.rule.since(told, on("12.11 12:00")) == on("11.11 12:00")

    def test_a_complaint_does_not(self):
        complaint = fact("nps.responded", "12.11 09:00", "r1", score=2)
        client = person(visit("01.11 12:00"), complaint, watermark="10.11 22:00")
        assert self.rule.anchor(client, on("12.11 12:00")) == "2:r1"

    def test_while_the_feeds_are_behind_it_is_looked_at_again_as_late_as_they_are(self):
        assert self.rule.next_due(self.silent_since, on("10.11 22:00")) == on("11.11 12:00")
        due = self.rule.next_due(self.silent_since, on("12.11 22:00"))
        assert due == on("13.11 12:00")

    def test_absence_alone_is_judged_where_it_is_asked(self):
        alone = AnyOf((NO_VISIT_FOR_TEN_DAYS, AtMost(VISITS, 0, 10 * DAY)))
        assert alone.judged_at_watermark
        assert alone.holds(self.silent_since, on("12.11 12:00"))


nights = st.integers(0, 1)
members = st.one_of(
    st.builds(Silence, st.just(VISITS), spans),
    st.builds(Stopped, st.just(VISITS), st.integers(1, 3), spans.map(lambda span: span + 6 * DAY), st.just(6 * DAY)),
    st.builds(Restarted, st.just(VISITS), spans, spans),
    st.just(CadenceBreak(VISITS, 2.0, DAY, 9 * DAY, 5 * DAY)),
    st.builds(AtLeast, st.just(VISITS), st.integers(1, 3), spans),
    st.builds(AtMost, st.just(VISITS), st.integers(0, 2), spans),
    st.builds(Exactly, st.just(VISITS), st.integers(0, 2), spans),
    st.builds(Threshold, st.just("left"), st.sampled_from(["<=", ">"]), st.integers(0, 4)),
    st.builds(HasNot, st.just(VISITS), st.just(Selector("purchase.completed")), spans, spans),
    st.builds(Value, st.just(VISITS), st.just("left"), st.just("<="), st.integers(0, 4), spans),
    st.builds(
        AfterEvent,
        st.just(VISITS),
        st.builds(Calendar, st.just(0), st.integers(0, 5)),
        st.just("last"),
        st.just(time(12)),
    ),
    st.just(Regularly(VISITS, True, 1, 1, 2)),
)
composites = st.recursive(
    members,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda each: AllOf(tuple(each))),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: AnyOf(tuple(each))),
    ),
    max_leaves=4,
).filter(lambda when: isinstance(when, AllOf | AnyOf))


@st.composite
def histories(draw: st.DrawFn):
    came = [each for each in draw(visits()) if each]
    apart = {each.time: each for each in came}.values()
    bought = [fact("purchase.completed", at_step(step), f"p{step}") for step in draw(st.sets(steps, max_size=3))]
    return [*apart, *bought, *draw(freezes())]


@by_chance
@given(composites, histories(), steps)
def test_composites_keep_their_word(when, facts, step):
    keeps_its_word(when, facts, at_step(step))


@by_chance
@given(st.lists(members, min_size=2, max_size=3), histories(), steps)
def test_all_and_any_are_what_they_say(parts, facts, step):
    client, at = person(*facts), at_step(step)
    assert AllOf(tuple(parts)).holds(client, at) == all(each.holds(client, at) for each in parts)
    assert AnyOf(tuple(parts)).holds(client, at) == any(each.holds(client, at) for each in parts)
    either = AnyOf(tuple(parts))
    if either.holds(client, at):
        before = either.since(client, at) - INSTANT
        assert not any(each.holds(client, before) for each in parts)
