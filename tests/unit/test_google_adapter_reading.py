"""Events as people leave them: whatever stands in the calendar is read, and what is ours is told from what is not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.adapters.google.payloads import booked_from, event_of, recurrence_from, recurrence_lines
from functions.shared.meetings import (
    Answer,
    Attendee,
    Booked,
    LinkState,
    Meeting,
    MeetingChange,
    Recurrence,
    Span,
    occurrences,
)
from tests.google_wire import AT, CALL, MOSCOW, Google, event

MONDAYS = "RRULE:FREQ=WEEKLY;BYDAY=MO"
EARLIEST, LATEST = datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")
FOREIGN: frozenset[int] = frozenset()
ZONES = st.sampled_from(["Europe/Moscow", "Europe/Berlin", "Asia/Vladivostok", "America/New_York"]).map(ZoneInfo)
DAYS = st.frozensets(st.integers(0, 6), min_size=1)


# --- rules ---------------------------------------------------------------------------------------------------


@given(
    days=DAYS,
    skips=st.frozensets(st.dates(date(2026, 1, 1), date(2028, 12, 31)), max_size=5),
    start=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    zone=ZONES,
)
def test_what_is_written_is_read_again(days, skips, start, zone):
    recurrence = Recurrence(days, skips)
    assert recurrence_from(recurrence_lines(recurrence, start, zone), zone.key) == recurrence


@given(days=DAYS, zone=ZONES, clock=st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_a_skipped_day_is_the_same_in_every_form(days, zone, clock):
    """By the wall clock of the series, in UTC, by the clock of another place."""
    start = datetime(2026, 11, 2, tzinfo=zone)
    at = next(iter(occurrences(Recurrence(days), clock, zone, start, start + timedelta(days=8))))
    elsewhere = ZoneInfo("Pacific/Auckland")
    forms = (
        f"EXDATE;TZID={zone.key}:{at.astimezone(zone):%Y%m%dT%H%M%S}",
        f"EXDATE:{at:%Y%m%dT%H%M%SZ}",
        f"EXDATE;TZID={elsewhere.key}:{at.astimezone(elsewhere):%Y%m%dT%H%M%S}",
        f"EXDATE;VALUE=DATE:{at.astimezone(zone):%Y%m%d}",
        f"EXDATE:{at.astimezone(zone):%Y%m%dT%H%M%S}",
    )
    read = {recurrence_from([MONDAYS, form], zone.key) for form in forms}
    assert read == {Recurrence(frozenset({0}), frozenset({at.astimezone(zone).date()}))}


@pytest.mark.parametrize("line", ["RDATE;TZID=Europe/Moscow:20261205T091500", "EXRULE:FREQ=MONTHLY;BYDAY=1MO"])
def test_days_that_a_person_added_make_the_rule_his(line):
    """Were it read as ours, the next change of holidays would take his days out."""
    read = recurrence_from([MONDAYS, line], "Europe/Moscow")
    assert read is not None and read.days == FOREIGN
    alone = recurrence_from([line], "Europe/Moscow")
    assert alone is not None and alone.days == FOREIGN


@pytest.mark.parametrize(
    "rule", ["FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=1MO", "FREQ=WEEKLY;BYDAY=MO,XX", "BYDAY=MO", "freq=weekly;byday=mo", ""]
)
def test_a_rule_that_names_no_days_of_the_week_is_not_ours(rule):
    assert recurrence_from([f"RRULE:{rule}"], "Europe/Moscow") == Recurrence(FOREIGN)


@pytest.mark.parametrize(
    "value", ["20261345", "20261207T996099", "20261207T0915", "", ",", "2026-12-07", "rubbish", "20261207T091500Z,x"]
)
def test_a_date_that_is_none_is_passed_over(value):
    read = recurrence_from([MONDAYS, f"EXDATE;TZID=Mars/Olympus:{value}"], "Mars/Olympus")
    assert read is not None and read.days == {0}
    assert read.skips <= {date(2026, 12, 7)}


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.builds(
                "{}{}:{}".format,
                st.sampled_from(["RRULE", "EXDATE", "RDATE", "EXRULE", "DTSTART"]),
                st.sampled_from(["", ";TZID=Europe/Moscow", ";TZID=", ";VALUE=DATE", ";x"]),
                st.one_of(st.text(max_size=30), st.sampled_from(["FREQ=WEEKLY;BYDAY=MO", "20261207", "FREQ=;=;"])),
            ),
        ),
        max_size=4,
    ),
    st.sampled_from(["Europe/Moscow", "", "No/Where", "../etc", "America", "x" * 300]),
)
def test_no_rule_is_too_strange_to_be_read(lines, zone):
    read = recurrence_from(lines, zone)
    assert read is None or read.days <= set(range(7))


# --- times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ({"dateTime": "2026-11-24T15:00:00+03:00"}, {"dateTime": "2026-11-24T12:30:00Z"}, (AT, 30, "")),
        ({"dateTime": "2026-11-24T15:00:00", "timeZone": "Europe/Moscow"}, None, (AT, 0, "Europe/Moscow")),
        ({"dateTime": "2026-11-24T12:00:00"}, {"dateTime": "2026-11-24T12:45:00"}, (AT, 45, "")),
        ({"dateTime": "2026-11-24T12:00:00.000Z", "timeZone": "GMT+03:00"}, None, (AT, 0, "GMT+03:00")),
        ({"date": "2026-11-24"}, {"date": "2026-11-26"}, (AT.replace(hour=0), 2880, "")),
        ({"date": "2026-11-24", "timeZone": "Europe/Moscow"}, None, (datetime(2026, 11, 23, 21, tzinfo=UTC), 0, "x")),
        ({}, {}, (None, 0, "")),
        (None, None, (None, 0, "")),
        (None, {"dateTime": "2026-11-24T12:00:00Z"}, (None, 0, "")),
    ],
)
def test_starts_and_ends_in_all_their_forms(start, end, expected):
    read = booked_from(event(start=start, end=end))
    moment, minutes, zone = expected
    assert (read.start, read.minutes) == (moment, minutes)
    assert read.zone == zone or zone == "x"


@pytest.mark.parametrize("zone", ["No/Where", "../etc", "America", "x" * 300, "GMT+03:00"])
def test_a_zone_that_is_none_hides_no_moment(zone):
    read = booked_from(event(start={"dateTime": "2026-11-24T15:00:00+03:00", "timeZone": zone}))
    assert read.start == AT
    assert booked_from(event(start={"date": "2026-11-24", "timeZone": zone})).start == AT.replace(hour=0)


def test_a_call_over_the_change_of_the_clocks_lasts_as_long_as_it_is():
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, and again 02:30 an hour later
    meeting = Meeting("k", "x", start, 90, berlin, ())
    body = event_of(meeting, "e", with_conference=False)
    assert (body["start"]["dateTime"], body["end"]["dateTime"]) == (
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T03:00:00+01:00",
    )
    read = booked_from(body)
    assert (read.start, read.minutes) == (start, 90)


def test_a_series_is_written_with_the_wall_clock_of_its_zone():
    start = datetime.combine(date(2026, 11, 30), time(9, 15), MOSCOW).astimezone(UTC)
    meeting = Meeting("k", "x", start, 15, MOSCOW, (), Recurrence(frozenset({0}), frozenset({date(2026, 12, 7)})))
    body = event_of(meeting, "e", with_conference=False)
    assert body["start"] == {"dateTime": "2026-11-30T09:15:00+03:00", "timeZone": "Europe/Moscow"}
    assert body["recurrence"] == [MONDAYS, "EXDATE;TZID=Europe/Moscow:20261207T091500"]


def test_a_call_that_a_person_made_a_whole_day_gets_its_time_back():
    """A PATCH merges: a `date` that nobody takes out stays beside the `dateTime`, and no event may have both."""
    google = Google()
    google.answers = [httpx.Response(200, json=event())]
    whole_day = booked_from(event(start={"date": "2026-11-24"}, end={"date": "2026-11-25"}))
    google.adapter().change(whole_day, MeetingChange(start=AT, minutes=30, zone=MOSCOW), tell=True)
    sent = json.loads(google.requests[-1].content)
    assert sent["start"] == {"date": None, "dateTime": "2026-11-24T15:00:00+03:00", "timeZone": "Europe/Moscow"}
    assert sent["end"]["date"] is None


# --- guests --------------------------------------------------------------------------------------------------


def test_what_stands_of_a_guest_stands_after_a_change():
    """A PATCH replaces the whole list (Google Calendar API: events.patch)."""
    guests = [
        {"email": "anna@firm.example", "responseStatus": "accepted", "displayName": "Анна", "organizer": True},
        {"email": "ivan@mail.ru", "responseStatus": "tentative", "comment": "опоздаю", "additionalGuests": 2},
        {"email": "boris@firm.example", "responseStatus": "declined", "optional": True},
        {"email": "room-1@resource.calendar.google.com", "resource": True, "responseStatus": "accepted", "self": True},
    ]
    google = Google()
    google.answers = [httpx.Response(200, json=event(attendees=guests))]
    adapter = google.adapter()
    standing = adapter.find("e")
    assert standing is not None
    adapter.change(standing, MeetingChange(attendees=(*standing.attendees, Attendee("new@firm.example"))), tell=True)
    sent = json.loads(google.requests[-1].content)["attendees"]
    written_by_google = ("organizer", "self", "resource")
    kept = [{name: value for name, value in guest.items() if name not in written_by_google} for guest in guests]
    assert sent == [*kept, {"email": "new@firm.example", "responseStatus": "needsAction"}]


@pytest.mark.parametrize("answer", [None, "", "maybe", "needsAction", "ACCEPTED"])
def test_an_answer_that_nobody_knows_is_none(answer):
    guest = {"email": "Ivan@Mail.ru", "responseStatus": answer}
    (read,) = booked_from(event(attendees=[guest])).attendees
    assert (read.email, read.answer) == ("ivan@mail.ru", Answer.NONE)


# --- anything ------------------------------------------------------------------------------------------------

TEXTS = st.one_of(st.none(), st.text(max_size=20))
MOMENTS = st.one_of(
    st.none(),
    st.just({}),
    st.builds(
        lambda moment, zone: {"dateTime": moment.isoformat(), "timeZone": zone},
        st.datetimes(EARLIEST, LATEST, timezones=st.one_of(st.none(), st.just(UTC))),
        st.sampled_from(["Europe/Moscow", "UTC", "No/Where", ""]),
    ),
    st.builds(lambda day: {"date": day.isoformat()}, st.dates(date(1990, 1, 1), date(2090, 1, 1))),
)
GUESTS = st.fixed_dictionaries(
    {},
    optional={
        "email": TEXTS,
        "displayName": TEXTS,
        "responseStatus": TEXTS,
        "comment": TEXTS,
        "optional": st.one_of(st.none(), st.booleans()),
        "resource": st.booleans(),
        "additionalGuests": st.one_of(st.none(), st.integers(0, 9)),
    },
)
STATUSES = st.fixed_dictionaries({}, optional={"statusCode": st.sampled_from(["pending", "success", "failure", "x"])})
CONFERENCES = st.fixed_dictionaries(
    {},
    optional={
        "createRequest": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"status": STATUSES})),
        "entryPoints": st.one_of(
            st.none(),
            st.lists(
                st.fixed_dictionaries(
                    {}, optional={"entryPointType": st.sampled_from(["video", "phone", "more"]), "uri": TEXTS}
                ),
                max_size=3,
            ),
        ),
        "conferenceId": TEXTS,
    },
)
EVENTS = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=10)},
    optional={
        "etag": TEXTS,
        "status": st.sampled_from(["confirmed", "tentative", "cancelled"]),
        "summary": TEXTS,
        "start": MOMENTS,
        "end": MOMENTS,
        "originalStartTime": MOMENTS,
        "recurringEventId": TEXTS,
        "recurrence": st.one_of(st.none(), st.just([]), st.just([MONDAYS]), st.lists(st.text(max_size=20), max_size=2)),
        "attendees": st.one_of(st.none(), st.lists(GUESTS, max_size=3)),
        "hangoutLink": TEXTS,
        "conferenceData": st.one_of(st.none(), CONFERENCES),
        "extendedProperties": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"private": st.none()})),
    },
)


@given(EVENTS)
def test_no_event_is_too_strange_to_be_read(body):
    read = booked_from(body)
    assert read.id == body["id"]
    assert (read.link == "") == (read.link_state is not LinkState.READY)
    assert read.start is None or read.start.tzinfo is UTC
    assert all(each.email == each.email.casefold() for each in read.attendees)


def test_what_is_not_ours_has_no_key():
    for properties in (None, {}, {"shared": {"conveyorKey": CALL.key}}, {"private": {"other": "x"}}):
        assert booked_from(event(extendedProperties=properties)).key == ""


def test_out_of_office_of_somebody_is_told_from_his_other_events():
    def entry(kind: str, hour: int, **more: Any) -> dict[str, Any]:
        at = {"dateTime": f"2026-11-24T{hour}:00:00Z"}
        return {
            "id": f"e{hour}",
            "eventType": kind,
            "start": at,
            "end": {"dateTime": f"2026-11-24T{hour}:30:00Z"},
            **more,
        }

    google = Google()
    items = [entry("default", 12), entry("outOfOffice", 13), entry("focusTime", 14), {"id": "hidden", "status": "x"}]
    google.answers = [httpx.Response(200, json={"items": items})]
    away = google.adapter().away("anna@firm.example", Span(AT, AT + timedelta(days=1)))
    at = AT + timedelta(hours=1)
    assert away == (Span(at, at + timedelta(minutes=30)),)


def test_a_booked_meeting_shows_no_names_in_logs():
    shown = repr(booked_from(event(attendees=[{"email": "ivan@mail.ru", "displayName": "Иван", "comment": "нет"}])))
    assert "ivan" not in shown and "Иван" not in shown and "нет" not in shown and "Созвон" not in shown
    assert isinstance(booked_from({"id": "e"}), Booked)
