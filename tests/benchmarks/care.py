"""What aftercare costs in DynamoDB's units, as AWS's own engine counts them (DynamoDB Local): a whole tick of the
function, tasks in amoCRM included, among ten thousand clients and among a hundred thousand, beside a model of its reads
that goes on to a million; and what a million facts cost."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count, islice
from math import ceil
from typing import Any

from functions.aftercare_triggers.rules.reading import read_rule, wakes_of
from functions.aftercare_triggers.service import Aftercare
from functions.aftercare_triggers.stores import Stores
from functions.shared.adapters.dynamodb import clients as client_rows
from functions.shared.adapters.dynamodb import facts as fact_rows
from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.clients import Clients
from functions.shared.adapters.dynamodb.facts import Facts
from functions.shared.adapters.dynamodb.feeds import Feeds
from functions.shared.adapters.dynamodb.identities import Identities
from functions.shared.adapters.dynamodb.table import Item, Table, encode
from functions.shared.care import Client, Round, RuleBook, Status, Trace
from functions.shared.facts import (
    PURCHASE_COMPLETED,
    SESSION_BOOKED,
    SUBSCRIPTION_STARTED,
    VISIT_ATTENDED,
    VISIT_MISSED,
    Fact,
)
from functions.shared.inbox import read_batch
from tests.benchmarks.burst import MONDAY
from tests.benchmarks.capacity import SCRATCH
from tests.builders import INNA, sqs_record
from tests.care_desk import HEAD, department
from tests.dynamodb_local import dynamodb_local, local_client
from tests.fakes import ManualClock, MemoryQueue, MemoryTelemetry, create_table
from tests.fakes_amocrm import FakeAmoCrm

SIZES = (10_000, 100_000)
MILLION = 1_000_000
DUE = 1_000
LOOKBACK = timedelta(days=120)
FACTS_A_MONTH = 8.5
MONTHS_BEFORE = 4
"""Of facts that lie further back than the rules look: a tick must not read them."""

GOAL = 1.5
WRITE_PRICE, READ_PRICE = 0.625, 0.125
"""Dollars a million units on demand, us-east-1 (AWS: DynamoDB pricing, since November 2024)."""

GYM: dict[str, Any] = {
    "id": "missed-3-trainings",
    "priority": 70,
    "when": {"count": {"of": VISIT_MISSED, "op": ">=", "n": 4, "in": "P10D"}},
    "cap": {"per_client": "none", "per_manager": "none"},
    "task": "Не был на 4 тренировках",
    "exit": {"on": VISIT_ATTENDED},
}
SILENT: dict[str, Any] = {
    "id": "silent",
    "priority": 50,
    "when": {"silence": {"of": VISIT_ATTENDED, "for": "P30D"}},
    "task": "Давно не был",
    "exit": {"on": VISIT_ATTENDED},
}
BOOK = 1
"""Its version: the clients of the benchmark were judged by it before."""


def run() -> dict[str, Any]:
    with dynamodb_local() as endpoint:
        bench = _Bench(endpoint)
        ticks = []
        for size in SIZES:
            bench.grow(size)
            ticks += [bench.tick(0), bench.tick(DUE)]
        ticks.append(_row(MILLION, DUE, None, bench.model(DUE)))
        return {
            "rows": ticks,
            "split": bench.writes(),
            "goal": f"{GOAL} reads a client that is due, however many clients there are",
            "baseline": f"a scan of a million such rows without a fact: {bench.scan(MILLION):,} reads a tick",
        }


class Meter:
    """A DynamoDB client that adds up the units of everything that goes through it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.reads = self.writes = 0.0

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            if operation == "transact_write_items":
                # of a transaction DynamoDB Local tells the units of one action only; see capacity.SCRATCH
                items = [action["Put"]["Item"] for action in request["TransactItems"]]
                alone = [self._client.put_item(TableName=SCRATCH, Item=item, **_TELL) for item in items]
                self.writes += 2 * sum(map(_units, alone))
                return self._client.transact_write_items(**request)
            try:
                answer = getattr(self._client, operation)(**request, **_TELL)
            except self._client.exceptions.ConditionalCheckFailedException:
                self.writes += 1  # DynamoDB charges the item's size all the same, and does not tell; ours are small
                raise
            if operation in ("put_item", "update_item", "delete_item"):
                self.writes += _units(answer)
            else:
                self.reads += _units(answer)
            return answer

        return call

    def take(self) -> tuple[float, float]:
        """Reads and writes since the last time."""
        units = self.reads, self.writes
        self.reads = self.writes = 0.0
        return units


_TELL = {"ReturnConsumedCapacity": "TOTAL"}


def _units(answer: dict[str, Any]) -> float:
    consumed = answer["ConsumedCapacity"]
    return sum(float(each["CapacityUnits"]) for each in (consumed if isinstance(consumed, list) else [consumed]))


