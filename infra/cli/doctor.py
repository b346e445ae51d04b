"""`conveyor doctor`: is the whole installation well, and what would be right where it is not?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from functions.shared.adapters.amocrm.client import open_http
from functions.shared.adapters.amocrm.config import AmoCrmConfig
from functions.shared.adapters.dynamodb.meetings import Meetings
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.clock import SystemClock
from functions.shared.errors import ConveyorError
from functions.shared.runtime import Runtime
from infra.cli.department import explained_file
from infra.cli.meetings import line_of, provider_of
from infra.cli.places import BaseUrl, Given, HookToken, HookUrl, Place, TableOrNone, Token, locate
from infra.cli.records import Endpoint, open_records
from infra.cli.stacks import StackName, aws_client
from infra.department.file import DepartmentFile, load
from infra.department.webhooks import hooks_base
from infra.meetings import doctor as of_meetings
from infra.meetings.doctor import Check
from infra.setup.doctor import Patient, examine
from infra.setup.doctor_aws import examine_stack


def doctor(
    file: Annotated[Path, typer.Argument(help="The department, as it was applied.", metavar="FILE")] = Path(
        "department.yaml"
    ),
    *,
    stack: StackName = None,
    base_url: BaseUrl = None,
    token: Token = None,
    hook_url: HookUrl = None,
    hook_token: HookToken = None,
    table: TableOrNone = None,
    google: Annotated[
        str | None, typer.Option(help="Another Google: `conveyor local` prints its own as google.url.")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Check amoCRM, the department, the stack and the calendar; each finding with its remedy, exit code 1 if there are
    any. Writes nothing."""
    with explained_file():
        department = load(file)
        given = Given(stack, base_url, token, table, hook_url, hook_token, endpoint)
        place = locate(department, file, given, with_hooks=False)
        console = Console(highlight=False, soft_wrap=True)
        is_well = True
        for check in _checks(department, place, google):
            console.print(line_of(check))
            is_well = is_well and check.is_right is not False
    if not is_well:
        raise typer.Exit(1)


def _checks(file: DepartmentFile, place: Place, google: str | None) -> Iterator[Check]:
    from infra.department.amocrm import open_client

    clock, records = SystemClock(), open_records(place.table, place.endpoint)
    patient = Patient(
        file=file,
        client=open_client(place.base_url, place.token, clock),
        departments=records.departments,
        book=records.books.current,
        absences=records.absences.of_team,
        crm_time=partial(crm_time, place.base_url),
        hooks=hooks_base(place.hooks) if place.hooks else None,
    )
    yield from examine(patient, clock)
    if place.stack:
        aws = partial(aws_client, endpoint=place.endpoint)
        yield from examine_stack(place.stack.outputs, place.stack.stage, aws)
    else:
        yield Check("stack", None, "not looked at: give --stack NAME")
    yield from _calendar(place, google, clock.now())


def _calendar(place: Place, google: str | None, now: datetime) -> Iterator[Check]:
    """What `conveyor meetings doctor` says, where there are meetings."""
    aws = partial(aws_client, endpoint=place.endpoint)
    table = Table(lambda: aws("dynamodb"), place.table)
    try:
        department = open_records(place.table, place.endpoint).departments.current()
    except ConveyorError:
        return
    if department.meetings is None:
        return
    secrets = place.stack.secrets if place.stack else "/conveyor/prod"
    provider = provider_of(department.meetings, Runtime(aws=aws), place.table, secrets, google)
    meetings = Meetings(table)
    states = meetings.of(meetings.standups())
    yield from of_meetings.examine(department, department.meetings, provider, states, now)


def crm_time(base_url: str) -> datetime | None:
    """amoCRM's clock, by the Date of any answer: without a token it is a 401."""
    import httpx

    try:
        with open_http(AmoCrmConfig(base_url), None) as http:
            told = http.get("/api/v4/account").headers.get("Date")
    except httpx.HTTPError:
        return None
    return parsedate_to_datetime(told) if told else None
