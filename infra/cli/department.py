"""`conveyor check` and `conveyor apply`: department.yaml from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from functions.shared.clock import SystemClock
from functions.shared.errors import AmbiguousWrite, DepartmentInvalid, Finding
from infra.cli.places import BaseUrl, Given, HookToken, HookUrl, TableOrNone, Token, locate
from infra.cli.records import Endpoint, explained, open_records
from infra.cli.stacks import StackName
from infra.department.apply import STEPS, Report, silent
from infra.department.file import DepartmentFile, load
from infra.department.meetings import Meetings
from infra.department.meetings_story import days_at
from infra.department.preset import MODELS
from infra.department.schema import DepartmentSpec

INVALID = 2
"""Exit code for a file that has to be corrected; 1 is for everything else that went wrong."""

File = Annotated[Path, typer.Argument(help="The department, see department.example.yaml.", metavar="FILE")]


def check(file: File) -> None:
    """Say whether FILE is a valid department, and what it says; amoCRM is not asked."""
    with explained_file():
        department = load(file)
        _print_summary(department)
        print_notices(department.notices)


def apply(
    file: File,
    *,
    stack: StackName = None,
    base_url: BaseUrl = None,
    token: Token = None,
    hook_url: HookUrl = None,
    hook_token: HookToken = None,
    table: TableOrNone = None,
    endpoint: Endpoint = None,
) -> None:
    """Bring amoCRM and the table to what FILE says; what is there already stays. Safe to repeat."""
    from infra.department.amocrm import open_client
    from infra.department.apply import apply as apply_department

    with explained_file():
        department = load(file)
        given = Given(stack, base_url, token, table, hook_url, hook_token, endpoint)
        place = locate(department, file, given, with_hooks=True)
        clock, records = SystemClock(), open_records(place.table, endpoint)
        client = open_client(place.base_url, place.token, clock)
        stores = records.departments, records.waiting_room, records.books
        with progress(STEPS) as report:
            applied = apply_department(department, client, *stores, str(place.hooks), clock.now(), report)
        for change in applied.changes:
            print(change)
        print(f"Department «{applied.department.name}» is in force as version {applied.department.version}.")
        print_notices(applied.notices)


@contextmanager
def progress(steps: int) -> Iterator[Report]:
    """A bar on stderr that says what is being done; silent where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=steps)
        yield lambda step: bar.update(task, description=step, advance=1)


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
