"""The only place where the intake meets its adapters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, partial

from functions.activity_intake.service import Intake
from functions.activity_intake.sources import Sources
from functions.activity_intake.taking import Stores, Taking
from functions.shared import runtime
from functions.shared.adapters.aws.care_door import CareDoor
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.errors import NotConfigured
from functions.shared.runtime import Runtime
from functions.shared.telemetry import telemetry

SERVICE = "activity_intake"
READ = ("TABLE_NAME", "SECRETS_PREFIX", "CARE_QUEUE_URL")
"""Variables of the environment: it has no queue of its own and never speaks to amoCRM."""


@cache
def intake() -> Intake:
    """The intake of this process, built at the first call."""
    return build(os.environ, runtime.current())


def build(environment: Mapping[str, str], runtime: Runtime) -> Intake:
    """Raises NotConfigured."""
    missing = [name for name in READ if not environment.get(name)]
    if missing:
        raise NotConfigured(f"environment variables are missing: {', '.join(missing)}; template.yaml sets them")
    table = Table(partial(runtime.aws, "dynamodb"), environment["TABLE_NAME"])
    stores = Stores.on(table)
    sources = Sources(Parameters(partial(runtime.aws, "ssm"), environment["SECRETS_PREFIX"]), runtime.clock)
    care = CareDoor(partial(runtime.aws, "sqs"), environment["CARE_QUEUE_URL"])
    return Intake(
        taking=Taking(stores, sources.identity_key, care, runtime.clock),
        feeds=stores.feeds,
        departments=Departments(table),
        sources=sources,
        telemetry=telemetry(SERVICE),
        clock=runtime.clock,
    )
