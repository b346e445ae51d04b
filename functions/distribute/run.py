"""A run over leads that want an owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from functions.distribute.hints import Hint
from functions.shared.batch import Run
from functions.shared.waiting import WaitingLead


@dataclass(kw_only=True)
class OwnerRun(Run[Hint]):
    """Leads that want an owner. `waiting` are the rows of the waiting room it looks at, by lead id; `twins` the other
    running leads of the same client, for the leads that were looked at; `held` the ends of the leases under which this
    run itself is at the decisions, by lead id."""

    waiting: dict[int, WaitingLead] = field(default_factory=dict)
    twins: dict[int, tuple[int, ...]] = field(default_factory=dict)
    held: dict[int, datetime | None] = field(default_factory=dict)
