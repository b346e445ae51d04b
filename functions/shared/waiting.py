"""A lead that nobody can take yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.shared.assignment import ARRIVAL, HandOver


@dataclass(frozen=True)
class WaitingLead:
    """`next_check` is when somebody may be able to take it; `uid` its item of «Неразобранное»; `reason` for people;
    `seen_owner` its responsible user when it came: another one later is a person's choice. `cause` is what it will be
    decided under, `handed_over` where it comes from if it was not simply new."""

    lead_id: int
    team: str
    channel: str
    reason: str
    arrived_at: datetime
    next_check: datetime
    uid: str | None = None
    seen_owner: int = 0
    cause: str = ARRIVAL
    handed_over: HandOver | None = None
