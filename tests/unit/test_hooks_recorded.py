"""Every recorded body says what it is known to say. The expectations were written from the bodies' description."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from functions.shared.hooks import read_hook, unsorted_lead_id, unsorted_uid, was_accepted, was_declined

BODIES = Path(__file__).parents[1] / "hooks"


@dataclass(frozen=True)
class Says:
    event: str
    id: int | None
    account: str | None
    account_id: int | None
    fields: dict[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()


SAYS = {
    "01-leads-add": Says(
        "leads[add]",
        30052055,
        "example",
        16700680,
        {"name": "TEST ALPHA (SORRY)", "status_id": "17944873", "responsible_user_id": "2852878", "price": "0"},
        lacks=("custom_fields[0][id]", "old_status_id"),
    ),
    "02-leads-update-robot": Says(
        "leads[update]",
        30052055,
        "example",
        16700680,
        {
            "modified_user_id": "0",
            "last_modified": "1744532876",
            "custom_fields[0][id]": "957901",
            "custom_fields[0][name]": "test_id",
            "custom_fields[0][values][0][value]": "30052055",
        },
    ),
    "04-contacts-add": Says(
        "contacts[add]",
        37054081,
        "example",
        32427762,
        {"name": "Тестовый Контакт", "type": "contact"},
        lacks=("custom_fields[0][id]",),
    ),
    "05-contacts-update-phone-email": Says(
        "contacts[update]",
        37054081,
        "example",
        32427762,
        {
            "responsible_user_id": "10000698",
            "old_responsible_user_id": "10000698",
            "custom_fields[0][code]": "POSITION",
            "custom_fields[0][name]": "Должность",
            "custom_fields[1][code]": "PHONE",
            "custom_fields[1][values][0][value]": "333",
            "custom_fields[1][values][0][enum]": "718321",
            "custom_fields[2][code]": "EMAIL",
            "custom_fields[2][values][0][value]": "444",
        },
    ),
    "07-leads-update-custom-fields": Says(
        "leads[update]",
        32966269,
        "example",
        32427762,
        {
            "price": "9919",
            "custom_fields[0][name]": "Поле1",
            "custom_fields[0][values][0][value]": "1",
            "custom_fields[1][name]": "Поле2",
            "custom_fields[1][values][0][value]": "2",
        },
        lacks=("old_status_id",),
    ),
    "08-leads-status-tags-date": Says(
        "leads[status]",
        30267969,
        "example",
        16503244,
        {
            "status_id": "16525558",
            "old_status_id": "16525555",
            "tags[0][id]": "482205",
            "tags[0][name]": "Alfa",
            "custom_fields[0][name]": "IMEI/SERIE",
            "custom_fields[1][name]": "Cind trebuie?",
            "custom_fields[1][values][0]": "1615845600",
            "custom_fields[2][values][0][value]": "Zghirieturi minore",
            "custom_fields[2][values][0][enum]": "959761",
            "updated_at": "1615985846",
        },
        lacks=("old_pipeline_id", "custom_fields[1][values][0][value]"),
    ),
    "12-leads-update-in-unsorted": Says(
        "leads[update]",
        27754599,
        "example",
        31257294,
        {"name": "", "responsible_user_id": "0", "status_id": "59936194", "date_create": "1694590926"},
        lacks=("price", "old_status_id"),
    ),
    "14-leads-update-stage-move": Says(
        "leads[update]",
        27754599,
        "example",
        31257294,
        {"status_id": "59936202", "old_status_id": "59936198", "responsible_user_id": "10004026"},
    ),
    "16-unsorted-add-chats": Says(
        "unsorted[add]",
        None,
        "example",
        31257294,
        {
            "category": "chats",
            "source": "telegram:29e8f8c6-7557-5f5f-8642-2789ef3f3a13",
            "source_data[client][id]": "100200300",
            "source_data[data][0][text]": "v",
            "data[contacts][0][id]": "93589657",
            "lead_id": "28455371",
        },
        lacks=("request_id", "data[leads][0][id]"),
    ),
    "18-leads-update-2016": Says(
        "leads[update]",
        31926520,
        "example",
        10216991,
        {"last_modified": "1456820780", "custom_fields[0][values][0][value]": "some text"},
        lacks=("old_status_id", "created_at", "updated_at"),
    ),
    "19-leads-status-2016": Says(
        "leads[status]",
        31926520,
        "example",
        10216991,
        {"last_modified": "1456820780", "old_status_id": "10216995"},
        lacks=("created_at", "updated_at"),
    ),
    "26-unsorted-delete-accept": Says(
        "unsorted[delete]", None, None, 9, {"action": "accept", "uid": "u1", "accept_result[leads][0]": "321"}
    ),
    "26-unsorted-delete-decline": Says(
        "unsorted[delete]", None, None, 9, {"action": "decline", "decline_result[leads][0]": "322"}, lacks=("uid",)
    ),
    "30-leads-status-vendor": Says(
        "leads[status]",
        15318175,
        None,
        12345678,
        {"name": "", "old_status_id": "67548607", "custom_fields[2][values][0]": "1725915600"},
    ),
    "32-unsorted-add-forms": Says(
        "unsorted[add]",
        None,
        None,
        32720107,
        {
            "category": "forms",
            "source_data[from]": "Site request #1303311 from form «Form #1712844073»",
            "source_data[data][name_2][value]": "Lead name",
            "data[leads][0][custom_fields][0][code]": "REFERRER",
            "data[leads][0][custom_fields][0][values][0][value]": "https://example.kommo.com/",
            "data[leads][0][gso_session_uid]": "null",
            "request_id": "0",
            "lead_id": "15318519",
        },
        lacks=("data[leads][0][id]", "data[leads][0][custom_fields][0][name]"),
    ),
    "34-unsorted-delete-accept-mail": Says(
        "unsorted[delete]",
        None,
        None,
        None,
        {"action": "accept", "category": "mail", "accept_result[leads][0]": "15258873"},
    ),
    "36-task-add": Says(
        "task[add]",
        1564671,
        None,
        32720107,
        {"complete_till": "2025-10-02 20:59:00", "complete_before": "1759438740", "element_type": "2"},
    ),
    "39-task-update-responsible": Says(
        "task[update]",
        1564917,
        None,
        32720107,
        {"text": "text", "old_text": "text", "responsible_user_id": "11940747", "old_responsible_user_id": "11087123"},
    ),
    "44-leads-status-digital-pipeline": Says(
        "leads[status]",
        23802129,
        "example",
        29013640,
        {"old_pipeline_id": "5389528", "pipeline_id": "5389528", "old_status_id": "47888833"},
        lacks=("price", "name", "last_modified", "account_id"),
    ),
}


def test_every_recorded_body_has_its_expectations() -> None:
    assert {path.stem for path in BODIES.glob("[0-9]*.form")} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_a_recorded_body_says_what_it_is_known_to_say(name: str) -> None:
    expected = SAYS[name]
    [event] = read_hook(_body(name))
    assert f"{event.entity}[{event.action}]" == expected.event
    assert (event.id, event.account, event.account_id) == (expected.id, expected.account, expected.account_id)
    assert expected.fields.items() <= event.fields.items()
    assert not set(expected.lacks) & set(event.fields)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_no_field_of_a_recorded_body_is_lost_or_added(name: str) -> None:
    """The recorded bodies are regular enough for the standard library and one expression to tell their fields."""
    in_body = {
        re.sub(r"^\w+\[\w+\]\[0\]\[(\w+)\]", r"\1", key): value
        for key, value in parse_qsl(_body(name).decode(), keep_blank_values=True)
        if not key.startswith("account")
    }
    [event] = read_hook(_body(name))
    assert event.fields == in_body


@pytest.mark.parametrize("name", sorted(SAYS))
def test_base64_and_text_say_the_same_as_the_plain_bytes(name: str) -> None:
    body = _body(name)
    plain = read_hook(body)
    encoded = base64.b64encode(body)
    assert read_hook(encoded) == plain
    assert read_hook(encoded.decode()) == plain
    assert read_hook(base64.encodebytes(body)) == plain
    assert read_hook(body.decode()) == plain
    assert read_hook(body + b"\n") == plain


def test_the_json_of_the_documentation_says_the_same_as_the_form_that_is_sent() -> None:
    [form] = read_hook(_body("44-leads-status-digital-pipeline"))
    document = (BODIES / "44-leads-status-digital-pipeline.json").read_bytes()
    assert read_hook(document) == [form]
    assert read_hook(base64.b64encode(document)) == [form]


@pytest.mark.parametrize(
    ("name", "uid", "lead_id", "accepted", "declined"),
    [
        (
            "16-unsorted-add-chats",
            "00b625866db8641999f48766d61d4d0663c12aa38b9bcb4d2866b0c49605",
            28455371,
            False,
            False,
        ),
        (
            "32-unsorted-add-forms",
            "4278accf80c59e99411d5c6e01e4054864ca958e594699484ba8c5f40bb1",
            15318519,
            False,
            False,
        ),
        ("26-unsorted-delete-accept", "u1", 321, True, False),
        ("26-unsorted-delete-decline", None, 322, False, True),
        (
            "34-unsorted-delete-accept-mail",
            "f575b754b0d1eb1c380e53d6821ffd2820a6dfbe3822de0cfddaf266980f",
            15258873,
            True,
            False,
        ),
    ],
)
def test_an_unsorted_event_names_its_item_its_lead_and_its_end(
    name: str, uid: str | None, lead_id: int, accepted: bool, declined: bool
) -> None:
    [event] = read_hook(_body(name))
    assert (unsorted_uid(event), unsorted_lead_id(event)) == (uid, lead_id)
    assert (was_accepted(event), was_declined(event)) == (accepted, declined)


def _body(name: str) -> bytes:
    return (BODIES / f"{name}.form").read_bytes()
