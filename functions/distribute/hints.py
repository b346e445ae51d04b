"""What messages say of a lead, before it is read again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from functions.shared.assignment import ARRIVAL, HandOver, hop_of


@dataclass(frozen=True)
class Hint:
    """A lead may want an owner, under `cause`. `uid` is its item of «Неразобранное» if it had one; `departed` when a
    hook says that it was declined or deleted, `arrived` when one says that it is there; `messages` are the ids of the
    messages that are done when the lead is. `team` is where it was handed over to, `handed_over` from where; a lead
    that simply is new has neither.
    """

    lead_id: int
    arrived_at: datetime
    uid: str | None = None
    departed: bool = False
    arrived: bool = True
    messages: frozenset[str] = frozenset()
    cause: str = ARRIVAL
    team: str = ""
    handed_over: HandOver | None = None

    def merged(self, other: Hint) -> Hint:
        """One hint with the messages of both. A later cause supersedes an earlier one."""
        latest = max(self, other, key=lambda hint: (hop_of(hint.cause), hint.handed_over is not None))
        return replace(
            latest,
            arrived_at=min(self.arrived_at, other.arrived_at),
            uid=self.uid or other.uid,
            departed=self.departed or other.departed,
            arrived=self.arrived or other.arrived,
            messages=self.messages | other.messages,
        )


@dataclass(frozen=True)
class Closing:
    """A lead was lost at `closed_at`, or somewhat earlier, for a reason that gives turns back."""

    lead_id: int
    closed_at: datetime
    messages: frozenset[str] = frozenset()

    def merged(self, other: Closing) -> Closing:
        latest = max(self.closed_at, other.closed_at)
        return replace(self, closed_at=latest, messages=self.messages | other.messages)
