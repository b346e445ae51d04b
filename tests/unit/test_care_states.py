"""value, threshold, has_not: what a fact says, what a number stands at, what did not follow."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.states import HasNot, Threshold, Value
from functions.aftercare_triggers.rules.values import satisfies
from tests.care_conditions import (
    DAY,
    INSTANT,
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


class TestValue:
    unhappy = Value(Selector("nps.responded"), "score", "<=", 6)
    r9 = fact("nps.responded", "18.11 21:40", "r9", score=4)

    def test_a_low_score_holds_from_its_time_for_seven_days(self):
        client = person(self.r9)
        turns_true(self.unhappy, client, on("18.11 21:40"))
        assert self.unhappy.anchor(client, on("19.11 10:00")) == "r9"
        assert self.unhappy.numbers(client, on("19.11 10:00")) == {"value": "4", "date": "18.11.2026"}
        assert self.unhappy.holds(client, on("25.11 21:40") - INSTANT)
        assert not self.unhappy.holds(client, on("25.11 21:40"))
        assert self.unhappy.next_due(client, on("25.11 21:40")) is None
        assert self.unhappy.woken_by == {"nps.responded"}

    def test_a_corrected_score_counts_instead_of_the_first(self):
        corrected = fact("nps.responded", on("18.11 21:40"), "r9", on("18.11 22:00"), score=9)
        assert not self.unhappy.holds(person(self.r9, corrected), on("19.11 10:00"))

    def test_every_response_is_its_own_stretch(self):
        client = person(self.r9, fact("nps.responded", "22.11 15:00", "r12", score=5))
        assert self.unhappy.anchor(client, on("22.11 15:00")) == "r12"
        assert self.unhappy.since(client, on("23.11 15:00")) == on("22.11 15:00")

    @pytest.mark.parametrize("data", [{}, {"score": None}, {"score": "bad"}, {"score": True}, {"score": [4]}])
    def test_what_is_no_number_is_no_low_number(self, data):
        assert not self.unhappy.holds(person(fact("nps.responded", "18.11 21:40", **data)), on("19.11 10:00"))


@pytest.mark.parametrize(
    ("found", "op", "wanted", "verdict"),
    [
        (Decimal("6.5"), "<=", 6, False),
        ("6", "<=", 6, True),
        (" 6 ", "=", 6, True),
        ("vip", "=", "vip", True),
        ("vip", "!=", "new", True),
        ("vip", "<", "zzz", False),
        (True, "=", True, True),
        (True, "=", 1, False),
        (1, "=", True, False),
        (None, "!=", 1, False),
        ("nan", "<=", 6, False),
        (float("inf"), ">=", 6, False),
    ],
)
def test_comparing(found, op, wanted, verdict):
    assert satisfies(found, op, wanted) is verdict


class TestThreshold:
    few = Threshold("visits_left", "<=", 2)
    autumn = (
        visit("03.11 19:00", "v3", visits_left=3),
        visit("06.11 19:00", "v2", visits_left=2),
        visit("10.11 19:00", "v1", visits_left=1),
        fact("purchase.completed", "12.11 12:00", "pack", visits_left=9),
        visit("20.12 19:00", "w2", visits_left=2),
    )

    def test_the_fact_that_crosses_begins_the_stretch_and_names_it(self):
        client = person(*self.autumn)
        assert not self.few.holds(client, on("03.11 19:00"))
        turns_true(self.few, client, on("06.11 19:00"))
        assert self.few.anchor(client, on("06.11 19:00")) == "v2"

    def test_a_lower_value_is_the_same_stretch(self):
        client = person(*self.autumn)
        assert self.few.anchor(client, on("11.11 12:00")) == "v2"
        assert self.few.since(client, on("11.11 12:00")) == on("06.11 19:00")
        assert self.few.numbers(client, on("11.11 12:00")) == {"value": "1", "date": "06.11.2026"}
        assert self.few.evidence(client, on("11.11 12:00")) == ["gym/v2", "gym/v1"]

    def test_a_new_pack_ends_it_and_the_next_crossing_is_a_new_one(self):
        client = person(*self.autumn)
        assert not self.few.holds(client, on("12.11 12:00"))
        turns_true(self.few, client, on("20.12 19:00"))
        assert self.few.anchor(client, on("20.12 19:00")) == "w2"
        assert "purchase.completed" in self.few.returns

    def test_facts_that_say_nothing_about_it_do_not_matter(self):
        client = person(*self.autumn[:2], visit("08.11 19:00"))
        assert self.few.anchor(client, on("08.11 19:00")) == "v2"
        assert not self.few.holds(person(visit("08.11 19:00")), on("08.11 19:00"))

    def test_only_facts_change_it(self):
        assert self.few.next_due(person(*self.autumn), on("12.11 12:00")) is None
        assert "visit.attended" in self.few.woken_by

    def test_a_sum_that_has_grown_high_comes_back_by_nothing(self):
        assert Threshold("spent", ">=", 100_000).returns == frozenset()

    def test_a_type_of_the_firms_own_may_carry_the_number(self):
        bonus = Threshold("bonus", ">=", 500, frozenset({"bonus.changed"}))
        assert bonus.holds(person(fact("bonus.changed", "01.11 12:00", bonus=500)), on("01.11 12:00"))


class TestHasNot:
    no_start = HasNot(Selector("purchase.completed", {"category": "trial"}), Selector("subscription.started"), 7 * DAY)
    trial = fact("purchase.completed", "10.11 12:00", "trial", category="trial")

    def test_it_turns_true_when_the_time_is_up(self):
        client = person(self.trial)
        assert self.no_start.next_due(client, on("10.11 12:00")) == on("17.11 12:00")
        turns_true(self.no_start, client, on("17.11 12:00"))
        assert self.no_start.anchor(client, on("17.11 12:00")) == "trial"
        assert self.no_start.numbers(client, on("17.11 12:00")) == {"date": "10.11.2026", "days": "7"}
        assert self.no_start.judged_at_watermark

    @pytest.mark.parametrize("moment", ["16.11 12:00", "17.11 12:00"])
    def test_what_followed_in_time_or_at_the_very_moment_counts_first(self, moment):
        client = person(self.trial, fact("subscription.started", moment))
        assert not self.no_start.holds(client, on(moment))
        assert not self.no_start.holds(client, on("18.11 12:00"))
        assert self.no_start.next_due(client, on(moment)) is None

    def test_what_follows_later_ends_it(self):
        client = person(self.trial, fact("subscription.started", "19.11 12:00"))
        assert self.no_start.holds(client, on("18.11 12:00"))
        assert not self.no_start.holds(client, on("19.11 12:00"))
        assert self.no_start.returns == {"subscription.started"}

    def test_an_old_trial_is_past_its_stay(self):
        old = person(fact("purchase.completed", "01.10 12:00", category="trial"))
        assert not self.no_start.holds(old, on("20.11 12:00"))
        assert self.no_start.next_due(old, on("20.11 12:00")) is None

    def test_a_freeze_stops_the_clock(self):
        client = person(self.trial, freeze("12.11 00:00", "12.12 00:00"))
        turns_true(self.no_start, client, on("17.12 12:00"))
        assert "subscription.unfrozen" in self.no_start.woken_by

    def test_another_purchase_is_not_awaited(self):
        client = person(fact("purchase.completed", "10.11 12:00", category="yearly"))
        assert self.no_start.next_due(client, on("10.11 12:00")) is None

    def test_the_next_of_the_same_kind_may_be_what_is_awaited(self):
        bought = Selector("purchase.completed")
        again = HasNot(bought, bought, 30 * DAY)
        basket = [fact("purchase.completed", "10.11 12:00", item) for item in ("bread", "milk")]
        client = person(*basket, fact("purchase.completed", "20.11 12:00", "salt"))
        assert again.next_due(client, on("10.11 12:00")) == on("10.12 12:00")
        assert again.next_due(client, on("20.11 12:00")) == on("20.12 12:00")
        assert again.anchor(client, on("21.12 12:00")) == "salt"


@by_chance
@given(visits(), steps, st.integers(0, 4), spans)
def test_values_keep_their_word(facts, step, v, stays):
    if len({each.time for each in facts}) == len(facts):
        keeps_its_word(Value(VISITS, "left", "<=", v, stays), facts, at_step(step))


@by_chance
@given(visits(), steps, st.integers(0, 4), st.sampled_from(["<=", ">", "=", "!="]))
def test_thresholds_keep_their_word(facts, step, v, op):
    keeps_its_word(Threshold("left", op, v), facts, at_step(step))


@by_chance
@given(visits(), visits(), freezes(), steps, spans, spans)
def test_what_did_not_follow_keeps_its_word(bases, answers, frozen, step, within, stays):
    bought = [fact("purchase.completed", each.time, f"p{each.id}") for each in bases]
    if len({each.time for each in bought}) == len(bought):
        when = HasNot(Selector("purchase.completed"), VISITS, within, stays)
        keeps_its_word(when, [*bought, *answers, *frozen], at_step(step))


@by_chance
@given(visits(), visits(), freezes(), steps, spans, spans)
def test_what_did_not_follow_holds_when_looking_at_every_purchase_says_so(bases, answers, frozen, step, within, stays):
    at = at_step(step)
    bought = [fact("purchase.completed", each.time, f"p{each.id}") for each in bases]
    client = person(*bought, *answers, *frozen)

    def waits(base) -> bool:
        due = client.freezes.advance(base.time, within)
        answered = any(base.time <= answer.time <= at for answer in answers)
        return base.time <= at and due is not None and due <= at < due + stays and not answered

    when = HasNot(Selector("purchase.completed"), VISITS, within, stays)
    assert when.holds(client, at) == any(map(waits, bought))
