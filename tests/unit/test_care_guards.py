"""States that let a firing through or hold it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.clocks import Calendar
from functions.aftercare_triggers.rules.guards import (
    ContactedWithin,
    Frozen,
    Not,
    OptedOut,
    ProfileField,
    Refunded,
    SubscriptionActive,
)
from functions.aftercare_triggers.rules.lifecycle import AfterEvent
from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.states import Threshold
from tests.care_conditions import DAY, INSTANT, STEP, at_step, by_chance, fact, freeze, freezes, on, person, steps

AFTER_PURCHASE = AfterEvent(Selector("purchase.completed"), Calendar(days=3), "first")


def subscription(kind: str, when: str, **data):
    return fact(f"subscription.{kind}", when, **{"subscription_id": "s17", **data})


class TestSubscriptionActive:
    active = SubscriptionActive()

    def test_from_its_beginning_to_the_end_of_its_last_local_day(self):
        client = person(subscription("started", "10.06 12:00", end="2026-12-10"))
        assert not self.active.is_true(client, on("10.06 11:59"))
        assert self.active.is_true(client, on("10.06 12:00"))
        assert self.active.changes_at(client, on("01.12 12:00")) == on("11.12 00:00")
        assert self.active.is_true(client, on("11.12 00:00") - INSTANT)
        assert not self.active.is_true(client, on("11.12 00:00"))
        assert self.active.changes_at(client, on("11.12 00:00")) is None

    def test_a_renewal_prolongs_it_and_a_freeze_does_not_interrupt_it(self):
        client = person(
            subscription("started", "10.06 12:00", end="2026-12-10"),
            subscription("frozen", "01.07 12:00"),
            subscription("renewed", "01.12 12:00", end="2027-03-10"),
        )
        assert self.active.is_true(client, on("02.07 12:00"))
        assert self.active.changes_at(client, on("01.12 12:00")) == on("11.03.2027 00:00")

    def test_a_cancellation_ends_it_at_once_or_on_the_day_that_it_names(self):
        begun = subscription("started", "10.06 12:00", end="2026-12-10")
        at_once = person(begun, subscription("cancelled", "01.07 12:00"))
        assert not self.active.is_true(at_once, on("01.07 12:00"))
        later = person(begun, subscription("cancelled", "01.07 12:00", end="2026-07-31"))
        assert self.active.changes_at(later, on("01.07 12:00")) == on("01.08 00:00")

    def test_of_two_the_longer_one_tells_when_it_changes(self):
        client = person(
            subscription("started", "10.06 12:00", end="2026-07-10"),
            subscription("started", "11.06 12:00", subscription_id="s18", end="2026-08-10"),
        )
        assert self.active.changes_at(client, on("12.06 12:00")) == on("11.08 00:00")

    def test_another_subscription_is_enough(self):
        client = person(
            subscription("started", "10.06 12:00", end="2026-07-10"),
            subscription("started", "11.06 12:00", subscription_id="s18"),
        )
        assert self.active.is_true(client, on("01.12 12:00"))
        assert self.active.changes_at(client, on("01.12 12:00")) is None

    def test_a_client_without_any_has_none(self):
        assert not self.active.is_true(person(), on("01.12 12:00"))
        assert Not(self.active).is_true(person(), on("01.12 12:00"))


class TestContactedWithin:
    lately = ContactedWithin(timedelta(days=7))

    def test_for_seven_days_after_the_last_contact(self):
        client = person(fact("client.contacted", "01.11 12:00"), fact("client.contacted", "03.11 12:00"))
        assert self.lately.is_true(client, on("10.11 12:00") - INSTANT)
        assert self.lately.changes_at(client, on("04.11 12:00")) == on("10.11 12:00")
        assert not self.lately.is_true(client, on("10.11 12:00"))
        assert self.lately.changes_at(client, on("10.11 12:00")) is None

    def test_freezes_do_not_matter(self):
        client = person(fact("client.contacted", "03.11 12:00"), freeze("04.11 00:00", "20.11 00:00"))
        assert not self.lately.is_true(client, on("10.11 12:00"))


class TestFrozen:
    def test_while_the_subscription_rests(self):
        client = person(freeze("04.11 00:00", "20.11 00:00"))
        assert Frozen().is_true(client, on("04.11 00:00"))
        assert Frozen().changes_at(client, on("05.11 00:00")) == on("20.11 00:00")
        assert not Frozen().is_true(client, on("20.11 00:00"))
        assert Frozen().changes_at(client, on("01.11 00:00")) == on("04.11 00:00")
        assert Frozen().changes_at(client, on("21.11 00:00")) is None


class TestRefunded:
    bought = fact("purchase.completed", "20.11 12:00", "p1", lead_id=71)
    other = fact("purchase.completed", "21.11 12:00", "p2", lead_id=72)
    guard = Refunded(AFTER_PURCHASE)
    at = on("23.11 12:00")

    @pytest.mark.parametrize("named", [{"purchase_id": "p1"}, {"lead_id": 71}])
    def test_a_refund_of_the_purchase_that_the_condition_rests_on(self, named):
        client = person(self.bought, self.other, fact("purchase.refunded", "23.11 09:00", **named))
        assert not self.guard.is_true(client, on("23.11 08:59"))
        assert AFTER_PURCHASE.anchor(client, self.at) == "p1"
        assert self.guard.is_true(client, self.at)

    def test_a_refund_of_another_purchase_is_none_of_its_business(self):
        client = person(self.bought, self.other, fact("purchase.refunded", "23.11 09:00", purchase_id="p2"))
        assert not self.guard.is_true(client, self.at)

    def test_a_refund_that_names_nothing_concerns_the_newest_purchase_before_it(self):
        client = person(self.bought, fact("purchase.refunded", "20.11 15:00"), self.other)
        assert self.guard.is_true(client, self.at)
        late = person(self.bought, self.other, fact("purchase.refunded", "22.11 15:00"))
        assert not self.guard.is_true(late, self.at)

    def test_where_the_condition_rests_on_no_purchase_the_newest_is_meant(self):
        guard = Refunded(Threshold("visits_left", "<=", 2))
        client = person(self.bought, self.other, fact("purchase.refunded", "23.11 09:00", purchase_id="p2"))
        assert guard.is_true(client, self.at)
        assert not guard.is_true(person(), self.at)


class TestProfile:
    def test_the_newest_word_about_opting_out_counts(self):
        client = person(
            fact("profile.updated", "01.11 12:00", opted_out=True),
            fact("profile.updated", "02.11 12:00", city="Москва"),
            fact("profile.updated", "03.11 12:00", opted_out="нет"),
        )
        assert not OptedOut().is_true(person(), on("01.11 12:00"))
        assert OptedOut().is_true(client, on("02.11 12:00"))
        assert not OptedOut().is_true(client, on("03.11 12:00"))

    def test_a_field_is_compared(self):
        client = person(fact("profile.updated", "01.11 12:00", city="Москва", age=30))
        at = on("02.11 12:00")
        assert ProfileField("city", "=", ("Казань", "Москва")).is_true(client, at)
        assert not ProfileField("city", "=", ("Казань",)).is_true(client, at)
        assert ProfileField("age", ">=", (18,)).is_true(client, at)
        assert not ProfileField("level", "!=", ("gold",)).is_true(client, at)


guards = st.sampled_from(
    [SubscriptionActive(), Frozen(), ContactedWithin(3 * DAY), Not(ContactedWithin(2 * DAY)), Not(SubscriptionActive())]
)


@st.composite
def lives(draw: st.DrawFn):
    told = [
        fact("client.contacted", at_step(step), f"c{place}")
        for place, step in enumerate(draw(st.lists(steps, max_size=4)))
    ]
    for place, step in enumerate(draw(st.lists(steps, max_size=4))):
        kind = draw(st.sampled_from(["started", "renewed", "cancelled"]))
        end = (at_step(step) + draw(st.integers(0, 15)) * DAY).date().isoformat()
        ends = {"end": end} if draw(st.booleans()) else {}
        told.append(fact(f"subscription.{kind}", at_step(step), f"s{place}", **ends))
    return told + draw(freezes())


@by_chance
@given(guards, lives(), steps)
def test_a_guard_changes_when_it_says_and_not_before(guard, facts, step):
    at = at_step(step)
    client = person(*[each for each in facts if each.time <= at])
    now, changes = guard.is_true(client, at), guard.changes_at(client, at)
    assert changes is None or (changes > at and guard.is_true(client, changes) is not now)
    moment = at + STEP
    while moment < (at + 60 * DAY if changes is None else changes):
        assert guard.is_true(client, moment) is now
        moment += STEP
