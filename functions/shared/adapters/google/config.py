"""Everything that can be set about the way to Google, as one frozen value."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

AUTH = "https://www.googleapis.com/auth/"
CALENDAR_SCOPES = (f"{AUTH}calendar.events.owned", f"{AUTH}calendar.freebusy")
MEET_SCOPES = (f"{AUTH}meetings.space.readonly", f"{AUTH}meetings.space.settings")
AWAY_SCOPES = (f"{AUTH}calendar.events.readonly",)
"""The least that each kind of request needs (Google Calendar API, Google Meet API: scopes). Tokens are asked for one
kind at a time, so that a firm which grants no Meet scope still gets its meetings, only without recordings."""


@dataclass(frozen=True)
class GoogleConfig:
    """Times are seconds. `attempts` is how often a request goes out; in process only short waits make sense: what
    lasts is left to the queue."""

    calendar_url: str = "https://www.googleapis.com/calendar/v3"
    meet_url: str = "https://meet.googleapis.com/v2"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105
    audience: str = "https://oauth2.googleapis.com/token"
    """Whom a service account's request for a token is addressed to; not where it is sent, should that be elsewhere."""
    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    attempts: int = 3
    pending_wait: float = 1.5
    """A link comes a second or two after the event (Google Calendar API: conference data)."""
    quota_wait: float = 3600.0
    """Anti-abuse limits refill in hours; asking again sooner makes it worse (Google Workspace: calendar limits)."""
    rate_wait: float = 60.0
    """Rates are counted by the minute (Google Calendar API: quotas)."""
    jitter: Callable[[], float] = random.random

    @classmethod
    def at(cls, url: str) -> GoogleConfig:
        """All of Google below one address, as the local stack has it."""
        return cls(f"{url}/calendar/v3", f"{url}/v2", f"{url}/token")

    def backoff(self, attempt: int) -> float:
        """Before attempt + 1: 2^n seconds and up to one more (Google Calendar API: quotas, exponential backoff)."""
        return float(2 ** (attempt - 1)) + self.jitter()
