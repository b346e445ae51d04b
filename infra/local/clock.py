"""A clock that runs like the real one until somebody waits: then it jumps.

Everything in the local stack reads this clock (functions, queues, schedules, both simulators), so limits and
timeouts hold in virtual time while a day takes seconds.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Real elapsed time plus an offset that only grows; safe to share between threads. A `Clock`."""

    def __init__(self, start: datetime | None = None) -> None:
        self._origin = (start or datetime.now(UTC)).astimezone(UTC)
        self._started = time.monotonic()
        self._offset = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._origin + timedelta(seconds=self._elapsed())

    def timestamp(self) -> float:
        """Unix time in seconds."""
        return self._origin.timestamp() + self._elapsed()

    def sleep(self, seconds: float) -> None:
        """Nobody waits: the clock jumps by `seconds` at once."""
        if seconds > 0:
            with self._lock:
                self._offset += seconds

    def advance_to(self, moment: datetime) -> None:
        """Jump forward to `moment`; a moment that has passed changes nothing."""
        with self._lock:
            ahead = (moment - self._origin).total_seconds() - self._elapsed()
            self._offset += max(0.0, ahead)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started + self._offset
