"""The intake with real stores on a table in memory, and everything around it in the test's hands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from functions.activity_intake.answers import Answer
from functions.activity_intake.credentials import EVENTS_CREDENTIALS
from functions.activity_intake.service import Intake
from functions.activity_intake.sources import Sources
from functions.activity_intake.taking import Stores, Taking
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.errors import RetryLater
from functions.shared.facts import Fact
from functions.shared.handle_hash import IDENTITY_KEY, handle_hash
from tests.builders import make_department
from tests.fakes import ManualClock, MemoryTelemetry
from tests.memory_table import MemoryTable

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY = "test-identity-key"
TOKEN = "token-of-the-gym"


@dataclass
class MemorySecrets:
    """What SSM holds; counts how often it is asked."""

    values: dict[str, str]
    reads: int = 0

    def read(self, *names: str) -> dict[str, str]:
        self.reads += 1
        return {name: self.values[name] for name in names if name in self.values}


@dataclass
class MemoryCareDoor:
    woken: list[int] = field(default_factory=list)
    delays: list[timedelta] = field(default_factory=list)
    fails: bool = False

    def wake(self, clients: Iterable[int], now: datetime, after: timedelta = timedelta(0)) -> None:
        if self.fails:
            raise RetryLater("SQS: down")
        self.woken += sorted(clients)
        self.delays.append(after)


class IntakeDoor:
    """The gym `gym` with one token and one secret; the department is applied."""

    def __init__(self, table: Table | None = None) -> None:
        self.table = table or MemoryTable()
        self.clock = ManualClock()
        self.telemetry = MemoryTelemetry()
        self.care = MemoryCareDoor()
        known = {"gym": {"secrets": [SECRET], "tokens": [TOKEN]}}
        self.secrets = MemorySecrets({EVENTS_CREDENTIALS: json.dumps(known), IDENTITY_KEY: KEY})
        self.stores = Stores.on(self.table)
        departments, sources = Departments(self.table), Sources(self.secrets, self.clock)
        departments.store(make_department())
        self.intake = Intake(
            taking=Taking(self.stores, sources.identity_key, self.care, self.clock),
            feeds=self.stores.feeds,
            departments=departments,
            sources=sources,
            telemetry=self.telemetry,
            clock=self.clock,
        )

    def know(self, client: int, *handles: str) -> None:
        """amoCRM says that the contact has these: `phone:+7…`."""
        self.stores.identities.know(client, [handle_hash(KEY, handle) for handle in handles])

    def has_a_row(self, client: int, *exits: str) -> None:
        """Judged by the rules in force."""
        known, book = self.stores.clients.of([client])[client], self.stores.rule_books.current()
        self.stores.clients.put(replace(known, exits=frozenset(exits), rules_version=book.version))

    def rules_are_woken_by(self, *types: str) -> None:
        book = self.stores.rule_books.current()
        self.stores.rule_books.publish(replace(book, wakes=frozenset(types)))

    def post(self, body: bytes, **headers: str) -> Answer:
        return self.intake.answer({name.replace("_", "-"): value for name, value in headers.items()}, body)

    def tell(self, *items: Any) -> list[dict[str, Any]]:
        """The results of a request that is taken."""
        answer = self.post(json.dumps(items).encode(), authorization=f"Bearer {TOKEN}")
        assert answer.status == 202, answer
        results: list[dict[str, Any]] = list(answer.document["results"])
        assert [one["index"] for one in results] == [*range(len(items))]
        return results

    def statuses(self, *items: Any) -> list[str]:
        return [one["status"] for one in self.tell(*items)]

    def facts_of(self, client: int) -> list[Fact]:
        return self.stores.facts.of(client)


def visit(number: int | str = 1, **values: Any) -> dict[str, Any]:
    """Half an hour before the clock's 9:00 UTC; of the amoCRM contact 7 unless somebody else is named."""
    known = {"event": "visit.attended", "at": "2026-11-23T11:30:00+03:00", "id": f"v-{number}"}
    who = {} if {"ext", "phone", "email", "crm_id"} & set(values) else {"crm_id": 7}
    return {**known, **who, **values}
