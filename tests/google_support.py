"""A Google of one firm and our adapter before it, without sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import httpx

from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES, MEET_SCOPES
from functions.shared.adapters.google.gateway import HttpGoogle, build_google
from functions.shared.adapters.google.identity import OAUTH, SERVICE_ACCOUNT
from functions.shared.clock import Clock
from functions.shared.runtime import Runtime
from infra.local.google_simulator.app import HOSTS, create_app
from infra.local.google_simulator.hands import Hands
from infra.local.google_simulator.world import GoogleWorld
from infra.local.network import Internet
from tests.fakes import MemoryTelemetry
from tests.google_wire import HOST, PREFIX, ROBOT, FakeSsm

ALL_SCOPES = (*CALENDAR_SCOPES, *MEET_SCOPES, *AWAY_SCOPES)


@dataclass
class GoogleDesk:
    """`identity` is oauth or service_account."""

    clock: Clock
    identity: str = "oauth"
    host: str = HOST

    def __post_init__(self) -> None:
        self.world = GoogleWorld(self.clock)
        self.world.add_user(HOST)
        for name in ("anna", "boris"):
            self.world.add_user(f"{name}@firm.example")
        self.hands = Hands(self.world)
        self.app = create_app(self.world)
        self.ssm = FakeSsm()
        self.log = MemoryTelemetry()
        self.give_credential()

    def give_credential(self, scopes: tuple[str, ...] = ALL_SCOPES) -> None:
        """Stored anew, as `conveyor secrets set` does."""
        if self.identity == "oauth":
            self.credential = self.world.add_refresh_token(HOST, scopes)
            self.ssm.values = {f"{PREFIX}/{OAUTH}": json.dumps(self.credential)}
        else:
            self.credential = self.world.add_service_account(ROBOT, delegated_scopes=scopes)
            self.ssm.values = {f"{PREFIX}/{SERVICE_ACCOUNT}": json.dumps(self.credential)}

    @cached_property
    def transport(self) -> httpx.BaseTransport:
        return Internet(dict.fromkeys(HOSTS, self.app))

    def adapter(self, transport: httpx.BaseTransport | None = None) -> HttpGoogle:
        """A new process."""
        runtime = Runtime(clock=self.clock, aws=lambda name: self.ssm, transport=transport or self.transport)
        provider = build_google(PREFIX, runtime, self.host, self.log)
        assert isinstance(provider, HttpGoogle)
        return provider

    # What people do: the same words as MemoryCalendar has

    def answer(self, event_id: str, email: str, answer: str) -> None:
        self.hands.answer(event_id, email, str(answer))

    def move(self, event_id: str, start: datetime) -> None:
        self.hands.move(event_id, start)

    def delete(self, event_id: str) -> None:
        self.hands.delete(event_id)

    def add_busy(self, email: str, start: datetime, end: datetime) -> None:
        self.hands.busy(email, start, end)

    def meet_there(self, event_id: str, start: datetime, minutes: int) -> None:
        self.hands.hold_conference(event_id, start, start + timedelta(minutes=minutes))

    def words(self) -> list[tuple[str, frozenset[str]]]:
        return [(each.kind, frozenset(each.recipients)) for each in self.world.notifications]
