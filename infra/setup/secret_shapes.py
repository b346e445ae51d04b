"""What each secret has to look like, checked before it is stored. No message holds any part of a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from functions.shared.adapters.amocrm.tokens import LONG_LIVED
from functions.shared.adapters.amocrm.tokens import OAUTH as AMOCRM_OAUTH
from functions.shared.adapters.google.identity import OAUTH as GOOGLE_OAUTH
from functions.shared.adapters.google.identity import SERVICE_ACCOUNT
from functions.shared.adapters.telemost.mailer import SMTP
from functions.shared.adapters.telemost.provider import TELEMOST
from functions.shared.errors import BadInput
from functions.shared.handle_hash import IDENTITY_KEY
from infra.department.values import is_email
from infra.setup.json_secret import Field, fields_of, no_word_that, password, word
from infra.setup.jwt import claims_of

LARGEST = 8192
"""Bytes of an advanced parameter (AWS Systems Manager: parameter tiers)."""

SHORTEST_KEY = 32
"""Characters of the key of the hashes: a shorter one could be guessed, and with it every phone."""

_MILLISECONDS = 10**11
"""As seconds it is the year 5138, as milliseconds 1973."""


@dataclass(frozen=True)
class Checked:
    """What is stored, and what its owner should know."""

    value: str
    notice: str = ""


@dataclass(frozen=True)
class Shape:
    """`asked`: the fields that a terminal is asked for one by one; none of them, the whole value in one line.
    `before`: the secret that is used instead of this one where both are stored. `is_file`: too long for a terminal."""

    what: str
    check: Callable[[str, datetime], Checked]
    asked: Sequence[Field] = ()
    before: str | None = None
    is_file: bool = False
    is_for_ever: bool = False


def checked(name: str, text: str, now: datetime) -> Checked:
    """Raises BadInput with what is wrong and what would be right."""
    stripped = text.strip()
    if not stripped:
        raise BadInput(f"{name}: nothing was given")
    if len(stripped.encode(errors="surrogatepass")) > LARGEST:
        raise BadInput(
            f"{name} is longer than {LARGEST} bytes, more than SSM stores: is it another file than you meant?"
        )
    return SHAPES[name].check(stripped, now)


def joined(name: str, values: Sequence[str]) -> str:
    """The JSON document of what a terminal was asked for, in the order of `asked`."""
    pairs = zip(SHAPES[name].asked, values, strict=True)
    return json.dumps({field.name: _number(value) if field.is_number else value for field, value in pairs})


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII) else text


def _long_lived(text: str, now: datetime) -> Checked:
    claims = claims_of(LONG_LIVED, text)
    ends = claims.get("exp")
    if not isinstance(ends, int) or isinstance(ends, bool) or not 0 < ends < _MILLISECONDS:
        raise BadInput(f"{LONG_LIVED} says nothing of its end, as tokens of amoCRM do: copy the long-lived token")
    end = datetime.fromtimestamp(ends, UTC)
    if end <= now:
        raise BadInput(f"{LONG_LIVED} ended on {end:%Y-%m-%d}: make a new long-lived token in the integration")
    return Checked(text, f"It ends on {end:%Y-%m-%d}, in {(end - now).days} days: store another one before.")


def _telemost(text: str, now: datetime) -> Checked:
    del now
    problem = word(text) or ("is too short for a token of Yandex" if len(text) < 20 or not text.isascii() else None)
    if text[0] in "{[\"'":
        problem = "give the OAuth token alone, without quotes and JSON"
    if problem:
        raise BadInput(f"{TELEMOST}: {problem}")
    return Checked(text)


def _identity_key(text: str, now: datetime) -> Checked:
    del now
    problem = word(text) or (None if len(text) >= SHORTEST_KEY else f"has fewer than {SHORTEST_KEY} characters")
    if problem:
        raise BadInput(f"{IDENTITY_KEY}: {problem}")
    return Checked(text)


def _document(name: str, fields: Sequence[Field], remedies: dict[str, str], text: str, now: datetime) -> Checked:
    """Compact, and only the fields that Conveyor reads: what is not needed need not be stored."""
    del now
    given = fields_of(name, text, fields, remedies)
    return Checked(json.dumps({field.name: given[field.name] for field in fields}, separators=(",", ":")))


def _unix_time(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return "must be Unix time as a number without quotes"
    return "is in milliseconds: write seconds" if value >= _MILLISECONDS else None


def _address(value: Any) -> str | None:
    return word(value) or (None if value.startswith("https://") else "must begin with https://, as in the integration")


def _host(value: Any) -> str | None:
    right = re.fullmatch(r"[A-Za-z0-9.-]+", value) if isinstance(value, str) else None
    return None if right else "must be the name of the mail server, such as smtp.yandex.ru"


def _port(value: Any) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    number = value if is_number else int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value) else 0
    return None if 0 < number < 65_536 else "must be a number: 465, or 587 for STARTTLS"


def _mail(value: Any) -> str | None:
    return None if isinstance(value, str) and is_email(value) else "must be one e-mail, without a name and brackets"


def _rsa_key(value: Any) -> str | None:
    """As the adapter reads it when it signs."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not isinstance(value, str):
        return "must be a text in quotes"
    try:
        key = load_pem_private_key(value.encode(errors="replace"), password=None)
    except (ValueError, TypeError):
        return "is no key in PEM: give the JSON file as Google made it, with \\n where lines of the key end"
    return None if isinstance(key, RSAPrivateKey) else "is no RSA key: make a key of type JSON in the Google console"


