"""The department's records for commands that read or write the table: of a deployed stack or of the local one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import typer

from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.errors import ConveyorError

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
    merges: Merges
    books: RuleBookStore


def open_records(table_name: str, endpoint: str | None) -> Records:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("dynamodb", endpoint_url=endpoint)

    table = Table(client, table_name)
    return Records(
        Departments(table),
        Assignments(table),
        WaitingRoom(table),
        Absences(table),
        Merges(table),
        RuleBookStore(table),
    )


@contextmanager
def explained() -> Iterator[None]:
    """What went wrong and what helps, in one line and with exit code 1 instead of a traceback; also a decorator."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ConveyorError, ClientError, BotoCoreError) as error:
        print(_in_one_line(error), file=sys.stderr)
        raise typer.Exit(1) from error


_CREDENTIALS = "log in (`aws sso login`) or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

_REMEDIES = {
    "ResourceNotFoundException": "there is no such table: compare --table with output TableName of the stack, and"
    " AWS_DEFAULT_REGION with its region",
    "ValidationException": "DynamoDB refused the request: is --table the table of this stack (output TableName)?",
    "NoRegionError": "no AWS region: set AWS_DEFAULT_REGION to the region of the stack",
    "ProfileNotFound": "there is no such AWS profile: correct AWS_PROFILE",
    "EndpointConnectionError": "AWS cannot be reached: check the network, AWS_DEFAULT_REGION and --endpoint",
    "ConnectTimeoutError": "AWS cannot be reached: check the network, AWS_DEFAULT_REGION and --endpoint",
    "AccessDeniedException": "AWS does not allow it: use credentials that may read and write the table",
    "NoCredentialsError": f"no AWS credentials: {_CREDENTIALS}",
    "PartialCredentialsError": f"half of the AWS credentials is missing: {_CREDENTIALS}",
} | dict.fromkeys(
    (
        "CredentialRetrievalError",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    ),
    f"AWS does not take these credentials: {_CREDENTIALS}",
)
"""By code of AWS's answer, or name of botocore's error where there was none."""


def _in_one_line(error: Exception) -> str:
    """The table turns botocore's errors into ours, which name them as their cause."""
    cause = error.__cause__ or error
    code = getattr(cause, "response", {}).get("Error", {}).get("Code") or type(cause).__name__
    return _REMEDIES.get(code) or " ".join(str(error).split())
