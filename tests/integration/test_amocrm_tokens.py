"""Tokens from SSM (moto): the long-lived one, and the OAuth pair whose refresh token works once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import EndpointConnectionError

from functions.shared.adapters.amocrm.client import open_http
from functions.shared.adapters.amocrm.tokens import SecretStore, StoredToken, TokenEndpoint
from functions.shared.adapters.dynamodb.lock import Lock
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.errors import AmoCrmUnauthorized, AmoCrmUnavailable, NotConfigured, RetryLater
from tests.amocrm_support import CONFIG, html, problem
from tests.fakes import ManualClock

_numbers = itertools.count()


@dataclass
class Parameters:
    """SSM parameters of one installation, and how often they were read."""

    ssm: Any
    prefix: str
    reads: int = 0
    before_write: list[Callable[[], None]] = field(default_factory=list)

    def get_parameters(self, **request: Any) -> Any:
        self.reads += 1
        return self.ssm.get_parameters(**request)

    def put_parameter(self, **request: Any) -> Any:
        if self.before_write:
            self.before_write.pop(0)()
        return self.ssm.put_parameter(**request)

    def store(self, name: str, value: str) -> None:
        self.ssm.put_parameter(Name=f"{self.prefix}/{name}", Value=value, Type="SecureString", Overwrite=True)

    def pair(self) -> dict[str, Any]:
        found = self.ssm.get_parameter(Name=f"{self.prefix}/amocrm-oauth", WithDecryption=True)
        return json.loads(found["Parameter"]["Value"])


@dataclass
class OAuthServer:
    """Hands out pairs; every refresh token works once. `lost` are answers that get lost after the trade."""

    valid: str = "refresh-0"
    lost: list[Exception | httpx.Response] = field(default_factory=list)
    keeps_old: bool = False
    trades: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "https://demo.amocrm.ru/oauth2/access_token"
        sent = json.loads(request.content)
        self.asked.append(sent)
        if sent["refresh_token"] != self.valid:
            return problem(401, hint="Token has been revoked")
        self.trades += 1
        lost = self.lost.pop(0) if self.lost else None
        if not (lost and self.keeps_old):
            self.valid = f"refresh-{self.trades}"
        if isinstance(lost, Exception):
            raise lost
        pair = {"access_token": f"access-{self.trades}", "refresh_token": self.valid, "expires_in": 86400}
        return lost or httpx.Response(200, json={"token_type": "Bearer", **pair})


@pytest.fixture
def parameters(dynamodb: Any) -> Parameters:
    """A fresh prefix per test in the mock that the whole run shares."""
    return Parameters(boto3.client("ssm", region_name="eu-central-1"), f"/conveyor/{next(_numbers)}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server() -> OAuthServer:
    return OAuthServer()


@pytest.fixture
def process(parameters: Parameters, table: Table, clock: ManualClock, server: OAuthServer) -> Callable[[], StoredToken]:
    """A new process of the installation."""
    endpoint = TokenEndpoint(CONFIG, lambda: open_http(CONFIG, httpx.MockTransport(server)))
    secrets = SecretStore(lambda: parameters, f"{parameters.prefix}/")
    return lambda: StoredToken(secrets, clock, endpoint, Lock(table, "amocrm-oauth", clock))


@pytest.fixture
def stored_pair(parameters: Parameters, clock: ManualClock) -> dict[str, Any]:
    pair = {
        "client_id": "b7e0",
        "client_secret": "s3cret",
        "redirect_uri": "https://app.example/amo",
        "access_token": "access-0",
        "refresh_token": "refresh-0",
        "expires_at": int((clock.now() + timedelta(hours=1)).timestamp()),
    }
    parameters.store("amocrm-oauth", json.dumps(pair))
    return pair


def test_without_a_token_the_command_that_stores_one_is_named(process):
    with pytest.raises(NotConfigured, match=r"/conveyor/\d+: store one with `conveyor secrets set amocrm-token`"):
        process().token()


def test_a_long_lived_token_is_read_once_in_minutes(process, parameters, clock):
    parameters.store("amocrm-token", "long-1\n")
    tokens = process()
    assert [tokens.token() for _ in range(5)] == ["long-1"] * 5
    assert parameters.reads == 2  # which kind there is, and its value
    parameters.store("amocrm-token", "long-2")
    clock.advance(301)
    assert tokens.token() == "long-2"


def test_after_a_401_a_token_that_was_stored_since_is_used(process, parameters):
    parameters.store("amocrm-token", "long-1")
    tokens = process()
    tokens.token()
    parameters.store("amocrm-token", "long-2")
    assert tokens.renew("long-1") == "long-2"
    assert tokens.token() == "long-2"


def test_a_rejected_token_that_nobody_replaced_needs_a_person(process, parameters):
    parameters.store("amocrm-token", "long-1")
    with pytest.raises(AmoCrmUnauthorized, match="conveyor secrets set amocrm-token") as rejected:
        process().renew("long-1")
    assert "long-1" not in str(rejected.value)


def test_ssm_that_cannot_be_asked_is_a_reason_to_come_back(process, parameters):
    def unreachable(**request: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://ssm")

    parameters.get_parameters = unreachable
    with pytest.raises(RetryLater, match="SSM get_parameters"):
        process().token()


def test_a_fresh_pair_is_used_as_it_is(process, stored_pair, server):
    assert process().token() == "access-0"
    assert server.trades == 0


def test_a_pair_about_to_end_is_traded_and_stored_for_everybody(process, stored_pair, parameters, server, clock):
    clock.advance(3600 - 200)
    assert process().token() == "access-1"
    assert server.asked == [
        {
            "client_id": "b7e0",
            "client_secret": "s3cret",
            "grant_type": "refresh_token",
            "refresh_token": "refresh-0",
            "redirect_uri": "https://app.example/amo",
        }
    ]
    expires_at = int(clock.now().timestamp()) + 86400
    assert parameters.pair() == {
        **stored_pair, "access_token": "access-1", "refresh_token": "refresh-1", "expires_at": expires_at,
    }  # fmt: skip
    assert process().token() == "access-1"
    assert server.trades == 1


def test_a_rejected_pair_is_traded_even_if_it_looks_fresh(process, stored_pair, server):
    tokens = process()
    assert tokens.renew(tokens.token()) == "access-1"


def test_of_several_processes_that_see_the_end_one_trades_and_the_others_read(process, stored_pair, server, clock):
    processes = [process() for _ in range(3)]
    for tokens in processes:
        tokens.token()
    clock.advance(3600)
    assert [tokens.token() for tokens in processes] == ["access-1"] * 3
    assert server.trades == 1


def test_whoever_finds_the_lock_taken_waits_for_the_new_pair(process, stored_pair, server, clock, parameters, table):
    """GIVEN a process that is trading WHEN another needs the token THEN it sleeps, reads, and does not trade."""
    clock.advance(3600)
    waiting, seen = process(), []
    sleep = clock.sleep

    def finish_meanwhile(seconds: float) -> None:
        sleep(seconds)
        if parameters.pair()["access_token"] == "access-0":
            fresh = {**stored_pair, "access_token": "access-9", "expires_at": int(clock.now().timestamp()) + 86400}
            parameters.store("amocrm-oauth", json.dumps(fresh))

    clock.sleep = finish_meanwhile  # type: ignore[method-assign]
    with Lock(table, "amocrm-oauth", clock).attempt() as ours:
        assert ours
        seen.append(waiting.token())
    assert (seen, server.trades) == (["access-9"], 0)


def test_a_lock_whose_holder_died_ends_by_itself(process, stored_pair, server, clock, table):
    clock.advance(3600)
    lock = Lock(table, "amocrm-oauth", clock, timedelta(seconds=20))
    holder = lock.attempt()
    assert holder.__enter__()
    assert process().token() == "access-1"
    assert clock.slept >= 20


def test_a_lock_that_ran_out_is_not_taken_away_from_its_next_holder(clock, table):
    first, second = (Lock(table, "x", clock, timedelta(seconds=10)) for _ in range(2))
    with first.attempt() as ours:
        assert ours
        clock.advance(11)
        late = second.attempt()
        assert late.__enter__()
    with first.attempt() as again:
        assert not again


def test_a_lock_that_stays_taken_is_left_to_the_queue(process, stored_pair, clock, table):
    clock.advance(3600)
    with Lock(table, "amocrm-oauth", clock, timedelta(minutes=5)).attempt(), pytest.raises(AmoCrmUnavailable):
        process().token()


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), html(502), html(200)], ids=["timeout", "502", "page"])
def test_a_lost_answer_is_asked_for_once_more_with_the_old_token(process, stored_pair, server, clock, lost):
    clock.advance(3600)
    server.lost, server.keeps_old = [lost], True
    assert process().token() == "access-2"
    assert [sent["refresh_token"] for sent in server.asked] == ["refresh-0", "refresh-0"]


def test_a_token_endpoint_that_stays_silent_is_unavailable(process, stored_pair, server, clock):
    clock.advance(3600)
    server.lost, server.keeps_old = [httpx.ReadTimeout("slow")] * 2, True
    with pytest.raises(AmoCrmUnavailable):
        process().token()


def test_a_spent_refresh_token_needs_a_person(process, stored_pair, server, clock):
    clock.advance(3600)
    server.valid = "another"
    with pytest.raises(AmoCrmUnauthorized, match="conveyor secrets set amocrm-oauth") as spent:
        process().token()
    assert "refresh-0" not in str(spent.value)
    assert "s3cret" not in str(spent.value)


def test_a_new_pair_is_not_used_before_it_is_stored_and_not_lost_if_it_cannot_be(
    process, stored_pair, server, clock, parameters
):
    """GIVEN SSM is down after the trade WHEN asked again THEN the same new pair is stored and used, without a trade."""

    def down() -> None:
        raise parameters.ssm.exceptions.InternalServerError({"Error": {"Code": "InternalServerError"}}, "PutParameter")

    clock.advance(3600)
    tokens = process()
    parameters.before_write.append(down)
    with pytest.raises(RetryLater):
        tokens.token()
    assert parameters.pair()["access_token"] == "access-0"
    assert tokens.token() == "access-1"
    assert parameters.pair()["refresh_token"] == "refresh-1"
    assert server.trades == 1


@pytest.mark.parametrize(("content", "what"), [("not json", "is not a JSON object"), ('{"client_id": "x"}', "lacks")])
def test_an_unreadable_pair_is_explained_without_showing_it(process, parameters, content, what):
    parameters.store("amocrm-oauth", content)
    with pytest.raises(NotConfigured, match=what) as unreadable:
        process().token()
    assert content not in str(unreadable.value)
