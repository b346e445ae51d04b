"""What the door for facts takes in a second, and what a million facts cost: requests of 1, 50 and 500 facts by phone,
of clients whom aftercare knows, through the Lambda's handler; with DynamoDB Local behind it, and with a table in this
process's memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

from functions.activity_intake import bootstrap
from functions.activity_intake.handler import lambda_handler
from functions.shared.adapters.aws.care_door import CareDoor
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.care import Client
from functions.shared.facts import VISIT_ATTENDED
from functions.shared.telemetry import telemetry
from tests.benchmarks.care import READ_PRICE, WRITE_PRICE
from tests.dynamodb_local import dynamodb_local, local_client
from tests.fakes import create_table
from tests.intake_door import TOKEN, IntakeDoor

SIZES = {1: 200, 50: 20, 500: 6}
"""Facts a request: requests that are measured."""

CLIENTS = 1_000
MILLION = 1_000_000
API_PRICE, LAMBDA_PRICE = 1.00, 0.20
"""Dollars a million requests of an HTTP API and invocations of a function (AWS: list prices, us-east-1)."""

MILLISECOND_PRICE = 6.8e-9
"""Dollars a millisecond of a function of 512 MB on arm64 (AWS Lambda Power Tuning: 1.7e-9 of 128 MB)."""


def run() -> dict[str, Any]:
    rows = []
    with dynamodb_local() as endpoint:
        client = local_client(endpoint)
        for size, requests in SIZES.items():
            rows.append(_row(client, size, requests))
    return {
        "rows": rows,
        "goal": "at most 1.1 writes and 2.1 reads a fact of a known client",
        "baseline": "1 write and 0.5 reads a fact: a put alone, and one eventually consistent look at its client",
    }


class _Meter:
    """A DynamoDB client that notes what each call costs; lists are safe among the threads that put facts."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.reads: list[float] = []
        self.writes: list[float] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            answer = getattr(self._client, operation)(**request, ReturnConsumedCapacity="TOTAL")
            consumed = answer["ConsumedCapacity"]
            units = [float(each["CapacityUnits"]) for each in (consumed if isinstance(consumed, list) else [consumed])]
            (self.writes if operation == "put_item" else self.reads).append(sum(units))
            return answer

        return call


class _NoQueue:
    """Counts the messages to the care queue."""

    def __init__(self) -> None:
        self.sent = 0

    def send_message(self, **_: Any) -> None:
        self.sent += 1


_names = (f"conveyor-{number}" for number in count())


def _row(client: Any, size: int, requests: int) -> dict[str, Any]:
    name = next(_names)
    create_table(client, name)
    meter = _Meter(client)
    on_engine = _Measured(_door(Table(lambda: meter, name)))
    meter.reads.clear()
    meter.writes.clear()
    seconds = on_engine.seconds(size, requests)
    calls = len(meter.reads) + len(meter.writes)
    facts = size * requests
    reads, writes = sum(meter.reads) / facts, sum(meter.writes) / facts
    in_memory = _Measured(_door(None)).seconds(size, requests)
    milliseconds = 1000 * seconds / facts
    dynamodb = writes * WRITE_PRICE + reads * READ_PRICE
    rest = (API_PRICE + LAMBDA_PRICE) / size + milliseconds * MILLISECOND_PRICE * MILLION
    return {  # dollars of a million facts
        "facts": size,
        "a_second": round(facts / seconds),
        "in_memory": round(facts / in_memory),
        "calls_a_request": round(calls / requests, 1),
        "reads_a_fact": round(reads, 3),
        "writes_a_fact": round(writes, 3),
        "table_dollars": round(dynamodb, 2),
        "all_dollars": round(dynamodb + rest, 2),
    }


def _door(table: Table | None) -> IntakeDoor:
    """All clients are known by their phones, judged by the rules, and due some other day."""
    door = IntakeDoor(table)
    later = door.clock.now() + timedelta(days=9)
    for number in range(CLIENTS):
        door.know(_id(number), f"phone:{_phone(number)}")
        door.stores.clients.put(Client(_id(number), due_at=later, first_at=later - timedelta(days=99)))
    return door


class _Measured:
    def __init__(self, door: IntakeDoor) -> None:
        self._door = door
        self._queue = _NoQueue()
        self._door.intake._telemetry = telemetry("activity_intake")
        self._door.intake._taking._care = CareDoor(lambda: self._queue, "care")

    def seconds(self, size: int, requests: int) -> float:
        """Of all these requests, one after the other; none of the facts was known before."""
        bodies = [self._event(size) for _ in range(requests)]
        with patch.object(bootstrap, "intake", lambda: self._door.intake):
            lambda_handler(self._event(1), None)  # what a process reads once
            started = time.perf_counter()
            answers = [lambda_handler(event, None) for event in bodies]
            seconds = time.perf_counter() - started
        for answer in answers:
            assert {one["status"] for one in json.loads(answer["body"])["results"]} == {"accepted"}
        assert self._queue.sent == 0, "a plain visit wakes nobody"
        return seconds

    def _event(self, size: int) -> dict[str, Any]:
        facts = [next(_visits) | {"at": self._door.clock.now().isoformat()} for _ in range(size)]
        return {"headers": {"authorization": f"Bearer {TOKEN}"}, "body": json.dumps(facts)}


def _facts() -> Iterator[dict[str, Any]]:
    for number in count():
        yield {
            "event": VISIT_ATTENDED,
            "id": f"v-{number}",
            "phone": _phone(number % CLIENTS),
            "session_id": f"b-{number}",
        }


_visits = _facts()


def _id(number: int) -> int:
    return 30_000_001 + 2 * number


def _phone(number: int) -> str:
    return f"+7912{3_000_000 + 37 * number}"
