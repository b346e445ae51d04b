"""What a client did: facts, told by a turnstile, a till, a form, or amoCRM itself. Pure.

The order in which facts arrive never matters, only when they happened. A fact is known by its source and its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SESSION_BOOKED = "session.booked"
SESSION_CANCELLED = "session.cancelled"
VISIT_ATTENDED = "visit.attended"
VISIT_MISSED = "visit.missed"
PURCHASE_COMPLETED = "purchase.completed"
PURCHASE_REFUNDED = "purchase.refunded"
SUBSCRIPTION_STARTED = "subscription.started"
SUBSCRIPTION_RENEWED = "subscription.renewed"
SUBSCRIPTION_FROZEN = "subscription.frozen"
SUBSCRIPTION_UNFROZEN = "subscription.unfrozen"
SUBSCRIPTION_CANCELLED = "subscription.cancelled"
NPS_RESPONDED = "nps.responded"
PROFILE_UPDATED = "profile.updated"
CONTACTED = "client.contacted"
"""A call or a message to the client, seen in amoCRM."""
STAGE_ENTERED = "stage.entered"
"""The client's card in aftercare came into a stage: `stage` is its key, `won` or `lost` where it was closed."""
HEARTBEAT = "source.heartbeat"
"""About a source and no client: it has told everything until `complete_until`."""

LASTING = frozenset(
    {
        PURCHASE_COMPLETED,
        PURCHASE_REFUNDED,
        SUBSCRIPTION_STARTED,
        SUBSCRIPTION_RENEWED,
        SUBSCRIPTION_FROZEN,
        SUBSCRIPTION_UNFROZEN,
        SUBSCRIPTION_CANCELLED,
        NPS_RESPONDED,
        PROFILE_UPDATED,
        CONTACTED,
        STAGE_ENTERED,
    }
)
"""Few in a client's life and needed for long: always read whole. All others (visits, sessions, types that nobody knows)
may be many, and are read as far back as the rules look."""


@dataclass(frozen=True)
class Fact:
    """`time` is when it happened, `recorded` when the source wrote it (None: it does not say), `received` when it
    reached us; all aware, in UTC. `client` is the id of the amoCRM contact. `data` is what the source says besides, as
    JSON gives it, except that numbers with a fraction are kept as Decimal."""

    client: int
    source: str
    id: str
    type: str
    time: datetime
    received: datetime
    recorded: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def reference(self) -> str:
        """The key as one text, for evidence."""
        return f"{self.source}/{self.id}"


def current(facts: Iterable[Fact]) -> list[Fact]:
    """One version of every fact, sorted by time: of several with the same (source, id) the one that was recorded last;
    of those that say nothing about it the one that was received first."""
    versions: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        standing = versions.get(fact.key)
        if standing is None or _is_newer(fact, standing):
            versions[fact.key] = fact
    return sorted(versions.values(), key=lambda fact: (fact.time, fact.source, fact.id))


def _is_newer(fact: Fact, standing: Fact) -> bool:
    if fact.recorded is None or standing.recorded is None:
        if (fact.recorded is None) != (standing.recorded is None):
            return fact.recorded is not None
        return fact.received < standing.received
    return (fact.recorded, -fact.received.timestamp()) > (standing.recorded, -standing.received.timestamp())
