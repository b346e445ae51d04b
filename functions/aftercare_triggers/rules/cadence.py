"""The client's own rhythm: cadence_break, and the streak that expects him by it. Pure.

The rhythm is the median of the elapsed time between his last visits. Facts less than 6 hours apart are one visit: in
and out of a turnstile, two classes in a row. One visit is where a chain of such facts begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise

from functions.aftercare_triggers.rules.moments import dates_of
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.recency import SinceLast, absence
from functions.aftercare_triggers.rules.selector import Selector
from functions.shared.facts import Fact

ONE_VISIT = timedelta(hours=6)
NEWEST_INTERVALS = 10
ENOUGH_INTERVALS = 4
"""Fewer say nothing of a rhythm."""


@dataclass(frozen=True)
class Rhythm:
    """`last` is the newest fact, `median` the usual distance of visits (None: too few to tell)."""

    last: Fact
    median: timedelta | None


def rhythm(person: Person, of: Selector, at: datetime) -> Rhythm | None:
    """None: he never came."""
    last = next(of.newest(person, at), None)
    if last is None:
        return None
    visits = islice(_visits(person, of, at), NEWEST_INTERVALS + 1)
    intervals = sorted(person.freezes.elapsed(before, after) for after, before in pairwise(visits))
    if len(intervals) < ENOUGH_INTERVALS:
        return Rhythm(last, None)
    return Rhythm(last, (intervals[(len(intervals) - 1) // 2] + intervals[len(intervals) // 2]) / 2)


def _visits(person: Person, of: Selector, at: datetime) -> Iterator[datetime]:
    """When the visits began, the newest first."""
    began: datetime | None = None
    for fact in of.newest(person, at):
        if began is not None and began - fact.time >= ONE_VISIT:
            yield began
        began = fact.time
    if began is not None:
        yield began


@dataclass(frozen=True)
class _Rhythmic(SinceLast):
    """Due by what is usual for him."""

    @property
    def woken_by(self) -> frozenset[str]:
        """A visit too: it can make the rhythm shorter than it was."""
        return self.reads


@dataclass(frozen=True)
class CadenceBreak(_Rhythmic):
    """Away for longer than is usual for him: `k` times his rhythm, but from `least` to `most`; `fallback` while he has
    none."""

    k: float = 2.5
    least: timedelta = timedelta(days=5)
    most: timedelta = timedelta(days=45)
    fallback: timedelta = timedelta(days=14)

    def due(self, person: Person, at: datetime) -> datetime | None:
        known = rhythm(person, self.of, at)
        return person.freezes.advance(known.last.time, self._patience(known)) if known else None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        known = rhythm(person, self.of, at)
        if known is None:
            return {}
        told = absence(person, known.last, at) | {"patience": _in_days(self._patience(known))}
        return told if known.median is None else told | {"median": _in_days(known.median)}

    def _patience(self, known: Rhythm) -> timedelta:
        if known.median is None:
            return self.fallback
        return min(max(known.median * self.k, self.least), self.most)


@dataclass(frozen=True)
class MissedRhythm(_Rhythmic):
    """streak with `expected: cadence`: by his rhythm he would have come `count` times since his last visit. Without a
    rhythm nobody expects him; visits during a freeze alone, between which no time passed, are none."""

    count: int

    def due(self, person: Person, at: datetime) -> datetime | None:
        known = rhythm(person, self.of, at)
        if known is None or not known.median:
            return None
        return person.freezes.advance(known.last.time, self.count * known.median)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        known = rhythm(person, self.of, at)
        if known is None or not known.median:
            return {}
        count = person.freezes.elapsed(known.last.time, at) // known.median
        expected = (person.freezes.advance(known.last.time, k * known.median) for k in range(1, count + 1))
        told = [day for day in expected if day is not None]
        return absence(person, known.last, at) | {"count": str(count), "dates": dates_of(person, told)}


def _in_days(span: timedelta) -> str:
    """7.5 → `7.5`, 3.0 → `3`."""
    return f"{span / timedelta(days=1):.1f}".removesuffix(".0")
