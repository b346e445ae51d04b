"""`conveyor local` as a command: its first line, its options, its ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from tests.e2e.outside import COMMAND, ROOT, START_SECONDS, Outside, running, started


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that is expected to end by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )


def test_the_first_line_is_one_json_object_and_a_signal_ends_it_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, "--empty") as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(START_SECONDS) == 0
    assert rest == "", "everything else goes to stderr"
    assert list(addresses) == ["hooks", "events", "kpi", "amocrm", "google", "aws"]
    assert list(addresses["hooks"]) == ["leads", "stages", "clients", "tasks"]
    assert addresses["hooks"]["stages"] == addresses["hooks"]["leads"].replace("/leads", "/stages")
    assert addresses["hooks"]["tasks"] == addresses["hooks"]["leads"].replace("/leads", "/tasks")
    assert list(addresses["amocrm"]) == list(addresses["google"]) == ["url", "token"]


def test_bodies_arrive_base64_encoded_and_an_empty_account_stays_empty(tmp_path: Path) -> None:
    with running(tmp_path, "--base64-bodies", "--start", "2026-03-02T11:30+03:00") as stack:
        _, lead_id = stack.send_form()
        stack.settle()
        assert stack.lead(lead_id)["responsible_user_id"] != 0
        doors = ("LeadsQueue", "StagesQueue", "CareQueue", "MeetQueue")
        assert set(stack.queues()) == {f"conveyor-{door}" for door in doors}
        assert all(counts == {"visible": 0, "in_flight": 0, "dlq": 0} for counts in stack.queues().values())


def test_an_empty_stack_has_an_account_without_department_and_webhooks(tmp_path: Path) -> None:
    with running(tmp_path, "--empty") as stack:
        names = [row["name"] for row in stack.amocrm("GET", "leads/pipelines")["_embedded"]["pipelines"]]
        assert names == ["Воронка"]
        assert len(stack.users()) == 1
        assert stack.amocrm("GET", "webhooks") is None, "204: there are none"
        assert stack.post_hook(b"leads%5Badd%5D%5B0%5D%5Bid%5D=1").status_code == 200


def test_the_board_shows_the_pipelines(monday: Outside) -> None:
    board = httpx.get(f"{monday.addresses['amocrm']['url']}/board", trust_env=False)
    assert board.status_code == 200
    assert "Биржа лидов" in board.text


def test_another_process_reads_the_same_table(monday: Outside) -> None:
    _, lead_id = monday.send_form()
    monday.settle()
    aws = monday.addresses["aws"]
    explained = run("explain", str(lead_id), "--table", aws["table"], "--endpoint", aws["endpoint"])
    assert explained.returncode == 0, explained.stderr
    assert f"Lead {lead_id}" in explained.stdout
    unknown = run("explain", "999", "--table", aws["table"], "--endpoint", aws["endpoint"])
    assert unknown.returncode == 1


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("local", "--port", str(port), "--amocrm-port", "0", "--empty")
    assert ended.returncode == 2
    assert f"port {port}" in ended.stderr
    assert ended.stdout == ""


def test_a_department_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "department.yaml"
    file.write_text((ROOT / "department.example.yaml").read_text().replace("max_open: 40", "max_open: many"))
    ended = run("local", "--port", "0", "--amocrm-port", "0", "--department", str(file))
    assert ended.returncode == 2
    assert "line " in ended.stderr
    assert "max_open" in ended.stderr
    missing = run("local", "--port", "0", "--amocrm-port", "0", "--department", str(tmp_path / "none.yaml"))
    assert missing.returncode == 2
    assert "none.yaml" in missing.stderr


def test_a_wrong_start_says_what_would_be_right() -> None:
    ended = run("local", "--start", "morning")
    assert ended.returncode == 2
    assert "2026-03-02T09:00+03:00" in ended.stderr
