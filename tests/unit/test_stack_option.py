"""Whatever works on the table takes `--stack` in the table's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from infra.cli.main import app


def commands(group: typer.Typer, *path: str) -> Iterator[tuple[tuple[str, ...], Callable[..., Any]]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield (*path, command.name or command.callback.__name__.replace("_", "-")), command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None and inner.name is not None
        yield from commands(inner.typer_instance, *path, inner.name)


ON_THE_TABLE = [path for path, command in commands(app) if "table" in inspect.signature(command).parameters]


@pytest.mark.parametrize("path", ON_THE_TABLE, ids=" ".join)
def test_every_command_on_the_table_has_the_option(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert "--stack" in result.stdout and "--table" in result.stdout


def test_there_are_such_commands() -> None:
    assert {("apply",), ("plan",), ("doctor",), ("explain",), ("absent",), ("merges", "undo")} <= set(ON_THE_TABLE)
