"""A person says who it was: parked facts become a client's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.activity_intake.taking import CareDoor, Stores
from functions.shared.adapters.dynamodb.identities import Parked
from functions.shared.errors import BadInput
from functions.shared.facts import Fact

SHORTEST = 6
"""Letters of a hash: fewer are too easily another's."""


@dataclass(frozen=True)
class Assigned:
    """`is_learned`: what comes under the hash from now on is his, too."""

    client: int
    facts: int
    is_learned: bool


def chosen(parked: Iterable[Parked], beginning: str) -> Parked:
    """The one whose hash begins so. Raises BadInput."""
    wanted = beginning.strip().casefold()
    if len(wanted) < SHORTEST:
        raise BadInput(f"give at least {SHORTEST} letters of the hash, as `conveyor events review` shows it")
    found = [each for each in parked if each.hashed.startswith(wanted)]
    if len(found) != 1:
        many = "several hashes begin so: give more of it" if found else "nothing waits under this hash"
        raise BadInput(f"{many} (`conveyor events review`)")
    return found[0]


def assign(stores: Stores, parked: Parked, client: int | None, care: CareDoor, now: datetime) -> Assigned:
    """`client` None: who is known under the hash by now. May be repeated after any crash: the hash is learned first and
    the client woken before the facts are taken from the review. Raises BadInput, RetryLater."""
    hashed = parked.hashed
    owners = stores.identities.clients_of([hashed]).get(hashed, frozenset())
    if client is None:
        if len(owners) != 1:
            raise BadInput("nobody, or more than one, is known under this hash: name the contact")
        (client,) = owners
    if not owners:
        stores.identities.know(client, [hashed], told_by=f"review:{hashed[:16]}")

    def put(facts: Sequence[Fact]) -> None:
        stores.facts.put(facts)
        care.wake([client], now)

    released = stores.identities.release(hashed, client, put)
    return Assigned(client, len(released), is_learned=len(owners | {client}) == 1)
