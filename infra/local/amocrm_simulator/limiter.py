"""amoCRM's request limits: a sliding second per integration and per account, then the block of everything.

Only requests that pass count towards the second; every refused one counts as an excess.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

from infra.local.amocrm_simulator.switches import Switches

SECOND = timedelta(seconds=1)
MEMORY_OF_EXCESSES = timedelta(hours=1)
ACCOUNT = ""


class Limiter:
    """Decides about one request at a time; `blocked` stays until `reset`."""

    def __init__(self) -> None:
        self.blocked = False
        self._passed: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._excesses: deque[datetime] = deque()

    def allows(self, integration: str | None, now: datetime, switches: Switches) -> bool:
        """May this request pass? `integration` is None for a request without a valid token."""
        limits = {ACCOUNT: switches.per_account_per_second}
        if integration is not None:
            limits[integration] = switches.per_token_per_second
        for name in limits:
            _forget(self._passed[name], now - SECOND)
        if all(len(self._passed[name]) < limit for name, limit in limits.items()):
            for name in limits:
                self._passed[name].append(now)
            return True
        self._note_excess(now, switches.block_after)
        return False

    def reset(self) -> None:
        self.blocked = False
        self._excesses.clear()

    def _note_excess(self, now: datetime, block_after: int) -> None:
        _forget(self._excesses, now - MEMORY_OF_EXCESSES)
        self._excesses.append(now)
        self.blocked = len(self._excesses) >= block_after


def _forget(times: deque[datetime], until: datetime) -> None:
    while times and times[0] <= until:
        times.popleft()
