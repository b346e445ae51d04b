"""Hand-overs: a lead that came to another team gets the fairly next manager of it, whatever the order of the news."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from functions.shared.assignment import ARRIVAL, Mode, State
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable
from functions.shared.fairness import UNIT
from functions.shared.inbox import read_batch
from tests.builders import (
    ANNA,
    BORIS,
    CARE_PIPELINE,
    CARE_STAGE,
    DUTY,
    GLEB,
    INNA,
    MAIN_PIPELINE,
    MAIN_STAGE,
    VERA,
    WARM_UP_PIPELINE,
    WARM_UP_STAGE,
    lead_hook,
    make_member,
    make_team,
    make_three_levels,
    sqs_record,
)
from tests.desk import Desk
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE

TICK = '{"tick": "waiting-room", "time": "2026-11-23T09:00:00Z"}'


@pytest.fixture
def desk(table):
    desk = Desk(table)
    desk.apply(make_three_levels())
    return desk


def qualified(desk, owner=ANNA, **values):
    """A lead of the lead desk that stands in the main pipeline since a minute ago."""
    lead = desk.amocrm.add_lead(responsible_user_id=owner, **values)
    desk.clock.advance(60)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    return desk.amocrm.see(lead.id)


def overnight(desk):
    desk.clock.advance(12 * 3600)  # Tuesday 00:00 in Moscow


def in_the_morning(desk):
    desk.clock.advance(9 * 3600)
    assert desk.hook(TICK) == []


# --- the way of a lead


def test_a_lead_handed_over_gets_the_fairly_next_of_the_new_team(desk):
    leads = [qualified(desk) for _ in range(4)]

    assert desk.hook(*(desk.routed(lead) for lead in leads)) == []

    assert sorted(desk.amocrm.owner(lead.id) for lead in leads) == [VERA, VERA, GLEB, GLEB]
    assert desk.balances() == {}, "the lead desk pays nothing"
    assert sum(desk.balances("closers").values()) == 0
    assignment = desk.assignment(leads[0].id, "route#1")
    assert (assignment.team, assignment.mode, assignment.state) == ("closers", Mode.FAIR, State.APPLIED)
    assert {event["cause"] for event in desk.bus.of("LeadAssigned")} == {"route#1"}


def test_the_new_manager_gets_a_task_a_note_and_the_open_tasks_of_the_old_one(desk):
    lead = qualified(desk)
    soon = desk.clock.now() + timedelta(days=1)
    his = desk.amocrm.add_task(lead.id, ANNA, "Перезвонить", soon)
    done = desk.amocrm.add_task(lead.id, ANNA, "Уточнить адрес", soon)
    desk.amocrm.human_completes(done.id)
    bosses = desk.amocrm.add_task(lead.id, DUTY, "Проверить", soon)

    desk.hook(desk.routed(lead))

    owner = desk.amocrm.owner(lead.id)
    assert owner in (VERA, GLEB)
    people = {task.text: task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id)}
    assert people == {
        his.text: owner,
        done.text: ANNA,
        bosses.text: DUTY,
        "Лид передан из «Биржа лидов». Связаться с клиентом в течение 15 мин": owner,
    }
    (note,) = desk.amocrm.notes_of(lead.id)
    assert "Передан из «Биржа лидов», прежний менеджер: Анна." in note.text


def test_a_whole_batch_costs_a_handful_of_requests(desk):
    leads = [qualified(desk) for _ in range(30)]
    desk.amocrm.calls.clear()

    desk.hook(*(desk.routed(lead) for lead in leads))

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {VERA, GLEB}
    assert desk.amocrm.calls.total() == 7, desk.amocrm.calls


def test_the_manager_who_had_the_lead_in_that_team_gets_it_back_and_nobody_pays(desk):
    lead = qualified(desk)

    desk.hook(desk.routed(lead, known_owner=VERA))

    assert desk.amocrm.owner(lead.id) == VERA
    assert desk.assignment(lead.id, "route#1").mode is Mode.OWN_CLIENT
    assert desk.balances("closers") == {}


def test_a_known_manager_who_is_off_shift_does_not_keep_the_client_waiting(desk):
    lead = qualified(desk)
    desk.amocrm.switch_off_user(VERA)

    desk.hook(desk.routed(lead, known_owner=VERA))

    assert desk.amocrm.owner(lead.id) == GLEB


def test_where_the_router_knows_nobody_the_clients_other_leads_tell_his_manager(desk):
    client = desk.amocrm.add_contact()
    other = qualified(desk, GLEB, contacts=[client.id])
    lead = qualified(desk, contacts=[client.id])

    desk.hook(desk.routed(lead))

    assert desk.amocrm.owner(lead.id) == desk.amocrm.owner(other.id) == GLEB
    assert desk.balances("closers") == {}


def test_the_channel_of_a_lead_outlives_its_first_team(desk):
    item = desk.amocrm.add_unsorted(category="chats", service="telegram")
    desk.hook(lead_hook(item.lead_id))
    desk.clock.advance(60)
    desk.amocrm.human_moves(item.lead_id, MAIN_STAGE, MAIN_PIPELINE)

    desk.hook(desk.routed(desk.amocrm.see(item.lead_id)))

    assert desk.assignment(item.lead_id, "route#1").channel == "telegram"


def test_caps_bind_as_for_new_leads(desk):
    closers = make_team([make_member(VERA, max_open=1), make_member(GLEB)], name="closers", levels=frozenset({2}))
    desk.apply(make_three_levels(closers))
    desk.amocrm.add_lead(pipeline_id=MAIN_PIPELINE, status_id=MAIN_STAGE, responsible_user_id=VERA)
    leads = [qualified(desk) for _ in range(3)]

    desk.hook(*(desk.routed(lead) for lead in leads))

    assert {desk.amocrm.owner(lead.id) for lead in leads} == {GLEB}


# --- people decide


def test_a_member_to_whom_a_person_gave_the_lead_since_keeps_it(desk):
    lead = qualified(desk)
    desk.amocrm.human_reassigns(lead.id, VERA)

    desk.hook(desk.routed(lead, known_owner=GLEB))

    assert desk.amocrm.owner(lead.id) == VERA
    assert desk.assignment(lead.id, "route#1").mode is Mode.MANUAL
    assert desk.balances("closers") == {}
    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_a_closer_who_had_it_already_in_the_exchange_was_chosen_by_a_person(desk):
    lead = qualified(desk, owner=VERA)

    desk.hook(desk.routed(lead))

    assert desk.assignment(lead.id, "route#1").mode is Mode.MANUAL
    assert desk.amocrm.owner(lead.id) == VERA


def test_who_is_in_both_teams_spends_a_turn_like_everybody(desk):
    closers = make_team([make_member(ANNA), make_member(GLEB)], name="closers", levels=frozenset({2}))
    desk.apply(make_three_levels(closers))
    leads = [qualified(desk, owner=ANNA) for _ in range(4)]

    desk.hook(*(desk.routed(lead) for lead in leads))

    assert sorted(desk.amocrm.owner(lead.id) for lead in leads) == [ANNA, ANNA, GLEB, GLEB]


def test_a_lead_that_the_head_took_for_himself_since_is_his(desk):
    lead = qualified(desk)
    desk.amocrm.human_reassigns(lead.id, DUTY)

    assert desk.hook(desk.routed(lead)) == []

    assert desk.amocrm.owner(lead.id) == DUTY
    assert desk.telemetry.reasons("lead_not_distributed") == ["taken_by_a_person"]


def test_another_manager_of_the_old_team_is_no_reason_to_keep_it(desk):
    lead = qualified(desk)
    desk.amocrm.human_reassigns(lead.id, BORIS)

    desk.hook(desk.routed(lead))

    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ((FIRST_STAGE, PIPELINE), "moved_on"),
        ((CARE_STAGE, CARE_PIPELINE), "moved_on"),
        ((143, MAIN_PIPELINE), "closed"),
    ],
)
def test_a_lead_that_has_moved_on_is_left_alone(desk, place, reason):
    lead = qualified(desk)
    desk.amocrm.human_moves(lead.id, *place)

    assert desk.hook(desk.routed(lead)) == []

    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.telemetry.reasons("lead_not_distributed") == [reason]
    assert desk.balances("closers") == {}


def test_a_list_that_lags_does_not_make_a_lead_move_on(desk):
    lead = qualified(desk)
    desk.amocrm.list_lag = timedelta(seconds=30)

    assert desk.hook(desk.routed(lead)) == []

    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


def test_more_doubtful_leads_than_can_be_read_alone_come_back(desk):
    leads = [qualified(desk) for _ in range(23)]
    read = desk.amocrm.leads

    def as_they_were(ids):
        return {lead_id: replace(lead, pipeline_id=PIPELINE) for lead_id, lead in read(ids).items()}

    desk.amocrm.leads = as_they_were

    assert len(desk.hook(*(desk.routed(lead) for lead in leads))) == 3


def test_the_owner_whom_a_person_chooses_while_we_act_stays(desk):
    lead = qualified(desk)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    message = desk.routed(lead)
    desk.hook(message)
    desk.amocrm.human_reassigns(lead.id, DUTY)
    desk.pass_lease()

    assert desk.hook(message) == []

    assert desk.amocrm.owner(lead.id) == DUTY
    assert desk.assignment(lead.id, "route#1").state is State.OVERTAKEN
    assert desk.balances("closers") == {}


# --- a person changed the owner together with the move, or before it


def given_by_us(desk):
    """A new lead that the desk's fair turn gave to somebody, with a task of his."""
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))
    owner = desk.amocrm.owner(lead.id)
    desk.clock.advance(60)
    return lead, owner, desk.amocrm.add_task(lead.id, owner, "Перезвонить", desk.clock.now() + timedelta(days=1))


