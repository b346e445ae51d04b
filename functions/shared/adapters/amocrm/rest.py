"""The port `AmoCrm` against the real thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from functions.shared.adapters.amocrm import reading, writing
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists, Source
from functions.shared.adapters.amocrm.workload import Workload
from functions.shared.adapters.amocrm.writing import BatchWriter, Kind
from functions.shared.clock import Clock
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
from functions.shared.errors import AmbiguousWrite, AmoCrmNotFound, AmoCrmRefused
from functions.shared.telemetry import Telemetry

LEAD_DETAILS = (("with", "contacts,source_id"),)
LEADS = Source("leads", "leads", "id", reading.lead, LEAD_DETAILS)
CONTACTS = Source("contacts", "contacts", "id", reading.contact, (("with", "leads"),))
UNSORTED = Source("leads/unsorted", "unsorted", "uid", reading.unsorted_item)

CLOCK_DIFFERENCE = timedelta(minutes=1)
"""How far amoCRM's `created_at` may lie before our own time."""

REMEMBERED_ITEMS = 5_000
"""Items of «Неразобранное» whose leads we keep in mind; a burst is some hundreds."""

ItemT = TypeVar("ItemT", NewTask, NewNote)


class HttpAmoCrm:
    """`AmoCrm` over HTTP.

    Where amoCRM ignores filters, leads, contacts and items of «Неразобранное» are read one by one; `open_leads_of`,
    `tasks_since` and `notes_since` raise NotConfigured then.
    """

    def __init__(self, client: AmoCrmClient, clock: Clock, telemetry: Telemetry) -> None:
        self._client = client
        self._clock = clock
        self._lists = Lists(client, telemetry)
        self._workload = Workload(client, self._lists, clock)
        self._writer = BatchWriter(client)
        self._lead_of_item: dict[str, int] = {}

    def account(self) -> Account:
        return reading.account(self._client.get("account", [("with", "datetime_settings")]))

    def users(self) -> list[User]:
        """Raises AmoCrmForbidden unless the token belongs to an administrator."""
        return [reading.user(row) for page in self._client.pages("users", "users") for row in page.rows]

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        found = self._lists.by_id(LEADS, ids)
        return {lead_id: lead for lead_id, lead in found.items() if not lead.is_deleted}

    def lead(self, lead_id: int) -> Lead | None:
        row = self._client.find(f"leads/{lead_id}", LEAD_DETAILS)
        lead = reading.lead(row) if row else None
        return None if lead is None or lead.is_deleted else lead

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        return self._workload.open_leads_of(user_ids, pipeline_ids)

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        """Contacts of leads that still lie in «Неразобранное» are missing: amoCRM hides them until acceptance."""
        return self._lists.by_id(CONTACTS, ids)

    def unsorted(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        found = self._lists.by_id(UNSORTED, uids)
        self._remember(found)
        return found

    def unsorted_item(self, uid: str) -> UnsortedItem | None:
        row = self._client.find(f"leads/unsorted/{uid}")
        if not row:
            return None
        item = reading.unsorted_item(row)
        self._remember({uid: item})
        return item

    def unsorted_of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]:
        query = [("filter[pipeline_id]", pipeline_id)]
        rows = self._lists.rows(UNSORTED.path, UNSORTED.key, query, lambda row: row.get("pipeline_id") == pipeline_id)
        found = {row["uid"]: reading.unsorted_item(row) for row in rows}
        self._remember(found)
        return list(found.values())

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        """An ambiguous answer is settled here: accepted if the item is gone and its lead belongs to the user.

        Raises AmoCrmRefused if amoCRM refuses an item that is still there (user switched off, stage of type 1),
        AmbiguousWrite if the item is still there after an ambiguous answer.
        """
        if uid not in self._lead_of_item and self.unsorted_item(uid) is None:
            return False
        lead_id = self._lead_of_item[uid]
        try:
            self._client.write("POST", f"leads/unsorted/{uid}/accept", {"user_id": user_id, "status_id": status_id})
        except (AmoCrmRefused, AmoCrmNotFound):
            # Which status a processed item gives is not established, so the item itself is asked.
            if self.unsorted_item(uid) is None:
                return False
            raise
        except AmbiguousWrite:
            self._clock.sleep(self._client.config.settle)
            if self.unsorted_item(uid) is not None:
                raise
            lead = self.lead(lead_id)
            return lead is not None and lead.responsible_user_id == user_id
        return True

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult:
        """The same PATCH may go out a second time after an ambiguous answer: it sets a value and creates nothing.

        Of several changes of one lead the last counts.
        """
        kind = Kind("PATCH", "leads", "leads", writing.owner_payload, self._owned, repeats=1)
        return self._writer.write(kind, list({change.lead_id: change for change in changes}.values()))

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult:
        """After an ambiguous answer a task with the same lead, text, owner and deadline, created since, counts as
        created, even if somebody has completed it already.

        Only such answers of this call are settled here. Whoever repeats a call looks with `tasks_since` first.
        """
        since = self._clock.now() - CLOCK_DIFFERENCE

        def created(items: Sequence[NewTask]) -> list[NewTask]:
            standing = self.tasks_since({item.lead_id for item in items}, since)
            return _matched(items, _task_marker, [_task_marker(task) for task in standing])

        kind = Kind("POST", "tasks", "tasks", writing.task_payload, created, repeats=2)
        return self._writer.write(kind, tasks)

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        since = since.replace(microsecond=0)
        fixed: Query = [("filter[entity_type]", "leads"), ("order[id]", "asc")]
        rows = self._lists.of_leads("tasks", "tasks", lead_ids, fixed)
        tasks = [reading.task(row) for row in rows if row.get("entity_type") == "leads"]
        return [task for task in tasks if task.created_at >= since]

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult:
        """After an ambiguous answer a note with the same lead and text, created since, counts as created.

        Only such answers of this call are settled here. Whoever repeats a call looks with `notes_since` first.
        """
        since = self._clock.now() - CLOCK_DIFFERENCE

        def created(items: Sequence[NewNote]) -> list[NewNote]:
            standing = self.notes_since({item.lead_id for item in items}, since)
            return _matched(items, _note_marker, [_note_marker(note) for note in standing])

        kind = Kind("POST", "leads/notes", "notes", writing.note_payload, created, repeats=2)
        return self._writer.write(kind, notes)

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        since = since.replace(microsecond=0)
        # The filter knows only `updated_at`, which is never before `created_at`.
        fixed: Query = [("filter[updated_at][from]", int(since.timestamp())), ("order[id]", "asc")]
        notes = [reading.note(row) for row in self._lists.of_leads("leads/notes", "notes", lead_ids, fixed)]
        return [note for note in notes if note.created_at >= since]

    def _remember(self, items: dict[str, UnsortedItem]) -> None:
        """Which lead an item stands for: after a lost answer to an accept the item is gone and cannot tell."""
        if len(self._lead_of_item) > REMEMBERED_ITEMS:
            self._lead_of_item.clear()
        self._lead_of_item |= {uid: item.lead_id for uid, item in items.items()}

    def _owned(self, changes: Sequence[OwnerChange]) -> list[OwnerChange]:
        leads = self.leads([change.lead_id for change in changes])
        owners = {lead_id: lead.responsible_user_id for lead_id, lead in leads.items()}
        return [change for change in changes if owners.get(change.lead_id) == change.responsible_user_id]


def _task_marker(task: NewTask | Task) -> Hashable:
    """What makes a task recognisable without an id; amoCRM keeps whole seconds."""
    return task.lead_id, task.text.strip(), task.responsible_user_id, int(task.complete_till.timestamp())


def _note_marker(note: NewNote | Note) -> Hashable:
    return note.lead_id, note.text.strip()


def _matched(items: Sequence[ItemT], marker: Callable[[ItemT], Hashable], standing: Sequence[Hashable]) -> list[ItemT]:
    """The items whose markers stand, each standing marker used for one item only."""
    left = Counter(standing)
    matched = []
    for item in items:
        if left[marker(item)]:
            left[marker(item)] -= 1
            matched.append(item)
    return matched
