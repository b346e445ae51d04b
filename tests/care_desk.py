"""The care function in its surroundings: real stores in memory, amoCRM in memory, a tick every ten minutes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from functions.aftercare_triggers.open_tasks import OpenTasks
from functions.aftercare_triggers.people_tasks import PeopleTasks
from functions.aftercare_triggers.rules.reading import lookback_of, read_rule, wakes_of
from functions.aftercare_triggers.service import Aftercare
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.care import Client, Episode, RuleBook
from functions.shared.crm import Task
from functions.shared.department import Department
from functions.shared.events import SaleWon
from functions.shared.facts import Fact
from functions.shared.inbox import read_batch
from functions.shared.ports import BusEvent
from tests.builders import (
    ANNA,
    BORIS,
    CARE_PIPELINE,
    CARE_STAGE,
    GLEB,
    INNA,
    VERA,
    bus_message,
    make_three_levels,
    sqs_record,
)
from tests.care_player import moment
from tests.fakes import ManualClock, MemoryQueue, MemoryTelemetry
from tests.fakes_amocrm import FakeAmoCrm
from tests.memory_table import MemoryTable

HEAD = 18
TICK = timedelta(minutes=10)
IDENTITY_KEY = "test-identity-key"
ROBOT = 1
"""The user whose token Conveyor holds."""


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


@dataclass
class Mortality:
    """Kills the process at its `at`-th call of the world, before or after the call's effect; None: never. Before the
    call `meanwhile_at` something else happens, once: another worker is at it."""

    at: int | None = None
    after: bool = True
    calls: int = 0
    meanwhile_at: int | None = None
    meanwhile: Callable[[], object] = lambda: None

    def call(self, effect: Callable[[], Any]) -> Any:
        self.calls += 1
        is_last = self.calls == self.at
        if self.calls == self.meanwhile_at:
            self.meanwhile()
        if is_last and not self.after:
            raise Killed
        result = effect()
        if is_last:
            raise Killed
        return result


class Mortal:
    """A table at whose calls the process may die."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.death = Mortality()
        self.others: list[Callable[[], object]] = []
        """Once, before a transaction: somebody else is faster."""

    def get(self, *args: Any, **more: Any) -> Any:
        return self._mortally("get", *args, **more)

    def get_many(self, *args: Any, **more: Any) -> Any:
        return self._mortally("get_many", *args, **more)

    def between(self, *args: Any, **more: Any) -> Any:
        return self._mortally("between", *args, **more)

    def put(self, *args: Any, **more: Any) -> None:
        self._mortally("put", *args, **more)

    def transact(self, actions: Any) -> None:
        others, self.others = self.others, []
        for other in others:
            other()
        self._mortally("transact", actions)

    def _mortally(self, method: str, *args: Any, **more: Any) -> Any:
        return self.death.call(lambda: getattr(super(Mortal, self), method)(*args, **more))


class MortalTable(Mortal, MemoryTable):
    pass


class MortalDynamo(Mortal, Table):
    """On a DynamoDB client, as `Table` is."""


class MortalAmoCrm:
    def __init__(self, amocrm: Any, table: Mortal) -> None:
        self._amocrm, self._table = amocrm, table

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._amocrm, method)
        return lambda *args, **more: self._table.death.call(lambda: found(*args, **more))


def department(**changes: Any) -> Department:
    return make_three_levels(**({"head": HEAD} | changes))


