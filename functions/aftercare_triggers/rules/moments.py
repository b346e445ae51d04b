"""What the primitives that are true for a while have in common: each of the client's facts (or dates) gives its own
stretch, known from its beginning to its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from functions.aftercare_triggers.rules.person import Person
from functions.shared.facts import Fact


@dataclass(frozen=True)
class Stretch:
    """True in [start, end); `facts` are what it rests on, `numbers` what a text may show of it."""

    anchor: str
    start: datetime
    end: datetime
    facts: tuple[Fact, ...]
    numbers: dict[str, str] = field(default_factory=dict)


class Moments(Protocol):
    """Of several stretches that hold at once the one that began last counts; `since` is its beginning. `next_due` may
    be asked while one holds: then it is when a further one begins."""

    def stretches(self, person: Person, at: datetime) -> Iterable[Stretch]:
        """As the facts until `at` tell them, those that are still to come included; those that are over by `at` may be
        left out."""

    def holds(self, person: Person, at: datetime) -> bool:
        return any(stretch.start <= at < stretch.end for stretch in self.stretches(person, at))

    def anchor(self, person: Person, at: datetime) -> str:
        return self._standing(person, at).anchor

    def since(self, person: Person, at: datetime) -> datetime:
        return self._standing(person, at).start

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        coming = (each.start for each in self.stretches(person, at) if at < each.start < each.end)
        return min(coming, default=None)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        return self._standing(person, at).numbers

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return [fact.reference for fact in self._standing(person, at).facts]

    def _standing(self, person: Person, at: datetime) -> Stretch:
        holding = [each for each in self.stretches(person, at) if each.start <= at < each.end]
        return max(holding, key=lambda stretch: (stretch.start, stretch.anchor))


def day_month_year(day: date) -> str:
    return day.strftime("%d.%m.%Y")


MOST_DATES = 10
"""A task's text stays readable; older ones are left out."""


def dates_of(person: Person, moments: list[datetime]) -> str:
    """`05.11, 09.11, 12.11`: local dates, the oldest first, of many only the last."""
    days = [f"{moment.astimezone(person.zone):%d.%m}" for moment in sorted(moments)]
    return ", ".join(days if len(days) <= MOST_DATES else ["…", *days[-MOST_DATES:]])
