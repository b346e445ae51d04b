"""The only place where aftercare meets its adapters."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache, partial

from functions.aftercare_triggers.service import Aftercare
from functions.aftercare_triggers.stores import Stores
from functions.shared import runtime
from functions.shared.adapters.amocrm.gateway import build_amocrm
from functions.shared.adapters.aws.queue import SqsQueue
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.handle_hash import IDENTITY_KEY
from functions.shared.remembered import Remembered
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from functions.shared.telemetry import telemetry

SERVICE = "aftercare_triggers"

KEY_AGE = timedelta(minutes=5)
"""How soon the key of the hashes is found after the first source was added."""


@cache
def aftercare() -> Aftercare:
    """The engine of this process, built at the first call."""
    return build(Settings.from_environment(os.environ), runtime.current())


def build(settings: Settings, runtime: Runtime) -> Aftercare:
    log = telemetry(SERVICE)
    secrets = Parameters(partial(runtime.aws, "ssm"), settings.secrets_prefix)
    key = Remembered(lambda: secrets.read(IDENTITY_KEY).get(IDENTITY_KEY), runtime.clock, KEY_AGE)
    return Aftercare(
        amocrm=build_amocrm(settings, runtime, log),
        stores=Stores.on(Table(partial(runtime.aws, "dynamodb"), settings.table_name)),
        queue=SqsQueue(partial(runtime.aws, "sqs"), settings.queue_url, settings.dead_letters_url),
        identity_key=key.get,
        telemetry=log,
        clock=runtime.clock,
    )
