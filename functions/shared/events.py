"""The events on the bus «sales»: past tense, ids and what consumers filter on. The schemas: docs/events.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime


@dataclass(frozen=True)
class Event:
    """Base of all events. `occurred_at` is an aware datetime in UTC."""

    occurred_at: datetime

    @property
    def detail_type(self) -> str:
        return type(self).__name__

    def detail(self) -> Mapping[str, object]:
        """The event as JSON-able fields; times are ISO 8601."""
        return asdict(self) | {"occurred_at": self.occurred_at.isoformat()}


@dataclass(frozen=True)
class LeadAssigned(Event):
    """A lead has its manager. `mode` is fair, own_client, manual or duty; `cause` why it was given out."""

    lead_id: int
    team: str
    owner: int
    channel: str
    mode: str
    cause: str


@dataclass(frozen=True)
class LeadWaiting(Event):
    """Nobody can take the lead now; it lies in the waiting room until `next_check` at the latest."""

    lead_id: int
    team: str
    channel: str
    reason: str
    next_check: str
