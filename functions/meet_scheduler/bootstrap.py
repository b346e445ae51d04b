"""The only place where the scheduler of meetings meets its adapters."""

from __future__ import annotations

import os
from functools import cache, partial

from functions.meet_scheduler.service import MeetScheduler
from functions.meet_scheduler.stores import Stores
from functions.shared import runtime
from functions.shared.adapters.amocrm.gateway import build_amocrm
from functions.shared.adapters.aws.bus import EventBridgeBus
from functions.shared.adapters.aws.queue import SqsQueue
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.meeting_plan import MeetingPlan, Provider
from functions.shared.ports import MeetingProvider
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from functions.shared.telemetry import telemetry

SERVICE = "meet_scheduler"


@cache
def meetings() -> MeetScheduler:
    """The scheduler of this process, built at the first call."""
    return build(Settings.from_environment(os.environ), runtime.current())


def build(settings: Settings, runtime: Runtime) -> MeetScheduler:
    log = telemetry(SERVICE)

    @cache
    def provider_of(kind: Provider, host: str) -> MeetingProvider:
        if kind is Provider.TELEMOST:
            from functions.shared.adapters.telemost.gateway import build_telemost

            return build_telemost(settings, runtime)
        from functions.shared.adapters.google.gateway import build_google

        return build_google(settings.secrets_prefix, runtime, host, log)

    def provider(plan: MeetingPlan) -> MeetingProvider:
        return provider_of(plan.provider, plan.host)

    return MeetScheduler(
        amocrm=build_amocrm(settings, runtime, log),
        provider=provider,
        stores=Stores.on(Table(partial(runtime.aws, "dynamodb"), settings.table_name)),
        bus=EventBridgeBus(partial(runtime.aws, "events"), settings.bus_name, source=f"conveyor.{SERVICE}"),
        queue=SqsQueue(partial(runtime.aws, "sqs"), settings.queue_url, settings.dead_letters_url),
        telemetry=log,
        clock=runtime.clock,
        base_url=settings.amocrm_base_url,
    )