@pytest.mark.parametrize("chosen", [VERA, 0, DUTY], ids=["a closer", "a colleague", "the head"])
def test_the_open_tasks_of_whom_we_gave_it_go_along_though_a_person_changed_the_owner_before(desk, chosen):
    lead, first, his = given_by_us(desk)
    theirs = desk.amocrm.add_task(lead.id, INNA, "Проверить", desk.clock.now() + timedelta(days=1))
    desk.amocrm.human_reassigns(lead.id, chosen or next(each for each in (ANNA, BORIS) if each != first))
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)

    assert desk.hook(desk.routed(desk.amocrm.see(lead.id))) == []

    owner = desk.amocrm.owner(lead.id)
    assert owner in ({VERA} if chosen == VERA else {VERA, GLEB})
    tasks = {task.id: task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id) if not task.is_completed}
    assert tasks.pop(theirs.id) == INNA, "a third person's"
    assert his.id in tasks
    assert set(tasks.values()) == {owner}, "the task that we set for the first answer too"


def test_the_note_names_who_had_it_before_not_the_new_owner_whom_a_person_chose(desk):
    lead, first, _ = given_by_us(desk)
    desk.amocrm.human_reassigns(lead.id, VERA)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)

    desk.hook(desk.routed(desk.amocrm.see(lead.id)))

    name = {ANNA: "Анна", BORIS: "Борис"}[first]
    assert f"прежний менеджер: {name}." in desk.amocrm.notes_of(lead.id)[-1].text


