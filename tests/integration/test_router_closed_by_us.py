"""What Conveyor itself has closed stays closed, whatever routes lead out of «lost» and whatever hooks come late."""

from __future__ import annotations

import pytest

from functions.shared.errors import AmoCrmUnavailable
from functions.shared.lead_state import ENDED
from tests.router_desk import RouterDesk
from tests.routing_support import make_department

BACK = "routes: {lostback: {when: {stage: main.lost}, move: warm_up.to_warm}}"


def make_desk(extra: str) -> RouterDesk:
    desk = RouterDesk()
    desk.apply(make_department(extra=extra, version=2))
    return desk


def refused_by_route(desk: RouterDesk) -> int:
    lead = desk.lead("main.contact")
    desk.move(lead, "main.conditional_refusal")
    desk.settle()
    desk.says(lead, "not_target")
    desk.settle()
    assert desk.at(lead) == "main.lost"
    return lead


@pytest.mark.parametrize("named", ["main.conditional_refusal", "main.lost", "main.contact"])
def test_a_late_hook_does_not_reopen_what_a_route_has_closed(named: str) -> None:
    desk = make_desk(BACK)
    lead = refused_by_route(desk)
    assert ENDED in desk.state(lead).fired
    desk.clock.advance(3600)
    late = desk.hook(lead, at=named)
    desk.deliver(late)
    desk.deliver(late)
    assert desk.at(lead) == "main.lost"


def test_what_a_person_has_closed_takes_the_route() -> None:
    desk = make_desk(BACK)
    lead = desk.lead("main.contact")
    desk.move(lead, "main.lost")
    desk.settle()
    assert desk.at(lead) == "warm_up.to_warm"


def test_who_takes_it_out_and_closes_it_again_begins_a_new_stay() -> None:
    desk = make_desk(BACK)
    lead = refused_by_route(desk)
    desk.move(lead, "main.contact")
    desk.settle()
    desk.move(lead, "main.lost")
    desk.settle()
    assert desk.at(lead) == "warm_up.to_warm"


def test_also_where_the_worker_died_after_the_closing() -> None:
    desk = make_desk(BACK)
    lead = desk.lead("main.conditional_refusal")
    desk.settle()
    desk.says(lead, "not_target")
    hook = desk.hook(lead, "update")
    desk.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
    assert desk.deliver(hook) == ["m0"]
    assert desk.at(lead) == "main.lost"
    desk.pass_lease()
    desk.settle()
    desk.deliver(hook)
    desk.settle()
    desk.deliver(desk.hook(lead, at="main.contact"))
    assert desk.at(lead) == "main.lost"
