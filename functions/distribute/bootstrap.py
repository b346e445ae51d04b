"""The only place where the distributor meets its adapters."""

from __future__ import annotations

import os
from functools import cache, partial

from functions.distribute.service import Distributor, Stores
from functions.shared import runtime
from functions.shared.adapters.amocrm.gateway import build_amocrm
from functions.shared.adapters.aws.bus import EventBridgeBus
from functions.shared.adapters.aws.queue import SqsQueue
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from functions.shared.telemetry import telemetry

SERVICE = "distribute"


@cache
def distributor() -> Distributor:
    """The distributor of this process, built at the first call."""
    return build(Settings.from_environment(os.environ), runtime.current())


def build(settings: Settings, runtime: Runtime) -> Distributor:
    table = Table(partial(runtime.aws, "dynamodb"), settings.table_name)
    log = telemetry(SERVICE)
    return Distributor(
        amocrm=build_amocrm(settings, runtime, log),
        stores=Stores(Departments(table), Assignments(table), WaitingRoom(table), Absences(table)),
        bus=EventBridgeBus(partial(runtime.aws, "events"), settings.bus_name, source=f"conveyor.{SERVICE}"),
        queue=SqsQueue(partial(runtime.aws, "sqs"), settings.queue_url, settings.dead_letters_url),
        telemetry=log,
        clock=runtime.clock,
    )
