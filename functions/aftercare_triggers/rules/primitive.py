"""What every primitive of the rule language supplies: pure functions of one client's facts and an instant."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from functions.aftercare_triggers.rules.person import Person


class Primitive(Protocol):
    """A condition about one client. `at` is an aware datetime in UTC, up to which (inclusive) facts have happened."""

    @property
    def judged_at_watermark(self) -> bool:
        """Whether it tells of something that did not happen, so that it must not be judged beyond what the feeds have
        told."""

    @property
    def reads(self) -> frozenset[str]:
        """Types of facts that it looks at."""

    @property
    def woken_by(self) -> frozenset[str]:
        """Types of facts that can make it true earlier than `next_due` said before the fact. A visit that only resets a
        silence is not among them."""

    @property
    def returns(self) -> frozenset[str]:
        """Types of facts that end a stretch: the client came back. The default of the rule's exit."""

    def holds(self, person: Person, at: datetime) -> bool: ...

    def anchor(self, person: Person, at: datetime) -> str:
        """Name of the stretch in which it holds; only asked where it does."""

    def since(self, person: Person, at: datetime) -> datetime:
        """When the uninterrupted stretch in which it holds began; only asked where it does."""

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        """The earliest moment after `at` at which it could become true with no new facts; None: only a fact can do it.
        Later than `at`, never later than the first such moment; only asked where it does not hold."""

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        """What a task's text may show ({dates}, {days}, {date} …) and the audit keeps; only asked where it holds."""

    def evidence(self, person: Person, at: datetime) -> list[str]:
        """Keys `<source>/<id>` of the facts it rests on."""
