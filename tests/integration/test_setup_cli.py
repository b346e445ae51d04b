"""`conveyor apply` and `conveyor plan` as an integrator types them, against a deployed stack and against mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import typer
from click.testing import Result
from moto import mock_aws
from typer.testing import CliRunner

from functions.shared.adapters.amocrm.config import AmoCrmConfig
from infra.cli import doctor as doctor_command
from infra.cli.department import apply, check
from infra.cli.doctor import doctor
from infra.cli.explain import explain
from infra.cli.plan import plan
from infra.cli.stacks import at_stack
from infra.department import amocrm
from infra.local.amocrm_simulator.model import Pipeline
from tests.installation import HOOKS, TEXT, Installation, Wire, install

HOOK_TOKEN = HOOKS.rpartition("/")[2]
OUTPUT = HOOKS.replace(HOOK_TOKEN, "<HookToken>")

app = typer.Typer()
for command in (check, apply, plan, doctor, at_stack(explain)):
    app.command()(command)


class Shell:
    """A folder with a department.yaml, and a stack «conveyor» that is deployed for it."""

    def __init__(self, folder: Path, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "department.yaml"
        self.file.write_text(TEXT, encoding="utf-8")
        self.installation = installation
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.asked_at: list[str] = []
        self.token = installation.world.add_token("setup", installation.world.admin.id)
        opened = amocrm.open_client

        def open_client(base_url: str, token: str, clock: object) -> Any:
            self.asked_at.append(base_url)
            return opened(base_url, token, installation.clock, Bent(self, installation.wire()))

        monkeypatch.setattr(amocrm, "open_client", open_client)
        monkeypatch.chdir(folder)

    def keep_hook_token(self) -> None:
        kept = self.file.parent / ".conveyor" / "hook-token"
        kept.parent.mkdir()
        kept.write_text(f"{HOOK_TOKEN}\n", encoding="utf-8")

    def run(self, *arguments: str, **environment: str) -> Result:
        env = {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb", **environment}
        return CliRunner().invoke(app, [arguments[0], *arguments[1:]], env=env)

    def apply(self, *options: str, **environment: str) -> Result:
        return self.run("apply", str(self.file), "--stack", "conveyor", *options, **environment)

    def plan(self, *options: str, **environment: str) -> Result:
        return self.run("plan", str(self.file), "--against", "--stack", "conveyor", *options, **environment)


class Bent(httpx.BaseTransport):
    """The way to amoCRM, with answers of its own where the test has some."""

    def __init__(self, shell: Shell, wire: Wire) -> None:
        self._shell, self._wire = shell, wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._shell.answer(request) or self._wire.handle_request(request)


def deploy(table: str, base_url: str = "https://oknaplus.amocrm.ru") -> None:
    parameters = {"Stage": "prod", "AmoCrmBaseUrl": base_url, "HookToken": HOOK_TOKEN}
    template = {
        "Parameters": {name: {"Type": "String", "NoEcho": name == "HookToken"} for name in parameters},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in {"TableName": table, "HookUrl": OUTPUT}.items()},
    }
    boto3.client("cloudformation").create_stack(
        StackName="conveyor",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )


def put_secret(name: str, value: str) -> None:
    boto3.client("ssm").put_parameter(Name=f"/conveyor/prod/{name}", Value=value, Type="SecureString", Overwrite=True)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    for variable in ("AMOCRM_TOKEN", "AMOCRM_BASE_URL", "TABLE_NAME", "CONVEYOR_STACK", "CONVEYOR_HOOK_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        installation = install()
        made = Shell(tmp_path, installation, monkeypatch)
        deploy(installation.departments._table._name)
        put_secret("amocrm-token", made.token)
        made.keep_hook_token()
        yield made
        # where another mock of AWS goes on around this one, what was made would stay
        boto3.client("cloudformation").delete_stack(StackName="conveyor")
        boto3.client("ssm").delete_parameters(Names=["/conveyor/prod/amocrm-token", "/conveyor/prod/amocrm-oauth"])


class TestAStackSaysEverything:
    def test_apply_needs_its_name_only(self, shell: Shell) -> None:
        result = shell.apply()
        assert result.exit_code == 0, result.stderr
        assert "is in force as version 1" in result.stdout
        assert result.stderr == ""
        assert shell.asked_at == ["https://oknaplus.amocrm.ru"]
        assert [hook for hook, _ in shell.installation.state["hooks"]] == [
            f"{HOOKS}/{name}" for name in ("leads", "stages", "clients")
        ]

    def test_plan_apply_plan(self, shell: Shell) -> None:
        before = shell.plan()
        assert before.exit_code == 3
        assert "+ pipeline «Биржа лидов», with «Неразобранное»" in before.stdout
        assert before.stdout.rstrip().endswith("to create.")
        shell.apply()
        after = shell.plan()
        assert after.exit_code == 0
        assert after.stdout.endswith("\nNothing to do.\n")
        assert {line[0] for line in after.stdout.splitlines()[:-1]} == {"="}

    def test_the_name_may_stand_in_the_environment(self, shell: Shell) -> None:
        result = shell.run("apply", str(shell.file), CONVEYOR_STACK="conveyor")
        assert result.exit_code == 0, result.stderr

    def test_what_is_given_counts_before_what_the_stack_says(self, shell: Shell) -> None:
        put_secret("amocrm-token", "outdated")
        result = shell.apply(
            *("--token", shell.token, "--base-url", "https://other.amocrm.ru"),
            *("--hook-token", "x" * 32),
        )
        assert result.exit_code == 0, result.stderr
        assert shell.asked_at == ["https://other.amocrm.ru"]
        assert shell.installation.state["hooks"][0][0].endswith(f"/hooks/{'x' * 32}/leads")

    def test_the_access_token_of_an_oauth_pair_will_do(self, shell: Shell) -> None:
        boto3.client("ssm").delete_parameter(Name="/conveyor/prod/amocrm-token")
        put_secret("amocrm-oauth", json.dumps({"access_token": shell.token, "refresh_token": "r"}))
        assert shell.apply().exit_code == 0

    def test_every_command_on_the_table_takes_it(self, shell: Shell) -> None:
        result = shell.run("explain", "1", "--stack", "conveyor")
        assert "run `conveyor apply department.yaml`" in result.stderr
        shell.apply()
        assert "run `conveyor apply" not in shell.run("explain", "1", "--stack", "conveyor").stderr


class TestWhatIsMissing:
    def test_a_stack_that_does_not_exist(self, shell: Shell) -> None:
        result = shell.run("apply", str(shell.file), "--stack", "nowhere")
        assert result.exit_code == 1
        assert "there is no stack nowhere in eu-central-1: compare --stack" in result.stderr

    def test_no_stack_and_no_table(self, shell: Shell) -> None:
        for command in (("explain", "1"), ("apply", str(shell.file), "--hook-url", HOOKS)):
            result = shell.run(*command)
            assert result.exit_code == 2
            assert "--table: is missing: give it, or --stack NAME" in result.stderr

    def test_no_amocrm_token(self, shell: Shell) -> None:
        boto3.client("ssm").delete_parameter(Name="/conveyor/prod/amocrm-token")
        result = shell.apply()
        assert result.exit_code == 1
        assert "no amoCRM token in /conveyor/prod: `conveyor secrets set amocrm-token`" in result.stderr

    def test_no_hook_token(self, shell: Shell) -> None:
        (shell.file.parent / ".conveyor" / "hook-token").unlink()
        result = shell.apply()
        assert result.exit_code == 2
        assert "keep the token in .conveyor/hook-token" in result.stderr
        compared = shell.plan()
        assert compared.exit_code == 3
        assert "The webhooks were not compared" in compared.stderr

    def test_a_stack_for_another_account_is_refused(self, shell: Shell) -> None:
        shell.file.write_text(TEXT.replace("oknaplus.amocrm.ru", "dveri.amocrm.ru"), encoding="utf-8")
        result = shell.apply()
        assert result.exit_code == 2
        assert "stack conveyor works for https://oknaplus.amocrm.ru — correct the address, or deploy" in result.stderr
        assert shell.asked_at == []


@pytest.mark.parametrize("command", ["apply", "plan"])
class TestBadInput:
    def run(self, shell: Shell, command: str, *options: str) -> Result:
        result = shell.apply(*options) if command == "apply" else shell.plan(*options)
        assert {request.method for request in shell.installation.world.requests.log} <= {"GET"}, "nothing is written"
        assert "Traceback" not in result.output
        return result

    def test_a_token_without_the_rights_of_an_administrator(self, shell: Shell, command: str) -> None:
        world = shell.installation.world
        manager = next(user for user in world.users.values() if not user.is_admin)
        result = self.run(shell, command, "--token", world.add_token("his", manager.id))
        assert result.exit_code == 1
        assert (
            "the token is not an administrator's, and only they may set up an account: an administrator makes one"
            in (result.stderr)
        )

    def test_users_that_are_readable_for_everybody_do_not_make_an_administrator(
        self, shell: Shell, command: str
    ) -> None:
        world = shell.installation.world
        manager = next(user for user in world.users.values() if not user.is_admin)
        rows = [{"id": user.id, "name": "", "email": user.email, "rights": {}} for user in world.users.values()]
        listed = {"_embedded": {"users": rows}}

        def answer(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(200, json=listed) if request.url.path.endswith("/users") else None

        shell.answer = answer
        result = self.run(shell, command, "--token", world.add_token("his", manager.id))
        assert "the token is not an administrator's" in result.stderr

    @pytest.mark.parametrize("status", [402, 403])
    def test_a_tariff_without_webhooks(self, shell: Shell, command: str, status: int) -> None:
        problem = {"title": "Forbidden", "status": status}

        def answer(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(status, json=problem) if request.url.path.endswith("/webhooks") else None

        shell.answer = answer
        result = self.run(shell, command)
        assert result.exit_code == 1
        assert "the account's tariff has no webhooks: amoCRM has them from «Расширенный» on" in result.stderr

    def test_a_subscription_that_has_ended(self, shell: Shell, command: str) -> None:
        shell.answer = lambda request: httpx.Response(402, json={"title": "Payment required", "status": 402})
        result = self.run(shell, command)
        assert "the account's subscription to amoCRM has ended" in result.stderr

    def test_an_account_full_of_pipelines(self, shell: Shell, command: str) -> None:
        world = shell.installation.world
        while len(world.pipelines) < 50:
            id_ = world.ids("pipeline")
            world.pipelines[id_] = Pipeline(id_, f"Старая {id_}", id_, False, False, world.main_pipeline.statuses)
        result = self.run(shell, command)
        assert result.exit_code == 2
        assert (
            "50 are there, and «Биржа лидов», «Основная воронка», «Сопровождение», «Прогрев» would be" in result.stderr
        )
        assert "name existing ones under `pipelines:`" in result.stderr

    def test_a_token_of_another_account(self, shell: Shell, command: str) -> None:
        shell.installation.world.subdomain = "dveri"
        result = self.run(shell, command)
        assert result.exit_code == 2
        assert "'oknaplus.amocrm.ru' — the token belongs to dveri: correct the address" in result.stderr

    def test_an_address_where_no_account_is(self, shell: Shell, command: str) -> None:
        shell.answer = lambda request: httpx.Response(404, json={"title": "Not Found", "status": 404})
        result = self.run(shell, command)
        assert result.exit_code == 1
        assert "no account answers at https://oknaplus.amocrm.ru, it may have moved or the base URL is wrong" in (
            result.stderr
        )

    def test_a_token_that_is_refused(self, shell: Shell, command: str) -> None:
        result = self.run(shell, command, "--token", "mistyped")
        assert result.exit_code == 1
        assert "amoCRM refuses the token: it is mistyped, expired or revoked" in result.stderr

    def test_an_e_mail_that_amocrm_does_not_know(self, shell: Shell, command: str) -> None:
        text = TEXT.replace("email: boris@oknaplus", "email: boriss@oknaplus")
        shell.file.write_text(text, encoding="utf-8")
        result = self.run(shell, command)
        assert result.exit_code == 2
        assert "'boriss@oknaplus.example' is no user of oknaplus — invite this person in amoCRM" in result.stderr
        assert "or did you mean boris@oknaplus.example?" in result.stderr

    def test_a_file_saved_as_cp1251(self, shell: Shell, command: str) -> None:
        shell.file.write_bytes(TEXT.replace("→", "-").encode("cp1251", errors="replace"))
        result = self.run(shell, command)
        assert result.exit_code == 2
        assert "is not UTF-8 but Windows-1251 (CP1251)" in result.stderr
        assert "save it as UTF-8" in result.stderr

    def test_a_file_saved_as_utf16(self, shell: Shell, command: str) -> None:
        shell.file.write_bytes(TEXT.encode("utf-16"))
        assert "is UTF-16 — save it as UTF-8" in self.run(shell, command).stderr

    def test_tabs(self, shell: Shell, command: str) -> None:
        shell.file.write_text(TEXT.replace("\n  ", "\n\t"), encoding="utf-8")
        result = self.run(shell, command)
        assert result.exit_code == 2
        assert "indent with blanks, not with tabs" in result.stderr


def test_a_tariff_that_shows_webhooks_and_makes_none(shell: Shell) -> None:
    """Whatever was done by then is found by the next apply."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        is_write = request.method != "GET" and request.url.path.endswith("/webhooks")
        return httpx.Response(402, json={"title": "Payment required", "status": 402}) if is_write else None

    shell.answer = answer
    result = shell.apply()
    assert result.exit_code == 1
    assert "the account's tariff has no webhooks" in result.stderr
    shell.answer = lambda request: None
    assert shell.apply().stdout.splitlines()[:3] == [
        f"created the webhook for {name}" for name in ("leads", "stages", "clients")
    ]


