"""What a write sends: what is to change, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from functions.shared.adapters.amocrm import payloads
from functions.shared.crm import LOST, FieldValue, LeadChange, Link, NewLead, NewNote, TaskChange

DUE = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)


def test_a_change_sends_nothing_that_it_does_not_name():
    assert payloads.lead_change(LeadChange(5)) == {"id": 5}
    assert payloads.task_change(TaskChange(5)) == {"id": 5}


def test_a_whole_change_never_sends_when_it_was_last_changed_or_who_owns_it():
    change = LeadChange(
        5,
        (7, LOST),
        loss_reason_id=9,
        price=0,
        add_tags=("дубль",),
        remove_tags=("сайт",),
        fields=(FieldValue(1, "Город", "text", ({"value": "Тверь"},), "CITY"),),
        clear_fields=(2,),
    )
    assert payloads.lead_change(change) == {
        "id": 5,
        "pipeline_id": 7,
        "status_id": LOST,
        "loss_reason_id": 9,
        "price": 0,
        "tags_to_add": [{"name": "дубль"}],
        "tags_to_delete": [{"name": "сайт"}],
        "custom_fields_values": [
            {"field_id": 1, "values": [{"value": "Тверь"}]},
            {"field_id": 2, "values": None},
        ],
    }


@pytest.mark.parametrize(
    ("kind", "read", "written"),
    [
        ("select", {"value": "Да", "enum_id": 7, "enum_code": "YES"}, {"enum_id": 7}),
        ("radiobutton", {"value": "Да", "enum_id": 7, "enum_code": None}, {"enum_id": 7}),
        ("multiselect", {"value": "Да", "enum_id": 7}, {"enum_id": 7}),
        ("select", {"value": "Да"}, {"value": "Да"}),
        (
            "multitext",
            {"value": "+7999", "enum_id": 7, "enum_code": "WORK"},
            {"value": "+7999", "enum_id": 7},
        ),
        ("smart_address", {"value": "Тверь", "enum_code": "city"}, {"value": "Тверь", "enum_code": "city"}),
        ("date", {"value": 1729717200}, {"value": 1729717200}),
        ("checkbox", {"value": False}, {"value": False}),
        ("tracking_data", {"value": "yandex"}, {"value": "yandex"}),
        ("legal_entity", {"value": {"name": "ООО", "vat_id": "77"}}, {"value": {"name": "ООО", "vat_id": "77"}}),
        ("chained_list", {"catalog_id": 1, "catalog_element_id": 2}, {"catalog_id": 1, "catalog_element_id": 2}),
    ],
)
def test_a_value_that_was_read_is_written_without_what_only_amocrm_says(kind, read, written):
    filled = FieldValue(1, "Поле", kind, (read,), "CODE")
    assert payloads.field(filled) == {"field_id": 1, "values": [written]}


def test_a_new_lead_is_a_robots_and_carries_its_origin_once():
    old_origin = FieldValue(3, "Исходная сделка", "url", ({"value": "https://old.example"},))
    lead = NewLead("Окна", 7, 70, 11, (3, "https://new.example"), contacts=(1, 2), fields=(old_origin,))
    assert payloads.new_lead(lead) == {
        "name": "Окна",
        "pipeline_id": 7,
        "status_id": 70,
        "responsible_user_id": 11,
        "created_by": 0,
        "custom_fields_values": [{"field_id": 3, "values": [{"value": "https://new.example"}]}],
        "_embedded": {"contacts": [{"id": 1, "is_main": True}, {"id": 2, "is_main": False}]},
    }


def test_a_note_with_params_is_sent_as_it_is_and_another_as_its_text():
    assert payloads.note(NewNote(5, "почему")) == {"entity_id": 5, "note_type": "common", "params": {"text": "почему"}}
    call = NewNote(5, "не пишется", "call_in", {"duration": 60})
    assert payloads.note(call) == {"entity_id": 5, "note_type": "call_in", "params": {"duration": 60}}


def test_a_task_is_hung_on_a_lead_by_type_and_id():
    change = TaskChange(9, lead_id=5, responsible_user_id=11)
    assert payloads.task_change(change) == {
        "id": 9,
        "entity_type": "leads",
        "entity_id": 5,
        "responsible_user_id": 11,
    }


def test_a_link_names_both_ends():
    assert payloads.link(Link(5, 6, "companies")) == {
        "entity_id": 5,
        "to_entity_id": 6,
        "to_entity_type": "companies",
    }
