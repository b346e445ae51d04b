"""From the outbox to tasks in amoCRM: who waits, who is still to be called, whose day has room, one task a client.

The intent is stored before the task is written, as an episode that is being sent, with a lease. Whoever finds the lease
ended looks for the mark at the end of the text before he writes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from functions.aftercare_triggers.managers import Managers, Place
from functions.aftercare_triggers.open_tasks import OpenTasks, joined
from functions.aftercare_triggers.release import Release, Released, release
from functions.aftercare_triggers.rules.clocks import local_date, local_instant
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.sight import Sight, is_contacted
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.storms import Storms
from functions.aftercare_triggers.texts import mark, task_text
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.waking import view
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.care import Client, Episode, OpenTask, Status
from functions.shared.clock import Clock
from functions.shared.crm import NewClientTask, Task
from functions.shared.errors import AmoCrmRefused, RetryLater
from functions.shared.hours import WorkingHours
from functions.shared.limits import LEFT_FOR_A_SLICE
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

LEASE = timedelta(minutes=3)
"""Longer than the function may run (60 s) and amoCRM's lists lag (60 s) together: when it ends, the mark is in the list
or the task was never written."""

AT_ONCE = 500
"""Rows of the outbox that one tick looks at, so that the most urgent of them come first."""

_SLICE = 50
"""Tasks written in one request of amoCRM."""

_LATER = timedelta(hours=1)
_TYPES = {"call": 1, "meeting": 2}
_ANY_TIME = WorkingHours.parse("24/7")


@dataclass(frozen=True)
class _Looked:
    """An episode at its last look; `released` None: it cannot be judged now. `rule` None: it was taken out of the
    book."""

    episode: Episode
    client: Client
    rule: Rule | None
    released: Released | None
    begun: bool


@dataclass(frozen=True)
class _Ready:
    """A task to be set; `day` is the manager's date."""

    looked: _Looked
    rule: Rule
    place: Place
    manager: int
    day: str

    @property
    def episode(self) -> Episode:
        return self.looked.episode

    @property
    def name(self) -> str:
        """Of its place in the manager's day."""
        return "#".join((str(self.episode.client), *self.episode.key))


