"""Facts told to a running stack, through its gateway, knowing nothing but its first line."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.outside import Outside

QUEUE = "CareQueue"


def tell(stack: Outside, *items: Any, token: str | None = None) -> httpx.Response:
    events = stack.addresses["events"]
    headers = {"authorization": f"Bearer {token or events['token']}"}
    with httpx.Client(trust_env=False, timeout=30) as http:
        return http.post(events["url"], json=[*items], headers=headers)


def visit(stack: Outside, number: int, **who: Any) -> dict[str, Any]:
    return {"event": "visit.attended", "id": f"v-{number}", "at": stack.now().isoformat(), **who}


def test_a_fact_is_taken_once_and_its_client_is_woken(monday: Outside) -> None:
    item = visit(monday, 1, crm_id=900_001)
    first, second = tell(monday, item), tell(monday, item)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["results"] == [{"index": 0, "id": "v-1", "status": "accepted"}]
    assert second.json()["results"] == [{"index": 0, "id": "v-1", "status": "duplicate"}]
    monday.settle()
    assert monday.queue(QUEUE) == {"visible": 0, "in_flight": 0, "dlq": 0}, "he was looked at"


def test_who_is_unknown_waits_and_who_says_nonsense_is_told(monday: Outside) -> None:
    answer = tell(monday, visit(monday, 2, phone="+79120000001"), visit(monday, 3, at="yesterday", crm_id=1), 7)
    assert [one["status"] for one in answer.json()["results"]] == ["unidentified", "invalid", "invalid"]


def test_strangers_are_not_let_in(monday: Outside) -> None:
    answer = tell(monday, visit(monday, 4, crm_id=1), token="guess")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "guess" not in answer.text
