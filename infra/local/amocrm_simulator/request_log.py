"""What clients asked, for tests and benches that count requests."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT = 200_000
"""Lines of the log; a stack that runs for days must not grow."""


@dataclass(frozen=True)
class Request:
    """One request; `token` is the name of the integration, empty without a valid token; `path` is the concrete one."""

    at: datetime
    token: str
    method: str
    path: str
    status: int


class RequestLog:
    """Requests to /api/v4 and /oauth2: `total`, `throttled` (429), `by_path` per (method, path template)."""

    def __init__(self) -> None:
        self.total = 0
        self.throttled = 0
        self.by_path: Counter[tuple[str, str]] = Counter()
        self.log: deque[Request] = deque(maxlen=KEPT)

    def record(self, request: Request, template: str) -> None:
        self.total += 1
        self.throttled += request.status == 429
        self.by_path[request.method, template] += 1
        self.log.append(request)

    def busiest_second(self, token: str | None = None) -> int:
        """The largest number of requests, refused ones included, in any second [t, t + 1 s)."""
        times = sorted(request.at for request in self.log if token is None or request.token == token)
        busiest = start = 0
        for end, at in enumerate(times):
            while times[start] <= at - timedelta(seconds=1):
                start += 1
            busiest = max(busiest, end - start + 1)
        return busiest
