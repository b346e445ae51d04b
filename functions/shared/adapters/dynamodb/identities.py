"""Who is behind a phone, an e-mail or a foreign id, as keyed hashes; and the facts of people whom nobody knows yet.

The hashes come from the caller, and nothing here can be turned back into a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.facts import content_of, fact_of, tail_of
from functions.shared.adapters.dynamodb.rows import rewrite
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.facts import Fact

PARKED_FOR = timedelta(days=90)
"""Facts of people whom nobody has named in a quarter are let go."""


@dataclass(frozen=True)
class Parked:
    """Facts that came under one hash: how many, the times of the first and the last, and between which clients nobody
    could choose (none: nobody has it)."""

    hashed: str
    facts: int
    first_at: datetime
    last_at: datetime
    sources: frozenset[str]
    candidates: frozenset[int]


class Identities:
    def __init__(self, table: Table) -> None:
        self._table = table

    def know(self, client: int, hashes: Iterable[str], told_by: str = "amocrm") -> None:
        """These are the client's now, as far as `told_by` knows; what it said of him before and says no more is taken
        back. May be repeated after any crash: what is to be taken back is forgotten last. Raises Contended."""
        wanted = sorted(set(hashes))
        before = self._told(client)
        elsewhere = {each for source, told in before.items() if source != told_by for each in told}
        gone = set(before.get(told_by, [])) - set(wanted) - elsewhere
        if not gone and wanted == before.get(told_by, []):
            return
        for hashed in wanted:
            rewrite(self._table, keys.identity(hashed), lambda item: _with(item, client))
        for hashed in sorted(gone):
            rewrite(self._table, keys.identity(hashed), lambda item: _without(item, client))
        rewrite(self._table, keys.aliases(client), lambda item: _aliases(item, told_by, wanted))

    def clients_of(self, hashes: Iterable[str]) -> dict[str, frozenset[int]]:
        """By hash; several clients (a family's phone) are for the caller to refuse, a hash nobody has is missing."""
        rows = self._table.get_many(map(keys.identity, hashes))
        return {row["pk"].removeprefix("IDENTITY#"): frozenset(row["clients"]) for row in rows if row["clients"]}

    def park(self, hashed: str, facts: Iterable[Fact], candidates: Iterable[int] = ()) -> list[Fact]:
        """Keep facts of somebody unknown until a person says who it is; returns those that were not known before."""
        among = sorted(candidates)
        return [fact for fact in facts if self._park(hashed, fact, among)]

    def parked(self) -> list[Parked]:
        """What waits for a person, the most facts first. Reads all of it."""
        found: dict[str, list[Item]] = {}
        for row in self._table.between(_REVIEW, keys.FIRST, keys.LAST):
            found.setdefault(row["sk"].partition("#")[0], []).append(row)
        listed = [_parked_from(hashed, rows) for hashed, rows in found.items()]
        return sorted(listed, key=lambda each: (-each.facts, each.hashed))

    def release(self, hashed: str, client: int, put: Callable[[Sequence[Fact]], object]) -> list[Fact]:
        """They are this client's: `put` stores them as his before they are taken from here."""
        rows = list(self._table.query(_REVIEW, f"{hashed}#"))
        facts = [replace(_fact_from(row), client=client) for row in rows]
        put(facts)
        for row in rows:
            self._table.delete(keys.Key(pk=row["pk"], sk=row["sk"]))
        return facts

    def _told(self, client: int) -> dict[str, list[str]]:
        row = self._table.get(keys.aliases(client))
        return dict(row["hashes"]) if row else {}

    def _park(self, hashed: str, fact: Fact, candidates: list[int]) -> bool:
        item = {**keys.parked_fact(hashed, tail_of(fact)), **content_of(fact), "entity": "parked_fact"}
        item |= {"expires_at": int((fact.received + PARKED_FOR).timestamp())}
        item |= {"candidates": candidates} if candidates else {}
        try:
            self._table.put(item, "attribute_not_exists(pk)")
        except ConditionFailed:
            return False
        return True


_REVIEW = keys.parked_fact("", "")["pk"]


def _with(item: Item, client: int) -> Item | None:
    known = item.get("clients", [])
    return None if client in known else {"entity": "identity", "clients": sorted([*known, client])}


def _without(item: Item, client: int) -> Item | None:
    known = item.get("clients", [])
    return {**item, "clients": [each for each in known if each != client]} if client in known else None


def _aliases(item: Item, told_by: str, hashes: list[str]) -> Item:
    return {"entity": "aliases", "hashes": {**item.get("hashes", {}), told_by: hashes}}


def _fact_from(row: Item) -> Fact:
    return fact_of(0, row["sk"].partition("#")[2], row)


def _parked_from(hashed: str, rows: list[Item]) -> Parked:
    facts = [_fact_from(row) for row in rows]
    return Parked(
        hashed=hashed,
        facts=len(facts),
        first_at=min(fact.time for fact in facts),
        last_at=max(fact.time for fact in facts),
        sources=frozenset(fact.source for fact in facts),
        candidates=frozenset(client for row in rows for client in row.get("candidates", [])),
    )
