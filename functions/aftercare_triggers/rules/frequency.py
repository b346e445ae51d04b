"""count and regularly: how often. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import ClassVar

from functions.aftercare_triggers.rules.clocks import INSTANT, local_date, local_instant, plus_months
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.selector import Selector
from functions.shared.facts import SUBSCRIPTION_UNFROZEN, Fact

_KNOWN = "known"
"""Anchor of a stretch that began because the client was known for long enough: no fact began it, and it comes once."""


@dataclass(frozen=True)
class _Count:
    """How many facts are in the window."""

    of: Selector
    n: int
    window: timedelta

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.of.type})

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        return {"count": str(len(self.inside(person, at))), "days": str(self.window.days)}

    def inside(self, person: Person, at: datetime) -> list[Fact]:
        facts = person.of_types(self.reads, at, person.freezes.back(at, self.window))
        return [fact for fact in facts if self.of.matches(fact)]


@dataclass(frozen=True)
class AtLeast(_Count):
    """count with `>=`: at least n facts in the window."""

    judged_at_watermark: ClassVar[bool] = False
    returns: ClassVar[frozenset[str]] = frozenset()

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    def holds(self, person: Person, at: datetime) -> bool:
        return len(self.inside(person, at)) >= self.n

    def anchor(self, person: Person, at: datetime) -> str:
        return self._reaching(person, at).id

    def since(self, person: Person, at: datetime) -> datetime:
        return self._reaching(person, at).time

    def next_due(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only facts can)
        return None

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return _keys(self.inside(person, at))

    def _reaching(self, person: Person, at: datetime) -> Fact:
        """The fact that reached n: the newest of the earliest n in a row whose windows touch one another until now."""
        reached: Fact | None = None
        for newest, oldest in _runs(self.of, person, at, self.n):
            left = person.freezes.advance(oldest.time, self.window)
            if left is not None and left < (at + INSTANT if reached is None else reached.time):
                break
            reached = newest
        if reached is None:
            raise ValueError("asked for a stretch where there is none")
        return reached


@dataclass(frozen=True)
class AtMost(_Count):
    """count with `<=`: at most n facts in the window, of a client whom we have known for all of it."""

    judged_at_watermark: ClassVar[bool] = True

    @property
    def woken_by(self) -> frozenset[str]:
        return frozenset({SUBSCRIPTION_UNFROZEN})

    @property
    def returns(self) -> frozenset[str]:
        return self.reads

    def holds(self, person: Person, at: datetime) -> bool:
        known = self._known_at(person, at)
        return known is not None and known <= at and len(self.inside(person, at)) <= self.n

    def anchor(self, person: Person, at: datetime) -> str:
        leaving = self._leaving(person, at)
        return _KNOWN if leaving is None else leaving[0].id

    def since(self, person: Person, at: datetime) -> datetime:
        leaving = self._leaving(person, at)
        known = self._known_at(person, at)
        if known is None:
            raise ValueError("asked for a stretch where there is none")
        return known if leaving is None else leaving[1]

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        known = self._known_at(person, at)
        inside = self.inside(person, at)
        if known is None or len(inside) <= self.n:
            return known if known is not None and known > at else None
        return person.freezes.advance(inside[-self.n - 1].time, self.window)

    def evidence(self, person: Person, at: datetime) -> list[str]:
        leaving = self._leaving(person, at)
        return _keys(([] if leaving is None else [leaving[0]]) + self.inside(person, at))

    def _known_at(self, person: Person, at: datetime) -> datetime | None:
        """When we have known the client for the whole window; None: never, or we do not know him yet."""
        if person.first_at is None or person.first_at > at:
            return None
        return person.freezes.advance(person.first_at, self.window)

    def _leaving(self, person: Person, at: datetime) -> tuple[Fact, datetime] | None:
        """The fact whose leaving the window began the stretch, and when; None: becoming known began it."""
        known = self._known_at(person, at)
        for newest, oldest in _runs(self.of, person, at, self.n + 1):
            left = person.freezes.advance(oldest.time, self.window)
            if left is not None and known is not None and left < known:
                return None
            if left is not None and newest.time < left <= at:
                return oldest, left
        return None


@dataclass(frozen=True)
class Exactly(_Count):
    """count with `=`: as many facts in the window, no more and no fewer."""

    judged_at_watermark: ClassVar[bool] = True
    returns: ClassVar[frozenset[str]] = frozenset()

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads | {SUBSCRIPTION_UNFROZEN}

    def holds(self, person: Person, at: datetime) -> bool:
        return self._most.holds(person, at) and self._least.holds(person, at)

    def anchor(self, person: Person, at: datetime) -> str:
        return self._beginner(person, at).anchor(person, at)

    def since(self, person: Person, at: datetime) -> datetime:
        return self._beginner(person, at).since(person, at)

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        if len(self.inside(person, at)) < self.n:
            return None
        return self._most.next_due(person, at)

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return self._most.evidence(person, at)

    @property
    def _most(self) -> AtMost:
        return AtMost(self.of, self.n, self.window)

    @property
    def _least(self) -> AtLeast:
        return AtLeast(self.of, self.n, self.window)

    def _beginner(self, person: Person, at: datetime) -> AtLeast | AtMost:
        """Which of the two became true last. (At least none is always true, and began never.)"""
        is_reached_last = self.n > 0 and self._least.since(person, at) > self._most.since(person, at)
        return self._least if is_reached_last else self._most


@dataclass(frozen=True)
class Period:
    """A local week (from Monday) or month; [start, end) in UTC."""

    first_day: date
    is_week: bool
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        if self.is_week:
            year, week, _ = self.first_day.isocalendar()
            return f"{year}-W{week:02}"
        return f"{self.first_day:%Y-%m}"


@dataclass(frozen=True)
class Regularly:
    """In at least `at_least` of the last `of_last` complete local weeks or months, the number of facts was `op` n.

    Periods that a freeze touches are left out and older ones taken. With `<=` a period counts only if we knew the
    client when it began.
    """

    of: Selector
    is_at_least: bool
    n: int
    at_least: int
    of_last: int
    per_week: bool = True

    @property
    def judged_at_watermark(self) -> bool:
        return not self.is_at_least

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.of.type})

    @property
    def woken_by(self) -> frozenset[str]:
        return frozenset()

    @property
    def returns(self) -> frozenset[str]:
        return frozenset() if self.is_at_least else self.reads

    def holds(self, person: Person, at: datetime) -> bool:
        return self._met(person, at) >= self.at_least

    def anchor(self, person: Person, at: datetime) -> str:
        return self._period_before(person, self.since(person, at)).name

    def since(self, person: Person, at: datetime) -> datetime:
        began = self._period_before(person, at).end
        while self.holds(person, began - INSTANT):
            began = self._period_before(person, began - INSTANT).end
        return began

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        return self._period(local_date(at, person.zone), person).end

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        return {"met": str(self._met(person, at)), "of_last": str(self.of_last)}

    def evidence(self, person: Person, at: datetime) -> list[str]:
        periods = self._looked_at(person, at)
        return _keys([fact for period in reversed(periods) for fact in self._facts(person, period)])

    def _met(self, person: Person, at: datetime) -> int:
        return sum(self._is_met(person, period) for period in self._looked_at(person, at))

    def _is_met(self, person: Person, period: Period) -> bool:
        count = len(self._facts(person, period))
        if self.is_at_least:
            return count >= self.n
        return count <= self.n and person.first_at is not None and person.first_at <= period.start

    def _facts(self, person: Person, period: Period) -> list[Fact]:
        found = person.of_types(self.reads, period.end - INSTANT, period.start - INSTANT)
        return [fact for fact in found if self.of.matches(fact)]

    def _looked_at(self, person: Person, at: datetime) -> list[Period]:
        """The last complete periods without a freeze, the newest first; none from before we knew the client."""
        return list(islice(self._complete(person, at), self.of_last))

    def _complete(self, person: Person, at: datetime) -> Iterator[Period]:
        period = self._period_before(person, at)
        while person.first_at is not None and person.first_at < period.end:
            running = person.freezes.elapsed(period.start, period.end)
            if running == period.end - period.start:
                yield period
            period = self._period_before(person, period.end - INSTANT)

    def _period_before(self, person: Person, at: datetime) -> Period:
        """The last one that is complete at `at`."""
        running = self._period(local_date(at, person.zone), person)
        return self._period(running.first_day - timedelta(days=1), person)

    def _period(self, day: date, person: Person) -> Period:
        first = day - timedelta(days=day.weekday()) if self.per_week else day.replace(day=1)
        following = first + timedelta(weeks=1) if self.per_week else plus_months(first, 1)
        start, end = (local_instant(each, time(0), person.zone) for each in (first, following))
        return Period(first, self.per_week, start, end)


def _runs(of: Selector, person: Person, at: datetime, length: int) -> Iterator[tuple[Fact, Fact]]:
    """(newest, oldest) of every `length` facts in a row, the latest first."""
    row: list[Fact] = []
    for fact in of.newest(person, at):
        row.append(fact)
        if len(row) == length:
            yield row.pop(0), fact


def _keys(facts: list[Fact]) -> list[str]:
    return [fact.reference for fact in facts]
