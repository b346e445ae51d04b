"""`conveyor explain LEAD_ID`: who was considered, who was excluded by which rule, balances before and after."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from functions.shared.assignment import Assignment, Standing
from functions.shared.department import Department
from functions.shared.fairness import UNIT
from functions.shared.waiting import WaitingLead
from infra.cli.records import Endpoint, Records, TableName, explained, open_records


@explained()
def explain(
    lead_id: Annotated[int, typer.Argument(help="The lead's id: the number in the address of its card.")],
    table: TableName,
    endpoint: Endpoint = None,
) -> None:
    """Say why a lead has the manager it has."""
    records = open_records(table, endpoint)
    console = Console(markup=False)  # names are the firm's, and may hold brackets
    decisions = records.assignments.of_lead(lead_id)
    for decision in decisions:
        _print_decision(console, decision, records.departments.version(decision.department_version))
    waiting = _waiting(records, lead_id)
    if waiting:
        console.print(
            f"Lead {lead_id} waits for team {waiting.team} since {waiting.arrived_at:%Y-%m-%d %H:%M} UTC"
            f" ({waiting.reason}); next look at {waiting.next_check:%Y-%m-%d %H:%M} UTC."
        )
    if not decisions and not waiting:
        console.print(
            f"Nothing is known of lead {lead_id}: no hook told of it, or it came in a pipeline that is not distributed."
        )
        raise typer.Exit(1)


def _waiting(records: Records, lead_id: int) -> WaitingLead | None:
    teams = records.departments.current().teams
    rows = (row for team in teams for row in records.waiting_room.of_team(team.name))
    return next((row for row in rows if row.lead_id == lead_id), None)


def _print_decision(console: Console, decision: Assignment, department: Department) -> None:
    names = {team.duty: team.duty_name for team in department.teams if team.duty}
    names |= {member.user_id: member.name for team in department.teams for member in team.members}
    owner = names.get(decision.owner, str(decision.owner))
    console.print(
        f"Lead {decision.lead_id}, {decision.cause}, {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC: channel"
        f" {decision.channel}, team {decision.team} → {owner} ({decision.mode.value}, {decision.state.value};"
        f" department v{decision.department_version}, ledger v{decision.ledger_version})"
    )
    table = Table("manager", "claim", "owed in total", "after", "owed in channel", "after")
    for standing in decision.considered:
        table.add_row(names.get(standing.user_id, str(standing.user_id)), *_balances(standing, decision.owner))
    console.print(table)
    for rule, user_ids in decision.excluded.items():
        console.print(f"excluded, {rule}: {', '.join(names.get(user_id, str(user_id)) for user_id in user_ids)}")


def _balances(standing: Standing, owner: int) -> list[str]:
    paid = UNIT if standing.user_id == owner else 0
    total, channel = (balance + standing.claim - paid for balance in (standing.total, standing.channel))
    return [f"{value / UNIT:+.3f}" for value in (standing.claim, standing.total, total, standing.channel, channel)]