_AMOCRM_PAIR = (
    Field("client_id", word),
    Field("client_secret", word),
    Field("redirect_uri", _address),
    Field("access_token", word),
    Field("refresh_token", word),
    Field("expires_at", _unix_time, is_number=True),
)
_GOOGLE_CONSENT = (
    Field("client_id", no_word_that(begins="GOCSPX-", is_a="is the client's secret: the two are interchanged")),
    Field("client_secret", word),
    Field("refresh_token", no_word_that(begins="ya29.", is_a="is an access token, which lives an hour")),
)
_GOOGLE_KEY = (Field("client_email", _mail), Field("private_key_id", word), Field("private_key", _rsa_key))
_MAIL_ACCOUNT = (
    Field("host", _host),
    Field("port", _port, is_number=True),
    Field("user", password),
    Field("password", password),
    Field("from", _mail),
)

_CLIENT_FILE = "this is the file of the OAuth client; the refresh token comes from the host's consent"
_NO_CONSENT = {"installed": _CLIENT_FILE, "web": _CLIENT_FILE, "private_key": f"this is a key for {SERVICE_ACCOUNT}"}
_NO_KEY = {"installed": _CLIENT_FILE, "web": _CLIENT_FILE, "refresh_token": f"this is a consent, for {GOOGLE_OAUTH}"}
_NO_PAIR = {
    "expires_in": "this is amoCRM's answer; write expires_at (now + expires_in, Unix time), client_id,"
    " client_secret and redirect_uri to it, and take expires_in away"
}

SHAPES = {
    LONG_LIVED: Shape("long-lived token of amoCRM", _long_lived),
    AMOCRM_OAUTH: Shape(
        "OAuth pair of amoCRM", partial(_document, AMOCRM_OAUTH, _AMOCRM_PAIR, _NO_PAIR), _AMOCRM_PAIR, LONG_LIVED
    ),
    GOOGLE_OAUTH: Shape(
        "consent of the calendar's host",
        partial(_document, GOOGLE_OAUTH, _GOOGLE_CONSENT, _NO_CONSENT),
        _GOOGLE_CONSENT,
        SERVICE_ACCOUNT,
    ),
    SERVICE_ACCOUNT: Shape(
        "key of a service account of Google", partial(_document, SERVICE_ACCOUNT, _GOOGLE_KEY, _NO_KEY), is_file=True
    ),
    TELEMOST: Shape("OAuth token of Yandex Telemost", _telemost),
    SMTP: Shape("mail account for invitations", partial(_document, SMTP, _MAIL_ACCOUNT, {}), _MAIL_ACCOUNT),
    IDENTITY_KEY: Shape("key of the hashes of phones and e-mails", _identity_key, is_for_ever=True),
}
"""By name of the parameter below /conveyor/<stage>/."""
