"""After a lost answer: what counts as done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.shared.adapters.amocrm import standing
from functions.shared.crm import LOST, FieldValue, Lead, LeadChange, Link, NewNote, Note, Task, TaskChange

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANSWER = FieldValue(1, "Итог", "select", ({"value": "Не целевой", "enum_id": 7, "enum_code": None},))
CITY = FieldValue(2, "Город", "text", ({"value": "Тверь"},))
LEAD = Lead(5, 7, LOST, 11, NOW, NOW, tags=("Дубль", "сайт"), contacts=(1, 2), price=100, company=3,
            loss_reason_id=9, fields=(ANSWER, CITY))  # fmt: skip
DONE = LeadChange(
    5,
    (7, LOST),
    loss_reason_id=9,
    price=100,
    add_tags=("дубль",),
    remove_tags=("акция",),
    fields=(FieldValue(1, "", "select", ({"enum_id": 7},)), FieldValue(2, "", "text", ({"value": " Тверь "},))),
    clear_fields=(3,),
)


def test_a_change_stands_when_all_of_it_is_there():
    assert standing.is_changed(DONE, LEAD)
    assert standing.is_changed(LeadChange(5), LEAD)


@pytest.mark.parametrize(
    "lead",
    [
        replace(LEAD, status_id=142),
        replace(LEAD, pipeline_id=8),
        replace(LEAD, loss_reason_id=None),
        replace(LEAD, price=0),
        replace(LEAD, tags=("сайт",)),
        replace(LEAD, tags=("дубль", "Акция")),
        replace(LEAD, fields=(ANSWER,)),
        replace(LEAD, fields=(ANSWER, replace(CITY, values=({"value": "Псков"},)))),
        replace(LEAD, fields=(ANSWER, replace(CITY, values=(*CITY.values, {"value": "Псков"})))),
        replace(LEAD, fields=(*LEAD.fields, FieldValue(3, "", "text", ({"value": "x"},)))),
    ],
)
def test_a_change_of_which_one_thing_is_missing_does_not_stand(lead):
    assert not standing.is_changed(DONE, lead)


@pytest.mark.parametrize(
    ("written", "there", "same"),
    [
        (1, "1", True),
        (1.5, 1.5, True),
        (True, False, False),
        ({"name": "ООО"}, {"name": "ООО", "external_uid": None}, True),
        ({"name": "ООО"}, {"name": "ЗАО"}, False),
        ({"name": "ООО"}, "ООО", False),
    ],
)
def test_values_are_compared_as_far_as_they_were_written(written, there, same):
    change = LeadChange(5, fields=(FieldValue(2, "", "any", ({"value": written},)),))
    lead = replace(LEAD, fields=(FieldValue(2, "", "any", ({"value": there},)),))
    assert standing.is_changed(change, lead) is same


def test_a_note_is_recognised_by_its_kind_and_by_what_was_written():
    call = NewNote(5, "", "call_in", {"uniq": "8f52", "duration": 60})
    note = Note(1, 5, "", NOW, "call_in", {"uniq": "8f52", "duration": "60", "call_status": None})
    assert standing.is_note(call, note)
    for other in (replace(note, lead_id=6), replace(note, kind="call_out"), replace(note, params={"uniq": "0000"})):
        assert not standing.is_note(call, other)


def test_a_link_hangs_where_it_was_hung():
    assert standing.is_linked(Link(5, 2), LEAD)
    assert standing.is_linked(Link(5, 3, "companies"), LEAD)
    assert not standing.is_linked(Link(5, 3), LEAD)
    assert not standing.is_linked(Link(5, 2, "companies"), LEAD)
    assert not standing.is_linked(Link(5, 2), None)


def test_each_thing_that_is_there_stands_for_one_item():
    task = Task(1, 5, 11, "раз", NOW, NOW)
    twice = [TaskChange(1, 5), TaskChange(1, 5)]
    assert standing.matched(twice, standing.is_task_changed, [task]) == twice[:1]
    assert standing.matched(twice, standing.is_task_changed, [task, task]) == twice
    assert standing.matched([TaskChange(1, 6)], standing.is_task_changed, [task]) == []
