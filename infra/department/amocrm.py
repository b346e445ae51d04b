"""The way to amoCRM for setting an account up: the client of the functions, paced by itself instead of by the table."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from functions.shared.adapters.amocrm.client import AmoCrmClient, open_http
from functions.shared.adapters.amocrm.config import AmoCrmConfig
from functions.shared.errors import AmoCrmUnauthorized, AmoCrmUnavailable

if TYPE_CHECKING:
    import httpx

    from functions.shared.clock import Clock

REQUESTS_PER_SECOND = 5
"""amoCRM allows an integration 7 (amoCRM API: limits)."""


def open_client(base_url: str, token: str, clock: Clock, transport: httpx.BaseTransport | None = None) -> AmoCrmClient:
    """A client for one account with a fixed token. `transport` None is the network."""
    config = AmoCrmConfig(base_url)
    http = open_http(config, transport)
    return AmoCrmClient(
        config=config,
        http=lambda: http,
        budget=PacedBudget(clock),
        tokens=FixedToken(token),
        clock=clock,
        telemetry=ConsoleTelemetry(),
    )


class PacedBudget:
    """A RequestBudget of one process: a request every fifth of a second, and none after a block."""

    def __init__(self, clock: Clock, per_second: float = REQUESTS_PER_SECOND) -> None:
        self._clock = clock
        self._interval = timedelta(seconds=1 / per_second)
        self._next: datetime = clock.now()
        self._blocked: str | None = None

    def expect(self, requests: int) -> None:
        """Nothing is leased, so nothing need be known ahead."""

    def acquire(self) -> None:
        if self._blocked:
            raise AmoCrmUnavailable(f"amoCRM has blocked the account: {self._blocked}")
        now = self._clock.now()
        if now < self._next:
            self._clock.sleep((self._next - now).total_seconds())
        self._next = max(now, self._next) + self._interval

    def answered(self) -> None:
        """No half-open state to leave: a block ends the process."""

    def slow_down(self, seconds: float) -> None:
        self._next = max(self._next, self._clock.now() + timedelta(seconds=seconds))

    def open_breaker(self, reason: str) -> float:
        self._blocked = reason
        return 3600.0


class FixedToken:
    """A TokenProvider for a token that somebody handed in: a 401 is final."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renew(self, rejected: str) -> str:  # noqa: ARG002 (there is no other token)
        raise AmoCrmUnauthorized("amoCRM refuses the token: it is mistyped, expired or revoked", 401)


class ConsoleTelemetry:
    """Warnings on stderr, for the person who waits; nothing else."""

    def info(self, event: str, **fields: object) -> None:
        pass

    def warning(self, event: str, **fields: object) -> None:
        print(event, *(f"{name}={value}" for name, value in fields.items()), file=sys.stderr)

    def exception(self, event: str, **fields: object) -> None:
        self.warning(event, **fields)

    def count(self, metric: str, value: int = 1) -> None:
        pass

    def flush(self) -> None:
        pass
