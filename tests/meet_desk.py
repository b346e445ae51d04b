"""The scheduler of meetings in its surroundings: amoCRM, a calendar and the table, all in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from functions.meet_scheduler.client_calls import task_key
from functions.meet_scheduler.service import MeetScheduler
from functions.meet_scheduler.stores import Stores
from functions.shared.absence import Absence
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.crm import Contact, FieldValue, Lead, Task
from functions.shared.department import Department
from functions.shared.inbox import read_batch
from functions.shared.meeting_plan import MEETING_TASK, ClientCalls, MeetingPlan, Provider, Standup
from functions.shared.meeting_state import MeetingState
from functions.shared.meetings import Booked
from tests.builders import ANNA, BORIS, MOSCOW, VERA, form, make_department, sqs_record
from tests.fakes import ManualClock, MemoryBus, MemoryQueue, MemoryTelemetry
from tests.fakes_amocrm import FakeAmoCrm
from tests.memory_calendar import HOST, MemoryCalendar
from tests.memory_table import MemoryTable
from tests.router_desk import bus_body, tick_body

LINK_FIELD, ZONE_FIELD, DATE_FIELD = 801, 802, 803
CLIENT_EMAIL = "ivan@mail.ru"
CALLS = ClientCalls(minutes=30, is_recorded=True, link_field=LINK_FIELD, zone_field=ZONE_FIELD)
PLANERKA = Standup(
    key="lead-desk-planerka",
    name="Планёрка",
    team="lead_desk",
    days=frozenset({0, 1, 2, 3, 4}),
    at=time(9, 15),
    minutes=15,
    zone=MOSCOW,
    is_recorded=True,
)


def make_plan(**changes: Any) -> MeetingPlan:
    return replace(MeetingPlan(Provider.GOOGLE, HOST, client_calls=CALLS, out_of_office=False), **changes)


@dataclass
class MeetDesk:
    """`tell` brings messages to the scheduler as its queue would; what it puts off stays in `waiting`."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)))
    plan: MeetingPlan = field(default_factory=make_plan)
    table: Table = field(default_factory=MemoryTable)
    department: Department = field(default_factory=make_department)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.amocrm = FakeAmoCrm(self.clock, token_user_id=1)
        for user_id in (ANNA, BORIS, VERA):
            self.amocrm.add_user(user_id, email=f"user{user_id}@firm.example")
        self.amocrm.add_field("Ссылка на встречу", "url", field_id=LINK_FIELD)
        self.amocrm.add_field("Часовой пояс", "text", field_id=ZONE_FIELD)
        self.amocrm.add_field("Дата встречи", "date_time", field_id=DATE_FIELD)
        self.calendar = MemoryCalendar(self.clock)
        self.bus, self.queue, self.telemetry = MemoryBus(), MemoryQueue(), MemoryTelemetry()
        self.stores = Stores.on(self.table)
        self.set_plan(self.plan)
        self.restart()

    def restart(self) -> None:
        """A new process."""
        self.scheduler = MeetScheduler(
            amocrm=self.amocrm,
            provider=lambda plan: self.calendar,
            stores=self.stores,
            bus=self.bus,
            queue=self.queue,
            telemetry=self.telemetry,
            clock=self.clock,
            base_url="https://demo.amocrm.ru",
        )

    def set_plan(self, plan: MeetingPlan, **changes: Any) -> None:
        """`conveyor apply`"""
        self.department = replace(self.department, meetings=plan, **changes)
        self.stores.departments.store(self.department)

    # What people do

    def client(self, *emails: str, name: str = "Иван") -> Contact:
        return self.amocrm.add_contact(name=name, emails=emails or (CLIENT_EMAIL,))

    def lead(self, owner: int = ANNA, client: Contact | None = None, **values: Any) -> Lead:
        contacts = [(client or self.client()).id]
        return self.amocrm.add_lead(responsible_user_id=owner, contacts=contacts, **values)

    def meeting_task(self, lead: Lead, at: datetime, owner: int = ANNA, kind: int = MEETING_TASK) -> Task:
        """A manager sets a task «Встреча», and amoCRM tells of it."""
        task = self.amocrm.add_task(lead.id, owner, "Встреча", at, kind, by=owner)
        self.tell(self.task_hook(task.id, "add"))
        return task

    def edit_task(self, task: Task, **values: Any) -> None:
        self.clock.advance(1)
        self.amocrm.human_edits_task(task.id, **values)
        self.tell(self.task_hook(task.id))

    def in_hours(self, hours: float) -> datetime:
        return self.clock.now().replace(second=0, microsecond=0) + timedelta(hours=hours)

    # Messages

    def task_hook(self, task_id: int, action: str = "update") -> str:
        """What amoCRM tells of a task; of a deleted one nothing but its id."""
        item = f"task[{action}][0]"
        fields: dict[str, object] = {"account[subdomain]": "demo", f"{item}[id]": task_id}
        task = self.amocrm.tasks_by_id_now().get(task_id)
        if task is not None and action != "delete":
            fields[f"{item}[task_type]"] = task.task_type_id
        return form(fields)

    def lead_hook(self, lead_id: int, action: str = "update") -> str:
        return form({"account[subdomain]": "demo", f"leads[{action}][0][id]": lead_id})

    def contact_hook(self, contact_id: int) -> str:
        return form({"account[subdomain]": "demo", "contacts[update][0][id]": contact_id})

    def tick(self) -> list[str]:
        return self.tell(tick_body("meetings", self.clock.now()))

    def announce(self, kind: str, **detail: object) -> list[str]:
        return self.tell(bus_body(kind, detail, self.clock.now()))

    def tell(self, *bodies: str, sent_at: datetime | None = None) -> list[str]:
        """The ids of the messages that come back."""
        records = [sqs_record(body, f"m{next(self._ids)}", sent_at or self.clock.now()) for body in bodies]
        envelopes = read_batch({"Records": records})
        return self.scheduler.handle(envelopes, self.clock.now() + timedelta(seconds=60))

    def pass_time(self, **span: float) -> None:
        """Ticks every five minutes."""
        until = self.clock.now() + timedelta(**span)
        while self.clock.now() + timedelta(minutes=5) <= until:
            self.clock.advance(300)
            self.tick()
        self.clock.moment = until

    # What tests look at

    def event(self) -> Booked:
        (event,) = self.calendar.standing
        return event

    def state(self, task: Task) -> MeetingState:
        return self.stores.meetings.of([self.key(task)])[self.key(task)]

    def key(self, task: Task) -> str:
        return task_key("demo", task.id)

    def notes(self, lead: Lead) -> str:
        return "\n".join(note.text for note in self.amocrm.notes_of(lead.id))

    def link_on(self, lead: Lead) -> str:
        filled = self.amocrm.see(lead.id).filled(LINK_FIELD)
        return str(filled.values[0]["value"]) if filled else ""

    def absent(self, user_id: int, start: datetime, end: datetime, reason: str = "больничный") -> None:
        self.stores.absences.add(Absence("lead_desk", user_id, start, end, reason))


def zone_value(text: str) -> FieldValue:
    return FieldValue(ZONE_FIELD, "Часовой пояс", "text", ({"value": text},))


__all__ = ["ANNA", "BORIS", "CLIENT_EMAIL", "MOSCOW", "PLANERKA", "VERA", "MeetDesk", "ZoneInfo", "make_plan"]