def test_what_goes_along_is_stored_with_the_decision_and_goes_along_when_it_is_resumed(desk):
    lead, first, his = given_by_us(desk)
    desk.amocrm.human_reassigns(lead.id, VERA)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    message = desk.routed(desk.amocrm.see(lead.id))
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="tasks_since")
    assert desk.hook(message) != []
    assert desk.assignment(lead.id, "route#1").predecessors == (first,)
    desk.pass_lease()

    assert desk.hook(message) == []

    assert {task.id: task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id)}[his.id] == VERA


def test_what_a_manager_of_two_teams_ago_has_left_to_do_goes_along_too(desk):
    lead, first, _ = given_by_us(desk)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    desk.hook(desk.routed(desk.amocrm.see(lead.id)))
    closer = desk.amocrm.owner(lead.id)
    late = desk.amocrm.add_task(lead.id, first, "Спросить отзыв", desk.clock.now() + timedelta(days=1))
    desk.clock.advance(60)
    desk.amocrm.human_moves(lead.id, CARE_STAGE, CARE_PIPELINE)

    told = {"from_place": "main.talk", "to_place": "aftercare.in_care", "team": "care", "previous_owner": closer}
    assert desk.hook(desk.routed(desk.amocrm.see(lead.id), "route#2", **told)) == []

    assert desk.assignment(lead.id, "route#2").predecessors == (closer, first), "the latest first"
    assert {task.id: task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id)}[late.id] == INNA


