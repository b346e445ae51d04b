"""What leads that flow between the pipelines cost in requests to amoCRM: both functions together, through the whole
local stack, beside the floor of a perfect batcher and beside one lead at a time."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import httpx

from functions.shared.crm import LOST, WON
from functions.shared.department import AFTERCARE, EXCHANGE, LOST_STAGE, MAIN, Department
from infra.department.file import load
from infra.local.stack import FUNCTIONS, LocalStack
from tests.benchmarks.burst import HELD, MONDAY
from tests.desk import open_stores

TEAMS = ("desk", "closers", "care")
DEPARTMENT = """
department: Bench
timezone: Europe/Moscow
amocrm: {account: bench.amocrm.ru}
merging: {per_day: 500}
teams:
""" + "\n".join(
    f"  {team}: {{members: [{', '.join(f'{team}{number}@bench.example' for number in range(6))}]}}" for team in TEAMS
)

WORKED = 180.0
"""Seconds in which the stack surely works off what was held back; waits are virtual, so they cost nothing."""

READ, WRITE = 250, 50
"""The largest page and the recommended batch (amoCRM API: limits)."""


@dataclass(frozen=True)
class Floor:
    """What a batcher cannot do without that puts everything of all leads into full pages and full batches: lists to
    read, and what is written with how much of it a lead has."""

    reads: tuple[str, ...]
    writes: Mapping[str, int]

    def requests(self, leads: int) -> int:
        written = sum(ceil(each * leads / WRITE) for each in self.writes.values())
        return len(self.reads) * ceil(leads / READ) + written

    def detail(self) -> dict[str, Any]:
        return {"reads, 250 a page": self.reads, "writes, 50 a batch": self.writes}


HANDED_OVER = {"owners": 1, "first tasks": 1, "notes on the choice": 1}
ROUTED = Floor(
    reads=("leads, by the router", "leads, by distribute", "their clients", "open tasks", "users"),
    writes={"stages": 1, "notes on the move": 1, "open tasks handed over": 1, **HANDED_OVER},
)
SOLD = Floor(
    reads=(
        *("leads, by the router", "their clients", "the clients' other leads"),
        *("copies, by distribute", "their clients", "the clients' other leads", "open tasks", "users"),
    ),
    writes={"copies": 1, "notes on both cards": 2, **HANDED_OVER},
)
MERGED = Floor(
    reads=(
        *("new leads, by distribute", "their clients", "the clients' leads", "users"),
        *("both leads, by the router", "their clients", "notes", "tasks"),
    ),
    writes={**HANDED_OVER, "notes brought over": 1, "notes on the merge": 2, "tasks brought over": 1, "duplicates": 1},
)
"""The arrival of the duplicate is part of it: that is where it is found."""


def run() -> dict[str, Any]:
    """200 leads qualified at once, 50 won, 50 duplicates of clients in main; and of each kind one alone."""
    with LocalStack(load(DEPARTMENT), start=MONDAY) as stack:
        bench = _Bench(stack)
        clients = bench.arrive([{"name": f"Client {number}"} for number in range(201)])
        measured = [
            *(bench.measure("qualified", ROUTED, part, bench.qualify, MAIN) for part in (clients[:200], clients[200:])),
            *(bench.measure("won", SOLD, part, bench.win, AFTERCARE) for part in (clients[:50], clients[50:51])),
            *(
                bench.measure("duplicates", MERGED, part, bench.ask_again, LOST_STAGE)
                for part in (clients[100:150], clients[150:151])
            ),
        ]
    rows = [row for row, _ in measured]
    for many, alone in zip(rows[::2], rows[1::2], strict=True):
        many["one_at_a_time"] = many["leads"] * alone["requests"]
    return {
        "rows": rows,
        "split": _split([(row["what"], counts) for row, counts in measured]),
        "baseline": "one at a time: what the same number of leads costs that come one by one",
        "floors": {"qualified": ROUTED.detail(), "won": SOLD.detail(), "duplicates": MERGED.detail()},
    }


@dataclass(frozen=True)
class _Client:
    lead: int
    contact: int


class _Bench:
    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        addresses = stack.addresses()["amocrm"]
        headers = {"Authorization": f"Bearer {addresses['token']}"}
        self._http = httpx.Client(base_url=addresses["url"] + "/api/v4/", headers=headers, trust_env=False)
        self._department: Department = open_stores(stack.table()).departments.current()

    def measure(
        self, what: str, floor: Floor, clients: Sequence[_Client], act: Callable[[Sequence[_Client]], object], end: str
    ) -> tuple[dict[str, Any], Counter[str]]:
        """The requests of the functions from the act to rest; the hooks of all leads come at the same moment. `end` is
        the pipeline in which each client has an owned lead then, or LOST_STAGE for a lost one."""
        before, started = len(self._stack.world.requests.log), self._stack.clock.now()
        self._stack.world.switch(hook_delay=(HELD, HELD))
        act(clients)
        self._stack.cloud.advance(HELD - (self._stack.clock.now() - started).total_seconds())
        self._stack.world.switch(hook_delay=(0.0, 0.0))
        self._rest()
        log = [entry for entry in list(self._stack.world.requests.log)[before:] if entry.token == FUNCTIONS]
        row = {
            "what": f"{len(clients)} {what}",
            "leads": len(clients),
            "done": sum(self._has_come_to(client, end) for client in clients),
            "requests": len(log),
            "a_lead": round(len(log) / len(clients), 2),
            "floor": floor.requests(len(clients)),
            "ratio": round(len(log) / floor.requests(len(clients)), 2),
            "throttled": sum(entry.status == 429 for entry in log),
        }
        return row, Counter(f"{entry.method} {_group(entry.path)}" for entry in log)

    def _has_come_to(self, client: _Client, end: str) -> bool:
        leads = [lead for lead in self._stack.world.live_leads() if client.contact in lead.contacts]
        if end == LOST_STAGE:
            return any(lead.status_id == LOST for lead in leads)
        pipeline, team = self._department.pipeline_of(end).id, self._department.team_of_pipeline(end)
        return any(lead.pipeline_id == pipeline and team.member(lead.responsible_user_id) for lead in leads)

    def arrive(self, contacts: Sequence[dict[str, Any]]) -> list[_Client]:
        """New requests in the exchange, given out."""
        clients = self._request(contacts)
        self._rest()
        return clients

    def ask_again(self, clients: Sequence[_Client]) -> None:
        self._request([{"id": client.contact} for client in clients])

    def _request(self, contacts: Sequence[dict[str, Any]]) -> list[_Client]:
        pipeline = self._department.pipeline_of(EXCHANGE).id
        made: list[dict[str, Any]] = []
        for start in range(0, len(contacts), WRITE):
            people = contacts[start : start + WRITE]
            body = [{"name": "Lead", "pipeline_id": pipeline, "_embedded": {"contacts": [who]}} for who in people]
            made += self._send("POST", "leads/complex", body)
        return [_Client(each["id"], each["contact_id"]) for each in made]

    def qualify(self, clients: Sequence[_Client]) -> None:
        pipeline = self._department.pipeline_of(EXCHANGE)
        self._move(clients, pipeline.id, pipeline.stages["qualified"])

    def win(self, clients: Sequence[_Client]) -> None:
        self._move(clients, self._department.pipeline_of(MAIN).id, WON)

    def _move(self, clients: Sequence[_Client], pipeline_id: int, status_id: int) -> None:
        place = {"pipeline_id": pipeline_id, "status_id": status_id}
        for start in range(0, len(clients), WRITE):
            self._send("PATCH", "leads", [{"id": each.lead, **place} for each in clients[start : start + WRITE]])

    def _send(self, method: str, path: str, body: Any) -> Any:
        time.sleep(0.15)  # the outsider keeps amoCRM's limit too
        return self._http.request(method, path, json=body).raise_for_status().json()

    def _rest(self) -> None:
        deadline = time.monotonic() + 120
        self._stack.cloud.advance(WORKED)
        while not self._stack.cloud.timeline.idle():
            assert time.monotonic() < deadline, "the stack does not come to rest"
            time.sleep(0.05)
        dead = {name: queue for name, queue in self._stack.cloud.status()["queues"].items() if queue["dlq"]}
        assert not dead, f"dead letters: {dead}"


def _group(path: str) -> str:
    return re.sub(r"/\d+", "/{id}", path.removeprefix("/api/v4/"))


def _split(measured: Sequence[tuple[str, Counter[str]]]) -> list[dict[str, Any]]:
    """One line a kind of request, one column a scene."""
    kinds = sorted({kind for _, counts in measured for kind in counts})
    return [{"request": kind, **{what: counts[kind] for what, counts in measured}} for kind in kinds]
