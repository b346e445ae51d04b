from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infra.cli.department import apply, check

EXAMPLE = Path(__file__).parents[2] / "department.example.yaml"

app = typer.Typer()
app.command()(check)
app.command()(apply)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The example with three mistakes."""
    path = tmp_path / "department.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("weight: 0.5", "weight: 0")
    path.write_text(text.replace("Europe/Moscow", "Europe/Moskow"), encoding="utf-8")
    return path


def test_check_shows_what_the_file_means() -> None:
    result = CliRunner().invoke(app, ["check", str(EXAMPLE)])
    assert result.exit_code == 0
    assert "lead_desk: level 1; Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00" in result.stdout
    assert "boris@oknaplus.example: weight 1/2; Mon-Fri 14:00-22:00" in result.stdout
    assert "«Прогрев»: На прогрев → Прогревается → Прогрет" in result.stdout
    assert "14 routes; `conveyor plan` tells them" in result.stdout
    assert result.stderr == ""


def test_check_names_all_mistakes_and_says_so_in_its_exit_code(broken: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(broken)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "timezone: 'Europe/Moskow' — did you mean Europe/Moscow?" in result.stderr
    assert result.stderr.endswith("3 things to correct.\n")


def test_check_shows_the_meetings_and_notices_what_the_provider_cannot_do(tmp_path: Path) -> None:
    path = tmp_path / "department.yaml"
    path.write_text(
        """\
department: Окна Плюс
timezone: Europe/Moscow
amocrm: {account: oknaplus.amocrm.ru}
model: one_level
teams: {sales: {members: [anna@oknaplus.example, boris@oknaplus.example]}}
meetings:
  provider: telemost
  standups: [{team: sales, at: "Пн-Ср, Пт 9:15", timezone: Asia/Omsk}]
  client_calls: {record: true}
""",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 0
    assert "«Планёрка»: Mon-Wed, Fri 09:15; Asia/Omsk; 15 min\n" in result.stdout
    assert "    sales: anna@oknaplus.example, boris@oknaplus.example\n" in result.stdout
    assert "client calls from tasks «Встреча»: 30 min; recorded\n" in result.stdout
    assert "meetings: telemost, anna@oknaplus.example\n" in result.stdout
    assert "line 9: meetings.client_calls.record: Telemost does not record by itself" in result.stderr


WHERE = ["--base-url", "https://oknaplus.amocrm.ru", "--token", "t", "--table", "t"]


def test_apply_of_a_broken_file_reaches_nobody(broken: Path) -> None:
    # sockets are off: an attempt to reach amoCRM or AWS would be another error
    result = CliRunner().invoke(app, ["apply", str(broken), *WHERE, "--hook-url", "https://x.example/hooks/token"])
    assert result.exit_code == 2
    assert result.stderr.endswith("3 things to correct.\n")


@pytest.mark.parametrize("url", ["https://x.example/hooks/<HookToken>", "x.example/hooks/t", "https://x.example/"])
def test_an_address_that_amocrm_could_not_call_is_refused_at_once(url: str) -> None:
    result = CliRunner().invoke(app, ["apply", str(EXAMPLE), *WHERE, "--hook-url", url])
    assert result.exit_code == 2
    assert "https://<host>/hooks/<token>" in " ".join(result.stderr.split())
