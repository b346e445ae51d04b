"""value, threshold, has_not: what a fact says, what a number stands at, what did not follow. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.moments import Moments, Stretch, day_month_year
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.selector import Selector, at_path
from functions.aftercare_triggers.rules.subscriptions import BEGINNINGS, SUBSCRIPTION
from functions.aftercare_triggers.rules.values import Scalar, satisfies
from functions.shared.facts import (
    PROFILE_UPDATED,
    PURCHASE_COMPLETED,
    PURCHASE_REFUNDED,
    SUBSCRIPTION_UNFROZEN,
    VISIT_ATTENDED,
    Fact,
)

CARRIERS = SUBSCRIPTION | {PROFILE_UPDATED, PURCHASE_COMPLETED, PURCHASE_REFUNDED, VISIT_ATTENDED}
"""Types of facts that a running number (visits left, money spent) is looked for in unless the rule names its own."""


@dataclass(frozen=True)
class Value(Moments):
    """A fact's `path` stands in the relation `op` to `v`; true for `stays` from its time. Every fact has its own
    stretch."""

    of: Selector
    path: str
    op: str
    v: Scalar
    stays: timedelta = timedelta(days=7)

    judged_at_watermark: ClassVar[bool] = False
    returns: ClassVar[frozenset[str]] = frozenset()

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.of.type})

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    def stretches(self, person: Person, at: datetime) -> Iterator[Stretch]:
        for fact in person.of_types(self.reads, at, at - self.stays):
            found = at_path(fact.data, self.path)
            if self.of.matches(fact) and satisfies(found, self.op, self.v):
                numbers = {"value": str(found), "date": day_month_year(local_date(fact.time, person.zone))}
                yield Stretch(fact.id, fact.time, fact.time + self.stays, (fact,), numbers)


@dataclass(frozen=True)
class Threshold:
    """The current value, told by the newest fact (of the types `carriers`) that has anything at `path`, stands in the
    relation `op` to `v`."""

    path: str
    op: str
    v: Scalar
    carriers: frozenset[str] = CARRIERS

    judged_at_watermark: ClassVar[bool] = False

    @property
    def returns(self) -> frozenset[str]:
        """What tops up a number that has run low; one that has grown high comes back by nothing."""
        return BEGINNINGS | {PURCHASE_COMPLETED} if self.op in ("<", "<=") else frozenset()

    @property
    def reads(self) -> frozenset[str]:
        return self.carriers

    @property
    def woken_by(self) -> frozenset[str]:
        return self.carriers

    def holds(self, person: Person, at: datetime) -> bool:
        return next(self._run(person, at), None) is not None

    def anchor(self, person: Person, at: datetime) -> str:
        return self._crossing(person, at).id

    def since(self, person: Person, at: datetime) -> datetime:
        return self._crossing(person, at).time

    def next_due(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only facts can)
        return None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        newest = next(self._run(person, at))
        crossed = local_date(self.since(person, at), person.zone)
        return {"value": str(at_path(newest.data, self.path)), "date": day_month_year(crossed)}

    def evidence(self, person: Person, at: datetime) -> list[str]:
        """The fact that crossed, and the one that tells the value of now."""
        run = list(self._run(person, at))
        return list(dict.fromkeys(fact.reference for fact in (run[-1], run[0])))

    def _crossing(self, person: Person, at: datetime) -> Fact:
        """The fact that made it true."""
        *_, first = self._run(person, at)
        return first

    def _run(self, person: Person, at: datetime) -> Iterator[Fact]:
        """The facts, the newest first, that tell a value which satisfies, until one tells another."""
        for fact in person.newest(self.carriers, at):
            found = at_path(fact.data, self.path)
            if found is None:
                continue
            if not satisfies(found, self.op, self.v):
                return
            yield fact


@dataclass(frozen=True)
class HasNot(Moments):
    """`after` happened, and `event` has not followed `within` (freezes stop that clock). Every `after` has its own
    stretch, which lasts for `stays` or until the event follows."""

    after: Selector
    event: Selector
    within: timedelta
    stays: timedelta = timedelta(days=14)

    judged_at_watermark: ClassVar[bool] = True

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.after.type, self.event.type})

    @property
    def woken_by(self) -> frozenset[str]:
        return frozenset({self.after.type, SUBSCRIPTION_UNFROZEN})

    @property
    def returns(self) -> frozenset[str]:
        return frozenset({self.event.type})

    def stretches(self, person: Person, at: datetime) -> Iterator[Stretch]:
        reach = person.freezes.back(at - self.stays, self.within)  # what happened until then is over by now
        facts = person.of_types(self.reads, at, reach)
        for base in facts:
            if not self.after.matches(base) or any(self._follows(fact, base) for fact in facts):
                continue
            start = person.freezes.advance(base.time, self.within)
            if start is not None:
                day = local_date(base.time, person.zone)
                numbers = {"date": day_month_year(day), "days": str((local_date(at, person.zone) - day).days)}
                yield Stretch(base.id, start, start + self.stays, (base,), numbers)

    def _follows(self, fact: Fact, base: Fact) -> bool:
        """At the same instant the event counts as following, but not when it is one more of the same kind."""
        if not self.event.matches(fact) or fact.key == base.key:
            return False
        return fact.time > base.time or (fact.time == base.time and not self.after.matches(fact))
