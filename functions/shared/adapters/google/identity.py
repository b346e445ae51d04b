"""Who we are for Google: a service account that acts as the host, or the host himself by his consent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from functions.shared.errors import NotConfigured

OAUTH, SERVICE_ACCOUNT = "google-oauth", "google-service-account"
"""Names of the parameters below the installation's prefix."""

JWT_LIFE = 3600
"""Seconds; Google takes no longer one (Google Identity: service accounts)."""


@dataclass(frozen=True)
class Consent:
    """A refresh token of the host, with the client that he consented to."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def form(self, scopes: Sequence[str], subject: str, audience: str, now: datetime) -> dict[str, str]:
        """What is sent to the token endpoint; the scopes are those that he consented to."""
        del scopes, subject, audience, now
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }

    def can_be(self, subject: str) -> bool:
        """Whether it can act as this user: it is the host, whoever that is."""
        del subject
        return False


@dataclass(frozen=True)
class ServiceAccount:
    """A key of a service account with domain-wide delegation: it acts as any user of the firm."""

    client_email: str
    private_key_id: str
    private_key: str = field(repr=False)

    def form(self, scopes: Sequence[str], subject: str, audience: str, now: datetime) -> dict[str, str]:
        """A signed request to be `subject` (Google Identity: service accounts, authorising with HTTP)."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.client_email,
            "sub": subject,
            "scope": " ".join(scopes),
            "aud": audience,
            "iat": issued,
            "exp": issued + JWT_LIFE,
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": self.private_key_id}
        signed = f"{_part(header)}.{_part(claims)}"
        assertion = f"{signed}.{_base64(self._signature(signed.encode()))}"
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}

    def can_be(self, subject: str) -> bool:
        return bool(subject)

    def _signature(self, text: bytes) -> bytes:
        """cryptography costs a cold start 26 ms, so it is imported by those who have such a key."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError) as error:  # TypeError: it is encrypted with a password
            raise NotConfigured(
                f"private_key of {SERVICE_ACCOUNT} is no key in PEM: {_again(SERVICE_ACCOUNT)}"
            ) from error
        if not isinstance(key, RSAPrivateKey):
            raise NotConfigured(f"private_key of {SERVICE_ACCOUNT} is no RSA key: {_again(SERVICE_ACCOUNT)}")
        return key.sign(text, PKCS1v15(), SHA256())


Identity = Consent | ServiceAccount


def identity_of(secrets: Mapping[str, str], prefix: str) -> Identity:
    """The service account, if both are there. Raises NotConfigured with the name of what is missing, never a value."""
    if SERVICE_ACCOUNT in secrets:
        given = _fields(secrets[SERVICE_ACCOUNT], SERVICE_ACCOUNT, ("client_email", "private_key_id", "private_key"))
        return ServiceAccount(**given)
    if OAUTH in secrets:
        return Consent(**_fields(secrets[OAUTH], OAUTH, ("client_id", "client_secret", "refresh_token")))
    raise NotConfigured(
        f"no credential for Google in {prefix}: store one with `conveyor secrets set {SERVICE_ACCOUNT}` (the key of a"
        f" service account with domain-wide delegation) or `conveyor secrets set {OAUTH}` (a refresh token of the host)"
    )


def _fields(text: str, name: str, wanted: Sequence[str]) -> dict[str, str]:
    try:
        document = json.loads(text)
    except ValueError:
        raise NotConfigured(f"{name} is no JSON: {_again(name)}") from None
    missing = [field for field in wanted if not (isinstance(document, dict) and isinstance(document.get(field), str))]
    if missing:
        raise NotConfigured(f"{name} lacks {', '.join(missing)}: {_again(name)}")
    return {field: document[field] for field in wanted}


def _again(name: str) -> str:
    return f"store it again with `conveyor secrets set {name}`"


def _part(document: Mapping[str, Any]) -> str:
    return _base64(json.dumps(document, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
