"""Tasks and notes of leads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from functions.shared.adapters.amocrm import payloads, reading, standing
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists, Source
from functions.shared.adapters.amocrm.writing import CLOCK_DIFFERENCE, BatchWriter, Kind, rounds
from functions.shared.crm import BatchResult, NewNote, NewTask, Note, Task, TaskChange

TASKS = Source("tasks", "tasks", "id", reading.task)


class Activity:
    """Where amoCRM ignores filters, `tasks_since` and `notes_since` raise NotConfigured."""

    def __init__(self, client: AmoCrmClient, lists: Lists, writer: BatchWriter) -> None:
        self._client = client
        self._lists = lists
        self._writer = writer

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult:
        """After an ambiguous answer a task with the same lead, text, owner and deadline, created since, counts as
        created, even if somebody has completed it already.

        Only such answers of this call are settled here. Whoever repeats a call looks with `tasks_since` first.
        """
        since = self._client.clock.now() - CLOCK_DIFFERENCE

        def created(items: Sequence[NewTask]) -> list[NewTask]:
            found = self.tasks_since({item.lead_id for item in items}, since)
            return standing.matched(items, standing.is_task, found)

        kind = Kind("POST", "tasks", "tasks", payloads.task, created, repeats=2)
        return self._writer.write(kind, tasks).by(lambda task: task.lead_id)

    def change_tasks(self, changes: Sequence[TaskChange]) -> BatchResult:
        """The same PATCH may go out a second time after an ambiguous answer. Several changes of one task are written
        one after the other, in order."""
        kind = Kind("PATCH", "tasks", "tasks", payloads.task_change, self._changed, repeats=1)
        batches = rounds(changes, lambda change: change.task_id)
        return self._writer.write_all(kind, batches).by(lambda change: change.task_id)

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        since = since.replace(microsecond=0)
        fixed: Query = [("filter[entity_type]", "leads"), ("order[id]", "asc")]
        rows = self._lists.of_leads("tasks", "tasks", lead_ids, fixed)
        tasks = [reading.task(row) for row in rows if row.get("entity_type") == "leads"]
        return [task for task in tasks if task.created_at >= since]

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult:
        """After an ambiguous answer a note with the same lead, type and content, created since, counts as created.

        Only such answers of this call are settled here. Whoever repeats a call looks with `notes_since` first.
        """
        since = self._client.clock.now() - CLOCK_DIFFERENCE

        def created(items: Sequence[NewNote]) -> list[NewNote]:
            found = self.notes_since({item.lead_id for item in items}, since)
            return standing.matched(items, standing.is_note, found)

        kind = Kind("POST", "leads/notes", "notes", payloads.note, created, repeats=2)
        return self._writer.write(kind, notes).by(lambda note: note.lead_id)

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        since = since.replace(microsecond=0)
        # The filter knows only `updated_at`, which is never before `created_at`.
        fixed: Query = [("filter[updated_at][from]", int(since.timestamp())), ("order[id]", "asc")]
        notes = [reading.note(row) for row in self._lists.of_leads("leads/notes", "notes", lead_ids, fixed)]
        return [note for note in notes if note.created_at >= since]

    def _changed(self, changes: Sequence[TaskChange]) -> list[TaskChange]:
        tasks = self._lists.by_id(TASKS, [change.task_id for change in changes])
        return standing.matched(changes, standing.is_task_changed, tasks.values())
