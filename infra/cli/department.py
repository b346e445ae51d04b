"""`conveyor check` and `conveyor apply`: department.yaml from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.clock import SystemClock
from functions.shared.errors import AmbiguousWrite, DepartmentInvalid, Finding
from infra.cli.records import Endpoint, TableName, explained, open_records
from infra.department.file import DepartmentFile, load
from infra.department.meetings import Meetings
from infra.department.meetings_story import days_at
from infra.department.preset import MODELS
from infra.department.schema import DepartmentSpec

INVALID = 2
"""Exit code for a file that has to be corrected; 1 is for everything else that went wrong."""

File = Annotated[Path, typer.Argument(help="The department, see department.example.yaml.", metavar="FILE")]


def _hooks_url(value: str) -> str:
    if not value.startswith(("https://", "http://")) or "/hooks/" not in value or "<" in value:
        raise typer.BadParameter("give https://<host>/hooks/<token>, the output HookUrl with your token in its place")
    return value


def check(file: File) -> None:
    """Say whether FILE is a valid department, and what it says; amoCRM is not asked."""
    with explained_file():
        department = load(file)
        _print_summary(department)
        print_notices(department.notices)


def apply(
    file: File,
    *,
    base_url: Annotated[str, typer.Option(envvar="AMOCRM_BASE_URL", help="https://<account>.amocrm.ru")],
    token: Annotated[str, typer.Option(envvar="AMOCRM_TOKEN", help="An administrator's token.")],
    hook_url: Annotated[
        str,
        typer.Option(
            callback=_hooks_url,
            help="Where amoCRM's webhooks arrive, https://<host>/hooks/<token>: output HookUrl with your token in its "
            "place; /leads, /stages and /clients are put behind it, and /tasks where there are meetings.",
        ),
    ],
    table: TableName,
    endpoint: Endpoint = None,
) -> None:
    """Bring amoCRM and the table to what FILE says; what is there already stays. Safe to repeat."""
    from infra.department.amocrm import open_client
    from infra.department.apply import apply as apply_department

    with explained_file():
        clock, records = SystemClock(), open_records(table, endpoint)
        client = open_client(base_url, token, clock)
        stores = records.departments, records.waiting_room, records.books
        applied = apply_department(load(file), client, *stores, hook_url, clock.now())
        for change in applied.changes:
            print(change)
        print(f"Department «{applied.department.name}» is in force as version {applied.department.version}.")
        print_notices(applied.notices)


def _print_summary(file: DepartmentFile) -> None:
    spec = file.spec
    print(f"{spec.department}: {spec.model}, {spec.timezone.key}, {spec.amocrm.account}")
    for (name, team), levels in zip(spec.teams.items(), MODELS[spec.model], strict=True):
        print(f"  {name}: level {', '.join(map(str, sorted(levels)))}; {team.hours}")
        for member in team.members:
            hours = f"; {member.hours}" if member.hours else ""
            zone = f"; {member.timezone.key}" if member.timezone else ""
            paused = "; paused" if member.paused else ""
            print(f"    {member.email}: weight {member.weight}{hours}{zone}{paused}")
    for pipeline in file.pipelines:
        print(f"  «{pipeline.name}»: {' → '.join(stage.name for stage in pipeline.stages)}")
    print(f"  {len(file.routes)} routes; `conveyor plan` tells them")
    if file.care.rules:
        print(f"  {len(file.care.rules)} rules of aftercare; `conveyor plan` tells them")
    if file.meetings:
        _print_meetings(file.meetings, spec)


def _print_meetings(meetings: Meetings, spec: DepartmentSpec) -> None:
    for standup in meetings.standups:
        recorded = "; recorded" if standup.is_recorded else ""
        print(f"  «{standup.name}»: {days_at(standup, 'en')}; {standup.zone.key}; {standup.minutes} min{recorded}")
        print(f"    {standup.team}: {', '.join(member.email for member in spec.teams[standup.team].members)}")
    if calls := meetings.calls:
        recorded = "; recorded" if calls.is_recorded else ""
        print(f"  client calls from tasks «{calls.task_type}»: {calls.minutes} min{recorded}")
    print(f"  meetings: {meetings.provider.value}, {meetings.host}")


def print_notices(notices: Iterable[Finding]) -> None:
    for notice in notices:
        print(f"notice: {notice}", file=sys.stderr)


@contextmanager
def explained_file() -> Iterator[None]:
    """Errors of ours as text for a person instead of a traceback."""
    with explained():
        try:
            yield
        except DepartmentInvalid as error:
            for finding in error.findings:
                print(finding, file=sys.stderr)
            count = len(error.findings)
            print(f"{count} {'thing' if count == 1 else 'things'} to correct.", file=sys.stderr)
            raise typer.Exit(INVALID) from error
        except AmbiguousWrite as error:
            print(
                f"amoCRM gave no clear answer: {error}\nApply again: what was done already is found.", file=sys.stderr
            )
            raise typer.Exit(1) from error
