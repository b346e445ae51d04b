"""A client as the rules see him: his facts, his freezes, his zone, and up to when the feeds have told everything."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from heapq import merge
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.clocks import Freezes
from functions.shared.facts import LASTING, SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN, Fact, current

T = TypeVar("T")


class OlderFactsNeeded(Exception):
    """A rule looks further back than the facts that were read: read all of them and judge again."""


@dataclass(frozen=True)
class Person:
    """`facts` are current versions sorted by time; of frequent types only those since `read_from` (None: all of them).
    `first_at` is the time of the very first fact of any kind (None: there is none). `watermark` is what derived misses
    are judged by. All in UTC."""

    id: int
    zone: ZoneInfo
    facts: tuple[Fact, ...]
    watermark: datetime
    first_at: datetime | None = None
    read_from: datetime | None = None
    freezes: Freezes = field(default_factory=Freezes)

    @classmethod
    def of(
        cls,
        client: int,
        zone: ZoneInfo,
        facts: Iterable[Fact],
        watermark: datetime,
        first_at: datetime | None = None,
        read_from: datetime | None = None,
    ) -> Person:
        """From facts as stored, in any order and version."""
        known = tuple(current(facts))
        first = min((fact.time for fact in known), default=None) if first_at is None else first_at
        changes = [fact for fact in known if fact.type in (SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN)]
        return cls(client, zone, known, watermark, first, read_from, Freezes.of(changes, zone))

    def of_types(self, types: Collection[str], until: datetime, since: datetime | None = None) -> list[Fact]:
        """Facts of these types with since < time ≤ until (since None: all there ever were), the oldest first. Raises
        OlderFactsNeeded where that reaches beyond what was read."""
        self.need(types, since)
        return self.at_hand(types, until, since)

    def at_hand(self, types: Collection[str], until: datetime, since: datetime | None = None) -> list[Fact]:
        """The same of what was read, whether or not that is all."""
        first = 0 if since is None else bisect_right(self._times, since)
        return [self.facts[place] for place in self._places(types, first, bisect_right(self._times, until))]

    def newest(self, types: Collection[str], until: datetime) -> Iterator[Fact]:
        """The same from the newest on; who takes more than what was read meets OlderFactsNeeded."""
        has_all = self._has_all(types)
        first = 0 if has_all or self.read_from is None else bisect_left(self._times, self.read_from)
        last = bisect_right(self._times, until)
        runs = [self._run(kind, first, last) for kind in types if kind in self._by_type]
        for place in runs[0] if len(runs) == 1 else merge(*runs, reverse=True):
            yield self.facts[place]
        if not has_all:
            raise OlderFactsNeeded

    def last(self, types: Collection[str], until: datetime) -> Fact | None:
        return next(self.newest(types, until), None)

    def need(self, types: Collection[str], since: datetime | None) -> None:
        """Raises OlderFactsNeeded unless all facts of these types after `since` (None: ever) are read."""
        is_covered = since is not None and self.read_from is not None and since >= self.read_from
        if not is_covered and not self._has_all(types):
            raise OlderFactsNeeded

    def once(self, key: object, build: Callable[[], T]) -> T:
        """What a primitive derives from all facts at hand whatever the instant, built when it is first asked for: a
        backtest asks the same person at thousands of instants."""
        if key not in self._derived:
            self._derived[key] = build()
        derived: T = self._derived[key]
        return derived

    def _run(self, kind: str, first: int, last: int) -> Iterator[int]:
        """Places of the type's facts in [first, last), the newest first, without copying them."""
        places = self._by_type[kind]
        for index in range(bisect_left(places, last) - 1, bisect_left(places, first) - 1, -1):
            yield places[index]

    def _places(self, types: Collection[str], first: int, last: int) -> list[int]:
        found: list[int] = []
        for kind in types:
            places = self._by_type.get(kind, [])
            found += places[bisect_left(places, first) : bisect_left(places, last)]
        return sorted(found) if len(types) > 1 else found

    @cached_property
    def _times(self) -> list[datetime]:
        return [fact.time for fact in self.facts]

    @cached_property
    def _by_type(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, fact in enumerate(self.facts):
            places.setdefault(fact.type, []).append(place)
        return places

    @cached_property
    def _derived(self) -> dict[object, Any]:
        return {}

    def _has_all(self, types: Collection[str]) -> bool:
        if self.read_from is None or LASTING.issuperset(types):
            return True
        return self.first_at is not None and self.first_at >= self.read_from
