"""People at their cards: the floor of a sales department, seen through amoCRM's REST API, many cards at a time.

Whatever a round of acts consists of goes to amoCRM in few requests, the stack comes to rest once, and one look at the
account serves every card; so a table of arrows costs about as much as its longest way.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx

from infra.department.preset import LOSS_REASONS, MODELS, PIPELINES
from tests.e2e.outside import COMMAND, ROOT, Outside, running

ANSWERS = {
    "not_target": "Не целевой",
    "in_conversation": "Уже общаемся",
    "no_information": "Не даёт информации",
    "qualified": "Квалифицирован",
}
REASONS = {russian: key for key, russian, _ in LOSS_REASONS}
ANSWER, ORIGIN, CITY = "Итог квалификации", "Исходная сделка", "Город"
PRICE, TULA, DACHA = 90_000, "Тула", "Дача"
"""What every request brings: a price, a value of the field «Город», a tag."""
WON, LOST, UNSORTED_TYPE = 142, 143, 1
ADMIN = "admin"

PEOPLE = {1: ("anna", "boris", "vera"), 2: ("dina", "egor", "zhanna"), 3: ("irina", "kirill", "lida")}
"""Who works a level, where it has a team of its own; in the other models a team is the people of all its levels."""
TEAM_NAMES = {1: "lead_desk", 2: "closers", 3: "care"}
HEAD, MARKETING = "head", "maria"
START = "2026-03-02T11:30+03:00"

PER_SECOND = 6
"""Requests of ours between two seconds of the clock: amoCRM takes 7 a second, and counts every excess."""

REST_SECONDS = 120
"""The longest that a put-off message may keep a card waiting when nothing is broken: a lease, and a back-off."""

_numbers = count(1)


def department(model: str, extra: str = "") -> str:
    """A department whose people never sleep: no arrow waits for a shift. `extra` are further lines of YAML."""
    teams = [
        f"  {TEAM_NAMES[min(levels)]}:\n    hours: Mon-Sun 00:00-24:00\n"
        f"    members: [{', '.join(f'{name}@firm.example' for name in members_of(levels))}]"
        for levels in MODELS[model]
    ]
    return "\n".join(
        [
            f"department: Окна {model}",
            "timezone: Europe/Moscow",
            f"model: {model}",
            "amocrm: {account: firm.amocrm.ru}",
            f"head: {HEAD}@firm.example",
            f"marketing: {MARKETING}@firm.example",
            "teams:",
            *teams,
            extra,
        ]
    )


@contextmanager
def open_floor(model: str, files: Path, extra: str = "") -> Iterator[Floor]:
    """A stack of its own, on a Monday, with this model's department."""
    file = files / "department.yaml"
    file.write_text(department(model, extra), encoding="utf-8")
    with (
        running(files, "--department", str(file), "--start", START) as stack,
        closing(Floor(stack, model, files)) as floor,
    ):
        yield floor


def members_of(levels: Iterable[int]) -> tuple[str, ...]:
    return tuple(name for level in sorted(levels) for name in PEOPLE[level])


@dataclass(frozen=True)
class Client:
    """Who stands behind a request. With `contact` it comes from a contact that amoCRM has; else it makes a new one."""

    name: str = ""
    phone: str = ""
    email: str = ""
    contact: int = 0

    @classmethod
    def new(cls) -> Client:
        """Nobody whom the account has seen: neither the number nor a word of the name."""
        number = next(_numbers)
        letters = "".join("абвгдежзик"[int(digit)] for digit in f"{number:04d}")
        phone = f"+7 999 {number // 10_000:03d}-{number % 10_000:04d}"
        return cls(f"Имя{letters} Отчество{letters}", phone, f"client{number}@mail.example")

    @property
    def phone_by_hand(self) -> str:
        """The same number as a manager types it: 8 (999) 000-00-01."""
        digits = "".join(filter(str.isdigit, self.phone))[1:]
        return f"8 ({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}"


