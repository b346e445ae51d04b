"""Who speaks: the credentials of all sources, as SSM has them, remembered for some minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from functions.activity_intake.credentials import (
    EVENTS_CREDENTIALS,
    Credential,
    NotAllowed,
    authenticate,
    read_credentials,
)
from functions.shared.clock import Clock
from functions.shared.errors import NotConfigured
from functions.shared.handle_hash import IDENTITY_KEY
from functions.shared.remembered import Remembered

MAX_AGE = timedelta(minutes=5)

DOUBT = timedelta(seconds=30)
"""Before somebody is turned away, the credentials are read again if they are older: a new source works within half a
minute, and a wrong token cannot make us ask SSM more often."""


class Secrets(Protocol):
    def read(self, *names: str) -> dict[str, str]:
        """Values by name; missing ones are missing. Raises RetryLater."""


class Sources:
    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._clock = clock
        self._credentials = Remembered(lambda: _credentials(secrets), clock, MAX_AGE)
        self._key = Remembered(lambda: _identity_key(secrets), clock, MAX_AGE)

    def speaker(self, headers: Mapping[str, str], body: bytes) -> Credential:
        """Raises NotAllowed, NotConfigured, RetryLater."""
        now = self._clock.now()
        try:
            return authenticate(headers, body, self._credentials.get(), now)
        except NotAllowed:
            return authenticate(headers, body, self._credentials.get(DOUBT), now)

    def names(self) -> frozenset[str]:
        """Of all sources that may speak. Raises NotConfigured, RetryLater."""
        return frozenset(credential.source for credential in self._credentials.get())

    def identity_key(self) -> str:
        """The key under which phones, e-mails and foreign ids are hashed. Raises NotConfigured, RetryLater."""
        return self._key.get()


def _credentials(secrets: Secrets) -> tuple[Credential, ...]:
    """Nobody may speak before the first source is stored."""
    return read_credentials(secrets.read(EVENTS_CREDENTIALS).get(EVENTS_CREDENTIALS, "{}"))


def _identity_key(secrets: Secrets) -> str:
    key = secrets.read(IDENTITY_KEY).get(IDENTITY_KEY, "").strip()
    if not key:
        raise NotConfigured(
            f"the parameter {IDENTITY_KEY} is missing: `conveyor sources add NAME` makes it, and a source"
        )
    return key
