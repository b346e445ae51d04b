"""Random schedules of calls in bad weather: people change their minds on both sides, hooks come twice, late and in any
order, answers get lost, runs die at any call. In the end there is one event for each call that is wanted, none for any
other, and nobody was told anything twice.

CONVEYOR_SCHEDULES=10000 plays as many; by default fewer, for the suite's sake.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from functions.shared.adapters.dynamodb.keys import Key
from functions.shared.adapters.dynamodb.table import Item
from functions.shared.crm import LOST, WON, Task
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable, MeetingsUnavailable
from functions.shared.meetings import Answer
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE, FakeAmoCrm
from tests.meet_desk import ANNA, BORIS, CLIENT_EMAIL, VERA, MeetDesk
from tests.memory_table import MemoryTable

SCHEDULES = int(os.environ.get("CONVEYOR_SCHEDULES", "400"))
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)
READS = frozenset({"lead", "leads", "contact", "contacts", "tasks_by_id", "users", "notes_since", "tasks_since"})


class Death(BaseException):
    """The process is gone; nothing catches it."""


@dataclass
class Weather:
    """What happens at which outward call, counted from the start."""

    faults: dict[int, str] = field(default_factory=dict)
    calls: int = 0
    is_fair: bool = False

    def next(self) -> str:
        self.calls += 1
        return "" if self.is_fair else self.faults.get(self.calls, "")


@dataclass
class StormyAmoCrm(FakeAmoCrm):
    weather: Weather = field(default_factory=Weather)

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        fault = self.weather.next()
        if fault == "death_before":
            raise Death
        if fault == "down":
            raise AmoCrmUnavailable("502")
        with super()._call(method):
            yield
        if fault == "death_after":
            raise Death
        if fault == "lost":
            raise AmoCrmUnavailable("504") if method in READS else AmbiguousWrite("504")


class StormyTable(MemoryTable):
    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self._weather = weather

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
        fault = self._weather.next()
        if fault.startswith("death_before"):
            raise Death
        super().put(item, condition, values)
        if fault.startswith("death_after"):
            raise Death

    def delete(self, key: Key, condition: str | None = None, values: Item | None = None) -> None:
        super().delete(key, condition, values)


@dataclass
class Story:
    """One department in its weather; `act` does what people do, and hooks wait in `mail` until they are delivered."""

    faults: dict[int, str]
    mail: list[tuple[str, datetime]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.weather = Weather(self.faults, is_fair=True)
        self.desk = MeetDesk(table=StormyTable(self.weather))
        stormy = StormyAmoCrm(self.desk.clock, token_user_id=1, weather=self.weather)
        vars(stormy).update({name: value for name, value in vars(self.desk.amocrm).items() if name != "weather"})
        self.desk.amocrm = stormy
        self.desk.calendar.before = self._before
        self.desk.calendar.after = self._after
        self._fault = ""
        self.desk.restart()
        self.lead = self.desk.lead()
        self.weather.is_fair = False

    def _before(self, name: str) -> None:
        self._fault = self.weather.next()
        if self._fault == "death_before":
            raise Death
        if self._fault == "down":
            raise MeetingsUnavailable("503")

    def _after(self, name: str) -> None:
        fault, self._fault = self._fault, ""
        if fault == "death_after":
            raise Death
        if fault == "lost":
            raise MeetingsUnavailable("the answer is lost")

    # What people do

    def act(self, what: str, amount: int) -> None:
        self.desk.clock.advance(7)
        getattr(self, f"_{what}")(amount)

    def post(self, body: str) -> None:
        """amoCRM sends a hook."""
        self.mail.append((body, self.desk.clock.now()))

    def _plan(self, amount: int) -> None:
        if len(self.tasks) < 3:
            at = self.desk.in_hours(2 + amount)
            self.tasks.append(self.desk.amocrm.add_task(self.lead.id, ANNA, "Встреча", at, 2, by=ANNA))
            self.post(self.desk.task_hook(self.tasks[-1].id, "add"))

    def _move(self, amount: int) -> None:
        self._edit(amount, complete_till=self.desk.in_hours(3 + amount))

    def _give(self, amount: int) -> None:
        self._edit(amount, responsible_user_id=(ANNA, BORIS, VERA)[amount % 3])

    def _complete(self, amount: int) -> None:
        self._edit(amount, is_completed=amount % 3 != 0)

    def _retype(self, amount: int) -> None:
        self._edit(amount, task_type_id=2 if amount % 3 else 1)

    def _edit(self, amount: int, **values: Any) -> None:
        task = self._task(amount)
        if task is not None:
            self.desk.amocrm.human_edits_task(task.id, **values)
            self.post(self.desk.task_hook(task.id))

    def _remove(self, amount: int) -> None:
        task = self._task(amount)
        if task is not None and amount % 2:
            self.desk.amocrm.human_deletes_task(task.id)
            self.post(self.desk.task_hook(task.id, "delete"))

    def _hand_on(self, amount: int) -> None:
        self.desk.amocrm.human_reassigns(self.lead.id, (ANNA, BORIS, VERA)[amount % 3])
        self.post(self.desk.lead_hook(self.lead.id, "responsible"))

    def _close(self, amount: int) -> None:
        status = (LOST, FIRST_STAGE, WON)[amount % 3]
        self.desk.amocrm.human_moves(self.lead.id, status, PIPELINE)
        self.post(self.desk.lead_hook(self.lead.id, "status"))

    def _address(self, amount: int) -> None:
        emails = ((CLIENT_EMAIL,), ("petr@mail.ru",), ())[amount % 3]
        self.desk.amocrm.human_edits_contact(self.lead.contacts[0], emails=emails)
        self.post(self.desk.contact_hook(self.lead.contacts[0]))

    def _drag(self, amount: int) -> None:
        event = self._event(amount)
        if event is not None:
            self.desk.calendar.move(event.id, self.desk.in_hours(4 + amount))

    def _wipe(self, amount: int) -> None:
        event = self._event(amount)
        if event is not None and amount % 2:
            self.desk.calendar.delete(event.id)

    def _decline(self, amount: int) -> None:
        event = self._event(amount)
        if event is not None and event.answer_of(CLIENT_EMAIL):
            self.desk.calendar.answer(event.id, CLIENT_EMAIL, Answer.DECLINED)

    def _hear(self, amount: int) -> None:
        """Some of the mail arrives, the last first, and now and then twice."""
        for _ in range(1 + amount % 3):
            if self.mail:
                self.deliver(*(self.mail[-1] if amount % 4 == 3 else self.mail.pop()))

    def _wait(self, amount: int) -> None:
        self.desk.clock.advance(60 * (1 + amount))

    def _tick(self, amount: int) -> None:
        with self._alive():
            self.desk.tick()

    def _task(self, amount: int) -> Task | None:
        there = self.desk.amocrm.tasks_by_id_now()
        known = [there[task.id] for task in self.tasks if task.id in there]
        return known[amount % len(known)] if known else None

    def _event(self, amount: int) -> Any:
        ahead = [event for event in self.desk.calendar.standing if event.start > self.desk.clock.now()]
        return ahead[amount % len(ahead)] if ahead else None

    # The queue

    def deliver(self, body: str, sent_at: datetime) -> None:
        """What dies or comes back waits again."""
        is_done = False
        with self._alive():
            is_done = not self.desk.tell(body, sent_at=sent_at)
        if not is_done:
            self.mail.append((body, sent_at))

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except Death:
            self._fault = ""
            self.desk.restart()

    def settle(self) -> None:
        """The weather clears up: all mail is delivered, and some ticks pass."""
        self.weather.is_fair = True
        for _ in range(8):
            self.desk.clock.advance(100)
            mail, self.mail = self.mail, []
            for body, sent_at in mail:
                self.deliver(body, sent_at)
            self.desk.tick()
        assert self.mail == []

    # What must be true

    def check(self) -> None:
        desk, now = self.desk, self.desk.clock.now()
        keys = [desk.key(task) for task in self.tasks]
        states = desk.stores.meetings.of(keys)
        ahead = [event for event in desk.calendar.standing if event.start and event.start > now]
        ours = {state.event_id for state in states.values()}
        assert {event.id for event in ahead} <= ours, "an orphan"
        per_key = Counter(event.key for event in ahead)
        assert all(count == 1 for count in per_key.values()), "two events for one call"
        lead = desk.amocrm.see(self.lead.id)
        there = desk.amocrm.tasks_by_id_now()
        for task, key in zip(self.tasks, keys, strict=True):
            current = there.get(task.id)
            is_asked = (
                current is not None
                and not current.is_completed
                and current.task_type_id == 2
                and current.complete_till > now
                and lead.status_id != LOST
            )
            state = states.get(key)
            if is_asked and not (state and state.dropped):
                assert per_key[key] == 1, "a call is missing"
                (event,) = [event for event in ahead if event.key == key]
                assert event.start == current.complete_till, "the card and the calendar differ"
                assert len([e for e in event.emails if e.startswith("user")]) == 1, "one manager"
                assert any(event.link in note.text for note in desk.amocrm.notes), "the card does not say so"
            elif not is_asked:
                assert per_key[key] == 0, "a call that nobody wants"
        self._check_words()

    def _check_words(self) -> None:
        words = self.desk.calendar.told
        invitations = Counter(word.event_id for word in words if word.kind == "invite")
        assert all(count == 1 for count in invitations.values()), "invited twice"
        cancellations = Counter(word.event_id for word in words if word.kind == "cancel")
        assert all(count == 1 for count in cancellations.values()), "cancelled twice"
        for before, after in pairwise(words):
            assert before != after or before.kind != "update", "told the same twice"
        notes = Counter(note.text for note in self.desk.amocrm.notes if "Встреча пн" in note.text)
        assert all(count == 1 for text, count in notes.items() if "http" in text), "the same note twice"


ACTS = (
    *("plan", "plan", "move", "move", "give", "complete", "retype", "remove", "hand_on", "close", "address"),
    *("drag", "wipe", "decline", "hear", "hear", "hear", "wait", "tick", "tick"),
)
FAULTS = ("lost", "lost", "down", "death_before", "death_after", "death_after")
steps = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 11)), min_size=3, max_size=14)
weathers = st.dictionaries(st.integers(1, 60), st.sampled_from(FAULTS), max_size=8)


@settings(max_examples=SCHEDULES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(steps, weathers)
def test_one_event_for_each_call_whatever_the_weather(plan: list[tuple[str, int]], faults: dict[int, str]) -> None:
    note(f"{plan} {faults}")
    story = Story(faults)
    story.act("plan", 1)
    for what, amount in plan:
        story.act(what, amount)
    story.settle()
    story.check()
