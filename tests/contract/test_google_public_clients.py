"""The simulator of Google, judged by clients that others wrote (google-api-python-client, gcsa, google-auth) and by
Google's own discovery documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httplib2
import pytest
from dateutil.tz import gettz
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccount
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES, MEET_SCOPES
from tests.fakes import ManualClock
from tests.google_support import HOST, ROBOT, GoogleDesk

MOSCOW = ZoneInfo("Europe/Moscow")
DOCUMENTS = {"/calendar/v3": "calendar.v3.json", "/v2": "meet.v2.json"}


class Wire:
    """httplib2's way out, into the simulator; every exchange is kept for the judges of its shape."""

    def __init__(self, desk: GoogleDesk) -> None:
        self._client = desk.app.test_client()
        self.seen: list[tuple[str, str, int, Any]] = []

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> tuple[httplib2.Response, bytes]:
        parts = urlsplit(uri)
        answer = self._client.open(
            parts.path, method=method, query_string=parts.query, data=body, headers=dict(headers or {})
        )
        self.seen.append((method, uri, answer.status_code, answer.get_json(silent=True)))
        return httplib2.Response({**dict(answer.headers), "status": str(answer.status_code)}), answer.data


@pytest.fixture
def desk() -> GoogleDesk:
    return GoogleDesk(ManualClock(datetime.now(UTC)))