# --- the waiting room


def test_a_lead_that_nobody_of_the_new_team_can_take_waits_with_its_old_owner(desk):
    lead = qualified(desk)
    overnight(desk)

    assert desk.hook(desk.routed(lead, known_owner=GLEB)) == []

    assert desk.amocrm.owner(lead.id) == ANNA, "never unowned"
    (row,) = desk.stores.waiting_room.of_team("closers")
    assert (row.cause, row.handed_over.known_owner, row.handed_over.previous_owner) == ("route#1", GLEB, ANNA)
    assert [event["team"] for event in desk.bus.of("LeadWaiting")] == ["closers"]

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) == GLEB
    assert desk.assignment(lead.id, "route#1").mode is Mode.OWN_CLIENT
    assert desk.stores.waiting_room.of_team("closers") == []


def test_a_waiting_lead_that_went_back_is_looked_at_no_more(desk):
    lead = qualified(desk)
    overnight(desk)
    desk.hook(desk.routed(lead))
    desk.amocrm.human_moves(lead.id, FIRST_STAGE, PIPELINE)

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.stores.waiting_room.of_team("closers") == []


def test_a_waiting_lead_is_known_by_its_pipeline_when_the_team_has_another_name(desk):
    lead = qualified(desk)
    overnight(desk)
    desk.hook(desk.routed(lead))
    teams = make_three_levels().teams
    desk.apply(replace(make_three_levels(), teams=(teams[0], replace(teams[1], name="sales"), teams[2])))
    desk.clock.advance(9 * 3600)

    desk.hook(TICK)

    assert desk.assignment(lead.id, "route#1").team == "sales"
    assert desk.stores.waiting_room.of_team("closers") == []


def waiting_in_the_exchange(desk):
    """A new lead at night; nobody has it but the user of the token."""
    overnight(desk)
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    assert desk.hook(lead_hook(lead.id)) == []
    return lead


@pytest.mark.parametrize(
    ("place", "people"),
    [
        ((MAIN_STAGE, MAIN_PIPELINE), {VERA, GLEB}),
        ((WARM_UP_STAGE, WARM_UP_PIPELINE), {ANNA, BORIS}),
        ((CARE_STAGE, CARE_PIPELINE), {INNA}),
    ],
    ids=["main", "warm_up", "aftercare"],
)
def test_a_new_lead_that_is_moved_while_it_waits_gets_its_owner_where_it_stands_in_the_morning(desk, place, people):
    lead = waiting_in_the_exchange(desk)
    desk.amocrm.human_moves(lead.id, *place)

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) in people
    assert desk.assignment(lead.id).owner == desk.amocrm.owner(lead.id)
    assert len(desk.amocrm.tasks_of(lead.id)) == 1
    assert desk.stores.waiting_room.of_department(make_three_levels()) == []


def test_a_waiting_lead_that_goes_on_in_the_same_team_gets_its_owner(desk):
    everybody = make_team(levels=frozenset({1, 2, 3}))
    one_level = replace(make_three_levels(), teams=(everybody,), model="one_level")
    desk.apply(one_level)
    lead = waiting_in_the_exchange(desk)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) in (ANNA, BORIS, VERA)
    assert desk.stores.waiting_room.of_department(one_level) == []


