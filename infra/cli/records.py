"""The department's records for commands that read or write the table: of a deployed stack or of the local one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import typer

from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom

TableName = Annotated[
    str, typer.Option("--table", envvar="TABLE_NAME", help="The DynamoDB table (output TableName of the stack).")
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="AWS_ENDPOINT_URL", help="Another AWS endpoint: `conveyor local` prints its own as aws.endpoint."
    ),
]


@dataclass(frozen=True)
class Records:
    departments: Departments
    assignments: Assignments
    waiting_room: WaitingRoom
    absences: Absences


def open_records(table_name: str, endpoint: str | None) -> Records:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("dynamodb", endpoint_url=endpoint)

    table = Table(client, table_name)
    return Records(Departments(table), Assignments(table), WaitingRoom(table), Absences(table))
