"""`python -m infra.local.demo`: a day of leads through the local stack, and what became of them.

Stays up until Ctrl-C; with DEMO_EXIT=1 it ends after the report.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from functions.shared.absence import Absence
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment
from functions.shared.department import EXCHANGE, Department, Member
from infra.department.file import load
from infra.local.demo_day import MIDNIGHT, MOSCOW, Clients, arrivals
from infra.local.demo_report import Report
from infra.local.stack import FUNCTIONS, LocalStack

DEPARTMENT = Path(__file__).parents[2] / "department.example.yaml"
START = MIDNIGHT + timedelta(minutes=30)
SICK_FROM = MIDNIGHT + timedelta(hours=11, minutes=20)
END = MIDNIGHT + timedelta(hours=21)
WIDTH = 130


class Demo:
    """Plays the day on a running stack and prints to `console`."""

    def __init__(self, stack: LocalStack, console: Console) -> None:
        self._stack = stack
        self._console = console
        table = stack.table()
        self._assignments = Assignments(table)
        self._absences = Absences(table)
        self._waiting_room = WaitingRoom(table)
        self._department: Department = Departments(table).current()
        self._team = self._department.team_of_pipeline(EXCHANGE)
        self._report = Report(self._department, MOSCOW)
        self._undecided: list[int] = []
        self._decisions: list[Assignment] = []

    def play(self) -> None:
        """The whole day; each decision is printed when the clock has passed it."""
        exchange = next(pipeline for pipeline in self._department.pipelines if pipeline.role == EXCHANGE)
        amocrm = self._stack.addresses()["amocrm"]
        headers = {"Authorization": f"Bearer {amocrm['token']}"}
        with httpx.Client(base_url=amocrm["url"], headers=headers, trust_env=False) as http:
            clients = Clients(self._stack.world, http, exchange.id)
            for arrival in arrivals():
                self._go_to(arrival.at)
                self._undecided.append(clients.send(arrival))
        self._go_to(END)

    def report(self, took: float) -> None:
        say, leads = self._console.print, len(self._undecided) + len(self._decisions)
        waiting = self._waiting_room.of_team(self._team.name)
        say()
        say(self._report.channels(self._decisions), self._report.fairness(self._decisions))
        say(self._report.exclusions(self._decisions))
        requests = [request for request in self._stack.world.requests.log if request.token == FUNCTIONS]
        throttled = sum(request.status == 429 for request in requests)
        say(
            f"{leads} leads, {len(self._decisions)} given out, {len(waiting)} wait for the next shift;"
            f" {len(requests)} requests to amoCRM, {throttled} throttled,"
            f" {self._stack.world.requests.busiest_second(FUNCTIONS)} in the busiest second (amoCRM allows 7)."
        )
        say(f"The day took {took:.1f} s.")

    def _go_to(self, moment: datetime) -> None:
        """Let time pass; on the way somebody falls sick."""
        if self._stack.clock.now() < SICK_FROM <= moment:
            self._advance_to(SICK_FROM)
            self._fall_sick()
        self._advance_to(moment)

    def _advance_to(self, moment: datetime) -> None:
        self._stack.cloud.advance(max(0.0, (moment - self._stack.clock.now()).total_seconds()))
        self._print_decisions()

    def _print_decisions(self) -> None:
        found = self._assignments.decided(self._undecided, ARRIVAL)
        self._undecided = [lead_id for lead_id in self._undecided if lead_id not in found]
        for decision in sorted(found.values(), key=lambda decision: (decision.decided_at, decision.ledger_version)):
            self._console.print(self._report.line(decision), highlight=False, soft_wrap=True)
            self._decisions.append(decision)

    def _fall_sick(self) -> None:
        """The first of the team who is at work goes home."""
        at_work: Sequence[Member] = [
            member for member in self._team.members if member.hours.is_open(SICK_FROM, member.timezone)
        ]
        if at_work:
            sick = at_work[0]
            self._absences.add(Absence(self._team.name, sick.user_id, SICK_FROM, END + timedelta(days=1), "sick"))
            self._console.print(f"{SICK_FROM:%H:%M:%S}  [italic]{sick.name} goes home sick[/]", highlight=False)


def main() -> None:
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.NamedTemporaryFile("w", prefix="conveyor-demo-", suffix=".log", delete=False) as log:
        logging.basicConfig(stream=log, level=logging.WARNING)
        console.print("Starting the stack of template.yaml with a simulated amoCRM …")
        with redirect_stdout(log), suppress(KeyboardInterrupt), LocalStack(load(DEPARTMENT), start=START) as stack:
            console.print(f"{START:%A %d %B %Y}, Moscow time. The functions' log: {log.name}\n", highlight=False)
            demo, started = Demo(stack, console), time.monotonic()
            demo.play()
            demo.report(time.monotonic() - started)
            _print_addresses(stack.addresses(), console)
            if os.environ.get("DEMO_EXIT") != "1":
                console.print("Ctrl-C ends it.")
                threading.Event().wait()


def _print_addresses(addresses: dict[str, Any], console: Console) -> None:
    console.print(f"\nBoard:  {addresses['amocrm']['url']}/board")
    console.print(f"Hooks:  {addresses['hooks']['leads']}")
    console.print(f"amoCRM: {addresses['amocrm']['url']}/api/v4, token {addresses['amocrm']['token']}", soft_wrap=True)


if __name__ == "__main__":
    main()
