"""`conveyor absent` and `conveyor back`: who does not take leads, from when, until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from functions.shared.absence import Absence
from functions.shared.department import Department, Member, Team
from infra.cli.records import Endpoint, TableName, open_records

Email = Annotated[str, typer.Argument(help="E-mail of the member, as in department.yaml.")]


def absent(
    email: Email,
    table: TableName,
    start: Annotated[str, typer.Option("--from", help="2026-11-23 or 2026-11-23T14:00, in the member's zone.")] = "",
    end: Annotated[str, typer.Option("--to", help="The last day (2026-11-27), or the moment he is back.")] = "",
    reason: Annotated[str, typer.Option(help="For people; not sent anywhere.")] = "",
    endpoint: Endpoint = None,
) -> None:
    """Take a member out of distribution for a time; he accrues no debt and returns to no flood."""
    records = open_records(table, endpoint)
    for team, member in _places(records.departments.current(), email):
        first = _moment(start, member.timezone) if start else datetime.now(UTC)
        last = _moment(end, member.timezone, whole_day=True) if end else first + timedelta(days=1)
        if last <= first:
            raise typer.BadParameter(f"--to {end} is not after --from {start or 'now'}: give a later moment")
        records.absences.add(Absence(team.name, member.user_id, first, last, reason))
        print(
            f"{member.name} takes no leads of {team.name} from {first:%Y-%m-%d %H:%M %Z} to {last:%Y-%m-%d %H:%M %Z}."
        )


def back(email: Email, table: TableName, endpoint: Endpoint = None) -> None:
    """End all absences of a member now."""
    records = open_records(table, endpoint)
    for team, member in _places(records.departments.current(), email):
        absences = [absence for absence in records.absences.of_team(team.name) if absence.user_id == member.user_id]
        for absence in absences:
            records.absences.remove(absence)
        print(f"{member.name} takes leads of {team.name} again ({len(absences)} absences removed).")


def _places(department: Department, email: str) -> list[tuple[Team, Member]]:
    wanted = email.casefold()
    found = [(team, one) for team in department.teams for one in team.members if one.email.casefold() == wanted]
    if not found:
        known = ", ".join(sorted({member.email for team in department.teams for member in team.members}))
        raise typer.BadParameter(f"{email} is in no team of this department; its members are {known}")
    return found


def _moment(text: str, zone: ZoneInfo, *, whole_day: bool = False) -> datetime:
    """A day means its beginning, or with `whole_day` its end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write 2026-11-23 or 2026-11-23T14:00") from None
    if whole_day and len(text) == len("2026-11-23"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
