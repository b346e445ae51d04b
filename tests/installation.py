"""One installation for tests of set-up: an amoCRM account with the people of the example in it, and an empty table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from infra.department.amocrm import open_client
from infra.department.apply import Applied, apply
from infra.department.changes import Change
from infra.department.drift import drift
from infra.department.file import load
from infra.department.survey import look
from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.world import World
from tests.fakes import ManualClock, create_table, dynamodb_client

MEETINGS_OF_EXAMPLE = re.compile(r"(?m)^meetings:.*\n(?:(?: .*)?\n)*")
TEXT = MEETINGS_OF_EXAMPLE.sub(
    "", (Path(__file__).parents[1] / "department.example.yaml").read_text(encoding="utf-8") + "\n"
)
"""The example without meetings; they have tests of their own below."""

EXAMPLE = load(TEXT)
HOOKS = "https://gateway.example/hooks/0123456789abcdef0123456789abcdef"


class Killed(Exception):
    """The process that applies is gone."""


@dataclass
class Wire(httpx.BaseTransport):
    """The way to the simulator: remembers what was asked, and is cut at one request, before or after it is done."""

    inner: httpx.BaseTransport
    cut_at: int | None = None
    is_done_before_cut: bool = False

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.cut_at == len(self.asked):
            if self.is_done_before_cut:
                self.inner.handle_request(request)
            raise Killed
        return self.inner.handle_request(request)

    @property
    def writes(self) -> list[str]:
        return [asked for asked in self.asked if not asked.startswith("GET")]


@dataclass
class Installation:
    """An account with the people of the example in it, and an empty table."""

    world: World
    clock: ManualClock
    departments: Departments
    waiting_room: WaitingRoom
    books: RuleBookStore

    def wire(self, cut_at: int | None = None, is_done_before_cut: bool = False) -> Wire:
        return Wire(httpx.WSGITransport(create_app(self.world)), cut_at, is_done_before_cut)

    def client(self, wire: Wire) -> AmoCrmClient:
        token = self.world.add_token("setup", self.world.admin.id)
        return open_client("https://oknaplus.amocrm.ru", token, self.clock, wire)

    def apply(self, wire: Wire | None = None, text: str = TEXT, hooks: str = HOOKS) -> Applied:
        return apply(load(text), self.client(wire or self.wire()), *self.stores, hooks, self.clock.now())

    def plan(self, wire: Wire | None = None, text: str = TEXT, hooks: str | None = HOOKS) -> list[Change]:
        file = load(text)
        survey = look(file, self.client(wire or self.wire()), self.departments, hooks)
        return list(drift(survey, self.books.current(), self.clock.now(), hooks))

    @property
    def stores(self) -> tuple[Departments, WaitingRoom, RuleBookStore]:
        return self.departments, self.waiting_room, self.books

    @property
    def state(self) -> dict[str, Any]:
        """What an apply makes, without ids."""
        return {
            "pipelines": [
                (pipeline.name, pipeline.is_unsorted_on, [status.name for status in pipeline.statuses])
                for pipeline in self.world.pipelines.values()
            ],
            "reasons": [reason.name for reason in self.world.loss_reasons.values()],
            "fields": [
                (field.name, field.type, [enum.value for enum in field.enums])
                for field in self.world.custom_fields.values()
                if field.entity == "leads" and not field.is_predefined
            ],
            "hooks": [(hook.destination, sorted(hook.settings)) for hook in self.world.webhooks.values()],
            "version": self.departments.newest_version(),
        }


def install() -> Installation:
    clock = ManualClock()
    world = World(clock, subdomain="oknaplus")
    for email in EXAMPLE.people:
        world.add_user(email.partition("@")[0], email)
    table = create_table(dynamodb_client(), f"sales-{uuid4()}")
    return Installation(world, clock, Departments(table), WaitingRoom(table), RuleBookStore(table))
