"""A simulated amoCRM account with its API client and a destination for its webhooks, for the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx

from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.courier import HookCourier
from infra.local.amocrm_simulator.messengers import Messenger
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.switches import Switches
from infra.local.amocrm_simulator.world import World
from tests.fakes import ManualClock

DESTINATION = "https://app.example/hooks/secret/leads"
EVERYTHING = [
    *(f"{action}_lead" for action in ("add", "update", "delete", "restore", "status", "responsible", "note")),
    *(f"{action}_contact" for action in ("add", "update", "delete", "note")),
    *(f"{action}_task" for action in ("add", "update", "delete", "responsible")),
    *(f"{action}_unsorted" for action in ("add", "update", "delete")),
]


class Account:
    """One account, one admin, one token. `hooks` are the bodies that the destination got, as lists of (key, value)."""

    def __init__(self, **switches: Any) -> None:
        self.clock = ManualClock()
        self.world = World(self.clock, switches=Switches(**{"batch_504_share": 0.0, **switches}))
        self.app = create_app(self.world)
        self.token = self.world.add_token("conveyor", self.world.admin.id)
        self.api = self.client(self.token)
        self.admin = Person(self.world)
        self.clients = Messenger(self.world)
        self.main = self.world.main_pipeline
        self.hooks: list[list[tuple[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[], int] = lambda: 200
        self.courier = HookCourier(self.world, self.clock, self._receive)

    def client(self, token: str) -> httpx.Client:
        """A patient client: it waits as long as the limit wants."""
        return httpx.Client(
            transport=httpx.WSGITransport(app=self.app),
            base_url="http://demo.amocrm.test/api/v4",
            headers={"Authorization": f"Bearer {token}"},
            event_hooks={"request": [lambda _: self.clock.advance(0.2)]},
        )

    def hasty_client(self, token: str | None = None) -> httpx.Client:
        """A client for which no time passes."""
        client = self.client(token or self.token)
        client.event_hooks = {}
        return client

    def subscribe(self, *settings: str, destination: str = DESTINATION) -> None:
        body = {"destination": destination, "settings": list(settings) or EVERYTHING}
        assert self.api.post("/webhooks", json=body).status_code == 201

    def delivered(self) -> list[str]:
        """Deliver what is due; which entity and action each POST told, e.g. `leads[add]`."""
        del self.hooks[:]
        self.courier.deliver_due()
        return [self.kind(hook) for hook in self.hooks]

    @staticmethod
    def kind(hook: list[tuple[str, str]]) -> str:
        kinds = {key.split("][")[0] + "]" for key, _ in hook if not key.startswith("account")}
        return "+".join(sorted(kinds))

    def hook(self, kind: str) -> dict[str, str]:
        """The last delivered hook of this kind, keys below the item: `id`, `custom_fields][0][id` …"""
        found = [hook for hook in self.hooks if self.kind(hook) == kind]
        return {key.removeprefix(f"{kind}[0][").removesuffix("]"): value for key, value in found[-1]}

    def lead(self, **fields: Any) -> int:
        """A lead made through the API."""
        answer = self.api.post("/leads", json=[fields or {"name": "Заявка"}])
        assert answer.status_code == 200, answer.text
        return int(answer.json()["_embedded"]["leads"][0]["id"])

    def contact(self, phone: str, **fields: Any) -> int:
        answer = self.api.post("/contacts", json=[{"name": "Анна", **phone_values(phone), **fields}])
        assert answer.status_code == 200, answer.text
        return int(answer.json()["_embedded"]["contacts"][0]["id"])

    def form(self, **fields: Any) -> dict[str, Any]:
        """An item of «Неразобранное» made through the API; its answer."""
        answer = self.api.post("/leads/unsorted/forms", json=[form_item(self.world.uuid(), **fields)])
        assert answer.status_code == 200, answer.text
        item: dict[str, Any] = answer.json()["_embedded"]["unsorted"][0]
        return item

    def unsorted_stage(self) -> int:
        stage = self.main.unsorted
        assert stage is not None
        return stage.id

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Follow `next` to the end."""
        url: str | None = path
        while url:
            answer = self.api.get(url)
            if answer.status_code == 204:
                return
            page = answer.json()
            yield page
            url = page["_links"].get("next", {}).get("href")

    def _receive(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        assert url == DESTINATION
        self.hooks.append(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        self.headers.append(headers)
        return self.answer()


def phone_values(phone: str) -> dict[str, Any]:
    return {"custom_fields_values": [{"field_code": "PHONE", "values": [{"value": phone, "enum_code": "WORK"}]}]}


def form_item(source_uid: str = "site-1", **fields: Any) -> dict[str, Any]:
    metadata = {
        "form_id": "f1",
        "form_name": "Обратная связь",
        "form_page": "https://site.example/contacts",
        "form_sent_at": 1700000000,
        "ip": "10.0.0.1",
        "referer": "https://search.example",
    }
    embedded = {
        "leads": [{"name": "Заявка с сайта"}],
        "contacts": [{"name": "Иван", **phone_values("+79990000001")}],
    }
    base = {"source_name": "Сайт", "source_uid": source_uid, "metadata": metadata, "_embedded": embedded}
    return {**base, **fields}


def errors(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """(request_id, path, code) of a refused write."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [
        (entry["request_id"], error["path"], error["code"])
        for entry in answer.json()["validation-errors"]
        for error in entry["errors"]
    ]


def ids(answer: httpx.Response, key: str = "leads") -> list[int]:
    """Ids of a list's page; nothing for 204."""
    return [] if answer.status_code == 204 else [row["id"] for row in answer.json()["_embedded"][key]]
