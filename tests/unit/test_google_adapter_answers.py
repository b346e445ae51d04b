"""Every method of the adapter before every kind of answer: what is final, what passes, what has been done already."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from functions.shared.adapters.google.gateway import HttpGoogle
from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingRefused,
    MeetingsError,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
)
from functions.shared.meetings import Booked, LinkState, MeetingChange, RecordingState, Span
from tests.google_wire import CALL, SPAN, Google, calendar_error, event, scope_error

BOOKED = Booked("e", '"7"', CALL.key)
LATER = MeetingChange(start=CALL.start + timedelta(hours=1), minutes=30, zone=CALL.zone)

Act = Callable[[HttpGoogle], Any]
CALENDAR: dict[str, Act] = {
    "book": lambda adapter: adapter.book(CALL, 1),
    "find": lambda adapter: adapter.find("e"),
    "change": lambda adapter: adapter.change(BOOKED, LATER, tell=True),
    "renew_link": lambda adapter: adapter.renew_link(BOOKED, 1),
    "cancel": lambda adapter: adapter.cancel("e", tell=True),
    "changes": lambda adapter: adapter.changes(None),
    "busy": lambda adapter: adapter.busy(["anna@firm.example"], SPAN),
}
MEET: dict[str, Act] = {"conferences": lambda adapter: adapter.conferences("spaces/x", SPAN)}
QUIET: dict[str, Act] = {
    "record": lambda adapter: adapter.record("abc-defg-hij"),
    "away": lambda adapter: adapter.away("anna@firm.example", SPAN),
}
"""These answer a refusal with a value: a meeting takes place without a recording, a person is not known away."""

ALL = CALENDAR | MEET | QUIET


def meet_error(status: int, code: str, message: str = "…", reason: str = "") -> httpx.Response:
    """google.rpc style (Google Meet API)."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    error = {"code": status, "message": message, "status": code, "details": details}
    return httpx.Response(status, json={"error": error})


def of(methods: dict[str, Act]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("act", methods.values(), ids=methods)


@pytest.fixture
def google() -> Google:
    return Google()


# --- what is final -------------------------------------------------------------------------------------------

FOR_GOOD = {
    "scope": (scope_error(), "docs/setup-google.md"),
    "scope, in few words": (calendar_error(403, "insufficientPermissions", "Insufficient Permission"), "setup-google"),
    "scope of Meet": (meet_error(403, "PERMISSION_DENIED", reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"), "setup-google"),
    "API is off": (calendar_error(403, "accessNotConfigured", "…", "usageLimits"), "Google Meet API in the Cloud"),
    "API of Meet is off": (meet_error(403, "PERMISSION_DENIED", reason="SERVICE_DISABLED"), "in the Cloud project"),
    "no delegation": (calendar_error(403, "forbiddenForServiceAccounts", "…", "calendar"), "domain-wide delegation"),
    "another organizer": (calendar_error(403, "forbiddenForNonOrganizer", "…", "calendar"), "move it back"),
    "no right": (calendar_error(403, "forbidden", "Forbidden"), "administrator"),
    "a reason of tomorrow": (calendar_error(403, "newReason", "What we do not know yet."), "do not know yet"),
    "no body": (httpx.Response(403, text="<html>"), "403"),
    "a redirect": (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), "302"),
}


@pytest.mark.parametrize(("answer", "words"), FOR_GOOD.values(), ids=FOR_GOOD)
@of(CALENDAR | MEET)
def test_what_may_not_be_is_said_once_with_what_would_be_right(google, act, answer, words):
    google.answers = [answer]
    with pytest.raises(MeetingsForbidden, match=words):
        act(google.adapter())
    assert (len(google.requests), google.clock.slept) == (1, 0)


@pytest.mark.parametrize("answer", [answer for answer, _ in FOR_GOOD.values()], ids=FOR_GOOD)
def test_what_a_meeting_can_do_without_is_no_error(google, answer):
    google.answers = [answer]
    assert google.adapter().record("abc-defg-hij").recording is RecordingState.REFUSED
    assert google.adapter().away("anna@firm.example", SPAN) is None


@of(CALENDAR | MEET)
def test_a_token_that_is_refused_twice_is_no_use(google, act):
    google.answers = [calendar_error(401, "authError", "Invalid Credentials")]
    with pytest.raises(MeetingsUnauthorized):
        act(google.adapter())
    assert (len(google.requests), len(google.tokens)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (400, "invalid", "Invalid resource id value."),
        (400, "invalid", "Invalid time zone definition for start time."),
        (400, "required", "Missing time zone definition for start time."),
        (400, "badRequest", "Bad Request"),
        (400, "parseError", "Parse Error"),
        (400, "timeRangeTooLong", "The requested time range is too long."),
    ],
)
@pytest.mark.parametrize("name", ["book", "find", "change", "cancel", "changes", "busy"])
def test_what_is_not_valid_is_refused_with_google_s_words(google, name, status, reason, message):
    google.answers = [calendar_error(status, reason, message)]
    with pytest.raises(MeetingRefused, match=message) as refused:
        ALL[name](google.adapter())
    assert refused.value.attendees is False
    assert len(google.requests) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (meet_error(403, "PERMISSION_DENIED", "Permission denied on resource Space (or it might not exist)"), "host"),
        (meet_error(404, "NOT_FOUND", "Requested entity was not found."), "not found"),
        (meet_error(400, "INVALID_ARGUMENT", "Invalid filter."), "Invalid filter"),
    ],
    ids=str,
)
def test_a_space_that_is_not_ours_has_no_conferences(google, answer, words):
    google.answers = [answer]
    with pytest.raises(MeetingsForbidden, match=words):
        google.adapter().conferences("spaces/x", SPAN)


