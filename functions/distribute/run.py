"""One batch in work: which leads it speaks of, and which messages are done when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.distribute.intake import Hint
from functions.shared.department import Department
from functions.shared.waiting import WaitingLead


@dataclass
class Run:
    """`waiting` are the rows of the waiting room it looks at, by lead id. The messages of every lead that is not
    `finished` come back: by back-off, and not before the seconds that `back` names."""

    department: Department
    deadline: datetime
    hints: dict[int, Hint]
    waiting: dict[int, WaitingLead] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    back: dict[int, float | None] = field(default_factory=dict)

    def finish(self, lead_ids: Iterable[int]) -> None:
        self.finished.update(lead_ids)

    def come_back(self, lead_ids: Iterable[int], after: float | None) -> None:
        self.back.update(dict.fromkeys(lead_ids, after))

    def open(self) -> set[int]:
        """The leads that are not finished."""
        return self.hints.keys() - self.finished

    def left(self, now: datetime) -> timedelta:
        """The time until the deadline."""
        return self.deadline - now

    def alone(self, lead_id: int) -> Run:
        """The same run with one lead only."""
        rows = {lead_id: self.waiting[lead_id]} if lead_id in self.waiting else {}
        return Run(self.department, self.deadline, {lead_id: self.hints[lead_id]}, rows)

    def messages_back(self) -> dict[str, float | None]:
        """The messages that must come back: all that speak of a lead which is not finished."""
        return {message: self.back.get(lead) for lead in self.open() for message in self.hints[lead].messages}
