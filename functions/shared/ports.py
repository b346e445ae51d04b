"""The doors to the world for which a substitute exists: fakes in tests, simulators in the local stack."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from functions.shared.crm import (
    Account,
    BatchResult,
    ClientTasks,
    Contact,
    Lead,
    LeadChange,
    Link,
    NewClientTask,
    NewLead,
    NewNote,
    NewTask,
    Note,
    OwnerChange,
    StageChange,
    Task,
    TaskChange,
    UnsortedItem,
    User,
)
from functions.shared.inbox import Envelope
from functions.shared.meetings import (
    Booked,
    CalendarChanges,
    Conference,
    Meeting,
    MeetingChange,
    Space,
    Span,
)


class AmoCrm(Protocol):
    """amoCRM REST v4 as far as Conveyor uses it.

    Reads return what exists; ids that amoCRM does not know are missing from the answer. Every method may raise
    AmoCrmUnavailable, AmoCrmUnauthorized, AmoCrmForbidden; writes also AmbiguousWrite. All calls share the
    account's request budget. Lists (whatever takes several ids) may lag behind by seconds, single reads do not.
    An account that is no longer where we look raises AmoCrmUnavailable: nothing of it is called missing.
    """

    def account(self) -> Account: ...

    def users(self) -> list[User]:
        """All users, switched-off ones included."""

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        """Leads by id, with contacts."""

    def lead(self, lead_id: int) -> Lead | None:
        """One lead, read past the lists; None if it does not exist or lies in the recycle bin."""

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        """How many open leads (neither won nor lost) each of these users has in these pipelines."""

    def unsorted(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        """Items of «Неразобранное» by uid; accepted or declined ones are missing."""

    def unsorted_item(self, uid: str) -> UnsortedItem | None:
        """One item, read past the lists; None if it was accepted or declined, or never was."""

    def unsorted_of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]: ...

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        """Contacts by id; those whose only leads lie in «Неразобранное» are missing."""

    def contact(self, contact_id: int) -> Contact | None:
        """One contact, read past the lists: also one that lies in «Неразобранное»."""

    def contacts_with(self, text: str) -> list[Contact]:
        """Contacts any of whose fields contains `text` (digits are also sought in phones written otherwise). A hint
        only: whoever asks for a phone or an e-mail compares the values himself. At most one page, 250."""

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        """Accept the item for a user into a stage; False if it is no longer there (a human was first)."""

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult: ...

    def change_leads(self, changes: Sequence[LeadChange]) -> BatchResult:
        """Refused, with the reason, is what names a stage, a loss reason or a field that amoCRM does not have."""

    def add_lead(self, lead: NewLead) -> int:
        """Create a lead; returns its id. After an ambiguous answer a lead with the same origin in the same pipeline,
        made since, counts as created. Raises AmoCrmRefused. Whoever repeats a call looks with `copies_of` first."""

    def copies_of(self, origin: tuple[int, str], pipeline_id: int | None, since: datetime) -> list[Lead]:
        """Leads of a pipeline (None: of any) with this origin (see NewLead), created in the second of `since` or later,
        the oldest first; deleted ones are missing."""

    def link(self, links: Sequence[Link]) -> None:
        """Hang contacts and companies on leads; what hangs there already is no error. Raises AmoCrmRefused."""

    def unlink(self, links: Sequence[Link]) -> None:
        """Take contacts and companies off leads; what does not hang there is no error."""

    def stage_changes(self, lead_id: int, since: datetime) -> list[StageChange]:
        """What the account's history knows of the lead's way since then, the oldest first; may lag by seconds."""

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult: ...

    def change_tasks(self, changes: Sequence[TaskChange]) -> BatchResult: ...

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        """Tasks of these leads created in the second of `since` or later, completed ones included."""

    def add_client_tasks(self, tasks: Sequence[NewClientTask]) -> ClientTasks:
        """At most one task a client. After an ambiguous answer those that stand already, by place and text, count as
        made; if any does not, AmbiguousWrite: whoever repeats a call looks with `client_tasks_since` first, when lists
        must show it."""

    def client_tasks_since(self, clients: Collection[int], lead_ids: Collection[int], since: datetime) -> list[Task]:
        """Tasks on these contacts themselves and on these leads, created in the second of `since` or later, completed
        ones included."""

    def tasks_by_id(self, ids: Collection[int]) -> dict[int, Task]:
        """Tasks by id, completed ones included; deleted ones are missing."""

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult: ...

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        """Notes of these leads created in the second of `since` or later."""

    def add_contact_note(self, contact_id: int, text: str) -> bool:
        """A note on the contact himself; False: amoCRM refuses it. Only ambiguous answers of this call are settled
        here; whoever repeats a call looks with `contact_notes_since` first."""

    def contact_notes_since(self, contact_id: int, since: datetime) -> list[Note]:
        """Notes of the contact himself created in the second of `since` or later."""


class MeetingProvider(Protocol):
    """The host's calendar with its video meetings.

    Every method may raise MeetingsUnavailable, MeetingsUnauthorized, MeetingsForbidden and NotConfigured. Each can be
    repeated after any failure: nothing is booked twice, and nobody is told twice of the same change.
    """

    def book(self, meeting: Meeting, generation: int) -> Booked:
        """Put the meeting in the calendar under `meeting_id(key, generation)`, with a link of its own, and invite the
        attendees. One that stands there already under this id is returned as it is, changed or not. Raises MeetingGone
        if it was there and was deleted, MeetingRefused for what the calendar does not take."""

    def find(self, event_id: str) -> Booked | None:
        """As it stands, a deleted one too (`is_cancelled`); None: there never was one, or it is long gone."""

    def change(self, booked: Booked, change: MeetingChange, *, tell: bool) -> Booked:
        """Change an event that was read as `booked`; `tell` sends the attendees word. Raises MeetingMoved if it has
        changed since, MeetingGone, MeetingRefused."""

    def cancel(self, event_id: str, *, tell: bool) -> None:
        """Take it out of the calendar; what is no longer there is no error."""

    def renew_link(self, booked: Booked, attempt: int) -> Booked:
        """Ask for a link once more after LinkState.FAILED; `attempt` counts from 1. Raises as `change` does."""

    def record(self, code: str) -> Space:
        """Let the meeting with this link record itself, where the plan allows it."""

    def changes(self, since: str | None) -> CalendarChanges:
        """What has changed in the calendar since the token; everything ahead where there is none or it is too old."""

    def busy(self, emails: Collection[str], span: Span) -> Mapping[str, tuple[Span, ...] | None]:
        """When each of them is busy within `span`, in order; None: his calendar cannot be seen, which is not free."""

    def away(self, email: str, span: Span) -> tuple[Span, ...] | None:
        """Out-of-office times that touch `span`, as the person's own calendar says; None: it cannot be seen."""

    def conferences(self, space: str, span: Span) -> tuple[Conference, ...]:
        """What took place at the link `space` and touches `span`, the oldest first."""


class MessageQueue(Protocol):
    """The function's own queue, seen from inside."""

    def postpone(self, envelope: Envelope, after: float | None) -> None:
        """Let the message come back by back-off, and not before `after` seconds. Never raises."""

    def park(self, envelope: Envelope, reason: str, detail: str) -> None:
        """Keep a message that can never work, with its reason. Raises RetryLater."""


class EventBus(Protocol):
    """The bus «sales»."""

    def publish(self, events: Sequence[BusEvent]) -> None:
        """Put all events, in order; raises RetryLater if any was not taken."""


class BusEvent(Protocol):
    """A typed event: see functions.shared.events."""

    @property
    def detail_type(self) -> str: ...

    @property
    def occurred_at(self) -> datetime: ...

    def detail(self) -> Mapping[str, object]: ...
