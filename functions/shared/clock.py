"""Time as something that is handed in, so that a test or the local stack can own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time in Conveyor."""

    def now(self) -> datetime:
        """The present moment, always with zone UTC."""

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock's time have passed."""


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)
