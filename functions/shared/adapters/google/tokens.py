"""Access tokens of Google: one for each (user, scopes), asked for when the last one ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.shared.adapters.google.config import GoogleConfig
from functions.shared.adapters.google.identity import OAUTH, SERVICE_ACCOUNT, Consent, Identity, identity_of
from functions.shared.errors import MeetingsUnauthorized, MeetingsUnavailable
from functions.shared.remembered import Remembered

if TYPE_CHECKING:
    import httpx

    from functions.shared.adapters.aws.secrets import Parameters
    from functions.shared.clock import Clock

SECRET_AGE = timedelta(minutes=5)
EARLY = timedelta(minutes=4)
"""A token (it lives an hour) is renewed so long before its end, as Google's own library does."""

_SESSION = ("invalid_rapt", "rapt_required")
"""Subtypes of invalid_grant where the firm demands a new sign-in (google-auth: reauth)."""

_PASSING = ("internal_failure", "server_error", "temporarily_unavailable")


class GoogleTokens:
    """`host` is the e-mail as which a service account acts where nobody else is named."""

    def __init__(
        self,
        secrets: Parameters,
        prefix: str,
        host: str,
        config: GoogleConfig,
        http: Callable[[], httpx.Client],
        clock: Clock,
    ) -> None:
        self._identity = Remembered(
            lambda: identity_of(secrets.read(SERVICE_ACCOUNT, OAUTH), prefix), clock, SECRET_AGE
        )
        self._host = host
        self._config = config
        self._http = http
        self._clock = clock
        self._tokens: dict[tuple[str, tuple[str, ...]], tuple[str, datetime]] = {}

    def can_be(self, subject: str) -> bool:
        """Whether we can act as this user himself."""
        return self._identity.get().can_be(subject)

    def token(self, scopes: tuple[str, ...], subject: str = "") -> str:
        """Raises NotConfigured, MeetingsUnauthorized, MeetingsUnavailable."""
        key = (subject, scopes)
        token, ends = self._tokens.get(key, ("", None))
        if ends is None or self._clock.now() + EARLY >= ends:
            token, ends = self._ask(self._identity.get(), scopes, subject)
            self._tokens[key] = token, ends
        return token

    def renew(self, rejected: str, scopes: tuple[str, ...], subject: str = "") -> str:
        """Another one after a 401; somebody may have stored another credential since."""
        if self._tokens.get((subject, scopes), ("", None))[0] == rejected:
            del self._tokens[subject, scopes]
            self._identity.forget()
        return self.token(scopes, subject)

    def _ask(self, identity: Identity, scopes: tuple[str, ...], subject: str) -> tuple[str, datetime]:
        import httpx

        failure = ""
        for attempt in range(1, self._config.attempts + 1):
            now = self._clock.now()
            form = identity.form(scopes, subject or self._host, self._config.audience, now)
            try:
                response = self._http().post(self._config.token_url, data=form)
            except httpx.RequestError as error:
                failure = type(error).__name__
            else:
                answer = _json(response)
                if response.status_code == 200 and isinstance(answer.get("access_token"), str):
                    return answer["access_token"], now + timedelta(seconds=int(answer.get("expires_in") or 3600))
                failure = str(answer.get("error") or f"HTTP {response.status_code}")
                if _is_final(response, failure):
                    raise MeetingsUnauthorized(_explained(identity, answer))
            if attempt < self._config.attempts:
                self._clock.sleep(self._config.backoff(attempt))
        raise MeetingsUnavailable(f"the token endpoint of Google: {failure}", after=self._config.rate_wait)


def _is_final(response: httpx.Response, error: str) -> bool:
    """Google itself says no. What has no `error` in it, as the page of a proxy, is not its answer."""
    is_passing = response.status_code >= 500 or response.status_code in (408, 429) or error in _PASSING
    return not is_passing and bool(_json(response).get("error"))


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _explained(identity: Identity, answer: Mapping[str, Any]) -> str:
    """What is wrong, and what would be right (Google Identity: errors of the token endpoint)."""
    error, description = str(answer["error"]), str(answer.get("error_description") or "")
    if isinstance(identity, Consent):
        remedy = _of_consent(error, str(answer.get("error_subtype") or ""))
    else:
        remedy = _of_service_account(error, description)
    return f"Google gives no token ({error}: {description or 'no description'}): {remedy}"


def _of_consent(error: str, subtype: str) -> str:
    if subtype in _SESSION:
        return (
            "the firm's Google Cloud session control ends consents: an administrator has to exempt trusted apps and"
            f" trust this one; then consent again, and `conveyor secrets set {OAUTH}`"
        )
    if error == "invalid_grant":
        return (
            f"the refresh token has ended; if the consent screen is External and in Testing, it ends after 7 days:"
            f" publish the app or make it Internal, consent again, and `conveyor secrets set {OAUTH}`"
        )
    if error in ("invalid_client", "deleted_client", "disabled_client", "unauthorized_client"):
        return f"the client in {OAUTH} is not the one that got the consent, or it was deleted"
    return f"an administrator of Google Workspace has to allow the app; then consent again for {OAUTH}"


def _of_service_account(error: str, description: str) -> str:
    if error in ("unauthorized_client", "access_denied"):
        return (
            "in the Admin console, Security, API controls, Domain-wide delegation, enter the service account's NUMERIC"
            " client id with all scopes of docs/setup-google.md; it takes minutes, at most a day"
        )
    if error == "invalid_grant" and "email" in description.casefold():
        return "`meetings.host` in department.yaml is no user of this Google Workspace"
    if error == "invalid_grant" and "signature" in description.casefold():
        return f"the key was deleted or disabled: make another one and `conveyor secrets set {SERVICE_ACCOUNT}`"
    if error == "invalid_grant":
        return "the clock of this machine is wrong, or the key is not the one of this service account"
    if error == "invalid_scope":
        return "this Conveyor asks for a scope that Google does not know: deploy a newer one"
    return "the service account or its key was disabled, or an administrator forbids the scopes"