@pytest.fixture
def wire(desk: GoogleDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire(desk)
    monkeypatch.setattr(httplib2.Http, "request", lambda self, uri, *args, **kw: wire.request(uri, *args, **kw))
    yield wire
    for method, uri, status, body in wire.seen:
        judge(method, uri, status, body)


def user(desk: GoogleDesk, email: str = HOST) -> Credentials:
    return Credentials(token=desk.world.add_access_token(email))


def calendar(credentials: Any) -> Any:
    return build("calendar", "v3", credentials=credentials, static_discovery=True, cache_discovery=False)


def meet(credentials: Any) -> Any:
    return build("meet", "v2", credentials=credentials, static_discovery=True, cache_discovery=False)


def event_body(**changes: Any) -> dict[str, Any]:
    body = {
        "summary": "Созвон",
        "start": {"dateTime": "2026-12-01T15:00:00", "timeZone": "Europe/Moscow"},
        "end": {"dateTime": "2026-12-01T15:30:00", "timeZone": "Europe/Moscow"},
        "attendees": [{"email": "client@mail.ru"}],
        "extendedProperties": {"private": {"crmKey": "deal:1"}},
        "conferenceData": {
            "createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}},
        },
    }
    return body | changes


# --- Google's own client ------------------------------------------------------------------------------------


def test_the_life_of_an_event_with_googles_own_client(desk, wire):
    events = calendar(user(desk)).events()
    made = events.insert(
        calendarId="primary", body=event_body(id="abcde12345"), conferenceDataVersion=1, sendUpdates="all"
    ).execute()
    assert made["hangoutLink"] == made["conferenceData"]["entryPoints"][0]["uri"]
    assert made["organizer"] == {"email": HOST, "self": True}
    assert events.get(calendarId=HOST, eventId="abcde12345").execute() == made
    found = events.list(calendarId="primary", privateExtendedProperty="crmKey=deal:1").execute()
    assert [each["id"] for each in found["items"]] == ["abcde12345"]
    patched = events.patch(
        calendarId="primary", eventId="abcde12345", body={"summary": "Перенос"}, sendUpdates="none"
    ).execute()
    assert patched["hangoutLink"] == made["hangoutLink"] and patched["etag"] != made["etag"]
    events.delete(calendarId="primary", eventId="abcde12345", sendUpdates="all").execute()
    assert events.get(calendarId="primary", eventId="abcde12345").execute()["status"] == "cancelled"
    with pytest.raises(HttpError) as gone:
        events.delete(calendarId="primary", eventId="abcde12345").execute()
    assert (gone.value.status_code, gone.value.reason) == (410, "Resource has been deleted")
    with pytest.raises(HttpError) as taken:
        events.insert(calendarId="primary", body=event_body(id="abcde12345")).execute()
    assert taken.value.status_code == 409
    assert [each.kind for each in desk.world.notifications] == ["invite", "cancel"]


def test_pages_and_sync_tokens_with_googles_own_client(desk, wire):
    events = calendar(user(desk)).events()
    for number in range(5):
        events.insert(calendarId="primary", body=event_body(id=f"event{number}")).execute()
    seen, tokens, request = [], [], events.list(calendarId="primary", maxResults=2)
    while request is not None:
        page = request.execute()
        seen += [each["id"] for each in page["items"]]
        tokens.append(page.get("nextSyncToken"))
        request = events.list_next(request, page)
    assert sorted(seen) == [f"event{number}" for number in range(5)]
    assert tokens[:-1] == [None, None] and tokens[-1]
    events.delete(calendarId="primary", eventId="event3").execute()
    changed = events.list(calendarId="primary", syncToken=tokens[-1]).execute()
    assert [(each["id"], each["status"]) for each in changed["items"]] == [("event3", "cancelled")]
    with pytest.raises(HttpError) as forbidden:
        events.list(calendarId="primary", syncToken=tokens[-1], timeMin="2026-01-01T00:00:00Z").execute()
    assert forbidden.value.status_code == 400
    desk.world.forget_sync_tokens()
    with pytest.raises(HttpError) as old:
        events.list(calendarId="primary", syncToken=tokens[-1]).execute()
    assert old.value.status_code == 410


def test_a_series_keeps_its_wall_clock_over_both_changes_of_the_year(desk, wire):
    events = calendar(user(desk)).events()
    body = event_body(
        id="series1",
        start={"dateTime": "2026-10-19T09:15:00", "timeZone": "Europe/Berlin"},
        end={"dateTime": "2026-10-19T09:30:00", "timeZone": "Europe/Berlin"},
        recurrence=["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE;TZID=Europe/Berlin:20261026T091500"],
    )
    events.insert(calendarId="primary", body=body).execute()
    days = events.instances(calendarId="primary", eventId="series1", timeMax="2027-04-30T00:00:00Z").execute()["items"]
    starts = [datetime.fromisoformat(day["start"]["dateTime"]) for day in days]
    assert {start.astimezone(gettz("Europe/Berlin")).strftime("%a %H:%M") for start in starts} == {"Mon 09:15"}
    assert {start.utcoffset() for start in starts} == {timedelta(hours=1), timedelta(hours=2)}
    assert days[0]["id"] == "series1_20261019T071500Z" and days[1]["id"] == "series1_20261102T081500Z"
    events.delete(calendarId="primary", eventId=days[1]["id"]).execute()
    moved = {"start": {"dateTime": "2026-11-09T12:00:00+01:00"}, "end": {"dateTime": "2026-11-09T12:15:00+01:00"}}
    events.patch(calendarId="primary", eventId=days[2]["id"], body=moved).execute()
    span = {"timeMin": "2026-11-01T00:00:00Z", "timeMax": "2026-11-12T00:00:00Z"}
    listed = events.list(calendarId="primary", singleEvents=True, orderBy="startTime", **span).execute()["items"]
    assert [(each["id"], each["start"]["dateTime"]) for each in listed] == [
        (days[2]["id"], "2026-11-09T12:00:00+01:00")
    ]
    assert listed[0]["originalStartTime"]["dateTime"] == "2026-11-09T09:15:00+01:00"


def test_busy_times_with_googles_own_client(desk, wire):
    desk.world.add_user("stranger@other.example")
    service = calendar(user(desk))
    service.events().insert(
        calendarId="primary", body=event_body(id="call1", attendees=[{"email": "anna@firm.example"}])
    ).execute()
    items = [{"id": "anna@firm.example"}, {"id": "stranger@other.example"}]
    body = {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z", "items": items}
    answer = service.freebusy().query(body=body).execute()["calendars"]
    busy = [{"start": "2026-12-01T12:00:00Z", "end": "2026-12-01T12:30:00Z"}]
    assert answer["anna@firm.example"] == {"busy": busy}
    assert answer["stranger@other.example"]["errors"][0]["reason"] == "notFound"
    desk.answer("call1", "anna@firm.example", "declined")
    answer = service.freebusy().query(body=body).execute()["calendars"]
    assert answer["anna@firm.example"] == {"busy": []}
    with pytest.raises(HttpError) as long:
        service.freebusy().query(body=body | {"timeMax": "2027-12-02T00:00:00Z"}).execute()
    assert long.value.error_details[0]["reason"] == "timeRangeTooLong"


def test_meet_with_googles_own_client(desk, wire):
    made = (
        calendar(user(desk))
        .events()
        .insert(calendarId="primary", body=event_body(id="call1"), conferenceDataVersion=1)
        .execute()
    )
    service = meet(user(desk))
    space = service.spaces().get(name=f"spaces/{made['conferenceData']['conferenceId']}").execute()
    config = {"artifactConfig": {"recordingConfig": {"autoRecordingGeneration": "ON"}}}
    mask = "config.artifactConfig.recordingConfig.autoRecordingGeneration"
    changed = service.spaces().patch(name=space["name"], updateMask=mask, body={"config": config}).execute()
    assert changed["config"]["artifactConfig"]["recordingConfig"] == {"autoRecordingGeneration": "ON"}
    desk.meet_there("call1", desk.clock.now() + timedelta(minutes=1), 10)
    desk.clock.advance(120)
    (record,) = service.conferenceRecords().list(filter=f'space.name="{space["name"]}"').execute()["conferenceRecords"]
    recordings = service.conferenceRecords().recordings()
    assert "endTime" not in record
    assert recordings.list(parent=record["name"]).execute()["recordings"][0]["state"] == "STARTED"
    desk.clock.advance(600)
    assert recordings.list(parent=record["name"]).execute()["recordings"][0]["state"] == "ENDED"
    desk.clock.advance(600)
    (ready,) = recordings.list(parent=record["name"]).execute()["recordings"]
    assert ready["state"] == "FILE_GENERATED" and ready["driveDestination"]["exportUri"]
    desk.clock.advance(30 * 86_400)
    assert service.conferenceRecords().list().execute() == {}
    with pytest.raises(HttpError) as stranger:
        meet(user(desk, "anna@firm.example")).spaces().patch(
            name=space["name"], updateMask=mask, body={"config": config}
        ).execute()
    assert stranger.value.status_code == 403


def test_a_service_account_with_googles_own_auth(desk, wire):
    key = desk.world.add_service_account(ROBOT, delegated_scopes=CALENDAR_SCOPES)
    as_host = ServiceAccount.from_service_account_info(key, scopes=CALENDAR_SCOPES, subject=HOST)
    made = calendar(as_host).events().insert(calendarId="primary", body=event_body(id="event1")).execute()
    assert made["organizer"]["email"] == HOST
    alone = ServiceAccount.from_service_account_info(key, scopes=CALENDAR_SCOPES)
    with pytest.raises(HttpError) as guests:
        calendar(alone).events().insert(calendarId="primary", body=event_body(id="event2")).execute()
    assert guests.value.error_details[0]["reason"] == "forbiddenForServiceAccounts"
    with pytest.raises(HttpError) as link:
        calendar(alone).events().insert(
            calendarId="primary", body=event_body(id="event3", attendees=[]), conferenceDataVersion=1
        ).execute()
    assert link.value.reason == "Invalid conference type value."
    with pytest.raises(RefreshError, match="unauthorized_client"):
        calendar(ServiceAccount.from_service_account_info(key, scopes=AWAY_SCOPES, subject=HOST)).events().list(
            calendarId="primary"
        ).execute()
    with pytest.raises(RefreshError, match="Invalid email"):
        calendar(
            ServiceAccount.from_service_account_info(key, scopes=CALENDAR_SCOPES, subject="nobody@firm.example")
        ).events().list(calendarId="primary").execute()


def test_a_refresh_token_with_googles_own_auth(desk, wire):
    given = desk.world.add_refresh_token(HOST, (*CALENDAR_SCOPES, *MEET_SCOPES))
    credentials = Credentials(token=None, token_uri="https://oauth2.googleapis.com/token", **given)
    assert calendar(credentials).events().list(calendarId="primary").execute()["items"] == []
    with pytest.raises(HttpError) as scope:
        calendar(credentials).settings().get(setting="timezone").execute()
    assert scope.value.status_code == 403
    desk.world.revoke(given["refresh_token"])
    again = Credentials(token=None, token_uri="https://oauth2.googleapis.com/token", **given)
    with pytest.raises(RefreshError, match="expired or revoked"):
        calendar(again).events().list(calendarId="primary").execute()


# --- gcsa ---------------------------------------------------------------------------------------------------


def test_the_life_of_an_event_with_gcsa(desk, wire):
    from gcsa.attendee import Attendee
    from gcsa.conference import ConferenceSolutionCreateRequest, SolutionType
    from gcsa.event import Event
    from gcsa.google_calendar import GoogleCalendar, SendUpdatesMode
    from gcsa.recurrence import SU, Recurrence

    client = GoogleCalendar("primary", credentials=user(desk))
    start = datetime(2026, 12, 1, 15, 0, tzinfo=MOSCOW)
    event = Event(
        "Созвон",
        start=start,
        end=start + timedelta(minutes=30),
        timezone="Europe/Moscow",
        attendees=[Attendee("client@mail.ru", display_name="Иван")],
        conference_solution=ConferenceSolutionCreateRequest(solution_type=SolutionType.HANGOUTS_MEET),
    )
    made = client.add_event(event, send_updates=SendUpdatesMode.ALL)
    assert made.conference_solution.entry_points[0].uri.startswith("https://meet.google.com/")
    assert made.attendees[0].response_status == "needsAction"
    made.summary = "Перенос"
    made.start = made.start + timedelta(hours=1)
    made.end = made.end + timedelta(hours=1)
    desk.world.switch(put_with_conference=200)  # gcsa updates by PUT with all that it has read
    client.update_event(made, send_updates=SendUpdatesMode.ALL)
    found = list(
        client.get_events(
            datetime(2026, 11, 30, tzinfo=MOSCOW),
            datetime(2026, 12, 2, tzinfo=MOSCOW),
            single_events=True,
            order_by="startTime",
        )
    )
    assert [(each.summary, each.start.hour) for each in found] == [("Перенос", 16)]
    rule = Recurrence.rule(freq="DAILY", by_week_day=SU, count=3)
    client.add_event(
        Event("Ряд", start=datetime(2026, 12, 6, 9, tzinfo=MOSCOW), timezone="Europe/Moscow", recurrence=rule)
    )
    days = list(
        client.get_events(
            datetime(2026, 12, 5, tzinfo=MOSCOW), datetime(2027, 2, 1, tzinfo=MOSCOW), query="Ряд", single_events=True
        )
    )
    assert [day.start.day for day in days] == [6, 13, 20]
    client.delete_event(made)
    assert [each.kind for each in desk.world.notifications] == ["invite", "update"]
    free = client.get_free_busy(
        time_min=datetime(2026, 12, 6, tzinfo=UTC), time_max=datetime(2026, 12, 7, tzinfo=UTC), resource_ids=[HOST]
    )
    assert len(list(free)) == 1


# --- Google's own documents ---------------------------------------------------------------------------------


def judge(method: str, uri: str, status: int, body: Any) -> None:
    """The exchange is one of the discovery document: its path, its parameters, every field of the answer."""
    parts = urlsplit(uri)
    base = next((base for base in DOCUMENTS if parts.path.startswith(f"{base}/")), None)
    if base is None or status >= 300 or body is None:
        return
    document = json.loads(files("googleapiclient").joinpath(f"discovery_cache/documents/{DOCUMENTS[base]}").read_text())
    path = parts.path.removeprefix(base).lstrip("/")
    found = [each for each in methods(document) if each["httpMethod"] == method and matches(each, path)]
    assert found, f"{method} {path} is no method of Google's"
    known = {**document["parameters"], **found[0].get("parameters", {})}
    unknown = set(parse_qs(parts.query)) - set(known)
    assert not unknown, f"{method} {path}: {unknown}"
    check(body, {"$ref": found[0]["response"]["$ref"]}, document["schemas"], found[0]["response"]["$ref"])


def methods(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from methods(inner)


def matches(method: dict[str, Any], path: str) -> bool:
    template = method.get("flatPath") or method["path"]
    template = template.removeprefix("v2/")
    return re.fullmatch(re.sub(r"\{\+?[^}]+\}", "[^/]+", template), path) is not None


def check(value: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str) -> None:
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type")
    if kind == "object":
        assert isinstance(value, dict), where
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inner in value.items():
            assert name in properties or others is not None, f"{where}.{name} is not known to Google"
            check(inner, properties.get(name, others), schemas, f"{where}.{name}")
    elif kind == "array":
        assert isinstance(value, list), where
        for number, inner in enumerate(value):
            check(inner, schema["items"], schemas, f"{where}[{number}]")
    else:
        types = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}
        assert kind == "any" or isinstance(value, types[kind]), f"{where} is no {kind}: {value!r}"
        if "enum" in schema:
            assert value in schema["enum"], f"{where}: {value!r}"


def test_the_judge_finds_a_field_that_google_does_not_have():
    with pytest.raises(AssertionError, match="not known"):
        judge("GET", "https://www.googleapis.com/calendar/v3/calendars/primary/events/abcde", 200, {"colour": "red"})
    with pytest.raises(AssertionError, match="no method"):
        judge("GET", "https://www.googleapis.com/calendar/v3/calendars/primary/meetings", 200, {})
