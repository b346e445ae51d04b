"""A router in its surroundings: amoCRM in memory that sends its hooks, the bus with its rules, both queues, and the
distributor behind them. `RouterDesk` delivers what a test names, `Office` carries every message by itself.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from functions.distribute import service as distribute
from functions.qualify_router import service as qualify_router
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.crm import Lead, NewLead
from functions.shared.department import Department
from functions.shared.inbox import Envelope, read_batch
from functions.shared.lead_state import LeadState
from functions.shared.ports import BusEvent
from infra.local.patterns import matches
from tests.builders import form, sqs_record
from tests.fakes import ManualClock, MemoryQueue, MemoryTelemetry
from tests.fakes_amocrm import FakeAmoCrm
from tests.memory_table import MemoryTable
from tests.routing_support import ACCOUNT, BASE_URL, SUBDOMAIN, make_account, make_department, place

LEADS, STAGES = "LeadsQueue", "StagesQueue"
"""The queues, by their names in template.yaml."""

SUBSCRIBED = {"add": (LEADS, STAGES), "status": (STAGES,), "update": (STAGES,)}
"""Where amoCRM sends the hooks of leads (conveyor apply)."""

LOOKS = frozenset({"fail_next", "see", "see_all", "owner", "place", "tasks_of", "notes_of", "see_contact"})


def lead_hook(lead: Lead, action: str = "status") -> str:
    """A hook of a lead as amoCRM encodes it: where it stands, which fields are filled."""
    item = f"leads[{action}][0]"
    fields: dict[str, object] = {
        "account[subdomain]": SUBDOMAIN,
        "account[id]": ACCOUNT,
        f"{item}[id]": lead.id,
        f"{item}[status_id]": lead.status_id,
        f"{item}[pipeline_id]": lead.pipeline_id,
        f"{item}[responsible_user_id]": lead.responsible_user_id,
        f"{item}[last_modified]": int(lead.updated_at.timestamp()),
        f"{item}[modified_user_id]": 0,
    }
    for number, filled in enumerate(lead.fields):
        fields[f"{item}[custom_fields][{number}][id]"] = filled.field_id
        for place_, value in enumerate(filled.values):
            fields[f"{item}[custom_fields][{number}][values][{place_}][value]"] = value.get("value", "")
            if "enum_id" in value:
                fields[f"{item}[custom_fields][{number}][values][{place_}][enum]"] = value["enum_id"]
    return form(fields)


def bus_body(detail_type: str, detail: Mapping[str, object], at: datetime, event_id: str = "e1") -> str:
    """An event of the bus as EventBridge delivers it."""
    source = "conveyor.distribute" if detail_type.startswith("LeadAssigned") else "conveyor.qualify_router"
    return json.dumps(
        {
            "version": "0",
            "id": event_id,
            "detail-type": detail_type,
            "source": source,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": dict(detail),
        }
    )


def tick_body(name: str, at: datetime) -> str:
    return json.dumps({"tick": name, "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})


@dataclass
class HookingAmoCrm(FakeAmoCrm):
    """Sends a hook for everything that happens to a lead, by whomever: `send` gets the queue and the body. Dates are
    whole seconds, as amoCRM's are."""

    send: Callable[[str, str], None] = lambda queue, body: None
    watch: Callable[[Lead | None, Lead], None] = lambda before, after: None
    """Sees every change of a lead; before is None for a new one."""
    requests: dict[str, int] = field(default_factory=dict)
    """How often each method of the port was called."""

    def add_lead(self, lead_id: Any = None, **values: Any) -> Any:
        made = super().add_lead(lead_id, **values)
        if not isinstance(lead_id, NewLead):
            self._tell(made.id, "add")
            self.watch(None, made)
        return made

    def asked(self) -> int:
        return sum(self.requests.values())

    def _call(self, method: str) -> Any:
        self.requests[method] = self.requests.get(method, 0) + 1
        return super()._call(method)

    def _created(self, new: NewLead) -> int:
        lead_id = super()._created(new)
        self._tell(lead_id, "add")
        self.watch(None, self.see(lead_id))
        return lead_id

    def _change(self, lead_id: int, *, by: int = 0, **values: Any) -> None:
        before = self.see(lead_id)
        super()._change(lead_id, by=by, **values)
        at, after = self._history[lead_id][-1]
        self._history[lead_id][-1] = (at, replace(after, updated_at=after.updated_at.replace(microsecond=0)))
        if (before.pipeline_id, before.status_id) != (after.pipeline_id, after.status_id):
            self._tell(lead_id, "status")
        self._tell(lead_id, "update")
        self.watch(before, after)

    def _tell(self, lead_id: int, action: str) -> None:
        for queue in SUBSCRIBED[action]:
            self.send(queue, lead_hook(self.see(lead_id), action))


