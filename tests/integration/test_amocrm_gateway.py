"""The adapter as the functions build it: token from SSM, budget in the table, HTTP to the simulated account."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
import pytest

from functions.shared.adapters.amocrm.gateway import build_amocrm
from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.crm import NewNote, NewTask, OwnerChange
from functions.shared.errors import AmoCrmUnauthorized, AmoCrmUnavailable, NotConfigured
from functions.shared.ports import AmoCrm
from functions.shared.runtime import Runtime
from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.authorisation import add_integration, exchange
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.world import World
from tests.fakes import ManualClock, MemoryTelemetry

_numbers = itertools.count()


@dataclass(frozen=True)
class Settings:
    table_name: str
    secrets_prefix: str
    amocrm_base_url: str = "https://demo.amocrm.ru"
    requests_per_second: float = 6.0


class Installation:
    """One installation with an account of its own; `process` is a new process of one of its functions."""

    def __init__(self, dynamodb: Any, table: Table) -> None:
        self.clock = ManualClock()
        self.world = World(self.clock)
        self.table = table
        self.metrics = MemoryTelemetry()
        self._clients = {"dynamodb": dynamodb, "ssm": boto3.client("ssm", region_name="eu-central-1")}
        self._settings = Settings(table._name, f"/gateway/{next(_numbers)}")
        self._transport = httpx.WSGITransport(app=create_app(self.world))

    def process(self) -> AmoCrm:
        runtime = Runtime(self.clock, self._clients.__getitem__, self._transport)
        return build_amocrm(self._settings, runtime, self.metrics)

    def store(self, name: str, value: str) -> None:
        path = f"{self._settings.secrets_prefix}/{name}"
        self._clients["ssm"].put_parameter(Name=path, Value=value, Type="SecureString", Overwrite=True)

    def new_token(self) -> str:
        token = self.world.add_token("conveyor", self.world.admin.id)
        self.store("amocrm-token", token)
        return token

    def leads(self, count: int) -> list[int]:
        person = Person(self.world)
        return [person.create_lead().id for _ in range(count)]


@pytest.fixture
def bare(dynamodb: Any, table: Table) -> Installation:
    return Installation(dynamodb, table)


@pytest.fixture
def installation(bare: Installation) -> Installation:
    bare.new_token()
    return bare


def test_an_installation_without_a_token_says_what_to_do_and_asks_amocrm_nothing(bare):
    with pytest.raises(NotConfigured, match="conveyor secrets set"):
        bare.process().account()
    assert bare.world.requests.total == 0


def test_a_burst_of_a_thousand_leads_keeps_the_pace_of_the_budget(installation):
    ids, user = installation.leads(1000), installation.world.add_user("Анна", "anna@firm.example").id
    amocrm, started = installation.process(), installation.clock.now()
    due = started.replace(hour=10)
    assert len(amocrm.leads(ids)) == 1000
    amocrm.change_owners([OwnerChange(lead_id, user) for lead_id in ids])
    amocrm.add_tasks([NewTask(lead_id, user, "Ответить клиенту", due) for lead_id in ids])
    amocrm.add_notes([NewNote(lead_id, "почему") for lead_id in ids])
    requests = installation.world.requests
    took = (installation.clock.now() - started).total_seconds()
    assert (requests.total, requests.throttled) == (65, 0)
    assert requests.busiest_second() <= 6
    assert took <= 65 / 6 * 1.05
    assert installation.metrics.counts["AmoCrmRequests"] == 65


def test_two_processes_share_the_budget_of_the_account(installation):
    ids = installation.leads(50)
    first, second = installation.process(), installation.process()
    for lead_id in ids:
        first.lead(lead_id)
        second.lead(lead_id)
    assert installation.world.requests.busiest_second() <= 6
    assert installation.world.requests.throttled == 0


def test_a_token_that_was_replaced_is_picked_up_at_the_first_401(installation):
    amocrm = installation.process()
    amocrm.account()
    for token in list(installation.world.tokens):
        installation.world.revoke_token(token)
    with pytest.raises(AmoCrmUnauthorized, match="conveyor secrets set"):
        amocrm.account()
    installation.new_token()
    assert amocrm.account().id == installation.world.account_id


def test_in_a_storm_of_429_one_request_a_minute_is_sent_by_all_processes_together(installation):
    amocrm = installation.process()
    installation.world.switch(storm=True)
    with pytest.raises(AmoCrmUnavailable):
        amocrm.account()
    other = installation.process()
    with pytest.raises(AmoCrmUnavailable) as slowed:
        other.account()
    assert slowed.value.after == pytest.approx(60, abs=1)
    assert installation.world.requests.total == 1
    installation.world.switch(storm=False)
    installation.clock.advance(60)
    assert amocrm.account() == other.account()


def test_a_block_stops_all_processes_until_a_probe_is_answered(installation):
    first, second = installation.process(), installation.process()
    installation.world.limiter.blocked = True
    for amocrm in (first, second, first, second):
        with pytest.raises(AmoCrmUnavailable):
            amocrm.account()
    assert installation.world.requests.total == 1
    assert installation.metrics.counts["AmoCrmBreakerOpened"] == 1
    item = installation.table.get(keys.budget())
    assert item is not None
    assert "403" in item["blocked_because"]

    installation.clock.advance(301)
    with pytest.raises(AmoCrmUnavailable) as still:
        second.account()
    assert still.value.after == 600
    installation.world.unblock()
    installation.clock.advance(601)
    assert first.account() == second.account()


def test_a_probe_answered_by_a_401_ends_the_block_for_all(installation):
    """GIVEN a blocked account whose token runs out meanwhile WHEN the probe gets 401 THEN only the token is missing."""
    first, second = installation.process(), installation.process()
    installation.world.limiter.blocked = True
    with pytest.raises(AmoCrmUnavailable):
        first.account()
    installation.world.unblock()
    for token in list(installation.world.tokens):
        installation.world.revoke_token(token)
    installation.clock.advance(301)
    with pytest.raises(AmoCrmUnauthorized):
        second.account()
    installation.new_token()
    assert first.account() == second.account()


def test_an_hour_without_amocrm_is_unavailable_and_costs_three_requests_a_question(installation):
    amocrm = installation.process()
    installation.world.switch(down=True)
    with pytest.raises(AmoCrmUnavailable):
        amocrm.leads([1])
    assert installation.world.requests.total == 3
    installation.world.switch(down=False)
    assert amocrm.leads([1]) == {}


def test_an_oauth_pair_is_renewed_every_day_without_anybody(bare):
    integration = add_integration(bare.world, "conveyor", bare.world.admin.id)
    client = {
        "client_id": integration.client_id,
        "client_secret": integration.client_secret,
        "redirect_uri": integration.redirect_uri,
    }
    pair = exchange(bare.world, {**client, "grant_type": "authorization_code", "code": integration.code})
    expires_at = int(bare.clock.now().timestamp()) + 86400
    tokens = {"access_token": pair["access_token"], "refresh_token": pair["refresh_token"], "expires_at": expires_at}
    bare.store("amocrm-oauth", json.dumps({**client, **tokens}))

    processes = [bare.process(), bare.process()]
    for _ in range(4):
        assert {amocrm.account().id for amocrm in processes} == {bare.world.account_id}
        bare.clock.advance(86_400)
    assert bare.world.requests.by_path["POST", "/oauth2/access_token"] == 3
