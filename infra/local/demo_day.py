"""The demo's day: when which lead comes in through which channel, and whose hand makes it come."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from infra.local.amocrm_simulator.messengers import Messenger
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.world import World

MOSCOW = ZoneInfo("Europe/Moscow")
MIDNIGHT = datetime(2026, 3, 2, tzinfo=MOSCOW)
"""A Monday."""

LEADS_PER_HOUR = {1: 1, 2: 2, 4: 2, 5: 1, 8: 3, 9: 5, 10: 6, 11: 6, 12: 5, 13: 4, 14: 5, 15: 5, 16: 4, 17: 4, 18: 3,
                  19: 2, 20: 2}  # fmt: skip
"""A small firm's Monday: some of the night, most before noon."""

CHANNELS = {
    "site": 16,
    "call": 13,
    "whatsapp": 11,
    "telegram": 6,
    "instagram": 4,
    "vk": 3,
    "mail": 3,
    "api": 2,
    "hand": 2,
}
"""How often each way in is used, in parts."""

BY_PEOPLE = ("api", "hand")
OPENING = 9
"""The hour before which no colleague enters anything."""

CHATS = {
    "whatsapp": ("waba", "WhatsApp"),
    "telegram": ("telegram", "Telegram"),
    "instagram": ("instagram_business", "Instagram"),
    "vk": ("vkontakte", "ВКонтакте"),
}
RETURNING = 0.12
"""Share of chats that known clients write: their manager keeps them."""


@dataclass(frozen=True)
class Arrival:
    at: datetime
    channel: str
    number: int


def arrivals(seed: int = 5) -> Iterator[Arrival]:
    """The day's leads in the order of their time; the same for the same seed."""
    chance = random.Random(seed)
    times = sorted(
        MIDNIGHT + timedelta(hours=hour, seconds=chance.randrange(3600))
        for hour, leads in LEADS_PER_HOUR.items()
        for _ in range(leads)
    )
    for number, at in enumerate(times, 1):
        ways = {name: parts for name, parts in CHANNELS.items() if name not in BY_PEOPLE or at.hour >= OPENING}
        yield Arrival(at, chance.choices(list(ways), list(ways.values()))[0], number)


class Clients:
    """Sends the arrivals: chats and mails as clients, calls and forms as the integrations of telephony and site do over
    REST, some leads by hand. `amocrm` is a client with a token of its own, `pipeline_id` the exchange."""

    def __init__(self, world: World, amocrm: httpx.Client, pipeline_id: int, seed: int = 5) -> None:
        self._world = world
        self._amocrm = amocrm
        self._pipeline_id = pipeline_id
        self._chance = random.Random(seed)

    def send(self, arrival: Arrival) -> int:
        """Returns the new lead's id."""
        ways: dict[str, Callable[[Arrival], int]] = {
            "site": self._fill_in_form,
            "call": self._call,
            "mail": self._mail,
            "api": self._import,
            "hand": self._write_down,
        }
        return ways.get(arrival.channel, self._write)(arrival)

    def _write(self, arrival: Arrival) -> int:
        service, name = CHATS[arrival.channel]
        item = Messenger(self._world).writes(
            "Здравствуйте! Сколько стоит застеклить балкон?",
            client=_client(arrival),
            service=service,
            source_name=name,
            pipeline_id=self._pipeline_id,
            contact_id=self._known_client(),
        )
        return item.lead_id

    def _known_client(self) -> int | None:
        """A client whom a manager has already, now and then."""
        leads = [lead for lead in self._world.leads.all() if lead.pipeline_id == self._pipeline_id]
        clients = [lead.contacts[0] for lead in leads if lead.responsible_user_id and lead.contacts]
        return self._chance.choice(clients) if clients and self._chance.random() < RETURNING else None

    def _mail(self, arrival: Arrival) -> int:
        messenger = Messenger(self._world)
        return messenger.mails("Расчёт окон", name=_client(arrival), pipeline_id=self._pipeline_id).lead_id

    def _fill_in_form(self, arrival: Arrival) -> int:
        metadata = {
            "form_id": "calculator",
            "form_name": "Калькулятор",
            "form_page": "https://oknaplus.example/",
            "form_sent_at": int(arrival.at.timestamp()),
            "ip": "203.0.113.7",
            "referer": "https://search.example/",
        }
        return self._post_unsorted("forms", arrival, "Сайт", metadata)

    def _call(self, arrival: Arrival) -> int:
        metadata = {
            "from": f"+7900000{arrival.number:04}",
            "phone": "+74950000000",
            "called_at": int(arrival.at.timestamp()),
            "duration": 40 + arrival.number,
            "link": f"https://pbx.example/{arrival.number}.mp3",
            "service_code": "pbx",
            "uniq": f"call-{arrival.number}",
            "is_call_event_needed": True,
        }
        return self._post_unsorted("sip", arrival, "Телефония", metadata)

    def _post_unsorted(self, category: str, arrival: Arrival, source: str, metadata: dict[str, Any]) -> int:
        item = {
            "source_name": source,
            "source_uid": f"{category}-{arrival.number}",
            "pipeline_id": self._pipeline_id,
            "created_at": int(arrival.at.timestamp()),
            "metadata": metadata,
            "_embedded": {"leads": [{"name": _title(arrival)}], "contacts": [{"name": _client(arrival)}]},
        }
        made = self._post(f"leads/unsorted/{category}", [item])["unsorted"][0]
        return int(made["_embedded"]["leads"][0]["id"])

    def _import(self, arrival: Arrival) -> int:
        lead = {
            "name": _title(arrival),
            "pipeline_id": self._pipeline_id,
            "_embedded": {"tags": [{"name": "дилер"}]},
        }
        return int(self._post("leads", [lead])["leads"][0]["id"])

    def _write_down(self, arrival: Arrival) -> int:
        """The admin notes a lead from an exhibition down and leaves it to the conveyor."""
        return Person(self._world).create_lead(_title(arrival), pipeline_id=self._pipeline_id).id

    def _post(self, path: str, body: list[dict[str, Any]]) -> dict[str, Any]:
        answer = self._amocrm.post(f"/api/v4/{path}", json=body)
        answer.raise_for_status()
        embedded: dict[str, Any] = answer.json()["_embedded"]
        return embedded


def _title(arrival: Arrival) -> str:
    return f"Заявка {arrival.number}"


def _client(arrival: Arrival) -> str:
    return f"Клиент {arrival.number}"
