"""A rule of aftercare: a condition, and everything that stands between it and a task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Protocol

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.primitive import Primitive


class ReEntry(StrEnum):
    """once: one episode of the rule per client for ever · new_episode: every new anchor · every: the same stretch again
    after a while."""

    ONCE = "once"
    NEW_EPISODE = "new_episode"
    EVERY = "every"


class LatePolicy(StrEnum):
    FIRE_IF_STILL_TRUE = "fire_if_still_true"
    SKIP = "skip"
    FIRE_ONCE = "fire_once"


class BackfillMode(StrEnum):
    FUTURE_ONLY = "future_only"
    CURRENT = "current"
    CURRENT_SINCE = "current_since"


class Guard(Protocol):
    """A state of the client that lets a firing through (`only_if`) or not (`unless`)."""

    @property
    def reads(self) -> frozenset[str]:
        """Types of facts that can change it."""

    def is_true(self, person: Person, at: datetime) -> bool: ...

    def changes_at(self, person: Person, at: datetime) -> datetime | None:
        """When it changes by itself with no new facts, None: never, or nobody knows."""


@dataclass(frozen=True)
class Window:
    """Half-open local hours of the client, on days of the calendar: `all`, `ru_working`, or the name of an own list.
    `opens` = `closes` = 00:00 is the whole day."""

    opens: time = time(10)
    closes: time = time(20)
    calendar: str = "all"


@dataclass(frozen=True)
class Late:
    policy: LatePolicy = LatePolicy.FIRE_IF_STILL_TRUE
    expire: timedelta = timedelta(days=7)
    tolerance: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class Cap:
    """`per_client` is (tasks, window) over all rules, None: no cap; `per_manager` tasks on a manager's local day, None:
    no cap."""

    per_client: tuple[int, timedelta] | None = (1, timedelta(days=14))
    per_manager: int | None = 15


@dataclass(frozen=True)
class Action:
    """A task. `kind` is call or meeting; `due_after` working time of the assignee from his next working moment on;
    `assign` responsible (the client's manager) or head; `value` is the path of a fact's number that orders the outbox
    within a priority, empty for none."""

    text: str
    kind: str = "call"
    due_after: timedelta = timedelta(hours=4)
    assign: str = "responsible"
    value: str = ""


@dataclass(frozen=True)
class Escalation:
    """When the streak reaches `count`, or `after` so long an open task, the open task goes to `to` (head)."""

    to: str
    count: int | None = None
    after: timedelta | None = None


@dataclass(frozen=True)
class Exit:
    """Facts that end an open episode, and the words it is completed with ({date} is the fact's local date)."""

    on: frozenset[str]
    result: str


@dataclass(frozen=True)
class Rule:
    """`version` is never edited; `effective_from` is when it was published. `holdout` is a share from 0 to 1."""

    id: str
    version: int
    effective_from: datetime
    when: Primitive
    action: Action
    priority: int = 50
    only_if: tuple[Guard, ...] = ()
    unless: tuple[Guard, ...] = ()
    re_entry: ReEntry = ReEntry.NEW_EPISODE
    every: timedelta | None = None
    cooldown: timedelta = timedelta(0)
    cap: Cap = Cap()
    window: Window = Window()
    late: Late = Late()
    backfill: BackfillMode = BackfillMode.FUTURE_ONLY
    backfill_since: timedelta | None = None
    holdout: float = 0.1
    escalate: tuple[Escalation, ...] = ()
    exit: Exit | None = None
