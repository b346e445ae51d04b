"""Who is away, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Absence:
    """`user_id` of the team does not take leads from `start` until `end` (both aware; `end` itself he is back)."""

    team: str
    user_id: int
    start: datetime
    end: datetime
    reason: str = ""

    def covers(self, moment: datetime) -> bool:
        return self.start <= moment < self.end
