"""What we last knew of a lead, and the step that is decided for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from functions.shared.department import EXCHANGE, MAIN, WARM_UP, Place

TOLD = "told"
"""Mark of a stay in a closing stage of which the bus was told."""

ENDED = "ended"
"""Mark of a stay in «lost» that Conveyor itself began: what a route has closed or merged away, no route takes out
again, whatever hooks come late."""

BY_HAND = "by_hand"
"""Reason of a suggestion that only a person's own hand can follow: he has separated the leads, or it names several
clients."""

AN_HOUR = timedelta(hours=1)


class Step(StrEnum):
    """What is done about a lead.

    Routes: move, close, merge, copy, task. suggest: a task for a match that is not sure. By a person's hand, so that
    only the others are told: cross (to another pipeline), closed, sold. restore: a person's move that our own write
    has swept away. park: too many hops, the head is told.
    """

    MOVE = "move"
    CLOSE = "close"
    MERGE = "merge"
    COPY = "copy"
    TASK = "task"
    SUGGEST = "suggest"
    CROSS = "cross"
    CLOSED = "closed"
    SOLD = "sold"
    RESTORE = "restore"
    PARK = "park"


HOPS = frozenset({Step.MOVE, Step.CLOSE, Step.MERGE, Step.COPY, Step.RESTORE})
"""Steps that write a lead's place, or make a lead: what a circle consists of."""


@dataclass(frozen=True)
class Decision:
    """One step of a lead, stored before anything is done about it.

    `seen` is where the lead stood and `seen_at` its `updated_at` then; `to` where it goes (or, for copy, where the new
    lead does). `route` is empty for what a person did. `owner` is the responsible user as seen. `others` are the leads
    it is about besides: the survivor of a merge, the suggested ones. `why` is the likeness of a merge, or the reason of
    a task; `fired` what is not to be done again in this stay; `before` where the lead was when a person took it to
    another pipeline. Until `lease_until` one worker does it and nobody else.
    """

    step: Step
    route: str
    seen: Place
    seen_at: datetime
    owner: int
    hop: int
    decided_at: datetime
    lease_until: datetime
    department_version: int
    to: Place | None = None
    reason: str = ""
    answer: str = ""
    others: tuple[int, ...] = ()
    why: str = ""
    fired: str = ""
    before: Place | None = None

    @property
    def cause(self) -> str:
        """The business key under which distribute hands the lead over."""
        return f"route#{self.hop}"


@dataclass(frozen=True)
class LastHop:
    """The last write of ours to the lead's place: from where, to where, and the `updated_at` it was decided on;
    `answer` is what it took off the card."""

    seen: Place
    to: Place
    seen_at: datetime
    answer: str = ""


@dataclass(frozen=True)
class LeadState:
    """What we last knew of a lead. `version` counts the writes of the row; 0 is a row that does not exist.

    `place` is where the lead stood last, since `entered_at`, in that pipeline since `arrived_at`; `seen_at` its
    `updated_at` then, so that no older list is believed. `team` is whose it
    is, `told` the role of the pipeline that the bus knows of, `owners` the last manager of it in each team; `came_from`
    the role of the pipeline from which it went into warm-up.

    `hop` counts its hops, `hops` are the times of those of the last hour, `last` the newest. `fired` is what is done
    for this stay in the stage (ids of routes, TOLD, ENDED) or in the pipeline (`role:<id>`); `answer` the answer that
    was acted upon and left on the card. `origin` is the lead it was copied from, `sale` its card in aftercare;
    `suggested` the leads that it was compared with in a task, `by_hand` those of which it was said that only a person
    can merge them. `parked` and `blocked` (a route that amoCRM refused, under this version of the department) hold
    until it stands elsewhere. `pending` is the step that is not done yet; `due_at` when a timed route is to be looked
    at.
    """

    lead_id: int
    version: int = 0
    place: Place | None = None
    entered_at: datetime | None = None
    arrived_at: datetime | None = None
    seen_at: datetime | None = None
    team: str = ""
    told: str = ""
    owners: Mapping[str, int] = field(default_factory=dict)
    came_from: str = ""
    hop: int = 0
    hops: tuple[datetime, ...] = ()
    last: LastHop | None = None
    fired: frozenset[str] = frozenset()
    answer: str = ""
    origin: int = 0
    sale: int = 0
    suggested: tuple[int, ...] = ()
    by_hand: tuple[int, ...] = ()
    parked: bool = False
    blocked: str = ""
    pending: Decision | None = None
    due_at: datetime | None = None

    def at(self, place: Place, now: datetime) -> LeadState:
        """The same state with the lead seen at this place: a new stay begins where it is another one."""
        if place == self.place:
            return self
        moved = replace(self, place=place, entered_at=now, parked=False, blocked="")
        if self.place is not None and place.role == self.place.role:
            return replace(moved, fired=frozenset(route for route in self.fired if route.startswith("role:")))
        before = self.place.role if self.place else ""
        came_from = before if place.role == WARM_UP and before in (EXCHANGE, MAIN) else self.came_from
        return replace(moved, arrived_at=now, fired=frozenset(), came_from=came_from)

    def hops_lately(self, now: datetime) -> tuple[datetime, ...]:
        return tuple(hop for hop in self.hops if now - hop < AN_HOUR)