class _Bench:
    """The first DUE clients have facts, the others only their rows; nobody is due but when a tick is measured."""

    def __init__(self, endpoint: str) -> None:
        self._client = local_client(endpoint)
        for name in ("conveyor", SCRATCH):
            create_table(self._client, name)
        self._meter = Meter(self._client)
        self._table = Table(lambda: self._meter, "conveyor")
        self._size = 0
        self._read = [_client(number) for number in range(DUE)]
        self._facts = [list(_facts(client.id)) for client in self._read]
        self._fill(fact_rows.item_of(fact) for facts in self._facts for fact in facts)
        self._publish()

    def _publish(self) -> None:
        """The book, and that everybody has been looked at under it."""
        stores = Stores.on(self._table)
        stores.departments.store(department())
        common = {"effective_from": "2026-01-01T00:00:00+03:00", "backfill": "current", "holdout": 0}
        documents = tuple(rule | common for rule in (GYM, SILENT))
        rules = tuple(map(read_rule, documents))
        stores.books.publish(RuleBook(0, documents, wakes=wakes_of(rules), lookback=LOOKBACK))
        for rule in rules:
            stores.books.approve(rule.id, MONDAY + timedelta(days=1))
        stores.rounds.put(None, Round(BOOK, MONDAY, ended_at=MONDAY))

    def grow(self, size: int) -> None:
        self._fill(client_rows.item_of(_client(number)) for number in range(self._size, size))
        self._size = size

    def tick(self, due: int) -> dict[str, Any]:
        """A process that has just started, with so many due; and then all is as it was before."""
        now = MONDAY
        clock = ManualClock(now)
        self._fill(client_rows.item_of(replace(each, due_at=now)) for each in self._read[:due])
        amocrm = FakeAmoCrm(clock)
        for user_id in (1, INNA, HEAD):
            amocrm.add_user(user_id)
        for client in self._read[:due]:
            amocrm.add_contact(client.id, responsible_user_id=INNA)
        tools: dict[str, Any] = {"queue": MemoryQueue(), "telemetry": MemoryTelemetry(), "clock": clock}
        stores = Stores.on(self._table)
        engine = Aftercare(amocrm=amocrm, stores=stores, identity_key=lambda: None, **tools)
        record = sqs_record(json.dumps({"tick": "care", "time": now.isoformat()}), "m0", now)
        self._meter.take()
        assert engine.handle(read_batch({"Records": [record]}), now + timedelta(seconds=60)) == []
        reads, writes = self._meter.take()
        rows = stores.clients.of(client.id for client in self._read[:due])
        assert all(row.version > client.version for row, client in zip(rows.values(), self._read, strict=False))
        self._forget_episodes(due)
        self._fill(map(client_rows.item_of, self._read))
        return _row(self._size, due, reads, self.model(due), writes, len(amocrm.tasks))

    def _forget_episodes(self, due: int) -> None:
        stores = Stores.on(self._table)
        for client in self._read[:due]:
            for episode in stores.episodes.of(client.id):
                self._table.delete(keys.episode(client.id, *episode.key))

    def model(self, due: int) -> float:
        """An eventually consistent Query costs half a unit for each begun 4 KB of the rows it reads (DynamoDB: read
        consumption), and no other rows: the number of clients does not occur."""
        views = [[fact_rows.item_of(fact) for fact in facts if _is_read(fact)] for facts in self._facts[:due]]
        rows = [client_rows.item_of(client) for client in self._read[:due]]
        wakes = sum(_reads(sum(map(item_size, [row, *facts]))) for row, facts in zip(rows, views, strict=True))
        return wakes + self._index(rows)

    def _index(self, rows: list[Item]) -> float:
        """One range of each shard; that of nobody costs half a unit too, though DynamoDB Local tells none."""
        names = ("pk", "sk", "due_shard", "due_at")
        shards = [0] * keys.CLIENT_SHARDS
        for row in rows:
            shards[int(row["due_shard"][-1])] += sum(len(name) + len(row[name]) for name in names)
        return sum(max(0.5, _reads(size)) for size in shards)

    def scan(self, clients: int) -> int:
        return round(_reads(clients * item_size(client_rows.item_of(self._read[0]))))

    def writes(self) -> list[dict[str, Any]]:
        """What is done with a fact, an hour of a feed and a client, unit by unit."""
        batch, alone = _new_facts(500), _new_facts(20)
        ids = [fact.client for fact in batch]
        hashes = [f"{number:064x}" for number in range(len(batch))]
        identities = Identities(self._table)
        for number, hashed in enumerate(hashes):
            identities.know(_client(number).id, [hashed])
        rearmed = self._read[:100]
        stored = Clients(self._table).of(client.id for client in rearmed)
        hour = [MONDAY + timedelta(seconds=10 * step) for step in range(360)]
        feeds = Feeds(self._table)
        done: list[tuple[str, int, Callable[[], object]]] = [
            ("a fact put, in batches", len(batch), lambda: Facts(self._table).put(batch)),
            ("a fact put, alone", len(alone), lambda: [Facts(self._table).put([fact]) for fact in alone]),
            ("a fact known before", len(batch), lambda: Facts(self._table).put(batch)),
            ("whose phone it is", len(hashes), lambda: identities.clients_of(hashes)),
            ("the client's row", len(ids), lambda: Clients(self._table).of(ids)),
            ("a fact in 10 s for an hour, the feed", len(hour), lambda: [feeds.touch("gate", at, at) for at in hour]),
            ("a client armed anew", len(rearmed), lambda: self._rearm(stored.values())),
        ]
        return [self._cost(*each) for each in done]

    def _rearm(self, rows: Iterable[Client]) -> None:
        for row in rows:
            Clients(self._table).put(replace(row, due_at=MONDAY + timedelta(days=9)))

    def _cost(self, what: str, times: int, do: Callable[[], object]) -> dict[str, Any]:
        self._meter.take()
        do()
        reads, writes = (units / times for units in self._meter.take())
        dollars = writes * WRITE_PRICE + reads * READ_PRICE
        units = {"reads": round(reads, 2), "writes": round(writes, 2)}
        return {"what": what, **units, "dollars_a_million": round(dollars, 3)}

    def _fill(self, items: Iterable[Item]) -> None:
        """Past the meter, as fast as the engine takes it."""
        with ThreadPoolExecutor(4) as pool:
            left = iter(items)
            list(pool.map(self._put_batch, iter(lambda: list(islice(left, 25)), [])))

    def _put_batch(self, items: list[Item]) -> None:
        puts = [{"PutRequest": {"Item": encode(item)}} for item in items]
        left = self._client.batch_write_item(RequestItems={"conveyor": puts})["UnprocessedItems"]
        assert not left


