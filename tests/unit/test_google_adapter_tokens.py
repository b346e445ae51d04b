"""Tokens of Google: one for each user and kind of request, kept, renewed, and refused with a remedy."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES, MEET_SCOPES
from functions.shared.adapters.google.identity import OAUTH, SERVICE_ACCOUNT, Consent, ServiceAccount
from functions.shared.errors import MeetingsUnauthorized, MeetingsUnavailable
from tests.google_wire import HOST, PREFIX, SPAN, Google, calendar_error, event, service_account

EVENT = httpx.Response(200, json=event(items=[]))
REFUSED = calendar_error(401, "authError", "Invalid Credentials")
KEY = service_account()


@pytest.fixture
def google() -> Google:
    google = Google()
    google.answers = [EVENT]
    return google


@pytest.fixture
def robot(google: Google) -> Google:
    google.ssm.values = {f"{PREFIX}/{SERVICE_ACCOUNT}": json.dumps(KEY)}
    return google


def claims_of(request: httpx.Request) -> dict[str, Any]:
    """What was signed; the signature is checked."""
    form = parse_qs(request.content.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    signed, _, signature = form["assertion"][0].rpartition(".")
    public = load_pem_private_key(KEY["private_key"].encode(), None).public_key()
    public.verify(raw(signature), signed.encode(), PKCS1v15(), SHA256())  # type: ignore[call-arg, union-attr, arg-type]
    header, claims = (json.loads(raw(part)) for part in signed.split("."))
    assert header == {"typ": "JWT", "alg": "RS256", "kid": KEY["private_key_id"]}
    return dict(claims)


def raw(part: str) -> bytes:
    assert "=" not in part, "base64url without padding"
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_one_token_for_each_user_and_kind_of_request(robot):
    adapter = robot.adapter()
    for _ in range(2):
        adapter.find("e")
        adapter.busy(["anna@firm.example"], SPAN)
        adapter.away("anna@firm.example", SPAN)
        adapter.away("boris@firm.example", SPAN)
        adapter.conferences("spaces/x", SPAN)
    asked = [(claims["sub"], tuple(claims["scope"].split(" "))) for claims in map(claims_of, robot.tokens)]
    assert asked == [
        (HOST, CALENDAR_SCOPES),
        ("anna@firm.example", AWAY_SCOPES),
        ("boris@firm.example", AWAY_SCOPES),
        (HOST, MEET_SCOPES),
    ]


def test_a_service_account_signs_for_an_hour_at_most(robot):
    robot.adapter().find("e")
    claims = claims_of(robot.tokens[0])
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["iat"] == int(robot.clock.now().timestamp())
    assert (claims["iss"], claims["aud"]) == (KEY["client_email"], "https://oauth2.googleapis.com/token")


def test_a_consent_is_of_the_host_alone(google):
    adapter = google.adapter()
    adapter.find("e")
    adapter.away("anna@firm.example", SPAN)
    assert [set(parse_qs(request.content.decode())) for request in google.tokens] == [
        {"grant_type", "client_id", "client_secret", "refresh_token"}
    ]
    assert "/calendars/anna%40firm.example/events" in str(google.requests[-1].url)


@pytest.mark.parametrize(("seconds_left", "tokens"), [(241, 1), (240, 2), (0, 2), (-5000, 2)])
def test_a_token_is_renewed_four_minutes_before_its_end(google, seconds_left, tokens):
    adapter = google.adapter()
    adapter.find("e")
    google.clock.advance(3599 - seconds_left)
    adapter.find("e")
    assert len(google.tokens) == tokens


def test_a_401_renews_the_token_of_this_user_and_kind_alone(robot):
    adapter = robot.adapter()
    adapter.find("e")
    adapter.away("anna@firm.example", SPAN)
    robot.answers = [REFUSED, EVENT, EVENT]
    adapter.away("anna@firm.example", SPAN)
    adapter.find("e")
    assert [claims_of(request)["sub"] for request in robot.tokens] == [HOST, *["anna@firm.example"] * 2]


def test_a_write_after_a_401_is_the_same_write(google):
    google.answers = [REFUSED, httpx.Response(204)]
    google.token_answers = [
        httpx.Response(200, json={"access_token": name, "expires_in": 3599}) for name in ("old", "new")
    ]
    google.adapter().cancel("e", tell=True)
    first, second = google.requests
    assert (first.method, first.url) == (second.method, second.url)
    assert [each.headers["Authorization"] for each in (first, second)] == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Sign in to the Wi-Fi</html>"),
        httpx.Response(200, json={"token_type": "Bearer"}),
        httpx.Response(200, json=[]),
        httpx.Response(403, text="<html>Blocked by the proxy</html>"),
        httpx.Response(429, json={"error": "rate_limit_exceeded"}),
        httpx.Response(400, json={"error": "internal_failure"}),
        httpx.Response(500),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:24]}",
)
def test_what_is_no_word_of_google_s_ends_no_credential(google, answer):
    google.token_answers = [answer] * 3
    with pytest.raises(MeetingsUnavailable) as later:
        google.adapter().find("e")
    assert (len(google.tokens), later.value.after) == (3, 60)
    assert google.clock.slept >= 3
    assert google.adapter().find("e") is not None


@pytest.mark.parametrize("subtype", ["invalid_rapt", "rapt_required"])
def test_a_firm_that_demands_a_new_sign_in_is_told_from_an_old_consent(google, subtype):
    refused = {"error": "invalid_grant", "error_description": "reauth related error", "error_subtype": subtype}
    google.token_answers = [httpx.Response(400, json=refused)]
    with pytest.raises(MeetingsUnauthorized, match="session control") as told:
        google.adapter().find("e")
    assert "7 days" not in str(told.value)


@pytest.mark.parametrize("error", ["org_internal", "admin_policy_enforced", "access_denied", "invalid_scope", "x"])
@pytest.mark.parametrize("name", [OAUTH, SERVICE_ACCOUNT])
def test_every_refusal_ends_at_once_with_a_remedy_and_without_a_secret(google, error, name):
    if name == SERVICE_ACCOUNT:
        google.ssm.values = {f"{PREFIX}/{name}": json.dumps(KEY)}
    google.token_answers = [httpx.Response(400, json={"error": error})]
    with pytest.raises(MeetingsUnauthorized) as told:
        google.adapter().find("e")
    text = str(told.value)
    assert error in text and len(text.partition(": ")[2]) > 40
    assert "PRIVATE KEY" not in text and "refresh_token" not in text
    assert (len(google.tokens), google.clock.slept) == (1, 0)


def test_a_refused_credential_is_asked_for_anew_once_somebody_has_stored_another(google):
    """The secret is remembered for minutes, not for good."""
    google.token_answers = [httpx.Response(400, json={"error": "invalid_grant"})]
    adapter = google.adapter()
    with pytest.raises(MeetingsUnauthorized):
        adapter.find("e")
    google.ssm.values = {f"{PREFIX}/{SERVICE_ACCOUNT}": json.dumps(KEY)}
    google.clock.advance(timedelta(minutes=5).total_seconds() + 1)
    adapter.find("e")
    assert claims_of(google.tokens[-1])["sub"] == HOST


def test_no_credential_shows_itself():
    shown = f"{Consent('c', 'hidden', 'hidden')!r} {ServiceAccount('e', 'k', 'hidden')!r}"
    assert "hidden" not in shown
