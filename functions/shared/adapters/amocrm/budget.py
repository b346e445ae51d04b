"""The door to the request budget that the whole account shares."""

from __future__ import annotations

from typing import Protocol


class RequestBudget(Protocol):
    """Permission to send requests to amoCRM, one at a time, account-wide."""

    def expect(self, requests: int) -> None:
        """Announce how many requests follow, so that their slots can be leased in blocks; a hint, no promise."""

    def acquire(self) -> None:
        """Return when one request may be sent.

        Raises AmoCrmUnavailable, with the seconds to wait, if the breaker is open or the queue for slots is too long.
        """

    def answered(self) -> None:
        """amoCRM answered the last request as a service that works: ends the half-open state of the breaker."""

    def slow_down(self, seconds: float) -> None:
        """amoCRM said 429: no slots for anybody in the next `seconds`."""

    def open_breaker(self, reason: str) -> float:
        """amoCRM blocks the account: no requests from anybody except one probe now and then. Seconds to the next."""
