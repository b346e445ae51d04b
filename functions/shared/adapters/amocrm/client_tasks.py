"""Tasks about clients, on their card or on the contact itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from functions.shared.adapters.amocrm import payloads, reading, standing
from functions.shared.adapters.amocrm.activity import TASKS
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists
from functions.shared.adapters.amocrm.writing import BatchWriter, Kind
from functions.shared.crm import ClientTasks, NewClientTask, Task


class ClientTaskWriter:
    """Where amoCRM ignores filters, `standing_tasks` raises NotConfigured."""

    def __init__(self, client: AmoCrmClient, lists: Lists, writer: BatchWriter) -> None:
        self._client = client
        self._lists = lists
        self._writer = writer

    def add(self, tasks: Sequence[NewClientTask]) -> ClientTasks:
        """After an ambiguous answer an open task with the same text in the same place counts as created."""
        found: dict[NewClientTask, int] = {}

        def created(items: Sequence[NewClientTask]) -> list[NewClientTask]:
            there = self.standing({item.client for item in items}, {item.lead_id for item in items} - {0})
            found.update({item: task.id for item in items for task in there if standing.is_client_task(item, task)})
            return [item for item in items if item in found]

        kind = Kind("POST", "tasks", "tasks", payloads.client_task, created, repeats=2)
        outcome = self._writer.write(kind, tasks)
        made = {item.client: task_id for item, task_id in (*found.items(), *outcome.made)}
        return ClientTasks(made, {item.client: reason for item, reason in outcome.refused})

    def standing(self, clients: Collection[int], lead_ids: Collection[int]) -> list[Task]:
        rows = []
        for entity, ids in (("contacts", clients), ("leads", lead_ids)):
            fixed: Query = [("filter[entity_type]", entity), ("filter[is_completed]", 0), ("order[id]", "asc")]
            if ids:
                found = self._lists.of_leads("tasks", "tasks", ids, fixed)
                rows += [row for row in found if row.get("entity_type") == entity and not row.get("is_completed")]
        return [reading.task(row) for row in rows]

    def by_id(self, ids: Collection[int]) -> dict[int, Task]:
        return self._lists.by_id(TASKS, ids)
