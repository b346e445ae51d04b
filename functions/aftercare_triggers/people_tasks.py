"""What people do with our tasks, brought into the rows of their clients."""

from __future__ import annotations

from collections.abc import Collection

from functions.aftercare_triggers.open_tasks import OpenTasks
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared.ports import AmoCrm


class PeopleTasks:
    """What amoCRM tells of tasks is a hint only: they are read again."""

    def __init__(self, amocrm: AmoCrm, stores: Stores, tasks: OpenTasks) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._tasks = tasks

    def touched(self, sight: Sight, task_ids: Collection[int], ended: Collection[int] = ()) -> set[int]:
        """Somebody has changed these tasks: a completed or deleted one ends its reasons (closed), an edit is
        remembered, so that the task is not completed over a person's head. Others' tasks cost one read together.

        `ended` are those of which amoCRM says that they were completed or deleted. Returns those of them that lists
        still show as they were: ask again in a minute. Raises RetryLater, AmoCrmError.
        """
        clients = self._stores.tasks.clients_of(task_ids)
        if not clients:
            return set()
        there = self._amocrm.tasks_by_id(clients)
        looked = {
            task_id: self._tasks.look(sight, client_id, task_id, there.get(task_id))
            for task_id, client_id in clients.items()
        }
        return {task_id for task_id, stands in looked.items() if stands and task_id in ended}
