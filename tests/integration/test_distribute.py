"""The distributor with its real stores (moto) and amoCRM in memory: what happens to a lead, and what to a message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.shared.absence import Absence
from functions.shared.assignment import ARRIVAL, Mode, State
from functions.shared.crm import BatchResult
from functions.shared.errors import AmbiguousWrite, AmoCrmRefused, AmoCrmUnauthorized, AmoCrmUnavailable, RetryLater
from functions.shared.fairness import UNIT
from tests.builders import (
    ANNA,
    BORIS,
    DUTY,
    VERA,
    form,
    lead_hook,
    make_department,
    make_member,
    make_team,
    unsorted_end_hook,
    unsorted_hook,
)
from tests.desk import Desk
from tests.fakes_amocrm import FIRST_STAGE

TICK = '{"tick": "waiting-room", "time": "2026-11-23T09:00:00Z"}'


# --- the way of a lead


def test_a_new_lead_gets_its_owner_a_task_a_note_and_an_event(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id)) == []

    owner = desk.amocrm.owner(lead.id)
    assert owner in (ANNA, BORIS, VERA)
    (task,) = desk.amocrm.tasks_of(lead.id)
    assert task.responsible_user_id == owner
    assert task.complete_till == desk.clock.now() + timedelta(minutes=15)
    (note,) = desk.amocrm.notes_of(lead.id)
    assert "очередь по справедливости" in note.text
    (event,) = desk.bus.of("LeadAssigned")
    assert (event["lead_id"], event["owner"], event["mode"]) == (lead.id, owner, "fair")
    assert desk.assignment(lead.id).state is State.APPLIED


def test_an_unsorted_item_is_accepted_for_its_owner_into_the_first_stage(desk):
    item = desk.amocrm.add_unsorted(category="chats", service="telegram")

    assert desk.hook(unsorted_hook(item.uid, item.lead_id)) == []

    lead = desk.amocrm.see(item.lead_id)
    assert lead.status_id == FIRST_STAGE
    assert lead.responsible_user_id in (ANNA, BORIS, VERA)
    assert desk.assignment(lead.id).channel == "telegram"


def test_several_messengers_of_one_fact_make_one_assignment(desk):
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id), lead_hook(item.lead_id))

    desk.hook(unsorted_end_hook(item.uid, item.lead_id), lead_hook(item.lead_id))

    assert len(desk.amocrm.tasks_of(item.lead_id)) == 1
    assert len(desk.amocrm.notes_of(item.lead_id)) == 1
    assert len(desk.bus.of("LeadAssigned")) == 1


def test_an_unsorted_lead_whose_hook_named_no_item_is_found_in_the_list(desk):
    item = desk.amocrm.add_unsorted()

    assert desk.hook(lead_hook(item.lead_id)) == []

    assert desk.amocrm.see(item.lead_id).status_id == FIRST_STAGE


def test_the_open_lead_of_a_client_decides_who_gets_his_next_one(desk):
    contact = desk.amocrm.add_contact(responsible_user_id=1)
    desk.amocrm.add_lead(responsible_user_id=VERA, contacts=[contact.id])
    lead = desk.amocrm.add_lead(responsible_user_id=1, contacts=[contact.id])

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == VERA
    assert desk.assignment(lead.id).mode is Mode.OWN_CLIENT
    assert desk.balances() == {}


def test_the_manager_of_a_contact_gets_the_lead_unless_the_api_made_him_responsible(desk):
    desk.amocrm.token_user_id = ANNA
    first_client = desk.amocrm.add_contact(responsible_user_id=BORIS)
    second_client = desk.amocrm.add_contact(responsible_user_id=ANNA)
    first = desk.amocrm.add_lead(responsible_user_id=ANNA, contacts=[first_client.id])
    second = desk.amocrm.add_lead(responsible_user_id=ANNA, contacts=[second_client.id])

    desk.hook(lead_hook(first.id), lead_hook(second.id))

    assert desk.assignment(first.id).mode is Mode.OWN_CLIENT
    assert desk.assignment(second.id).mode is Mode.FAIR


def test_a_lead_made_by_a_member_for_himself_stays_his_and_needs_no_task(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=ANNA, created_by=ANNA)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.amocrm.tasks_of(lead.id) == []
    assert desk.balances() == {}
    assert desk.assignment(lead.id).mode is Mode.SELF


def test_a_lead_that_another_gave_to_a_member_stays_his_and_has_its_first_answer_task(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=ANNA, created_by=DUTY)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.assignment(lead.id).mode is Mode.MANUAL
    assert [task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id)] == [ANNA]
    assert "решил человек" in desk.amocrm.notes_of(lead.id)[0].text
    assert desk.balances() == {}


def test_a_lead_of_the_api_is_nobodys_choice_even_if_the_token_is_a_members(desk):
    desk.amocrm.token_user_id = ANNA
    leads = [desk.amocrm.add_lead(responsible_user_id=ANNA) for _ in range(3)]

    desk.hook(*(lead_hook(lead.id) for lead in leads))

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {ANNA, BORIS, VERA}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"pipeline_id": 999}, "unknown_pipeline"),
        ({"status_id": 143}, "closed"),
    ],
)
def test_a_lead_that_is_not_ours_is_left_alone_with_the_reason_in_the_log(desk, place, reason):
    lead = desk.amocrm.add_lead(responsible_user_id=1, **place)

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) == 1
    assert desk.telemetry.reasons("lead_not_distributed") == [reason]


# --- who can take it


def test_switched_off_absent_and_unknown_people_get_nothing(desk):
    desk.amocrm.switch_off_user(ANNA)
    now = desk.clock.now()
    desk.stores.absences.add(Absence("lead_desk", BORIS, now - timedelta(hours=1), now + timedelta(hours=1)))
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(5)]

    desk.hook(*(lead_hook(lead.id) for lead in leads))

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {VERA}
    assert desk.assignment(leads[0].id).excluded == {"absent": (BORIS,), "switched_off": (ANNA,)}


def test_open_leads_are_counted_in_amocrm_where_a_cap_needs_it(desk):
    desk.apply(make_department(make_team([make_member(ANNA, max_open=2), make_member(BORIS)])))
    for _ in range(2):
        desk.amocrm.add_lead(responsible_user_id=ANNA)
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(3)]

    desk.hook(*(lead_hook(lead.id) for lead in leads))

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {BORIS}


def test_open_leads_are_counted_again_so_that_closed_ones_make_room(desk):
    desk.apply(make_department(make_team([make_member(ANNA, max_open=2)])))
    old = desk.amocrm.add_lead(responsible_user_id=ANNA)
    first, second = (desk.amocrm.add_lead(responsible_user_id=1) for _ in range(2))
    desk.hook(lead_hook(first.id))
    assert desk.amocrm.owner(first.id) == ANNA
    desk.amocrm.human_moves(old.id, 142)
    desk.hook(lead_hook(second.id))
    assert desk.amocrm.owner(second.id) == 1, "the count is a minute old: she still has two"

    desk.clock.advance(301)
    desk.hook(TICK)

    assert desk.amocrm.owner(second.id) == ANNA


def test_a_night_lead_waits_and_is_given_out_when_the_shift_begins(desk):
    desk.clock.advance(12 * 3600)  # Tuesday 00:00 in Moscow
    leads = [desk.amocrm.add_unsorted() for _ in range(6)]
    desk.hook(*(unsorted_hook(item.uid, item.lead_id) for item in leads))

    assert {desk.amocrm.owner(item.lead_id) for item in leads} == {0}
    assert len(desk.bus.of("LeadWaiting")) == 6
    (room,) = {lead.next_check.isoformat() for lead in desk.stores.waiting_room.of_team("lead_desk")}
    assert room == "2026-11-24T06:00:00+00:00"

    desk.clock.advance(8 * 3600)
    desk.hook(TICK)
    assert {desk.amocrm.owner(item.lead_id) for item in leads} == {0}, "08:00 is too early"

    desk.clock.advance(3600)
    desk.hook(TICK)
    owners = [desk.amocrm.owner(item.lead_id) for item in leads]
    assert sorted(owners) == sorted([ANNA, BORIS, VERA] * 2)
    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_a_lead_that_goes_on_waiting_is_announced_once(desk):
    desk.apply(make_department(make_team([make_member(ANNA, max_open=0)])))
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))

    desk.clock.advance(301)
    desk.hook(TICK)

    (waiting,) = desk.stores.waiting_room.of_team("lead_desk")
    assert waiting.next_check > desk.clock.now()
    assert len(desk.bus.of("LeadWaiting")) == 1


def test_a_waiting_lead_that_a_person_took_meanwhile_is_his(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    desk.amocrm.human_accepts(item.uid, BORIS)

    desk.clock.advance(9 * 3600)
    desk.hook(TICK)

    assert desk.amocrm.owner(item.lead_id) == BORIS
    assert desk.assignment(item.lead_id).mode is Mode.MANUAL
    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_everybody_at_the_cap_lets_leads_wait_and_looks_again_soon(desk):
    desk.apply(make_department(make_team([make_member(ANNA, max_open=0)])))
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id)) == []

    (waiting,) = desk.stores.waiting_room.of_team("lead_desk")
    assert waiting.reason == "max_open"
    assert waiting.next_check - desk.clock.now() == timedelta(minutes=5)


def test_a_team_without_a_working_user_lets_leads_wait(desk):
    for user in (ANNA, BORIS, VERA):
        desk.amocrm.switch_off_user(user)
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id)) == []

    (waiting,) = desk.stores.waiting_room.of_team("lead_desk")
    assert waiting.reason == "switched_off"


def test_the_duty_person_takes_night_leads_if_there_is_one(desk):
    desk.apply(make_department(make_team(duty=DUTY)))
    desk.clock.advance(12 * 3600)
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) == DUTY
    (task,) = desk.amocrm.tasks_of(lead.id)
    assert task.complete_till - desk.clock.now() == timedelta(minutes=15), "on duty the minutes count at night too"


def test_another_hook_for_a_waiting_lead_keeps_its_place_and_is_announced_once(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    (first,) = desk.stores.waiting_room.of_team("lead_desk")

    desk.clock.advance(900)
    desk.hook(lead_hook(item.lead_id))

    (again,) = desk.stores.waiting_room.of_team("lead_desk")
    assert again.arrived_at == first.arrived_at
    assert len(desk.bus.of("LeadWaiting")) == 1


def test_an_owner_whom_a_person_chose_while_the_lead_waited_stays(desk):
    desk.clock.advance(12 * 3600)
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))
    desk.amocrm.human_reassigns(lead.id, DUTY)

    desk.clock.advance(9 * 3600)
    desk.hook(TICK)

    assert desk.amocrm.owner(lead.id) == DUTY
    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_a_waiting_item_accepted_for_nobody_in_particular_keeps_its_channel(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted(category="sip")
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    desk.amocrm.human_accepts(item.uid, 1)

    desk.clock.advance(9 * 3600)
    desk.hook(TICK)

    assert desk.assignment(item.lead_id).channel == "call"


def test_waiting_leads_go_to_the_team_that_has_the_pipeline_now(desk):
    desk.clock.advance(12 * 3600)
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))
    desk.apply(make_department(make_team(name="exchange_desk")))

    desk.clock.advance(8 * 3600)
    desk.stores.waiting_room.wake("lead_desk", desk.clock.now())
    desk.hook(TICK)
    assert desk.stores.waiting_room.of_team("lead_desk") == []
    assert len(desk.stores.waiting_room.of_team("exchange_desk")) == 1

    desk.clock.advance(3600)
    desk.hook(TICK)
    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


# --- people are faster


def test_a_person_who_accepts_first_keeps_the_lead_and_the_turn_comes_back(desk):
    item = desk.amocrm.add_unsorted()
    accept = desk.amocrm.accept_unsorted

    def human_first(uid, user_id, status_id):
        desk.amocrm.human_accepts(uid, DUTY)
        return accept(uid, user_id, status_id)

    desk.amocrm.accept_unsorted = human_first
    assert desk.hook(unsorted_hook(item.uid, item.lead_id)) == []

    assert desk.amocrm.owner(item.lead_id) == DUTY
    assert desk.assignment(item.lead_id).state is State.OVERTAKEN
    assert desk.balances() == {}
    assert desk.amocrm.tasks_of(item.lead_id) == []


def test_a_person_who_accepts_first_is_seen_even_while_the_lists_lag(desk):
    item = desk.amocrm.add_unsorted()
    desk.clock.advance(10)
    desk.amocrm.list_lag = timedelta(seconds=5)
    accept = desk.amocrm.accept_unsorted

    def human_first(uid, user_id, status_id):
        desk.amocrm.human_accepts(uid, DUTY)
        return accept(uid, user_id, status_id)

    desk.amocrm.accept_unsorted = human_first
    assert desk.hook(unsorted_hook(item.uid, item.lead_id)) == []

    assert desk.amocrm.owner(item.lead_id) == DUTY


def test_an_item_that_amocrm_refuses_comes_back_and_its_neighbours_are_served(desk):
    bad, good = desk.amocrm.add_unsorted(), desk.amocrm.add_unsorted()
    accept = desk.amocrm.accept_unsorted

    def refusing(uid, user_id, status_id):
        if uid == bad.uid:
            raise AmoCrmRefused("status_id: NotSupportedChoice", 400)
        return accept(uid, user_id, status_id)

    desk.amocrm.accept_unsorted = refusing
    back = desk.hook(unsorted_hook(bad.uid, bad.lead_id), unsorted_hook(good.uid, good.lead_id))

    assert back == ["m0"]
    assert desk.amocrm.owner(good.lead_id) in (ANNA, BORIS, VERA)
    assert len(desk.amocrm.tasks_of(good.lead_id)) == 1
    assert desk.assignment(bad.lead_id) is None, "the turn came back, and the lead is decided anew"

    desk.amocrm.accept_unsorted = accept
    assert desk.hook(unsorted_hook(bad.uid, bad.lead_id)) == []
    assert desk.amocrm.owner(bad.lead_id) in (ANNA, BORIS, VERA)


def test_a_delete_hook_that_lies_takes_nothing_back(desk):
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    before = desk.balances()

    assert desk.hook(lead_hook(item.lead_id, action="delete")) == []

    assert desk.balances() == before
    assert desk.assignment(item.lead_id).state is State.APPLIED


def test_a_deleted_lead_leaves_the_waiting_room(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    desk.amocrm.delete_lead(item.lead_id)

    assert desk.hook(unsorted_end_hook(item.uid, item.lead_id, "decline")) == []

    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_delete_hooks_of_leads_we_never_touched_cost_no_request(desk):
    desk.amocrm.leads = desk.amocrm.lead = None  # whoever asked would fail

    assert desk.hook(*(lead_hook(lead_id, action="delete") for lead_id in range(1, 200))) == []


def test_a_restored_lead_is_given_out_anew(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))
    desk.amocrm.delete_lead(lead.id)
    desk.hook(lead_hook(lead.id, action="delete"))
    assert desk.balances() == {}
    desk.amocrm.add_lead(lead.id, responsible_user_id=1)

    desk.hook(lead_hook(lead.id, action="restore"))

    assert desk.assignment(lead.id).state is State.APPLIED
    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


def test_an_item_that_somebody_outside_the_team_took_is_his(desk):
    item = desk.amocrm.add_unsorted()
    desk.amocrm.human_accepts(item.uid, DUTY)

    assert desk.hook(unsorted_end_hook(item.uid, item.lead_id)) == []

    assert desk.amocrm.owner(item.lead_id) == DUTY
    assert desk.telemetry.reasons("lead_not_distributed") == ["taken_by_a_person"]


def test_a_waiting_item_that_somebody_outside_the_team_took_is_his(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    desk.amocrm.human_accepts(item.uid, DUTY)

    desk.clock.advance(9 * 3600)
    desk.hook(TICK)

    assert desk.amocrm.owner(item.lead_id) == DUTY
    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_a_lead_that_somebody_outside_the_team_made_by_hand_is_given_out(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=DUTY)

    desk.hook(lead_hook(lead.id))

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


def test_a_declined_item_gives_the_turn_back(desk):
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    assert desk.balances()
    desk.amocrm.delete_lead(item.lead_id)

    assert desk.hook(unsorted_end_hook(item.uid, item.lead_id, "decline")) == []

    assert desk.balances() == {}
    assert [one.state for one in desk.stores.assignments.of_lead(item.lead_id)] == [State.GONE]


def test_a_lead_deleted_before_we_came_is_no_error(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.delete_lead(lead.id)

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.telemetry.reasons("lead_not_distributed") == ["lead_gone"]


def test_a_lead_that_the_list_does_not_show_yet_is_waited_for(desk):
    desk.amocrm.list_lag = timedelta(seconds=5)
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(30)]

    assert desk.hook(*(lead_hook(lead.id) for lead in leads)) == [], "more than are read one by one"

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {ANNA, BORIS, VERA}


def test_a_user_switched_off_between_decision_and_write_does_not_get_the_lead(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    change = desk.amocrm.change_owners

    def switched_off_now(changes):
        desk.amocrm.switch_off_user(changes[0].responsible_user_id)
        desk.amocrm.change_owners = change
        return change(changes)

    desk.amocrm.change_owners = switched_off_now
    assert desk.hook(lead_hook(lead.id)) == ["m0"]
    assert desk.balances() == {}

    assert desk.hook(lead_hook(lead.id)) == []
    assert desk.amocrm.owner(lead.id) in {ANNA, BORIS, VERA} - {
        user.id for user in desk.amocrm.users() if not user.is_active
    }


# --- failures and resuming


@pytest.mark.parametrize("step", ["leads", "users", "change_owners", "add_tasks", "add_notes"])
@pytest.mark.parametrize("done", [False, True])
def test_after_a_failure_at_any_step_the_redelivery_completes_it_once(desk, step, done):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    error = AmbiguousWrite("timeout") if done else AmoCrmUnavailable("502")
    desk.amocrm.fail_next(error, on=step, done=done)

    assert desk.hook(lead_hook(lead.id)) == ["m0"]
    desk.pass_lease()
    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)
    assert len(desk.amocrm.tasks_of(lead.id)) == 1
    assert len(desk.amocrm.notes_of(lead.id)) == 1
    assert len(desk.bus.of("LeadAssigned")) == 1
    assert sum(abs(balance) for balance in desk.balances().values()) < 2 * UNIT, "charged once"


def test_while_one_worker_acts_another_leaves_the_lead_alone(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_tasks")
    desk.hook(lead_hook(lead.id))

    assert desk.hook(lead_hook(lead.id)) == ["m0"], "the lease of the first run still holds"
    assert desk.amocrm.tasks_of(lead.id) == []
    assert 0 < desk.queue.postponed["m0"] <= 76


def test_a_person_who_changes_the_owner_before_the_resume_wins(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    desk.hook(lead_hook(lead.id))
    desk.amocrm.human_reassigns(lead.id, DUTY)
    desk.pass_lease()

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) == DUTY
    assert desk.assignment(lead.id).state is State.OVERTAKEN
    assert desk.balances() == {}


def test_a_lead_that_a_person_closed_before_the_resume_is_left_alone(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    desk.hook(lead_hook(lead.id))
    desk.amocrm.human_moves(lead.id, 143)
    desk.pass_lease()

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.assignment(lead.id).state is State.OVERTAKEN
    assert desk.amocrm.tasks_of(lead.id) == []
    assert desk.balances() == {}


def test_a_task_that_the_manager_has_completed_is_not_made_again(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_notes")
    desk.hook(lead_hook(lead.id))
    desk.amocrm.human_completes(desk.amocrm.tasks_of(lead.id)[0].id)
    desk.pass_lease()

    assert desk.hook(lead_hook(lead.id)) == []

    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_leads_that_no_list_shows_at_the_resume_are_not_called_gone(desk):
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(30)]
    hooks = [lead_hook(lead.id) for lead in leads]
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    desk.hook(*hooks)
    desk.pass_lease()
    read = desk.amocrm.leads
    desk.amocrm.leads = lambda ids: {}

    assert len(desk.hook(*hooks)) == 10, "twenty are read one by one, about the others nothing can be said"

    desk.amocrm.leads = read
    desk.pass_lease()
    assert desk.hook(*hooks) == []
    assert {desk.amocrm.owner(lead.id) for lead in leads} == {ANNA, BORIS, VERA}


def test_an_item_whose_hook_named_no_lead_is_found_although_the_list_lags(desk):
    item = desk.amocrm.add_unsorted()
    desk.amocrm.unsorted = lambda uids: {}

    assert desk.hook(form({"unsorted[add][0][uid]": item.uid})) == []

    assert desk.amocrm.owner(item.lead_id) in (ANNA, BORIS, VERA)


def test_a_refused_task_is_told_in_the_log(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.add_tasks = lambda tasks: BatchResult(refused={lead.id: "complete_till: InvalidType"})

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.telemetry.reasons("task_or_note_refused") == ["complete_till: InvalidType"]
    assert desk.telemetry.counts["TaskOrNoteRefused"] == 1


def test_a_rejected_body_is_parked_once_however_often_its_neighbours_come_back(desk):
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="unsorted")

    assert desk.hook("nonsense", form({"unsorted[add][0][uid]": "u1"})) == ["m1"]
    assert list(desk.queue.parked) == ["m0"]


def test_a_turn_of_yesterday_does_not_make_room_under_the_cap_of_today(desk):
    desk.apply(make_department(make_team([make_member(ANNA, max_per_day=1)])))
    old = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(old.id))
    desk.clock.advance(24 * 3600)
    today = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(2)]
    desk.hook(lead_hook(today[0].id))
    desk.amocrm.delete_lead(old.id)
    desk.hook(lead_hook(old.id, action="delete"))

    desk.hook(lead_hook(today[1].id))

    assert [desk.amocrm.owner(lead.id) for lead in today] == [ANNA, 1]


def test_a_member_who_is_capped_from_now_on_is_counted_at_once(desk):
    desk.apply(make_department(make_team([make_member(ANNA), make_member(BORIS, max_open=50)])))
    for _ in range(5):
        desk.amocrm.add_lead(responsible_user_id=ANNA)
    first, second = (desk.amocrm.add_lead(responsible_user_id=1) for _ in range(2))
    desk.hook(lead_hook(first.id))
    desk.apply(make_department(make_team([make_member(ANNA, max_open=3), make_member(BORIS, paused=True)])))

    desk.hook(lead_hook(second.id))

    assert desk.amocrm.owner(second.id) == 1


def test_an_event_that_the_bus_did_not_take_is_published_by_the_resume(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.bus.fail_next = RetryLater("throttled")

    assert desk.hook(lead_hook(lead.id)) == ["m0"]
    desk.pass_lease()
    assert desk.hook(lead_hook(lead.id)) == []

    assert len(desk.bus.of("LeadAssigned")) == 1
    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_an_expired_token_puts_everything_off_and_loses_nothing(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmoCrmUnauthorized("token expired", 401), on="leads")

    assert desk.hook(lead_hook(lead.id)) == ["m0"]
    assert desk.telemetry.counts["AmoCrmUnauthorized"] == 1

    assert desk.hook(lead_hook(lead.id)) == []
    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


def test_without_a_department_leads_come_back_until_one_is_applied(table):
    desk = Desk(table)
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id)) == ["m0"]
    assert "conveyor apply" in str(desk.telemetry.lines)

    desk.apply(make_department())
    assert desk.hook(lead_hook(lead.id)) == []


def test_a_tick_without_a_department_does_not_come_back(table):
    desk = Desk(table)

    assert desk.hook(TICK) == []


def test_a_tick_that_finds_amocrm_away_does_not_come_back_but_its_leads_are_looked_at_again(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))
    desk.clock.advance(9 * 3600)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="leads")

    assert desk.hook(TICK) == []
    assert desk.amocrm.owner(item.lead_id) == 0

    desk.hook(TICK)
    assert desk.amocrm.owner(item.lead_id) in (ANNA, BORIS, VERA)


def test_a_rejected_body_is_parked_with_its_reason_and_its_neighbours_are_served(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook("not a hook at all", lead_hook(lead.id)) == []

    assert list(desk.queue.parked) == ["m0"]
    assert desk.telemetry.counts["HookRejected"] == 1
    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


def test_a_hook_of_another_account_is_ignored(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id, subdomain="somebody-else")) == []

    assert desk.amocrm.owner(lead.id) == 1


def test_a_bug_with_one_lead_does_not_hold_up_its_neighbours(desk):
    good, bad = desk.amocrm.add_lead(responsible_user_id=1), desk.amocrm.add_lead(responsible_user_id=1)
    read = desk.amocrm.leads

    def buggy(ids):
        if bad.id in ids:
            raise ZeroDivisionError
        return read(ids)

    desk.amocrm.leads = buggy
    assert desk.hook(lead_hook(bad.id), lead_hook(good.id)) == ["m0"]
    assert desk.amocrm.owner(good.id) in (ANNA, BORIS, VERA)


@pytest.mark.parametrize("step", ["change_owners", "add_tasks"])
@pytest.mark.parametrize("error", [ZeroDivisionError(), AmoCrmRefused("400 for the whole batch", 400)])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_lead_that_fails_while_we_act_does_not_hold_up_its_neighbours(desk, step, error, resumed):
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(5)]
    bad, *good = leads
    hooks = [lead_hook(lead.id) for lead in leads]
    if resumed:
        desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
        desk.hook(*hooks)
        desk.pass_lease()
    write = getattr(desk.amocrm, step)

    def buggy(changes):
        if any(change.lead_id == bad.id for change in changes):
            raise error
        return write(changes)

    setattr(desk.amocrm, step, buggy)
    assert desk.hook(*hooks) == ["m0"]

    assert [desk.assignment(lead.id).state for lead in good] == [State.APPLIED] * 4
    assert {desk.amocrm.owner(lead.id) for lead in good} <= {ANNA, BORIS, VERA}
    assert [len(desk.amocrm.tasks_of(lead.id)) for lead in good] == [1] * 4
    assert [len(desk.amocrm.notes_of(lead.id)) for lead in good] == [1] * 4
    assert sorted(event["lead_id"] for event in desk.bus.of("LeadAssigned")) == [lead.id for lead in good]
    assert {event["twins"] for event in desk.bus.of("LeadAssigned")} == {None if resumed else ()}

    setattr(desk.amocrm, step, write)
    desk.pass_lease()
    assert desk.hook(hooks[0]) == []
    assert len(desk.amocrm.tasks_of(bad.id)) == len(desk.amocrm.notes_of(bad.id)) == 1


def test_a_run_without_time_left_starts_no_effects_it_cannot_finish(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)

    assert desk.hook(lead_hook(lead.id), seconds=10) == ["m0"]
    assert desk.amocrm.owner(lead.id) == 1

    desk.pass_lease()
    assert desk.hook(lead_hook(lead.id)) == []
    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)


def test_more_items_than_can_be_accepted_in_time_are_decided_when_there_is_time(desk):
    items = [desk.amocrm.add_unsorted() for _ in range(90)]
    hooks = [unsorted_hook(item.uid, item.lead_id) for item in items]

    back = desk.hook(*hooks, seconds=31)

    assert len(back) == 10, "80 are accepted at 5 a second"
    assert desk.stores.assignments.decided([int(item.lead_id) for item in items[80:]], ARRIVAL) == {}
    assert desk.hook(*(hooks[int(message.removeprefix("m"))] for message in back)) == []
    assert {desk.amocrm.owner(item.lead_id) for item in items} == {ANNA, BORIS, VERA}


def test_250_leads_are_decided_in_three_transactions_and_nobody_drifts(desk):
    leads = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(250)]

    assert desk.hook(*(lead_hook(lead.id) for lead in leads)) == []

    counts = [sum(desk.amocrm.owner(lead.id) == user for lead in leads) for user in (ANNA, BORIS, VERA)]
    assert max(counts) - min(counts) <= 1
    assert desk.stores.assignments.ledger("lead_desk").version == 3


def test_a_decision_keeps_the_department_version_it_was_taken_under(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.amocrm.fail_next(AmbiguousWrite("timeout"), on="add_notes", done=True)
    desk.hook(lead_hook(lead.id))
    renamed = [replace(member, name="Новое Имя") for member in make_team().members]
    desk.apply(make_department(make_team(renamed)))
    desk.pass_lease()

    desk.hook(lead_hook(lead.id))

    assert len(desk.amocrm.notes_of(lead.id)) == 1, "a text is the marker, so it must not change with the department"
