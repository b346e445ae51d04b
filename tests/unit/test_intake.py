"""From messages to leads: what a batch speaks of."""

from __future__ import annotations

import pytest

from functions.distribute.intake import take_in
from functions.shared.inbox import read_batch
from tests.builders import MONDAY_NOON, form, lead_hook, sqs_record, unsorted_end_hook, unsorted_hook


def intake(*bodies):
    records = [sqs_record(body, f"m{number}") for number, body in enumerate(bodies)]
    return take_in(read_batch({"Records": records}), "demo")


def test_several_hooks_of_one_lead_become_one_hint_with_all_its_messages():
    found = intake(lead_hook(7), unsorted_hook("u7", 7), unsorted_end_hook("u7", 7))

    (hint,) = found.hints.values()
    assert (hint.lead_id, hint.uid, hint.departed) == (7, "u7", False)
    assert hint.messages == {"m0", "m1", "m2"}


def test_a_body_with_several_events_is_one_message_of_several_leads():
    found = intake(form({"leads[add][0][id]": 1, "leads[add][1][id]": 2, "leads[delete][0][id]": 3}))

    assert {hint.lead_id: hint.departed for hint in found.hints.values()} == {1: False, 2: False, 3: True}
    assert all(hint.messages == {"m0"} for hint in found.hints.values())


def test_a_declined_item_is_a_departure():
    assert intake(unsorted_end_hook("u1", 5, "decline")).hints[5].departed


def test_an_item_without_a_lead_is_kept_by_its_uid():
    found = intake(form({"unsorted[add][0][uid]": "u9"}))

    assert not found.hints
    assert found.by_uid["u9"].messages == {"m0"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lead_hook(1, action="update"), "leads_update"),
        (form({"contacts[add][0][id]": 1}), "contacts_add"),
        (form({"leads[add][0][name]": "no id"}), "leads_add"),
        (form({"unsorted[add][0][category]": "mail"}), "unsorted_without_lead"),
        (
            '{"id": "1", "time": "2026-11-23T09:00:00Z", "detail-type": "SaleWon", "detail": {"lead_id": 7}}',
            "BusMessage",
        ),
    ],
)
def test_what_is_not_for_us_is_ignored_and_counted(body, reason):
    found = intake(body)

    assert not found.hints
    assert found.ignored == {reason: 1}


def test_a_hook_of_another_account_is_ignored_and_a_renamed_account_is_not_another():
    foreign = form({"account[subdomain]": "another", "account[id]": 9, "leads[add][0][id]": 1})
    renamed = form({"account[subdomain]": "another", "account[id]": 77, "leads[add][0][id]": 2})
    records = [sqs_record(body, f"m{number}") for number, body in enumerate((foreign, renamed))]

    found = take_in(read_batch({"Records": records}), "demo", 77)

    assert found.ignored == {"foreign_account": 1}
    assert list(found.hints) == [2]


def test_an_item_named_twice_keeps_both_messages():
    body = form({"unsorted[add][0][uid]": "u9"})

    assert intake(body, body).by_uid["u9"].messages == {"m0", "m1"}


def test_the_earliest_hint_tells_when_a_lead_arrived():
    records = [
        sqs_record(lead_hook(7), "late", MONDAY_NOON.replace(hour=11)),
        sqs_record(lead_hook(7), "early", MONDAY_NOON),
    ]

    assert take_in(read_batch({"Records": records}), "demo").hints[7].arrived_at == MONDAY_NOON


def test_a_bad_record_is_rejected_alone():
    found = intake("", lead_hook(1))

    assert [envelope.message_id for envelope in found.rejected] == ["m0"]
    assert list(found.hints) == [1]
