"""Puts the adapter together; nothing is opened or read before the first request."""

from __future__ import annotations

from datetime import timedelta
from functools import cache, partial
from typing import Protocol

from functions.shared.adapters.amocrm.client import AmoCrmClient, open_http
from functions.shared.adapters.amocrm.config import AmoCrmConfig
from functions.shared.adapters.amocrm.rest import HttpAmoCrm
from functions.shared.adapters.amocrm.tokens import SecretStore, StoredToken, TokenEndpoint
from functions.shared.adapters.dynamodb.budget import DynamoBudget
from functions.shared.adapters.dynamodb.lock import Lock
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.ports import AmoCrm
from functions.shared.runtime import Runtime
from functions.shared.telemetry import Telemetry, telemetry


class AmoCrmSettings(Protocol):
    """The settings that this adapter reads."""

    @property
    def amocrm_base_url(self) -> str: ...

    @property
    def table_name(self) -> str: ...

    @property
    def secrets_prefix(self) -> str: ...

    @property
    def requests_per_second(self) -> float: ...


def build_amocrm(settings: AmoCrmSettings, runtime: Runtime, log: Telemetry | None = None) -> AmoCrm:
    """amoCRM as the function sees it: the token from SSM, the budget in the table, HTTP through the runtime."""
    log = log or telemetry("amocrm")
    config = AmoCrmConfig(settings.amocrm_base_url)
    table = Table(partial(runtime.aws, "dynamodb"), settings.table_name)
    budget = DynamoBudget(table, runtime.clock, log, settings.requests_per_second)
    http = cache(partial(open_http, config, runtime.transport))
    # Twice the two attempts at the token endpoint.
    lock = Lock(table, "amocrm-oauth", runtime.clock, timedelta(seconds=4 * config.token_endpoint_timeout))
    secrets = SecretStore(partial(runtime.aws, "ssm"), settings.secrets_prefix)
    tokens = StoredToken(secrets, runtime.clock, TokenEndpoint(config, http), lock)
    client = AmoCrmClient(config=config, http=http, budget=budget, tokens=tokens, clock=runtime.clock, telemetry=log)
    return HttpAmoCrm(client, runtime.clock, log)
