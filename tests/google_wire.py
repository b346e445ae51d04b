"""A Google that answers as a test says, body by body, before our adapter: no sockets, no simulator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from functions.shared.adapters.google.gateway import HttpGoogle, build_google
from functions.shared.adapters.google.identity import OAUTH
from functions.shared.meetings import Attendee, Meeting, Span, meeting_id
from functions.shared.runtime import Runtime
from tests.fakes import ManualClock, MemoryTelemetry

HOST = "meet@firm.example"
ROBOT = "robot@project.iam.gserviceaccount.com"
PREFIX = "/conveyor/test"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
CALL = Meeting("firm:call:1", "Созвон", AT, 30, MOSCOW, (Attendee("anna@firm.example"), Attendee("ivan@mail.ru")))
CONSENT = json.dumps({"client_id": "c", "client_secret": "s", "refresh_token": "r"})
TOKEN = {"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"}
SPAN = Span(AT, AT + timedelta(hours=1))


def calendar_error(status: int, reason: str, message: str = "", domain: str = "global") -> httpx.Response:
    error = {"domain": domain, "reason": reason, "message": message}
    return httpx.Response(status, json={"error": {"errors": [error], "code": status, "message": message}})


def scope_error() -> httpx.Response:
    """The front end's shape (Google Calendar API: scopes)."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
    errors = [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}]
    error = {"code": 403, "errors": errors, "status": "PERMISSION_DENIED", "details": [info], "message": "scopes"}
    return httpx.Response(403, json={"error": error})


@dataclass
class FakeSsm:
    """The parameters by path."""

    values: dict[str, str] = field(default_factory=dict)

    def get_parameters(self, **request: Any) -> dict[str, Any]:
        assert request["WithDecryption"]
        names = [name for name in request["Names"] if name in self.values]
        return {"Parameters": [{"Name": name, "Value": self.values[name]} for name in names]}


@cache
def service_account() -> dict[str, str]:
    """The key of a service account, as a firm downloads it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"type": "service_account", "client_email": ROBOT, "private_key_id": "key-1", "private_key": pem}


class Google:
    """Answers as the test says; tokens are given unless it says otherwise."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ssm = FakeSsm({f"{PREFIX}/{OAUTH}": CONSENT})
        self.requests: list[httpx.Request] = []
        self.tokens: list[httpx.Request] = []
        self.token_answers: list[httpx.Response] = []
        self.answers: list[httpx.Response | Exception] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "oauth2.googleapis.com":
            self.tokens.append(request)
            return self.token_answers.pop(0) if self.token_answers else httpx.Response(200, json=TOKEN)
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def adapter(self, host: str = HOST) -> HttpGoogle:
        runtime = Runtime(clock=self.clock, aws=lambda name: self.ssm, transport=httpx.MockTransport(self))
        found = build_google(PREFIX, runtime, host, MemoryTelemetry())
        assert isinstance(found, HttpGoogle)
        return found


def event(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": meeting_id(CALL.key, 1),
        "etag": '"8"',
        "status": "confirmed",
        "summary": "Созвон",
        "start": {"dateTime": "2026-11-24T15:00:00+03:00", "timeZone": "Europe/Moscow"},
        "end": {"dateTime": "2026-11-24T15:30:00+03:00", "timeZone": "Europe/Moscow"},
        "extendedProperties": {"private": {"conveyorKey": CALL.key}},
        "hangoutLink": "https://meet.google.com/abc-defg-hij",
        "conferenceData": {"conferenceId": "abc-defg-hij"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}
