"""One open task a client: a further reason is added to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from functions.aftercare_triggers.open_tasks import OpenTasks, joined
from functions.aftercare_triggers.outbox import Looked, Outbox, one_client
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.writing import LEASE
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.errors import Contended
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry


class Joining:
    def __init__(self, amocrm: AmoCrm, stores: Stores, tasks: OpenTasks, outbox: Outbox, telemetry: Telemetry) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._tasks = tasks
        self._outbox = outbox
        self._telemetry = telemetry

    def standing(self, sight: Sight, clients: Collection[int]) -> set[int]:
        """Those of the clients whose task stands: one that a person has completed or deleted is joined no more. Raises
        RetryLater, AmoCrmError."""
        rows = self._stores.clients.of(clients, consistent=True)
        open_tasks = {row.id: row.open_task.task_id for row in rows.values() if row.open_task is not None}
        there = self._amocrm.tasks_by_id(open_tasks.values()) if open_tasks else {}
        standing = set(open_tasks)
        for client_id, task_id in open_tasks.items():
            with one_client(self._telemetry, client_id):
                if not self._tasks.look(sight, client_id, task_id, there.get(task_id)):
                    standing.remove(client_id)
        return standing

    def join(self, sight: Sight, looked: Looked) -> None:
        """While the task is only being set, the reason waits. Raises RetryLater."""
        assert looked.rule is not None, "only what is in the book is wanted"
        client, episode = self._stores.client(looked.client.id), looked.episode
        if client.open_task is None:
            return self._outbox.put_off(episode, sight.now + LEASE)
        rows = self._stores.episodes.find((client.id, key) for key in client.open_task.reasons)
        urgency = {key: row.priority for (_, key), row in rows.items()}
        due_till = sight.due_till(looked.rule, client.open_task.manager, client)
        client, merged = joined(client, episode, urgency, due_till)
        try:
            self._stores.episodes.store(replace(remembered(client, merged), due_at=sight.now), changed=[merged])
        except (Moved, Contended):
            return None  # it stays in the outbox
        self._telemetry.info("care_reason_added", client=client.id, rule=episode.rule)
        return self._tasks.write(sight, client.id, looked.begun)
