"""The only place where the router meets its adapters."""

from __future__ import annotations

import os
from functools import cache, partial

from functions.qualify_router.service import Router, Stores
from functions.shared import runtime
from functions.shared.adapters.amocrm.gateway import build_amocrm
from functions.shared.adapters.aws.bus import EventBridgeBus
from functions.shared.adapters.aws.queue import SqsQueue
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from functions.shared.telemetry import telemetry

SERVICE = "qualify_router"


@cache
def router() -> Router:
    """The router of this process, built at the first call."""
    return build(Settings.from_environment(os.environ), runtime.current())


def build(settings: Settings, runtime: Runtime) -> Router:
    table = Table(partial(runtime.aws, "dynamodb"), settings.table_name)
    log = telemetry(SERVICE)
    return Router(
        amocrm=build_amocrm(settings, runtime, log),
        stores=Stores(Departments(table), LeadStates(table), Assignments(table), Merges(table)),
        bus=EventBridgeBus(partial(runtime.aws, "events"), settings.bus_name, source=f"conveyor.{SERVICE}"),
        queue=SqsQueue(partial(runtime.aws, "sqs"), settings.queue_url, settings.dead_letters_url),
        telemetry=log,
        clock=runtime.clock,
        base_url=settings.amocrm_base_url,
    )
