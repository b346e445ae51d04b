"""`conveyor hooks parse`, an integrator's first question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from functions.shared.hooks import MAX_BYTES, Reason
from infra.cli.hooks import REMEDIES, hooks_app

BODIES = Path(__file__).parents[1] / "hooks"


def test_each_event_is_one_json_object_on_a_line_of_its_own(tmp_path: Path) -> None:
    body = tmp_path / "body.form"
    body.write_text(
        "leads[status][0][id]=7&leads[status][0][name]=Окно&unsorted[delete][0][uid]=u1&account[subdomain]=example"
    )
    result = _run("parse", str(body))
    assert result.exit_code == 0
    assert "Окно" in result.stdout
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "file": str(body),
            "entity": "leads",
            "action": "status",
            "id": 7,
            "fields": {"id": "7", "name": "Окно"},
            "account": "example",
        },
        {
            "file": str(body),
            "entity": "unsorted",
            "action": "delete",
            "id": None,
            "fields": {"uid": "u1"},
            "account": "example",
        },
    ]


def test_all_recorded_bodies_are_printed() -> None:
    files = sorted(str(path) for path in BODIES.glob("[0-9]*.form"))
    result = _run("parse", *files)
    assert result.exit_code == 0
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == files


def test_a_rejected_file_is_named_with_reason_and_remedy_and_its_neighbours_are_printed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.form"
    bad.write_bytes(b"leads[add][0][name]=%FF")
    good = BODIES / "01-leads-add.form"
    result = _run("parse", str(bad), str(good))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert str(bad) in result.stderr
    assert "not_utf8: field 1 is not UTF-8 — save the body byte for byte" in result.stderr


@pytest.mark.parametrize("path", ["no-such-file.form", "."])
def test_a_file_that_cannot_be_read_ends_with_2_and_its_neighbours_are_printed(path: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.form"
    bad.write_bytes(b"hello")
    result = _run("parse", path, str(bad), str(BODIES / "01-leads-add.form"))
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 1
    assert f"{path}: cannot be read" in result.stderr
    assert "rejected, not_a_hook" in result.stderr


def test_a_dash_is_stdin() -> None:
    result = CliRunner().invoke(hooks_app, ["parse", "-"], input=b"task[add][0][id]=5\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": "-",
        "entity": "task",
        "action": "add",
        "id": 5,
        "fields": {"id": "5"},
        "account": None,
    }


def test_a_file_beyond_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    large = tmp_path / "large.form"
    with large.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: takes no room on the disk
    result = _run("parse", str(large))
    assert result.exit_code == 1
    assert "too_large" in result.stderr


def test_stdin_beyond_the_limit_is_rejected_and_not_cut() -> None:
    result = CliRunner().invoke(hooks_app, ["parse", "-"], input=b"leads[add][0][id]=1&x=" + b"y" * MAX_BYTES)
    assert result.exit_code == 1
    assert "too_large" in result.stderr


def test_every_reason_a_body_can_be_refused_for_has_a_remedy() -> None:
    assert set(Reason) - set(REMEDIES) == {Reason.BAD_BUS_EVENT, Reason.BAD_TICK, Reason.BAD_RECORD}


def _run(*arguments: str):
    return CliRunner().invoke(hooks_app, list(arguments))
