"""A worker that dies at any call to amoCRM or DynamoDB: whoever repeats the order completes it and doubles nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.qualify_router.merger import Merger, MergeResult
from functions.qualify_router.undoing import Undoing
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.crm import Lead
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable
from functions.shared.merge import State
from tests.memory_table import MemoryTable
from tests.merge_support import BASE_URL, DINA, Office, text_field

CALL = {"uniq": "8f52", "duration": 60, "source": "pbx", "phone": "+79990000001"}


class Killed(BaseException):
    """The process is gone: no except clause of ours may see it."""


class Mortal:
    """Passes calls on to `target`; the process dies after the call at which the fuse is burnt."""

    def __init__(self, target: Any, burn: Callable[[str], None]) -> None:
        self._target = target
        self._burn = burn

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if not name.endswith("_action"):  # these only describe a write
                self._burn(name)
            return result

        return call


class Fuse:
    """Dies after the nth step, and after every later one: a dead process does nothing any more."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.burnt_at = ""

    def __call__(self, step: str) -> None:
        self.left -= 1
        if self.left < 0:
            self.burnt_at = self.burnt_at or step
            raise Killed(step)


class Story:
    """Two duplicates of one lead, one of them with a duplicate of its own, each with everything a card can hold."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.office = office = Office(MemoryTable())
        amocrm = office.amocrm
        self.clients = [amocrm.add_contact().id for _ in range(3)]
        if stubborn:  # amoCRM refuses a field and the loss reason
            amocrm.add_field("Поле", field_id=51, is_writable=False)
            amocrm.loss_reasons = set()
        self.last = office.lead(contacts=[self.clients[0]], tags=["vip"])
        self.middle = self._duplicate(1, tags=["сайт"], fields=[text_field(50, "Дом"), text_field(51, "да")])
        self.other = self._duplicate(2, tags=["сайт", "опт"], fields=[text_field(50, "Дача")])
        self.first = self._duplicate(0, tags=["срочно"], fields=[])
        self.pairs = [(self.middle, self.last), (self.other, self.last), (self.first, self.middle)]
        self.orders = [office.order(*pair) for pair in self.pairs]

    def _duplicate(self, number: int, **values: Any) -> Lead:
        office = self.office
        company = office.amocrm.add_company()
        contacts = [self.clients[number]]
        lead = office.duplicate("exchange.qualifying", contacts=contacts, company=company, price=5 + number, **values)
        office.amocrm.add_note(lead.id, "Не берёт трубку")
        office.amocrm.add_note(lead.id, "Не берёт трубку")
        office.amocrm.add_note(lead.id, "", "call_in", CALL | {"uniq": f"u{number}"})
        office.task(lead)
        office.done_task(lead, "Смета", "Отправлена")
        return lead

    def mortal(self, fuse: Fuse) -> tuple[Merger, Undoing]:
        office = self.office
        tools: dict[str, Any] = {
            "amocrm": Mortal(office.amocrm, fuse),
            "merges": Merges(Mortal(office.table, fuse)),  # type: ignore[arg-type]
            "clock": office.clock,
            "base_url": BASE_URL,
        }
        return Merger(**tools, telemetry=office.telemetry), Undoing(**tools)

    def age(self) -> None:
        """Some time passes, and somebody takes over the closed cards of a manager."""
        self.office.clock.advance(120)
        self.office.amocrm.human_reassigns(self.other.id, DINA)

    def merge(self, merger: Merger | None = None) -> MergeResult:
        return (merger or self.office.merger).merge(self.orders, self.office.department)

    def undo(self, undoing: Undoing | None = None) -> None:
        for duplicate, _ in self.pairs:
            entry = self.office.entry(duplicate)
            if entry.state is not State.UNDONE:
                (undoing or self.office.undoing).undo(entry, self.office.department)

    def leads(self) -> list[Lead]:
        return [self.last, self.middle, self.other, self.first]

    def picture(self) -> dict[str, Any]:
        """Everything on all cards and in the journal, without ids and moments."""
        office, amocrm = self.office, self.office.amocrm
        cards = [replace(amocrm.see(lead.id), updated_at=lead.updated_at) for lead in self.leads()]
        notes = [
            sorted((note.kind, _timeless(note.text), repr(note.params.get("uniq"))) for note in office.notes(lead))
            for lead in self.leads()
        ]
        tasks = [sorted((t.id, t.responsible_user_id) for t in amocrm.tasks_of(lead.id)) for lead in self.leads()]
        rows = [row for lead in self.leads() for row in office.merges.of_lead(lead.id)]
        journal = [(row.state, row.added, row.place, row.owner) for row in rows]
        apart = office.merges.apart_of(lead.id for lead in self.leads())
        return {"cards": cards, "notes": notes, "tasks": tasks, "journal": journal, "apart": apart}


def _timeless(text: str) -> str:
    """A run that began later than another writes its later time into its notes."""
    return text.replace("12:02", "12:00").replace("12:04", "12:00").replace("12:06", "12:00")


@pytest.mark.parametrize("stubborn", [False, True], ids=["", "refusals"])
def test_merging_may_die_at_any_call(stubborn):
    quiet = Story(stubborn=stubborn)
    assert len(quiet.merge().merged) == 3
    wanted = quiet.picture()
    assert wanted["journal"][0][0] is State.DONE
    steps, died = 0, True
    while died:
        story, fuse = Story(stubborn=stubborn), Fuse(steps)
        died = _dies(story.merge, story.mortal(fuse)[0])
        story.office.clock.advance(120)
        assert len(story.merge().merged) == 3
        assert story.picture() == wanted, f"step {steps}, after {fuse.burnt_at}"
        steps += 1
    assert steps > 30, "the worker was killed at every step of a whole run"


def test_merging_may_die_again_and_again():
    """At every call of its life another worker dies; each gets one call further than the one before."""
    quiet, story = Story(), Story()
    quiet.merge()
    steps = 0
    while _dies(story.merge, story.mortal(Fuse(steps))[0]):
        steps += 1
    pictures = story.picture(), quiet.picture()
    assert pictures[0] == pictures[1]


def test_undoing_may_die_at_any_call():
    quiet = Story()
    quiet.merge()
    quiet.age()
    quiet.undo()
    wanted = quiet.picture()
    assert {state for state, *_ in wanted["journal"]} == {State.UNDONE}
    steps, died = 0, True
    while died:
        story, fuse = Story(), Fuse(steps)
        story.merge()
        story.age()
        died = _dies(story.undo, story.mortal(fuse)[1])
        story.undo()
        assert story.picture() == wanted, f"step {steps}, after {fuse.burnt_at}"
        steps += 1
    assert steps > 30


def test_a_merge_that_died_anywhere_can_be_undone_instead_of_completed():
    """Nothing but notes stays behind, whatever had been done."""
    untouched, steps, died = Story().picture(), 0, True
    while died:
        story, fuse = Story(), Fuse(steps)
        merger, _ = story.mortal(fuse)
        died = _dies(merger.merge, [story.orders[1]], story.office.department)
        story.office.clock.advance(180)
        for entry in story.office.merges.of_lead(story.other.id):
            assert story.office.undoing.undo(entry, story.office.department).left == []
        picture = story.picture()
        for part in ("cards", "tasks"):
            assert picture[part] == untouched[part], f"step {steps}, after {fuse.burnt_at}"
        steps += 1
    assert steps > 15


@pytest.mark.parametrize("done", [False, True], ids=["not done", "answer lost"])
@pytest.mark.parametrize(
    "method",
    ["lead", "leads", "notes_since", "tasks_since", "link", "change_leads", "add_notes", "change_tasks"],
)
def test_amocrm_may_fail_at_any_kind_of_call(method, done):
    quiet, story = Story(), Story()
    quiet.merge()
    for _ in range(8):
        error = AmbiguousWrite("no answer") if done else AmoCrmUnavailable("down")
        story.office.amocrm.fail_next(error, on=method, done=done)
        try:
            story.merge()
        except AmoCrmUnavailable:
            story.office.clock.advance(7)
    story.office.amocrm._failures.clear()
    story.merge()
    assert story.picture() == quiet.picture()


def _dies(work: Callable[..., Any], *args: Any) -> bool:
    try:
        work(*args)
    except Killed:
        return True
    return False
