"""`conveyor hooks`: what a webhook body says, without AWS and without amoCRM."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.errors import HookRejected
from functions.shared.hooks import MAX_BYTES, HookEvent, Reason, read_hook

LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""Legal inside JSON strings, but readers that split lines by Unicode's rules would break an event in two."""

hooks_app = typer.Typer(help="Webhooks of amoCRM.", no_args_is_help=True)

REMEDIES = {
    Reason.EMPTY: "save the raw request body, not the headers",
    Reason.TOO_LARGE: "no queue message is larger than this; look for what was appended to the body",
    Reason.TOO_MANY_FIELDS: "amoCRM sends about a hundred fields an item; send the items in several bodies",
    Reason.TOO_DEEP: "amoCRM nests about ten levels; look for repeated brackets in the keys",
    Reason.NOT_UTF8: "save the body byte for byte, without converting its encoding",
    Reason.NOT_JSON: "complete the JSON, or save the form-encoded body that was really sent",
    Reason.NOT_A_HOOK: "save the whole raw body of one webhook: it has keys like leads[add][0][id]",
}


@hooks_app.callback()
def hooks() -> None:
    """Webhooks of amoCRM."""


@hooks_app.command()
def parse(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Raw bodies: form-encoded, base64 or JSON; - is stdin.")
    ],
) -> None:
    """Print what webhook bodies say, one JSON object per event.

    Ends with 1 if a body was rejected and with 2 if a file could not be read; the other files are printed all the same.
    """
    raise typer.Exit(max([_parse(name) for name in files]))


def _parse(name: str) -> int:
    """Print the events of one file; the exit code it stands for."""
    try:
        events = read_hook(_content(name))
    except OSError as error:
        typer.echo(f"{name}: cannot be read: {error.strerror} — check the path", err=True)
        return 2
    except HookRejected as rejection:
        remedy = REMEDIES[Reason(rejection.reason)]
        typer.echo(f"{name}: rejected, {rejection.reason}: {rejection.detail} — {remedy}", err=True)
        return 1
    for event in events:
        typer.echo(_line(name, event))
    return 0


def _content(name: str) -> bytes:
    """The file, up to the byte that makes it too large."""
    if name == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _line(name: str, event: HookEvent) -> bytes:
    """JSON Lines are UTF-8 whatever the terminal's locale, hence bytes; a file name may hold what is not UTF-8."""
    shown = {
        "file": name,
        "entity": event.entity,
        "action": event.action,
        "id": event.id,
        "fields": event.fields,
        "account": event.account,
    }
    line = json.dumps(shown, ensure_ascii=False).translate(LINE_ENDS)
    return line.encode(errors="replace")
