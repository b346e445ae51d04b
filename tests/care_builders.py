"""Rules whose condition is true when the test says so, and what else a wake needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Action, Cap, Exit, Rule, Window
from functions.shared.care import Status, Trace
from functions.shared.facts import Fact

MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 11, 11, 9, 0, tzinfo=UTC)
"""12:00 in Moscow on a Wednesday."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALWAYS = Window(time(0), time(0))
VISIT = frozenset({"visit.attended"})


@dataclass(frozen=True)
class Spans:
    """True in [from, to), named by its number: spans of a moment, or of an absence that a visit ends."""

    spans: tuple[tuple[datetime, datetime], ...]
    judged_at_watermark: bool = False
    reads: frozenset[str] = VISIT
    woken_by: frozenset[str] = frozenset()
    returns: frozenset[str] = VISIT
    told: dict[str, str] = field(default_factory=dict, hash=False)

    def _at(self, at: datetime) -> int:
        return next((place for place, (start, end) in enumerate(self.spans) if start <= at < end), -1)

    def holds(self, person: Person, at: datetime) -> bool:
        number = self._at(at)
        return number >= 0 and not person.at_hand(self.returns, at, self.spans[number][0])

    def anchor(self, person: Person, at: datetime) -> str:
        return f"a{self._at(at)}"

    def since(self, person: Person, at: datetime) -> datetime:
        return self.spans[self._at(at)][0]

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        return min((start for start, _ in self.spans if start > at), default=None)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        return self.told

    def evidence(self, person: Person, at: datetime) -> list[str]:
        return ["gym/f1"]


def rule(when: Spans | None = None, **changes: Any) -> Rule:
    values: dict[str, Any] = {"window": ALWAYS, "holdout": 0.0, "cap": Cap(None), "exit": Exit(VISIT, "Пришёл {date}")}
    true = Spans(((NOON - HOUR, NOON + DAY),)) if when is None else when
    effective = datetime(2026, 1, 1, tzinfo=UTC)
    return Rule("rule", 1, effective, true, **({"action": Action("Позвонить {name}")} | values | changes))


def fact(kind: str, at: datetime, name: str = "f1", **data: Any) -> Fact:
    return Fact(1, "gym", name, kind, at, at, None, data)


def trace(anchor: str, at: datetime, status: Status = Status.COMPLETED, of: str = "rule") -> Trace:
    return Trace(of, anchor, status, at, at)
