"""Where a department lives: its account, its table and the address of its hooks, from options or from its stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.errors import DepartmentInvalid, Finding
from infra.cli.stacks import Stack, find_stack
from infra.department.file import DepartmentFile

HOOK_TOKEN_FILE = Path(".conveyor", "hook-token")
"""Where `conveyor init` leaves it, beside department.yaml."""

PLACEHOLDER = "<HookToken>"
"""What stands in output HookUrl in its place: outputs are readable by many."""

BaseUrl = Annotated[
    str | None,
    typer.Option(envvar="AMOCRM_BASE_URL", help="https://<account>.amocrm.ru; FILE's amocrm.account by default."),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="AMOCRM_TOKEN", help="An administrator's token; that of the stack's secrets by default."),
]
HookUrl = Annotated[
    str | None,
    typer.Option(
        envvar="CONVEYOR_HOOK_URL",
        help="Where amoCRM's webhooks arrive, https://<host>/hooks/<token>; output HookUrl of the stack by default. "
        "/leads, /stages and /clients are put behind it, and /tasks where there are meetings.",
    ),
]
HookToken = Annotated[
    str | None,
    typer.Option(
        envvar="CONVEYOR_HOOK_TOKEN",
        help=f"Takes the place of {PLACEHOLDER} in the address; what {HOOK_TOKEN_FILE} holds by default.",
    ),
]
TableOrNone = Annotated[
    str | None, typer.Option("--table", envvar="TABLE_NAME", help="The DynamoDB table; that of the stack by default.")
]


@dataclass(frozen=True)
class Given:
    """What the command line says; None where it does not."""

    stack: str | None = None
    base_url: str | None = None
    token: str | None = None
    table: str | None = None
    hook_url: str | None = None
    hook_token: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class Place:
    """`hooks` is https://<host>/hooks/<token>, None where nobody says."""

    base_url: str
    token: str
    table: str
    hooks: str | None
    endpoint: str | None = None
    stack: Stack | None = None


def locate(file: DepartmentFile, path: Path, given: Given, *, with_hooks: bool) -> Place:
    """Everything that was given, else what the stack and the file say. `with_hooks`: there must be an address for them.

    Raises typer.BadParameter for what nobody says, DepartmentInvalid where the stack works for another account, and
    NotConfigured where there is no such stack.
    """
    hooks = hooks_at(given.hook_url, given.hook_token, path) if given.hook_url else None
    stack = find_stack(given.stack, given.endpoint) if given.stack else None
    if stack and hooks is None:
        hooks = hooks_at(stack.output("HookUrl"), given.hook_token, path, is_needed=with_hooks)
    if with_hooks and hooks is None:
        raise _missing("--hook-url")
    table = given.table or (stack.output("TableName") if stack else None)
    if table is None:
        raise _missing("--table")
    base_url = given.base_url or _base_url(file, stack)
    token = given.token or (stack.amocrm_token() if stack else None)
    if token is None:
        raise _missing("--token")
    return Place(base_url, token, table, hooks, given.endpoint, stack)


def hooks_at(url: str, token: str | None, path: Path, *, is_needed: bool = True) -> str | None:
    """The address with its token, None where there is none but need not be."""
    if PLACEHOLDER in url:
        token = token or _kept_token(path)
        if token is None and not is_needed:
            return None
        url = url.replace(PLACEHOLDER, token or PLACEHOLDER)
    if not url.startswith(("https://", "http://")) or "/hooks/" not in url or "<" in url:
        raise typer.BadParameter(
            "give https://<host>/hooks/<token>, the output HookUrl with your token in its place, "
            f"or keep the token in {HOOK_TOKEN_FILE} as `conveyor init` does",
            param_hint="--hook-url",
        )
    return url


def _kept_token(path: Path) -> str | None:
    for folder in (path.parent, Path()):
        if (kept := folder / HOOK_TOKEN_FILE).is_file():
            return kept.read_text(encoding="utf-8").strip() or None
    return None


def _base_url(file: DepartmentFile, stack: Stack | None) -> str:
    account = file.spec.amocrm.account
    works_for = stack.parameters.get("AmoCrmBaseUrl", "") if stack else ""
    if stack and works_for and works_for != f"https://{account}":
        where, line = "amocrm.account", file.document.line(("amocrm", "account"))
        remedy = f"correct the address, or deploy the stack with AmoCrmBaseUrl=https://{account}"
        raise DepartmentInvalid([Finding(where, line, f"stack {stack.name} works for {works_for}", remedy)])
    return f"https://{account}"


def _missing(option: str) -> typer.BadParameter:
    return typer.BadParameter("is missing: give it, or --stack NAME", param_hint=option)
