"""Refunds: a lead lost for one of the reasons in `refunds` costs nobody a turn, once, in whatever order news come."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from functions.shared.assignment import State
from functions.shared.errors import AmoCrmUnavailable
from tests.builders import (
    ANNA,
    EXPENSIVE,
    GLEB,
    MAIN_PIPELINE,
    MAIN_STAGE,
    SPAM,
    VERA,
    lead_hook,
    make_member,
    make_team,
    make_three_levels,
    unsorted_hook,
)
from tests.desk import Desk
from tests.fakes_amocrm import FIRST_STAGE

TICK = '{"tick": "waiting-room", "time": "2026-11-23T09:00:00Z"}'


@pytest.fixture
def desk(table):
    desk = Desk(table)
    desk.apply(make_three_levels())
    return desk


def arrived(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    assert desk.hook(lead_hook(lead.id)) == []
    desk.clock.advance(60)
    return lead


def hand_over(desk, lead_id, cause="route#1"):
    desk.amocrm.human_moves(lead_id, MAIN_STAGE, MAIN_PIPELINE)
    assert desk.hook(desk.routed(desk.amocrm.see(lead_id), cause)) == []
    desk.clock.advance(60)


def lose(desk, lead_id, reason=SPAM):
    """A person closes the lead; returns the router's message, about which nobody decides any more."""
    desk.amocrm.human_moves(lead_id, 143, loss_reason_id=reason)
    message = desk.closed(lead_id)
    desk.pass_lease()
    return message


def states(desk, lead_id):
    return [one.state for one in desk.stores.assignments.of_lead(lead_id)]


def test_the_turns_of_all_teams_come_back_with_all_claims(desk):
    others = [arrived(desk) for _ in range(2)]
    before = desk.balances(), desk.balances("closers")
    lead = arrived(desk)
    hand_over(desk, lead.id)
    assert (desk.balances(), desk.balances("closers")) != before

    assert desk.hook(lose(desk, lead.id)) == []

    assert (desk.balances(), desk.balances("closers")) == before
    assert states(desk, lead.id) == [State.REFUNDED, State.REFUNDED]
    assert [states(desk, other.id) for other in others] == [[State.APPLIED]] * 2


def test_a_doubled_event_gives_back_once(desk):
    kept, lead = arrived(desk), arrived(desk)
    message = lose(desk, lead.id)

    assert desk.hook(message, message) == []
    after = desk.balances()
    assert desk.hook(message) == []

    assert desk.balances() == after
    assert sum(after.values()) == 0
    assert desk.assignment(kept.id).state is State.APPLIED
    assert desk.telemetry.counts["TurnGivenBack"] == 1


def test_channels_and_days_are_given_back_too(desk):
    members = [make_member(ANNA, max_per_day=1)]
    desk.apply(make_three_levels(make_team(members, levels=frozenset({1}))))
    first, second = (desk.amocrm.add_lead(responsible_user_id=1) for _ in range(2))
    desk.hook(lead_hook(first.id))
    desk.clock.advance(60)
    desk.hook(lose(desk, first.id))

    desk.hook(lead_hook(second.id))

    assert desk.amocrm.owner(second.id) == ANNA
    assert desk.stores.assignments.ledger("lead_desk").books.channels == {}


@pytest.mark.parametrize(
    ("close", "reason"),
    [
        (lambda crm, lead_id: crm.human_moves(lead_id, FIRST_STAGE), "not_lost"),
        (lambda crm, lead_id: crm.human_moves(lead_id, 142), "not_lost"),
        (lambda crm, lead_id: crm.human_moves(lead_id, 143, loss_reason_id=EXPENSIVE), "another_reason"),
    ],
)
def test_a_lead_that_was_taken_up_again_or_lost_for_another_reason_is_not_refunded(desk, close, reason):
    lead = arrived(desk)
    message, before = lose(desk, lead.id), desk.balances()
    close(desk.amocrm, lead.id)

    assert desk.hook(message) == []

    assert states(desk, lead.id) == [State.APPLIED]
    assert desk.balances() == before
    assert desk.telemetry.reasons("lead_not_refunded") == [reason]


def test_a_reason_that_amocrm_did_not_take_is_believed(desk):
    lead = arrived(desk)

    assert desk.hook(lose(desk, lead.id, reason=None)) == []

    assert states(desk, lead.id) == [State.REFUNDED]


def test_a_reason_that_is_not_in_refunds_costs_no_request(desk):
    lead = arrived(desk)
    desk.amocrm.calls.clear()

    assert desk.hook(desk.closed(lead.id, "expensive")) == []

    assert desk.amocrm.calls.total() == 0
    assert states(desk, lead.id) == [State.APPLIED]


def test_a_refund_comes_only_when_nobody_can_be_deciding_on_an_older_reading(desk):
    lead = arrived(desk)
    desk.amocrm.human_moves(lead.id, 143, loss_reason_id=SPAM)
    message = desk.closed(lead.id)

    assert desk.hook(message) == ["m0"]
    assert desk.queue.postponed["m0"] == 76
    desk.clock.advance(76)
    assert desk.hook(message) == []

    assert states(desk, lead.id) == [State.REFUNDED]


