"""From told facts to stored ones: about whom, kept where, and who is looked at afterwards. The door and the import of a
file both come here.

Everything may be taken again after any crash: facts are known by their ids, and clients are woken by facts that were
known already, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from functions.activity_intake.answers import Result, result
from functions.activity_intake.ladder import Found, climb
from functions.activity_intake.telling import Handle, Invalid, Told
from functions.activity_intake.waking import to_wake
from functions.shared.adapters.dynamodb.clients import Clients
from functions.shared.adapters.dynamodb.facts import Facts
from functions.shared.adapters.dynamodb.feeds import Feeds
from functions.shared.adapters.dynamodb.identities import Identities
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.clock import Clock
from functions.shared.facts import HEARTBEAT, Fact
from functions.shared.handle_hash import handle_hash
from functions.shared.remembered import Remembered

RULES_AGE = timedelta(minutes=1)
"""After new rules are published all clients are looked at, which takes longer than this for more than a few."""

A_MOMENT = timedelta(seconds=1)
"""A wake that waits for its fact must not come at its very instant: clocks of machines differ a little."""


class CareDoor(Protocol):
    def wake(self, clients: Iterable[int], now: datetime, after: timedelta = timedelta(0)) -> None:
        """Have these clients looked at, after so long. Raises RetryLater."""


@dataclass(frozen=True)
class Stores:
    facts: Facts
    clients: Clients
    feeds: Feeds
    identities: Identities
    rule_books: RuleBookStore

    @classmethod
    def on(cls, table: Table) -> Stores:
        return cls(Facts(table), Clients(table), Feeds(table), Identities(table), RuleBookStore(table))


@dataclass(frozen=True)
class Place:
    """Where a fact goes: to a client, or to those whom a person has to name."""

    fact: Fact
    found: Found


class Taking:
    """`identity_key` gives the key under which handles are hashed."""

    def __init__(self, stores: Stores, identity_key: Callable[[], str], care: CareDoor, clock: Clock) -> None:
        self._stores = stores
        self._identity_key = identity_key
        self._care = care
        self._book = Remembered(stores.rule_books.current, clock, RULES_AGE)

    def take(self, told: Sequence[Told | Invalid], now: datetime) -> list[Result]:
        """What became of each, in order. Raises RetryLater, where some may be stored, and NotConfigured."""
        placed = self.placed(told, now)
        of_clients = [place.fact for place in placed if place and place.found.client]
        new = set(map(id, self._stores.facts.put(of_clients)))
        self._park([place for place in placed if place and not place.found.client])
        self._wake(of_clients, now)
        return [
            result(one, place.found if place else None, is_new=place is None or id(place.fact) in new)
            for one, place in zip(told, placed, strict=True)
        ]

    def placed(self, told: Sequence[Told | Invalid], now: datetime) -> list[Place | None]:
        """Where each would go; reads only. None for what is about no client: an invalid item, a heartbeat."""
        about = [one if isinstance(one, Told) and one.type != HEARTBEAT else None for one in told]
        hash_of = partial(_hash_of, self._identity_key())
        hashes = {hash_of(handle) for one in about if one for handle in _sought(one.handles)}
        known = self._stores.identities.clients_of(sorted(hashes))
        return [_place(one, climb(one.handles, hash_of, known), now) if one else None for one in about]

    def _park(self, places: Iterable[Place]) -> None:
        for place in places:
            self._stores.identities.park(place.found.under, [place.fact], place.found.candidates)

    def _wake(self, facts: Sequence[Fact], now: datetime) -> None:
        """The rows are read after the facts are stored: an episode that was made before waits for them visibly, one
        that is made later has read them."""
        clients = self._stores.clients.of({fact.client for fact in facts}, consistent=True)
        woken = to_wake(facts, clients, self._book.get(), now)
        ahead = {client for client, after in woken.items() if after > timedelta(0)}
        if woken.keys() - ahead:
            self._care.wake(woken.keys() - ahead, now)
        if ahead:
            self._care.wake(ahead, now, max(woken.values()) + A_MOMENT)


def _place(told: Told, found: Found, now: datetime) -> Place:
    fact = Fact(found.client, told.source, told.id, told.type, told.time, now, told.recorded, told.data)
    return Place(fact, found)


def _sought(handles: Sequence[Handle]) -> list[Handle]:
    """Those that have to be looked up: an id of amoCRM says everything."""
    return [] if any(handle.kind == "crm" for handle in handles) else [*handles]


def _hash_of(key: str, handle: Handle) -> str:
    return handle_hash(key, str(handle))
