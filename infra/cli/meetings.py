"""`conveyor meetings doctor`: is the calendar in order, and what would be right where it is not?"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.meetings import Meetings
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.google.config import GoogleConfig
from functions.shared.adapters.google.gateway import build_google
from functions.shared.adapters.telemost.gateway import build_telemost
from functions.shared.meeting_plan import MeetingPlan, Provider
from functions.shared.ports import MeetingProvider
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from functions.shared.telemetry import telemetry
from infra.cli.records import Endpoint, TableName, explained
from infra.meetings.doctor import Check, examine

meetings_app = typer.Typer(help="Stand-ups and client calls.", no_args_is_help=True)

_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]![/]"}


@meetings_app.callback()
def _group() -> None:
    """Keeps `doctor` a command of its own while it is the only one."""


@meetings_app.command()
@explained()
def doctor(
    table: TableName,
    secrets: Annotated[
        str, typer.Option(envvar="SECRETS_PREFIX", help="Where the secrets lie in SSM, /conveyor/<stage>.")
    ] = "/conveyor/prod",
    endpoint: Endpoint = None,
    google: Annotated[
        str | None, typer.Option(help="Another Google: `conveyor local` prints its own as google.url.")
    ] = None,
) -> None:
    """Check the credential, the host's calendar, whose times are seen, and every stand-up. Writes nothing."""

    @cache
    def aws(service: str) -> Any:
        import boto3

        return boto3.client(service, endpoint_url=endpoint)

    records = Table(lambda: aws("dynamodb"), table)
    department = Departments(records).current()
    console = Console(highlight=False, soft_wrap=True)
    if department.meetings is None:
        console.print("This department has no `meetings:` in department.yaml: nothing to check.")
        return
    provider = provider_of(department.meetings, Runtime(aws=aws), table, secrets, google)
    meetings = Meetings(records)
    states = meetings.of(meetings.standups())
    checks = list(examine(department, department.meetings, provider, states, datetime.now(UTC)))
    for check in checks:
        console.print(line_of(check))
    if any(check.is_right is False for check in checks):
        raise typer.Exit(1)


def line_of(check: Check) -> str:
    return f"{_MARKS[check.is_right]} {check.name}: {check.words}"


def provider_of(plan: MeetingPlan, runtime: Runtime, table: str, secrets: str, google: str | None) -> MeetingProvider:
    if plan.provider is Provider.TELEMOST:
        settings = Settings(table, "", "", "", "", secrets)
        return build_telemost(settings, runtime)
    config = GoogleConfig() if google is None else GoogleConfig.at(google)
    return build_google(secrets, runtime, plan.host, telemetry("doctor"), config)
