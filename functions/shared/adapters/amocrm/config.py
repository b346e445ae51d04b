"""Everything that can be set about the way to amoCRM, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from functions.shared.adapters.amocrm.retry import Backoff, RetryPolicy


@dataclass(frozen=True)
class AmoCrmConfig:
    """Limits and sizes of the client; nothing else in the package reads options.

    `base_url` is the account's own host, e.g. https://firm.amocrm.ru (amoCRM answers only there). Times are seconds.
    """

    base_url: str
    connect_timeout: float = 2.0
    read_timeout: float = 10.0
    """amoCRM's own client waits 20 s for an answer; three such waits would outlast a function's 60 s."""
    retry: RetryPolicy = field(default_factory=Backoff)
    slowdown: float = 10.0
    longest_slowdown: float = 60.0
    """For everybody, after a 429 that is not asked again at once: without and with a wait named by amoCRM. It counts by
    the second; Kommo's 300 s are cut, for five minutes without leads cost more than one request a minute."""
    write_size: int = 50
    """Recommended by amoCRM; 250 is the hard limit (amoCRM API: recommendations)."""
    read_size: int = 250
    """The largest page; above it amoCRM answers 422."""
    events_size: int = 100
    """The same for the history (amoCRM API: events)."""
    query_length: int = 6_400
    """Characters of a query string: nginx refuses request lines above 8 KiB, and the path and proxies want room."""
    max_pages: int = 40
    """10,000 rows of one question. More means that a filter is not what we think it is."""
    settle: float = 5.0
    """After an ambiguous write: lists may lag behind by seconds, and the lost request may still be at work."""
    token_endpoint_timeout: float = 15.0
    """amoCRM's own client waits 15 s for the token endpoint."""
