"""Whose facts must be looked at now. Pure.

Every client has a time at which he is looked at anyway, never later than the first moment when a rule could become true
by silence alone. So a plain visit wakes nobody: it can only put that moment off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from functions.shared.care import Client, RuleBook
from functions.shared.facts import Fact

LATE = timedelta(hours=1)
"""Older facts may change what was judged since they happened: a stretch that began did not."""


def to_wake(
    facts: Iterable[Fact], clients: Mapping[int, Client], book: RuleBook, now: datetime
) -> dict[int, timedelta]:
    """The clients who are to be looked at, each after how long: at once, or where a clock ahead of ours dates his fact
    later, not before it has happened. `facts` include those that were known already: the attempt that stored them may
    have died before it told anybody."""
    wanted: dict[int, timedelta] = {}
    for fact in facts:
        if _wakes(fact, clients[fact.client], book, now):
            wanted[fact.client] = max(wanted.get(fact.client, timedelta(0)), fact.time - now)
    return wanted


def _wakes(fact: Fact, client: Client, book: RuleBook, now: datetime) -> bool:
    is_unknown = client.version == 0
    is_unjudged = client.due_at is None and client.rules_version < book.version  # nothing else would look at him
    is_surprise = fact.recorded is not None or now - fact.time > LATE
    concerns = fact.type in book.wakes or fact.type in client.exits
    return is_unknown or is_unjudged or bool(client.merged_into) or is_surprise or concerns
