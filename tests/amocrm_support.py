"""The real adapter on a transport of the test's choice, and a scripted amoCRM that answers what a test tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from functions.shared.adapters.amocrm.client import AmoCrmClient, open_http
from functions.shared.adapters.amocrm.config import AmoCrmConfig
from functions.shared.adapters.amocrm.rest import HttpAmoCrm
from functions.shared.adapters.amocrm.retry import Backoff
from tests.fakes import ManualClock, MemoryTelemetry
from tests.fakes_amocrm import MemoryBudget

BASE_URL = "https://demo.amocrm.ru"
CONFIG = AmoCrmConfig(BASE_URL, retry=Backoff(jitter=lambda: 1.0))

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class FixedTokens:
    """Tokens in the order in which `renew` hands them out."""

    tokens: Sequence[str] = ("token",)
    at: int = 0

    def token(self) -> str:
        return self.tokens[self.at]

    def renew(self, rejected: str) -> str:
        assert rejected == self.token()
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return self.token()


@dataclass
class Wire:
    """An adapter with everything around it that a test may want to look at."""

    transport: httpx.BaseTransport
    config: AmoCrmConfig = CONFIG
    tokens: FixedTokens = field(default_factory=FixedTokens)
    clock: ManualClock = field(default_factory=ManualClock)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)

    def __post_init__(self) -> None:
        self.budget = MemoryBudget(self.clock)
        self.client = AmoCrmClient(
            config=self.config,
            http=lambda: open_http(self.config, self.transport),
            budget=self.budget,
            tokens=self.tokens,
            clock=self.clock,
            telemetry=self.telemetry,
        )
        self.amocrm = HttpAmoCrm(self.client, self.clock, self.telemetry)


@dataclass
class Script:
    """Answers in the given order, the last one for ever; keeps the requests."""

    answers: list[Answer]
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response can be read once; a script may give the same one for ever.
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def scripted(*answers: Answer, **config: Any) -> tuple[Wire, Script]:
    """An adapter that talks to a script; `config` changes single values of the configuration."""
    script = Script(list(answers))
    return Wire(httpx.MockTransport(script), replace(CONFIG, **config)), script


def hal(key: str, rows: list[dict[str, Any]], more: bool = False) -> httpx.Response:
    """A page of a list."""
    links = {"self": {"href": f"{BASE_URL}/api/v4/x"}} | (
        {"next": {"href": "https://elsewhere.example/"}} if more else {}
    )
    return httpx.Response(200, json={"_page": 1, "_links": links, "_embedded": {key: rows}})


def problem(status: int, **extra: Any) -> httpx.Response:
    content = json.dumps({"title": "Problem", "type": "https://httpstatus.es/400", "status": status, **extra})
    return httpx.Response(status, headers={"Content-Type": "application/problem+json"}, content=content)


def refusal(*errors: tuple[str, str, str]) -> httpx.Response:
    """400 for the items (request_id, path, code)."""
    items = [
        {"request_id": request_id, "errors": [{"code": code, "path": path, "detail": "Value +79990000001 is wrong"}]}
        for request_id, path, code in errors
    ]
    return problem(400, detail="Request validation failed", **{"validation-errors": items})


def html(status: int) -> httpx.Response:
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr>nginx</body></html>"
    return httpx.Response(status, html=page)


NOTHING = httpx.Response(204)
