"""What `conveyor secrets` takes, refuses and says, before anything is stored; AWS is never asked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from functions.shared.adapters.amocrm.tokens import Pair
from functions.shared.adapters.google.identity import Consent, ServiceAccount, identity_of
from functions.shared.adapters.telemost.mailer import SmtpAccount
from functions.shared.errors import BadInput
from infra.cli.main import app
from infra.setup.secret_shapes import SHAPES, checked, joined
from infra.setup.text_file import text_of

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECRET = "s3cr3t-that-nobody-may-see"


def token(*, ends: Any = NOW + timedelta(days=400), header: Any = None) -> str:
    claims = {"exp": int(ends.timestamp()) if isinstance(ends, datetime) else ends, "sub": SECRET}
    parts = [json.dumps(header or {"typ": "JWT", "alg": "RS256"}).encode(), json.dumps(claims).encode(), b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@cache
def pem(kind: str = "rsa") -> str:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*encoding).decode()


PAIR = {
    "client_id": "3f8e",
    "client_secret": SECRET,
    "redirect_uri": "https://oknaplus.example/oauth",
    "access_token": "access",
    "refresh_token": SECRET,
    "expires_at": 1_780_000_000,
}
CONSENT = {"client_id": "1.apps.googleusercontent.com", "client_secret": SECRET, "refresh_token": f"1//{SECRET}"}
MAIL = {
    "host": "smtp.yandex.ru",
    "port": 465,
    "user": "meet@firm.example",
    "password": SECRET,
    "from": "a@firm.example",
}


def key_file(**changes: Any) -> dict[str, Any]:
    given = {"type": "service_account", "client_email": "c@p.iam.gserviceaccount.com", "private_key_id": "1"}
    return {**given, "private_key": pem(), **changes}


def refusal(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(BadInput) as refused:
        checked(name, text, NOW)
    assert SECRET not in str(refused.value)
    return str(refused.value)


def stored(name: str, value: Any) -> str:
    return checked(name, value if isinstance(value, str) else json.dumps(value, indent=2), NOW).value


def test_what_is_stored_is_what_the_adapters_read() -> None:
    assert Pair.parse(stored("amocrm-oauth", PAIR)) == Pair(**PAIR)
    assert identity_of({"google-oauth": stored("google-oauth", CONSENT)}, "") == Consent(**CONSENT)
    key = identity_of({"google-service-account": stored("google-service-account", key_file())}, "")
    assert isinstance(key, ServiceAccount)
    assert "assertion" in key.form(("calendar",), "head@firm.example", "https://google.example", NOW)
    assert SmtpAccount.parse(stored("smtp", MAIL)).sender == "a@firm.example"
    assert SmtpAccount.parse(stored("smtp", {**MAIL, "port": "587"})).port == 587


def test_fields_that_nobody_reads_are_not_stored() -> None:
    assert "type" not in json.loads(stored("google-service-account", key_file()))


def test_a_long_lived_token_is_stored_as_it_is_and_its_end_is_told() -> None:
    told = checked("amocrm-token", f"  {token()}\n", NOW)
    assert told.value == token()
    assert "2027-04-06, in 400 days" in told.notice


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (token(ends=NOW - timedelta(days=1)), "ended on 2026-03-01"),
        (token(ends="soon"), "says nothing of its end"),
        (token(ends=True), "says nothing of its end"),
        (f"Bearer {token()}", "without" if False else "leave the word Bearer out"),
        (f'"{token()}"', "without quotes"),
        (token().replace(".", ".\n", 1), "in one piece"),
        (token()[5:], "its beginning is missing"),
        (token().rpartition(".")[0], "three parts"),
        (token(header={"typ": SECRET}), "cannot be read"),
        ("a.b.c", "cannot be read"),
        (f"def502{SECRET}", "authorisation code or a refresh token"),
        (SECRET, "is no token"),
        (" \n", "nothing was given"),
        ("x" * 9000, "longer than 8192 bytes"),
    ],
)
def test_what_is_no_long_lived_token_is_refused(text: str, words: str) -> None:
    assert words in refusal("amocrm-token", text)


@pytest.mark.parametrize("name", ["amocrm-oauth", "google-oauth", "smtp", "google-service-account"])
def test_a_field_that_is_mistyped_or_missing_is_told_by_its_name(name: str) -> None:
    whole = {"amocrm-oauth": PAIR, "google-oauth": CONSENT, "smtp": MAIL, "google-service-account": key_file()}[name]
    fields = json.loads(stored(name, whole))
    for field in fields:
        rest = {key: value for key, value in whole.items() if key != field}
        assert f"lacks {field}" in refusal(name, rest)
        typo = field.replace(field[1], "", 1)
        assert f"lacks {field} (is {typo} meant?)" in refusal(name, {**rest, typo: whole[field]})
        assert field in refusal(name, {**whole, field: ""})
        assert field in refusal(name, {**whole, field: [SECRET]})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("google-oauth", {"installed": {"client_id": "1", "client_secret": SECRET}}, "file of the OAuth client"),
        ("google-oauth", key_file(), "key for google-service-account"),
        ("google-service-account", CONSENT, "consent, for google-oauth"),
        ("google-oauth", {**CONSENT, "client_id": f"GOCSPX-{SECRET}"}, "client_id: is the client's secret"),
        ("google-oauth", {**CONSENT, "refresh_token": f"ya29.{SECRET}"}, "refresh_token: is an access token"),
        ("google-oauth", {**CONSENT, "client_secret": f"{SECRET} "}, "client_secret: has blanks"),
        ("google-service-account", key_file(private_key=SECRET), "private_key: is no key in PEM"),
        ("google-service-account", key_file(private_key=pem("ec")), "private_key: is no RSA key"),
        ("amocrm-oauth", {"token_type": "Bearer", "expires_in": 86400, "access_token": SECRET}, "amoCRM's answer"),
        ("amocrm-oauth", {**PAIR, "expires_at": 1_780_000_000_000}, "expires_at: is in milliseconds"),
        ("amocrm-oauth", {**PAIR, "expires_at": "1780000000"}, "expires_at: must be Unix time"),
        ("amocrm-oauth", {**PAIR, "redirect_uri": "http://x"}, "redirect_uri: must begin with https://"),
        ("smtp", {**MAIL, "port": 0}, "port: must be a number"),
        ("smtp", {**MAIL, "port": "４６５"}, "port: must be a number"),
        ("smtp", {**MAIL, "host": "smtp://x"}, "host: must be the name"),
        ("smtp", {**MAIL, "from": f"{SECRET} <a@firm.example>"}, "from: must be one e-mail"),
        ("smtp", [MAIL], "no object"),
        ("smtp", f'{{"password": "{SECRET}"', "line 1"),
        ("smtp", f'{{"password": "{SECRET}", "password": "{SECRET}"}}', "given twice"),
        ("smtp", "[" * 8000, "no JSON"),
        ("telemost", "short", "too short"),
        ("telemost", f"y0_{SECRET} {SECRET}", "blanks"),
        ("telemost", json.dumps({"token": SECRET}), "without quotes and JSON"),
        ("identity-key", "abc", "fewer than 32"),
    ],
)
def test_what_is_another_document_is_told(name: str, value: Any, words: str) -> None:
    assert words in refusal(name, value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    said = refusal("smtp", {**MAIL, "port": 0, "from": "nobody"})
    assert "port:" in said
    assert "from:" in said


@given(
    name=st.sampled_from(sorted(SHAPES)),
    value=st.text()
    | st.dictionaries(st.sampled_from([*PAIR, *CONSENT, *MAIL, *key_file()]), st.integers() | st.text()).map(
        json.dumps
    ),
)
def test_whatever_is_given_is_stored_or_refused(name: str, value: str) -> None:
    try:
        checked(name, value, NOW)
    except BadInput as error:
        assert len(str(error).splitlines()) == 1


def test_what_a_terminal_was_asked_for_makes_the_document() -> None:
    text = joined("amocrm-oauth", [str(value) for value in PAIR.values()])
    assert Pair.parse(stored("amocrm-oauth", text)) == Pair(**PAIR)
    soon = joined("amocrm-oauth", [*map(str, list(PAIR.values())[:-1]), "tomorrow"])
    assert "expires_at" in refusal("amocrm-oauth", soon)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("секрет".encode("cp1251"), "saved in CP1251 (Windows Cyrillic): save it as UTF-8"),
        ("Окна Плюс, department: head@x".encode("cp1251"), "CP1251"),
        ("token".encode("utf-16"), "UTF-16"),
        ("größer".encode("latin-1"), "another encoding"),
        (b"x" * 1_000_001, "larger than"),
    ],
)
def test_a_file_that_is_no_utf8_is_told_by_its_encoding(content: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=r"key\.json") as refused:
        text_of(content, "key.json")
    assert words in str(refused.value)


def test_the_mark_of_windows_before_utf8_is_no_part_of_the_value() -> None:
    assert text_of("\ufeff{}".encode(), "key.json") == "{}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("amocrm-tokn",), "did you mean amocrm-token?"),
        (("events-credentials",), "conveyor sources add"),
        (("smtp", "--stage", "Prod"), "lower-case letters"),
        (("amocrm-token", SECRET), "give NAME alone"),
        ((SECRET,), "write one of"),
        (("smtp", "--file", "no-such-file"), "No such file"),
    ],
)
def test_what_cannot_be_set_is_told_and_never_repeated(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(app, ["secrets", "set", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert words in result.stderr
    assert SECRET not in result.output