@dataclass
class RuledBus:
    """The bus «sales»: keeps what was published and sends it where the rules of template.yaml say."""

    source: str
    clock: ManualClock
    events: list[BusEvent] = field(default_factory=list)
    send: Callable[[str, str], None] = lambda queue, body: None
    fail_next: Exception | None = None
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def publish(self, events: Sequence[BusEvent]) -> None:
        if self.fail_next and events:
            error, self.fail_next = self.fail_next, None
            raise error
        for event in events:
            self.events.append(event)
            detail = json.loads(json.dumps(event.detail()))
            envelope = {"source": f"conveyor.{self.source}", "detail-type": event.detail_type, "detail": detail}
            for queue, pattern in rules():
                if matches(pattern, envelope):
                    body = bus_body(event.detail_type, detail, self.clock.now(), f"e{next(self._ids)}")
                    self.send(queue, body)

    def of(self, detail_type: str, lead_id: int | None = None) -> list[dict[str, Any]]:
        found = [dict(event.detail()) for event in self.events if event.detail_type == detail_type]
        return [detail for detail in found if lead_id in (None, detail["lead_id"])]


@cache
def rules() -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """(queue, pattern) of every rule of the bus in template.yaml."""

    class Loader(yaml.SafeLoader):
        """Reads `!Ref X` and the like as their argument."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: getattr(node, "value", None))
    template = yaml.load((Path(__file__).parents[1] / "template.yaml").read_text(encoding="utf-8"), Loader)
    found = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Events::Rule":
            wanted = resource["Properties"]
            found += [(target["Arn"].split(".")[0], wanted["EventPattern"]) for target in wanted["Targets"]]
    assert found, "the template has rules"
    return tuple(found)


@dataclass
class RouterDesk:
    """A router of one department. Bodies are delivered as one batch; what amoCRM and the bus send meanwhile lies in
    `sent`, by queue, until a test delivers it."""

    department: Department = field(default_factory=make_department)
    table: Table = field(default_factory=MemoryTable)
    clock: ManualClock = field(default_factory=ManualClock)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)
    amocrm: Any = None
    sent: dict[str, list[str]] = field(default_factory=lambda: {LEADS: [], STAGES: []})

    def __post_init__(self) -> None:
        if self.amocrm is None:
            self.amocrm = make_account(self.clock, self.department, HookingAmoCrm)
        self.amocrm.send = self._keep
        self.bus = RuledBus("qualify_router", self.clock, send=self._keep)
        self.stores = router_stores(self.table)
        self.stores.departments.store(self.department)
        self.department = self.stores.departments.current()
        self.router = make_router(self)

    def _keep(self, queue: str, body: str) -> None:
        """What goes to other functions is their business."""
        if queue in self.sent:
            self.sent[queue].append(body)

    # what comes in

    def deliver(self, *bodies: str, seconds: float = 60, receive_count: int = 1) -> list[str]:
        """One batch; returns the ids of the messages that come back (m0, m1 …)."""
        now = self.clock.now()
        records = [sqs_record(body, f"m{number}", now, receive_count) for number, body in enumerate(bodies)]
        return self.router.handle(read_batch({"Records": records}), now + timedelta(seconds=seconds))

    def drain(self, queue: str = STAGES) -> list[str]:
        """Deliver all that lies in the queue, in one batch."""
        bodies, self.sent[queue] = self.sent[queue], []
        return self.deliver(*bodies)

    def settle(self) -> None:
        """Deliver until nothing of ours comes out of it any more."""
        for _ in range(20):
            if not self.sent[STAGES]:
                return
            bodies = self.sent[STAGES]
            back = self.drain()
            self.sent[STAGES] += [bodies[int(message.removeprefix("m"))] for message in back]
            self.clock.advance(100)
        raise AssertionError("it does not come to rest")

    def forget(self) -> None:
        """Hooks that a test does not want to deliver."""
        self.sent = {LEADS: [], STAGES: []}

    def tick(self) -> list[str]:
        return self.deliver(tick_body("stages", self.clock.now()))

    def assigned(self, lead_id: int, twins: Sequence[int] | None = (), **changes: Any) -> str:
        """distribute's word that the lead has its manager."""
        values = {"team": "lead_desk", "owner": self.amocrm.owner(lead_id), "channel": "site", "mode": "fair"}
        detail = {"lead_id": lead_id, **values, "cause": "arrival", "twins": None if twins is None else list(twins)}
        return bus_body("LeadAssigned", detail | changes, self.clock.now())

    # people

    def lead(self, at: str, owner: int = 11, **values: Any) -> int:
        """A lead that stands there; nobody is told."""
        pipeline_id, status_id = self.ids(at)
        lead = self.amocrm.add_lead(pipeline_id=pipeline_id, status_id=status_id, responsible_user_id=owner, **values)
        self.forget()
        return int(lead.id)

    def move(self, lead_id: int, at: str, **values: Any) -> None:
        pipeline_id, status_id = self.ids(at)
        self.amocrm.human_moves(lead_id, status_id, pipeline_id, **values)

    def says(self, lead_id: int, answer: str) -> None:
        """Somebody fills in «Итог квалификации», or empties it."""
        enum_id = self.department.answers[answer] if answer else None
        self.amocrm.human_sets_field(lead_id, self.department.answer_field, enum_id=enum_id)

    # how it is

    def ids(self, at: str) -> tuple[int, int]:
        return self.department.ids(place(at))

    def at(self, lead_id: int) -> str:
        return str(self.department.place(*self.amocrm.place(lead_id)))

    def answer(self, lead_id: int) -> str:
        filled = self.amocrm.see(lead_id).filled(self.department.answer_field)
        keys = {enum_id: key for key, enum_id in self.department.answers.items()}
        return keys[filled.values[0]["enum_id"]] if filled else ""

    def state(self, lead_id: int) -> LeadState:
        return self.stores.states.of([lead_id])[lead_id]

    def hook(self, lead_id: int, action: str = "status", at: str | None = None) -> str:
        """A hook about the lead as it is, or as if it stood at another place."""
        lead = self.amocrm.see(lead_id)
        if at is not None:
            pipeline_id, status_id = self.ids(at)
            lead = replace(lead, pipeline_id=pipeline_id, status_id=status_id)
        return lead_hook(lead, action)

    def pass_lease(self) -> None:
        self.clock.advance(120)

    def apply(self, department: Department) -> None:
        """Another version of the department comes into force."""
        self.stores.departments.store(department)
        self.department = self.stores.departments.current()


