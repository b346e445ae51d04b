"""Tasks about clients, on their card or on the contact itself, and notes on contacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from functions.shared.adapters.amocrm import payloads, reading, standing
from functions.shared.adapters.amocrm.activity import TASKS
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists
from functions.shared.adapters.amocrm.writing import CLOCK_DIFFERENCE, BatchWriter, Kind
from functions.shared.crm import ClientTasks, NewClientTask, NewNote, Note, Task

_NOTES = "contacts/notes"


class ClientTaskWriter:
    """Where amoCRM ignores filters, `since` and `notes_since` raise NotConfigured."""

    def __init__(self, client: AmoCrmClient, lists: Lists, writer: BatchWriter) -> None:
        self._client = client
        self._lists = lists
        self._writer = writer

    def add(self, tasks: Sequence[NewClientTask]) -> ClientTasks:
        """After an ambiguous answer a task with the same text in the same place, created since, counts as created, even
        if somebody has completed it already. What is not there may not be in the lists yet, so it does not go out
        again: raises AmbiguousWrite, and the caller looks later."""
        since = self._client.clock.now() - CLOCK_DIFFERENCE
        found: dict[NewClientTask, int] = {}

        def created(items: Sequence[NewClientTask]) -> list[NewClientTask]:
            there = self.since({item.client for item in items}, {item.lead_id for item in items} - {0}, since)
            found.update({item: task.id for item in items for task in there if standing.is_client_task(item, task)})
            return [item for item in items if item in found]

        kind = Kind("POST", "tasks", "tasks", payloads.client_task, created, repeats=0)
        outcome = self._writer.write(kind, tasks)
        made = {item.client: task_id for item, task_id in (*found.items(), *outcome.made)}
        return ClientTasks(made, {item.client: reason for item, reason in outcome.refused})

    def since(self, clients: Collection[int], lead_ids: Collection[int], since: datetime) -> list[Task]:
        rows = []
        for entity, ids in (("contacts", clients), ("leads", lead_ids)):
            fixed: Query = [("filter[entity_type]", entity), ("order[id]", "asc")]
            if ids:
                found = self._lists.of_leads("tasks", "tasks", ids, fixed)
                rows += [row for row in found if row.get("entity_type") == entity]
        since = since.replace(microsecond=0)
        return [task for task in map(reading.task, rows) if task.created_at >= since]

    def by_id(self, ids: Collection[int]) -> dict[int, Task]:
        return self._lists.by_id(TASKS, ids)

    def add_note(self, contact_id: int, text: str) -> bool:
        """After an ambiguous answer the same note, created since, counts as created."""
        since = self._client.clock.now() - CLOCK_DIFFERENCE

        def created(items: Sequence[NewNote]) -> list[NewNote]:
            is_there = any(note.text.strip() == text.strip() for note in self.notes_since(contact_id, since))
            return list(items) if is_there else []

        kind = Kind("POST", _NOTES, "notes", payloads.note, created, repeats=2)
        return not self._writer.write(kind, [NewNote(contact_id, text)]).refused

    def notes_since(self, contact_id: int, since: datetime) -> list[Note]:
        since = since.replace(microsecond=0)
        # The filter knows only `updated_at`, which is never before `created_at`.
        fixed: Query = [("filter[updated_at][from]", int(since.timestamp())), ("order[id]", "asc")]
        notes = map(reading.contact_note, self._lists.of_leads(_NOTES, "notes", [contact_id], fixed))
        return [note for note in notes if note.created_at >= since]