class Sender:
    def __init__(self, amocrm: AmoCrm, stores: Stores, tasks: OpenTasks, telemetry: Telemetry, clock: Clock) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._tasks = tasks
        self._telemetry = telemetry
        self._clock = clock
        self._storms = Storms(amocrm, stores, telemetry)

    def send(self, sight: Sight, deadline: datetime) -> None:
        """Work off what is due in the outbox; what is left stays due. Raises RetryLater, AmoCrmError."""
        waiting = self._stores.episodes.due(sight.now, AT_ONCE)
        waiting = self._storms.pass_on(sight, waiting) if waiting else []
        waiting.sort(key=_urgency)
        for start in range(0, len(waiting), _SLICE):
            if deadline - self._clock.now() < LEFT_FOR_A_SLICE:
                return
            self._send(sight, waiting[start : start + _SLICE])

    def _send(self, sight: Sight, episodes: Sequence[Episode]) -> None:
        looked = [found for episode in episodes if (found := self._look(sight, episode)) is not None]
        if not looked:
            return
        managers = Managers(sight, self._amocrm, self._stores.counts)
        places = managers.places({each.client.id: each.client for each in looked}.values())
        looked = self._adopt(sight, looked, places)
        wanted = [each for each in looked if self._is_wanted(sight, each, places)]
        self._forget_closed(wanted)
        opening: dict[int, _Ready] = {}
        joining: list[_Looked] = []
        for each in wanted:
            if self._stands(each.client.id) or each.client.id in opening:
                joining.append(each)
            elif (ready := self._ready(sight, managers, each, places[each.client.id])) is not None:
                opening[each.client.id] = ready
        self._open(sight, self._with_room(sight, list(opening.values())))
        for each in joining:
            self._join(sight, each)

    # --- the last look --------------------------------------------------------------------------------------

    def _look(self, sight: Sight, episode: Episode) -> _Looked | None:
        """None: a bug with this client, who must not hold up the others."""
        rule = sight.rule(episode.rule)

        def judge(client: Client, person: Person) -> _Looked:
            seen = view(rule, person, sight.scene) if rule is not None else None
            released = release(episode, seen) if seen is not None else None
            return _Looked(episode, client, rule, released, is_contacted(client, person))

        try:
            return self._stores.judge(episode.client, sight, True, judge)
        except RetryLater:
            raise
        except Exception:
            self._telemetry.exception("care_look_failed", client=episode.client, rule=episode.rule)
            return None

    def _is_wanted(self, sight: Sight, looked: _Looked, places: Mapping[int, Place]) -> bool:
        episode, released = looked.episode, looked.released
        if looked.client.merged_into or looked.client.id not in places:
            self._drop(sight, episode, Released(Release.DROP, status=Status.REFUSED, gate="no_contact"))
        elif looked.rule is None:
            self._drop(sight, episode, Released(Release.DROP, status=Status.SUPPRESSED, gate="outbox"))
        elif released is None:
            self._put_off(episode, sight.now + _LATER)
        elif released.release is Release.DROP:
            self._drop(sight, episode, released)
        elif released.release is Release.WAIT:
            self._put_off(episode, released.until or sight.now + _LATER)
        else:
            return True
        return False

    def _drop(self, sight: Sight, episode: Episode, released: Released) -> None:
        ended = replace(
            episode,
            status=released.status or Status.SUPPRESSED,
            gate=released.gate,
            ended_at=sight.now,
            returned_at=released.returned_at,
            send_at=None,
        )
        if self._stores.change(ended, lambda client: replace(client, due_at=sight.now)):
            self._telemetry.info("care_dropped", client=episode.client, rule=episode.rule, status=ended.status.value)

    def _put_off(self, episode: Episode, until: datetime) -> None:
        """One whose lease has ended without a task waits in the queue again."""
        later = replace(episode, send_at=until)
        if episode.status is Status.SENDING:
            self._stores.change(replace(later, status=Status.QUEUED))
            return
        try:
            self._stores.episodes.put(later)
        except Moved:
            return  # withdrawn, or taken by another worker: his word stands

    # --- what was begun before ------------------------------------------------------------------------------

    def _adopt(self, sight: Sight, looked: Sequence[_Looked], places: Mapping[int, Place]) -> list[_Looked]:
        """Those that are still to be sent: where the mark of one that was begun is found, its task is taken on."""
        begun = [each for each in looked if each.episode.marker and each.client.id in places]
        if not begun:
            return list(looked)
        leads = {lead_id for each in begun for lead_id in (*places[each.client.id].leads, each.client.lead_id)} - {0}
        there = self._amocrm.standing_tasks([each.client.id for each in begun], sorted(leads))
        if leads:
            since = min(each.episode.decided_at for each in begun)
            there += [task for task in self._amocrm.tasks_since(sorted(leads), since) if task.is_completed]
        adopted = set()
        for each in begun:
            task = next((task for task in there if each.episode.marker in task.text), None)
            if task is not None:
                self._opened(sight, each.episode, task)
                adopted.add((each.client.id, each.episode.key))
        return [each for each in looked if (each.client.id, each.episode.key) not in adopted]

    def _forget_closed(self, wanted: Iterable[_Looked]) -> None:
        """Tasks that people have completed or deleted are joined no more."""
        open_tasks = {each.client.id: each.client.open_task for each in wanted if each.client.open_task is not None}
        if not open_tasks:
            return
        there = self._amocrm.tasks_by_id([task.task_id for task in open_tasks.values()])
        for client_id, task in open_tasks.items():
            found = there.get(task.task_id)
            is_new = self._clock.now() - task.touched_at < LEASE  # lists may not show it yet
            if (found is None and not is_new) or (found is not None and found.is_completed):
                self._tasks.forget(client_id)

    # --- new tasks ------------------------------------------------------------------------------------------

    def _ready(self, sight: Sight, managers: Managers, looked: _Looked, place: Place) -> _Ready | None:
        assert looked.rule is not None, "only what is in the book is wanted"
        manager = managers.manager_of(place, looked.client, looked.rule.action.assign)
        if manager is None:
            self._put_off(looked.episode, sight.now + _LATER)
            return None
        member = sight.member(manager)
        zone = member.timezone if member else sight.department.timezone
        return _Ready(looked, looked.rule, place, manager, local_date(sight.now, zone).isoformat())

    def _with_room(self, sight: Sight, ready: Sequence[_Ready]) -> list[_Ready]:
        """Those that their managers have room for today, the most urgent first; the others wait for his next day."""
        days: dict[tuple[int, str], list[_Ready]] = {}
        for each in ready:
            days.setdefault((each.manager, each.day), []).append(each)
        granted = []
        for (manager, day), wanted in days.items():
            caps = [(each.name, each.rule.cap.per_manager) for each in wanted]
            names = set(self._stores.counts.take(manager, day, caps))
            granted += [each for each in wanted if each.name in names]
            member = sight.member(manager)
            zone = member.timezone if member else sight.department.timezone
            tomorrow = local_instant(local_date(sight.now, zone) + timedelta(days=1), time(), zone)
            for each in wanted:
                if each.name not in names:
                    self._put_off(each.episode, tomorrow)
        return granted

    def _open(self, sight: Sight, ready: Sequence[_Ready]) -> None:
        """Claim, write, and note what came of it."""
        claimed = {each.episode.client: (each, own) for each in ready if (own := self._claimed(sight, each))}
        if not claimed:
            return
        tasks = [
            NewClientTask(
                episode.client,
                each.place.lead_id,
                each.manager,
                task_text([episode.text], episode.marker, sight.department.language),
                episode.due_till or sight.now,
                _TYPES[each.rule.action.kind],
            )
            for each, episode in claimed.values()
        ]
        try:
            result = self._amocrm.add_client_tasks(tasks)
        except AmoCrmRefused as refusal:
            if len(claimed) > 1:
                raise  # each is looked for by its mark when its lease ends
            self._refused(sight, *next(iter(claimed.values())), str(refusal.status))
            return
        for task in tasks:
            each, episode = claimed[task.client]
            if task.client in result.made:
                task_id = result.made[task.client]
                place = task.lead_id, task.responsible_user_id, task.text, sight.now, task.complete_till
                self._opened(sight, episode, Task(task_id, *place))
            elif task.client in result.refused:
                self._refused(sight, each, episode, result.refused[task.client])

    def _claimed(self, sight: Sight, ready: _Ready) -> Episode | None:
        """The episode as it is being sent, stored; None: somebody else is at this client."""
        now, episode = self._clock.now(), ready.episode
        member = sight.member(ready.manager)
        own = replace(
            episode,
            status=Status.SENDING,
            send_at=now + LEASE,
            attempts=episode.attempts + 1,
            manager=ready.manager,
            marker=mark(episode.client, *episode.key),
            due_till=self._due_till(sight, ready, member.hours if member else _ANY_TIME),
        )

        def edit(client: Client) -> Client | None:
            others = [each for each in client.traces if (each.rule, each.anchor) != episode.key]
            if client.open_task is not None or any(each.status is Status.SENDING for each in others):
                return None
            return replace(client, manager=ready.manager, lead_id=ready.place.lead_id)

        if not self._stores.change(own, edit):
            return None
        return replace(own, version=own.version + 1)

    def _due_till(self, sight: Sight, ready: _Ready, hours: WorkingHours) -> datetime:
        rule, zone = ready.rule, sight.zone_of(ready.looked.client)
        member = sight.member(ready.manager)
        of_manager = member.timezone if member else sight.department.timezone
        days = sight.scene.days
        return days.due_till(rule.action.due_after, hours, of_manager, rule.window, zone, sight.now)

    def _opened(self, sight: Sight, episode: Episode, task: Task) -> None:
        """Its task stands. He is due at once: he may have come back meanwhile."""
        now = self._clock.now()
        opened = replace(episode, status=Status.OPEN, task_id=task.id, manager=task.responsible_user_id, send_at=None)
        task_of_client = OpenTask(
            task_id=task.id,
            manager=task.responsible_user_id,
            lead_id=task.lead_id,
            text=task.text,
            due_till=task.complete_till,
            set_at=task.created_at,
            touched_at=now,
            reasons=(episode.key,),
        )
        if self._stores.change(opened, lambda client: replace(client, open_task=task_of_client, due_at=sight.now)):
            self._telemetry.info("care_task_set", client=episode.client, rule=episode.rule, task_id=task.id)
            self._telemetry.count("CareTaskSet")

    def _refused(self, sight: Sight, ready: _Ready, episode: Episode, why: str) -> None:
        self._telemetry.warning("care_task_refused", client=episode.client, rule=episode.rule, reason=why)
        self._telemetry.count("CareTaskRefused")
        self._stores.change(replace(episode, status=Status.REFUSED, gate="amocrm", ended_at=sight.now, send_at=None))
        self._stores.counts.give_back(ready.manager, ready.day, [ready.name])

    # --- further reasons ------------------------------------------------------------------------------------

    def _stands(self, client_id: int) -> bool:
        return self._stores.client(client_id).open_task is not None

    def _join(self, sight: Sight, looked: _Looked) -> None:
        """One open task a client: a further reason is added to it. While it is only being set, it waits."""
        assert looked.rule is not None, "only what is in the book is wanted"
        client, episode = self._stores.client(looked.client.id), looked.episode
        if client.open_task is None:
            return self._put_off(episode, sight.now + LEASE)
        rows = self._stores.episodes.find((client.id, key) for key in client.open_task.reasons)
        urgency = {key: row.priority for (_, key), row in rows.items()}
        ready = _Ready(looked, looked.rule, Place(client.open_task.lead_id, 0), client.open_task.manager, "")
        member = sight.member(client.open_task.manager)
        due_till = self._due_till(sight, ready, member.hours if member else _ANY_TIME)
        client, merged = joined(client, episode, urgency, due_till)
        try:
            self._stores.episodes.store(replace(remembered(client, merged), due_at=sight.now), changed=[merged])
        except Moved:
            return None  # it stays in the outbox
        self._telemetry.info("care_reason_added", client=client.id, rule=episode.rule)
        return self._tasks.write(sight, client.id, looked.begun)


def _urgency(episode: Episode) -> tuple[bool, int, int, datetime]:
    """What was begun is ended first; then by priority and value."""
    return episode.status is not Status.SENDING, -episode.priority, -episode.value, episode.decided_at
