"""States of a client that let a firing through (`only_if`) or hold it back (`unless`). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.rule import Guard
from functions.aftercare_triggers.rules.selector import at_path
from functions.aftercare_triggers.rules.subscriptions import SUBSCRIPTION, end_of, subscriptions
from functions.aftercare_triggers.rules.values import Scalar, satisfies
from functions.shared.facts import (
    CONTACTED,
    PROFILE_UPDATED,
    PURCHASE_COMPLETED,
    PURCHASE_REFUNDED,
    SUBSCRIPTION_FROZEN,
    SUBSCRIPTION_UNFROZEN,
    Fact,
)

_YES = frozenset({"true", "1", "yes", "да"})


@dataclass(frozen=True)
class Not:
    """The opposite, for `subscription.active: false`."""

    guard: Guard

    @property
    def reads(self) -> frozenset[str]:
        return self.guard.reads

    def is_true(self, person: Person, at: datetime) -> bool:
        return not self.guard.is_true(person, at)

    def changes_at(self, person: Person, at: datetime) -> datetime | None:
        return self.guard.changes_at(person, at)


@dataclass(frozen=True)
class SubscriptionActive:
    """Some subscription was begun, is not cancelled, and its last day is not over. One that rests is active."""

    @property
    def reads(self) -> frozenset[str]:
        return SUBSCRIPTION

    def is_true(self, person: Person, at: datetime) -> bool:
        return any(end is None or at < end for end in self._ends(person, at))

    def changes_at(self, person: Person, at: datetime) -> datetime | None:
        ends = list(self._ends(person, at))
        last = None if None in ends else max((end for end in ends if end is not None), default=None)
        return last if last is not None and at < last else None

    def _ends(self, person: Person, at: datetime) -> Iterator[datetime | None]:
        for each in subscriptions(person, at):
            if each.is_active:
                yield None if each.ends is None else end_of(each.ends, person.zone)


@dataclass(frozen=True)
class OptedOut:
    """The newest profile that says anything about `opted_out` says yes."""

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({PROFILE_UPDATED})

    def is_true(self, person: Person, at: datetime) -> bool:
        return str(_of_profile(person, "opted_out", at)).strip().casefold() in _YES

    def changes_at(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only facts can)
        return None


@dataclass(frozen=True)
class ContactedWithin:
    """Somebody called or wrote to the client less than `within` ago; freezes do not matter."""

    within: timedelta

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({CONTACTED})

    def is_true(self, person: Person, at: datetime) -> bool:
        last = person.last(self.reads, at)
        return last is not None and at - last.time < self.within

    def changes_at(self, person: Person, at: datetime) -> datetime | None:
        last = person.last(self.reads, at)
        return last.time + self.within if last is not None and at - last.time < self.within else None


@dataclass(frozen=True)
class Frozen:
    """The client's subscription rests now."""

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN})

    def is_true(self, person: Person, at: datetime) -> bool:
        return person.freezes.at(at) is not None

    def changes_at(self, person: Person, at: datetime) -> datetime | None:
        span = person.freezes.at(at)
        if span is not None:
            return span[1]
        return min((start for start, _ in person.freezes.spans if start > at), default=None)


@dataclass(frozen=True)
class Refunded:
    """A purchase that the condition rests on was refunded, or another part of the same one: the same `purchase_id`, or
    the same `lead_id`. Where the condition rests on no purchase: the client's newest one. A refund that names no
    purchase concerns the newest one before it."""

    when: Primitive

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({PURCHASE_REFUNDED, PURCHASE_COMPLETED})

    def is_true(self, person: Person, at: datetime) -> bool:
        purchases = person.of_types({PURCHASE_COMPLETED}, at)
        concerned = {name for purchase in self._concerned(person, purchases, at) for name in _names(purchase)}
        for refund in person.of_types({PURCHASE_REFUNDED}, at):
            named = _references(refund)
            before = [purchase for purchase in purchases if purchase.time <= refund.time]
            if concerned & (named or (_names(before[-1]) if before else set())):
                return True
        return False

    def changes_at(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only facts can)
        return None

    def _concerned(self, person: Person, purchases: list[Fact], at: datetime) -> list[Fact]:
        grounds = set(self.when.evidence(person, at)) if self.when.holds(person, at) else set()
        return [each for each in purchases if each.reference in grounds] or purchases[-1:]


@dataclass(frozen=True)
class ProfileField:
    """The newest value of a field of the profile stands in the relation `op` to one of `values`."""

    name: str
    op: str
    values: tuple[Scalar, ...]

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({PROFILE_UPDATED})

    def is_true(self, person: Person, at: datetime) -> bool:
        found = _of_profile(person, self.name, at)
        return any(satisfies(found, self.op, value) for value in self.values)

    def changes_at(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only facts can)
        return None


def _of_profile(person: Person, path: str, at: datetime) -> object:
    told = (at_path(fact.data, path) for fact in person.newest({PROFILE_UPDATED}, at))
    return next((value for value in told if value is not None), None)


def _names(purchase: Fact) -> set[tuple[str, str]]:
    """What a refund may call it: its own id, or the whole it is a part of."""
    return _references(purchase) | {("purchase_id", purchase.id)}


def _references(fact: Fact) -> set[tuple[str, str]]:
    return {(key, str(fact.data[key])) for key in ("purchase_id", "lead_id") if fact.data.get(key) is not None}
