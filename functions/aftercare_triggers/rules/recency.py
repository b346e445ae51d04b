"""silence, stopped, restarted: how long ago the client last did something. Pure.

All three measure with the elapsed clock (a freeze is no absence); only `stays` is plain time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.moments import day_month_year
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.selector import Selector
from functions.shared.facts import SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN, Fact

FREEZES = frozenset({SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN})
"""Types of facts that move the elapsed clock."""


def absence(person: Person, last: Fact, at: datetime) -> dict[str, str]:
    """What a task may say of an absence: whole days of it, and the local date of the last fact."""
    days = person.freezes.elapsed(last.time, at) // timedelta(days=1)
    return {"days": str(days), "date": day_month_year(local_date(last.time, person.zone))}


@dataclass(frozen=True)
class _Timed:
    """Looks at the times of some facts, by the elapsed clock."""

    of: Selector

    @property
    def reads(self) -> frozenset[str]:
        return FREEZES | {self.of.type}


@dataclass(frozen=True)
class _Absence(_Timed):
    """Tells that nothing happened: whatever the facts are of ends it."""

    judged_at_watermark = True

    @property
    def woken_by(self) -> frozenset[str]:
        return FREEZES

    @property
    def returns(self) -> frozenset[str]:
        return frozenset({self.of.type})


@dataclass(frozen=True)
class SinceLast(_Absence):
    """Holds from some time after the last fact on, until the next one."""

    def due(self, person: Person, at: datetime) -> datetime | None:
        """When it begins to hold if no fact comes; None: never."""
        raise NotImplementedError

    def holds(self, person: Person, at: datetime) -> bool:
        due = self.due(person, at)
        return due is not None and due <= at

    def anchor(self, person: Person, at: datetime) -> str:
        last = self.last(person, at)
        return last.id if last else ""

    def since(self, person: Person, at: datetime) -> datetime:
        return self.due(person, at) or at

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        return self.due(person, at)

    def evidence(self, person: Person, at: datetime) -> list[str]:
        last = self.last(person, at)
        return [last.reference] if last else []

    def last(self, person: Person, at: datetime) -> Fact | None:
        return next(self.of.newest(person, at), None)


@dataclass(frozen=True)
class Silence(SinceLast):
    """Nothing for `lasting`, by one who did it before. Who never did is not silent."""

    lasting: timedelta

    def due(self, person: Person, at: datetime) -> datetime | None:
        last = self.last(person, at)
        return person.freezes.advance(last.time, self.lasting) if last else None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        last = self.last(person, at)
        return absence(person, last, at) if last else {}


@dataclass(frozen=True)
class Stopped(_Absence):
    """A regular who faded: nothing for `none_for`, and before that at least `had` times, all within the last `had_in`.

    It holds from the moment when the silence is long enough until the `had`-th newest fact leaves the window.
    """

    had: int
    had_in: timedelta
    none_for: timedelta

    def holds(self, person: Person, at: datetime) -> bool:
        newest = self._newest(person, at)
        if len(newest) < self.had or person.freezes.elapsed(newest[0].time, at) < self.none_for:
            return False
        return person.freezes.elapsed(newest[-1].time, at) < self.had_in

    def anchor(self, person: Person, at: datetime) -> str:
        return self._newest(person, at)[0].id

    def since(self, person: Person, at: datetime) -> datetime:
        return person.freezes.advance(self._newest(person, at)[0].time, self.none_for) or at

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        newest = self._newest(person, at)
        if len(newest) < self.had:
            return None
        begins = person.freezes.advance(newest[0].time, self.none_for)
        ends = person.freezes.advance(newest[-1].time, self.had_in)
        is_to_come = begins is not None and begins > at and (ends is None or begins < ends)
        return begins if is_to_come else None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        newest = self._newest(person, at)
        since = person.freezes.back(at, self.had_in)
        count = sum(self.of.matches(fact) for fact in person.of_types((self.of.type,), at, since))
        return absence(person, newest[0], at) | {"count": str(count)}

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return [fact.reference for fact in self._newest(person, at)]

    def _newest(self, person: Person, at: datetime) -> list[Fact]:
        """The newest `had` facts; more are not looked for."""
        begins = person.freezes.back(at, self.had_in)
        newest: list[Fact] = []
        for fact in islice(self.of.newest(person, at), self.had):
            newest.append(fact)
            if fact.time <= begins:
                break
        return newest


@dataclass(frozen=True)
class Restarted(_Timed):
    """The last fact came `gap` or more after the one before; true for `stays` from then on, until the next fact."""

    gap: timedelta
    stays: timedelta

    judged_at_watermark = False

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    @property
    def returns(self) -> frozenset[str]:
        return frozenset()

    def holds(self, person: Person, at: datetime) -> bool:
        pair = self._newest_two(person, at)
        if len(pair) < 2 or at >= pair[0].time + self.stays:
            return False
        return person.freezes.elapsed(pair[1].time, pair[0].time) >= self.gap

    def anchor(self, person: Person, at: datetime) -> str:
        return self._newest_two(person, at)[0].id

    def since(self, person: Person, at: datetime) -> datetime:
        return self._newest_two(person, at)[0].time

    def next_due(self, person: Person, at: datetime) -> datetime | None:  # noqa: ARG002 (only a fact can)
        return None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        last, before = self._newest_two(person, at)
        return absence(person, before, last.time)

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return [fact.reference for fact in self._newest_two(person, at)]

    def _newest_two(self, person: Person, at: datetime) -> list[Fact]:
        """Only the last one, where it is past its `stays` anyway."""
        newest: list[Fact] = []
        for fact in islice(self.of.newest(person, at), 2):
            newest.append(fact)
            if at >= fact.time + self.stays:
                break
        return newest
