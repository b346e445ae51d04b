"""What must not keep a lead, or its neighbours, from going on: deleted cards, refused routes, a bad neighbour, another
department, another worker."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.shared.lead_state import Step
from functions.shared.limits import READ_ALONE
from tests.router_desk import RouterDesk, make_router
from tests.routing_support import DINA, MARIA, make_department


@pytest.fixture
def desk() -> RouterDesk:
    return RouterDesk()


def test_deleted_leads_do_not_stand_in_the_way_of_the_timed_routes(desk: RouterDesk) -> None:
    """GIVEN more deleted leads in warm-up than a tick looks at WHEN time is over THEN the living one is served."""
    leads = [desk.lead("exchange.new") for _ in range(161)]
    for lead in leads:
        desk.move(lead, "warm_up.warming")
    desk.settle()
    for lead in leads[:-1]:
        desk.amocrm.delete_lead(lead)
    desk.clock.advance(timedelta(days=31).total_seconds())
    for _ in range(12):
        desk.tick()
        desk.clock.advance(300)
    assert [task.responsible_user_id for task in desk.amocrm.tasks_of(leads[-1])] == [MARIA]
    before = desk.amocrm.calls.total()
    desk.tick()
    assert desk.amocrm.calls.total() == before, "nothing is due any more"


def test_what_was_refused_goes_on_by_itself_under_a_mended_department(desk: RouterDesk) -> None:
    desk.amocrm.stages -= {desk.ids("main.received")}
    lead = desk.lead("exchange.new")
    desk.move(lead, "exchange.qualified")
    desk.settle()
    desk.apply(make_department(extra="routes: {qualified: {move: main.contact}}"))
    desk.forget()
    desk.clock.advance(3700)
    desk.tick()
    assert desk.at(lead) == "main.contact"


def test_one_bad_lead_does_not_hold_up_its_neighbours(desk: RouterDesk) -> None:
    leads = [desk.lead("exchange.new") for _ in range(5)]
    for lead in leads:
        desk.move(lead, "exchange.qualified")
    change_leads = desk.amocrm.change_leads

    def with_a_bug(changes: Any) -> Any:
        if any(change.lead_id == leads[2] for change in changes):
            raise ZeroDivisionError
        return change_leads(changes)

    desk.amocrm.change_leads = with_a_bug
    desk.drain()
    assert [desk.at(lead) for lead in leads] == [
        "exchange.qualified" if lead == leads[2] else "main.received" for lead in leads
    ]


def test_what_was_put_off_goes_on_alone_after_a_failed_run(desk: RouterDesk) -> None:
    """GIVEN more moves that the list does not show than are read alone WHEN the run fails THEN the pause before the
    leads are worked one by one is long enough for the list."""
    desk.amocrm.list_lag = timedelta(seconds=5)
    leads = [desk.lead("exchange.new") for _ in range(READ_ALONE + 1)]
    desk.clock.advance(60)
    for lead in leads:
        desk.move(lead, "exchange.qualified")
    desk.amocrm.fail_next(ZeroDivisionError(), on="change_leads")
    assert desk.deliver(*[desk.hook(lead) for lead in leads]) == []
    assert {desk.at(lead) for lead in leads} == {"main.received"}


def test_a_step_to_a_stage_that_left_the_department_is_dropped_and_decided_anew(desk: RouterDesk) -> None:
    lead = desk.lead("exchange.new")
    desk.move(lead, "exchange.qualified")
    desk.amocrm.fail_next(ZeroDivisionError(), on="change_leads")
    desk.drain()
    assert desk.state(lead).pending is not None
    stages = "pipelines: {main: {stages: {fresh: Свежая, contact: Контакт установлен}}}"
    other = make_department(extra=stages)
    desk.apply(replace(other, version=desk.department.version + 1))
    desk.amocrm.stages |= {ids for p in desk.department.pipelines for ids in ((p.id, s) for s in p.stages.values())}
    desk.pass_lease()
    desk.deliver(desk.hook(lead))
    assert desk.at(lead) == "main.fresh"


def test_a_copy_that_a_hook_made_known_first_still_learns_where_it_comes_from(desk: RouterDesk) -> None:
    lead = desk.lead("main.payment", owner=DINA)
    desk.move(lead, "main.won")
    add_lead = desk.amocrm.add_lead

    def seen_at_once(*args: Any, **values: Any) -> Any:
        made = add_lead(*args, **values)
        if isinstance(made, int):
            desk.stores.states.put(replace(desk.state(made), parked=True))
        return made

    desk.amocrm.add_lead = seen_at_once
    desk.drain()
    [sale] = desk.bus.of("SaleWon")
    copy = desk.state(sale["care_lead_id"])
    assert (copy.origin, copy.team) == (lead, "care")


def test_two_workers_make_one_card_of_two_sales(desk: RouterDesk) -> None:
    """GIVEN lists that lag WHEN the second sale of a client is decided while the first makes the card THEN it waits."""
    desk.amocrm.list_lag = timedelta(seconds=5)
    client = desk.amocrm.add_contact()
    first, second = (desk.lead("main.payment", owner=DINA, contacts=[client.id]) for _ in range(2))
    desk.clock.advance(60)
    for lead in (first, second):
        desk.move(lead, "main.won")
    desk.clock.advance(6)
    desk.forget()
    assert desk.deliver(desk.hook(first)) == []
    assert make_router(desk) is not desk.router
    assert desk.deliver(desk.hook(second)) == ["m0"], "it waits for the other's card"
    pending = desk.state(second).pending
    assert pending is not None and pending.step is Step.COPY
    desk.pass_lease()
    assert desk.deliver(desk.hook(second)) == []
    assert len({sale["care_lead_id"] for sale in desk.bus.of("SaleWon")}) == 1
