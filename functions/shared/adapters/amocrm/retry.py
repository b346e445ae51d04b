"""Retry as a value: a function from (failure, attempt) to the seconds to wait, or None to give up.

In process only short waits make sense: a failure that lasts is answered with RetryLater, and the queue tries again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Cause(Enum):
    """Why there is no usable answer."""

    NOT_SENT = "not sent"
    """No connection: amoCRM has not seen the request."""
    THROTTLED = "throttled"
    """429: seen and not done."""
    UNANSWERED = "unanswered"
    """Timeout, broken connection or 5xx: done or not, nobody knows."""


@dataclass(frozen=True)
class Failure:
    """One attempt that failed; `retry_after` is what amoCRM asked for, in seconds (rarely given)."""

    cause: Cause
    detail: str
    is_write: bool
    retry_after: float | None = None

    @property
    def is_ambiguous(self) -> bool:
        """A write that may have been done: repeating it blindly makes duplicates, amoCRM has no idempotency keys."""
        return self.is_write and self.cause is Cause.UNANSWERED


RetryPolicy = Callable[[Failure, int], float | None]
"""(failure, number of failed attempts so far, from 1) → seconds to wait before the next one, None to give up."""


@dataclass(frozen=True)
class Backoff:
    """Capped exponential back-off with full jitter; never repeats an ambiguous write.

    Two quick retries: what lasts longer belongs to the queue (AWS Builders' Library: timeouts, retries and backoff).
    A wait above `longest` (amoCRM asked for minutes) is not slept through but given up.
    """

    retries: int = 2
    base: float = 1.0
    cap: float = 8.0
    longest: float = 10.0
    jitter: Callable[[], float] = random.random

    def __call__(self, failure: Failure, attempt: int) -> float | None:
        if failure.is_ambiguous or attempt > self.retries:
            return None
        wait: float = min(self.cap, self.base * 2 ** (attempt - 1)) * self.jitter()
        if failure.retry_after is not None:
            wait = failure.retry_after
        if failure.cause is Cause.THROTTLED:
            wait = max(wait, 1.0)  # the second that amoCRM counts in
        return wait if wait <= self.longest else None