@pytest.mark.parametrize(
    ("pipeline", "status", "owner", "reason"),
    [
        (MAIN_PIPELINE, MAIN_STAGE, DUTY, "taken_by_a_person"),
        (MAIN_PIPELINE, 143, 1, "closed"),
        (999, 1, 1, "unknown_pipeline"),
    ],
)
def test_a_waiting_lead_that_wants_no_owner_any_more_is_looked_at_no_more(desk, pipeline, status, owner, reason):
    lead = waiting_in_the_exchange(desk)
    desk.amocrm.human_moves(lead.id, status, pipeline)
    desk.amocrm.human_reassigns(lead.id, owner)

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) == owner
    assert desk.telemetry.reasons("lead_not_distributed") == [reason]
    assert desk.stores.waiting_room.of_department(make_three_levels()) == []


def test_a_lead_that_waits_as_new_and_as_handed_over_is_given_out_once(desk):
    lead = waiting_in_the_exchange(desk)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    assert desk.hook(desk.routed(lead, known_owner=GLEB)) == []

    in_the_morning(desk)
    desk.clock.advance(60)
    assert desk.hook(TICK) == []

    assert desk.amocrm.owner(lead.id) == GLEB
    assert desk.assignment(lead.id) is None
    assert len(desk.amocrm.tasks_of(lead.id)) == 1
    assert desk.stores.waiting_room.of_department(make_three_levels()) == []


@pytest.mark.parametrize(
    ("place", "people"),
    [((FIRST_STAGE, PIPELINE), {ANNA, BORIS}), ((CARE_STAGE, CARE_PIPELINE), {INNA})],
    ids=["back", "on"],
)
def test_a_handed_over_lead_that_nobody_has_and_that_is_moved_while_it_waits_gets_an_owner(desk, place, people):
    lead = qualified(desk, owner=1)
    overnight(desk)
    desk.hook(desk.routed(lead))
    desk.amocrm.human_moves(lead.id, *place)

    in_the_morning(desk)

    assert desk.amocrm.owner(lead.id) in people
    assert desk.stores.waiting_room.of_department(make_three_levels()) == []


# --- several causes of one lead


def test_a_doubled_event_is_decided_once(desk):
    lead = qualified(desk)
    message = desk.routed(lead)

    assert desk.hook(message, message) == []
    before = desk.balances("closers")
    assert desk.hook(message) == []

    assert desk.balances("closers") == before
    assert len(desk.amocrm.tasks_of(lead.id)) == 1
    assert len(desk.bus.of("LeadAssigned")) == 1


def test_the_arrival_and_the_hand_over_of_one_batch_are_both_decided_in_order(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    hook = lead_hook(lead.id)
    desk.hook(hook)
    desk.clock.advance(60)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)

    assert desk.hook(hook, desk.routed(desk.amocrm.see(lead.id))) == []

    causes = [(one.cause, one.state) for one in desk.stores.assignments.of_lead(lead.id)]
    assert causes == [(ARRIVAL, State.APPLIED), ("route#1", State.APPLIED)]
    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


def test_a_hand_over_waits_until_the_effects_of_the_arrival_are_done(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    hook = lead_hook(lead.id)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_tasks")
    assert desk.hook(hook) == ["m0"]
    desk.clock.advance(10)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    message = desk.routed(desk.amocrm.see(lead.id))

    assert desk.hook(message) == ["m0"]
    assert 0 < desk.queue.postponed["m0"] <= 76
    desk.pass_lease()
    assert desk.hook(hook, message) == []

    assert {one.state for one in desk.stores.assignments.of_lead(lead.id)} == {State.APPLIED}
    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


def test_a_hand_over_waits_for_an_arrival_that_was_put_off_in_the_same_batch(desk):
    lead = qualified(desk, owner=1)
    desk.amocrm.fail_next(AmoCrmUnavailable("502", after=40), on="leads")
    hook, message = lead_hook(lead.id), desk.routed(lead)

    assert desk.hook(hook, message) == ["m0", "m1"]
    assert desk.queue.postponed == {"m0": 40, "m1": 40}
    assert desk.stores.assignments.of_lead(lead.id) == []

    assert desk.hook(hook, message) == []
    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


def test_an_arrival_told_after_the_hand_over_is_history(desk):
    lead = qualified(desk, owner=1)
    desk.apply(make_three_levels(distributes=frozenset({"exchange", "main"})))
    desk.hook(desk.routed(lead))
    owner = desk.amocrm.owner(lead.id)

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.amocrm.owner(lead.id) == owner
    assert desk.assignment(lead.id) is None
    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_of_two_hops_in_a_batch_the_later_one_counts_and_no_message_is_lost(desk):
    lead = qualified(desk)
    desk.amocrm.human_moves(lead.id, CARE_STAGE, CARE_PIPELINE)
    later = desk.routed(lead, "route#2", team="care", from_place="main.won", to_place="aftercare.in_care")

    assert desk.hook(later, desk.routed(lead, "route#1")) == []

    assert desk.amocrm.owner(lead.id) == INNA
    assert desk.assignment(lead.id, "route#1") is None
    assert desk.balances("closers") == {}


def test_both_messages_of_two_hops_come_back_when_amocrm_is_away(desk):
    lead = qualified(desk)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="leads")

    assert sorted(desk.hook(desk.routed(lead, "route#3"), desk.routed(lead, "route#1"))) == ["m0", "m1"]


