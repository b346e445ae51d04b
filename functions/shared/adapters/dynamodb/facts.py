"""Facts of clients: one small row each, put once and never changed.

Of frequent types there may be hundreds a client, and they are read again at every wake. So the names of attributes are
short (t type, r received, d data), and what the key says is said nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import from_micros, micros
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.facts import LASTING, Fact

KEPT_FOR = timedelta(days=400)
"""Facts of frequent types: longer than a year, so that a rule may compare with the same month of the last one."""

AT_ONCE = 8
"""Puts in flight. A put waits for some milliseconds, a batch request may not have conditions, and a transaction would
cost twice as much; botocore keeps ten connections open."""


class Facts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, facts: Iterable[Fact]) -> list[Fact]:
        """Store them; returns those that were not known before, in the order given. Each costs a write unit, known or
        not. Raises RetryLater after all were tried: the same again then finds some of them known."""
        wanted: dict[tuple[str, str], Fact] = {}
        for fact in facts:
            key = key_of(fact)
            wanted.setdefault((key["pk"], key["sk"]), fact)
        return [fact for fact, is_new in zip(wanted.values(), self._put_all([*wanted.values()]), strict=True) if is_new]

    def of(self, client: int, since: datetime | None = None, consistent: bool = True) -> list[Fact]:
        """All versions of his facts: of lasting types all, of frequent ones those since then (None: all)."""
        partition = keys.client(client)
        rows = self._table.between(partition["pk"], keys.facts_since(since), partition["sk"], consistent)
        return [fact_from(row) for row in rows if row["sk"] != partition["sk"]]

    def _put_all(self, facts: list[Fact]) -> list[bool]:
        """The first one alone: it opens the client, which threads must not do at the same time."""
        outcomes = [self._put(fact) for fact in facts[:1]]
        if len(facts) > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes += pool.map(self._put, facts[1:])
        return outcomes

    def _put(self, fact: Fact) -> bool:
        try:
            self._table.put(item_of(fact), "attribute_not_exists(pk)")
        except ConditionFailed:
            return False
        return True


def item_of(fact: Fact) -> Item:
    item = {**key_of(fact), **content_of(fact)}
    if fact.type not in LASTING:
        item["expires_at"] = int((fact.time + KEPT_FOR).timestamp())
    return item


def key_of(fact: Fact) -> keys.Key:
    return keys.fact(fact.client, fact.type in LASTING, tail_of(fact))


def tail_of(fact: Fact) -> str:
    return keys.fact_tail(fact.time, fact.source, fact.id, fact.recorded)


def content_of(fact: Fact) -> Item:
    """What the key does not say."""
    return {"t": fact.type, "r": micros(fact.received)} | ({"d": to_json(fact.data)} if fact.data else {})


def fact_from(item: Item) -> Fact:
    """From a row of a client."""
    return fact_of(int(item["pk"].removeprefix("CLIENT#")), item["sk"].partition("#")[2], item)


def fact_of(client: int, tail: str, item: Item) -> Fact:
    time, source, fact_id, *recorded = tail.split("#")
    fact = Fact(
        client=client,
        source=keys.unescaped(source),
        id=keys.unescaped(fact_id),
        type=item["t"],
        time=_utc(time),
        received=from_micros(item["r"]),
        data=json.loads(item["d"], parse_float=Decimal) if "d" in item else {},
    )
    return replace(fact, recorded=_utc(recorded[0])) if recorded else fact


def to_json(value: Any) -> str:
    """Compact; numbers with a fraction digit by digit, which a float would not keep."""
    match value:
        case Mapping():
            return "{" + ",".join(f"{to_json(str(name))}:{to_json(each)}" for name, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(to_json(each) for each in value) + "]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
