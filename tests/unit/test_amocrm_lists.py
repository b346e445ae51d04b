"""Lists that are asked in few requests and never believed."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.errors import AmoCrmRefused, NotConfigured
from tests.amocrm_support import NOTHING, hal, scripted

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def lead(lead_id: int, **values: object) -> dict[str, object]:
    return {"id": lead_id, "pipeline_id": 7, "status_id": 70, "responsible_user_id": 1, **values}


def echo(request: httpx.Request) -> httpx.Response:
    """An amoCRM that has everything."""
    asked = [value for key, value in parse_qsl(request.url.query.decode()) if key.startswith("filter[")]
    if "unsorted" in request.url.path:
        return hal("unsorted", [{"uid": uid, "_embedded": {"leads": [{"id": 1}]}} for uid in asked])
    return hal("leads", [lead(int(each)) for each in asked])


@given(ids=st.lists(st.integers(1, 10**10), max_size=600))
@settings(max_examples=15, deadline=None)
def test_every_lead_is_asked_for_once_and_no_url_is_too_long(ids):
    wire, script = scripted(echo)
    assert wire.amocrm.leads(ids).keys() == set(ids)
    asked = [
        value for request in script.requests for key, value in parse_qsl(request.url.query.decode()) if "id" in key
    ]
    assert len(asked) == len(set(ids))
    assert all(len(str(request.url)) < 6_500 for request in script.requests)


def test_a_thousand_leads_take_five_requests():
    wire, script = scripted(echo)
    assert len(wire.amocrm.leads(range(30_000_001, 30_001_001))) == 1000
    assert len(script.requests) == 5


def test_uids_of_sixty_characters_fit_too():
    wire, script = scripted(echo)
    uids = [f"{number:060x}" for number in range(200)]
    assert wire.amocrm.unsorted(uids).keys() == set(uids)
    assert all(len(str(request.url)) < 6_500 for request in script.requests)


def test_no_ids_are_no_request():
    wire, script = scripted(NOTHING)
    assert (wire.amocrm.leads([]), wire.amocrm.tasks_since([], LONG_AGO), wire.amocrm.unsorted([])) == ({}, [], {})
    assert script.requests == []


def test_a_full_page_with_everything_asked_for_is_the_last():
    wire, script = scripted(hal("leads", [lead(1), lead(2)], more=True))
    assert wire.amocrm.leads([1, 2]).keys() == {1, 2}
    assert len(script.requests) == 1


def test_rows_that_were_not_asked_for_are_dropped():
    wire, _ = scripted(hal("leads", [lead(1), lead(2), lead(99)]))
    assert wire.amocrm.leads([1, 2]).keys() == {1, 2}


def test_where_filters_are_ignored_leads_are_read_one_by_one_and_none_looks_deleted():
    """GIVEN thousands of leads and no filters WHEN three are asked for THEN the two that exist come."""

    def unfiltered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v4/leads":
            return hal("leads", [lead(number) for number in range(1, 251)], more=True)
        lead_id = int(request.url.path.rpartition("/")[2])
        return httpx.Response(200, json=lead(lead_id)) if lead_id != 9_003 else httpx.Response(204)

    wire, script = scripted(unfiltered)
    assert wire.amocrm.leads([9_001, 9_002, 9_003]).keys() == {9_001, 9_002}
    assert len(script.requests) == 1 + 3
    assert wire.telemetry.lines[-1] == ("amocrm_filter_ignored", {"path": "leads", "reads": 3})


@pytest.mark.parametrize(
    "ask",
    [
        lambda amocrm: amocrm.tasks_since([5], LONG_AGO),
        lambda amocrm: amocrm.notes_since([5], LONG_AGO),
    ],
    ids=["tasks", "notes"],
)
def test_where_filters_are_ignored_other_questions_say_what_to_switch_on(ask):
    rows = [{"id": number, "entity_id": 1000 + number, "entity_type": "leads"} for number in range(250)]
    key = {"tasks": "tasks"}
    wire, _ = scripted(lambda request: hal(key.get(request.url.path.rpartition("/")[2], "notes"), rows, more=True))
    with pytest.raises(NotConfigured, match="is_api_filter_enabled"):
        ask(wire.amocrm)


def test_an_unfiltered_list_that_is_complete_is_as_good_as_a_filtered_one():
    rows = [{"id": number, "entity_id": number, "entity_type": "leads"} for number in range(1, 100)]
    wire, _ = scripted(hal("tasks", rows))
    assert [task.lead_id for task in wire.amocrm.tasks_since([5], LONG_AGO)] == [5]


PIPELINES = hal(
    "pipelines",
    [{"id": 7, "_embedded": {"statuses": [{"id": 69}, {"id": 70}, {"id": 142}, {"id": 143}]}}],
)


def test_open_leads_are_asked_for_by_open_stages_and_counted_once():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("pipelines"):
            return PIPELINES
        rows = [lead(1, responsible_user_id=11), lead(2, responsible_user_id=12), lead(1, responsible_user_id=11)]
        return hal("leads", [*rows, lead(3, responsible_user_id=11, status_id=142), lead(4, responsible_user_id=99)])

    wire, script = scripted(answer)
    assert wire.amocrm.open_leads_of([11, 12, 13], [7]) == {11: 1, 12: 1, 13: 0}
    query = script.requests[1].url.params
    assert [value for key, value in query.multi_items() if "status_id" in key] == ["69", "70"]


def test_stages_are_remembered_for_minutes():
    wire, script = scripted(lambda request: PIPELINES if request.url.path.endswith("pipelines") else NOTHING)
    for wait in (0, 60, 601):
        wire.clock.advance(wait)
        wire.amocrm.open_leads_of([11], [7])
    assert [request.url.path.rpartition("/")[2] for request in script.requests] == [
        "pipelines", "leads", "leads", "pipelines", "leads",
    ]  # fmt: skip


def test_many_stages_and_managers_do_not_make_the_url_too_long():
    statuses = [{"id": 70_000_000 + number} for number in range(100)]
    pipelines = hal("pipelines", [{"id": 3_000_000 + n, "_embedded": {"statuses": statuses}} for n in range(4)])
    wire, script = scripted(lambda request: pipelines if request.url.path.endswith("pipelines") else NOTHING)
    wire.amocrm.open_leads_of(range(5_000_000, 5_000_060), [3_000_000 + n for n in range(4)])
    assert all(len(str(request.url)) < 6_500 for request in script.requests)


def test_a_pipeline_that_does_not_exist_has_no_open_leads():
    wire, _ = scripted(PIPELINES)
    assert wire.amocrm.open_leads_of([11], [8]) == {11: 0}


def move(event_id: int, lead_id: int = 5) -> dict[str, object]:
    before, after = ([{"lead_status": {"id": status, "pipeline_id": 7}}] for status in (event_id, event_id + 1))
    head = {"id": f"{event_id}", "type": "lead_status_changed", "entity_type": "lead", "entity_id": lead_id}
    return {**head, "created_at": 1_700_000_000, "created_by": 11, "value_before": before, "value_after": after}


def test_the_history_is_asked_for_one_lead_a_hundred_at_a_time_and_an_event_that_slips_counts_once():
    pages = [hal("events", [move(4), move(3)], more=True), hal("events", [move(3), move(2)])]
    wire, script = scripted(*pages)
    assert [change.after for change in wire.amocrm.stage_changes(5, LONG_AGO)] == [(7, 3), (7, 4), (7, 5)]
    assert dict(script.requests[0].url.params) == {
        "filter[type]": "lead_status_changed",
        "filter[entity]": "lead",
        "filter[entity_id]": "5",
        "filter[created_at][from]": "0",
        "page": "1",
        "limit": "100",
    }


def test_events_of_others_of_other_kinds_and_from_before_are_dropped():
    early = {**move(1), "created_at": 1_600_000_000}
    wire, _ = scripted(hal("events", [move(4), move(3, lead_id=6), {**move(2), "type": "lead_added"}, early]))
    since = datetime.fromtimestamp(1_700_000_000.9, UTC)
    assert [change.after for change in wire.amocrm.stage_changes(5, since)] == [(7, 5)]


def test_copies_are_asked_for_by_pipeline_and_time_and_compared_here():
    def row(lead_id: int, address: str | None, pipeline_id: int = 7, **values: object) -> dict[str, object]:
        filled = [{"field_id": 3, "values": [{"value": address}]}] if address else None
        return {
            **lead(lead_id),
            "pipeline_id": pipeline_id,
            "created_at": 100,
            "custom_fields_values": filled,
            **values,
        }

    ours = "https://demo.amocrm.ru/leads/detail/1"
    rows = [
        row(1, ours),
        row(2, f"{ours}1"),
        row(3, None),
        row(4, ours, 8),
        row(5, ours, is_deleted=True),
        row(6, ours),
    ]
    wire, script = scripted(hal("leads", rows))
    since = datetime.fromtimestamp(99.5, UTC)
    assert [copy.id for copy in wire.amocrm.copies_of((3, ours), 7, since)] == [1, 6]
    asked = script.requests[0].url.params
    assert (asked["filter[pipeline_id][]"], asked["filter[created_at][from]"]) == ("7", "99")


def test_a_search_is_one_page_and_an_empty_one_no_request():
    wire, script = scripted(hal("contacts", [{"id": 1}], more=True))
    assert [contact.id for contact in wire.amocrm.contacts_with("9991234567")] == [1]
    assert wire.amocrm.contacts_with("  ") == []
    assert len(script.requests) == 1
    assert (script.requests[0].url.params["query"], script.requests[0].url.params["limit"]) == ("9991234567", "250")


def test_a_search_that_amocrm_does_not_answer_names_no_phone_in_its_error():
    wire, _ = scripted(httpx.Response(400, json={"title": "Bad Request", "detail": "query 9991234567"}))
    with pytest.raises(AmoCrmRefused) as refused:
        wire.amocrm.contacts_with("9991234567")
    assert "9991234567" not in f"{refused.value} {wire.telemetry.lines}"


def test_a_deleted_contact_does_not_exist():
    wire, _ = scripted(httpx.Response(200, json={"id": 1, "is_deleted": True}))
    assert wire.amocrm.contact(1) is None