def test_an_earlier_hop_told_after_a_later_one_is_history(desk):
    lead = qualified(desk)
    desk.hook(desk.routed(lead, "route#3"))
    owner, balances = desk.amocrm.owner(lead.id), desk.balances("closers")

    assert desk.hook(desk.routed(lead, "route#1")) == []

    assert desk.amocrm.owner(lead.id) == owner
    assert desk.balances("closers") == balances
    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_a_hand_over_that_was_begun_and_overtaken_by_a_later_hop_gives_its_turn_back(desk):
    # GIVEN a hand-over to the closers whose worker dies before it writes anything
    lead = qualified(desk)
    first = desk.routed(lead)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    assert desk.hook(first) == ["m0"]
    desk.pass_lease()

    # WHEN the lead goes back to the desk and is handed over there before the message comes back
    desk.amocrm.human_moves(lead.id, FIRST_STAGE, PIPELINE)
    back = desk.routed(
        lead, "route#2", team="lead_desk", from_place="main.contact", to_place="exchange.talk", known_owner=ANNA
    )
    assert desk.hook(back) == []
    assert desk.hook(first) == []

    # THEN the desk's manager has it and no closer has paid
    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.balances("closers") == {}
    assert desk.assignment(lead.id, "route#1").state is State.OVERTAKEN


def test_a_hand_over_resumed_after_the_lead_went_back_gives_its_turn_back(desk):
    lead = qualified(desk)
    message = desk.routed(lead)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="change_owners")
    desk.hook(message)
    desk.amocrm.human_moves(lead.id, FIRST_STAGE, PIPELINE)
    desk.pass_lease()

    assert desk.hook(message) == []

    assert desk.amocrm.owner(lead.id) == ANNA
    assert desk.balances("closers") == {}


def test_a_later_hop_decided_while_we_were_deciding_is_seen(desk):
    lead = qualified(desk)
    users = desk.amocrm.users

    def meanwhile():
        desk.amocrm.users = users
        assert desk.hook(desk.routed(lead, "route#3")) == []
        return users()

    desk.amocrm.users = meanwhile
    message = desk.routed(lead, "route#1")
    assert desk.hook(message) == ["m0"]
    assert desk.hook(message) == []

    assert [one.cause for one in desk.stores.assignments.of_lead(lead.id)] == ["route#3"]


# --- copies


def test_a_copy_in_aftercare_gets_its_manager_although_new_leads_there_are_not_given_out(desk):
    copy = desk.amocrm.add_lead(pipeline_id=CARE_PIPELINE, status_id=CARE_STAGE, responsible_user_id=VERA)
    places = {"team": "care", "from_place": "main.won", "to_place": "aftercare.in_care"}

    assert desk.hook(lead_hook(copy.id), desk.routed(copy, ARRIVAL, **places)) == []

    assert desk.amocrm.owner(copy.id) == INNA
    assert "Передан из «Основная воронка», прежний менеджер: Вера." in desk.amocrm.notes_of(copy.id)[0].text
    assert desk.assignment(copy.id).team == "care"
    assert desk.hook(lead_hook(copy.id), desk.routed(copy, ARRIVAL, **places)) == []
    assert len(desk.bus.of("LeadAssigned")) == 1


