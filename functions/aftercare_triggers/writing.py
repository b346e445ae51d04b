"""New tasks: room in the manager's day → the intent stored → written → noted.

The intent is stored before the task is written, as an episode that is being sent, with a lease. Whoever finds the lease
ended looks for the mark at the end of the text before he writes again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from functions.aftercare_triggers.open_tasks import OpenTasks
from functions.aftercare_triggers.outbox import Looked, Outbox, one_client
from functions.aftercare_triggers.places import Place
from functions.aftercare_triggers.rules.clocks import local_date, local_instant
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.texts import mark, task_text
from functions.shared.care import Client, Episode, OpenTask, Status
from functions.shared.clock import Clock
from functions.shared.crm import NewClientTask, Task
from functions.shared.errors import Contended
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

LEASE = timedelta(minutes=3)
"""Longer than the function may run (60 s) and amoCRM's lists lag (60 s) together: when it ends, the mark is in the list
or the task was never written."""

_REFUSALS = 3
"""amoCRM may refuse a card that was deleted, or a manager who was switched off, a minute ago: the next look finds
another. Whom it refuses so often it will always refuse."""

_AGAIN = 10
"""Tasks in one request that were tried before: amoCRM answers 504 to what it takes for too much."""

_SOON = timedelta(minutes=5)
_TYPES = {"call": 1, "meeting": 2}


@dataclass(frozen=True)
class Ready:
    """A task to be set; `is_own`: its manager is the client's."""

    looked: Looked
    rule: Rule
    place: Place
    manager: int
    is_own: bool

    @property
    def episode(self) -> Episode:
        return self.looked.episode

    @property
    def name(self) -> str:
        """Of its place in the manager's day."""
        return "#".join((str(self.episode.client), *self.episode.key))


class TaskWriter:
    def __init__(
        self,
        amocrm: AmoCrm,
        stores: Stores,
        tasks: OpenTasks,
        outbox: Outbox,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._tasks = tasks
        self._outbox = outbox
        self._telemetry = telemetry
        self._clock = clock

    def write(self, sight: Sight, ready: Sequence[Ready]) -> None:
        """At most one a client, the most urgent first. Raises RetryLater, AmoCrmError."""
        claimed: list[tuple[Ready, Episode]] = []
        for each in self._with_room(sight, ready):
            own = self._claimed(sight, each)
            if own is not None:
                claimed.append((each, own))
        first = [each for each in claimed if each[1].attempts == 1]
        again = [each for each in claimed if each[1].attempts > 1]
        for batch in (first, *(again[start : start + _AGAIN] for start in range(0, len(again), _AGAIN))):
            if batch:
                self._post(sight, {own.client: (each, own) for each, own in batch})

    def _post(self, sight: Sight, claimed: Mapping[int, tuple[Ready, Episode]]) -> None:
        language = sight.department.language
        tasks = [
            NewClientTask(
                client_id,
                each.place.lead_id,
                each.manager,
                task_text([own.text], own.marker, language),
                own.due_till or sight.now,
                _TYPES[each.rule.action.kind],
            )
            for client_id, (each, own) in claimed.items()
        ]
        result = self._amocrm.add_client_tasks(tasks)
        for task in tasks:
            each, own = claimed[task.client]
            with one_client(self._telemetry, task.client):
                if task.client in result.made:
                    place = task.lead_id, task.responsible_user_id, task.text, self._clock.now(), task.complete_till
                    self.opened(sight, own, Task(result.made[task.client], *place))
                elif task.client in result.refused:
                    self._refused(sight, each, own, result.refused[task.client])

    def opened(self, sight: Sight, episode: Episode, task: Task) -> None:
        """Its task stands. He is due at once: he may have come back meanwhile. Raises RetryLater."""
        self._stores.tasks.put(task.id, episode.client, sight.now)
        opened = replace(episode, status=Status.OPEN, task_id=task.id, manager=task.responsible_user_id, send_at=None)
        task_of_client = OpenTask(
            task_id=task.id,
            manager=task.responsible_user_id,
            lead_id=task.lead_id,
            text=task.text,
            due_till=task.complete_till,
            set_at=task.created_at,
            touched_at=self._clock.now(),
            reasons=(episode.key,),
        )
        if not self._stores.change(opened, lambda client: replace(client, open_task=task_of_client, due_at=sight.now)):
            return
        self._telemetry.info("care_task_set", client=episode.client, rule=episode.rule, task_id=task.id)
        self._telemetry.count("CareTaskSet")
        if task.is_completed:
            self._tasks.look(sight, episode.client, task.id, task)

    def _with_room(self, sight: Sight, ready: Sequence[Ready]) -> list[Ready]:
        """Those that their managers have room for today, the most urgent first; the others wait for his next day."""
        days: dict[int, list[Ready]] = {}
        for each in ready:
            days.setdefault(each.manager, []).append(each)
        granted = []
        for manager, wanted in days.items():
            caps = [(each.name, each.rule.cap.per_manager) for each in wanted]
            try:
                names = set(self._stores.counts.take(manager, _day(sight, manager), caps))
            except Contended:
                continue  # they stay in the outbox
            granted += [each for each in wanted if each.name in names]
            for each in wanted:
                if each.name not in names:
                    self._outbox.put_off(each.episode, _tomorrow(sight, manager))
        return granted

    def _claimed(self, sight: Sight, ready: Ready) -> Episode | None:
        """The episode as it is being sent, stored; None: somebody else is at this client."""
        episode = ready.episode
        own = replace(
            episode,
            status=Status.SENDING,
            send_at=self._clock.now() + LEASE,
            attempts=episode.attempts + 1,
            manager=ready.manager,
            marker=mark(episode.client, *episode.key),
            due_till=sight.due_till(ready.rule, ready.manager, ready.looked.client),
        )

        def edit(client: Client) -> Client | None:
            others = [each for each in client.traces if (each.rule, each.anchor) != episode.key]
            if client.open_task is not None or any(each.status is Status.SENDING for each in others):
                return None
            manager = ready.manager if ready.is_own else client.manager
            return replace(client, manager=manager, lead_id=ready.place.lead_id)

        if not self._stores.change(own, edit):
            return None
        return replace(own, version=own.version + 1)

    def _refused(self, sight: Sight, ready: Ready, episode: Episode, why: str) -> None:
        self._telemetry.warning("care_task_refused", client=episode.client, rule=episode.rule, reason=why)
        self._telemetry.count("CareTaskRefused")
        if episode.attempts < _REFUSALS:
            self._outbox.put_off(episode, sight.now + _SOON)
        else:
            self._stores.change(
                replace(episode, status=Status.REFUSED, gate="amocrm", ended_at=sight.now, send_at=None)
            )
        self._stores.counts.give_back(ready.manager, _day(sight, ready.manager), [ready.name])


def _day(sight: Sight, manager: int) -> str:
    """His date."""
    return local_date(sight.now, sight.zone_of_manager(manager)).isoformat()


def _tomorrow(sight: Sight, manager: int) -> datetime:
    zone = sight.zone_of_manager(manager)
    return local_instant(local_date(sight.now, zone) + timedelta(days=1), time(), zone)
