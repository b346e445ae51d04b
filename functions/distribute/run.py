"""One batch in work: which leads it speaks of, and which messages are done when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, Self, TypeVar

from functions.distribute.hints import Closing, Hint
from functions.shared.batch import Batch
from functions.shared.department import Department
from functions.shared.waiting import WaitingLead

HintT = TypeVar("HintT", Hint, Closing)


@dataclass(kw_only=True)
class Run(Batch, Generic[HintT]):
    """`hints` is what the messages say, one hint a lead."""

    department: Department
    deadline: datetime
    hints: Mapping[int, HintT]

    def todo(self) -> set[int]:
        """The leads that are neither finished nor put off."""
        return self.open() - self.back.keys()

    def left(self, now: datetime) -> timedelta:
        """The time until the deadline."""
        return self.deadline - now

    def alone(self, lead_id: int) -> Self:
        """The same run with one lead only."""
        hints = {lead_id: self.hints[lead_id]}
        return replace(self, messages=messages_of(hints), hints=hints, finished=set(), back={})


@dataclass(kw_only=True)
class OwnerRun(Run[Hint]):
    """Leads that want an owner. `waiting` are the rows of the waiting room it looks at, by lead id; `twins` the other
    running leads of the same client, for the leads that were looked at; `held` the ends of the leases under which this
    run itself is at the decisions, by lead id."""

    waiting: dict[int, WaitingLead] = field(default_factory=dict)
    twins: dict[int, tuple[int, ...]] = field(default_factory=dict)
    held: dict[int, datetime | None] = field(default_factory=dict)


def messages_of(hints: Mapping[int, Hint] | Mapping[int, Closing]) -> dict[int, frozenset[str]]:
    return {lead_id: hint.messages for lead_id, hint in hints.items()}
