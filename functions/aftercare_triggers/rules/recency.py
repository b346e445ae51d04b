"""silence, stopped, restarted: how long ago the client last did something. Pure.

All three measure with the elapsed clock (a freeze is no absence); only `stays` is plain time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.selector import Selector
from functions.shared.facts import SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN, Fact

FREEZES = frozenset({SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN})
"""Types of facts that move the elapsed clock."""


def chosen(person: Person, of: Selector, at: datetime) -> Iterator[Fact]:
    """The facts that the selector means, from the newest on."""
    return (fact for fact in person.newest((of.type,), at) if not of.where or of.matches(fact))


def absence(person: Person, last: Fact, at: datetime) -> dict[str, str]:
    """What a task may say of an absence: whole days of it, and the local date of the last fact."""
    days = person.freezes.elapsed(last.time, at) // timedelta(days=1)
    return {"days": str(days), "date": f"{last.time.astimezone(person.zone):%d.%m.%Y}"}


def key_of(fact: Fact) -> str:
    return f"{fact.source}/{fact.id}"


@dataclass(frozen=True)
class Silence:
    """Nothing for `lasting`, by one who did it before. Who never did is not silent."""

    of: Selector
    lasting: timedelta

    judged_at_watermark = True

    @property
    def reads(self) -> frozenset[str]:
        return FREEZES | {self.of.type}

    @property
    def woken_by(self) -> frozenset[str]:
        return FREEZES

    @property
    def returns(self) -> frozenset[str]:
        return frozenset({self.of.type})

    def holds(self, person: Person, at: datetime) -> bool:
        last = self._last(person, at)
        return last is not None and person.freezes.elapsed(last.time, at) >= self.lasting

    def anchor(self, person: Person, at: datetime) -> str:
        last = self._last(person, at)
        return last.id if last else ""

    def since(self, person: Person, at: datetime) -> datetime:
        return self._due(person, at) or at

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        return self._due(person, at)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        last = self._last(person, at)
        return absence(person, last, at) if last else {}

    def evidence(self, person: Person, at: datetime) -> list[str]:
        last = self._last(person, at)
        return [key_of(last)] if last else []

    def _last(self, person: Person, at: datetime) -> Fact | None:
        return next(chosen(person, self.of, at), None)

    def _due(self, person: Person, at: datetime) -> datetime | None:
        last = self._last(person, at)
        return person.freezes.advance(last.time, self.lasting) if last else None


@dataclass(frozen=True)
class Stopped:
    """A regular who faded: nothing for `none_for`, and before that at least `had` times, all within the last `had_in`.

    It holds from the moment when the silence is long enough until the `had`-th newest fact leaves the window.
    """

    of: Selector
    had: int
    had_in: timedelta
    none_for: timedelta

    judged_at_watermark = True

    @property
    def reads(self) -> frozenset[str]:
        return FREEZES | {self.of.type}

    @property
    def woken_by(self) -> frozenset[str]:
        return FREEZES

    @property
    def returns(self) -> frozenset[str]:
        return frozenset({self.of.type})

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
        return [key_of(fact) for fact in self._newest(person, at)]

    def _newest(self, person: Person, at: datetime) -> list[Fact]:
        """The newest `had` facts; more are not looked for."""
        begins = person.freezes.back(at, self.had_in)
        newest: list[Fact] = []
        for fact in islice(chosen(person, self.of, at), self.had):
            newest.append(fact)
            if fact.time <= begins:
                break
        return newest


@dataclass(frozen=True)
class Restarted:
    """The last fact came `gap` or more after the one before; true for `stays` from then on, until the next fact."""

    of: Selector
    gap: timedelta
    stays: timedelta

    judged_at_watermark = False

    @property
    def reads(self) -> frozenset[str]:
        return FREEZES | {self.of.type}

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
        return [key_of(fact) for fact in self._newest_two(person, at)]

    def _newest_two(self, person: Person, at: datetime) -> list[Fact]:
        """Only the last one, where it is past its `stays` anyway."""
        newest: list[Fact] = []
        for fact in islice(chosen(person, self.of, at), 2):
            newest.append(fact)
            if at >= fact.time + self.stays:
                break
        return newest
