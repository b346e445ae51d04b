"""Takes in what sources tell: who speaks, what is said, about whom; stores it, and wakes whom it concerns.

Everything may be sent again after any crash: facts are known by their ids, and clients are woken by facts that were
known already, too. Nothing of a request is logged but counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from functions.activity_intake.answers import Answer, Result, later, refused, result, taken
from functions.activity_intake.credentials import NotAllowed
from functions.activity_intake.envelopes import CONTENT_TYPES, MOST_ITEMS, Item, items_of
from functions.activity_intake.ladder import Found, climb
from functions.activity_intake.normalising import Speaker, tell
from functions.activity_intake.remembered import Remembered
from functions.activity_intake.sources import Sources
from functions.activity_intake.telling import Handle, Invalid, Told, TooMany, UnknownContent, Unreadable
from functions.activity_intake.waking import to_wake
from functions.shared.adapters.dynamodb.clients import Clients
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.facts import Facts
from functions.shared.adapters.dynamodb.feeds import Feeds
from functions.shared.adapters.dynamodb.identities import Identities
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.clock import Clock
from functions.shared.errors import NotConfigured, RetryLater
from functions.shared.facts import HEARTBEAT, Fact
from functions.shared.handle_hash import handle_hash
from functions.shared.telemetry import Telemetry

MOST_BYTES = 1024 * 1024

RETRY_SECONDS = 5
"""Of a table that is busy, or an SSM that does not answer."""

BROKEN_SECONDS = 300
"""A person has to mend the installation first."""

COUNTRY_AGE = timedelta(minutes=5)
RULES_AGE = timedelta(minutes=1)
"""After new rules are published all clients are looked at, which takes longer than this for more than a few."""


class CareDoor(Protocol):
    def wake(self, clients: Iterable[int], now: datetime) -> None:
        """Have these clients looked at. Raises RetryLater."""


@dataclass(frozen=True)
class Stores:
    facts: Facts
    clients: Clients
    feeds: Feeds
    identities: Identities
    rule_books: RuleBookStore
    departments: Departments


@dataclass(frozen=True)
class _Place:
    """Where a fact goes: to a client, or to those whom a person has to name."""

    fact: Fact
    found: Found


class Intake:
    """All collaborators are handed in."""

    def __init__(self, stores: Stores, sources: Sources, care: CareDoor, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._sources = sources
        self._care = care
        self._telemetry = telemetry
        self._clock = clock
        self._country = Remembered(lambda: stores.departments.current().country, clock, COUNTRY_AGE)
        self._wakes = Remembered(lambda: stores.rule_books.current().wakes, clock, RULES_AGE)

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """A POST of facts; `headers` have lower-case names. What one item lacks never fails the others."""
        try:
            return self._answer(headers, body)
        except NotAllowed as error:
            return refused(401, str(error))
        except TooMany:
            return refused(413, f"send at most {MOST_ITEMS} items and {MOST_BYTES} bytes a request")
        except UnknownContent:
            return refused(415, f"send {', '.join(sorted(filter(None, CONTENT_TYPES)))}")
        except Unreadable as error:
            return refused(400, str(error))
        except RetryLater as error:
            self._interrupted(error)
            return later(429, "busy: send the same again", error.after or RETRY_SECONDS)
        except NotConfigured as error:
            self._interrupted(error)
            return later(
                503, "the installation lacks something, its log says what: send the same again", BROKEN_SECONDS
            )

    def _answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if len(body) > MOST_BYTES:
            raise TooMany
        source = self._sources.speaker(headers, body).source
        items = items_of(headers, body)
        results = self._take(items, Speaker(source, self._country.get()))
        self._telemetry.info("facts_told", source=source, **Counter(each.outcome.value for each in results))
        return taken(results)

    def _take(self, items: Sequence[Item | str], speaker: Speaker) -> list[Result]:
        now = self._clock.now()
        told = [tell(item, speaker, now) for item in items]
        placed = self._placed(told, now)
        of_clients = [place.fact for place in placed if place and place.found.client]
        new = set(map(id, self._stores.facts.put(of_clients)))
        self._park([place for place in placed if place and not place.found.client])
        self._wake(of_clients, now)
        self._touch([one for one in told if isinstance(one, Told)], now)
        return [
            result(one, place.found if place else None, is_new=place is None or id(place.fact) in new)
            for one, place in zip(told, placed, strict=True)
        ]

    def _placed(self, told: Sequence[Told | Invalid], now: datetime) -> list[_Place | None]:
        """None for what is about no client: an invalid item, a heartbeat."""
        about = [one if isinstance(one, Told) and one.type != HEARTBEAT else None for one in told]
        hash_of = partial(_hash_of, self._sources.identity_key())
        hashes = {hash_of(handle) for one in about if one for handle in _sought(one.handles)}
        known = self._stores.identities.clients_of(sorted(hashes))
        return [_place(one, climb(one.handles, hash_of, known), now) if one else None for one in about]

    def _park(self, places: Iterable[_Place]) -> None:
        for place in places:
            self._stores.identities.park(place.found.under, [place.fact], place.found.candidates)

    def _wake(self, facts: Sequence[Fact], now: datetime) -> None:
        """The rows are read after the facts are stored: an episode that was made before waits for them visibly, one
        that is made later has read them."""
        clients = self._stores.clients.of({fact.client for fact in facts}, consistent=False)
        woken = to_wake(facts, clients, self._wakes.get(), now)
        if woken:
            self._care.wake(woken, now)

    def _touch(self, told: Sequence[Told], now: datetime) -> None:
        for source in sorted({one.source for one in told}):
            own = [one for one in told if one.source == source]
            marks = [_complete_until(one, now) for one in own if one.type == HEARTBEAT]
            newest = max([one.time for one in own if one.type != HEARTBEAT] or marks)
            self._stores.feeds.touch(source, newest, now, max(marks, default=None))

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))


def _place(told: Told, found: Found, now: datetime) -> _Place:
    fact = Fact(found.client, told.source, told.id, told.type, told.time, now, told.recorded, told.data)
    return _Place(fact, found)


def _complete_until(heartbeat: Told, now: datetime) -> datetime:
    """A source cannot have told what has not happened yet."""
    return min(datetime.fromisoformat(heartbeat.data["complete_until"]).astimezone(UTC), now)


def _sought(handles: Sequence[Handle]) -> list[Handle]:
    """Those that have to be looked up: an id of amoCRM says everything."""
    return [] if any(handle.kind == "crm" for handle in handles) else [*handles]


def _hash_of(key: str, handle: Handle) -> str:
    return handle_hash(key, str(handle))
