"""HTTP with Google: one request at a time, with a token, few retries, and errors told apart by their reasons."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.shared.adapters.google.config import GoogleConfig
from functions.shared.errors import MeetingsForbidden, MeetingsUnauthorized, MeetingsUnavailable

if TYPE_CHECKING:
    import httpx

    from functions.shared.adapters.google.tokens import GoogleTokens
    from functions.shared.clock import Clock
    from functions.shared.telemetry import Telemetry

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

_RATES = ("rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")
_LIMITS = ("quotaExceeded", "calendarUsageLimits", "dailyLimitExceeded")

_SCOPE = "the credential lacks a scope: grant all of docs/setup-google.md"
_API_OFF = "switch on the Google Calendar API and the Google Meet API in the Cloud project"
_REMEDIES = {
    "insufficientPermissions": _SCOPE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _SCOPE,
    "accessNotConfigured": _API_OFF,
    "SERVICE_DISABLED": _API_OFF,
    "forbiddenForServiceAccounts": (
        "a service account may invite nobody without domain-wide delegation: grant it, and set meetings.host"
    ),
    "forbidden": "an administrator of Google Workspace has to let `meetings.host` use Google Calendar and change it",
    "forbiddenForNonOrganizer": "the event was moved to another calendar: move it back to that of `meetings.host`",
}
"""What would be right, by the reason of a refusal that stays (Google Calendar API: errors)."""


@dataclass
class Refusal(Exception):
    """Google's final no to a request: its HTTP status, its reason (`duplicate`, `conditionNotMet` …) and its words."""

    status: int
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


def open_http(config: GoogleConfig, transport: httpx.BaseTransport | None) -> httpx.Client:
    """The connection pool of a process. Redirects are not followed: they would carry the token to another host."""
    import httpx

    for chatty in ("httpx", "httpcore"):
        # At INFO each request is logged with its URL, and whose calendar is read stands in it.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return httpx.Client(
        timeout=httpx.Timeout(config.read_timeout, connect=config.connect_timeout),
        limits=httpx.Limits(max_connections=4),
        transport=transport,
        headers={"User-Agent": "Conveyor"},
        follow_redirects=False,
    )


class GoogleRest:
    """`http` is called on the first request only."""

    def __init__(
        self,
        config: GoogleConfig,
        tokens: GoogleTokens,
        http: Callable[[], httpx.Client],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self.config = config
        self.clock = clock
        self.tokens = tokens
        self._http = http
        self._telemetry = telemetry

    def call(
        self,
        method: str,
        url: str,
        scopes: tuple[str, ...],
        *,
        query: Query = (),
        body: Json | None = None,
        version: str = "",
        subject: str = "",
    ) -> Json:
        """The JSON of the answer, {} for none. Each request of ours may go out again after a lost answer: events have
        ids that we choose, and changes name the version they change (`version`).

        Raises Refusal, MeetingsUnavailable, MeetingsUnauthorized, MeetingsForbidden, NotConfigured.
        """
        failure = ""
        for attempt in range(1, self.config.attempts + 1):
            if attempt > 1:
                self.clock.sleep(self.config.backoff(attempt - 1))
            answer = self._answer(method, url, scopes, query, body, version, subject)
            if isinstance(answer, str):
                failure = answer
                continue
            failure = self._failure(answer)
            if not failure:
                return _json(answer) or {}
        raise MeetingsUnavailable(f"Google: {failure}", after=self.config.rate_wait)

    def call_made(self, method: str, url: str, scopes: tuple[str, ...], **request: Any) -> Json:
        """As `call`, of what may have been made a moment ago: it is not seen everywhere at once, so a 404 counts only
        when it is said again (Google Calendar API: errors, 404). Raises the same."""
        for attempt in range(1, self.config.attempts):
            try:
                return self.call(method, url, scopes, **request)
            except Refusal as refusal:
                if refusal.status != 404:
                    raise
            self.clock.sleep(self.config.backoff(attempt))
        return self.call(method, url, scopes, **request)

    def _answer(
        self,
        method: str,
        url: str,
        scopes: tuple[str, ...],
        query: Query,
        body: Json | None,
        version: str,
        subject: str,
    ) -> httpx.Response | str:
        """The answer, or why there is none; a token that was refused is renewed once."""
        token = self.tokens.token(scopes, subject)
        answer = self._send(method, url, query, body, version, token)
        if isinstance(answer, str) or answer.status_code != 401:
            return answer
        answer = self._send(method, url, query, body, version, self.tokens.renew(token, scopes, subject))
        if not isinstance(answer, str) and answer.status_code == 401:
            raise MeetingsUnauthorized("Google refuses a token that it has just given: was the user switched off?")
        return answer

    def _send(
        self, method: str, url: str, query: Query, body: Json | None, version: str, token: str
    ) -> httpx.Response | str:
        import httpx

        headers = {"Authorization": f"Bearer {token}"} | ({"If-Match": version} if version else {})
        try:
            return self._http().request(method, url, params=list(query), json=body, headers=headers)
        except httpx.RequestError as error:
            return type(error).__name__

    def _failure(self, response: httpx.Response) -> str:
        """What passes, in a word, "" for an answer; raises what does not."""
        if response.status_code < 300:
            # Something between us and Google spoke for it: whether the request was done nobody knows.
            return "no JSON" if response.status_code != 204 and _json(response) is None else ""
        refusal = _refusal(response)
        if refusal.reason in _LIMITS:
            raise MeetingsUnavailable(f"Google: {refusal.message}", after=self.config.quota_wait)
        if refusal.status < 500 and refusal.status not in (408, 429) and refusal.reason not in _RATES:
            raise _final(refusal)
        self._telemetry.warning("google_attempt_failed", status=refusal.status, reason=refusal.reason)
        return f"{refusal.status} {refusal.reason}"


def _final(refusal: Refusal) -> Exception:
    """Errors that mean the same whatever was asked; the others are the caller's to understand."""
    remedy = _REMEDIES.get(refusal.reason)
    return MeetingsForbidden(f"Google: {refusal}; {remedy}") if remedy else refusal


def _refusal(response: httpx.Response) -> Refusal:
    """Calendar names the reason in `errors`, a missing scope and Meet in `details` or `status`."""
    error = (_json(response) or {}).get("error")
    if not isinstance(error, Mapping):
        return Refusal(response.status_code, "", f"HTTP {response.status_code}")
    details = [each for each in error.get("details") or [] if isinstance(each, Mapping) and each.get("reason")]
    errors = [each for each in error.get("errors") or [] if isinstance(each, Mapping) and each.get("reason")]
    reasons = [each["reason"] for each in (*details, *errors)]
    reason = str(reasons[0]) if reasons else str(error.get("status") or "")
    return Refusal(response.status_code, reason, str(error.get("message") or ""))


def _json(response: httpx.Response) -> Json | None:
    """The object that an answer holds, if it holds one."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
