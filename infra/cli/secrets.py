"""`conveyor secrets`: tokens and keys from people to SSM, without an echo."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from functions.activity_intake.credentials import EVENTS_CREDENTIALS
from functions.shared.errors import BadInput
from infra.cli.records import Endpoint, explained
from infra.cli.sources import PROD
from infra.department.findings import choice
from infra.setup.secret_shapes import SHAPES, Checked, checked, joined
from infra.setup.secret_store import SecretShelf, Stored
from infra.setup.stage import is_stage
from infra.setup.text_file import read_text, text_of

secrets_app = typer.Typer(help="Tokens and keys in SSM; none is ever shown.", no_args_is_help=True)

INVALID = 2
"""Exit code for a value that has to be corrected; 1 is for everything else that went wrong."""


def _stage(value: str) -> str:
    if not is_stage(value):
        raise typer.BadParameter("lower-case letters, digits and hyphens, at most 16, beginning with a letter")
    return value


def _name(value: str) -> str:
    if value == EVENTS_CREDENTIALS:
        raise typer.BadParameter("`conveyor sources add` makes the credentials of a source, `rotate` new ones")
    if value not in SHAPES:
        raise typer.BadParameter(choice(value, [*SHAPES]))
    return value


Stage = Annotated[
    str,
    typer.Option(
        envvar="STAGE",
        callback=_stage,
        help="Parameter Stage of the stack: secrets lie in SSM below /conveyor/<stage>.",
    ),
]
Name = Annotated[str, typer.Argument(callback=_name, help=f"One of: {', '.join(SHAPES)}.", metavar="NAME")]


@secrets_app.command("set", context_settings={"allow_extra_args": True})
@explained()
def set_secret(
    context: typer.Context,
    name: Name,
    stage: Stage = PROD,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file that holds the value; - is stdin.", metavar="FILE")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Store a secret as SecureString: asked for without an echo, from stdin, or from a file. Checked before it is
    stored; the functions take it within five minutes."""
    shelf = open_shelf(stage, endpoint)
    try:
        _nothing_more(context)
        told = checked(name, _given(name, file, shelf), datetime.now(UTC))
    except BadInput as error:
        print(f"{error}\nNothing was stored.", file=sys.stderr)
        raise typer.Exit(INVALID) from None
    _store(shelf, name, told)


@secrets_app.command("list")
@explained()
def list_secrets(stage: Stage = PROD, endpoint: Endpoint = None) -> None:
    """Name the secrets and when they were changed; their values are not even read."""
    shelf = open_shelf(stage, endpoint)
    found = {each.name: each for each in shelf.stored()}
    grid = Grid("secret", "changed", "what it is")
    for name in [*SHAPES, EVENTS_CREDENTIALS, *sorted(found.keys() - SHAPES.keys() - {EVENTS_CREDENTIALS})]:
        grid.add_row(name, _changed(found.get(name)), _what(name, found.keys()))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(f"Below {shelf.prefix}/:")
    console.print(grid)


WIDE = 120
"""Columns of a table that no terminal limits."""


def open_shelf(stage: str, endpoint: str | None) -> SecretShelf:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("ssm", endpoint_url=endpoint)

    return SecretShelf(client, stage)


def _nothing_more(context: typer.Context) -> None:
    """A value on the command line: the usual error would repeat it on the screen."""
    if context.args:
        raise BadInput(
            "give NAME alone: what stands on the command line is kept by the shell and seen by all processes"
        )


def _given(name: str, file: Path | None, shelf: SecretShelf) -> str:
    """What was given by whichever way; nothing of it is echoed."""
    if file is not None and str(file) != "-":
        return read_text(file)
    if file is not None or not is_terminal():
        return text_of(sys.stdin.buffer.read(), "the text on stdin")
    shape = SHAPES[name]
    if shape.is_file:
        raise BadInput(f"{name} is too long to be typed: conveyor secrets set {name} --file key.json")
    print(f"{name}, the {shape.what}, goes to {shelf.path(name)}. What you type is not shown.", file=sys.stderr)
    if shape.asked:
        return joined(name, [_asked(field.name) for field in shape.asked])
    return _asked(name)


def _asked(what: str) -> str:
    # the terminal itself cuts lines, on Linux at 4095 bytes: what is so long would lose its end without a word
    value = str(typer.prompt(what, hide_input=True, prompt_suffix=": ", err=True))
    if len(value.encode(errors="surrogateescape")) >= LONGEST_LINE:
        raise BadInput(f"{what} is too long for a terminal: store it with --file")
    return value


LONGEST_LINE = 4095


def is_terminal() -> bool:
    return sys.stdin.isatty()


def _store(shelf: SecretShelf, name: str, told: Checked) -> None:
    shape = SHAPES[name]
    if shape.is_for_ever:
        if not shelf.put_once(name, told.value):
            raise BadInput(
                f"{shelf.path(name)} is there already and must never change: every stored hash would belong to nobody"
            )
        print(f"Stored {shelf.path(name)}. It must never change: keep a copy of it in a safe place.")
        return
    version = shelf.put(name, told.value)
    print(f"Stored {shelf.path(name)}{'' if version == 1 else f', version {version}'}.")
    for notice in filter(
        None, (told.notice, shape.before and f"Where {shape.before} is stored too, that one is used.")
    ):
        print(notice)


def _changed(stored: Stored | None) -> str:
    if stored is None:
        return "—"
    times = "" if stored.version == 1 else f", version {stored.version}"
    return f"{stored.changed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{times}"


def _what(name: str, found: Any) -> str:
    if name == EVENTS_CREDENTIALS:
        return "credentials of the sources of facts: `conveyor sources`"
    if name not in SHAPES:
        return "unknown to Conveyor"
    shape = SHAPES[name]
    hidden = f"; not used, {shape.before} is there" if name in found and shape.before in found else ""
    return shape.what + hidden
