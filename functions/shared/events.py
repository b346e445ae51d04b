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
    """A lead has its manager. `mode` is fair, own_client, manual or duty; `cause` why it was given out. `twins` are
    other running leads that seem to be the same client's: None if nobody could look (his contact was hidden)."""

    lead_id: int
    team: str
    owner: int
    channel: str
    mode: str
    cause: str
    twins: tuple[int, ...] | None = None


@dataclass(frozen=True)
class LeadWaiting(Event):
    """Nobody can take the lead now; it lies in the waiting room until `next_check` at the latest."""

    lead_id: int
    team: str
    channel: str
    reason: str
    next_check: str


@dataclass(frozen=True)
class LeadRouted(Event):
    """A lead has come to another place of the conveyor, by a route or by a person's hand (`route` is empty then).

    Places are `<role of the pipeline>.<key of the stage>`. `team` works there; `hand_over` says that it is another team
    than before, so that the lead wants a manager of it: under `cause`, and he is `known_owner` (0: nobody) if he can.
    `previous_owner` is who has it until then.
    """

    lead_id: int
    route: str
    from_place: str
    to_place: str
    team: str
    hand_over: bool
    cause: str
    known_owner: int
    previous_owner: int


@dataclass(frozen=True)
class LeadClosed(Event):
    """A lead was closed as lost; `reason` is the key of the loss reason, empty if it has none that we know."""

    lead_id: int
    route: str
    pipeline: str
    reason: str
    owner: int


@dataclass(frozen=True)
class SaleWon(Event):
    """A lead was won. `care_lead_id` is the client's card in aftercare (0: none), `client` his contact (0: none);
    `price` in whole units of the account's currency."""

    lead_id: int
    care_lead_id: int
    client: int
    owner: int
    pipeline: str
    price: int


@dataclass(frozen=True)
class LeadsMerged(Event):
    """A duplicate was merged into the lead that goes on; `why` is same_contact, phone, email or person."""

    lead_id: int
    duplicate_id: int
    why: str


@dataclass(frozen=True)
class MeetingScheduled(Event):
    """A call with a client stands in the calendar. `meeting` is its key; `start` ISO 8601."""

    meeting: str
    lead_id: int
    manager: int
    start: str
    minutes: int


@dataclass(frozen=True)
class MeetingMoved(Event):
    """A call has another time, by amoCRM's word or by a person's hand in the calendar."""

    meeting: str
    lead_id: int
    manager: int
    start: str
    minutes: int


@dataclass(frozen=True)
class MeetingCancelled(Event):
    """A call that had not begun no longer stands in the calendar."""

    meeting: str
    lead_id: int
    manager: int


@dataclass(frozen=True)
class RecordingReady(Event):
    """The card of the lead has the link to a recording; `recording` is the provider's id of it."""

    meeting: str
    lead_id: int
    recording: str