def test_a_decision_stored_after_the_lead_was_closed_is_given_back(desk):
    """The distributor has read the lead; before it stores, the lead is closed and the router says so."""
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    users, messages = desk.amocrm.users, []

    def meanwhile():
        desk.amocrm.users = users
        desk.amocrm.human_moves(lead.id, 143, loss_reason_id=SPAM)
        messages.append(desk.closed(lead.id))
        assert desk.hook(*messages) == ["m0"]
        return users()

    desk.amocrm.users = meanwhile
    desk.hook(lead_hook(lead.id))
    assert states(desk, lead.id) == [State.APPLIED]
    desk.pass_lease()

    assert desk.hook(*messages) == []

    assert states(desk, lead.id) == [State.REFUNDED]
    assert desk.balances() == {}


def test_the_arrival_and_the_hand_over_told_after_the_closing_cost_nothing(desk):
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.clock.advance(60)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    routed = desk.routed(lead)

    assert desk.hook(lose(desk, lead.id)) == []
    assert desk.hook(lead_hook(lead.id), routed) == []

    assert desk.balances() == desk.balances("closers") == {}
    assert desk.stores.assignments.of_lead(lead.id) == []


def test_a_refunded_lead_is_not_given_out_again(desk):
    lead = arrived(desk)
    desk.hook(lose(desk, lead.id))
    desk.amocrm.human_moves(lead.id, FIRST_STAGE)

    assert desk.hook(lead_hook(lead.id)) == []

    assert desk.balances() == {}
    assert len(desk.amocrm.tasks_of(lead.id)) == 1


def test_effects_that_are_being_done_are_done_first(desk):
    lead = arrived(desk)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    desk.amocrm.fail_next(AmoCrmUnavailable("502"), on="add_tasks", times=2)
    routed = desk.routed(lead)
    assert desk.hook(routed) == ["m0"]
    message = lose(desk, lead.id)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE)  # reopened for a moment: somebody resumes
    assert desk.hook(routed) == ["m0"]
    desk.amocrm.human_moves(lead.id, 143, loss_reason_id=SPAM)

    assert desk.hook(message) == ["m0"]
    assert 0 < desk.queue.postponed["m0"] <= 76
    desk.pass_lease()
    assert desk.hook(message) == []

    assert states(desk, lead.id) == [State.REFUNDED, State.REFUNDED]
    assert desk.hook(routed) == []
    assert desk.balances() == desk.balances("closers") == {}


def test_a_waiting_lead_is_taken_out_of_the_room(desk):
    desk.clock.advance(12 * 3600)
    item = desk.amocrm.add_unsorted()
    desk.hook(unsorted_hook(item.uid, item.lead_id))

    assert desk.hook(lose(desk, item.lead_id)) == []

    assert desk.stores.waiting_room.of_team("lead_desk") == []


def test_a_lead_that_is_gone_gives_everything_back_as_gone(desk):
    lead = arrived(desk)
    hand_over(desk, lead.id)
    message = lose(desk, lead.id)
    desk.amocrm.delete_lead(lead.id)

    assert desk.hook(message) == []

    assert states(desk, lead.id) == [State.GONE, State.GONE]
    assert desk.balances() == desk.balances("closers") == {}


def test_a_deleted_lead_gives_the_turns_of_all_teams_back(desk):
    lead = arrived(desk)
    hand_over(desk, lead.id)
    desk.amocrm.delete_lead(lead.id)

    assert desk.hook(lead_hook(lead.id, action="delete")) == []

    assert states(desk, lead.id) == [State.GONE, State.GONE]
    assert desk.balances() == desk.balances("closers") == {}


def test_turns_of_a_team_that_is_called_otherwise_by_now_come_back(desk):
    lead = arrived(desk)
    hand_over(desk, lead.id)
    teams = make_three_levels().teams
    desk.apply(make_three_levels())
    desk.apply(replace(make_three_levels(), version=2, teams=(teams[0], replace(teams[1], name="sales"), teams[2])))

    assert desk.hook(lose(desk, lead.id)) == []

    assert desk.balances("closers") == {}


@pytest.mark.parametrize("changes", [{"lead_id": None}, {"lead_id": -1}, {"reason": 7}])
def test_an_event_that_makes_no_sense_is_parked(desk, changes):
    document = json.loads(desk.closed(1))
    document["detail"] |= changes

    assert desk.hook(json.dumps(document)) == []

    assert desk.queue.parked == {"m0": "bad_bus_event"}


def test_arrival_hand_over_and_refund_of_one_batch_end_right(desk):
    lead = arrived(desk)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    routed = desk.routed(lead)
    message = lose(desk, lead.id)

    assert desk.hook(message, routed, lead_hook(lead.id)) == []

    assert desk.balances() == desk.balances("closers") == {}
    assert states(desk, lead.id) == [State.REFUNDED]
    assert desk.amocrm.owner(lead.id) not in (VERA, GLEB)


def test_one_lead_that_fails_does_not_hold_up_the_refund_of_another(desk):
    bad, good = arrived(desk), arrived(desk)
    messages = [lose(desk, bad.id), lose(desk, good.id)]
    read = desk.amocrm.leads

    def buggy(ids):
        if bad.id in ids:
            raise ZeroDivisionError
        return read(ids)

    desk.amocrm.leads = buggy
    assert desk.hook(*messages) == ["m0"]

    assert states(desk, good.id) == [State.REFUNDED]