def test_a_copy_that_waits_keeps_what_the_router_said(desk):
    overnight(desk)
    copy = desk.amocrm.add_lead(pipeline_id=CARE_PIPELINE, status_id=CARE_STAGE, responsible_user_id=VERA)
    desk.hook(desk.routed(copy, ARRIVAL, team="care", from_place="main.won"))
    assert desk.amocrm.owner(copy.id) == VERA

    in_the_morning(desk)

    assert desk.amocrm.owner(copy.id) == INNA


# --- failures


@pytest.mark.parametrize(
    "step", ["leads", "users", "change_owners", "tasks_since", "change_tasks", "add_tasks", "add_notes"]
)
@pytest.mark.parametrize("done", [False, True])
def test_after_a_failure_at_any_step_the_redelivery_completes_it_once(desk, step, done):
    lead = qualified(desk)
    old = desk.amocrm.add_task(lead.id, ANNA, "Перезвонить", desk.clock.now())
    message = desk.routed(lead)
    desk.amocrm.fail_next(AmbiguousWrite("timeout") if done else AmoCrmUnavailable("502"), on=step, done=done)

    assert desk.hook(message) == ["m0"]
    desk.pass_lease()
    assert desk.hook(message) == []

    owner = desk.amocrm.owner(lead.id)
    assert owner in (VERA, GLEB)
    assert [task.responsible_user_id for task in desk.amocrm.tasks_of(lead.id)] == [owner, owner]
    assert desk.amocrm.tasks_of(lead.id)[0].text == old.text
    assert len(desk.amocrm.notes_of(lead.id)) == 1
    assert len(desk.bus.of("LeadAssigned")) == 1
    assert sum(map(abs, desk.balances("closers").values())) == UNIT, "charged once"


@pytest.mark.parametrize(
    "changes",
    [
        {"lead_id": "7"},
        {"lead_id": 0},
        {"lead_id": True},
        {"cause": "route#x"},
        {"cause": None},
        {"team": ""},
        {"from_place": "nowhere.contact"},
        {"previous_owner": None},
        {"hand_over": "yes"},
    ],
)
def test_an_event_that_makes_no_sense_is_parked_and_its_neighbours_are_served(desk, changes):
    lead = qualified(desk)
    good = desk.routed(lead)
    bad = desk.routed(lead, **{key: value for key, value in changes.items() if key not in ("lead_id", "cause")})
    for key in changes.keys() & {"lead_id", "cause"}:
        document = json.loads(bad)
        document["detail"][key] = changes[key]
        bad = json.dumps(document)

    assert desk.hook(bad, good) == []

    assert desk.queue.parked == {"m0": "bad_bus_event"}
    assert desk.amocrm.owner(lead.id) in (VERA, GLEB)


def test_a_lead_that_stays_with_its_team_is_none_of_our_business(desk):
    lead = qualified(desk)

    assert desk.hook(desk.routed(lead, hand_over=False)) == []

    assert desk.amocrm.owner(lead.id) == ANNA


def test_a_hand_over_from_outside_is_no_event(desk):
    """Whoever knows the hook token could post one."""
    lead = qualified(desk)
    record = sqs_record(desk.routed(lead), "m0", desk.clock.now())
    record["messageAttributes"] = {"outside": {"stringValue": "http", "dataType": "String"}}

    desk.distributor.handle(read_batch({"Records": [record]}), desk.clock.now() + timedelta(seconds=60))

    assert desk.amocrm.owner(lead.id) == ANNA


def test_weights_of_the_new_team_hold_in_its_own_ledger(desk):
    closers = make_team(
        [make_member(VERA, weight=Fraction(2)), make_member(GLEB)], name="closers", levels=frozenset({2})
    )
    desk.apply(make_three_levels(closers))
    leads = [qualified(desk) for _ in range(6)]

    desk.hook(*(desk.routed(lead) for lead in leads))

    assert sorted(desk.amocrm.owner(lead.id) for lead in leads) == [VERA] * 4 + [GLEB] * 2
