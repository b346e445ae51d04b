"""Who may tell us facts: signatures by Standard Webhooks, bearer tokens, a write key. Pure.

A source has up to two live secrets, so that one can be changed without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.shared.errors import NotConfigured

TOLERANCE = timedelta(minutes=5)
"""How far a signed request's time may be from ours (Standard Webhooks 1.0: timestamp tolerance)."""

LIVE_SECRETS = 2

EVENTS_CREDENTIALS = "events-credentials"
"""Name of the parameter below the installation's prefix."""


@dataclass(frozen=True)
class Credential:
    """What a source proves itself with: `secrets` are the keys of signatures (24 to 64 bytes)."""

    source: str
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)


class NotAllowed(Exception):
    """The request proves nothing; the text says what is missing, and no secret."""


def read_credentials(document: str) -> tuple[Credential, ...]:
    """From the parameter `events-credentials`: {"turnstile": {"secrets": ["whsec_…"], "tokens": ["…"]}}.

    Raises NotConfigured.
    """
    try:
        parsed = json.loads(document)
        return tuple(
            Credential(
                source,
                tuple(secret_key(text) for text in known.get("secrets", [])[:LIVE_SECRETS]),
                tuple(str(token) for token in known.get("tokens", [])[:LIVE_SECRETS]),
            )
            for source, known in parsed.items()
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise NotConfigured(
            'the parameter events-credentials cannot be read: {"gym": {"secrets": ["whsec_…"], "tokens": ["…"]}}'
            " would be right, secrets of 24 to 64 bytes in base64 (docs/intake.md)"
        ) from error


def secret_key(text: str) -> bytes:
    """The bytes of `whsec_<base64>`. Raises ValueError."""
    key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret has 24 to 64 bytes")
    return key


def authenticate(
    headers: Mapping[str, str], body: bytes, credentials: Sequence[Credential], now: datetime
) -> Credential:
    """The source that the request proves to come from; `headers` have lower-case names. Raises NotAllowed."""
    if "webhook-signature" in headers:
        return _signed(headers, body, credentials, now)
    scheme, _, given = headers.get("authorization", "").partition(" ")
    match scheme.casefold():
        case "bearer":
            return _known(given.strip(), credentials)
        case "basic":  # Segment's libraries send the write key as the user's name
            return _known(_user_name(given.strip()), credentials)
    raise NotAllowed("send Authorization: Bearer <token>, or sign by Standard Webhooks")


def _signed(headers: Mapping[str, str], body: bytes, credentials: Sequence[Credential], now: datetime) -> Credential:
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise NotAllowed("webhook-id or webhook-timestamp is missing, or no number of seconds")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise NotAllowed("webhook-timestamp is more than five minutes from our clock: send the time of this attempt")
    content = _bytes(f"{message_id}.{timestamp}.") + body
    given = [part.partition(",") for part in headers["webhook-signature"].split()]
    signatures = [_bytes(signature) for version, _, signature in given if version == "v1"]
    for credential in credentials:
        for key in credential.secrets:
            expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
            if any(hmac.compare_digest(expected, signature) for signature in signatures):
                return credential
    raise NotAllowed("no v1 signature fits: sign <webhook-id>.<webhook-timestamp>.<raw body> with the source's secret")


def _known(token: str, credentials: Sequence[Credential]) -> Credential:
    found = None
    for credential in credentials:
        for live in credential.tokens:
            if hmac.compare_digest(_bytes(live), _bytes(token)):
                found = credential
    if found is None or not token:
        raise NotAllowed("nobody has this token")
    return found


def _bytes(text: str) -> bytes:
    """Headers may hold anything; what proves something is ASCII."""
    return text.encode(errors="surrogatepass")


def _user_name(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):  # also letters beyond ASCII
        raise NotAllowed("the Basic header is no base64 of <write key>:") from None
