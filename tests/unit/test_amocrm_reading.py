"""amoCRM's JSON in the shapes that it comes in."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from functions.shared.adapters.amocrm import reading
from functions.shared.crm import FieldValue
from tests.amocrm_support import NOTHING, hal, scripted

BARE_LEAD = {"id": 1, "_embedded": None, "source_id": None, "created_at": 1700000000}


def test_a_lead_with_the_main_contact_first():
    row = {
        "id": 3912171,
        "pipeline_id": 3104455,
        "status_id": 143,
        "responsible_user_id": 504141,
        "created_at": 1585299171,
        "updated_at": 1590683337,
        "source_id": 17,
        "_embedded": {
            "tags": [{"id": 100667, "name": "тест", "color": None}],
            "contacts": [{"id": 1, "is_main": False}, {"id": 2, "is_main": True}, {"id": 3, "is_main": False}],
        },
    }
    lead = reading.lead(row)
    assert (lead.contacts, lead.tags, lead.source_id) == ((2, 1, 3), ("тест",), 17)
    assert lead.created_at == datetime.fromtimestamp(1585299171, UTC)
    assert lead.is_closed


def test_null_and_missing_mean_the_same():
    for row in (BARE_LEAD, {**BARE_LEAD, "name": None, "price": None, "custom_fields_values": None}):
        lead = reading.lead(row)
        assert (lead.contacts, lead.tags, lead.responsible_user_id) == ((), (), 0)
        assert (lead.name, lead.price, lead.company, lead.loss_reason_id, lead.fields) == ("", 0, 0, None, ())


def test_values_of_custom_fields_stay_as_they_came_and_empty_ones_are_left_out():
    filled = {"field_id": 5, "field_name": "Итог", "field_code": None, "field_type": "select"}
    values = [{"value": "Не целевой", "enum_id": 7, "enum_code": None}]
    rows = [{**filled, "values": values}, {"field_id": 6}, {"field_id": 7, "values": None}]
    lead = reading.lead({**BARE_LEAD, "custom_fields_values": rows})
    assert lead.fields == (FieldValue(5, "Итог", "select", tuple(values)),)
    assert (lead.filled(5), lead.filled(6)) == (lead.fields[0], None)


def test_phones_and_emails_of_a_contact_are_known_by_the_codes_of_their_fields():
    def multitext(code: str | None, *values: object) -> dict[str, object]:
        return {"field_id": 1, "field_code": code, "field_type": "multitext", "values": [{"value": v} for v in values]}

    rows = [multitext("PHONE", "+7 999", "", None, 333), multitext("EMAIL", "a@b.example"), multitext(None, "никто")]
    contact = reading.contact({"id": 1, "name": "Анна", "custom_fields_values": rows})
    assert (contact.name, contact.phones, contact.emails) == ("Анна", ("+7 999", "333"), ("a@b.example",))


def test_nobody_is_shown_by_the_words_that_describe_a_contact_in_a_log():
    contact = reading.contact({"id": 1, "name": "Анна", "custom_fields_values": None})
    assert "Анна" not in repr(contact)


def test_an_event_that_does_not_tell_both_places_is_no_move():
    there = [{"lead_status": {"id": 70, "pipeline_id": 7}}]
    row = {"entity_id": 5, "created_by": 11, "created_at": 1700000000, "value_before": there, "value_after": there}
    assert reading.stage_change(row).before == (7, 70)
    for broken in ([], None, {}, [{}], [{"lead_status": {"id": 70}}]):
        assert reading.stage_change({**row, "value_before": broken}) is None


def test_a_task_without_a_result_or_an_entity_has_none():
    assert reading.task({"id": 1, "entity_id": None, "result": []}).lead_id == 0
    assert reading.task({"id": 1, "entity_id": 5, "result": {"text": "Дозвонились"}}).result == "Дозвонились"


def test_a_lead_in_the_recycle_bin_does_not_exist():
    wire, _ = scripted(httpx.Response(200, json={**BARE_LEAD, "is_deleted": True}))
    assert wire.amocrm.lead(1) is None
    wire, _ = scripted(hal("leads", [{**BARE_LEAD, "is_deleted": True}]))
    assert wire.amocrm.leads([1]) == {}


@pytest.mark.parametrize(
    ("edit", "is_admin", "may"), [("A", False, True), ("M", False, True), ("D", False, False), ("D", True, True)]
)
def test_a_user_may_edit_leads_unless_it_is_denied(edit, is_admin, may):
    rights = {"leads": {"edit": edit}, "is_admin": is_admin, "is_active": True}
    assert reading.user({"id": 1, "name": "А", "email": "a@firm.example", "rights": rights}).may_edit_leads is may


def test_a_switched_off_user_is_listed_as_such():
    wire, _ = scripted(
        hal("users", [{"id": 1, "rights": {"is_active": False}}, {"id": 2, "rights": {"is_active": True}}])
    )
    assert [user.is_active for user in wire.amocrm.users()] == [False, True]


def test_the_source_of_a_chat_stands_in_its_metadata():
    row = {
        "uid": "ab",
        "category": "chats",
        "pipeline_id": 7,
        "source_uid": None,
        "source_name": None,
        "metadata": {"service": "telegram", "source_name": "Бот"},
        "_embedded": {"leads": [{"id": 5}], "contacts": []},
    }
    item = reading.unsorted_item(row)
    assert (item.lead_id, item.service, item.source_name, item.source_uid) == (5, "telegram", "Бот", "")


def test_the_account_tells_its_zone_and_whose_token_it_is():
    settings = {"datetime_settings": {"timezone": "Asia/Yekaterinburg"}}
    answer = {"id": 1, "subdomain": "firm", "current_user_id": 5, "_embedded": settings}
    wire, _ = scripted(httpx.Response(200, json=answer))
    account = wire.amocrm.account()
    assert (account.timezone, account.current_user_id) == ("Asia/Yekaterinburg", 5)


def test_notes_without_a_text_have_an_empty_one():
    rows = [{"id": 1, "entity_id": 5, "params": []}, {"id": 2, "entity_id": 5, "params": {"duration": 60}}]
    assert [reading.note(row).text for row in rows] == ["", ""]
    assert [reading.note(row).params for row in rows] == [{}, {"duration": 60}]


def test_an_account_without_users_to_see_has_none():
    wire, _ = scripted(NOTHING)
    assert wire.amocrm.users() == []
