"""Ledger and decisions change together or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.distribute.decision import decide, take_back
from functions.shared.adapters.dynamodb.assignments import AlreadyDecided, Assignments, LedgerMoved
from functions.shared.assignment import ARRIVAL, HandOver, State
from tests.builders import MONDAY_NOON, make_candidate, make_moment, make_team


@pytest.fixture
def store(table):
    return Assignments(table)


def outcome_of(store, *lead_ids, **values):
    candidates = [make_candidate(lead_id, **values) for lead_id in lead_ids]
    return decide(store.ledger("lead_desk"), make_team(), candidates, make_moment())


def decided(store, *lead_ids, **values):
    outcome = outcome_of(store, *lead_ids, **values)
    return store.decide(store.ledger("lead_desk"), outcome.ledger, outcome.assignments)


def test_what_is_stored_is_read_back_the_same(store):
    ledger, assignments = decided(store, 1, 2, 3)

    assert store.ledger("lead_desk") == ledger
    assert list(store.decided([1, 2, 3], ARRIVAL).values()) == assignments


def test_a_ledger_that_moved_stores_nothing(store):
    old = store.ledger("lead_desk")
    outcome = outcome_of(store, 1)
    decided(store, 9)

    with pytest.raises(LedgerMoved):
        store.decide(old, outcome.ledger, outcome.assignments)
    assert store.decided([1], ARRIVAL) == {}


def test_a_lead_is_decided_once_per_cause_and_the_ledger_stays(store):
    decided(store, 1, 2)
    before = store.ledger("lead_desk")

    with pytest.raises(AlreadyDecided) as found:
        decided(store, 2, 3)
    assert found.value.lead_ids == {2}
    assert store.ledger("lead_desk") == before
    assert store.decided([3], ARRIVAL) == {}


def test_one_marker_says_that_a_whole_transaction_is_applied(store):
    _, assignments = decided(store, 1, 2)
    store.mark_applied(assignments[:1])
    assert [one.state for one in store.decided([1, 2], ARRIVAL).values()] == [State.APPLIED, State.PENDING]

    _, others = decided(store, 3, 4)
    store.mark_applied(others)
    assert {one.state for one in store.decided([3, 4], ARRIVAL).values()} == {State.APPLIED}
    assert store.of_lead(3)[0].state is State.APPLIED


def test_a_turn_is_given_back_once(store):
    empty = store.ledger("lead_desk")
    _, (assignment,) = decided(store, 1)
    store.mark_applied([assignment])
    ledger = store.ledger("lead_desk")

    store.give_back(ledger, take_back(ledger, assignment, "2026-11-23"), assignment, State.GONE)

    assert store.ledger("lead_desk").books == empty.books
    moved = store.ledger("lead_desk")
    with pytest.raises(AlreadyDecided):
        store.give_back(moved, take_back(moved, assignment, "2026-11-23"), assignment, State.GONE)
    assert store.ledger("lead_desk") == moved


def test_a_withdrawn_decision_does_not_stand_and_may_be_taken_again(store):
    _, (assignment,) = decided(store, 1)
    ledger = store.ledger("lead_desk")
    store.give_back(ledger, take_back(ledger, assignment, "2026-11-23"), assignment, State.WITHDRAWN)
    assert store.decided([1], ARRIVAL) == {}

    _, (again,) = decided(store, 1)
    assert store.decided([1], ARRIVAL)[1] == again


def test_an_open_decision_is_taken_over_by_one_when_its_lease_is_over(store):
    _, (assignment,) = decided(store, 1)
    over = assignment.lease_until
    later = replace(assignment, lease_until=None).decided_at.replace(hour=20)

    assert not store.take_over(assignment, MONDAY_NOON, later)
    assert store.take_over(assignment, over, later)
    assert not store.take_over(assignment, over, later)


def test_every_cause_of_a_lead_is_decided_once(store):
    crossed = HandOver("exchange.qualified", previous_owner=11)
    _, (arrival,) = decided(store, 1)
    _, (first,) = decided(store, 1, cause="route#1", handed_over=crossed, predecessors=(12, 11))
    _, (second,) = decided(store, 1, cause="route#2", handed_over=crossed)

    with pytest.raises(AlreadyDecided):
        decided(store, 1, cause="route#1")
    assert store.decided([1], "route#1") == {1: first}
    assert first.predecessors == (12, 11)
    assert store.of_leads([1, 2]) == {1: [arrival, first, second], 2: []}


def test_decisions_of_one_lead_are_marked_and_given_back_each_for_itself(store):
    _, (arrival,) = decided(store, 1)
    _, (route,) = decided(store, 1, cause="route#1")
    store.mark_applied([route])
    ledger = store.ledger("lead_desk")
    store.give_back(ledger, take_back(ledger, route, "2026-11-23"), route, State.REFUNDED)

    assert [one.state for one in store.of_lead(1)] == [State.PENDING, State.REFUNDED]
    assert store.decided([1], "route#1")[1].state is State.REFUNDED, "it stands: nobody decides it again"
    assert store.decided([1], ARRIVAL) == {1: arrival}


def test_whoever_acts_on_a_decision_that_was_refunded_meanwhile_changes_nothing(store):
    _, (assignment,) = decided(store, 1)
    ledger = store.ledger("lead_desk")
    store.give_back(ledger, take_back(ledger, assignment, "2026-11-23"), assignment, State.REFUNDED)

    store.mark_applied([assignment])

    assert store.of_lead(1)[0].state is State.REFUNDED
