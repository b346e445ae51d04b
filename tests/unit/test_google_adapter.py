"""The adapter of Google before bodies as Google sends them: which error each becomes, what is asked again and when."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from functions.shared.adapters.google.gateway import build_google
from functions.shared.adapters.google.identity import OAUTH, SERVICE_ACCOUNT
from functions.shared.adapters.google.payloads import booked_from, recurrence_from
from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingRefused,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
    NotConfigured,
)
from functions.shared.meetings import (
    Answer,
    Booked,
    LinkState,
    MeetingChange,
    RecordingState,
    Recurrence,
    Span,
    meeting_id,
)
from functions.shared.runtime import Runtime
from tests.fakes import MemoryTelemetry
from tests.google_wire import (
    AT,
    CALL,
    CONSENT,
    MOSCOW,
    PREFIX,
    SPAN,
    Google,
    calendar_error,
    event,
    scope_error,
    service_account,
)


@pytest.fixture
def google() -> Google:
    return Google()


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (calendar_error(403, "forbiddenForServiceAccounts", "…", "calendar"), MeetingsForbidden, "delegation"),
        (scope_error(), MeetingsForbidden, "docs/setup-google.md"),
        (calendar_error(403, "accessNotConfigured", "…", "usageLimits"), MeetingsForbidden, "Google Calendar API"),
        (calendar_error(403, "forbidden", "Forbidden"), MeetingsForbidden, "Forbidden"),
        (calendar_error(404, "notFound", "Not Found"), MeetingsForbidden, "host's calendar"),
        (calendar_error(400, "invalid", "Invalid attendee email."), MeetingRefused, "attendee"),
        (calendar_error(400, "timeRangeEmpty", "The specified time range is empty."), MeetingRefused, "empty"),
        (calendar_error(400, "required", "Missing end time."), MeetingRefused, "end time"),
        (httpx.Response(400, text="<html>"), MeetingRefused, "400"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_final_answer_is_not_asked_again_and_says_what_would_be_right(google, answer, error, words):
    google.answers = [answer]
    with pytest.raises(error, match=words):
        google.adapter().book(CALL, 1)
    assert len(google.requests) == 1


def test_an_attendee_is_told_from_other_data(google):
    for message, is_attendee in (("Invalid attendee email.", True), ("Invalid value for: start", False)):
        google.answers = [calendar_error(400, "invalid", message)]
        with pytest.raises(MeetingRefused) as refused:
            google.adapter().book(CALL, 1)
        assert refused.value.attendees is is_attendee


@pytest.mark.parametrize("reason", ["quotaExceeded", "calendarUsageLimits", "dailyLimitExceeded"])
def test_used_up_limits_are_left_alone_for_an_hour(google, reason):
    google.answers = [calendar_error(403, reason, "Calendar usage limits exceeded.", "usageLimits")]
    with pytest.raises(MeetingsUnavailable) as later:
        google.adapter().book(CALL, 1)
    assert later.value.after is not None
    assert later.value.after >= 3600
    assert len(google.requests) == 1
    assert google.clock.slept == 0


@pytest.mark.parametrize(
    "answer",
    [
        calendar_error(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
        calendar_error(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits"),
        calendar_error(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
        httpx.Response(429, json={"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "…"}}),
        calendar_error(503, "backendError", "Backend Error"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.ReadTimeout("…"),
        httpx.ConnectError("…"),
    ],
    ids=str,
)
def test_what_passes_is_asked_three_times_with_growing_pauses(google, answer):
    google.answers = [answer]
    with pytest.raises(MeetingsUnavailable) as later:
        google.adapter().book(CALL, 1)
    assert len(google.requests) == 3
    assert 3 <= google.clock.slept <= 5, "1 + 2 seconds, and up to one more each"
    assert later.value.after == 60
    ids = {json.loads(request.content)["id"] for request in google.requests}
    assert ids == {meeting_id(CALL.key, 1)}, "the same event each time"


def test_every_insert_names_its_id_its_link_and_who_is_told(google):
    google.answers = [httpx.Response(200, json=event())]
    google.adapter().book(CALL, 1)
    (request,) = google.requests
    assert parse_qs(request.url.query.decode()) == {"sendUpdates": ["all"], "conferenceDataVersion": ["1"]}
    body = json.loads(request.content)
    assert body["extendedProperties"] == {"private": {"conveyorKey": CALL.key}}
    assert body["start"] == {"dateTime": "2026-11-24T15:00:00+03:00", "timeZone": "Europe/Moscow"}


def test_a_change_names_its_version_and_leaves_the_link_alone(google):
    google.answers = [httpx.Response(200, json=event())]
    change = MeetingChange(start=AT, minutes=30, zone=MOSCOW)
    google.adapter().change(Booked("e", '"7"', CALL.key), change, tell=True)
    (request,) = google.requests
    assert (request.method, request.headers["If-Match"]) == ("PATCH", '"7"')
    assert set(json.loads(request.content)) == {"start", "end"}
    assert "conferenceDataVersion" not in str(request.url)


@pytest.mark.parametrize(("status", "error"), [(412, MeetingMoved), (404, MeetingGone), (410, MeetingGone)])
def test_a_change_that_came_too_late(google, status, error):
    google.answers = [calendar_error(status, "conditionNotMet")]
    with pytest.raises(error):
        google.adapter().change(Booked("e", '"7"', ""), MeetingChange(title="x"), tell=False)


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_no_longer_there_is_cancelled(google, status):
    google.answers = [calendar_error(status, "deleted")]
    google.adapter().cancel("e", tell=True)


def test_a_domain_without_meet_gets_the_event_without_a_link(google):
    google.answers = [
        calendar_error(400, "invalid", "Invalid conference type value."),
        httpx.Response(200, json=event(conferenceData=None, hangoutLink=None)),
    ]
    booked = google.adapter().book(CALL, 1)
    assert booked.link_state is LinkState.NONE
    assert ["conferenceData" in json.loads(request.content) for request in google.requests] == [True, False]


def test_the_id_of_somebody_else_s_event_is_not_adopted(google):
    google.answers = [
        calendar_error(409, "duplicate"),
        httpx.Response(200, json=event(extendedProperties={})),
    ]
    with pytest.raises(MeetingRefused, match="another event"):
        google.adapter().book(CALL, 1)


def test_a_missing_right_to_record_is_no_obstacle(google):
    meet = {"error": {"code": 403, "message": "The caller does not have permission", "status": "PERMISSION_DENIED"}}
    for answers in (
        [httpx.Response(200, json={"name": "spaces/x"}), httpx.Response(403, json=meet)],
        [httpx.Response(200, json={"name": "spaces/x"}), httpx.Response(400, json=meet)],
        [httpx.Response(403, json=meet)],
        [scope_error()],
    ):
        google.answers = list(answers)
        assert google.adapter().record("abc-defg-hij").recording is RecordingState.REFUSED


# --- what may not be seen yet --------------------------------------------------------------------------------

NOT_FOUND = calendar_error(404, "notFound", "Not Found")


def test_an_event_that_is_not_seen_yet_is_not_called_missing(google):
    google.answers = [NOT_FOUND, NOT_FOUND, httpx.Response(200, json=event())]
    assert google.adapter().find("e") is not None
    assert google.clock.slept >= 3


def test_an_event_that_is_not_seen_yet_is_changed(google):
    google.answers = [NOT_FOUND, httpx.Response(200, json=event())]
    changed = google.adapter().change(Booked("e", '"7"', CALL.key), MeetingChange(title="x"), tell=True)
    assert changed.key == CALL.key


def test_an_event_that_is_not_seen_yet_is_cancelled_all_the_same(google):
    google.answers = [NOT_FOUND, httpx.Response(204)]
    google.adapter().cancel("e", tell=True)
    assert [request.method for request in google.requests] == ["DELETE", "DELETE"]


def test_a_taken_id_whose_event_is_not_shown_is_no_deletion(google):
    google.answers = [calendar_error(409, "duplicate"), NOT_FOUND]
    with pytest.raises(MeetingsUnavailable):
        google.adapter().book(CALL, 1)


def test_a_space_that_is_not_seen_yet_is_told_to_record(google):
    missing = httpx.Response(404, json={"error": {"code": 404, "message": "…", "status": "NOT_FOUND"}})
    google.answers = [missing, httpx.Response(200, json={"name": "spaces/x"}), httpx.Response(200, json={})]
    assert google.adapter().record("abc-defg-hij").recording is RecordingState.ON


# --- what is logged ------------------------------------------------------------------------------------------


def test_addresses_with_names_of_people_in_them_are_not_logged(google, caplog):
    """httpx logs each URL at INFO, and whoever's calendar is read stands in it."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    caplog.set_level(logging.INFO)
    google.answers = [httpx.Response(200, json={"items": []})]
    google.adapter().away("anna@firm.example", SPAN)
    assert "anna" not in caplog.text


