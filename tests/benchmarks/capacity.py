"""What a lead costs in DynamoDB write units: everything a run writes, the request budget included, as the engine itself
counts it (DynamoDB Local)."""

from __future__ import annotations

import os
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from functions.distribute.bootstrap import build
from functions.distribute.service import Distributor
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.department import EXCHANGE
from functions.shared.inbox import read_batch
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from infra.department.amocrm import open_client
from infra.department.apply import apply, create_users
from infra.department.file import load
from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.world import World
from infra.local.network import Internet
from tests.benchmarks.burst import DEPARTMENT, MONDAY
from tests.builders import lead_hook, sqs_record
from tests.dynamodb_local import dynamodb_local, local_client
from tests.fakes import ManualClock, create_table

CHANNELS = ("whatsapp", "telegram", "instagram", "vk", "call", "site")
GOALS = {"in batches": 2.5, "alone": 6.0}


SCRATCH = "scratch"
"""DynamoDB Local tells the capacity of a single write right, but of a transaction only that of one action. So each item
of a transaction is written once more, alone, into this table, and counted twice: that is what a transaction costs
(DynamoDB: read/write capacity mode)."""


class Meter:
    """A DynamoDB client that adds up the write units of everything that goes through it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.units = 0.0

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            if operation == "transact_write_items":
                for action in request["TransactItems"]:
                    self.units += 2 * self._alone(action["Put"]["Item"])
                return self._client.transact_write_items(**request)
            answer = getattr(self._client, operation)(**request, ReturnConsumedCapacity="TOTAL")
            if operation in ("put_item", "update_item", "delete_item"):
                self.units += answer["ConsumedCapacity"]["CapacityUnits"]
            return answer

        return call

    def _alone(self, item: dict[str, Any]) -> float:
        answer = self._client.put_item(TableName=SCRATCH, Item=item, ReturnConsumedCapacity="TOTAL")
        return float(answer["ConsumedCapacity"]["CapacityUnits"])


def run() -> dict[str, Any]:
    """Twelve managers; 400 leads in batches of 200 over six channels, then 20 leads one at a time."""
    os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "Conveyor/bench"  # in a function the template sets it
    with dynamodb_local() as endpoint:
        desk = _Desk(endpoint)
        batches = desk.distribute([desk.new_leads(200) for _ in range(2)])
        alone = desk.distribute([desk.new_leads(1) for _ in range(20)])
    rows = [
        {
            "what": "in batches",
            "leads": 400,
            "write_units_per_lead": round(batches / 400, 2),
            "goal": GOALS["in batches"],
        },
        {"what": "alone", "leads": 20, "write_units_per_lead": round(alone / 20, 2), "goal": GOALS["alone"]},
    ]
    return {"rows": rows}


class _Desk:
    def __init__(self, endpoint: str) -> None:
        self._clock = ManualClock(MONDAY)
        self._world = World(self._clock, subdomain="bench")
        transport = Internet({self._world.host: create_app(self._world)})
        token = self._world.add_token("conveyor", self._world.admin.id)
        client = local_client(endpoint)
        table = create_table(client, "conveyor")
        create_table(client, SCRATCH)
        file = load(DEPARTMENT)
        crm = self._crm = open_client(f"https://{self._world.host}", token, self._clock, transport)
        create_users(file, crm)
        apply(file, crm, Departments(table), WaitingRoom(table), "https://hooks.example/hooks/x/leads", MONDAY)
        department = Departments(table).current()
        self._pipeline = next(pipeline for pipeline in department.pipelines if pipeline.role == EXCHANGE)
        self._meter = Meter(client)
        clients = {"dynamodb": self._meter, "ssm": _secret(token), "events": _Bus()}
        settings = Settings("conveyor", "sales", "-", "-", f"https://{self._world.host}", "/conveyor/bench")
        self._distributor: Distributor = build(settings, Runtime(self._clock, clients.__getitem__, transport))

    def new_leads(self, count: int) -> list[int]:
        ids: list[int] = []
        for start in range(0, count, 50):
            body = [self._lead(number) for number in range(start, min(start + 50, count))]
            answer = self._crm.write("POST", "leads", body)
            ids += [lead["id"] for lead in answer["_embedded"]["leads"]]
        return ids

    def _lead(self, number: int) -> dict[str, Any]:
        tags = [{"name": CHANNELS[number % len(CHANNELS)]}]
        return {"name": f"Lead {number}", "pipeline_id": self._pipeline.id, "_embedded": {"tags": tags}}

    def distribute(self, batches: list[list[int]]) -> float:
        """Write units that these batches cost."""
        before = self._meter.units
        for number, lead_ids in enumerate(batches):
            records = [sqs_record(lead_hook(lead_id, subdomain="bench"), f"{number}-{lead_id}") for lead_id in lead_ids]
            deadline = self._clock.now() + timedelta(seconds=60)
            back = self._distributor.handle(read_batch({"Records": records}), deadline)
            assert not back, f"{len(back)} messages came back"
            self._clock.advance(60)
        return self._meter.units - before


def _secret(token: str) -> Any:
    """SSM with one parameter."""
    answer = {"Parameters": [{"Name": "/conveyor/bench/amocrm-token", "Value": token}], "InvalidParameters": []}
    return SimpleNamespace(get_parameters=lambda **_: answer)


class _Bus:
    def put_events(self, **_: Any) -> dict[str, int]:
        return {"FailedEntryCount": 0}
