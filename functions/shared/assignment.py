"""What was decided about a lead, and the ledger of a team it was decided against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from functions.shared.fairness import Ledger

ARRIVAL = "arrival"
"""Cause of the first assignment of a lead. Causes are business keys: one decision per lead and cause."""

ROUTE = "route#"
"""Causes of hand-overs: this and the number of the hop, counted by lead."""


def hop_of(cause: str) -> int:
    """The order of a lead's causes: 0 for its arrival, then the number of the hop. Raises ValueError for no cause."""
    if cause == ARRIVAL:
        return 0
    if not cause.startswith(ROUTE):
        raise ValueError(f"neither {ARRIVAL} nor {ROUTE}<hop>: {cause!r}")
    return int(cause.removeprefix(ROUTE))


class Mode(StrEnum):
    """By which rule the owner was found. All but `fair` consider the owner alone, and cost nobody a turn.

    `manual` is the choice of another person, `self` a lead that its owner made for himself. Who takes his `own_client`
    may be of another team, where the client's running lead is.
    """

    FAIR = "fair"
    OWN_CLIENT = "own_client"
    MANUAL = "manual"
    SELF = "self"
    DUTY = "duty"


class State(StrEnum):
    """pending → applied; or the turn was given back: a human was faster (overtaken), the lead is gone, amoCRM refused
    the owner (withdrawn), or the lead was lost for a reason that costs nobody a turn (refunded). A gone lead that is
    restored and a withdrawn one are decided anew."""

    PENDING = "pending"
    APPLIED = "applied"
    OVERTAKEN = "overtaken"
    GONE = "gone"
    WITHDRAWN = "withdrawn"
    REFUNDED = "refunded"


FALLEN = (State.WITHDRAWN, State.GONE)
"""States of decisions that stand no more: the owner was refused, or the lead was deleted (and may be restored)."""


@dataclass(frozen=True)
class HandOver:
    """A lead crossed over to another team: the place of the conveyor it comes from (`exchange.qualified`), who has it
    until then, and who of the new team worked with it before (user ids, 0: nobody)."""

    from_place: str
    previous_owner: int
    known_owner: int = 0


@dataclass(frozen=True)
class Standing:
    """A member who was considered: his deficits before the lead, in total and in its channel, and his claim on it,
    all in UNITs (functions.shared.fairness)."""

    user_id: int
    total: int
    channel: int
    claim: int


@dataclass(frozen=True)
class Assignment:
    """One decision.

    `considered` are those who could take the lead, `excluded` the user ids that each rule kept out; `seen_owner` the
    responsible user when we decided (0: nobody); `uid` the item of «Неразобранное» to accept; `decided_together`
    how many decisions share `ledger_version`; until `lease_until` one worker does the effects and nobody else.
    `handed_over` says where the lead comes from, if it was not simply new, and `predecessors` to whom we had given it
    until then (user ids, the latest first).
    """

    lead_id: int
    cause: str
    team: str
    channel: str
    owner: int
    mode: Mode
    considered: tuple[Standing, ...]
    excluded: Mapping[str, tuple[int, ...]]
    seen_owner: int
    decided_at: datetime
    arrived_at: datetime
    department_version: int
    ledger_version: int = 0
    decided_together: int = 1
    uid: str | None = None
    state: State = State.PENDING
    lease_until: datetime | None = None
    handed_over: HandOver | None = None
    predecessors: tuple[int, ...] = ()

    @property
    def claims(self) -> dict[int, int]:
        return {standing.user_id: standing.claim for standing in self.considered}

    @property
    def is_open(self) -> bool:
        """Whether its effects are still to be done."""
        return self.state is State.PENDING

    @property
    def is_fallen(self) -> bool:
        """Whether it stands no more, so that the same cause may be decided anew."""
        return self.state in FALLEN

    @property
    def is_spent(self) -> bool:
        """Whether a turn is spent on it, or is about to be."""
        return self.state in (State.PENDING, State.APPLIED)

    def is_in_work(self, now: datetime) -> bool:
        """Whether a worker may be at its effects."""
        return self.is_open and self.lease_until is not None and self.lease_until > now


@dataclass(frozen=True)
class TeamLedger:
    """The ledger of a team as stored: balances, an integer version, and the counters that caps are judged by.

    `given` counts leads by user id on `day` (ISO date in the department's zone). `open` counts open leads by user id:
    read from amoCRM at `counted_at`, for the members of department version `counted_under`, and one more for every lead
    given since.
    """

    team: str
    version: int = 0
    books: Ledger[int] = field(default_factory=Ledger)
    day: str = ""
    given: Mapping[int, int] = field(default_factory=dict)
    counted_at: datetime | None = None
    counted_under: int = 0
    open: Mapping[int, int] = field(default_factory=dict)

    def on_day(self, day: str) -> TeamLedger:
        """The same ledger with the day's counters, which start at nothing on a new day."""
        return self if self.day == day else replace(self, day=day, given={})

    def counted(self, open_leads: Mapping[int, int], at: datetime, department_version: int) -> TeamLedger:
        return replace(self, open=dict(open_leads), counted_at=at, counted_under=department_version)
