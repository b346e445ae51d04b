"""What aftercare keeps: the client's row, episodes, feeds, the book of rules.

Records only; what they mean is decided in functions/aftercare_triggers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What became of an episode.

    queued: fired, its task is to be set · sending: somebody is at it (or was: look for the marker) · open: its task
    stands · merged: its reason was added to the open task · escalated steps are fields of an open one. Ends:
    completed (the client came back, we completed it) · left (he came back, but a person had begun) · closed (a
    person completed the task) · void (the facts were corrected) · exited (came back before the task was set) ·
    expired · skipped_late · suppressed (the stretch ended while a gate held it) · baseline (true before the rule
    was) · held_out (arm C: no task) · storm (too many at once: waits for a person's yes) · refused (amoCRM said
    no)."""

    QUEUED = "queued"
    SENDING = "sending"
    OPEN = "open"
    MERGED = "merged"
    COMPLETED = "completed"
    LEFT = "left"
    CLOSED = "closed"
    VOID = "void"
    EXITED = "exited"
    EXPIRED = "expired"
    SKIPPED_LATE = "skipped_late"
    SUPPRESSED = "suppressed"
    BASELINE = "baseline"
    HELD_OUT = "held_out"
    STORM = "storm"
    REFUSED = "refused"


LIVE = frozenset({Status.QUEUED, Status.SENDING, Status.OPEN, Status.MERGED, Status.HELD_OUT, Status.STORM})
"""Episodes that an exit fact still concerns."""

COUNTED = frozenset(
    {
        Status.QUEUED,
        Status.SENDING,
        Status.OPEN,
        Status.MERGED,
        Status.COMPLETED,
        Status.LEFT,
        Status.CLOSED,
        Status.EXITED,
        Status.HELD_OUT,
        Status.STORM,
    }
)
"""Episodes that were a firing, of either arm: cool-down and cap of the client count them."""


@dataclass(frozen=True)
class Episode:
    """One stretch in which a rule was true for a client: (rule, client, anchor) is its key, whatever happens.

    `true_at` is when the stretch began, `planned_at` when the gates would have let it through, `decided_at` when we did
    (fired, or stopped it). `gate` says what stopped it. `evidence` are keys of the facts (source/id), `numbers`
    what was computed and what the text shows. `value` orders the outbox within a priority. `manager` is the user
    who gets the task, `task_id` amoCRM's task, `due_till` its deadline, `text` what is said of this reason.
    `escalations` are the steps done (their `count`). `ended_at` is when it came to its end, `returned_at` when the
    client came back."""

    client: int
    rule: str
    anchor: str
    rule_version: int
    status: Status
    true_at: datetime
    planned_at: datetime
    decided_at: datetime
    priority: int = 0
    value: int = 0
    gate: str = ""
    evidence: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    expires_at: datetime | None = None
    manager: int = 0
    task_id: int = 0
    marker: str = ""
    due_till: datetime | None = None
    attempts: int = 0
    send_at: datetime | None = None
    escalations: tuple[int, ...] = ()
    ended_at: datetime | None = None
    returned_at: datetime | None = None
    version: int = 0
    """Counts the writes of the row; 0 is a row that does not exist."""

    @property
    def key(self) -> tuple[str, str]:
        return self.rule, self.anchor


@dataclass(frozen=True)
class Trace:
    """What the client's row remembers of an episode, so that a wake reads no old ones: enough for the gates identity,
    re-entry, cool-down and cap, and for exits."""

    rule: str
    anchor: str
    status: Status
    true_at: datetime
    decided_at: datetime
    task_id: int = 0
    escalations: tuple[int, ...] = ()