def _row(
    clients: int, due: int, reads: float | None, model: float, writes: float | None = None, tasks: int | None = None
) -> dict[str, Any]:
    known = model if reads is None else reads
    return {
        "clients": clients,
        "due": due,
        "tasks": "–" if tasks is None else tasks,
        "reads": "–" if reads is None else reads,
        "model_of_looking": model,
        "reads_per_due": round(known / due, 3) if due else "–",
        "writes": "–" if writes is None else writes,
        "writes_per_due": round(writes / due, 2) if due and writes is not None else "–",
    }


def _client(number: int) -> Client:
    """One of a gym's: two episodes behind him, due again some day of the next month."""
    contact = 30_000_001 + 2 * number
    due_at = MONDAY + timedelta(hours=1 + number % 720)
    traces = tuple(
        Trace(
            "missed-3-trainings",
            f"b-{contact}-{days}",
            Status.COMPLETED,
            at,
            at + timedelta(hours=14),
            4_000_000 + days,
        )
        for days in (40, 90)
        for at in [MONDAY - timedelta(days=days)]
    )
    first_at = MONDAY - timedelta(days=400)
    exits = frozenset({VISIT_ATTENDED})
    row = Client(contact, 3, 9_000_001, 50_000_000 + number, "", str(contact), False, first_at, due_at, exits, traces)
    return replace(row, rules_version=BOOK)


def _facts(client: int) -> Iterator[Fact]:
    """Bookings and what became of them, some purchases, all at odd times."""
    chance = random.Random(client)
    months = LOOKBACK.days / 30 + MONTHS_BEFORE
    types = [SESSION_BOOKED, VISIT_ATTENDED, VISIT_ATTENDED, VISIT_MISSED] * 5 + [
        PURCHASE_COMPLETED,
        SUBSCRIPTION_STARTED,
    ]
    for number in range(round(FACTS_A_MONTH * months)):
        time = MONDAY - timedelta(minutes=chance.randrange(round(months * 30 * 24 * 60)))
        kind = chance.choice(types)
        data = {"price": 2900, "lead_id": 50_000_000} if kind == PURCHASE_COMPLETED else {"session_id": f"b-{number}"}
        yield Fact(
            client, "gym-turnstile", f"v-{client}-{number}", kind, time, time + timedelta(seconds=2.5), data=data
        )


_numbers = count()


def _new_facts(many: int) -> list[Fact]:
    """One of each of so many clients."""
    template = next(_facts(1))
    return [
        replace(template, client=_client(number).id, id=f"new-{next(_numbers)}", type=VISIT_ATTENDED, time=MONDAY)
        for number in range(many)
    ]


def _is_read(fact: Fact) -> bool:
    return fact.time >= MONDAY - LOOKBACK or fact_rows.key_of(fact)["sk"].startswith("KEEP#")


def _reads(size: int) -> float:
    return ceil(size / 4096) / 2


def item_size(item: Item) -> int:
    """Bytes, as DynamoDB counts them (DynamoDB: item sizes and formats)."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:
    match value:
        case str():
            return len(value.encode())
        case None | bool():
            return 1
        case int():
            return (len(str(abs(value)).rstrip("0")) + 1) // 2 + 1 + (value < 0)
        case list() | tuple():
            return 3 + sum(1 + _size(each) for each in value)
        case dict():
            return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in value.items())
    raise TypeError(f"{value!r}: no value of a row of ours")