def test_progress_is_seen_where_somebody_watches(shell: Shell) -> None:
    result = shell.apply(FORCE_COLOR="1", TERM="xterm")
    assert result.exit_code == 0
    assert "webhooks" in result.stderr and "6/6" in result.stderr
    assert "6/6" not in result.stdout


class TestDoctor:
    def run(self, shell: Shell, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
        monkeypatch.setattr(doctor_command, "crm_time", lambda base_url: datetime.now(UTC))
        return shell.run("doctor", str(shell.file), *options)

    def test_it_says_a_line_for_each_check_and_1_for_findings(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = self.run(shell, monkeypatch, "--stack", "conveyor")
        assert result.exit_code == 1
        lines = result.stdout.splitlines()
        assert "✓ amoCRM's token: works, and is an administrator's of oknaplus" in lines
        assert "✗ webhook /leads: is not there: `conveyor apply` makes it anew" in lines
        assert "✗ department: none is in force: `conveyor apply`" in lines
        assert "! alarm mail: nobody is told of alarms: deploy with AlarmEmail=<address>, or subscribe" in lines

    def test_an_installation_that_is_well_ends_with_0(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        shell.apply()
        table = shell.installation.departments._table._name
        given = ("--table", table, "--token", shell.token, "--hook-url", HOOKS)
        result = self.run(shell, monkeypatch, *given)
        assert result.exit_code == 0, result.output
        assert "! stack: not looked at: give --stack NAME" in result.stdout
        assert "✗" not in result.stdout

    def test_the_calendar_is_looked_at_where_there_are_meetings(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shell.file.write_text(TEXT + "\nmeetings: on\n", encoding="utf-8")
        shell.apply()
        result = self.run(shell, monkeypatch, "--stack", "conveyor")
        assert result.exit_code == 1
        assert "✗ calendar: " in result.stdout
        assert "conveyor secrets set" in result.stdout

    def test_a_file_that_is_not_there(self, shell: Shell) -> None:
        result = shell.run("doctor", "nowhere.yaml", "--stack", "conveyor")
        assert result.exit_code == 2
        assert "copy department.example.yaml and fill it in" in result.stderr


def test_the_clock_of_amocrm_is_its_header_date(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(config: AmoCrmConfig, transport: object) -> httpx.Client:
        answer = httpx.Response(401, headers={"Date": "Tue, 24 Nov 2026 10:45:03 GMT"})
        return httpx.Client(base_url=config.base_url, transport=httpx.MockTransport(lambda request: answer))

    monkeypatch.setattr(doctor_command, "open_http", opened)
    assert doctor_command.crm_time("https://oknaplus.amocrm.ru") == datetime(2026, 11, 24, 10, 45, 3, tzinfo=UTC)