@dataclass
class CareDesk:
    """`tell` brings facts and wakes their client, `run` lets the ticks pass up to a moment."""

    start: str = "12.11 23:00"
    table: Any = field(default_factory=MortalTable)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)

    def __post_init__(self) -> None:
        self.clock = ManualClock(moment(self.start))
        self.amocrm = self.open_amocrm()
        self.stores = Stores.on(self.table, map(str, count(1)).__next__)
        self.stores.departments.store(department())
        self.engine = self.worker()

    def worker(self) -> Aftercare:
        """A process of the function."""
        return Aftercare(
            amocrm=MortalAmoCrm(self.amocrm, self.table),  # type: ignore[arg-type] # the port, by delegation
            stores=self.stores,
            queue=self.queue,
            identity_key=lambda: IDENTITY_KEY,
            telemetry=self.telemetry,
            clock=self.clock,
        )

    def open_amocrm(self) -> Any:
        amocrm = FakeAmoCrm(self.clock, token_user_id=ROBOT)
        for user_id in (ROBOT, ANNA, BORIS, VERA, GLEB, INNA, HEAD):
            amocrm.add_user(user_id)
        return amocrm

    def people(self) -> PeopleTasks:
        tasks = OpenTasks(self.amocrm, self.stores, self.telemetry, self.clock)
        return PeopleTasks(self.amocrm, self.stores, tasks)

    def sight(self) -> Sight:
        book = self.stores.books.current()
        rules = tuple(map(read_rule, book.rules))
        return Sight(self.stores.departments.current(), book, rules, {}, self.clock.now())

    def apply(self, made: Department) -> None:
        self.stores.departments.store(made)

    def publish(self, *documents: dict[str, Any], **book: Any) -> None:
        defaults = {"id": "rule", "task": "Позвонить", "effective_from": "2026-01-01T00:00:00+03:00", "holdout": 0}
        complete = tuple({**defaults, **document} for document in documents)
        rules = [read_rule(document) for document in complete]
        version = self.stores.books.current().version
        made = RuleBook(version, complete, wakes=wakes_of(rules), lookback=lookback_of(rules), **book)
        self.stores.books.publish(made)

    def client(self, contact_id: int | None = None, *, card: bool = True, owner: int = INNA) -> int:
        """A client, with an open card in aftercare."""
        contact = self.amocrm.add_contact(contact_id, responsible_user_id=owner)
        if card:
            place = {"pipeline_id": CARE_PIPELINE, "status_id": CARE_STAGE, "responsible_user_id": owner}
            self.amocrm.add_lead(contacts=[contact.id], **place)
        return contact.id

    def tell(self, *facts: Fact) -> list[str]:
        self.stores.facts.put(facts)
        return self.wake(*{fact.client for fact in facts})

    def wake(self, *clients: int, worker: Aftercare | None = None) -> list[str]:
        body = json.dumps({"wake": list(clients), "time": self.clock.now().isoformat()})
        return self.deliver(body, worker=worker)

    def tick(self, worker: Aftercare | None = None) -> list[str]:
        return self.deliver(json.dumps({"tick": "care", "time": self.clock.now().isoformat()}), worker=worker)

    def sold(self, client: int, lead_id: int, card: int = 0) -> str:
        event: BusEvent = SaleWon(self.clock.now(), lead_id, card, client, VERA, "main", 9000)
        return bus_message(event)  # type: ignore[arg-type]

    def deliver(self, *bodies: str, worker: Aftercare | None = None) -> list[str]:
        records = [sqs_record(body, f"m{number}", self.clock.now()) for number, body in enumerate(bodies)]
        deadline = self.clock.now() + timedelta(seconds=60)
        return (worker or self.engine).handle(read_batch({"Records": records}), deadline)

    def run(self, until: str | datetime) -> None:
        """All ticks up to then at which something is due."""
        end = moment(until) if isinstance(until, str) else until
        while (due := self._due()) is not None:
            since = (max(due, self.clock.now()) - moment("01.01")) / TICK
            tick = moment("01.01") + (int(since) + (since % 1 > 0)) * TICK
            if tick == self.clock.now():
                tick += TICK
            if tick > end:
                break
            self.clock.moment = tick
            self.tick()
        self.clock.moment = max(end, self.clock.now())

    def _due(self) -> datetime | None:
        shards = [keys.due_shard("care", shard) for shard in range(keys.CLIENT_SHARDS)] + [keys.due_shard("outbox")]
        found = [row["due_at"] for shard in shards for row in self.table.due("due", shard, keys.NEVER)]
        return datetime.fromisoformat(min(found)) if found else None

    # --- what one looks at ----------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[Task]:
        return sorted(self.amocrm.tasks, key=lambda task: task.id)

    @property
    def task(self) -> Task:
        (task,) = self.tasks
        return task

    def episodes(self, client: int) -> list[Episode]:
        return self.stores.episodes.of(client)

    def statuses(self, client: int) -> list[str]:
        return [each.status.value for each in self.episodes(client)]

    def row(self, client: int) -> Client:
        return self.stores.client(client)


def fact(client: int, kind: str, at: str, name: str = "", **data: Any) -> Fact:
    time = moment(at)
    return Fact(client, "gym", name or f"{kind}-{at}", kind, time, time, data=data)


def missed(client: int, *days: str) -> Iterable[Fact]:
    """Sessions 19:00–20:00 that were booked a month before, each marked as missed."""
    for day in days:
        start = moment(f"{day} 19:00")
        session = {"session_id": f"s-{day}"}
        hours = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        booked = start - timedelta(days=30)
        yield Fact(client, "gym", f"booked-{day}", "session.booked", booked, booked, data={**session, **hours})
        yield fact(client, "visit.missed", f"{day} 20:05", f"mark-{day}", **session)
