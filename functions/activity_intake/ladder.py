"""Whose fact it is: the first rung of the ladder that leads to exactly one client. Pure.

Nobody is guessed: what leads to several clients (a family's phone) waits for a person, and so does what leads to none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from functions.activity_intake.telling import Handle


@dataclass(frozen=True)
class Found:
    """`client` is the amoCRM contact, or 0: then the fact waits under the hash `under`, and `candidates` are those
    between whom nobody could choose (none: nobody is known by any of the handles). The hash is of the surest handle: a
    person who names the owner of a turnstile's card names him for ever, of a family's phone only for once."""

    client: int = 0
    under: str = ""
    candidates: frozenset[int] = frozenset()


def climb(handles: Sequence[Handle], hash_of: Callable[[Handle], str], known: Mapping[str, frozenset[int]]) -> Found:
    """`handles` the surest first, at least one; `known` are clients by hash, as far as there are any."""
    for handle in handles:
        if handle.kind == "crm":
            return Found(client=int(handle.value))
        clients = known.get(hash_of(handle), frozenset())
        if len(clients) == 1:
            return Found(client=min(clients))
        if clients:
            return Found(under=hash_of(handles[0]), candidates=clients)
    return Found(under=hash_of(handles[0]))
