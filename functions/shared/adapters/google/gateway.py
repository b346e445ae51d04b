"""Puts the adapter together; nothing is opened or read before the first request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, partial

from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.adapters.google.calendar import GoogleCalendar
from functions.shared.adapters.google.config import GoogleConfig
from functions.shared.adapters.google.meet import GoogleMeet
from functions.shared.adapters.google.rest import GoogleRest, open_http
from functions.shared.adapters.google.tokens import GoogleTokens
from functions.shared.meetings import Booked, CalendarChanges, Conference, Meeting, MeetingChange, Space, Span
from functions.shared.ports import MeetingProvider
from functions.shared.runtime import Runtime
from functions.shared.telemetry import Telemetry


def build_google(
    secrets_prefix: str, runtime: Runtime, host: str, log: Telemetry, config: GoogleConfig | None = None
) -> MeetingProvider:
    """The calendar of `host`: the credential from SSM, HTTP through the runtime."""
    config = config or GoogleConfig()
    http = cache(partial(open_http, config, runtime.transport))
    secrets = Parameters(partial(runtime.aws, "ssm"), secrets_prefix)
    tokens = GoogleTokens(secrets, secrets_prefix, host, config, http, runtime.clock)
    return HttpGoogle(GoogleRest(config, tokens, http, runtime.clock, log))


class HttpGoogle:
    """`MeetingProvider` with Google Calendar and Google Meet."""

    def __init__(self, rest: GoogleRest) -> None:
        self._calendar = GoogleCalendar(rest)
        self._meet = GoogleMeet(rest)

    def book(self, meeting: Meeting, generation: int) -> Booked:
        return self._calendar.book(meeting, generation)

    def find(self, event_id: str) -> Booked | None:
        return self._calendar.find(event_id)

    def change(self, booked: Booked, change: MeetingChange, *, tell: bool) -> Booked:
        return self._calendar.change(booked, change, tell=tell)

    def cancel(self, event_id: str, *, tell: bool) -> None:
        self._calendar.cancel(event_id, tell=tell)

    def renew_link(self, booked: Booked, attempt: int) -> Booked:
        return self._calendar.renew_link(booked, attempt)

    def record(self, code: str) -> Space:
        return self._meet.record(code)

    def changes(self, since: str | None) -> CalendarChanges:
        return self._calendar.changes(since)

    def busy(self, emails: Collection[str], span: Span) -> Mapping[str, tuple[Span, ...] | None]:
        return self._calendar.busy(emails, span)

    def away(self, email: str, span: Span) -> tuple[Span, ...] | None:
        return self._calendar.away(email, span)

    def conferences(self, space: str, span: Span) -> tuple[Conference, ...]:
        return self._meet.conferences(space, span)
