"""A router that dies, is refused or gets no answer at any of its calls, and the message that comes back: the end is the
same as if nothing had happened, nothing is lost and nothing doubled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from functions.qualify_router.texts import Words
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable, RetryLater
from functions.shared.lead_state import LeadState
from tests.router_desk import LEADS, STAGES, Killed, Office, tick_body
from tests.routing_support import ANNA, BASE_URL, DINA, IRINA, make_department, place


def qualified(office: Office) -> None:
    """A lead moves on to the next team, with the answer on its card."""
    office.says(known(office, "exchange.new", ANNA), "qualified")


def not_target(office: Office) -> None:
    office.move(known(office, "exchange.new", ANNA), "exchange.not_target")


def conditional_refusal(office: Office) -> None:
    """A task, and a hand-over by a person's hand."""
    office.move(known(office, "exchange.new", ANNA), "main.conditional_refusal")


def refused_and_answered(office: Office) -> None:
    """A task that its answer completes."""
    lead = known(office, "main.conditional_refusal", DINA)
    [route] = [route for route in office.department.routes if route.id == "conditional_refusal"]
    office.amocrm.add_task(lead, DINA, route.task.text, office.clock.now() + timedelta(days=1))
    office.says(lead, "no_information")


def confirmed(office: Office) -> None:
    """A merge that answers a suggestion."""
    one = office.amocrm.add_contact(name="Мария", phones=["+79991234567"])
    other = office.amocrm.add_contact(name="Пётр", phones=["89991234567"])
    running = known(office, "main.offer", DINA, contacts=[one.id])
    lead = known(office, "exchange.new", ANNA, contacts=[other.id])
    text = Words(office.department, BASE_URL).suggest([running], unsure=True, stage=place("exchange.in_conversation"))
    office.amocrm.add_task(lead, ANNA, text, office.clock.now() + timedelta(hours=4))
    office.states.put(replace(office.states.of([lead])[lead], suggested=(running,)))
    office.move(lead, "exchange.in_conversation")


def won(office: Office) -> None:
    """A copy in aftercare."""
    client = office.amocrm.add_contact()
    office.move(known(office, "main.payment", DINA, contacts=[client.id]), "main.won")


def won_again(office: Office) -> None:
    """A sale to a client who is cared for already."""
    client = office.amocrm.add_contact()
    known(office, "aftercare.in_care", IRINA, contacts=[client.id])
    office.move(known(office, "main.payment", DINA, contacts=[client.id]), "main.won")


def repeat_sale(office: Office) -> None:
    """A copy in the main pipeline, and the lead itself goes on."""
    office.move(known(office, "aftercare.in_care", IRINA), "aftercare.offer")


def duplicate(office: Office) -> None:
    """A merge with a note, a task, a tag and a field to bring over."""
    one, other = office.amocrm.add_contact(phones=["+79991234567"]), office.amocrm.add_contact(phones=["89991234567"])
    known(office, "main.offer", DINA, contacts=[one.id])
    lead = known(office, "exchange.new", ANNA, contacts=[other.id], tags=["Дача"], price=500)
    office.amocrm.add_note(lead, "Просил перезвонить")
    office.amocrm.add_task(lead, ANNA, "Перезвонить", office.clock.now() + timedelta(days=1))
    office.move(lead, "exchange.in_conversation")


def suggestion(office: Office) -> None:
    one = office.amocrm.add_contact(name="Мария", phones=["+79991234567"])
    other = office.amocrm.add_contact(name="Пётр", phones=["89991234567"])
    known(office, "main.offer", DINA, contacts=[one.id])
    office.move(known(office, "exchange.new", ANNA, contacts=[other.id]), "exchange.in_conversation")


def closed_by_hand(office: Office) -> None:
    office.move(known(office, "main.contact", DINA), "main.lost")


def several(office: Office) -> None:
    """All in one batch."""
    for scene in (qualified, not_target, won, repeat_sale, conditional_refusal):
        scene(office)