@dataclass(frozen=True)
class Card:
    """A lead as amoCRM shows it; `place` is `<pipeline>.<stage>` by the preset's keys, `owner` the local part of the
    e-mail, `answer` and `reason` keys, `origin` an address. `tasks` and `notes` are the oldest first."""

    id: int
    place: str
    owner: str
    price: int
    reason: str
    answer: str
    origin: str
    city: str
    tags: frozenset[str]
    contacts: tuple[int, ...]
    company: int
    created_at: int
    tasks: tuple[Task, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def pipeline(self) -> str:
        return self.place.partition(".")[0]

    @property
    def is_open(self) -> bool:
        return not self.place.endswith((".won", ".lost"))

    def open_tasks(self) -> list[Task]:
        return [task for task in self.tasks if not task.is_completed]


@dataclass(frozen=True)
class Task:
    id: int
    owner: str
    text: str
    due: timedelta
    """From its creation."""
    is_completed: bool


Cards = Mapping[int, Card]


@dataclass
class Arrive:
    """A request comes into the exchange, as a plain lead or (`form`) into «Неразобранное»; `lead` is filled in then."""

    client: Client
    form: bool = False
    lead: int = 0


@dataclass
class Patch:
    """A person changes a card: moves it, answers, …; `fields` as amoCRM's API takes them."""

    lead: int
    fields: dict[str, Any]


@dataclass
class Ask:
    """Any other request of a person."""

    method: str
    path: str
    body: Any = None


Act = Arrive | Patch | Ask
Script = Generator[list[Act], Cards, None]
"""What people do about one card, in rounds: yields the acts of a round, is sent how all cards are afterwards."""


@dataclass
class Floor:
    """The account of a running stack, with its people. `seen_with` is who was seen to own each card last; `files` is a
    folder to write into."""

    stack: Outside
    model: str
    files: Path
    seen_with: dict[int, str] = field(default_factory=dict)
    _requests: set[int] = field(default_factory=set)
    _sent: int = 0

    def __post_init__(self) -> None:
        amocrm = self.stack.addresses["amocrm"]
        headers = {"Authorization": f"Bearer {amocrm['token']}"}
        self._http = httpx.Client(base_url=f"{amocrm['url']}/api/v4/", headers=headers, timeout=30, trust_env=False)
        if self.find_field(CITY) is None:
            self.ask("POST", "leads/custom_fields", [{"name": CITY, "type": "text"}])

    def close(self) -> None:
        self._http.close()

    # amoCRM

    def ask(self, method: str, path: str, body: Any = None, by: str = ADMIN, **params: Any) -> Any:
        """The JSON of an answer, None for none; `by` is the user whose hand it is."""
        self._sent += 1
        if self._sent % PER_SECOND == 0:
            self.stack.advance(1)
        headers = {} if by == ADMIN else {"X-Context-User-ID": str(self.users[by])}
        answer = self._http.request(method, path, json=body, params=params or None, headers=headers)
        assert answer.status_code < 300, f"{method} {path} {body}: {answer.text}"
        return answer.json() if answer.content else None

    def every(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        for page in count(1):
            answer = self.ask("GET", path, limit=250, page=page, **params)
            found += answer["_embedded"][key] if answer else []
            if not answer or "next" not in answer["_links"]:
                return found
        raise AssertionError("lists end")

    @cached_property
    def users(self) -> dict[str, int]:
        """Ids by the local part of the e-mail."""
        return {user["email"].partition("@")[0]: user["id"] for user in self.every("users", "users")}

    @cached_property
    def _names(self) -> dict[int, str]:
        return {0: "", **{id_: name for name, id_ in self.users.items()}}

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """(pipeline id, status id) of every place of the preset, those of other pipelines as `?<name>`."""
        keys = {preset.ru: (preset.role, {stage.ru: stage.key for stage in preset.stages}) for preset in PIPELINES}
        found: dict[str, tuple[int, int]] = {}
        for pipeline in self.ask("GET", "leads/pipelines")["_embedded"]["pipelines"]:
            role, stages = keys.get(pipeline["name"], (f"?{pipeline['name']}", {}))
            for status in pipeline["_embedded"]["statuses"]:
                special = {WON: "won", LOST: "lost"}.get(status["id"])
                key = "unsorted" if status["type"] == UNSORTED_TYPE else special or stages.get(status["name"])
                found[f"{role}.{key or status['name']}"] = (pipeline["id"], status["id"])
        return found

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Ids of the loss reasons by the preset's keys."""
        found = self.every("leads/loss_reasons", "loss_reasons")
        return {REASONS[reason["name"]]: reason["id"] for reason in found if reason["name"] in REASONS}

    def find_field(self, name: str) -> dict[str, Any] | None:
        fields = self.every("leads/custom_fields", "custom_fields")
        return next((each for each in fields if each["name"] == name), None)

    @cached_property
    def answer_field(self) -> dict[str, Any]:
        found = self.find_field(ANSWER)
        assert found is not None, f"apply has made no field «{ANSWER}»"
        return found

    # What people do

    def to(self, place: str) -> dict[str, Any]:
        """A move, as a PATCH says it."""
        pipeline_id, status_id = self.places[place]
        return {"pipeline_id": pipeline_id, "status_id": status_id}

    def says(self, answer: str) -> dict[str, Any]:
        """«Итог квалификации» filled in, as a PATCH says it."""
        enum = next(each for each in self.answer_field["enums"] if each["value"] == ANSWERS[answer])
        value = [{"enum_id": enum["id"]}]
        return {"custom_fields_values": [{"field_id": self.answer_field["id"], "values": value}]}

    def step(self, lead: int, step: str) -> Patch:
        """`main.offer`, `+qualified`, or both at once: `exchange.qualified+qualified`."""
        place, _, answer = step.partition("+")
        return Patch(lead, {**(self.to(place) if place else {}), **(self.says(answer) if answer else {})})

    def new_card(self, *steps: str, client: Client | None = None) -> int:
        """A request that comes in and goes this way; returns its lead."""
        arrival = Arrive(client or Client.new())
        self.do([arrival])
        for step in steps:
            self.do([self.step(arrival.lead, step)])
        return arrival.lead

    def play(self, scripts: Iterable[Script]) -> Cards:
        """All scripts side by side, round by round; returns how the cards are in the end."""
        running: list[tuple[Script, list[Act]]] = [(script, next(script)) for script in scripts]
        cards: Cards = {}
        while running:
            self.do([act for _, acts in running for act in acts])
            cards, going_on = self.cards(), []
            for script, _ in running:
                try:
                    going_on.append((script, script.send(cards)))
                except StopIteration:
                    continue
            running = going_on
        return cards

    def do(self, acts: Iterable[Act]) -> None:
        """One round: requests come in, then people act, each on his own cards; returns when all of it is worked off."""
        acts = list(acts)
        self._let_in([act for act in acts if isinstance(act, Arrive)])
        for act in acts:
            if isinstance(act, Ask):
                self.ask(act.method, act.path, act.body)
        by_owner: dict[str, list[dict[str, Any]]] = {}
        for act in acts:
            if isinstance(act, Patch):
                owner = self.seen_with.get(act.lead, ADMIN)
                by_owner.setdefault(owner, []).append({"id": act.lead, **act.fields})
        for owner, patches in by_owner.items():
            for batch in _in_batches(patches):
                self.ask("PATCH", "leads", batch, by=owner)
        self.rest()

    def _let_in(self, arrivals: Sequence[Arrive]) -> None:
        for batch in _in_batches([each for each in arrivals if not each.form]):
            made = self.ask("POST", "leads/complex", [self._request(each.client) for each in batch])
            for arrival, answer in zip(batch, made, strict=True):
                arrival.lead = answer["id"]
                self._requests.add(arrival.lead)
        for batch in _in_batches([each for each in arrivals if each.form]):
            answer = self.ask("POST", "leads/unsorted/forms", [self._form(each.client) for each in batch])
            for arrival, item in zip(batch, answer["_embedded"]["unsorted"], strict=True):
                arrival.lead = item["_embedded"]["leads"][0]["id"]
                self._requests.add(arrival.lead)

    def _request(self, client: Client) -> dict[str, Any]:
        pipeline_id, status_id = self.places["exchange.new"]
        companies = [{"name": f"Фирма {client.name}"}]
        lead = self._lead(client)
        inside = {"contacts": [_contact(client)], "companies": companies, **lead.pop("_embedded")}
        return {**lead, "pipeline_id": pipeline_id, "status_id": status_id, "_embedded": inside}

    def _form(self, client: Client) -> dict[str, Any]:
        """As an integration of a site posts it (amoCRM API: unsorted)."""
        sent_at = int(self.stack.now().timestamp())
        return {
            "source_name": "Сайт",
            "source_uid": f"form-{next(_numbers)}",
            "pipeline_id": self.places["exchange.new"][0],
            "_embedded": {"leads": [self._lead(client)], "contacts": [_contact(client)]},
            "metadata": {
                "form_id": "calculator",
                "form_name": "Калькулятор",
                "form_page": "https://firm.example/",
                "form_sent_at": sent_at,
                "ip": "203.0.113.7",
                "referer": "https://search.example/",
            },
        }

    def _lead(self, client: Client) -> dict[str, Any]:
        """What every request says of itself."""
        return {
            "name": f"Заявка: {client.name}",
            "price": PRICE,
            "custom_fields_values": [{"field_id": self._city, "values": [{"value": TULA}]}],
            "_embedded": {"tags": [{"name": DACHA}]},
        }

    @cached_property
    def _city(self) -> int:
        found = self.find_field(CITY)
        assert found is not None
        return int(found["id"])

    # How it is

    def rest(self) -> None:
        """Until nothing is in work: what was put off comes back soon. Looks at the owners all the while."""
        deadline = time.monotonic() + 60
        waited = 0
        while not (self.stack.status()["idle"] and self._waiting() == 0):
            assert time.monotonic() < deadline, f"the stack does not come to rest: {self.stack.status()}"
            self.look()
            if self.stack.status()["idle"] and self._waiting():
                assert waited < REST_SECONDS, f"messages keep coming back: {self.stack.status()}"
                self.stack.advance(15)
                waited += 15
        self.look()

    def pass_days(self, days: int) -> None:
        for _ in range(days):
            self.stack.advance(timedelta(days=1).total_seconds())
        self.rest()

    def apply(self, text: str) -> None:
        """Another department.yaml, put in force as its owner does it."""
        aws, amocrm = self.stack.addresses["aws"], self.stack.addresses["amocrm"]
        file = self.files / "department.yaml"
        file.write_text(text, encoding="utf-8")
        options = {
            "--base-url": amocrm["url"],
            "--token": amocrm["token"],
            "--hook-url": self.stack.hook_url.rpartition("/")[0],
            "--table": aws["table"],
            "--endpoint": aws["endpoint"],
        }
        self.stack.advance(2)  # it counts its own requests only, and these are of the same integration as ours
        command = [*COMMAND, "apply", str(file), *(word for pair in options.items() for word in pair)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        self.stack.advance(2)
        for cached in ("places", "reasons"):
            self.__dict__.pop(cached, None)

    def _waiting(self) -> int:
        return sum(queue["visible"] + queue["in_flight"] for queue in self.stack.status()["queues"].values())

    def dead_letters(self) -> dict[str, int]:
        return {name: queue["dlq"] for name, queue in self.stack.status()["queues"].items() if queue["dlq"]}

    def look(self) -> None:
        """Nobody may ever see a lead of the conveyor without a manager: a request once it had one, a card that a route
        has made from its first moment on."""
        for lead in self.every("leads", "leads"):
            owner, had = self._names.get(lead["responsible_user_id"], "?"), self.seen_with.get(lead["id"])
            if owner not in ("", ADMIN):
                self.seen_with[lead["id"]] = owner
            else:
                assert had is None, f"lead {lead['id']}: {had} had it, now {owner or 'nobody'}"
                assert lead["id"] in self._requests, f"lead {lead['id']} was made without a manager"

    def cards(self) -> Cards:
        tasks: dict[int, list[Task]] = {}
        for task in self.every("tasks", "tasks", **{"filter[entity_type]": "leads"}):
            due = timedelta(seconds=task["complete_till"] - task["created_at"])
            owner = self._names.get(task["responsible_user_id"], "?")
            shown = Task(task["id"], owner, task["text"], due, task["is_completed"])
            tasks.setdefault(task["entity_id"], []).append(shown)
        notes: dict[int, list[str]] = {}
        for note in self.every("leads/notes", "notes"):
            notes.setdefault(note["entity_id"], []).append(note["params"].get("text", ""))
        names = {ids: place for place, ids in self.places.items()}
        leads = self.every("leads", "leads", **{"with": "contacts,loss_reason"})
        return {lead["id"]: self._card(lead, names, tasks, notes) for lead in leads}

    def _card(
        self,
        lead: dict[str, Any],
        names: dict[tuple[int, int], str],
        tasks: dict[int, list[Task]],
        notes: dict[int, list[str]],
    ) -> Card:
        filled = {each["field_name"]: each["values"][0]["value"] for each in lead["custom_fields_values"] or []}
        inside = lead["_embedded"]
        answers = {name: key for key, name in ANSWERS.items()}
        return Card(
            id=lead["id"],
            place=names[lead["pipeline_id"], lead["status_id"]],
            owner=self._names[lead["responsible_user_id"]],
            price=lead["price"],
            reason=next((REASONS.get(reason["name"], reason["name"]) for reason in inside["loss_reason"]), ""),
            answer=answers.get(filled.get(ANSWER, ""), ""),
            origin=filled.get(ORIGIN, ""),
            city=filled.get(CITY, ""),
            tags=frozenset(tag["name"] for tag in inside["tags"]),
            contacts=tuple(contact["id"] for contact in inside["contacts"]),
            company=next((company["id"] for company in inside["companies"]), 0),
            created_at=lead["created_at"],
            tasks=tuple(tasks.get(lead["id"], ())),
            notes=tuple(notes.get(lead["id"], ())),
        )

    # Whose it is

    def team(self, level: int) -> tuple[str, ...]:
        """The people of the team that works a level."""
        return next(members_of(levels) for levels in MODELS[self.model] if level in levels)

    def same_team(self, one: int, other: int) -> bool:
        return self.team(one) == self.team(other)


def _contact(client: Client) -> dict[str, Any]:
    if client.contact:
        return {"id": client.contact}
    return {"name": client.name, "custom_fields_values": contact_fields(client)}


def contact_fields(client: Client) -> list[dict[str, Any]]:
    known = [("PHONE", client.phone), ("EMAIL", client.email)]
    return [{"field_code": code, "values": [{"value": text}]} for code, text in known if text]


T = TypeVar("T")


def _in_batches(items: Sequence[T], size: int = 50) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def born_of(card: int, cards: Cards, known: Collection[int] = ()) -> list[Card]:
    """The cards whose «Исходная сделка» is this one."""
    return [each for each in cards.values() if each.origin.endswith(f"/leads/detail/{card}") and each.id not in known]
