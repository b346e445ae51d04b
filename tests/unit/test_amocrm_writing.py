"""Batch writes: every item ends in a clear outcome, and nothing is created twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.crm import FieldValue, LeadChange, Link, NewLead, NewNote, NewTask, OwnerChange, TaskChange
from functions.shared.errors import AmbiguousWrite, AmoCrmRefused, AmoCrmUnauthorized, AmoCrmUnavailable
from tests.amocrm_support import NOTHING, Wire, hal, html, problem, refusal, scripted

ACCOUNT = {"id": 1, "subdomain": "demo"}
DUE = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)


@dataclass
class TinyCrm:
    """Leads, tasks and notes; refuses batches with a bad lead, loses answers as told, may lag behind.

    `lost` says for each write in turn what becomes of it: "" answered; with a 504 "done", "dropped" or "half" done.
    """

    bad: frozenset[int] = frozenset()
    names_the_bad: bool = True
    lost: list[str] = field(default_factory=list)
    owners: dict[int, int] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    now: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        kind = request.url.path.rpartition("/")[2]
        return self.read(kind) if request.method == "GET" else self.write(kind, json.loads(request.content))

    def read(self, kind: str) -> httpx.Response:
        leads = [{"id": lead_id, "responsible_user_id": owner} for lead_id, owner in self.owners.items()]
        rows = {"leads": leads, "tasks": self.tasks, "notes": self.notes}[kind]
        return hal(kind, rows) if rows else NOTHING

    def write(self, kind: str, items: list[dict[str, Any]]) -> httpx.Response:
        self.batches.append(len(items))
        fate = self.lost.pop(0) if self.lost else ""
        bad = [item for item in items if item.get("entity_id", item.get("id")) in self.bad]
        if bad and self.names_the_bad:
            return refusal(*((item["request_id"], "entity_id", "NotSupportedChoice") for item in bad))
        if bad:
            return problem(400, detail="Something is wrong")
        kept = {"dropped": 0, "half": len(items) // 2}.get(fate, len(items))
        self.keep(kind, items[:kept])
        rows = [{"id": 1, "request_id": item["request_id"]} for item in items]
        return html(504) if fate else hal(kind, rows)

    def keep(self, kind: str, items: list[dict[str, Any]]) -> None:
        for item in items:
            if kind == "leads":
                self.owners[item["id"]] = item["responsible_user_id"]
            else:
                stored = {**item, "id": len(self.tasks) + len(self.notes) + 1, "created_at": self.now}
                (self.tasks if kind == "tasks" else self.notes).append(stored)


def wired(crm: TinyCrm) -> Wire:
    wire = Wire(httpx.MockTransport(crm))
    crm.now = int(wire.clock.now().timestamp())
    return wire


def task(lead_id: int, text: str = "Ответить клиенту", user_id: int = 11) -> NewTask:
    return NewTask(lead_id, user_id, text, DUE)


def changes(*lead_ids: int) -> list[OwnerChange]:
    return [OwnerChange(lead_id, 11) for lead_id in lead_ids]


def test_a_change_of_owner_writes_the_owner_and_nothing_else():
    wire, script = scripted(hal("leads", [{"id": 5, "request_id": "0"}]))
    wire.amocrm.change_owners([OwnerChange(5, 11)])
    assert script.requests[0].method == "PATCH"
    assert json.loads(script.requests[0].content) == [{"id": 5, "responsible_user_id": 11, "request_id": "0"}]


def test_batches_hold_fifty_items():
    crm = TinyCrm()
    result = wired(crm).amocrm.change_owners(changes(*range(1, 121)))
    assert crm.batches == [50, 50, 20]
    assert result.done == set(range(1, 121))


def test_of_two_changes_of_one_lead_the_last_counts():
    crm = TinyCrm()
    wired(crm).amocrm.change_owners([OwnerChange(5, 11), OwnerChange(5, 12)])
    assert (crm.owners, crm.batches) == ({5: 12}, [1])


def test_an_empty_batch_is_no_request():
    crm = TinyCrm()
    amocrm = wired(crm).amocrm
    assert amocrm.change_owners([]).done == amocrm.add_tasks([]).done == amocrm.add_notes([]).done == frozenset()
    assert crm.batches == []


def test_items_that_amocrm_names_are_set_aside_and_the_rest_is_written():
    crm = TinyCrm(bad=frozenset({2, 4}))
    result = wired(crm).amocrm.change_owners(changes(1, 2, 3, 4, 5))
    assert result.done == {1, 3, 5}
    assert result.refused == dict.fromkeys((2, 4), "entity_id: NotSupportedChoice")
    assert crm.owners.keys() == {1, 3, 5}
    assert crm.batches == [5, 3]


def test_where_amocrm_names_nobody_the_halves_tell_who_it_was():
    crm = TinyCrm(bad=frozenset({37}), names_the_bad=False)
    result = wired(crm).amocrm.change_owners(changes(*range(1, 51)))
    assert result.done == set(range(1, 51)) - {37}
    assert "PATCH /api/v4/leads: 400" in result.refused[37]
    assert len(crm.batches) <= 13


def test_a_404_on_a_batch_is_about_one_of_its_leads():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v4/account":
            return httpx.Response(200, json=ACCOUNT)
        items = json.loads(request.content)
        if any(item["id"] == 2 for item in items):
            return problem(404)
        return hal("leads", [{"id": item["id"], "request_id": item["request_id"]} for item in items])

    wire, _ = scripted(answer)
    result = wire.amocrm.change_owners(changes(1, 2, 3))
    assert (result.done, result.refused.keys()) == ({1, 3}, {2})


def test_a_404_from_a_host_without_our_account_is_no_refusal_of_the_leads():
    wire, _ = scripted(problem(404))
    with pytest.raises(AmoCrmUnavailable, match="may have moved"):
        wire.amocrm.change_owners(changes(1, 2, 3))


@pytest.mark.parametrize("names", [True, False], ids=["named", "found by halves"])
def test_refused_tasks_and_notes_are_reported_by_lead_with_a_reason(names):
    crm = TinyCrm(bad=frozenset({2, 3}), names_the_bad=names)
    amocrm = wired(crm).amocrm
    for result in (
        amocrm.add_tasks([task(lead_id) for lead_id in (1, 2, 3, 4)]),
        amocrm.add_notes([NewNote(lead_id, "почему") for lead_id in (1, 2, 3, 4)]),
    ):
        assert (result.done, result.refused.keys()) == ({1, 4}, {2, 3})
        assert all(result.refused.values())


def test_an_item_that_is_missing_in_the_answer_is_not_taken_for_done():
    wire, _ = scripted(hal("leads", [{"id": 1, "request_id": "0"}]))
    result = wire.amocrm.change_owners(changes(1, 2))
    assert (result.done, result.refused.keys()) == ({1}, {2})


def test_a_lead_with_one_refused_and_one_created_task_counts_as_refused():
    crm = TinyCrm()
    wire, _ = scripted(refusal(("0", "text", "TooLong")), hal("tasks", [{"id": 1, "request_id": "0"}]))
    result = wire.amocrm.add_tasks([task(5, "а" * 9999), task(5)])
    assert (result.done, result.refused) == (frozenset(), {5: "text: TooLong"})
    assert crm.tasks == []


@pytest.mark.parametrize("fate", ["done", "half", "dropped"])
def test_after_a_504_every_task_exists_once(fate):
    crm = TinyCrm(lost=[fate])
    wire = wired(crm)
    result = wire.amocrm.add_tasks([task(lead_id) for lead_id in range(1, 11)])
    assert sorted(item["entity_id"] for item in crm.tasks) == list(range(1, 11))
    assert result.done == set(range(1, 11))
    assert wire.clock.slept >= 5, "lists may lag behind by seconds"


def test_after_a_504_what_is_missing_goes_out_in_halves():
    crm = TinyCrm(lost=["dropped"])
    wired(crm).amocrm.add_notes([NewNote(lead_id, "почему") for lead_id in range(1, 51)])
    assert crm.batches == [50, 25, 25]


def test_a_task_of_the_same_text_for_another_manager_is_not_taken_for_ours():
    crm = TinyCrm(lost=["dropped"])
    wire = wired(crm)
    crm.keep("tasks", [{"entity_type": "leads", "entity_id": 5, "responsible_user_id": 12, "text": "Ответить клиенту",
                        "complete_till": int(DUE.timestamp())}])  # fmt: skip
    wire.amocrm.add_tasks([task(5)])
    assert [item["responsible_user_id"] for item in crm.tasks] == [12, 11]


def test_a_task_that_the_manager_has_completed_in_the_meantime_is_not_created_again():
    crm = TinyCrm(lost=["done"])
    wire = wired(crm)
    sleep = wire.clock.sleep

    def manager_answers(seconds: float) -> None:
        sleep(seconds)
        crm.tasks = [{**stored, "is_completed": True} for stored in crm.tasks]

    wire.clock.sleep = manager_answers
    assert wire.amocrm.add_tasks([task(5)]).done == {5}
    assert len(crm.tasks) == 1


def test_a_task_of_the_same_text_from_an_earlier_time_is_not_taken_for_ours():
    crm = TinyCrm(lost=["dropped"])
    wire = wired(crm)
    crm.now -= int(timedelta(hours=1).total_seconds())
    crm.keep("tasks", [{"entity_type": "leads", "entity_id": 5, "responsible_user_id": 11, "text": "Ответить клиенту",
                        "complete_till": int(DUE.timestamp())}])  # fmt: skip
    crm.now = int(wire.clock.now().timestamp())
    wire.amocrm.add_tasks([task(5)])
    assert len(crm.tasks) == 2


def test_a_note_of_the_same_text_from_an_earlier_time_is_not_taken_for_ours():
    crm = TinyCrm(lost=["dropped"])
    wire = wired(crm)
    crm.now -= int(timedelta(hours=1).total_seconds())
    crm.keep("notes", [{"entity_id": 5, "params": {"text": "почему"}}])
    crm.now = int(wire.clock.now().timestamp())
    wire.amocrm.add_notes([NewNote(5, "почему")])
    assert len(crm.notes) == 2


@pytest.mark.parametrize("fate", ["done", "half", "dropped"])
def test_two_equal_tasks_are_two_tasks_also_after_a_504(fate):
    crm = TinyCrm(lost=[fate])
    wired(crm).amocrm.add_tasks([task(5), task(5)])
    assert len(crm.tasks) == 2


@given(
    lost=st.lists(st.sampled_from(["", "done", "half", "dropped"]), max_size=6),
    bad=st.frozensets(st.integers(1, 12)),
    kind=st.sampled_from(["tasks", "notes"]),
    names=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_nothing_is_ever_created_twice_and_what_is_called_done_stands(lost, bad, kind, names):
    crm = TinyCrm(bad=bad, lost=lost, names_the_bad=names)
    amocrm = wired(crm).amocrm
    ids = range(1, 13)
    try:
        if kind == "tasks":
            result = amocrm.add_tasks([task(lead_id) for lead_id in ids])
        else:
            result = amocrm.add_notes([NewNote(lead_id, "почему") for lead_id in ids])
    except AmbiguousWrite:
        result = None
    created = [item["entity_id"] for item in (crm.tasks if kind == "tasks" else crm.notes)]
    assert len(created) == len(set(created))
    if result:
        assert result.done == set(created) == set(ids) - bad
        assert result.refused.keys() == bad


def test_the_same_owners_are_sent_once_more_after_a_504_and_no_oftener():
    crm = TinyCrm(lost=["dropped"] * 9)
    with pytest.raises(AmbiguousWrite):
        wired(crm).amocrm.change_owners(changes(1, 2))
    assert crm.batches == [2, 1]


def test_owners_that_stand_after_a_504_are_not_sent_again():
    crm = TinyCrm(lost=["done"])
    result = wired(crm).amocrm.change_owners(changes(1, 2))
    assert (result.done, crm.batches) == ({1, 2}, [2])


def test_a_write_whose_effect_cannot_be_read_stays_ambiguous():
    wire, _ = scripted(html(504))
    with pytest.raises(AmbiguousWrite, match="cannot be read"):
        wire.amocrm.add_notes([NewNote(5, "почему")])


def test_a_rejected_token_is_no_refusal_of_the_items():
    wire, _ = scripted(problem(401))
    with pytest.raises(AmoCrmUnauthorized):
        wire.amocrm.change_owners(changes(1))


def copy_row(lead_id: int, address: str = "https://demo.amocrm.ru/leads/detail/1") -> dict[str, Any]:
    fields = [{"field_id": 3, "field_type": "url", "values": [{"value": address}]}]
    return {"id": lead_id, "pipeline_id": 7, "created_at": 2_000_000_000, "custom_fields_values": fields}


COPY = NewLead("Окна", 7, 70, 11, (3, "https://demo.amocrm.ru/leads/detail/1"))


def test_a_new_lead_is_one_request():
    wire, script = scripted(hal("leads", [{"id": 9, "request_id": "0"}]))
    assert wire.amocrm.add_lead(COPY) == 9
    assert [(request.method, request.url.path) for request in script.requests] == [("POST", "/api/v4/leads")]


def test_after_a_lost_answer_the_oldest_lead_with_the_same_origin_is_the_new_one():
    wire, script = scripted(html(504), hal("leads", [copy_row(8, "https://elsewhere.example"), copy_row(9)]))
    assert wire.amocrm.add_lead(COPY) == 9
    assert [request.method for request in script.requests] == ["POST", "GET"]
    assert wire.clock.slept >= 5


def test_a_lead_that_was_not_made_is_tried_once_more_and_no_oftener():
    wire, script = scripted(html(504), NOTHING, hal("leads", [{"id": 9, "request_id": "0"}]))
    assert wire.amocrm.add_lead(COPY) == 9
    wire, script = scripted(html(504), NOTHING, html(504), NOTHING)
    with pytest.raises(AmbiguousWrite):
        wire.amocrm.add_lead(COPY)
    assert [request.method for request in script.requests] == ["POST", "GET", "POST", "GET"]
    wire, script = scripted(html(504), NOTHING, html(504), hal("leads", [copy_row(9)]))
    assert wire.amocrm.add_lead(COPY) == 9


def test_a_success_that_names_no_lead_is_looked_after():
    wire, _ = scripted(NOTHING, hal("leads", [copy_row(9)]))
    assert wire.amocrm.add_lead(COPY) == 9


def test_a_refused_field_is_reported_with_its_path():
    path = "custom_fields_values.1.values.0.value"
    wire, _ = scripted(refusal(("0", path, "InvalidType")))
    file = FieldValue(4, "Договор", "file", ({"value": {"file_uuid": "ab"}},))
    result = wire.amocrm.change_leads([LeadChange(5, fields=(file, file))])
    assert (result.done, result.refused) == (frozenset(), {5: f"{path}: InvalidType"})
    wire, _ = scripted(refusal(("0", path, "InvalidType")))
    with pytest.raises(AmoCrmRefused, match="InvalidType"):
        wire.amocrm.add_lead(replace(COPY, fields=(file,)))


def test_changes_that_do_not_stand_after_a_504_are_sent_once_more_and_no_oftener():
    """GIVEN two changes of which one was done WHEN the answer is lost THEN only the other goes out again."""
    rows = [{"id": 1, "pipeline_id": 7, "status_id": 71}, {"id": 2, "pipeline_id": 7, "status_id": 70}]
    done = hal("leads", [{"id": 2, "request_id": "0"}])
    wire, script = scripted(html(504), hal("leads", rows), done)
    result = wire.amocrm.change_leads([LeadChange(1, (7, 71)), LeadChange(2, (7, 71))])
    assert result.done == {1, 2}
    assert [item["id"] for item in json.loads(script.requests[-1].content)] == [2]
    wire, script = scripted(html(504), hal("leads", rows), html(504), hal("leads", rows))
    with pytest.raises(AmbiguousWrite):
        wire.amocrm.change_leads([LeadChange(2, (7, 71))])


def test_two_changes_of_one_lead_never_go_out_in_one_batch():
    wire, script = scripted(
        hal("leads", [{"request_id": "0"}, {"request_id": "1"}]), hal("leads", [{"request_id": "0"}])
    )
    wire.amocrm.change_leads([LeadChange(1, price=1), LeadChange(2, price=2), LeadChange(1, price=3)])
    sent = [[(item["id"], item["price"]) for item in json.loads(request.content)] for request in script.requests]
    assert sent == [[(1, 1), (2, 2)], [(1, 3)]]


def test_links_go_out_fifty_at_a_time_by_the_mass_variant_each_once():
    wire, script = scripted(NOTHING)
    links = [Link(5, contact) for contact in range(1, 61)]
    wire.amocrm.link([*links, *links])
    wire.amocrm.unlink(links)
    asked = [(request.url.path, len(json.loads(request.content))) for request in script.requests]
    assert asked == [
        ("/api/v4/leads/link", 50), ("/api/v4/leads/link", 10),
        ("/api/v4/leads/unlink", 50), ("/api/v4/leads/unlink", 10),
    ]  # fmt: skip


def test_an_unlink_that_is_refused_though_the_contact_still_hangs_there_is_an_error():
    hanging = hal("leads", [{"id": 5, "_embedded": {"contacts": [{"id": 1, "is_main": True}]}}])
    wire, _ = scripted(refusal(("0", "to_entity_type", "NotSupportedChoice")), hanging)
    with pytest.raises(AmoCrmRefused, match="contacts 1 of lead 5: to_entity_type: NotSupportedChoice"):
        wire.amocrm.unlink([Link(5, 1)])


def test_a_link_whose_answer_is_lost_and_that_does_not_show_goes_out_again():
    wire, script = scripted(html(504), hal("leads", [{"id": 5}]), NOTHING)
    wire.amocrm.link([Link(5, 1)])
    assert [request.method for request in script.requests] == ["POST", "GET", "POST"]


def test_a_changed_task_is_known_by_its_own_id():
    wire, script = scripted(refusal(("1", "id", "NotSupportedChoice")), hal("tasks", [{"id": 8, "request_id": "0"}]))
    result = wire.amocrm.change_tasks([TaskChange(8, lead_id=5), TaskChange(9, lead_id=5)])
    assert (result.done, result.refused) == ({8}, {9: "id: NotSupportedChoice"})
    assert script.requests[0].method == "PATCH"


UNSORTED = httpx.Response(200, json={"uid": "ab", "pipeline_id": 7, "_embedded": {"leads": [{"id": 5}]}})


def accepting(post: httpx.Response, *gets: httpx.Response) -> Wire:
    answers = list(gets)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v4/account":
            return httpx.Response(200, json=ACCOUNT)
        response = post if request.method == "POST" else answers.pop(0)
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)

    return Wire(httpx.MockTransport(answer))


def lead_of(user_id: int) -> httpx.Response:
    return httpx.Response(200, json={"id": 5, "responsible_user_id": user_id})


@pytest.mark.parametrize("status", [400, 404])
def test_an_item_that_is_gone_was_taken_by_a_human(status):
    wire = accepting(problem(status), UNSORTED, problem(404))
    assert wire.amocrm.accept_unsorted("ab", 11, 70) is False


def test_a_400_while_the_item_still_waits_is_a_refusal():
    wire = accepting(problem(400), UNSORTED, UNSORTED)
    with pytest.raises(AmoCrmRefused):
        wire.amocrm.accept_unsorted("ab", 11, 70)


@pytest.mark.parametrize(("owner", "ours"), [(11, True), (12, False)])
def test_after_a_lost_answer_the_owner_of_the_lead_tells_whether_the_accept_was_ours(owner, ours):
    wire = accepting(html(504), UNSORTED, problem(404), lead_of(owner))
    assert wire.amocrm.accept_unsorted("ab", 11, 70) is ours


def test_after_a_lost_answer_a_lead_that_is_gone_was_not_accepted():
    wire = accepting(html(504), UNSORTED, problem(404), NOTHING)
    assert wire.amocrm.accept_unsorted("ab", 11, 70) is False


def test_a_lost_answer_while_the_item_still_waits_stays_ambiguous():
    wire = accepting(html(504), UNSORTED, UNSORTED)
    with pytest.raises(AmbiguousWrite):
        wire.amocrm.accept_unsorted("ab", 11, 70)


def test_an_item_that_was_just_listed_is_accepted_in_one_request():
    listed = hal("unsorted", [{"uid": "ab", "_embedded": {"leads": [{"id": 5}]}}])
    wire, script = scripted(listed, httpx.Response(200, json={"uid": "ab"}))
    wire.amocrm.unsorted(["ab"])
    assert wire.amocrm.accept_unsorted("ab", 11, 70) is True
    assert [request.method for request in script.requests] == ["GET", "POST"]
    assert json.loads(script.requests[1].content) == {"user_id": 11, "status_id": 70}