# --- tokens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "description", "words"),
    [
        (400, "invalid_grant", "Token has been expired or revoked.", "7 days"),
        (401, "invalid_client", "Unauthorized", "not the one that got the consent"),
        (400, "admin_policy_enforced", "…", "administrator"),
    ],
)
def test_a_dead_consent_says_what_to_do(google, status, error, description, words):
    google.token_answers = [httpx.Response(status, json={"error": error, "error_description": description})]
    with pytest.raises(MeetingsUnauthorized, match=words):
        google.adapter().find("e")
    assert google.requests == []
    assert len(google.tokens) == 1


@pytest.mark.parametrize(
    ("status", "error", "description", "words"),
    [
        (401, "unauthorized_client", "Client is unauthorized to retrieve access tokens …", "NUMERIC"),
        (401, "unauthorized_client", "Unauthorized client or scope in request.", "NUMERIC"),
        (403, "access_denied", "…", "NUMERIC"),
        (400, "invalid_grant", "Invalid email or User ID", "meetings.host"),
        (400, "invalid_grant", "Not a valid email.", "meetings.host"),
        (400, "invalid_grant", "Invalid JWT Signature.", "make another one"),
        (400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) …", "clock"),
        (400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.", "scope"),
        (401, "disabled_client", "The OAuth client was disabled.", "disabled"),
    ],
)
def test_a_service_account_that_may_not_says_what_to_do(google, status, error, description, words):
    google.ssm.values = {f"{PREFIX}/{SERVICE_ACCOUNT}": json.dumps(service_account())}
    google.token_answers = [httpx.Response(status, json={"error": error, "error_description": description})]
    with pytest.raises(MeetingsUnauthorized, match=words):
        google.adapter().find("e")


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({}, "conveyor secrets set google-service-account"),
        ({OAUTH: "{"}, "is no JSON"),
        ({OAUTH: '{"client_id": "c"}'}, "client_secret, refresh_token"),
        ({OAUTH: "[]"}, "client_id"),
        ({SERVICE_ACCOUNT: '{"client_email": "x"}'}, "private_key_id, private_key"),
        (
            {SERVICE_ACCOUNT: json.dumps({"client_email": "x", "private_key_id": "k", "private_key": "secret!"})},
            "no key in PEM",
        ),
    ],
    ids=str,
)
def test_a_credential_that_is_none_is_told_without_its_value(google, secrets, words):
    google.ssm.values = {f"{PREFIX}/{name}": value for name, value in secrets.items()}
    with pytest.raises(NotConfigured, match=words) as told:
        google.adapter().find("e")
    assert "secret!" not in str(told.value)


