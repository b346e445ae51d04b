"""A webhook comes in at the route of the template; seconds later the lead has its manager, a task and a note."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.outside import Outside

RECORDED = sorted((Path(__file__).parents[1] / "hooks").glob("*.form"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_body_is_taken_and_done_with_at_every_door(monday: Outside, path: Path) -> None:
    monday.settle()  # the first ticks are under way
    before = monday.queues()
    for door in ("leads", "stages", "tasks"):
        assert monday.post_hook(path.read_bytes(), monday.addresses["hooks"][door]).status_code == 200
    monday.settle()
    assert monday.queues() == before


def test_a_wrong_token_is_404_and_reaches_no_queue(monday: Outside) -> None:
    before = monday.queues()
    token = monday.hook_url.split("/")[-2]
    for url in (
        monday.hook_url.replace(token, "x" * len(token)),
        monday.hook_url.replace(token, token[:-1]),
        monday.hook_url.replace("/hooks/", "/hook/"),
        f"{monday.hook_url}/more",
    ):
        answer = monday.post_hook(b"leads%5Badd%5D%5B0%5D%5Bid%5D=1", url)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})
    assert monday.queues() == before


def test_a_site_form_is_accepted_and_owned_with_a_task_and_a_note(monday: Outside) -> None:
    _, lead_id = monday.send_form()
    monday.settle()
    lead = monday.lead(lead_id)
    exchange = monday.pipeline("Биржа лидов")
    unsorted_stage = exchange["_embedded"]["statuses"][0]
    assert monday.users()[lead["responsible_user_id"]].partition("@")[0] in ("anna", "gleb", "vera")
    assert lead["pipeline_id"] == exchange["id"]
    assert (unsorted_stage["type"], lead["status_id"] != unsorted_stage["id"]) == (1, True)
    [task] = monday.tasks_of(lead_id)
    assert task["responsible_user_id"] == lead["responsible_user_id"]
    assert 10 * 60 <= task["complete_till"] - lead["created_at"] <= 20 * 60, "15 working minutes"
    [note] = monday.notes_of(lead_id)
    assert "Conveyor" in note["params"]["text"]


def test_leads_are_shared_out_fairly(monday: Outside) -> None:
    leads = [lead_id for _, lead_id in monday.send_forms(30)]
    monday.settle()
    owner_of, users = monday.owners(), monday.users()
    counts = Counter(users[owner_of[lead_id]].partition("@")[0] for lead_id in leads)
    assert set(counts) == {"anna", "gleb", "vera"}
    assert max(counts.values()) - min(counts.values()) <= 2


def test_a_delivery_that_comes_twice_is_done_once(monday: Outside) -> None:
    uid, lead_id = monday.send_form()
    monday.settle()
    body = f"unsorted[add][0][uid]={uid}&unsorted[add][0][lead_id]={lead_id}&account[subdomain]=oknaplus"
    for _ in range(3):
        assert monday.post_hook(body.encode()).status_code == 200
    monday.settle()
    assert (len(monday.tasks_of(lead_id)), len(monday.notes_of(lead_id))) == (1, 1)


@pytest.mark.parametrize(("door", "queue"), [("leads", "LeadsQueue"), ("stages", "StagesQueue")])
def test_a_body_that_can_never_work_is_kept_and_its_neighbours_are_served(
    monday: Outside, door: str, queue: str
) -> None:
    dead = monday.queue(queue)["dlq"]
    assert monday.post_hook(b"leads[add][0][id" * 5000, monday.addresses["hooks"][door]).status_code == 200
    _, lead_id = monday.send_form()
    monday.settle()
    assert monday.lead(lead_id)["responsible_user_id"] != 0
    assert monday.queue(queue) == {"visible": 0, "in_flight": 0, "dlq": dead + 1}


def test_the_status_counts_the_requests_of_the_functions_alone(monday: Outside) -> None:
    monday.settle()
    before = monday.status()["amocrm"]
    for _ in range(3):
        monday.users()
    assert monday.status()["amocrm"] == before
    monday.send_form()
    monday.settle()
    after = monday.status()["amocrm"]
    assert 3 <= after["requests"] - before["requests"] <= 20
    assert after["throttled"] == 0