@dataclass(frozen=True)
class OpenTask:
    """The client's one open aftercare task. `reasons` are the episode keys it stands for, the most urgent first;
    `struck` those that are settled already. `set_at` is when we created it, `touched_at` our own last write to it;
    `begun`: a person has begun to work with it."""

    task_id: int
    manager: int
    lead_id: int
    text: str
    due_till: datetime
    set_at: datetime
    touched_at: datetime
    reasons: tuple[tuple[str, str], ...] = ()
    struck: tuple[tuple[str, str], ...] = ()
    begun: bool = False


@dataclass(frozen=True)
class Held:
    """A stretch that a gate holds back: recorded once as suppressed if it ends before the gate opens."""

    rule: str
    anchor: str
    gate: str
    true_at: datetime


@dataclass(frozen=True)
class Client:
    """What we know of a client besides his facts: one small row, found again by `due_at`.

    `id` is the amoCRM contact; `merged_into` the contact he became (0: himself). `manager` is the user who cares for
    him, `lead_id` his open card in aftercare (0: none). `zone` is his own IANA zone, empty for the manager's.
    `salt` draws the hold-out. `first_at` is the time of his first fact of any kind. `due_at` is the stored due
    (None: never): never later than the true one. `read_from` is how far back the last wake had to look. `exits` are
    types of facts that wake him because an episode waits for them. `traces` are the episodes that the gates still
    count, `held` what a gate holds back."""

    id: int
    version: int = 0
    manager: int = 0
    lead_id: int = 0
    zone: str = ""
    salt: str = ""
    opted_out: bool = False
    first_at: datetime | None = None
    due_at: datetime | None = None
    exits: frozenset[str] = frozenset()
    traces: tuple[Trace, ...] = ()
    held: tuple[Held, ...] = ()
    open_task: OpenTask | None = None
    merged_into: int = 0
    rules_version: int = 0
    """The book under which `due_at` was computed."""


@dataclass(frozen=True)
class Feed:
    """A source of facts. `last_at` is the time of its newest fact, `seen_at` when something last arrived,
    `complete_until` what its last heartbeat or file says. `gaps` is the histogram of silence by weekday and hour that
    tells when it is stale (functions/shared/silences.py)."""

    name: str
    last_at: datetime | None = None
    seen_at: datetime | None = None
    complete_until: datetime | None = None
    gaps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FeedSpec:
    """What the department says of a source. `delivers` are the types of facts it may bring; `lag` how late they come as
    a rule; `stale_after` how long it may be silent in its open hours (None: learned). `mark` False: a source that
    cannot be silent (amoCRM itself)."""

    name: str
    delivers: frozenset[str] = frozenset()
    lag: timedelta = timedelta(0)
    stale_after: timedelta | None = None
    hours: str = "24/7"
    mark: bool = True


@dataclass(frozen=True)
class RuleBook:
    """All rules in force, as the department's file gave them, completed: `rules` are plain JSON documents (see
    functions/aftercare_triggers/rules/reading.py), each with `id`, `version`, `effective_from`. `wakes` are the types
    of facts that can make some rule true earlier; `lookback` how far back frequent facts are needed as a rule."""

    version: int = 0
    rules: tuple[Mapping[str, Any], ...] = ()
    feeds: tuple[FeedSpec, ...] = ()
    wakes: frozenset[str] = frozenset()
    lookback: timedelta = timedelta(days=120)
    holidays: frozenset[str] = frozenset()
    """Non-working days, ISO dates; kept with the book so that a decision can be retraced."""
    work_days: frozenset[str] = frozenset()
    """Weekend days that are worked."""
    ceiling: int = 0
    """Tasks a day for the whole department above which everything new waits for a person's yes (0: by the storm guard
    only)."""


@dataclass(frozen=True)
class Round:
    """A look at all clients under the rules of `book`; `is_check`: the weekly one, which looks at everybody. `shard`
    and `after` are where the next page begins (Clients.listed); `ended_at` None: it is under way."""

    book: int
    began_at: datetime
    shard: int = 0
    after: int = 0
    ended_at: datetime | None = None
    is_check: bool = False
