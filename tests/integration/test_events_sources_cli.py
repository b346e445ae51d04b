"""`conveyor sources`, with moto's SSM behind it; the door reads what it stores."""

from __future__ import annotations

import itertools
import json
from typing import Any

import boto3
import pytest
from click.testing import Result
from typer.testing import CliRunner

from functions.activity_intake.credentials import EVENTS_CREDENTIALS, NotAllowed
from functions.activity_intake.sources import Sources
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.handle_hash import IDENTITY_KEY
from infra.cli.main import app
from tests.fakes import ManualClock

_stages = itertools.count()


class Installation:
    def __init__(self) -> None:
        self.stage = f"stage-{next(_stages)}"
        self.ssm = boto3.client("ssm", region_name="eu-central-1")

    def run(self, *arguments: str, **how: Any) -> Result:
        return CliRunner().invoke(app, ["sources", *arguments, "--stage", self.stage], **how)

    def shown(self, *arguments: str) -> dict[str, str]:
        """The credentials that a command prints."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("EVENTS_"))

    def value(self, name: str) -> str:
        parameter = self.ssm.get_parameter(Name=f"/conveyor/{self.stage}/{name}", WithDecryption=True)["Parameter"]
        assert parameter["Type"] == "SecureString"
        return str(parameter["Value"])

    def opens(self, token: str) -> bool:
        sources = Sources(Parameters(lambda: self.ssm, f"/conveyor/{self.stage}"), ManualClock())
        try:
            return bool(sources.speaker({"authorization": f"Bearer {token}"}, b"").source)
        except NotAllowed:
            return False


@pytest.fixture
def installation(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers its credentials
    return Installation()


def test_a_source_is_let_in_and_listed_without_its_secrets(installation: Installation) -> None:
    assert "No source" in installation.run("list").stdout
    fresh = installation.shown("add", "turnstile")
    assert installation.opens(fresh["EVENTS_TOKEN"])
    assert fresh["EVENTS_SECRET"].startswith("whsec_")
    listed = installation.run("list").stdout
    assert listed == "turnstile: live tokens 1, live secrets 1\n"


def test_the_key_of_the_hashes_is_made_once_and_never_changes(installation: Installation) -> None:
    assert "identity-key" in installation.run("add", "turnstile").stdout
    key = installation.value(IDENTITY_KEY)
    assert len(key) == 64
    assert "identity-key" not in installation.run("add", "till").stdout
    assert installation.value(IDENTITY_KEY) == key


def test_after_a_rotation_two_are_live_and_after_its_end_one(installation: Installation) -> None:
    first = installation.shown("add", "turnstile")["EVENTS_TOKEN"]
    installation.shown("add", "till")
    second = installation.shown("rotate", "turnstile")["EVENTS_TOKEN"]
    assert (installation.opens(first), installation.opens(second)) == (True, True)
    assert installation.run("rotate", "turnstile", "--finish").exit_code == 0
    assert (installation.opens(first), installation.opens(second)) == (False, True)
    third, fourth = (installation.shown("rotate", "turnstile")["EVENTS_TOKEN"] for _ in range(2))
    assert [installation.opens(each) for each in (second, third, fourth)] == [False, True, True]
    assert json.loads(installation.value(EVENTS_CREDENTIALS)).keys() == {"turnstile", "till"}


def test_who_is_shut_out_stays_out(installation: Installation) -> None:
    token = installation.shown("add", "turnstile")["EVENTS_TOKEN"]
    assert installation.run("remove", "turnstile", input="n\n").exit_code == 1
    assert installation.opens(token)
    assert installation.run("remove", "turnstile", "--yes").exit_code == 0
    assert not installation.opens(token)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "gym"), "is there already"),
        (("add", "amocrm"), "is taken"),
        (("add", "Турникет"), "Latin letters"),
        (("rotate", "till"), "there are gym"),
        (("remove", "till", "--yes"), "there are gym"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    installation: Installation, arguments: tuple[str, ...], words: str
) -> None:
    installation.shown("add", "gym")
    result = installation.run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_dozen_sources_and_more_find_room(installation: Installation) -> None:
    for number in range(30):
        assert installation.run("add", f"source-{number}").exit_code == 0
    assert len(json.loads(installation.value(EVENTS_CREDENTIALS))) == 30


def test_who_writes_at_the_same_moment_is_told(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.events.credentials import CredentialStore

    installation.shown("add", "gym")
    known = CredentialStore.known

    def overtaken(store: CredentialStore) -> Any:
        before = known(store)
        store._put(EVENTS_CREDENTIALS, json.dumps({**before, "till": {}}), Overwrite=True)
        return before

    monkeypatch.setattr(CredentialStore, "known", overtaken)
    result = installation.run("add", "form")
    assert result.exit_code == 1
    assert "at the same moment" in result.stderr
