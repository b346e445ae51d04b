"""`conveyor explain LEAD_ID`: why it came to its manager, who was considered, who was excluded by which rule, balances
before and after; hand-overs and turns given back in the order in which they were decided."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from functions.shared.assignment import Assignment, HandOver, Mode, Standing, State, hop_of
from functions.shared.department import Department
from functions.shared.fairness import UNIT
from functions.shared.waiting import WaitingLead
from infra.cli.records import Endpoint, Records, TableName, explained, open_records

_STATES = {
    State.PENDING: "being carried out",
    State.APPLIED: "carried out",
    State.OVERTAKEN: "turn given back: a person was faster, or the lead had moved on",
    State.GONE: "turn given back: the lead was deleted or declined",
    State.WITHDRAWN: "turn given back: amoCRM refused the owner",
    State.REFUNDED: "turn given back: the lead was lost for a reason in `refunds`",
}

_MODES = {
    Mode.FAIR: "fairly next",
    Mode.OWN_CLIENT: "the client's own manager",
    Mode.MANUAL: "chosen by a person",
    Mode.SELF: "made the lead himself",
    Mode.DUTY: "on duty",
}


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
    for row in waiting:
        _print_wait(console, row, records.departments.current())
    if not decisions and not waiting:
        console.print(
            f"Nothing is known of lead {lead_id}: no hook told of it, or it came in a pipeline that is not distributed."
        )
        raise typer.Exit(1)


def _waiting(records: Records, lead_id: int) -> list[WaitingLead]:
    """It may still stand in the room of a team that it has left."""
    rows = records.waiting_room.of_department(records.departments.current())
    return [row for row in rows if row.lead_id == lead_id]


def _print_wait(console: Console, row: WaitingLead, department: Department) -> None:
    console.print(
        f"Lead {row.lead_id}, {_cause(row.cause, row.handed_over, _names(department))}, waits for team {row.team} since"
        f" {row.arrived_at:%Y-%m-%d %H:%M} UTC ({row.reason}); next look at {row.next_check:%Y-%m-%d %H:%M} UTC."
    )


def _print_decision(console: Console, decision: Assignment, department: Department) -> None:
    names = _names(department)
    console.print(
        f"Lead {decision.lead_id}, {_cause(decision.cause, decision.handed_over, names)},"
        f" {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC: channel {decision.channel}, team {decision.team} →"
        f" {_name(decision.owner, names)}, {_MODES[decision.mode]}; {_STATES[decision.state]}"
        f" (department v{decision.department_version}, ledger v{decision.ledger_version})"
    )
    table = Table("manager", "claim", "owed in total", "after", "owed in channel", "after")
    for standing in decision.considered:
        table.add_row(_name(standing.user_id, names), *_balances(standing, decision.owner))
    console.print(table)
    for rule, user_ids in decision.excluded.items():
        console.print(f"excluded, {rule}: {', '.join(_name(user_id, names) for user_id in user_ids)}")


def _cause(cause: str, handed: HandOver | None, names: dict[int, str]) -> str:
    """`hand-over 2 (route#2) from exchange.qualified, until then with Анна`"""
    if handed is None:
        return cause
    what = f"hand-over {hop} ({cause})" if (hop := hop_of(cause)) else "arrival as a copy"
    until_then = f", until then with {_name(handed.previous_owner, names)}" if handed.previous_owner else ""
    return f"{what} from {handed.from_place}{until_then}"


def _names(department: Department) -> dict[int, str]:
    names = {team.duty: team.duty_name for team in department.teams if team.duty}
    return names | {member.user_id: member.name for team in department.teams for member in team.members}


def _name(user_id: int, names: dict[int, str]) -> str:
    return names.get(user_id, str(user_id))


def _balances(standing: Standing, owner: int) -> list[str]:
    paid = UNIT if standing.user_id == owner else 0
    total, channel = (balance + standing.claim - paid for balance in (standing.total, standing.channel))
    return [f"{value / UNIT:+.3f}" for value in (standing.claim, standing.total, total, standing.channel, channel)]
