"""Lists of the simulated Google: days of series wherever they were moved, old series, what cannot be asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes import ManualClock
from tests.google_support import HOST, GoogleDesk

EVENTS = "/calendar/v3/calendars/primary/events"
SERIES = {
    "id": "series1",
    "summary": "Планёрка",
    "start": {"dateTime": "2026-11-30T09:15:00", "timeZone": "Europe/Moscow"},
    "end": {"dateTime": "2026-11-30T09:30:00", "timeZone": "Europe/Moscow"},
    "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"],
}


class Client:
    """The host's own program."""

    def __init__(self) -> None:
        self.desk = GoogleDesk(ManualClock())
        self._client = self.desk.app.test_client()

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.desk.world.add_access_token(HOST)}"}
        answer = self._client.open(path, method=method, json=body, query_string=query, headers=headers)
        return answer.status_code, answer.get_json(silent=True)

    def days(self, since: str, until: str) -> list[str]:
        _, found = self("GET", EVENTS, timeMin=since, timeMax=until, singleEvents="true", orderBy="startTime")
        return [each["start"]["dateTime"] for each in found["items"]]


@pytest.fixture
def client() -> Client:
    client = Client()
    assert client("POST", EVENTS, SERIES)[0] == 200
    return client


def test_a_day_that_was_moved_is_where_it_was_moved_to_and_nowhere_else(client):
    moved = {"start": {"dateTime": "2026-12-24T12:00:00+03:00"}, "end": {"dateTime": "2026-12-24T12:15:00+03:00"}}
    client("PATCH", f"{EVENTS}/series1_20261207T061500Z", moved)
    assert client.days("2026-12-06T00:00:00Z", "2026-12-08T00:00:00Z") == []
    assert client.days("2026-12-23T00:00:00Z", "2026-12-25T00:00:00Z") == ["2026-12-24T12:00:00+03:00"]
    span = {"timeMin": "2026-12-24T00:00:00Z", "timeMax": "2026-12-25T00:00:00Z", "items": [{"id": HOST}]}
    _, busy = client("POST", "/calendar/v3/freeBusy", span)
    assert busy["calendars"][HOST]["busy"] == [{"start": "2026-12-24T09:00:00Z", "end": "2026-12-24T09:15:00Z"}]


def test_an_old_series_goes_on(client):
    client.desk.clock.moment = datetime(2031, 1, 1, tzinfo=UTC)
    assert client.days("2031-01-05T00:00:00Z", "2031-01-14T00:00:00Z") == [
        "2031-01-06T09:15:00+03:00",
        "2031-01-13T09:15:00+03:00",
    ]
    day = f"{EVENTS}/series1_20310113T061500Z"
    assert client("GET", day)[0] == 200
    assert client("DELETE", day)[0] == 204
    assert client.days("2031-01-12T00:00:00Z", "2031-01-14T00:00:00Z") == []
    found = client("GET", EVENTS, timeMin="2031-01-01T00:00:00Z")[1]["items"]
    assert [each["id"] for each in found] == ["series1", "series1_20310113T061500Z"]


@pytest.mark.parametrize("number", ["x", "0", "-1", "1.5"])
def test_a_size_of_page_that_is_none_is_refused(client, number):
    status, body = client("GET", EVENTS, maxResults=number)
    assert (status, body["error"]["errors"][0]["reason"]) == (400, "invalid")
    status, body = client("GET", "/v2/conferenceRecords", pageSize=number)
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("missing", ["timeMin", "timeMax"])
def test_busy_times_of_no_span_are_refused(client, missing):
    body = {"timeMin": "2026-12-01T00:00:00Z", "timeMax": "2026-12-02T00:00:00Z", "items": [{"id": HOST}]}
    del body[missing]
    status, answer = client("POST", "/calendar/v3/freeBusy", body)
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "required")


def test_busy_times_of_more_than_ninety_days_are_too_long(client):
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    for days, expected in ((90, 200), (91, 400)):
        body = {"timeMin": begin.isoformat(), "timeMax": (begin + timedelta(days=days)).isoformat(), "items": []}
        assert client("POST", "/calendar/v3/freeBusy", body)[0] == expected


def test_a_token_that_is_given_after_all_were_forgotten_is_young(client):
    client.desk.world.forget_sync_tokens()
    token = client("GET", EVENTS)[1]["nextSyncToken"]
    status, body = client("GET", EVENTS, syncToken=token)
    assert (status, body["items"]) == (200, [])
