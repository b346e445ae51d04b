"""`conveyor plan`: what the department does, in words and as a picture; amoCRM is not asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.department import File, explained_file, print_notices
from infra.department.diagram import draw
from infra.department.file import load
from infra.department.story import tell


def plan(
    file: File,
    *,
    diagram: Annotated[
        Path | None, typer.Option(help="Write the department as a picture into this file.", metavar="OUT.svg")
    ] = None,
) -> None:
    """Tell what FILE makes of the department: who works where, every route, the way of a lead, the meetings."""
    with explained_file():
        department = load(file)
        heading, chapters = tell(department)
        print(heading)
        for chapter in chapters:
            print(f"\n{chapter.title}")
            for line in chapter.lines:
                print(f"  {line}")
        print_notices(department.notices)
        if diagram:
            _write(diagram, draw(department))


def _write(path: Path, svg: str) -> None:
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from error
    print(f"The picture is in {path}.", file=sys.stderr)
