"""Substitutes for the ports, in memory. Tests look at their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from functions.shared.adapters.dynamodb.table import Table
from functions.shared.inbox import Envelope
from functions.shared.ports import BusEvent


@dataclass
class ManualClock:
    """Time that only moves when a test, or somebody's sleep, moves it."""

    moment: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    slept: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class MemoryBus:
    """Keeps what was published; `fail_next` is the error of the next call."""

    events: list[BusEvent] = field(default_factory=list)
    fail_next: Exception | None = None

    def publish(self, events: Sequence[BusEvent]) -> None:
        if self.fail_next and events:
            error, self.fail_next = self.fail_next, None
            raise error
        self.events += events

    def of(self, detail_type: str) -> list[dict[str, Any]]:
        return [dict(event.detail()) for event in self.events if event.detail_type == detail_type]


@dataclass
class MemoryQueue:
    """Keeps what was put off (seconds by message id) and what was parked (reason by message id)."""

    postponed: dict[str, float | None] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)

    def postpone(self, envelope: Envelope, after: float | None) -> None:
        self.postponed[envelope.message_id] = after

    def park(self, envelope: Envelope, reason: str, detail: str) -> None:
        self.parked[envelope.message_id] = reason


@dataclass
class MemoryTelemetry:
    """Keeps log lines as (event, fields) and metrics as counts."""

    lines: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def info(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    warning = exception = info

    def count(self, metric: str, value: int = 1) -> None:
        self.counts[metric] = self.counts.get(metric, 0) + value

    def flush(self) -> None:
        pass

    def reasons(self, event: str) -> list[object]:
        return [fields.get("reason") for name, fields in self.lines if name == event]


def create_table(client: Any, name: str) -> Table:
    """The table of template.yaml, as far as its keys go, on whatever DynamoDB the client speaks to."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"} for attribute in ("pk", "sk", "due_shard", "due_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    return Table(lambda: client, name)


def dynamodb_client() -> Any:
    return boto3.client("dynamodb", region_name="eu-central-1")