def test_a_key_with_a_password_is_no_key(google):
    plain = load_pem_private_key(service_account()["private_key"].encode(), password=None)
    locked = plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    google.ssm.values = {
        f"{PREFIX}/{SERVICE_ACCOUNT}": json.dumps(service_account() | {"private_key": locked.decode()})
    }
    with pytest.raises(NotConfigured, match="no key in PEM"):
        google.adapter().find("e")


def test_a_token_is_kept_until_shortly_before_its_end(google):
    google.answers = [httpx.Response(200, json=event())]
    adapter = google.adapter()
    for _ in range(3):
        adapter.find("e")
    assert len(google.tokens) == 1
    google.clock.advance(3599 - 4 * 60 + 1)
    adapter.find("e")
    assert len(google.tokens) == 2


def test_a_refused_token_is_renewed_once(google):
    unauthorised = calendar_error(401, "authError", "Invalid Credentials")
    google.answers = [unauthorised, httpx.Response(200, json=event())]
    assert google.adapter().find("e") is not None
    assert len(google.tokens) == 2
    google.answers = [unauthorised]
    with pytest.raises(MeetingsUnauthorized):
        google.adapter().find("e")


def test_another_credential_is_read_after_a_refusal(google):
    unauthorised = calendar_error(401, "authError", "Invalid Credentials")
    adapter = google.adapter()
    google.answers = [httpx.Response(200, json=event())]
    adapter.find("e")
    google.ssm.values = {f"{PREFIX}/{OAUTH}": CONSENT.replace('"r"', '"new"')}
    google.answers = [unauthorised, httpx.Response(200, json=event())]
    adapter.find("e")
    assert parse_qs(google.tokens[-1].content.decode())["refresh_token"] == ["new"]