SCENES = [
    qualified,
    not_target,
    conditional_refusal,
    won,
    won_again,
    repeat_sale,
    duplicate,
    suggestion,
    confirmed,
    refused_and_answered,
    closed_by_hand,
    several,
]


def known(office: Office, at: str, owner: int, **values: Any) -> int:
    """A lead that was routed before, of which no message is under way."""
    lead_id, to = office.lead(at, owner, **values), place(at)
    team = office.department.team_of_pipeline(to.role).name
    office.states.put(LeadState(lead_id, team=team, told=to.role).at(to, office.clock.now()))
    office.letters.clear()
    return lead_id


@dataclass
class Accident:
    """Something happens at the nth call of the router to the world."""

    kind: str
    left: int
    at: str = ""

    def __call__(self, step: str) -> None:
        if step.startswith("after") != (self.kind == "answer_lost"):
            return
        self.left -= 1
        if self.left != -1:
            return
        self.at = step
        if self.kind == "dies":
            raise Killed(step)
        if "amocrm" in step:
            raise AmbiguousWrite(step) if self.kind == "answer_lost" else AmoCrmUnavailable(step)
        raise RetryLater(step)


def play(scene: Callable[[Office], None], accident: Accident | None) -> Office:
    office = Office(make_department())
    scene(office)
    if accident:
        office.step = accident
    office.deliver([letter for letter in office.waiting() if letter.queue == STAGES])
    office.step = lambda step: None
    for _ in range(60):
        if not office.letters:
            break
        until = min(letter.visible_at for letter in office.letters.values())
        office.clock.advance(max(0.0, (until - office.clock.now()).total_seconds()))
        office.deliver([letter for letter in office.waiting() if letter.queue == STAGES])
        office.deliver([letter for letter in office.waiting() if letter.queue == LEADS])
        if not office.letters and not office.parked:
            office.post(STAGES, tick_body("stages", office.clock.now()))
            office.deliver(office.waiting())
    assert not office.letters, "messages keep coming back"
    assert not office.parked
    return office


def outcome(office: Office) -> dict[str, Any]:
    """All that people see, and what is known; times and the order of things apart."""
    amocrm = office.amocrm
    leads = {
        lead.id: (office.at(lead.id), lead.responsible_user_id, office.answer(lead.id), lead.tags, lead.price)
        for lead in amocrm.see_all()
    }
    states = office.states.of(leads)
    return {
        "leads": leads,
        "reasons": {lead.id: lead.loss_reason_id for lead in amocrm.see_all()},
        "tasks": sorted(
            (task.lead_id, task.responsible_user_id, task.text, task.is_completed, task.result) for task in amocrm.tasks
        ),
        "notes": sorted((note.lead_id, re.sub(r"\d\d:\d\d", "…", note.text)) for note in amocrm.notes),
        "known": {
            lead_id: (state.place, state.team, state.told, state.sale, state.origin, state.fired, state.pending)
            for lead_id, state in states.items()
        },
        "told": {
            (event.detail_type, *((key, value) for key, value in event.detail().items() if key != "occurred_at"))
            for event in (*office.router_bus.events, *office.distribute_bus.events)
        },
    }


@pytest.mark.parametrize("kind", ["dies", "fails", "answer_lost"])
@pytest.mark.parametrize("scene", SCENES, ids=[scene.__name__ for scene in SCENES])
def test_an_accident_at_any_call_changes_nothing_in_the_end(scene: Callable[[Office], None], kind: str) -> None:
    expected = outcome(play(scene, None))
    calls = 0
    while True:
        accident = Accident(kind, calls)
        office = play(scene, accident)
        if not accident.at:
            break
        found = outcome(office)
        for part, value in expected.items():
            assert found[part] == value, f"{part} after an accident {accident.at} (call {calls})"
        calls += 1
    assert calls >= 5, "there was an accident at every call of a whole run"


def test_the_bus_hears_of_a_closing_twice_at_most_after_one_accident() -> None:
    for calls in range(40):
        accident = Accident("dies", calls)
        office = play(not_target, accident)
        assert 1 <= len(office.router_bus.of("LeadClosed")) <= (2 if accident.at else 1)