def router_stores(table: Table) -> qualify_router.Stores:
    return qualify_router.Stores(Departments(table), LeadStates(table), Assignments(table), Merges(table))


def make_router(desk: Any, **others: Any) -> qualify_router.Router:
    """A router at this desk; `others` take the place of some of its collaborators."""
    collaborators = {
        "amocrm": desk.amocrm,
        "stores": desk.stores,
        "bus": desk.bus,
        "queue": desk.queue,
        "telemetry": desk.telemetry,
        "clock": desk.clock,
    }
    return qualify_router.Router(base_url=BASE_URL, **(collaborators | others))


class Killed(BaseException):
    """The process is gone: no except clause of ours may see it, no finally may write."""


@dataclass
class Letter:
    """A message of a queue. `received` counts its deliveries; it can be received from `visible_at` on."""

    id: str
    queue: str
    body: str
    sent_at: datetime
    visible_at: datetime
    received: int = 0


@dataclass
class Hands:
    """A worker's way to the world: every call goes through `before` and `after`, and either may raise."""

    target: Any
    name: str
    before: Callable[[str], None]
    after: Callable[[str], None]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.target, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            step = f"{self.name}.{name}"
            self.before(step)
            result = method(*args, **kwargs)
            self.after(step)
            return result

        return call


@dataclass
class FixedDepartments:
    """The department that is in force, without reading it anew for every batch."""

    department: Department

    def current(self) -> Department:
        return self.department

    def version(self, number: int) -> Department:
        return self.department


