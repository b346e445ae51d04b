"""Clients who are known already: by their contact, their phone or their e-mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.distribute.acting import SEARCHES_AT_ONCE
from functions.shared.absence import Absence
from functions.shared.assignment import ARRIVAL, Mode, State
from functions.shared.crm import FieldValue
from functions.shared.department import MergeMode, Merging
from functions.shared.errors import AmoCrmRefused, AmoCrmUnavailable
from tests.builders import (
    ANNA,
    BORIS,
    CARE_PIPELINE,
    CARE_STAGE,
    MAIN_PIPELINE,
    MAIN_STAGE,
    SPAM,
    VERA,
    lead_hook,
    make_three_levels,
    unsorted_hook,
)
from tests.desk import Desk

PHONES = ("8 (999) 123-45-67", "+79991234567")


@pytest.fixture
def desk(table):
    desk = Desk(table)
    desk.apply(make_three_levels())
    return desk


def client(desk, phone=PHONES[0], name="Иван Петров", **values):
    return desk.amocrm.add_contact(name=name, phones=[phone], **values)


def running(desk, owner, contact, place=(MAIN_PIPELINE, MAIN_STAGE)):
    return desk.amocrm.add_lead(
        pipeline_id=place[0], status_id=place[1], responsible_user_id=owner, contacts=[contact.id]
    )


def new_lead(desk, *contacts):
    return desk.amocrm.add_lead(responsible_user_id=1, contacts=[contact.id for contact in contacts])


def twins_of(desk, lead_id):
    (event,) = [event for event in desk.bus.of("LeadAssigned") if event["lead_id"] == lead_id]
    return event["twins"]


def test_a_client_known_by_his_phone_goes_to_his_manager(desk):
    first = desk.amocrm.add_lead(responsible_user_id=BORIS, contacts=[client(desk).id])
    lead = new_lead(desk, client(desk, PHONES[1], "Петров"))

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) == BORIS
    assert desk.assignment(lead.id).mode is Mode.OWN_CLIENT
    assert desk.balances() == {}
    assert twins_of(desk, lead.id) == (first.id,)


def test_a_shared_phone_with_other_names_says_twins_but_decides_nothing(desk):
    first = desk.amocrm.add_lead(responsible_user_id=BORIS, contacts=[client(desk, name="Мария").id])
    lead = new_lead(desk, client(desk, name="Иван"))

    desk.hook(lead_hook(lead.id))

    assert desk.assignment(lead.id).mode is Mode.FAIR
    assert twins_of(desk, lead.id) == (first.id,)


def test_the_manager_of_an_agents_other_clients_is_not_the_own_manager_of_this_one(desk):
    """GIVEN an agent on the cards of two clients, whose contact belongs to a manager of the desk too."""
    agent = client(desk, "+79995550000", "Агент", responsible_user_id=BORIS)
    theirs = client(desk, "+79995550001", "Мария")
    first = desk.amocrm.add_lead(responsible_user_id=BORIS, contacts=[theirs.id, agent.id])
    lead = new_lead(desk, client(desk), agent)

    desk.hook(lead_hook(lead.id))

    assert desk.assignment(lead.id).mode is Mode.FAIR
    assert twins_of(desk, lead.id) == (first.id,), "the router may ask a person"


def test_the_manager_of_the_main_contact_is_the_own_manager(desk):
    agent = client(desk, "+79995550000", "Агент", responsible_user_id=ANNA)
    lead = new_lead(desk, client(desk, responsible_user_id=BORIS), agent)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == BORIS
    assert desk.assignment(lead.id).mode is Mode.OWN_CLIENT


def test_a_running_lead_of_the_closers_spends_no_turn_of_the_desk(desk):
    first = running(desk, VERA, client(desk))
    lead = new_lead(desk, client(desk, PHONES[1]))

    desk.hook(lead_hook(lead.id))

    assignment = desk.assignment(lead.id)
    assert (assignment.owner, assignment.team, assignment.mode) == (VERA, "lead_desk", Mode.OWN_CLIENT)
    assert desk.amocrm.owner(lead.id) == VERA
    assert desk.balances() == desk.balances("closers") == {}
    assert twins_of(desk, lead.id) == (first.id,)
    (task,) = desk.amocrm.tasks_of(lead.id)
    assert task.responsible_user_id == VERA
    assert "лид получает Вера, это его (её) клиент" in desk.amocrm.notes_of(lead.id)[0].text


@pytest.mark.parametrize("hindrance", ["switched_off", "absent"])
def test_a_closer_who_cannot_work_now_does_not_keep_the_client_waiting(desk, hindrance):
    running(desk, VERA, client(desk))
    lead = new_lead(desk, client(desk))
    now = desk.clock.now()
    if hindrance == "absent":
        desk.stores.absences.add(Absence("closers", VERA, now - timedelta(hours=1), now + timedelta(hours=1)))
    else:
        desk.amocrm.switch_off_user(VERA)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS)


@pytest.mark.parametrize(
    "other",
    [
        lambda desk, contact: running(desk, VERA, contact, (MAIN_PIPELINE, 142)),
        lambda desk, contact: running(desk, VERA, contact, (CARE_PIPELINE, CARE_STAGE)),
        lambda desk, contact: running(desk, VERA, contact, (999, 1)),
    ],
    ids=["closed", "aftercare", "unknown pipeline"],
)
def test_what_is_not_running_is_no_twin_and_spares_no_turn(desk, other):
    contact = client(desk)
    other(desk, contact)
    lead = new_lead(desk, contact)

    desk.hook(lead_hook(lead.id))

    assert desk.assignment(lead.id).mode is Mode.FAIR
    assert twins_of(desk, lead.id) == ()


def test_a_lead_without_a_contact_has_no_twins_and_costs_no_search(desk):
    lead = new_lead(desk)
    desk.hook(lead_hook(lead.id))

    assert twins_of(desk, lead.id) == ()
    assert not desk.amocrm.calls.keys() & {"contacts", "contacts_with", "contact"}


def test_a_hidden_contact_of_an_item_is_read_alone_and_searched_for(desk):
    first = running(desk, VERA, client(desk))
    item = desk.amocrm.add_unsorted(contacts=[client(desk, PHONES[1]).id])

    desk.hook(unsorted_hook(item.uid, item.lead_id))

    assert desk.amocrm.owner(item.lead_id) == VERA
    assert twins_of(desk, item.lead_id) == (first.id,)


def test_a_form_sent_twice_spends_one_turn_and_both_leads_know_of_each_other(desk):
    items = [desk.amocrm.add_unsorted(contacts=[client(desk, phone).id]) for phone in PHONES]

    desk.hook(*(unsorted_hook(item.uid, item.lead_id) for item in items))

    first, second = (item.lead_id for item in items)
    assert desk.amocrm.owner(first) == desk.amocrm.owner(second)
    assert [desk.assignment(lead_id).mode for lead_id in (first, second)] == [Mode.FAIR, Mode.OWN_CLIENT]
    assert (twins_of(desk, first), twins_of(desk, second)) == ((second,), (first,))


def test_the_searches_of_a_burst_have_a_ceiling_and_all_leads_are_given_out(desk):
    leads = [new_lead(desk, client(desk, f"+7999000{number:04}")) for number in range(SEARCHES_AT_ONCE + 20)]

    assert desk.hook(*(lead_hook(lead.id) for lead in leads)) == []

    assert desk.amocrm.calls["contacts_with"] == SEARCHES_AT_ONCE
    looked_at = [twins_of(desk, lead.id) for lead in leads]
    assert looked_at.count(()) == SEARCHES_AT_ONCE
    assert looked_at.count(None) == 20
    assert {desk.amocrm.owner(lead.id) for lead in leads} == {ANNA, BORIS}


def test_without_time_to_spare_nobody_is_searched_for(desk):
    leads = [new_lead(desk, client(desk, f"+7999000{number:04}")) for number in range(30)]

    desk.hook(*(lead_hook(lead.id) for lead in leads), seconds=27)

    assert desk.amocrm.calls["contacts_with"] == 10, "two seconds are left, at five requests a second"


def test_accepts_go_before_searches(desk):
    items = [desk.amocrm.add_unsorted(contacts=[client(desk, f"+7999000{n:04}").id]) for n in range(40)]

    assert desk.hook(*(unsorted_hook(item.uid, item.lead_id) for item in items), seconds=33) == []

    assert desk.amocrm.calls["contact"] == 0
    assert {desk.amocrm.owner(item.lead_id) for item in items} == {ANNA, BORIS}


def test_where_merging_is_off_nobody_is_searched_for(desk):
    desk.apply(make_three_levels(merging=Merging(MergeMode.OFF)))
    desk.amocrm.add_lead(responsible_user_id=BORIS, contacts=[client(desk).id])
    lead = new_lead(desk, client(desk))

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.calls["contacts_with"] == 0
    assert twins_of(desk, lead.id) == ()
    assert desk.assignment(lead.id).mode is Mode.FAIR


def test_a_contact_with_an_open_lead_is_recognised_also_where_merging_is_off(desk):
    desk.apply(make_three_levels(merging=Merging(MergeMode.OFF)))
    contact = client(desk)
    desk.amocrm.add_lead(responsible_user_id=BORIS, contacts=[contact.id])
    lead = new_lead(desk, contact)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == BORIS


@pytest.mark.parametrize("mode", [MergeMode.OFF, MergeMode.DRY_RUN, MergeMode.SUGGEST])
def test_where_nothing_is_merged_a_closer_gets_no_new_lead_of_the_exchange(desk, mode):
    desk.apply(make_three_levels(merging=Merging(mode)))
    contact = client(desk)
    running(desk, VERA, contact)
    lead = new_lead(desk, contact)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS)
    assert desk.assignment(lead.id).mode is Mode.FAIR


ORIGIN = FieldValue(77, "Исходная сделка", "url", ({"value": "https://demo.amocrm.ru/leads/detail/1"},))


def copy_of_a_won_lead(desk):
    """In aftercare, told by the router as a hand-over under the cause of an arrival."""
    place = {"pipeline_id": CARE_PIPELINE, "status_id": CARE_STAGE}
    lead = desk.amocrm.add_lead(**place, responsible_user_id=VERA, contacts=[client(desk).id], fields=[ORIGIN])
    told = {"from_place": "main.won", "to_place": "aftercare.in_care", "team": "care", "route": "won"}
    return lead, desk.routed(lead, ARRIVAL, **told)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_copy_that_is_handed_over_sends_nobody_looking_for_duplicates(desk, resumed):
    lead, message = copy_of_a_won_lead(desk)
    if resumed:
        desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_notes")
        desk.hook(message)
        desk.pass_lease()

    assert desk.hook(message) == []

    assert twins_of(desk, lead.id) == ()


def test_a_copy_that_is_resumed_sends_nobody_looking_for_duplicates(desk):
    desk.apply(make_three_levels(origin_field=77))
    lead = desk.amocrm.add_lead(responsible_user_id=1, contacts=[client(desk).id], fields=[ORIGIN])
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_notes")
    desk.hook(lead_hook(lead.id))
    desk.pass_lease()

    desk.hook(lead_hook(lead.id))

    assert twins_of(desk, lead.id) == ()


def test_a_copy_is_meant_and_no_duplicate(desk):
    desk.apply(make_three_levels(origin_field=77, distributes=frozenset({"exchange", "main"})))
    contact = client(desk)
    running(desk, VERA, contact)
    lead = desk.amocrm.add_lead(responsible_user_id=1, contacts=[contact.id], fields=[ORIGIN])

    desk.hook(lead_hook(lead.id))

    assert twins_of(desk, lead.id) == ()


def test_a_resumed_decision_does_not_look_again(desk):
    running(desk, VERA, client(desk))
    lead = new_lead(desk, client(desk))
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_notes")
    desk.hook(lead_hook(lead.id))
    desk.pass_lease()

    desk.hook(lead_hook(lead.id))

    assert twins_of(desk, lead.id) is None


def test_a_phone_that_amocrm_refuses_to_search_for_holds_nobody_up(desk):
    lead = new_lead(desk, client(desk))
    desk.amocrm.fail_next(AmoCrmRefused("query: InvalidType", 400), on="contacts_with")

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS)
    assert twins_of(desk, lead.id) is None


def test_a_duplicate_that_was_merged_gives_its_turn_back(desk):
    """Its contact was hidden, nobody could be asked: the desk paid, and gets the turn back when the router merges."""
    desk.apply(replace(make_three_levels(refunds=frozenset({"duplicate"})), loss_reasons={"duplicate": SPAM}))
    lead = new_lead(desk)
    desk.hook(lead_hook(lead.id))
    assert desk.balances() != {}
    desk.amocrm.human_moves(lead.id, 143, loss_reason_id=SPAM)
    message = desk.closed(lead.id, "duplicate")
    desk.pass_lease()

    assert desk.hook(message) == []

    assert desk.balances() == {}
    assert [one.state for one in desk.stores.assignments.of_lead(lead.id)] == [State.REFUNDED]
    assert desk.assignment(lead.id, ARRIVAL).state is State.REFUNDED
