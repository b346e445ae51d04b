"""Where the bearer token comes from: a long-lived token, or an OAuth pair that is refreshed.

Both lie in SSM as SecureStrings below the installation's prefix; whichever exists is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from functions.shared.adapters.amocrm.reading import moment
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.errors import AmoCrmUnauthorized, AmoCrmUnavailable, NotConfigured

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from functions.shared.adapters.amocrm.config import AmoCrmConfig
    from functions.shared.adapters.dynamodb.lock import Lock
    from functions.shared.clock import Clock

LONG_LIVED, OAUTH = "amocrm-token", "amocrm-oauth"
"""Names of the parameters below the prefix."""

MAX_AGE = timedelta(minutes=5)
"""How long a token is used without looking at the parameter again."""

EARLY = timedelta(minutes=5)
"""An access token is renewed so long before its end (it lives a day)."""


class TokenProvider(Protocol):
    def token(self) -> str:
        """The token to use now. Raises NotConfigured if there is none."""

    def renew(self, rejected: str) -> str:
        """Another token after a 401. Raises AmoCrmUnauthorized if there is none but the rejected one."""


class SecretStore(Parameters):
    """The same parameters, for whoever also renews them."""

    def write(self, name: str, value: str) -> None:
        """Raises RetryLater if SSM did not take it."""
        self._call("put_parameter", Name=f"{self._prefix}/{name}", Value=value, Type="SecureString", Overwrite=True)

    def missing(self) -> NotConfigured:
        return NotConfigured(
            f"no amoCRM token in {self._prefix}: store one with `conveyor secrets set {LONG_LIVED}`"
            f" (long-lived token), or `conveyor secrets set {OAUTH}` (OAuth pair)"
        )


class StoredToken:
    """The provider for whatever kind of token the installation has; looks once, on first use."""

    def __init__(self, secrets: SecretStore, clock: Clock, endpoint: TokenEndpoint, lock: Lock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._endpoint = endpoint
        self._lock = lock
        self._found: TokenProvider | None = None

    def token(self) -> str:
        return self._provider().token()

    def renew(self, rejected: str) -> str:
        return self._provider().renew(rejected)

    def _provider(self) -> TokenProvider:
        if self._found is None:
            stored = self._secrets.read(LONG_LIVED, OAUTH)
            if LONG_LIVED in stored:
                self._found = LongLivedToken(self._secrets, self._clock)
            elif OAUTH in stored:
                self._found = OAuthPair(self._secrets, self._clock, self._endpoint, self._lock)
            else:
                raise self._secrets.missing()
        return self._found


class LongLivedToken:
    """A token that an administrator made for 1 day to 5 years; nothing renews it but a person."""

    def __init__(self, secrets: SecretStore, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._token = ""
        self._read_at: datetime | None = None

    def token(self) -> str:
        if self._read_at is None or self._clock.now() - self._read_at > MAX_AGE:
            self._read()
        return self._token

    def renew(self, rejected: str) -> str:
        """Read the parameter anew: somebody may have stored another token since."""
        if self._read() == rejected:
            raise AmoCrmUnauthorized(
                f"amoCRM rejects the token: expired, revoked, or the integration is switched off; "
                f"store a new one with `conveyor secrets set {LONG_LIVED}`",
                401,
            )
        return self._token

    def _read(self) -> str:
        stored = self._secrets.read(LONG_LIVED)
        if LONG_LIVED not in stored:
            raise self._secrets.missing()
        self._token, self._read_at = stored[LONG_LIVED].strip(), self._clock.now()
        return self._token


@dataclass(frozen=True)
class Pair:
    """The content of the OAuth parameter; `expires_at` is Unix time of the access token's end."""

    client_id: str
    client_secret: str
    redirect_uri: str
    access_token: str
    refresh_token: str
    expires_at: int

    @classmethod
    def parse(cls, text: str) -> Pair:
        """Raises NotConfigured with the names that are missing, never with a value."""
        try:
            given = json.loads(text)
            names = cls.__dataclass_fields__
            return cls(**{name: given[name] for name in names})
        except (ValueError, KeyError, TypeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else "is not a JSON object"
            raise NotConfigured(f"{OAUTH} {what}: store it again with `conveyor secrets set {OAUTH}`") from None


class OAuthPair:
    """An access token of a day and a refresh token that works once (amoCRM API: OAuth).

    Whoever finds the access token ending takes a lock, reads the pair again (another may have been faster), trades
    the refresh token and stores the new pair before anybody uses it. All others wait and read.
    """

    def __init__(self, secrets: SecretStore, clock: Clock, endpoint: TokenEndpoint, lock: Lock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._endpoint = endpoint
        self._lock = lock
        self._pair: Pair | None = None
        self._unsaved: Pair | None = None
        """A new pair that SSM did not take: the old refresh token is spent, so this one must not get lost."""

    def token(self) -> str:
        pair = self._pair or self._read()
        if not self._is_fresh(pair):
            pair = self._renewed(rejected=None)
        self._pair = pair
        return pair.access_token

    def renew(self, rejected: str) -> str:
        self._pair = self._renewed(rejected)
        return self._pair.access_token

    def _renewed(self, rejected: str | None) -> Pair:
        """A stored pair that is fresh and not the rejected one. Raises AmoCrmUnavailable if others take too long."""
        for _ in range(60):
            pair = self._read()
            if self._is_fresh(pair) and pair.access_token != rejected:
                return pair
            with self._lock.attempt() as ours:
                if ours:
                    return self._trade(rejected)
            self._clock.sleep(0.5)
        raise AmoCrmUnavailable("another process has been renewing the amoCRM token for half a minute", after=30.0)

    def _trade(self, rejected: str | None) -> Pair:
        """Under the lock. Raises AmoCrmUnauthorized if the refresh token is spent: a person must consent again."""
        pair = self._read()
        if self._is_fresh(pair) and pair.access_token != rejected:
            self._unsaved = None
            return pair
        if self._unsaved is None:
            self._unsaved = self._endpoint.refresh(pair, self._clock.now())
        self._secrets.write(OAUTH, json.dumps(asdict(self._unsaved)))
        renewed, self._unsaved = self._unsaved, None
        return renewed

    def _read(self) -> Pair:
        stored = self._secrets.read(OAUTH)
        if OAUTH not in stored:
            raise self._secrets.missing()
        return Pair.parse(stored[OAUTH])

    def _is_fresh(self, pair: Pair) -> bool:
        return self._clock.now() + EARLY < moment(pair.expires_at)


class TokenEndpoint:
    """POST /oauth2/access_token of the account's own host; once a day, so outside of the request budget."""

    def __init__(self, config: AmoCrmConfig, http: Callable[[], httpx.Client]) -> None:
        self._config = config
        self._http = http

    def refresh(self, pair: Pair, now: datetime) -> Pair:
        """Trade the refresh token for a new pair.

        A lost answer is asked for once more with the old token: it stays usable until the new one is first used
        (Kommo: OAuth). Raises AmoCrmUnauthorized on 4xx, AmoCrmUnavailable otherwise.
        """
        answer = self._ask(pair) or self._ask(pair)
        if answer is None:
            raise AmoCrmUnavailable("the token endpoint of amoCRM does not answer")
        return replace(
            pair,
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            expires_at=int(now.timestamp()) + answer["expires_in"],
        )

    def _ask(self, pair: Pair) -> Mapping[str, Any] | None:
        """The new pair, or None where no usable answer came."""
        import httpx

        body = {
            "client_id": pair.client_id,
            "client_secret": pair.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": pair.refresh_token,
            "redirect_uri": pair.redirect_uri,
        }
        try:
            response = self._http().post("/oauth2/access_token", json=body, timeout=self._config.token_endpoint_timeout)
        except httpx.RequestError:
            return None
        if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
            raise AmoCrmUnauthorized(
                f"amoCRM does not renew the token ({response.status_code}): it was used already, or nobody used it for"
                f" three months; connect anew with `conveyor secrets set {OAUTH}`",
                response.status_code,
            )
        return _granted(response.content) if response.status_code == 200 else None


def _granted(content: bytes) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    complete = isinstance(answer, dict) and {"access_token", "refresh_token", "expires_in"} <= answer.keys()
    return answer if complete else None