@pytest.mark.parametrize("reason", ["quotaExceeded", "calendarUsageLimits", "dailyLimitExceeded"])
@of(ALL)
def test_used_up_limits_are_asked_once_and_left_alone_for_an_hour(google, act, reason):
    google.answers = [calendar_error(403, reason, "Calendar usage limits exceeded.", "usageLimits")]
    with pytest.raises(MeetingsUnavailable) as later:
        act(google.adapter())
    assert later.value.after is not None and later.value.after >= 3600
    assert (len(google.requests), google.clock.slept) == (1, 0)


# --- what passes ---------------------------------------------------------------------------------------------

PASSING: dict[str, httpx.Response | Exception] = {
    "403 rate": calendar_error(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "403 user rate": calendar_error(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits"),
    "429": calendar_error(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "429 of Meet": meet_error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    "429 of nobody": httpx.Response(429),
    "408": httpx.Response(408),
    "500": calendar_error(500, "backendError", "Backend Error"),
    "503": calendar_error(503, "backendError", "Backend Error"),
    "503 of Meet": meet_error(503, "UNAVAILABLE", "The service is currently unavailable."),
    "502 of a proxy": httpx.Response(502, text="<html>Bad Gateway</html>"),
    "200 of a proxy": httpx.Response(200, text="<html>Sign in</html>"),
    "200, cut off": httpx.Response(200, content=b'{"id": "e", "sta'),
    "no connection": httpx.ConnectError("…"),
    "no connection in time": httpx.ConnectTimeout("…"),
    "no answer in time": httpx.ReadTimeout("…"),
    "half an answer": httpx.RemoteProtocolError("peer closed connection"),
}
passing = pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)


@passing
@of(ALL)
def test_what_passes_is_asked_three_times_and_then_left_to_the_queue(google, act, answer):
    google.answers = [answer]
    with pytest.raises(MeetingsUnavailable) as later:
        act(google.adapter())
    assert later.value.after == 60
    assert 3 <= google.clock.slept <= 5, "1 + 2 seconds, and up to one more each"
    first, *others = google.requests
    assert len(others) == 2
    for other in others:
        assert (other.method, other.url, other.content) == (first.method, first.url, first.content)
        assert other.headers.get("If-Match") == first.headers.get("If-Match")


@passing
def test_what_has_passed_leaves_no_trace(google, answer):
    google.answers = [answer, answer, httpx.Response(200, json=event())]
    booked = google.adapter().book(CALL, 1)
    assert (booked.key, booked.link_state) == (CALL.key, LinkState.READY)


def test_an_answer_that_was_lost_is_recognised_by_what_it_left_behind(google):
    """What each write meets when it is repeated: a taken id, another version, nothing."""
    lost = httpx.ReadTimeout("…")
    google.answers = [lost, calendar_error(409, "duplicate"), httpx.Response(200, json=event())]
    assert google.adapter().book(CALL, 1).key == CALL.key
    google.answers = [lost, calendar_error(412, "conditionNotMet", "Precondition Failed")]
    with pytest.raises(MeetingMoved):
        google.adapter().change(BOOKED, LATER, tell=True)
    google.answers = [lost, calendar_error(412, "conditionNotMet", "Precondition Failed")]
    with pytest.raises(MeetingMoved):
        google.adapter().renew_link(BOOKED, 1)
    google.answers = [lost, calendar_error(410, "deleted", "Resource has been deleted")]
    google.adapter().cancel("e", tell=True)


def test_a_taken_id_whose_event_was_deleted_is_gone(google):
    google.answers = [calendar_error(409, "duplicate"), httpx.Response(200, json=event(status="cancelled"))]
    with pytest.raises(MeetingGone):
        google.adapter().book(CALL, 1)


# --- links ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", ["Invalid conference type value.", "Invalid conference data.", "Conferences are off for this calendar."]
)
def test_a_link_that_is_refused_costs_no_booking(google, message):
    google.answers = [
        calendar_error(400, "invalid", message),
        httpx.Response(200, json=event(conferenceData=None, hangoutLink=None)),
    ]
    booked = google.adapter().book(CALL, 1)
    assert (booked.key, booked.link_state) == (CALL.key, LinkState.NONE)
    with_link, without = google.requests
    assert "conferenceDataVersion" not in str(without.url)
    wanted = json.loads(with_link.content)
    del wanted["conferenceData"]
    assert json.loads(without.content) == wanted


def test_a_booking_that_is_refused_without_a_link_too_is_refused(google):
    google.answers = [
        calendar_error(400, "invalid", "Invalid conference type value."),
        calendar_error(400, "invalid", "Invalid attendee email."),
    ]
    with pytest.raises(MeetingRefused) as refused:
        google.adapter().book(CALL, 1)
    assert refused.value.attendees


def test_a_link_that_is_pending_is_looked_for_once(google):
    pending = {"createRequest": {"requestId": "r", "status": {"statusCode": "pending"}}}
    waiting = httpx.Response(200, json=event(hangoutLink=None, conferenceData=pending))
    google.answers = [waiting, httpx.Response(200, json=event())]
    assert google.adapter().book(CALL, 1).link_state is LinkState.READY
    google.answers, google.requests = [waiting], []
    assert google.adapter().book(CALL, 1).link_state is LinkState.PENDING
    assert [request.method for request in google.requests] == ["POST", "GET"]
    assert google.clock.slept == 2 * 1.5


def test_another_link_is_asked_for_under_another_name_and_told_to_nobody(google):
    google.answers = [httpx.Response(200, json=event())]
    for attempt in (1, 2):
        google.adapter().renew_link(BOOKED, attempt)
    asked = [json.loads(request.content)["conferenceData"]["createRequest"]["requestId"] for request in google.requests]
    assert asked == ["e-1", "e-2"]
    query = parse_qs(google.requests[0].url.query.decode())
    assert query == {"conferenceDataVersion": ["1"], "sendUpdates": ["none"]}


# --- pages ---------------------------------------------------------------------------------------------------


def test_an_empty_page_is_not_the_last(google):
    """(Google Calendar API: events.list, maxResults.)"""
    away = {
        "id": "ooo",
        "eventType": "outOfOffice",
        "start": {"dateTime": "2026-11-24T12:00:00Z"},
        "end": {"dateTime": "2026-11-24T13:00:00Z"},
    }
    empty = httpx.Response(200, json={"items": [], "nextPageToken": "p2"})
    google.answers = [empty, httpx.Response(200, json={"items": [away]})]
    assert google.adapter().away("anna@firm.example", SPAN) == (SPAN,)
    assert parse_qs(google.requests[1].url.query.decode())["pageToken"] == ["p2"]
    google.answers = [empty, httpx.Response(200, json={"items": [event()], "nextSyncToken": "t"})]
    assert [each.key for each in google.adapter().changes(None).booked] == [CALL.key]


def test_a_token_that_ends_between_two_pages_begins_anew(google):
    google.answers = [
        httpx.Response(200, json={"items": [event(id="half")], "nextPageToken": "p2"}),
        calendar_error(410, "fullSyncRequired", "…", "calendar"),
        httpx.Response(200, json={"items": [event()], "nextSyncToken": "t2"}),
    ]
    changes = google.adapter().changes("t1")
    assert (changes.is_all, changes.token, [each.id for each in changes.booked]) == (True, "t2", [event()["id"]])


def test_conferences_and_recordings_are_read_to_their_last_pages(google):
    def record(number: int) -> dict[str, Any]:
        start = f"2026-11-24T12:{number:02}:00.123456789Z"
        return {"name": f"conferenceRecords/{number}", "startTime": start, "endTime": "2026-11-24T12:50:00Z"}

    def recording(number: int, state: str = "FILE_GENERATED") -> dict[str, Any]:
        return {"name": f"r{number}", "state": state, "driveDestination": {"exportUri": f"https://drive/{number}"}}

    google.answers = [
        httpx.Response(200, json={"conferenceRecords": [record(30)], "nextPageToken": "2"}),
        httpx.Response(200, json={"conferenceRecords": [record(1)]}),
        httpx.Response(200, json={"recordings": [recording(1)], "nextPageToken": "2"}),
        httpx.Response(200, json={"recordings": [recording(2)]}),
        httpx.Response(200, json={"recordings": [recording(3), recording(4, "ENDED")]}),
    ]
    first, second = google.adapter().conferences("abc-defg-hij", SPAN)
    assert [first.started_at.minute, second.started_at.minute] == [1, 30], "the oldest first"
    assert [each.url for each in second.recordings] == ["https://drive/1", "https://drive/2"]
    assert ([each.id for each in first.recordings], first.is_complete) == (["r3"], False)
    wanted = parse_qs(google.requests[0].url.query.decode())["filter"][0]
    assert wanted.startswith('space.meeting_code="abc-defg-hij" AND start_time>=')


# --- who is busy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["notFound", "internalError", "groupTooBig", "tooManyCalendarsRequested"])
def test_a_calendar_with_an_error_is_not_free(google, reason):
    busy = {"start": "2026-11-24T15:00:00+03:00", "end": "2026-11-24T15:30:00+03:00"}
    calendars = {
        "anna@firm.example": {"errors": [{"domain": "global", "reason": reason}], "busy": []},
        "boris@firm.example": {"busy": [busy]},
    }
    google.answers = [httpx.Response(200, json={"calendars": calendars})]
    found = google.adapter().busy(["anna@firm.example", "boris@firm.example", "carl@firm.example"], SPAN)
    assert found == {
        "anna@firm.example": None,
        "boris@firm.example": (Span(SPAN.start, SPAN.start + timedelta(minutes=30)),),
        "carl@firm.example": None,
    }


def test_a_calendar_that_is_seen_for_a_part_of_the_time_alone_is_not_free(google):
    email = "anna@firm.example"
    google.answers = [
        httpx.Response(200, json={"calendars": {email: {"errors": [{"reason": "internalError"}]}}}),
        httpx.Response(200, json={"calendars": {email: {"busy": []}}}),
    ]
    span = Span(SPAN.start, SPAN.start + timedelta(days=120))
    assert google.adapter().busy([email], span) == {email: None}
    assert len(google.requests) == 2


def test_nobody_is_asked_for_in_no_request(google):
    google.answers = [httpx.Response(500)]
    assert google.adapter().busy([], SPAN) == {}
    assert google.requests == []


def test_what_the_port_promises_is_all_that_comes_out(google):
    """No answer with an error status is let through, nor turned into an error of another kind."""
    promised = (MeetingsError, MeetingsUnavailable)
    for status in (*range(300, 309), *range(400, 452), *range(500, 512)):
        for name, act in ALL.items():
            google.answers = [calendar_error(status, "whatever", "…")]
            try:
                found = act(google.adapter())
            except promised:
                continue
            allowed = {"find": (404, 410), "cancel": (404, 410)}.get(name, ())
            assert name in QUIET or status in allowed, (name, status, found)
