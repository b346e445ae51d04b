"""The port `AmoCrm` against the real thing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.activity import Activity
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.amocrm.client_tasks import ClientTaskWriter
from functions.shared.adapters.amocrm.lead_writer import LeadWriter
from functions.shared.adapters.amocrm.lists import Lists
from functions.shared.adapters.amocrm.reader import Reader
from functions.shared.adapters.amocrm.unsorted import Unsorted
from functions.shared.adapters.amocrm.workload import Workload
from functions.shared.adapters.amocrm.writing import BatchWriter
from functions.shared.clock import Clock
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
from functions.shared.telemetry import Telemetry


class HttpAmoCrm:
    """`AmoCrm` over HTTP.

    Where amoCRM ignores filters, leads, contacts, tasks and items of «Неразобранное» are read one by one;
    `open_leads_of`, `copies_of`, `stage_changes`, `tasks_since`, `client_tasks_since`, `notes_since` and
    `contact_notes_since` raise NotConfigured then.
    """

    def __init__(self, client: AmoCrmClient, clock: Clock, telemetry: Telemetry) -> None:
        lists, writer = Lists(client, telemetry), BatchWriter(client)
        self._client = client
        self._reader = Reader(client, lists)
        self._unsorted = Unsorted(client, lists, self._reader)
        self._workload = Workload(client, lists, clock)
        self._leads = LeadWriter(client, self._reader, writer)
        self._activity = Activity(client, lists, writer)
        self._client_tasks = ClientTaskWriter(client, lists, writer)

    def account(self) -> Account:
        return reading.account(self._client.get("account", [("with", "datetime_settings")]))

    def users(self) -> list[User]:
        """Raises AmoCrmForbidden unless the token belongs to an administrator."""
        return [reading.user(row) for page in self._client.pages("users", "users") for row in page.rows]

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        return self._reader.leads(ids)

    def lead(self, lead_id: int) -> Lead | None:
        return self._reader.lead(lead_id)

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        return self._workload.open_leads_of(user_ids, pipeline_ids)

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        return self._reader.contacts(ids)

    def contact(self, contact_id: int) -> Contact | None:
        return self._reader.contact(contact_id)

    def contacts_with(self, text: str) -> list[Contact]:
        return self._reader.contacts_with(text)

    def unsorted(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        return self._unsorted.items(uids)

    def unsorted_item(self, uid: str) -> UnsortedItem | None:
        return self._unsorted.item(uid)

    def unsorted_of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]:
        return self._unsorted.of_pipeline(pipeline_id)

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        return self._unsorted.accept(uid, user_id, status_id)

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult:
        return self._leads.change_owners(changes)

    def change_leads(self, changes: Sequence[LeadChange]) -> BatchResult:
        return self._leads.change_leads(changes)

    def add_lead(self, lead: NewLead) -> int:
        return self._leads.add_lead(lead)

    def copies_of(self, origin: tuple[int, str], pipeline_id: int | None, since: datetime) -> list[Lead]:
        return self._reader.copies_of(origin, pipeline_id, since)

    def link(self, links: Sequence[Link]) -> None:
        self._leads.link(links)

    def unlink(self, links: Sequence[Link]) -> None:
        self._leads.unlink(links)

    def stage_changes(self, lead_id: int, since: datetime) -> list[StageChange]:
        return self._reader.stage_changes(lead_id, since)

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult:
        return self._activity.add_tasks(tasks)

    def change_tasks(self, changes: Sequence[TaskChange]) -> BatchResult:
        return self._activity.change_tasks(changes)

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        return self._activity.tasks_since(lead_ids, since)

    def add_client_tasks(self, tasks: Sequence[NewClientTask]) -> ClientTasks:
        return self._client_tasks.add(tasks)

    def client_tasks_since(self, clients: Collection[int], lead_ids: Collection[int], since: datetime) -> list[Task]:
        return self._client_tasks.since(clients, lead_ids, since)

    def tasks_by_id(self, ids: Collection[int]) -> dict[int, Task]:
        return self._client_tasks.by_id(ids)

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult:
        return self._activity.add_notes(notes)

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        return self._activity.notes_since(lead_ids, since)

    def add_contact_note(self, contact_id: int, text: str) -> bool:
        return self._client_tasks.add_note(contact_id, text)

    def contact_notes_since(self, contact_id: int, since: datetime) -> list[Note]:
        return self._client_tasks.notes_since(contact_id, since)
