"""count and regularly: how often a client comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.frequency import AtLeast, AtMost, Exactly, Regularly
from functions.aftercare_triggers.rules.person import OlderFactsNeeded
from functions.aftercare_triggers.rules.selector import Selector
from tests.care_conditions import (
    DAY,
    INSTANT,
    STEP,
    VISITS,
    at_step,
    by_chance,
    fact,
    freeze,
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

RARELY = AtMost(VISITS, 1, 30 * DAY)
AUTUMN = [
    visit("01.09 12:00", "first"),
    visit("01.10 19:00", "a"),
    visit("08.10 19:00", "b"),
    visit("20.10 19:00", "c"),
]


class TestAtMostOnceInThirtyDays:
    def test_it_turns_true_when_the_last_but_one_visit_leaves_the_window(self):
        client = person(*AUTUMN)
        turns_true(RARELY, client, on("07.11 19:00"))
        assert RARELY.anchor(client, on("07.11 19:00")) == "b"
        assert RARELY.next_due(client, on("07.11 18:59")) == on("07.11 19:00")

    def test_the_stretch_goes_on_with_no_visit_at_all_and_with_one_more(self):
        client = person(*AUTUMN, visit("25.11 19:00", "d"))
        for moment in ("19.11 19:00", "25.11 19:00"):
            assert RARELY.anchor(client, on(moment)) == "b"
            assert RARELY.since(client, on(moment)) == on("07.11 19:00")
        assert RARELY.numbers(client, on("19.11 19:00")) == {"count": "0", "days": "30"}

    def test_a_second_visit_ends_it_and_a_new_one_begins_when_that_is_over(self):
        client = person(*AUTUMN, visit("25.11 19:00", "d"), visit("28.11 19:00", "e"))
        assert not RARELY.holds(client, on("28.11 19:00"))
        assert RARELY.next_due(client, on("28.11 19:00")) == on("25.12 19:00")
        turns_true(RARELY, client, on("25.12 19:00"))
        assert RARELY.anchor(client, on("25.12 19:00")) == "d"

    def test_a_client_whom_we_do_not_know_for_thirty_days_is_not_judged(self):
        client = person(visit("25.10 19:00", "only"))
        assert not RARELY.holds(client, on("07.11 19:00"))
        assert RARELY.next_due(client, on("07.11 19:00")) == on("24.11 19:00")
        turns_true(RARELY, client, on("24.11 19:00"))
        assert RARELY.anchor(client, on("24.11 19:00")) == "known"

    def test_where_a_visit_leaves_at_the_very_moment_of_being_known_the_visit_began_it(self):
        client = person(visit("25.10 19:00", "first"), visit("01.11 19:00", "second"))
        turns_true(RARELY, client, on("24.11 19:00"))
        assert RARELY.anchor(client, on("24.11 19:00")) == "first"

    def test_a_client_without_any_fact_is_not_known(self):
        assert not RARELY.holds(person(), on("07.11 19:00"))
        assert RARELY.next_due(person(), on("07.11 19:00")) is None

    def test_a_freeze_stops_the_window(self):
        client = person(*AUTUMN, freeze("01.11 00:00", "11.11 00:00"))
        turns_true(RARELY, client, on("17.11 19:00"))

    def test_it_speaks_of_what_did_not_happen_and_a_visit_ends_it(self):
        assert RARELY.judged_at_watermark
        assert RARELY.returns == {"visit.attended"}
        assert "visit.attended" not in RARELY.woken_by

    def test_facts_that_were_not_read_are_asked_for(self):
        client = person(*AUTUMN[2:], first_at=on("01.09 12:00"), read_from=on("05.10 00:00"))
        assert RARELY.holds(client, on("07.11 19:00"))
        with pytest.raises(OlderFactsNeeded):
            AtMost(VISITS, 1, 40 * DAY).holds(client, on("07.11 19:00"))


class TestAtLeastThriceInSevenDays:
    often = AtLeast(VISITS, 3, 7 * DAY)

    def test_the_third_visit_begins_the_stretch_and_names_it(self):
        client = person(visit("02.11 19:00"), visit("04.11 19:00"), visit("06.11 19:00", "third"))
        turns_true(self.often, client, on("06.11 19:00"))
        assert self.often.anchor(client, on("06.11 19:00")) == "third"

    def test_it_ends_when_the_first_leaves_the_window_and_only_a_fact_begins_it_anew(self):
        client = person(visit("02.11 19:00"), visit("04.11 19:00"), visit("06.11 19:00"))
        assert self.often.holds(client, on("09.11 19:00") - INSTANT)
        assert not self.often.holds(client, on("09.11 19:00"))
        assert self.often.next_due(client, on("09.11 19:00")) is None
        assert self.often.woken_by == {"visit.attended"}

    def test_a_fourth_visit_before_the_first_leaves_keeps_the_stretch(self):
        client = person(*[visit(f"{day:02}.11 19:00", str(day)) for day in (2, 4, 6, 9, 11)])
        assert self.often.anchor(client, on("12.11 00:00")) == "6"
        assert not self.often.judged_at_watermark


class TestExactly:
    def test_it_begins_with_the_fact_that_reaches_the_number_or_with_the_one_that_leaves(self):
        twice = Exactly(VISITS, 2, 7 * DAY)
        client = person(visit("01.09 12:00"), *[visit(f"{day:02}.11 19:00", str(day)) for day in (2, 4, 6)])
        turns_true(twice, client, on("04.11 19:00"))
        assert twice.anchor(client, on("05.11 00:00")) == "4"
        assert twice.next_due(client, on("06.11 19:00")) == on("09.11 19:00")
        turns_true(twice, client, on("09.11 19:00"))
        assert twice.anchor(client, on("10.11 00:00")) == "2"

    def test_fewer_facts_become_more_only_by_a_fact(self):
        client = person(visit("01.09 12:00"), visit("02.11 19:00"))
        assert Exactly(VISITS, 2, 7 * DAY).next_due(client, on("03.11 00:00")) is None

    def test_never_in_the_window(self):
        never = Exactly(VISITS, 0, 7 * DAY)
        client = person(visit("01.09 12:00"), visit("02.11 19:00", "last"))
        turns_true(never, client, on("09.11 19:00"))
        assert never.anchor(client, on("12.11 00:00")) == "last"


class TestRegularly:
    twice_a_week = Regularly(VISITS, True, 2, 3, 4)

    def visits_of(self, *counts: tuple[str, int]):
        return [
            visit(on(f"{monday} 19:00") + number * DAY, f"{monday} {number}")
            for monday, count in counts
            for number in range(count)
        ]

    def test_three_good_weeks_of_four_hold_from_the_monday_after(self):
        client = person(*self.visits_of(("05.10", 2), ("12.10", 1), ("19.10", 3), ("26.10", 2)))
        turns_true(self.twice_a_week, client, on("02.11 00:00"))
        assert self.twice_a_week.anchor(client, on("02.11 10:00")) == "2026-W44"
        assert self.twice_a_week.numbers(client, on("02.11 10:00")) == {"met": "3", "of_last": "4"}
        assert self.twice_a_week.next_due(client, on("01.11 10:00")) == on("02.11 00:00")

    def test_another_good_week_is_the_same_stretch(self):
        client = person(*self.visits_of(("05.10", 2), ("12.10", 1), ("19.10", 3), ("26.10", 2), ("02.11", 2)))
        assert self.twice_a_week.anchor(client, on("09.11 10:00")) == "2026-W44"
        assert self.twice_a_week.since(client, on("09.11 10:00")) == on("02.11 00:00")

    def test_a_week_that_a_freeze_touches_is_left_out_and_an_older_one_taken(self):
        weeks = self.visits_of(("28.09", 2), ("05.10", 2), ("12.10", 1), ("26.10", 2))
        at = on("02.11 10:00")
        assert not self.twice_a_week.holds(person(*weeks), at)
        assert self.twice_a_week.holds(person(*weeks, freeze("20.10 00:00", "21.10 00:00")), at)

    def test_months_are_local_months(self):
        monthly = Regularly(VISITS, True, 1, 2, 2, per_week=False)
        client = person(visit("15.09 12:00"), visit("31.10 23:30"))
        turns_true(monthly, client, on("01.11 00:00"))
        assert monthly.anchor(client, on("05.11 00:00")) == "2026-10"

    def test_too_rarely_counts_only_weeks_in_which_we_knew_the_client(self):
        rarely = Regularly(VISITS, False, 0, 2, 2)
        client = person(fact("purchase.completed", "07.10 12:00"))
        assert rarely.judged_at_watermark
        assert not rarely.holds(client, on("19.10 00:00"))
        turns_true(rarely, client, on("26.10 00:00"))

    def test_the_longest_freeze_ends_the_search_at_the_clients_first_fact(self):
        client = person(visit("01.10 12:00"), freeze("02.10 00:00", "01.10.2028 00:00"))
        assert not self.twice_a_week.holds(client, on("01.10.2028 00:00"))


anything = {
    "facts": st.builds(list.__add__, visits(), freezes()),
    "step": steps,
    "n": st.integers(1, 4),
    "window": spans,
}


def running(client_freezes, start: int, end: int) -> int:
    """Steps of [start, end) that are not frozen."""
    return sum(client_freezes.at(at_step(step)) is None for step in range(start, end))


def oracle_count(client, until: int, window: timedelta) -> int:
    limit = window // STEP
    return sum(
        running(client.freezes, (each.time - at_step(0)) // STEP, until) < limit
        for each in client.facts
        if each.type == "visit.attended" and each.time <= at_step(until)
    )


@by_chance
@given(**anything)
def test_count_holds_when_counting_step_by_step_says_so(facts, step, n, window):
    client = person(*facts)
    number = oracle_count(client, step, window)
    first = client.first_at
    known = (
        first is not None
        and first <= at_step(step)
        and running(client.freezes, (first - at_step(0)) // STEP, step) >= window // STEP
    )
    assert AtLeast(VISITS, n, window).holds(client, at_step(step)) == (number >= n)
    assert AtMost(VISITS, n, window).holds(client, at_step(step)) == (number <= n and known)
    assert Exactly(VISITS, n, window).holds(client, at_step(step)) == (number == n and known)


@by_chance
@given(**anything)
def test_at_least_keeps_its_word(facts, step, n, window):
    keeps_its_word(AtLeast(VISITS, n, window), facts, at_step(step))


@by_chance
@given(**anything)
def test_at_most_keeps_its_word(facts, step, n, window):
    keeps_its_word(AtMost(VISITS, n - 1, window), facts, at_step(step))


@by_chance
@given(**anything)
def test_exactly_keeps_its_word(facts, step, n, window):
    keeps_its_word(Exactly(VISITS, n - 1, window), facts, at_step(step))


@by_chance
@given(
    facts=anything["facts"],
    step=steps,
    n=st.integers(1, 3),
    of=st.tuples(st.integers(1, 3), st.integers(0, 2)),
    is_at_least=st.booleans(),
    per_week=st.booleans(),
)
def test_regularly_keeps_its_word(facts, step, n, of, is_at_least, per_week):
    at_least, more = of
    keeps_its_word(Regularly(VISITS, is_at_least, n, at_least, at_least + more, per_week), facts, at_step(step))


def test_only_facts_that_match_are_counted():
    yoga = AtLeast(Selector("visit.attended", {"kind": "yoga"}), 2, 7 * DAY)
    client = person(visit("02.11 19:00", kind="yoga"), visit("03.11 19:00", kind="box"))
    assert not yoga.holds(client, on("04.11 00:00"))
