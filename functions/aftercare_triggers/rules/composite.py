"""all and any: conditions made of conditions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from functions.aftercare_triggers.rules.clocks import INSTANT
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.primitive import Primitive


@dataclass(frozen=True)
class _Composite:
    members: tuple[Primitive, ...]

    @property
    def judged_at_watermark(self) -> bool:
        return any(member.judged_at_watermark for member in self.members)

    @property
    def reads(self) -> frozenset[str]:
        return frozenset().union(*(member.reads for member in self.members))

    @property
    def woken_by(self) -> frozenset[str]:
        return frozenset().union(*(member.woken_by for member in self.members))

    @property
    def returns(self) -> frozenset[str]:
        return frozenset().union(*(member.returns for member in self.members))


@dataclass(frozen=True)
class AllOf(_Composite):
    """Every member holds. The first listed names the stretch, which goes on while that one's does, though another
    member may pass from one stretch of its own to the next."""

    def holds(self, person: Person, at: datetime) -> bool:
        return all(member.holds(person, at) for member in self.members)

    def anchor(self, person: Person, at: datetime) -> str:
        return self.members[0].anchor(person, at)

    def since(self, person: Person, at: datetime) -> datetime:
        named = self.anchor(person, at)
        began = self._begun(person, at)
        while self.holds(person, began - INSTANT) and self.anchor(person, began - INSTANT) == named:
            began = self._begun(person, began - INSTANT)
        return began

    def _begun(self, person: Person, at: datetime) -> datetime:
        return max(member.since(person, at) for member in self.members)

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        """The latest due of those that do not hold: before it one of them still does not. While all hold: when a
        further stretch of any of them could begin."""
        absent = [member for member in self.members if not member.holds(person, at)]
        dues = [member.next_due(person, at) for member in absent or self.members]
        known = [due for due in dues if due is not None]
        if not absent:
            return min((due for due in known if due > at), default=None)
        return max(known) if len(known) == len(dues) else None

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        """Where two tell the same name, the earlier listed is heard."""
        told: dict[str, str] = {}
        for member in reversed(self.members):
            told |= member.numbers(person, at)
        return told

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return list(dict.fromkeys(key for member in self.members for key in member.evidence(person, at)))


@dataclass(frozen=True)
class AnyOf(_Composite):
    """Some member holds. A stretch goes on while one takes over from another; the one that began it names it, with its
    place in the list.

    Each member is judged on its own terms: one that tells of something that did not happen no further than the feeds
    have told, the others up to the present moment, so that a silent turnstile does not hold back a complaint.
    """

    @property
    def judged_at_watermark(self) -> bool:
        return all(member.judged_at_watermark for member in self.members)

    def holds(self, person: Person, at: datetime) -> bool:
        return next(self._holding(person, at), None) is not None

    def anchor(self, person: Person, at: datetime) -> str:
        began = self.since(person, at)
        number, member, moment = next(self._holding(person, began))
        return f"{number}:{member.anchor(person, moment)}"

    def since(self, person: Person, at: datetime) -> datetime:
        began, before = at, at
        while starts := [member.since(person, moment) for _, member, moment in self._holding(person, before)]:
            began = min(starts)
            before = began - INSTANT
        return began

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        dues = []
        for member in self.members:
            moment = self._judged(member, person, at)
            due = member.next_due(person, moment)
            if due is not None:
                # What the feeds have not told yet is judged when they have, at the earliest as late as they are now.
                dues.append(due if due > at else due + (at - moment))
        return min(dues, default=None)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        _, member, moment = self._speaking(person, at)
        return member.numbers(person, moment)

    def evidence(self, person: Person, at: datetime) -> list[str]:
        _, member, moment = self._speaking(person, at)
        return member.evidence(person, moment)

    def _speaking(self, person: Person, at: datetime) -> tuple[int, Primitive, datetime]:
        """The member that began the stretch, while it holds, else the first that does."""
        beginner, _, _ = next(self._holding(person, self.since(person, at)))
        holding = list(self._holding(person, at))
        return next((each for each in holding if each[0] == beginner), holding[0])

    def _holding(self, person: Person, at: datetime) -> Iterator[tuple[int, Primitive, datetime]]:
        """(place from 1, member, the instant it is judged at)."""
        for number, member in enumerate(self.members, start=1):
            moment = self._judged(member, person, at)
            if member.holds(person, moment):
                yield number, member, moment

    def _judged(self, member: Primitive, person: Person, at: datetime) -> datetime:
        waits = member.judged_at_watermark and not self.judged_at_watermark
        return min(at, person.watermark) if waits else at
