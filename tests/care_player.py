"""Plays aftercare day by day in memory: facts arrive, clients are woken when they are due or told, tasks are set at
once.

What the engine does with DynamoDB and amoCRM is done here with dicts; whether a client is woken by a fact is decided
as at the real door, so a timer that is armed too late shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.plan import Act, Change, WakePlan
from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.reading import read_rule, wakes_of
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.scene import Scene
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.waking import wake
from functions.aftercare_triggers.watermark import Watermarks
from functions.shared.care import LIVE, Client, Episode, Feed, FeedSpec, OpenTask, Status
from functions.shared.facts import Fact
from functions.shared.hours import WorkingHours
from functions.shared.silences import heard

MOSCOW = ZoneInfo("Europe/Moscow")
TICK = timedelta(minutes=10)
KEY = b"test-holdout-key"
CLIENT = 1

_MIDNIGHT = datetime(2020, 1, 1, tzinfo=UTC)


def moment(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    """`13.11 10:00` of 2026, or `28.02.2027 10:00`, on clocks of the zone; without a time it is midnight."""
    day, _, clock = text.partition(" ")
    parts = [int(part) for part in day.split(".")]
    hour, minute = map(int, (clock or "00:00").split(":"))
    year = parts[2] if len(parts) > 2 else 2026
    return datetime(year, parts[1], parts[0], hour, minute, tzinfo=zone).astimezone(UTC)


@dataclass
class Task:
    """What a person sees in amoCRM."""

    id: int
    texts: list[str]
    due_till: datetime
    set_at: datetime
    assignee: str = "responsible"
    result: str | None = None
    notes: list[str] = field(default_factory=list)
    is_begun: bool = False


class Player:
    def __init__(self, *rules: dict[str, Any] | Rule, start: str = "01.01", **world: Any) -> None:
        self.now = moment(start)
        self.zone: ZoneInfo = world.pop("zone", MOSCOW)
        self.days = WorkingDays(frozenset(world.pop("holidays", ())), frozenset())
        self.specs: Sequence[FeedSpec] = world.pop("feeds", ())
        self.hours = WorkingHours.parse(world.pop("hours", "Mon-Sun 09:00-18:00"))
        self.salts: dict[int, str] = world.pop("salts", {})
        self.holdout: float = world.pop("holdout", 0.0)
        self.tick: timedelta = world.pop("tick", TICK)
        assert not world, world
        self.feeds: dict[str, Feed] = {}
        self.rules: list[Rule] = []
        self.book_version = 0
        self.clients: dict[int, Client] = {}
        self.facts: dict[int, list[Fact]] = {}
        self.episodes: dict[tuple[int, str, str], Episode] = {}
        self.tasks: dict[int, Task] = {}
        self.wakes: list[tuple[int, datetime]] = []
        self.verdicts: dict[tuple[int, str], Any] = {}
        self._coming: list[tuple[datetime, int, Fact]] = []
        self._told: set[int] = set()
        self._down: list[tuple[datetime, datetime]] = []
        self._ids = count(1)
        self.publish(*rules)

    # ── what happens ──

    def publish(self, *rules: dict[str, Any] | Rule) -> None:
        """A new book: every client is looked at again."""
        read = [each if isinstance(each, Rule) else self.read(each) for each in rules]
        by_id = {rule.id: rule for rule in self.rules} | {rule.id: rule for rule in read}
        self.rules, self.book_version = list(by_id.values()), self.book_version + 1
        self._told |= set(self.clients)

    def read(self, document: dict[str, Any]) -> Rule:
        defaults = {"id": "rule", "task": "Позвонить", "effective_from": "2026-01-01T00:00:00+03:00"}
        return read_rule({**defaults, **document}, holdout=self.holdout)

    def fact(
        self,
        type: str,
        at: str | datetime,
        *,
        id: str | None = None,
        client: int = CLIENT,
        arrives: str | datetime | None = None,
        recorded: str | None = None,
        source: str = "gym",
        **data: Any,
    ) -> Fact:
        time = moment(at) if isinstance(at, str) else at
        received = time if arrives is None else moment(arrives) if isinstance(arrives, str) else arrives
        name = id or f"f{next(self._ids)}"
        told = None if recorded is None else moment(recorded)
        fact = Fact(client, source, name, type, time, received, told, data)
        self.deliver(fact)
        return fact

    def visit(self, *at: str, **more: Any) -> None:
        for each in at:
            self.fact("visit.attended", each, **more)

    def deliver(self, fact: Fact) -> None:
        self._coming.append((fact.received, len(self._coming), fact))
        self._coming.sort(key=lambda each: each[:2])

    def outage(self, start: str | datetime, end: str | datetime) -> None:
        """No tick runs in [start, end); what arrives is kept."""
        first, last = (moment(each) if isinstance(each, str) else each for each in (start, end))
        self._down.append((first, last))

    def begin(self, task_id: int, at: str) -> None:
        """A person starts on the task."""
        self.run(at)
        self.tasks[task_id].is_begun = True

    def close(self, task_id: int, at: str) -> None:
        """A person completes the task."""
        self.run(at)
        client = next(each for each in self.clients.values() if each.open_task and each.open_task.task_id == task_id)
        self.tasks[task_id].result = "сделано"
        for episode in self._of(client.id):
            if episode.task_id == task_id and episode.status in LIVE:
                self._write(replace(episode, status=Status.CLOSED, ended_at=self.now))
        self.clients[client.id] = replace(self.clients[client.id], open_task=None)

    def run(self, until: str | datetime) -> None:
        """All ticks up to that moment, it included; those at which nothing can happen are passed over."""
        end = moment(until) if isinstance(until, str) else until
        while (tick := self._next_tick()) is not None and tick <= end:
            self.now = tick
            self._tick()
        self.now = max(self.now, end)

    # ── what one looks at ──

    def fired(self, rule: str = "rule", client: int = CLIENT) -> list[tuple[str, datetime]]:
        """(anchor, when) of every firing of the arm with tasks, in order."""
        own = [each for each in self._of(client) if each.rule == rule and each.text]
        return [(each.anchor, each.decided_at) for each in sorted(own, key=lambda each: each.decided_at)]

    def episode(self, anchor: str, rule: str = "rule", client: int = CLIENT) -> Episode:
        return self.episodes[(client, rule, anchor)]

    def statuses(self, rule: str = "rule", client: int = CLIENT) -> dict[str, str]:
        return {each.anchor: each.status.value for each in self._of(client) if each.rule == rule}

    @property
    def task(self) -> Task:
        (task,) = self.tasks.values()
        return task

    def due(self, client: int = CLIENT) -> datetime | None:
        return self.clients[client].due_at

    # ── the engine in small ──

    def _next_tick(self) -> datetime | None:
        """The first tick at which a fact has arrived or somebody is due, and that is not down."""
        moments = [received for received, _, _ in self._coming[:1]]
        moments += [client.due_at for client in self.clients.values() if client.due_at is not None]
        moments += [self.now] if self._told else []
        if not moments:
            return None
        passed = self._told or (self._coming and self._coming[0][0] <= self.now)
        tick = self._up_to_tick(max(min(moments), self.now if passed else self.now + timedelta(microseconds=1)))
        for start, end in sorted(self._down):
            if start <= tick < end:
                tick = self._up_to_tick(end)
        return tick

    def _up_to_tick(self, at: datetime) -> datetime:
        return _MIDNIGHT + -((_MIDNIGHT - at) // self.tick) * self.tick

    def _tick(self) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            self._take_in(self._coming.pop(0)[2])
        due = {client.id for client in self.clients.values() if client.due_at is not None and client.due_at <= self.now}
        told, self._told = self._told, set()
        for client_id in sorted(due | told):
            self.wake(client_id)

    def _take_in(self, fact: Fact) -> None:
        known = self.facts.setdefault(fact.client, [])
        if any((each.key, each.recorded) == (fact.key, fact.recorded) for each in known):
            return
        known.append(fact)
        spec = next((spec for spec in self.specs if spec.name == fact.source), None)
        if spec is not None:
            feed = self.feeds.get(fact.source, Feed(fact.source))
            self.feeds[fact.source] = heard(feed, fact.time, self.now, MOSCOW)
        client = self.clients.get(fact.client)
        is_late = fact.time < fact.received - timedelta(hours=1)
        is_awaited = client is None or fact.type in client.exits | wakes_of(self.rules)
        if is_awaited or is_late or fact.recorded is not None:
            self._told.add(fact.client)
        if client is None:
            salt = self.salts.get(fact.client, "")
            self.clients[fact.client] = Client(fact.client, salt=salt)

    def wake(self, client_id: int) -> WakePlan:
        client = self.clients[client_id]
        plan = wake(client, self.person(client_id), self.rules, self.scene(), self.book_version)
        self.wakes.append((client_id, self.now))
        standing = [self.episodes.get((client_id, *episode.key)) for episode in plan.episodes]
        if any(standing):
            for episode in filter(None, standing):
                self.clients[client_id] = remembered(self.clients[client_id], episode)
            assert self.clients[client_id] != client, "what stands is not learned"
            return self.wake(client_id)
        for episode in plan.over_baseline:
            assert self.episodes[(client_id, *episode.key)].status is Status.BASELINE
        assert plan.client.due_at is None or plan.client.due_at > self.now, "a timer that spins"
        self.clients[client_id] = plan.client
        for episode in (*plan.episodes, *plan.over_baseline):
            self.episodes[(client_id, *episode.key)] = episode
        self.verdicts |= {(client_id, verdict.rule): verdict for verdict in plan.verdicts}
        for change in plan.changes:
            self._change(client_id, change)
        queued = [each for each in (*plan.episodes, *plan.over_baseline) if each.status is Status.QUEUED]
        for episode in sorted(queued, key=lambda each: -each.priority):
            self._send(episode)
        return plan

    def scene(self) -> Scene:
        return Scene(Watermarks.of(self.specs, self.feeds, MOSCOW, self.now), self.days, KEY)

    def person(self, client_id: int) -> Person:
        return Person.of(client_id, self.zone, self.facts.get(client_id, []), self.now)

    def _send(self, episode: Episode) -> None:
        """One open task per client: a further reason joins it, the more urgent goes first, the earlier deadline
        counts."""
        rule = next(rule for rule in self.rules if rule.id == episode.rule)
        days, now = self.days, self.now
        due = days.due_till(rule.action.due_after, self.hours, MOSCOW, rule.window, self.zone, now)
        client = self.clients[episode.client]
        if client.open_task is None:
            task = Task(next(self._ids), [episode.text], due, self.now)
            opened = OpenTask(task.id, 1, 0, episode.text, due, self.now, self.now, (episode.key,))
            status = Status.OPEN
        else:
            task, opened, status = self.tasks[client.open_task.task_id], client.open_task, Status.MERGED
            reasons = [*(self.episodes[(client.id, *key)] for key in opened.reasons), episode]
            reasons.sort(key=lambda each: -each.priority)
            task.due_till = min(task.due_till, due)
            task.texts = [each.text for each in reasons if each.key not in opened.struck]
            opened = replace(opened, reasons=tuple(each.key for each in reasons))
        self.tasks[task.id] = task
        self.clients[client.id] = replace(client, open_task=opened)
        self._write(replace(episode, status=status, task_id=task.id, due_till=due))

    def _change(self, client_id: int, change: Change) -> None:
        episode = self.episodes[(client_id, *change.key)]
        if change.act is Act.ESCALATE:
            self.tasks[episode.task_id].assignee = change.to
            self._write(replace(episode, escalations=(*episode.escalations, change.step)))
        elif episode.status in (Status.HELD_OUT, Status.CLOSED) and change.act is Act.STRIKE:
            self._write(replace(episode, returned_at=change.at))
        else:
            self._strike(episode, change)

    def _strike(self, episode: Episode, change: Change) -> None:
        client = self.clients[episode.client]
        ended = {Act.STRIKE: Status.COMPLETED, Act.VOID: Status.VOID, Act.WITHDRAW: Status.EXITED}[change.act]
        task = self.tasks.get(episode.task_id)
        if task is not None and task.is_begun and change.act is Act.STRIKE:
            ended = Status.LEFT
        returned_at = None if change.act is Act.VOID else change.at
        self._write(replace(episode, status=ended, ended_at=self.now, returned_at=returned_at))
        opened = client.open_task
        if task is None or opened is None:
            return
        opened = replace(opened, struck=(*opened.struck, episode.key))
        task.texts = [self.episodes[(client.id, *key)].text for key in opened.reasons if key not in opened.struck]
        if set(opened.struck) == set(opened.reasons):
            if task.is_begun:
                task.notes.append(change.words)
            else:
                task.result, opened = change.words, None
        self.clients[client.id] = replace(self.clients[client.id], open_task=opened)

    def _write(self, episode: Episode) -> None:
        self.episodes[(episode.client, *episode.key)] = episode
        self.clients[episode.client] = remembered(self.clients[episode.client], episode)

    def _of(self, client_id: int) -> list[Episode]:
        return [each for each in self.episodes.values() if each.client == client_id]


def times(*texts: str) -> list[datetime]:
    return [moment(text) for text in texts]


def anchors(fired: Iterable[tuple[str, datetime]]) -> list[str]:
    return [anchor for anchor, _ in fired]
