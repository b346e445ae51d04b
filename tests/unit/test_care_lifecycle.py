"""after, before, on, anniversary: so many days from an event or from a date."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.clocks import Calendar
from functions.aftercare_triggers.rules.lifecycle import AfterEvent, Anniversary, DateReached
from functions.aftercare_triggers.rules.person import OlderFactsNeeded
from functions.aftercare_triggers.rules.selector import Selector
from tests.care_conditions import (
    DAY,
    INSTANT,
    MOSCOW,
    at_step,
    by_chance,
    fact,
    keeps_its_word,
    on,
    person,
    spans,
    steps,
    turns_true,
    visit,
    visits,
)

YEKATERINBURG = ZoneInfo("Asia/Yekaterinburg")
PURCHASE = Selector("purchase.completed")


def started(when: str, end: str | None, subscription: str = "s17", kind: str = "started"):
    ends = {} if end is None else {"end": end}
    return fact(f"subscription.{kind}", when, f"{kind} {subscription} {when}", subscription_id=subscription, **ends)


class TestAfterAnEvent:
    rule = AfterEvent(PURCHASE, Calendar(days=3), "first", time(11))
    bought = fact("purchase.completed", "20.11 23:30", "p1")  # 21.11 01:30 in Yekaterinburg
    again = fact("purchase.completed", "22.11 12:00", "p2")

    def test_three_local_days_after_the_first_purchase_at_eleven(self):
        client = person(self.bought, self.again, zone=YEKATERINBURG)
        turns_true(self.rule, client, on("24.11 09:00"))
        assert self.rule.anchor(client, on("24.11 09:00")) == "p1"
        assert self.rule.next_due(client, on("23.11 00:00")) == on("24.11 09:00")
        assert self.rule.numbers(client, on("24.11 09:00")) == {"date": "21.11.2026", "days": "3"}
        assert self.rule.evidence(client, on("24.11 09:00")) == ["gym/p1"]

    def test_it_is_over_after_its_stay_and_never_comes_again(self):
        client = person(self.bought, zone=YEKATERINBURG)
        assert self.rule.holds(client, on("27.11 09:00") - INSTANT)
        assert not self.rule.holds(client, on("27.11 09:00"))
        assert self.rule.next_due(client, on("27.11 09:00")) is None

    def test_after_the_last_one_a_newer_purchase_moves_the_target(self):
        last = AfterEvent(PURCHASE, Calendar(days=3), "last", time(11))
        client = person(self.bought, self.again)
        assert last.next_due(client, on("22.11 12:00")) == on("25.11 11:00")
        assert not last.holds(client, on("24.11 09:00"))

    def test_after_each_one_every_purchase_has_its_own_stretch(self):
        each = AfterEvent(PURCHASE, Calendar(days=3), "each", time(11))
        client = person(self.bought, self.again)
        assert each.anchor(client, on("23.11 12:00")) == "p1"
        assert each.next_due(client, on("23.11 12:00")) == on("25.11 11:00")
        assert each.anchor(client, on("25.11 11:00")) == "p2"
        assert each.since(client, on("25.11 12:00")) == on("25.11 11:00")

    def test_on_the_day_itself_it_is_not_true_before_the_purchase(self):
        same_day = AfterEvent(PURCHASE, Calendar(), at=time(11))
        turns_true(same_day, person(self.again), on("22.11 12:00"))

    def test_the_first_of_a_frequent_type_is_looked_for_in_all_facts(self):
        first_visit = AfterEvent(Selector("visit.attended"), Calendar(days=3), "first")
        seen = {"first_at": on("01.01 12:00"), "read_from": on("01.09 12:00")}
        with pytest.raises(OlderFactsNeeded):
            first_visit.holds(person(visit("20.11 12:00"), **seen), on("21.11 12:00"))
        assert not first_visit.holds(person(visit("20.10 12:00"), **seen), on("21.11 12:00"))


class TestBeforeTheEndOfASubscription:
    b14 = DateReached("subscription.end", Calendar(days=14))
    b3 = DateReached("subscription.end", Calendar(days=3))

    def test_fourteen_days_before_at_ten(self):
        client = person(started("10.06 12:00", "2026-12-10"))
        turns_true(self.b14, client, on("26.11 10:00"))
        assert self.b14.anchor(client, on("26.11 10:00")) == "s17@2026-12-10"
        assert self.b14.numbers(client, on("27.11 10:00")) == {"date": "10.12.2026", "days": "13"}
        assert not self.b14.holds(client, on("29.11 10:00"))
        assert self.b3.next_due(client, on("26.11 10:00")) == on("07.12 10:00")

    def test_a_renewal_moves_the_date_and_with_it_all_that_was_due(self):
        client = person(started("10.06 12:00", "2026-12-10"), started("01.12 12:00", "2027-03-10", kind="renewed"))
        at = on("01.12 12:00")
        assert self.b14.next_due(client, at) == on("24.02.2027 10:00")
        assert self.b3.next_due(client, at) == on("07.03.2027 10:00")
        assert self.b3.anchor(client, on("07.03.2027 10:00")) == "s17@2027-03-10"
        assert self.b3.returns == {"subscription.started", "subscription.renewed"}

    def test_a_date_moved_back_turns_it_true_with_the_change_if_its_stay_is_not_over(self):
        client = person(started("10.06 12:00", "2026-12-31"), started("02.12 12:00", "2026-12-04", kind="renewed"))
        turns_true(self.b3, client, on("02.12 12:00"))
        assert not self.b14.holds(client, on("02.12 12:00"))
        assert self.b14.next_due(client, on("02.12 12:00")) is None

    def test_the_same_date_told_once_more_is_the_same_stretch(self):
        client = person(started("10.06 12:00", "2026-12-10"), started("27.11 12:00", "2026-12-10", kind="frozen"))
        assert self.b14.since(client, on("28.11 12:00")) == on("26.11 10:00")

    def test_it_never_passes_the_end_of_the_date_itself(self):
        late = DateReached("subscription.end", Calendar(days=1), stays=5 * DAY)
        client = person(started("10.06 12:00", "2026-12-10"))
        assert late.holds(client, on("11.12 00:00") - INSTANT)
        assert not late.holds(client, on("11.12 00:00"))

    def test_of_two_subscriptions_the_one_that_began_last_counts(self):
        client = person(started("10.06 12:00", "2026-12-10"), started("11.06 12:00", "2026-12-11", "s18"))
        assert self.b14.anchor(client, on("26.11 12:00")) == "s17@2026-12-10"
        assert self.b14.next_due(client, on("26.11 12:00")) == on("27.11 10:00")
        assert self.b14.anchor(client, on("27.11 12:00")) == "s18@2026-12-11"

    def test_a_cancellation_that_names_no_end_leaves_nothing_to_wait_for(self):
        client = person(started("10.06 12:00", "2026-12-10"), started("20.11 12:00", None, kind="cancelled"))
        assert self.b14.next_due(client, on("20.11 12:00")) is None

    def test_on_the_day_and_after_it(self):
        client = person(started("10.06 12:00", "2026-12-10"))
        turns_true(DateReached("subscription.end", stays=DAY), client, on("10.12 10:00"))
        turns_true(DateReached("subscription.end", Calendar(days=3), is_before=False), client, on("13.12 10:00"))

    @pytest.mark.parametrize("end", ["soon", 20261210, "9999-12-31", "0001-01-01T00:00:00+03:00", None])
    def test_what_is_no_date_is_no_date(self, end):
        told = fact("subscription.started", "10.06 12:00", subscription_id="s17", end=end)
        assert self.b14.next_due(person(told), on("11.06 12:00")) is None

    def test_a_date_of_the_profile(self):
        due = DateReached("next_service", Calendar(months=1))
        client = person(fact("profile.updated", "01.01 12:00", next_service="2026-03-31T09:00:00+03:00"))
        assert due.next_due(client, on("01.01 12:00")) == on("28.02 10:00")
        assert due.anchor(client, on("28.02 10:00")) == "profile@2026-03-31"
        assert due.woken_by == {"profile.updated"}


class TestAnniversary:
    birthday = Anniversary("birthday")
    born = fact("profile.updated", "01.06 12:00", birthday="2000-02-29")

    def test_the_29th_of_february_is_the_28th_in_other_years(self):
        client = person(self.born)
        assert self.birthday.next_due(client, on("01.06 12:00")) == on("28.02.2027 10:00")
        turns_true(self.birthday, client, on("28.02.2027 10:00"))
        assert self.birthday.anchor(client, on("28.02.2027 10:00")) == "birthday@2027"
        assert self.birthday.numbers(client, on("28.02.2027 10:00")) == {"date": "28.02.2027", "years": "27"}
        assert self.birthday.next_due(client, on("02.03.2027 12:00")) == on("28.02.2028 10:00") + DAY

    def test_it_is_over_with_the_day(self):
        assert not self.birthday.holds(person(self.born), on("01.03.2027 00:00"))

    def test_while_it_holds_the_next_one_is_known(self):
        assert self.birthday.next_due(person(self.born), on("28.02.2027 12:00")) == on("29.02.2028 10:00")

    def test_the_day_itself_is_no_anniversary(self):
        since = Anniversary("subscription.start")
        client = person(fact("subscription.started", "20.11 09:00", subscription_id="s17", start="2026-11-20"))
        assert not since.holds(client, on("20.11 12:00"))
        assert since.next_due(client, on("20.11 12:00")) == on("20.11.2027 10:00")
        assert since.anchor(client, on("20.11.2027 10:00")) == "s17@2027"


def test_no_moment_is_judged_at_the_watermark():
    for when in (TestAfterAnEvent.rule, TestBeforeTheEndOfASubscription.b3, TestAnniversary.birthday):
        assert not when.judged_at_watermark


@st.composite
def dated(draw: st.DrawFn):
    """Two subscriptions whose ends are told and moved, now and then cancelled."""
    told = []
    for place, step in enumerate(draw(st.lists(steps, max_size=6))):
        end = (at_step(step).astimezone(MOSCOW) + timedelta(days=draw(st.integers(-5, 20)))).date().isoformat()
        kind = draw(st.sampled_from(["started", "renewed", "cancelled"]))
        ends = {} if kind == "cancelled" and draw(st.booleans()) else {"end": end, "birthday": end}
        told.append(
            fact(
                f"subscription.{kind}", at_step(step), f"d{place}", subscription_id=draw(st.sampled_from("ab")), **ends
            )
        )
    return told


noon = time(12)
distances = st.builds(Calendar, st.integers(0, 1), st.integers(0, 6))


@by_chance
@given(dated(), steps, distances, st.booleans(), spans)
def test_dates_keep_their_word(facts, step, offset, is_before, stays):
    # Two subscriptions may overlap, and then the older stretch is still the same one after the newer is over.
    one = [each for each in facts if each.data["subscription_id"] == "a"]
    keeps_its_word(DateReached("subscription.end", offset, is_before, noon, stays), one, at_step(step))


@by_chance
@given(dated(), steps, distances, spans)
def test_no_date_of_several_is_missed(facts, step, offset, stays):
    when = DateReached("subscription.end", offset, True, noon, stays)
    client = person(*[each for each in facts if each.time <= at_step(step)])
    due = when.next_due(client, at_step(step))
    assert due is None or due > at_step(step)
    if not when.holds(client, at_step(step)):
        for ahead in range(step, 80 * 4):
            assert (due is not None and due <= at_step(ahead)) or not when.holds(client, at_step(ahead))


@by_chance
@given(visits(), steps, distances, st.sampled_from(["first", "last"]), spans)
def test_after_an_event_keeps_its_word(facts, step, by, which, stays):
    if len({each.time for each in facts}) == len(facts):
        keeps_its_word(AfterEvent(Selector("visit.attended"), by, which, noon, stays), facts, at_step(step))


@by_chance
@given(dated(), steps, spans)
def test_anniversaries_keep_their_word(facts, step, stays):
    moved = [
        fact("profile.updated", each.time, each.id, birthday=each.data["end"].replace("2026", "2001"))
        for each in facts
        if "end" in each.data
    ]
    keeps_its_word(Anniversary("birthday", noon, stays), moved, at_step(step))
