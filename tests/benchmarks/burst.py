"""A burst through the whole local stack: requests to amoCRM and (virtual) time, beside the request budget's floor."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx

from functions.shared.assignment import ARRIVAL
from functions.shared.department import EXCHANGE
from infra.department.file import load
from infra.local.stack import LocalStack
from tests.desk import open_stores

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""15:00 in Moscow: both shifts of the lead desk are in."""

DEPARTMENT = """
department: Bench
timezone: Europe/Moscow
model: one_level
amocrm: {account: bench.amocrm.ru}
teams:
  sales:
    hours: Mon-Fri 09:00-18:00
    members: [%s]
""" % ", ".join(f"{{email: manager{number}@bench.example}}" for number in range(12))  # noqa: UP031 braces are YAML's

HELD = 20.0
"""Seconds that amoCRM keeps its hooks back, so that they all come at once however long the creation took."""

WORKED = 90.0
"""Seconds in which the stack surely works the burst off: waits are virtual, so they cost nothing."""

PER_SECOND = 6
"""amoCRM requests a second that the functions allow themselves; requests / PER_SECOND is the floor of the time."""


def run() -> dict[str, Any]:
    """1,000 plain leads at once, 200 unsorted items at once, and one lead alone."""
    return {
        "rows": [
            {"what": "1,000 plain leads", "goal_requests": 80, **_burst(1000, unsorted=False)},
            {"what": "200 unsorted items", **_burst(200, unsorted=True)},
            {"what": "one plain lead", **_burst(1, unsorted=False)},
        ],
        "baseline": "one lead at a time: read, owner, task, note = 4 requests a lead",
        "goal_time": 1.3,
    }


def _burst(leads: int, *, unsorted: bool) -> dict[str, Any]:
    with LocalStack(load(DEPARTMENT), start=MONDAY) as stack:
        _create(stack, 1, unsorted=False)  # warm: the account has been read once
        _until_quiet(stack)
        before = len(stack.world.requests.log)
        stack.world.switch(hook_delay=(HELD, HELD))
        started = stack.clock.now()
        ids = _create(stack, leads, unsorted=unsorted)
        left = HELD - (stack.clock.now() - started).total_seconds()
        stack.cloud.advance(left + WORKED)
        _until_quiet(stack)
        log = [entry for entry in list(stack.world.requests.log)[before:] if entry.token == "conveyor"]
        decided = open_stores(stack.table()).assignments.decided(ids, ARRIVAL)
        owned = sum(stack.world.leads.get(lead_id).responsible_user_id == decided[lead_id].owner for lead_id in ids)
        seconds = (max(entry.at for entry in log) - min(entry.at for entry in log)).total_seconds()
        floor = len(log) / PER_SECOND
        return {
            "leads": leads,
            "owned": owned,
            "requests": len(log),
            "throttled": stack.world.requests.throttled,
            "busiest_second": stack.world.requests.busiest_second("conveyor"),
            "seconds": round(seconds, 1),
            "floor_seconds": round(floor, 1),
            "ratio": round(seconds / floor, 2),
            "by_status": dict(Counter(str(entry.status) for entry in log)),
        }


def _create(stack: LocalStack, leads: int, *, unsorted: bool) -> list[int]:
    """Leads of an integration of somebody else; returns their ids."""
    addresses = stack.addresses()["amocrm"]
    pipeline = next(p for p in open_stores(stack.table()).departments.current().pipelines if p.role == EXCHANGE)
    ids: list[int] = []
    headers = {"Authorization": f"Bearer {addresses['token']}"}
    with httpx.Client(base_url=addresses["url"], headers=headers) as client:
        for start in range(0, leads, 50):
            count = min(50, leads - start)
            if unsorted:
                answer = client.post("/api/v4/leads/unsorted/forms", json=_forms(pipeline.id, start, count))
                items = answer.raise_for_status().json()["_embedded"]["unsorted"]
                ids += [item["_embedded"]["leads"][0]["id"] for item in items]
            else:
                body = [{"name": f"Lead {start + n}", "pipeline_id": pipeline.id} for n in range(count)]
                answer = client.post("/api/v4/leads", json=body)
                ids += [lead["id"] for lead in answer.raise_for_status().json()["_embedded"]["leads"]]
            time.sleep(0.15)  # the outsider keeps amoCRM's limit too
    return ids


def _forms(pipeline_id: int, start: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "source_name": "Site",
            "source_uid": f"bench-{start + n}",
            "pipeline_id": pipeline_id,
            "metadata": {
                "form_id": "f1",
                "form_name": "Form",
                "form_page": "https://bench.example",
                "form_sent_at": int(MONDAY.timestamp()),
                "ip": "192.0.2.1",
                "referer": "https://bench.example",
            },
            "_embedded": {"leads": [{"name": f"Form {start + n}"}]},
        }
        for n in range(count)
    ]


def _until_quiet(stack: LocalStack) -> None:
    deadline = time.monotonic() + 120
    time.sleep(0.3)
    while not stack.cloud.timeline.idle():
        assert time.monotonic() < deadline, "the stack does not come to rest"
        time.sleep(0.05)
