"""`conveyor absent` and `conveyor back`: who does not take leads, from when, until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from functions.shared.absence import Absence
from functions.shared.department import Department, Member, Team
from infra.cli.records import Endpoint, Records, TableName, explained, open_records

Email = Annotated[str, typer.Argument(help="E-mail of the member, as in department.yaml.")]


@explained()
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
    now = datetime.now(UTC)
    places = _places(records.departments.current(), email)
    spans = [_span(start, end, member.timezone, now) for _, member in places]
    for (team, member), (first, last) in zip(places, spans, strict=True):
        absence = Absence(team.name, member.user_id, first, last, reason)
        others = _overlapping(records, absence)
        records.absences.add(absence)
        print(f"{member.name} takes no leads of {team.name} {_shown(absence, member.timezone)}.")
        for other in others:
            fate = "is replaced" if other.start.isoformat() == first.isoformat() else "stays in force beside it"
            print(f"Notice: an absence {_shown(other, member.timezone)} {fate}; `conveyor back` ends all of them.")


@explained()
def back(email: Email, table: TableName, endpoint: Endpoint = None) -> None:
    """End all absences of a member now."""
    records = open_records(table, endpoint)
    for team, member in _places(records.departments.current(), email):
        absences = _absences(records, team.name, member.user_id)
        for absence in absences:
            records.absences.remove(absence)
        print(f"{member.name} takes leads of {team.name} again ({len(absences)} absences removed).")
        if woken := records.waiting_room.wake(team.name, datetime.now(UTC)):
            print(f"Leads that wait for {team.name} and are looked at within a minute: {woken}.")


def _places(department: Department, email: str) -> list[tuple[Team, Member]]:
    wanted = email.casefold()
    found = [(team, one) for team in department.teams for one in team.members if one.email.casefold() == wanted]
    if not found:
        known = ", ".join(sorted({member.email for team in department.teams for member in team.members}))
        raise typer.BadParameter(f"{email} is in no team of this department; its members are {known}")
    return found


def _absences(records: Records, team: str, user_id: int) -> list[Absence]:
    return [absence for absence in records.absences.of_team(team) if absence.user_id == user_id]


def _overlapping(records: Records, absence: Absence) -> list[Absence]:
    """Those on record that share time with this one, the earliest first."""
    known = _absences(records, absence.team, absence.user_id)
    shared = [other for other in known if other.start < absence.end and absence.start < other.end]
    return sorted(shared, key=lambda other: other.start)


def _span(start: str, end: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """From and until when. The beginning may have passed (somebody fell ill yesterday), the end may not."""
    first = _moment(start, zone) if start else now
    last = _moment(end, zone, whole_day=True) if end else first + timedelta(days=1)
    if end and last <= now:
        raise typer.BadParameter(f"--to {end} is in the past: give the last day of an absence that is not over")
    if last <= first:
        raise typer.BadParameter(f"--to {end} is not after --from {start or 'now'}: give a later moment")
    if last <= now:
        raise typer.BadParameter(f"--from {start} is in the past, and without --to it means one day: give --to as well")
    return first, last


def _shown(absence: Absence, zone: ZoneInfo) -> str:
    first, last = absence.start.astimezone(zone), absence.end.astimezone(zone)
    return f"from {first:%Y-%m-%d %H:%M %Z} to {last:%Y-%m-%d %H:%M %Z}"


def _moment(text: str, zone: ZoneInfo, *, whole_day: bool = False) -> datetime:
    """A day means its beginning, or with `whole_day` its end."""
    try:
        moment = datetime.fromisoformat(text)
        if whole_day and len(text) == len("2026-11-23"):
            moment += timedelta(days=1)
        _ = moment - timedelta(days=2), moment + timedelta(days=2)  # every zone must be able to write it
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no date to plan with: write 2026-11-23 or 2026-11-23T14:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
