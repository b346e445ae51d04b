"""Rows of the waiting room: what a second hook changes, and how everybody is woken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import HandOver
from functions.shared.waiting import WaitingLead
from tests.builders import MONDAY_NOON

TEAM = "lead_desk"
LATER = MONDAY_NOON + timedelta(days=14)


@pytest.fixture
def room(table: Table) -> WaitingRoom:
    return WaitingRoom(table)


def waiting(lead_id: int = 1, **changes: Any) -> WaitingLead:
    return replace(WaitingLead(lead_id, TEAM, "site", "absent", MONDAY_NOON, LATER), **changes)


def test_the_rows_that_were_not_there_are_returned(room: WaitingRoom) -> None:
    assert room.put([waiting(1)]) == [waiting(1)]
    assert room.put([waiting(1), waiting(2)]) == [waiting(2)]
    assert room.put([]) == []


def test_a_lead_that_gets_another_hook_keeps_its_arrival_and_its_item(room: WaitingRoom) -> None:
    room.put([waiting(uid="abc")])
    again = waiting(arrived_at=MONDAY_NOON + timedelta(hours=3), next_check=LATER + timedelta(days=1), reason="paused")
    room.put([again])
    assert room.of_team(TEAM) == [replace(again, arrived_at=MONDAY_NOON, uid="abc")]


def test_a_row_that_was_taken_out_between_two_hooks_is_new_again(room: WaitingRoom) -> None:
    room.put([waiting()])
    room.remove(TEAM, [1])
    later = waiting(arrived_at=MONDAY_NOON + timedelta(hours=1))
    assert room.put([later]) == [later]
    assert room.of_team(TEAM) == [later]


def test_a_row_that_goes_while_it_is_written_is_made_anew(table: Table, dynamodb: Any) -> None:
    # GIVEN a row that another worker takes out after we have found it
    class Overtaken(Table):
        def put(self, item: Any, condition: str | None = None, values: Any = None) -> None:
            if values is not None:
                WaitingRoom(table).remove(TEAM, [1])
            super().put(item, condition, values)

    WaitingRoom(table).put([waiting()])
    again = waiting(arrived_at=MONDAY_NOON + timedelta(hours=1))

    # WHEN we write it THEN it is new
    assert WaitingRoom(Overtaken(lambda: dynamodb, table._name)).put([again]) == [again]
    assert WaitingRoom(table).of_team(TEAM) == [again]


def test_waking_makes_everybody_of_the_team_due(room: WaitingRoom) -> None:
    room.put([waiting(1), waiting(2, next_check=MONDAY_NOON - timedelta(minutes=1)), waiting(3, team="closers")])
    assert room.wake(TEAM, MONDAY_NOON) == 1
    assert [lead.lead_id for lead in room.due(MONDAY_NOON)] == [1, 2]
    assert room.of_team(TEAM)[0] == waiting(1, next_check=MONDAY_NOON)
    assert room.of_team("closers") == [waiting(3, team="closers")]
    assert room.wake(TEAM, MONDAY_NOON) == 0


def test_a_row_that_goes_while_it_is_woken_is_not_made_anew(table: Table, dynamodb: Any) -> None:
    class Overtaken(Table):
        def update(self, *arguments: Any, **named: Any) -> Any:
            WaitingRoom(table).remove(TEAM, [1])
            return super().update(*arguments, **named)

    WaitingRoom(table).put([waiting()])
    assert WaitingRoom(Overtaken(lambda: dynamodb, table._name)).wake(TEAM, MONDAY_NOON) == 0
    assert WaitingRoom(table).of_team(TEAM) == []


CROSSED = HandOver("exchange.qualified", previous_owner=11, known_owner=13)


def test_a_hand_over_is_read_back_the_same(room: WaitingRoom) -> None:
    row = waiting(cause="route#2", handed_over=CROSSED)
    room.put([row])
    assert room.of_team(TEAM) == [row]


def test_a_later_cause_begins_a_new_wait(room: WaitingRoom) -> None:
    room.put([waiting(uid="abc", seen_owner=11)])
    later = waiting(arrived_at=MONDAY_NOON + timedelta(hours=3), cause="route#1", handed_over=CROSSED, seen_owner=12)
    assert room.put([later]) == [later]
    assert room.of_team(TEAM) == [later]


def test_an_earlier_cause_changes_nothing(room: WaitingRoom) -> None:
    row = waiting(cause="route#10", handed_over=CROSSED)
    room.put([row])
    assert room.put([waiting(), waiting(cause="route#9", handed_over=CROSSED)]) == []
    assert room.of_team(TEAM) == [row]


def test_who_leaves_takes_only_his_own_wait_with_him(room: WaitingRoom) -> None:
    before, after = waiting(), waiting(arrived_at=LATER, cause="route#1", handed_over=CROSSED)
    room.put([before])
    room.put([after])

    room.leave(before)
    assert room.of_team(TEAM) == [after]

    room.leave(after)
    room.leave(after)
    assert room.of_team(TEAM) == []
