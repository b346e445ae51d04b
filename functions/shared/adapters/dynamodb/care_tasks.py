"""Whose tasks those are that aftercare has set, by amoCRM's id."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import Table

_KEPT_FOR = timedelta(days=400)
"""As long as the facts that called for it."""


class CareTasks:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, task_id: int, client_id: int, set_at: datetime) -> None:
        expires_at = int((set_at + _KEPT_FOR).timestamp())
        self._table.put(
            {**keys.care_task(task_id), "entity": "care_task", "client": client_id, "expires_at": expires_at}
        )

    def clients_of(self, task_ids: Iterable[int]) -> dict[int, int]:
        """Clients by the id of the task; tasks that are not ours are missing."""
        rows = self._table.get_many(keys.care_task(task_id) for task_id in task_ids)
        return {int(row["pk"].removeprefix("TASK#")): int(row["client"]) for row in rows}
