"""From messages to leads: what a batch speaks of."""

from __future__ import annotations

import json

import pytest

from functions.distribute.intake import Ours, take_in
from functions.shared.assignment import HandOver
from functions.shared.events import LeadClosed, LeadRouted
from functions.shared.inbox import read_batch
from tests.builders import MONDAY_NOON, bus_message, form, lead_hook, sqs_record, unsorted_end_hook, unsorted_hook

OURS = Ours("demo", refunds={"spam"})


def intake(*bodies):
    records = [sqs_record(body, f"m{number}") for number, body in enumerate(bodies)]
    return take_in(read_batch({"Records": records}), OURS)


def test_several_hooks_of_one_lead_become_one_hint_with_all_its_messages():
    found = intake(lead_hook(7), unsorted_hook("u7", 7), unsorted_end_hook("u7", 7))

    (hint,) = found.arrivals.values()
    assert (hint.lead_id, hint.uid, hint.departed) == (7, "u7", False)
    assert hint.messages == {"m0", "m1", "m2"}


def test_a_body_with_several_events_is_one_message_of_several_leads():
    found = intake(form({"leads[add][0][id]": 1, "leads[add][1][id]": 2, "leads[delete][0][id]": 3}))

    assert {hint.lead_id: hint.departed for hint in found.arrivals.values()} == {1: False, 2: False, 3: True}
    assert all(hint.messages == {"m0"} for hint in found.arrivals.values())


def test_a_declined_item_is_a_departure():
    assert intake(unsorted_end_hook("u1", 5, "decline")).arrivals[5].departed


def test_an_item_without_a_lead_is_kept_by_its_uid():
    found = intake(form({"unsorted[add][0][uid]": "u9"}))

    assert not found.arrivals
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
            "SaleWon",
        ),
    ],
)
def test_what_is_not_for_us_is_ignored_and_counted(body, reason):
    found = intake(body)

    assert not found.arrivals
    assert found.ignored == {reason: 1}


def test_a_hook_of_another_account_is_ignored_and_a_renamed_account_is_not_another():
    foreign = form({"account[subdomain]": "another", "account[id]": 9, "leads[add][0][id]": 1})
    renamed = form({"account[subdomain]": "another", "account[id]": 77, "leads[add][0][id]": 2})
    records = [sqs_record(body, f"m{number}") for number, body in enumerate((foreign, renamed))]

    found = take_in(read_batch({"Records": records}), Ours("demo", 77))

    assert found.ignored == {"foreign_account": 1}
    assert list(found.arrivals) == [2]


def test_an_item_named_twice_keeps_both_messages():
    body = form({"unsorted[add][0][uid]": "u9"})

    assert intake(body, body).by_uid["u9"].messages == {"m0", "m1"}


def test_the_earliest_hint_tells_when_a_lead_arrived():
    records = [
        sqs_record(lead_hook(7), "late", MONDAY_NOON.replace(hour=11)),
        sqs_record(lead_hook(7), "early", MONDAY_NOON),
    ]

    assert take_in(read_batch({"Records": records}), OURS).arrivals[7].arrived_at == MONDAY_NOON


def test_a_bad_record_is_rejected_alone():
    found = intake("", lead_hook(1))

    assert [envelope.message_id for envelope in found.rejected] == ["m0"]
    assert list(found.arrivals) == [1]


def routed(lead_id=7, cause="route#1", hand_over=True, at=MONDAY_NOON):
    return bus_message(
        LeadRouted(at, lead_id, "qualified", "exchange.qualified", "main.contact", "closers", hand_over, cause, 13, 11)
    )


def closed(lead_id=7, reason="spam", at=MONDAY_NOON):
    return bus_message(LeadClosed(at, lead_id, "not_target", "exchange", reason, 11))


def test_a_hand_over_is_a_hint_of_its_own_beside_the_arrival():
    found = intake(lead_hook(7), routed())

    assert found.arrivals[7].messages == {"m0"}
    hint = found.hand_overs[7]
    assert (hint.cause, hint.team, hint.messages) == ("route#1", "closers", {"m1"})
    assert hint.handed_over == HandOver("exchange.qualified", previous_owner=11, known_owner=13)


def test_the_latest_hop_counts_and_carries_the_messages_of_all():
    found = intake(routed(cause="route#9"), routed(cause="route#10"), routed(cause="route#2"))

    assert found.hand_overs[7].cause == "route#10", "hops are numbers, not words"
    assert found.hand_overs[7].messages == {"m0", "m1", "m2"}


def test_what_the_router_says_of_a_new_copy_joins_the_hook_of_its_arrival():
    for bodies in ((lead_hook(7), routed(cause="arrival")), (routed(cause="arrival"), lead_hook(7))):
        found = intake(*bodies)
        assert found.hand_overs == {}
        assert (found.arrivals[7].team, found.arrivals[7].messages) == ("closers", {"m0", "m1"})
        assert found.arrivals[7].handed_over is not None


def test_closings_of_one_lead_become_one_with_the_latest_moment():
    later = MONDAY_NOON.replace(hour=11)
    found = intake(closed(at=later), closed())

    assert found.closings[7].closed_at == later
    assert found.closings[7].messages == {"m0", "m1"}


def test_a_route_within_the_team_and_a_loss_that_is_not_refunded_are_ignored():
    found = intake(routed(hand_over=False), closed(reason="expensive"), closed(reason=""))

    assert found.ignored == {"no_hand_over": 1, "not_refunded": 2}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lead_id", "7"),
        ("lead_id", 0),
        ("lead_id", True),
        ("lead_id", None),
        ("hand_over", 1),
        ("team", ""),
        ("team", None),
        ("cause", "route#"),
        ("cause", "route#0"),
        ("cause", "route#1 "),
        ("cause", "route#" + "9" * 40),
        ("cause", 1),
        ("from_place", "exchange"),
        ("from_place", "elsewhere.stage"),
        ("previous_owner", -1),
        ("previous_owner", 1.5),
        ("known_owner", "13"),
    ],
)
def test_an_event_with_a_wrong_field_is_rejected_by_its_name(name, value):
    document = json.loads(routed())
    document["detail"][name] = value

    found = intake(json.dumps(document), lead_hook(8))

    (envelope,) = found.rejected
    assert envelope.rejection.reason == "bad_bus_event"
    assert envelope.rejection.detail == f"LeadRouted without a usable {name}"
    assert not found.hand_overs
    assert list(found.arrivals) == [8]


@pytest.mark.parametrize("name", ["lead_id", "reason"])
def test_a_closing_without_what_it_takes_is_rejected(name):
    document = json.loads(closed())
    del document["detail"][name]

    assert intake(json.dumps(document)).rejected[0].rejection.detail == f"LeadClosed without a usable {name}"
