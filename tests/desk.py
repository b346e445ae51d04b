"""A distributor in its surroundings: real stores, amoCRM in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from functions.distribute.service import Distributor, Stores
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.events import LeadClosed, LeadRouted
from functions.shared.inbox import read_batch
from tests.builders import ANNA, BORIS, DUTY, GLEB, INNA, VERA, bus_message, sqs_record
from tests.fakes import ManualClock, MemoryBus, MemoryQueue, MemoryTelemetry
from tests.fakes_amocrm import FakeAmoCrm


def open_stores(table: Table) -> Stores:
    return Stores(Departments(table), Assignments(table), WaitingRoom(table), Absences(table))


@dataclass
class Desk:
    """A distributor in its surroundings; `hook` delivers bodies as one batch, returns the messages that come back."""

    table: Table
    clock: ManualClock = field(default_factory=ManualClock)
    bus: Any = field(default_factory=MemoryBus)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)
    amocrm: Any = None

    def __post_init__(self) -> None:
        if self.amocrm is None:
            self.amocrm = FakeAmoCrm(self.clock)
            for user_id in (1, ANNA, BORIS, VERA, GLEB, INNA, DUTY):
                self.amocrm.add_user(user_id)
        self.stores = open_stores(self.table)
        self.distributor = Distributor(
            amocrm=self.amocrm,
            stores=self.stores,
            bus=self.bus,
            queue=self.queue,
            telemetry=self.telemetry,
            clock=self.clock,
        )

    def apply(self, department: Department) -> None:
        self.stores.departments.store(department)

    def hook(self, *bodies: str, seconds: float = 60) -> list[str]:
        records = [sqs_record(body, f"m{number}", self.clock.now()) for number, body in enumerate(bodies)]
        deadline = self.clock.now() + timedelta(seconds=seconds)
        return self.distributor.handle(read_batch({"Records": records}), deadline)

    def assignment(self, lead_id: int, cause: str = ARRIVAL) -> Assignment | None:
        return self.stores.assignments.decided([lead_id], cause).get(lead_id)

    def balances(self, team: str = "lead_desk") -> dict[int, int]:
        return dict(self.stores.assignments.ledger(team).books.total)

    def routed(self, lead: Lead, cause: str = "route#1", **changes: Any) -> str:
        """The router says that the lead came from the exchange to the closers."""
        values: dict[str, Any] = {
            "route": "qualified",
            "from_place": "exchange.qualified",
            "to_place": "main.contact",
            "team": "closers",
            "hand_over": True,
            "known_owner": 0,
            "previous_owner": lead.responsible_user_id,
        }
        return bus_message(LeadRouted(self.clock.now(), lead.id, cause=cause, **(values | changes)))

    def closed(self, lead_id: int, reason: str = "spam") -> str:
        """The router says that the lead was lost."""
        return bus_message(LeadClosed(self.clock.now(), lead_id, "not_target", "exchange", reason, ANNA))

    def pass_lease(self) -> None:
        self.clock.advance(120)
