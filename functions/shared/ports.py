"""The doors to the world for which a substitute exists: fakes in tests, simulators in the local stack."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from functions.shared.crm import (
    Account,
    BatchResult,
    Contact,
    Lead,
    NewNote,
    NewTask,
    Note,
    OwnerChange,
    Task,
    UnsortedItem,
    User,
)


class AmoCrm(Protocol):
    """amoCRM REST v4 as far as Conveyor uses it.

    Reads return what exists; ids that amoCRM does not know are missing from the answer. Every method may raise
    AmoCrmUnavailable, AmoCrmUnauthorized, AmoCrmForbidden; writes also AmbiguousWrite. All calls share the
    account's request budget.
    """

    def account(self) -> Account: ...

    def users(self) -> list[User]:
        """All users, switched-off ones included."""

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        """Leads by id, with contacts, in pages; a list may lag behind by seconds."""

    def lead(self, lead_id: int) -> Lead | None:
        """One lead, read past the lists; None if it does not exist or lies in the recycle bin."""

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        """How many open leads (neither won nor lost) each of these users has in these pipelines."""

    def unsorted(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        """Items of «Неразобранное» by uid; accepted or declined ones are missing."""

    def unsorted_of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]: ...

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]: ...

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        """Accept the item for a user into a stage; False if it is no longer there (a human was first)."""

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult: ...

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult: ...

    def open_tasks(self, lead_ids: Collection[int]) -> list[Task]: ...

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult: ...

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]: ...


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
