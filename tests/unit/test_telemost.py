"""Yandex Telemost: links by its API, invitations as iCalendar; the mails are read back by another reader."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from dateutil.rrule import rrulestr

from functions.shared.adapters.telemost.kept import KeptMeetings
from functions.shared.adapters.telemost.mailer import SmtpAccount
from functions.shared.adapters.telemost.provider import CONFERENCES, Telemost
from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
    NotConfigured,
)
from functions.shared.meetings import (
    Attendee,
    Meeting,
    MeetingChange,
    RecordingState,
    Recurrence,
    Span,
    meeting_id,
    occurrence_id,
)
from tests.fakes import ManualClock
from tests.memory_table import MemoryTable

ANNA, CLIENT, BORIS = "anna@firm.example", "ivan@mail.ru", "boris@firm.example"
BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CALL = Meeting(
    "firm:call:1", "Созвон, «Окна»", AT, 30, BERLIN, (Attendee(ANNA, "Анна"), Attendee(CLIENT, "Иван; и Ко"))
)


@dataclass
class Post:
    """Keeps the mails; `fails` is raised by the next ones, after they went out where `is_lost`."""

    mails: list[EmailMessage] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    is_lost: bool = False

    def sender(self) -> str:
        return "meet@firm.example"

    def send(self, mail: EmailMessage) -> None:
        if self.fails and not self.is_lost:
            raise self.fails.pop()
        self.mails.append(mail)
        if self.fails:
            raise self.fails.pop()

    def said(self) -> list[tuple[str, str]]:
        """(method, to)"""
        return [(calendar_of(mail)["METHOD"], mail["To"]) for mail in self.mails]


def calendar_of(mail: EmailMessage) -> dict[str, str]:
    """The lines of the calendar, unfolded by hand: RFC 5545, 3.1."""
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    text = part.get_payload(decode=True).decode().replace("\r\n", "\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\n")), "folded at 75 octets"
    lines = text.replace("\n ", "").split("\n")
    event = lines[lines.index("BEGIN:VEVENT") : lines.index("END:VEVENT")]
    head = [line for line in lines if line.startswith("METHOD")]
    found: dict[str, str] = {}
    for line in [*head, *event]:
        name, _, value = line.partition(":")
        found.setdefault(name.partition(";")[0], value)
        found[f"{name.partition(';')[0]}*"] = found.get(f"{name.partition(';')[0]}*", "") + line + "\n"
    return found


class Yandex:
    def __init__(self) -> None:
        self.made = 0
        self.status = 201
        self.headers: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == CONFERENCES
        self.headers.append(request.headers["Authorization"])
        if self.status != 201:
            return httpx.Response(self.status, json={"error": "x"})
        self.made += 1
        return httpx.Response(
            201, json={"id": f"c{self.made}", "join_url": f"https://telemost.yandex.ru/j/{self.made}"}
        )


@pytest.fixture
def world() -> Any:
    return type("World", (), {"yandex": Yandex(), "post": Post(), "clock": ManualClock(), "table": MemoryTable()})()


@pytest.fixture
def telemost(world) -> Telemost:
    http = httpx.Client(transport=httpx.MockTransport(world.yandex))
    return Telemost(KeptMeetings(world.table), world.post, lambda: "y0_token", lambda: http, world.clock)


def test_a_meeting_is_a_link_and_an_invitation(telemost, world):
    booked = telemost.book(CALL, 1)
    assert booked.link == "https://telemost.yandex.ru/j/1"
    assert world.yandex.headers == ["OAuth y0_token"]
    (mail,) = world.post.mails
    event = calendar_of(mail)
    assert mail["To"] == f"{ANNA}, {CLIENT}"
    assert event["METHOD"] == "REQUEST"
    assert event["UID"] == f"{booked.id}@conveyor"
    assert event["DTSTART*"].strip() == "DTSTART;TZID=Europe/Berlin:20261124T130000"
    assert event["LOCATION"] == booked.link
    assert event["SUMMARY"] == "Созвон\\, «Окна»"
    assert 'CN="Иван; и Ко"' in event["ATTENDEE*"]
    assert "mailto:ivan@mail.ru" in event["ATTENDEE*"]


def test_a_booking_that_is_repeated_makes_one_link_and_one_mail(telemost, world):
    assert telemost.book(CALL, 1) == telemost.book(replace(CALL, title="x"), 1)
    assert world.yandex.made == len(world.post.mails) == 1


def test_a_mail_that_was_not_sent_is_sent_by_whoever_looks_next(telemost, world):
    world.post.fails = [MeetingsUnavailable("down")]
    with pytest.raises(MeetingsUnavailable):
        telemost.book(CALL, 1)
    assert world.post.mails == []
    assert telemost.find(meeting_id(CALL.key, 1)) is not None
    assert world.yandex.made == len(world.post.mails) == 1


def test_a_mail_whose_answer_is_lost_goes_out_again_as_the_same_meeting(telemost, world):
    world.post.fails, world.post.is_lost = [MeetingsUnavailable("lost")], True
    with pytest.raises(MeetingsUnavailable):
        telemost.book(CALL, 1)
    telemost.book(CALL, 1)
    uids = {(calendar_of(mail)["UID"], calendar_of(mail)["SEQUENCE"]) for mail in world.post.mails}
    assert len(world.post.mails) == 2
    assert len(uids) == 1


def test_a_change_has_a_higher_sequence_and_removed_guests_hear_of_it(telemost, world):
    booked = telemost.book(CALL, 1)
    guests = (Attendee(BORIS, "Борис"), CALL.attendees[1])
    change = MeetingChange(start=AT + timedelta(hours=1), minutes=45, zone=BERLIN, attendees=guests)
    changed = telemost.change(booked, change, tell=True)
    assert (changed.start, changed.minutes, changed.link) == (AT + timedelta(hours=1), 45, booked.link)
    assert world.post.said()[1:] == [("CANCEL", ANNA), ("REQUEST", f"{BORIS}, {CLIENT}")]
    assert [calendar_of(mail)["SEQUENCE"] for mail in world.post.mails] == ["0", "1", "1"]
    with pytest.raises(MeetingMoved):
        telemost.change(booked, change, tell=True)


def test_a_cancellation_goes_out_once_and_the_id_stays_taken(telemost, world):
    booked = telemost.book(CALL, 1)
    telemost.cancel(booked.id, tell=True)
    telemost.cancel(booked.id, tell=True)
    telemost.cancel(meeting_id("nobody", 1), tell=True)
    assert world.post.said()[1:] == [("CANCEL", f"{ANNA}, {CLIENT}")]
    assert calendar_of(world.post.mails[-1])["STATUS"] == "CANCELLED"
    found = telemost.find(booked.id)
    assert found is not None
    assert found.is_cancelled
    with pytest.raises(MeetingGone):
        telemost.book(CALL, 1)
    assert telemost.book(CALL, 2).id != booked.id


def test_a_series_keeps_its_hour_over_both_changes_of_the_clocks(telemost, world):
    """Read by dateutil, not by the library that wrote it."""
    first = datetime(2026, 10, 19, 7, 15, tzinfo=UTC)
    series = replace(
        CALL, start=first, recurrence=Recurrence(frozenset({0, 3}), frozenset({date(2026, 10, 26), date(2027, 3, 29)}))
    )
    booked = telemost.book(series, 1)
    event = calendar_of(world.post.mails[0])
    naive = datetime(2026, 10, 19, 9, 15)  # noqa: DTZ001
    rules = rrulestr(f"RRULE:{event['RRULE']}", dtstart=naive, forceset=True)
    for line in event["EXDATE*"].strip().splitlines():
        for text in line.rpartition(":")[2].split(","):
            rules.exdate(datetime.strptime(text, "%Y%m%dT%H%M%S"))  # noqa: DTZ007
    days = rules.between(datetime(2026, 10, 18), datetime(2027, 4, 10))  # noqa: DTZ001
    assert {(day.hour, day.minute) for day in days} == {(9, 15)}
    assert not {date(2026, 10, 26), date(2027, 3, 29)} & {day.date() for day in days}
    (part,) = [part for part in world.post.mails[0].walk() if part.get_content_type() == "text/calendar"]
    assert b"BEGIN:VTIMEZONE" in part.get_payload(decode=True)
    assert telemost.find(occurrence_id(booked.id, first)) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, MeetingsUnauthorized), (402, MeetingsForbidden), (403, MeetingsForbidden), (500, MeetingsUnavailable)],
)
def test_what_telemost_refuses(telemost, world, status, error):
    world.yandex.status = status
    with pytest.raises(error):
        telemost.book(CALL, 1)
    assert world.post.mails == []


def test_what_nobody_can_see_is_not_free(telemost):
    span = Span(AT, AT + timedelta(days=1))
    assert telemost.busy([ANNA], span) == {ANNA: None}
    assert telemost.away(ANNA, span) is None
    assert telemost.record("c1").recording is RecordingState.UNSUPPORTED
    assert telemost.conferences("c1", span) == ()
    begun = telemost.changes(None)
    assert telemost.changes(begun.token).booked == ()


def test_a_mail_account_with_a_missing_field_is_told_by_its_name():
    with pytest.raises(NotConfigured, match="password"):
        SmtpAccount.parse(json.dumps({"host": "h", "port": 465, "user": "u"}))
    with pytest.raises(NotConfigured, match="conveyor secrets set smtp"):
        SmtpAccount.parse(None)