@dataclass
class Office:
    """Both functions at one account. All messages lie in `letters` until somebody has them delivered; `step` is called
    with "before <call>" and "after <call>" around every call that a function makes to the world."""

    department: Department
    clock: ManualClock = field(default_factory=ManualClock)
    step: Callable[[str], None] = lambda step: None
    letters: dict[str, Letter] = field(default_factory=dict)
    parked: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.table = MemoryTable()
        self.amocrm: HookingAmoCrm = make_account(self.clock, self.department, HookingAmoCrm)
        self.amocrm.send = self.post
        self.router_bus = RuledBus("qualify_router", self.clock, send=self.post)
        self.distribute_bus = RuledBus("distribute", self.clock, send=self.post)
        self.telemetry = MemoryTelemetry()
        Departments(self.table).store(self.department)
        self.states = LeadStates(self.table)

    def post(self, queue: str, body: str) -> None:
        """Of what goes to other functions than these two nobody here hears."""
        if queue not in (LEADS, STAGES):
            return
        now = self.clock.now()
        letter = Letter(f"m{next(self._ids)}", queue, body, now, now)
        self.letters[letter.id] = letter

    def waiting(self) -> list[Letter]:
        """What can be received now."""
        now = self.clock.now()
        return [letter for letter in self.letters.values() if letter.visible_at <= now]

    def deliver(self, letters: Collection[Letter], twice: Collection[str] = ()) -> None:
        """One batch a queue, to a new process each. Who dies leaves all his messages to the next one; those in `twice`
        (ids) come again although they are done."""
        for queue in (LEADS, STAGES):
            batch = [letter for letter in letters if letter.queue == queue and letter.id in self.letters]
            if batch:
                self._deliver(queue, batch, twice)

    def _deliver(self, queue: str, batch: Sequence[Letter], twice: Collection[str]) -> None:
        now = self.clock.now()
        for letter in batch:
            letter.received += 1
            letter.visible_at = now + timedelta(seconds=370)
        records = [sqs_record(each.body, each.id, each.sent_at, each.received) for each in batch]
        try:
            back = self._worker(queue).handle(read_batch({"Records": records}), now + timedelta(seconds=60))
        except Killed:
            return
        now = self.clock.now()
        for letter in batch:
            if letter.id in twice and letter.id not in back:
                letter.visible_at = now
            elif letter.id not in back:
                del self.letters[letter.id]

    def _worker(self, queue: str) -> Any:
        """A new process: it may die at any call, and does nothing more then."""
        dead: list[bool] = []

        def at(when: str) -> Callable[[str], None]:
            def look(step: str) -> None:
                if dead:
                    raise Killed
                try:
                    self.step(f"{when} {step}")
                except Killed:
                    dead.append(True)
                    raise

            return look

        before, after = at("before"), at("after")
        table: Any = Hands(self.table, "table", before, after)
        ours = {
            "amocrm": Hands(self.amocrm, "amocrm", before, after),
            "queue": self,
            "telemetry": self.telemetry,
            "clock": self.clock,
        }
        departments: Any = FixedDepartments(self.department)
        assignments = Assignments(table)
        if queue == STAGES:
            stores = qualify_router.Stores(departments, LeadStates(table), assignments, Merges(table))
            bus = Hands(self.router_bus, "bus", before, after)
            return qualify_router.Router(stores=stores, bus=bus, base_url=BASE_URL, **ours)  # type: ignore[arg-type]
        theirs = distribute.Stores(departments, assignments, WaitingRoom(table), Absences(table))
        bus = Hands(self.distribute_bus, "bus", before, after)
        return distribute.Distributor(stores=theirs, bus=bus, **ours)  # type: ignore[arg-type]

    # the port MessageQueue

    def postpone(self, envelope: Envelope, after: float | None) -> None:
        seconds = max(after or 0.0, min(15.0 * 2 ** (envelope.receive_count - 1), 900.0))
        self.letters[envelope.message_id].visible_at = self.clock.now() + timedelta(seconds=seconds)

    def park(self, envelope: Envelope, reason: str, detail: str) -> None:
        self.parked.append(f"{reason}: {detail}")

    # people

    def lead(self, at: str, owner: int, **values: Any) -> int:
        pipeline_id, status_id = self.department.ids(place(at))
        return int(
            self.amocrm.add_lead(pipeline_id=pipeline_id, status_id=status_id, responsible_user_id=owner, **values).id
        )

    def at(self, lead_id: int) -> str:
        return str(self.department.place(*self.amocrm.place(lead_id)))

    def answer(self, lead_id: int) -> str:
        filled = self.amocrm.see(lead_id).filled(self.department.answer_field)
        keys = {enum_id: key for key, enum_id in self.department.answers.items()}
        return keys[filled.values[0]["enum_id"]] if filled else ""

    def move(self, lead_id: int, at: str, **values: Any) -> None:
        pipeline_id, status_id = self.department.ids(place(at))
        self.amocrm.human_moves(lead_id, status_id, pipeline_id, **values)

    def says(self, lead_id: int, answer: str) -> None:
        enum_id = self.department.answers[answer] if answer else None
        self.amocrm.human_sets_field(lead_id, self.department.answer_field, enum_id=enum_id)
