"""`conveyor plan`: what the department does, in words and as a picture; and what apply would change, like a diff."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from functions.shared.clock import SystemClock
from infra.cli.department import File, explained_file, print_notices, progress
from infra.cli.places import BaseUrl, Given, HookToken, HookUrl, TableOrNone, Token, locate
from infra.cli.records import Endpoint, open_records
from infra.cli.stacks import StackName
from infra.department.changes import Change, Mark
from infra.department.diagram import draw
from infra.department.drift import drift, is_something
from infra.department.file import DepartmentFile, load
from infra.department.story import tell
from infra.department.survey import look
from infra.department.webhooks import hooks_base

CHANGES = 3
"""Exit code where apply would do something."""

_STYLES = {Mark.NEW: "green", Mark.CHANGED: "yellow", Mark.GONE: "red", Mark.SAME: "dim"}
_WORDS = {Mark.NEW: "to create", Mark.CHANGED: "to change", Mark.GONE: "to remove"}


def plan(
    file: File,
    *,
    diagram: Annotated[
        Path | None, typer.Option(help="Write the department as a picture into this file.", metavar="OUT.svg")
    ] = None,
    against: Annotated[
        bool,
        typer.Option(
            "--against", help="Compare FILE with amoCRM and with what is in force, like a diff; nothing is written."
        ),
    ] = False,
    stack: StackName = None,
    base_url: BaseUrl = None,
    token: Token = None,
    hook_url: HookUrl = None,
    hook_token: HookToken = None,
    table: TableOrNone = None,
    endpoint: Endpoint = None,
) -> None:
    """Tell what FILE makes of the department; or, with --against, what apply would change (exit code 3; 0: nothing)."""
    with explained_file():
        department = load(file)
        if against:
            given = Given(stack, base_url, token, table, hook_url, hook_token, endpoint)
            _compare(department, file, given)
            return
        heading, chapters = tell(department)
        print(heading)
        for chapter in chapters:
            print(f"\n{chapter.title}")
            for line in chapter.lines:
                print(f"  {line}")
        print_notices(department.notices)
        if diagram:
            _write(diagram, draw(department))


def _compare(file: DepartmentFile, path: Path, given: Given) -> None:
    from infra.department.amocrm import open_client

    place = locate(file, path, given, with_hooks=False)
    clock, records = SystemClock(), open_records(place.table, given.endpoint)
    client = open_client(place.base_url, place.token, clock)
    base = hooks_base(place.hooks) if place.hooks else None
    with progress(1) as report:
        report("reading the account")
        survey = look(file, client, records.departments, base)
        lines = list(drift(survey, records.books.current(), clock.now(), base))
    _print(lines)
    if base is None:
        print("The webhooks were not compared: give --hook-url, or --hook-token with --stack.", file=sys.stderr)
    print_notices((*file.notices, *survey.notices))
    if any(map(is_something, lines)):
        raise typer.Exit(CHANGES)


def _print(lines: list[Change]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text(f"{line.mark} {line.what}", style=_STYLES[line.mark]))
    counted = Counter(line.mark for line in lines)
    told = ", ".join(f"{counted[mark]} {words}" for mark, words in _WORDS.items() if counted[mark])
    console.print(f"{told}." if told else "Nothing to do.")


def _write(path: Path, svg: str) -> None:
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from error
    print(f"The picture is in {path}.", file=sys.stderr)