def test_a_token_endpoint_that_is_down_is_asked_again(google):
    google.token_answers = [httpx.Response(503), httpx.Response(400, json={"error": "temporarily_unavailable"})]
    google.answers = [httpx.Response(200, json=event())]
    assert google.adapter().find("e") is not None
    google.token_answers = [httpx.Response(503)] * 3
    with pytest.raises(MeetingsUnavailable):
        google.adapter().find("e")


# --- reading -------------------------------------------------------------------------------------------------


MONDAYS = Recurrence(frozenset({0}))
FOREIGN = Recurrence(frozenset())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO"], MONDAYS),
        (["RRULE:FREQ=WEEKLY;WKST=MO;INTERVAL=1;BYDAY=MO"], MONDAYS),
        (["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"], FOREIGN),
        (["RRULE:FREQ=WEEKLY;UNTIL=20261231T205959Z;BYDAY=MO"], FOREIGN),
        (["RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=MO"], FOREIGN),
        (["RRULE:FREQ=DAILY"], FOREIGN),
        (["RRULE:FREQ=MONTHLY;BYDAY=1MO"], FOREIGN),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO", "RRULE:FREQ=WEEKLY;BYDAY=TU"], FOREIGN),
        (
            ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE;TZID=Europe/Moscow:20261207T091500,20261214T091500"],
            Recurrence(frozenset({0}), frozenset({date(2026, 12, 7), date(2026, 12, 14)})),
        ),
        (
            ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20261206T220000Z"],
            Recurrence(frozenset({0}), frozenset({date(2026, 12, 7)})),
        ),
        (
            ["EXDATE;VALUE=DATE:20261207", "RRULE:FREQ=WEEKLY;BYDAY=MO"],
            Recurrence(frozenset({0}), frozenset({date(2026, 12, 7)})),
        ),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:rubbish"], MONDAYS),
    ],
    ids=lambda each: "; ".join(each) if isinstance(each, list) else "",
)
def test_rules_that_people_have_edited_are_read_and_not_taken_for_ours(lines, expected):
    assert recurrence_from(lines, "Europe/Moscow") == expected


