"""The token endpoint, and what a token may do."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta

from infra.local.google_simulator import keys, problems
from infra.local.google_simulator.model import Json, Token
from infra.local.google_simulator.world import EVERYTHING, GoogleWorld

AUTH = "https://www.googleapis.com/auth/"
AUDIENCE = "https://oauth2.googleapis.com/token"
LONGEST = 65 * 60
"""Seconds of a JWT's life that Google tolerates."""

_CALENDAR = "calendar"
_WRITE = (_CALENDAR, "calendar.events", "calendar.events.owned", "calendar.app.created")
_READ = (*_WRITE, "calendar.readonly", "calendar.events.readonly", "calendar.events.owned.readonly")
SCOPES: Mapping[str, tuple[str, ...]] = {
    "events.write": _WRITE,
    "events.read": (*_READ, "calendar.events.freebusy", "calendar.events.public.readonly"),
    "freebusy": (_CALENDAR, "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"),
    "calendars": (_CALENDAR, "calendar.readonly", "calendar.calendars", "calendar.calendars.readonly"),
    "calendarList": (_CALENDAR, "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"),
    "settings": (_CALENDAR, "calendar.readonly", "calendar.settings.readonly"),
    "spaces.get": ("meetings.space.created", "meetings.space.readonly", "meetings.space.settings"),
    "spaces.patch": ("meetings.space.created", "meetings.space.settings"),
    "spaces.create": ("meetings.space.created",),
    "records": ("meetings.space.created", "meetings.space.readonly"),
}
"""The scopes any of which opens each kind of request (Google's discovery documents)."""


def admit(world: GoogleWorld, header: str) -> Token:
    """The token of a request's Authorization header. Raises Refused."""
    scheme, _, sent = header.partition(" ")
    token = world.tokens.get(sent.strip()) if scheme.casefold() == "bearer" else None
    if token is None or token.ends_at <= world.now() or world.user(token.email) is None:
        raise problems.credentials()
    return token


def check(token: Token, kind: str, method: str) -> None:
    """Raises Refused where the token lacks the scope."""
    if token.scopes == EVERYTHING or any(f"{AUTH}{scope}" in token.scopes for scope in SCOPES[kind]):
        return
    service = "calendar-json.googleapis.com" if method.startswith("calendar") else "meet.googleapis.com"
    raise problems.scopes(service, method)


def grant(world: GoogleWorld, form: Mapping[str, str]) -> Json:
    """POST /token. Raises Refused in the flat shape."""
    kind = form.get("grant_type", "")
    if kind == "refresh_token":
        token = _refreshed(world, form)
    elif kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        token = _asserted(world, form.get("assertion", ""))
    else:
        raise problems.oauth(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
    name = f"ya29.{world.letters(40)}"
    world.tokens[name] = token
    life = world.switches.token_life
    return {"access_token": name, "expires_in": life, "token_type": "Bearer", "scope": " ".join(sorted(token.scopes))}


def _refreshed(world: GoogleWorld, form: Mapping[str, str]) -> Token:
    sent = form.get("refresh_token", "")
    if sent in world.dead_credentials or sent not in world.refresh_tokens:
        raise problems.oauth(400, "invalid_grant", "Token has been expired or revoked.")
    email, scopes, client = world.refresh_tokens[sent]
    if (form.get("client_id"), form.get("client_secret")) != (client["client_id"], client["client_secret"]):
        raise problems.oauth(401, "invalid_client", "Unauthorized")
    return Token(email, scopes, world.now() + timedelta(seconds=world.switches.token_life))


def _asserted(world: GoogleWorld, assertion: str) -> Token:
    claims = _claims(assertion)
    account, subject = str(claims.get("iss")), str(claims.get("sub") or claims.get("iss")).casefold()
    if world.dead_credentials.get(account):
        raise problems.oauth(400, "invalid_grant", "Invalid JWT Signature.")
    now = int(world.now().timestamp())
    issued, ends = int(claims.get("iat") or 0), int(claims.get("exp") or 0)
    if not (issued - 300 <= now < ends and ends - issued <= LONGEST):
        raise problems.oauth(
            400,
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your"
            " 'iat' and 'exp' values and use a clock with skew to account for clock differences between systems.",
        )
    scopes = frozenset(str(claims.get("scope") or "").split(" ")) - {""}
    if not scopes or not all(scope.startswith(AUTH) and "," not in scope for scope in scopes):
        raise problems.oauth(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    is_alone = subject == account
    if not is_alone:
        _check_delegation(world, account, subject, scopes)
    ends_at = world.now() + timedelta(seconds=world.switches.token_life)
    return Token(subject, scopes, ends_at, is_service_account_alone=is_alone)


def _claims(assertion: str) -> Json:
    signed, _, signature = assertion.rpartition(".")
    try:
        header, claims = (json.loads(_raw(part)) for part in signed.split("."))
        is_right = header.get("alg") == "RS256" and keys.is_signed(signed.encode(), _raw(signature))
    except ValueError:
        raise problems.oauth(400, "invalid_grant", "Bad Request") from None
    if not is_right:
        raise problems.oauth(400, "invalid_grant", "Invalid JWT Signature.")
    if claims.get("aud") != AUDIENCE:
        raise problems.oauth(400, "invalid_grant", "Invalid JWT: Failed audience check.")
    return dict(claims)


def _check_delegation(world: GoogleWorld, account: str, subject: str, scopes: frozenset[str]) -> None:
    granted = world.service_accounts.get(account)
    if granted is None or not scopes <= granted:
        raise problems.oauth(
            401,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of"
            " the scopes requested.",
        )
    user = world.user(subject)
    if user is None or user.kind != "workspace":
        raise problems.oauth(400, "invalid_grant", "Invalid email or User ID")


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
