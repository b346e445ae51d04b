"""What is known of each client: one row of less than a kilobyte, found again by the time when he is to be looked at."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.facts import fact_from
from functions.shared.adapters.dynamodb.rows import from_micros, micros, moment, present, text, unmoved
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Moved, Table
from functions.shared.care import Client, Held, OpenTask, Status, Trace
from functions.shared.facts import Fact

KIND = "care"


class Clients:
    def __init__(self, table: Table) -> None:
        self._table = table

    def wake_view(self, client_id: int, since: datetime | None, consistent: bool = False) -> tuple[Client, list[Fact]]:
        """His row (version 0 if he has none) and his facts in one request: of lasting types all, of frequent ones those
        since then (None: all)."""
        partition = keys.client(client_id)
        rows = list(self._table.between(partition["pk"], keys.facts_since(since), partition["sk"], consistent))
        known = client_from(rows.pop()) if rows and rows[-1]["sk"] == partition["sk"] else Client(client_id)
        return known, [fact_from(row) for row in rows]

    def full(self, client_id: int) -> tuple[Client, list[Fact]]:
        """His row and all his facts, as they are now."""
        return self.wake_view(client_id, since=None, consistent=True)

    def of(self, client_ids: Iterable[int], consistent: bool = False) -> dict[int, Client]:
        """The rows alone; one who has none yet has version 0."""
        wanted = list(dict.fromkeys(client_ids))
        items = self._table.get_many(map(keys.client, wanted), consistent)
        found = {client.id: client for client in map(client_from, items)}
        return {client_id: found.get(client_id) or Client(client_id) for client_id in wanted}

    def put(self, client: Client) -> Client:
        """Store what was made of the row that has `client.version`; returns it as stored. Raises Moved."""
        self.enlist(client)
        item, condition, values = version_of(client)
        try:
            self._table.put(item, condition, values)
        except ConditionFailed as failed:
            raise Moved(f"client {client.id}") from failed
        return client_from(item)

    def enlist(self, client: Client) -> None:
        """Put a new client on the list of all, before he has a row: nobody can be missing there."""
        if client.version == 0:
            self._table.put({**keys.listed_client(client.id)})

    def due(self, now: datetime, at_most: int) -> list[int]:
        """Ids of the clients who are to be looked at, the longest due first. Costs in proportion to them."""
        page = at_most // keys.CLIENT_SHARDS + 1
        shards = [
            self._table.due(keys.DUE_INDEX, keys.due_shard(KIND, shard), keys.due_at(now), page)
            for shard in range(keys.CLIENT_SHARDS)
        ]
        rows = heapq.merge(*shards, key=lambda row: str(row["due_at"]))
        return [_id_of(row) for row in islice(rows, at_most)]

    def listed(self, shard: int, after: int = 0, at_most: int = 1000) -> list[int]:
        """Ids of all clients of a shard (0 … CLIENT_SHARDS − 1), due or not, beginning behind `after`, in an order that
        never changes. Fewer than `at_most`: that was the last page."""
        first = str(after) if after else ""
        rows = self._table.between(keys.clients_of_shard(shard), first or "0", ":", consistent=False, page=at_most + 1)
        ids = (int(row["sk"]) for row in rows)
        return list(islice((each for each in ids if each != after), at_most))


def version_of(client: Client) -> tuple[Item, str, Item | None]:
    """The next version of his row, and condition and values under which it may be written."""
    return item_of(replace(client, version=client.version + 1)), *unmoved(client.version)


def item_of(client: Client) -> Item:
    plain: dict[str, Any] = {
        "manager": client.manager,
        "lead_id": client.lead_id,
        "zone": client.zone,
        "salt": client.salt,
        "opted_out": client.opted_out,
        "first_at": text(client.first_at),
        "exits": sorted(client.exits),
        "traces": [_trace_item(trace) for trace in client.traces],
        "held": [[each.rule, each.anchor, each.gate, micros(each.true_at)] for each in client.held],
        "open_task": _task_item(client.open_task) if client.open_task else None,
        "merged_into": client.merged_into,
        "rules_version": client.rules_version,
    }
    item: Item = {**keys.client(client.id), "entity": "client", "version": client.version, **present(plain)}
    if client.due_at is not None:
        shard = keys.due_shard(KIND, keys.client_shard(client.id))
        item |= {"due_shard": shard, "due_at": keys.due_at(client.due_at)}
    return item


def client_from(item: Item) -> Client:
    """`due_at` comes back to the second, which is not later than it was."""
    return Client(
        id=_id_of(item),
        version=item["version"],
        manager=item.get("manager", 0),
        lead_id=item.get("lead_id", 0),
        zone=item.get("zone", ""),
        salt=item.get("salt", ""),
        opted_out=item.get("opted_out", False),
        first_at=moment(item.get("first_at")),
        due_at=moment(item.get("due_at")),
        exits=frozenset(item.get("exits", [])),
        traces=tuple(map(_trace_from, item.get("traces", []))),
        held=tuple(_held_from(each) for each in item.get("held", [])),
        open_task=_task_from(item["open_task"]) if "open_task" in item else None,
        merged_into=item.get("merged_into", 0),
        rules_version=item.get("rules_version", 0),
    )


def _id_of(item: Item) -> int:
    return int(item["pk"].removeprefix("CLIENT#"))


def _trace_item(trace: Trace) -> list[Any]:
    """Positions instead of names: these are most of the row."""
    common = [trace.rule, trace.anchor, trace.status.value, micros(trace.true_at), micros(trace.decided_at)]
    if trace.escalations:
        return [*common, trace.task_id, list(trace.escalations)]
    return [*common, trace.task_id] if trace.task_id else common


def _trace_from(item: list[Any]) -> Trace:
    rule, anchor, status, true_at, decided_at, *rest = item
    moments = from_micros(true_at), from_micros(decided_at)
    return Trace(rule, anchor, Status(status), *moments, *rest[:1], *map(tuple, rest[1:]))


def _held_from(item: list[Any]) -> Held:
    rule, anchor, gate, true_at = item
    return Held(rule, anchor, gate, from_micros(true_at))


def _task_item(task: OpenTask) -> Item:
    return {
        "task_id": task.task_id,
        "due_till": text(task.due_till),
        "set_at": text(task.set_at),
        "touched_at": text(task.touched_at),
        **present(
            {
                "manager": task.manager,
                "lead_id": task.lead_id,
                "text": task.text,
                "reasons": [list(key) for key in task.reasons],
                "struck": [list(key) for key in task.struck],
                "begun": task.begun,
            }
        ),
    }


def _task_from(item: Item) -> OpenTask:
    return OpenTask(
        task_id=item["task_id"],
        manager=item.get("manager", 0),
        lead_id=item.get("lead_id", 0),
        text=item.get("text", ""),
        due_till=datetime.fromisoformat(item["due_till"]),
        set_at=datetime.fromisoformat(item["set_at"]),
        touched_at=datetime.fromisoformat(item["touched_at"]),
        reasons=tuple((rule, anchor) for rule, anchor in item.get("reasons", [])),
        struck=tuple((rule, anchor) for rule, anchor in item.get("struck", [])),
        begun=item.get("begun", False),
    )
