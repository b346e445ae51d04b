"""Whose facts must be looked at now. Pure.

Every client has a time at which he is looked at anyway, never later than the first moment when a rule could become true
by silence alone. So a plain visit wakes nobody: it can only put that moment off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from functions.shared.care import Client
from functions.shared.facts import Fact

LATE = timedelta(hours=1)
"""Older facts may change what was judged since they happened: a stretch that began did not."""


def to_wake(
    facts: Iterable[Fact], clients: Mapping[int, Client], wakes: frozenset[str], now: datetime
) -> frozenset[int]:
    """Ids of the clients who are to be looked at. `facts` include those that were known already: the attempt that
    stored them may have died before it told anybody. `wakes` are the types that can make some rule true earlier."""
    return frozenset(fact.client for fact in facts if _wakes(fact, clients[fact.client], wakes, now))


def _wakes(fact: Fact, client: Client, wakes: frozenset[str], now: datetime) -> bool:
    is_unknown = client.version == 0  # nothing looks at him yet
    is_surprise = fact.recorded is not None or now - fact.time > LATE
    return is_unknown or bool(client.merged_into) or is_surprise or fact.type in wakes | client.exits