def test_events_that_lack_something_are_read():
    bare = booked_from({"id": "e", "status": "cancelled", "recurringEventId": "s"})
    assert (bare.is_cancelled, bare.series, bare.start, bare.minutes) == (True, "s", None, 0)
    whole_day = booked_from({"id": "e", "start": {"date": "2026-11-24"}, "end": {"date": "2026-11-25"}})
    assert (whole_day.start, whole_day.minutes) == (datetime(2026, 11, 24, tzinfo=UTC), 1440)
    guests = [
        {"email": "A@X.ru", "responseStatus": "maybe"},
        {"email": "room@x.ru", "resource": True},
        {"email": "b@x.ru", "responseStatus": "declined", "comment": "нет"},
    ]
    read = booked_from(event(attendees=guests))
    assert [(each.email, each.answer) for each in read.attendees] == [
        ("a@x.ru", Answer.NONE),
        ("room@x.ru", Answer.NONE),
        ("b@x.ru", Answer.DECLINED),
    ], "a room that a person has booked is a guest like others: a PATCH without it would give it back"


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ({"createRequest": {"status": {"statusCode": "pending"}}}, LinkState.PENDING),
        ({"createRequest": {"status": {"statusCode": "failure"}}}, LinkState.FAILED),
        ({"entryPoints": [{"entryPointType": "video", "uri": "https://meet.google.com/x"}]}, LinkState.READY),
        ({"entryPoints": [{"entryPointType": "phone", "uri": "tel:+7"}]}, LinkState.NONE),
        (None, LinkState.NONE),
    ],
    ids=str,
)
def test_links_in_all_their_states(data, state):
    assert booked_from(event(hangoutLink=None, conferenceData=data)).link_state is state


def test_a_list_is_read_to_its_last_page_and_an_old_token_begins_anew(google):
    pages: list[httpx.Response | Exception] = [
        calendar_error(410, "fullSyncRequired", "…", "calendar"),
        httpx.Response(200, json={"items": [event(), event(extendedProperties={})], "nextPageToken": "p2"}),
        httpx.Response(200, json={"items": [], "nextSyncToken": "t2"}),
    ]
    google.answers = pages
    changes = google.adapter().changes("t1")
    assert (changes.is_all, changes.token, len(changes.booked)) == (True, "t2", 1)
    queries = [parse_qs(request.url.query.decode()) for request in google.requests]
    assert queries[0]["syncToken"] == ["t1"]
    assert "timeMin" in queries[1] and "syncToken" not in queries[1]
    assert queries[2]["pageToken"] == ["p2"]


@pytest.mark.parametrize(("status", "reason"), [(410, "fullSyncRequired"), (400, "invalid")])
def test_a_token_of_another_calendar_or_time_begins_anew(google, status, reason):
    google.answers = [
        calendar_error(status, reason, "Invalid sync token value."),
        httpx.Response(200, json={"items": [event()], "nextSyncToken": "t2"}),
    ]
    changes = google.adapter().changes("of the host before")
    assert (changes.is_all, changes.token, len(changes.booked)) == (True, "t2", 1)


def test_days_of_series_that_are_not_ours_are_left_out(google):
    day = {"recurringEventId": "s", "extendedProperties": None}
    events = [event(id="s_20261124T120000Z", **day), event(id="s_20261125T120000Z", status="cancelled", **day)]
    google.answers = [httpx.Response(200, json={"items": events, "nextSyncToken": "t2"})]
    assert [each.id for each in google.adapter().changes("t1").booked] == ["s_20261125T120000Z"]


def test_many_calendars_and_months_are_asked_for_in_parts(google):
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        assert len(wanted["items"]) <= 50
        span = datetime.fromisoformat(wanted["timeMax"]) - datetime.fromisoformat(wanted["timeMin"])
        assert span <= timedelta(days=90)
        broken = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
        found = {item["id"]: broken if item["id"] == "u7@x.ru" else {"busy": []} for item in wanted["items"]}
        return httpx.Response(200, json={"calendars": found})

    google.answers = [httpx.Response(200)]
    original: Callable[[httpx.Request], httpx.Response] = google.__call__
    asked: list[httpx.Request] = []

    def route(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("freeBusy"):
            asked.append(request)
            return answer(request)
        return original(request)

    runtime = Runtime(clock=google.clock, aws=lambda name: google.ssm, transport=httpx.MockTransport(route))
    adapter = build_google(PREFIX, runtime, "meet@firm.example", MemoryTelemetry())
    found = adapter.busy([f"u{number}@x.ru" for number in range(60)], Span(AT, AT + timedelta(days=200)))
    assert len(asked) == 2 * 3
    assert found["u7@x.ru"] is None
    assert found["u8@x.ru"] == ()
