"""One suite for the port `MeetingProvider`: the fake in memory, and Google with both identities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from functions.shared.errors import MeetingGone, MeetingMoved, MeetingRefused
from functions.shared.meetings import (
    Answer,
    Attendee,
    LinkState,
    Meeting,
    MeetingChange,
    Recording,
    RecordingState,
    Recurrence,
    Span,
    meeting_id,
    occurrence_id,
)
from functions.shared.ports import MeetingProvider
from tests.fakes import ManualClock
from tests.google_support import GoogleDesk
from tests.memory_calendar import MemoryCalendar

ANNA, CLIENT = "anna@firm.example", "client@mail.ru"
MOSCOW = ZoneInfo("Europe/Moscow")
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CALL = Meeting("firm:call:1", "Созвон", AT, 30, MOSCOW, (Attendee(ANNA, "Анна"), Attendee(CLIENT, "Иван")))
SERIES = Meeting(
    "firm:standup:1",
    "Планёрка",
    datetime(2026, 11, 24, 6, 15, tzinfo=UTC),
    15,
    MOSCOW,
    (Attendee(ANNA),),
    Recurrence(frozenset({0, 1, 2, 3, 4}), frozenset({datetime(2026, 12, 31, tzinfo=UTC).date()})),
)


@dataclass
class Bench:
    clock: ManualClock
    port: MeetingProvider
    people: Any
    is_memory: bool

    def words(self) -> list[tuple[str, frozenset[str]]]:
        if self.is_memory:
            return [(word.kind, word.emails) for word in self.people.told]
        return list(self.people.words())


@pytest.fixture(params=["memory", "oauth", "service_account"])
def bench(request) -> Bench:
    clock = ManualClock()
    if request.param == "memory":
        calendar = MemoryCalendar(clock)
        return Bench(clock, calendar, calendar, True)
    desk = GoogleDesk(clock, request.param)
    return Bench(clock, desk.adapter(), desk, False)


def test_a_meeting_is_booked_with_a_link_and_all_are_invited(bench):
    booked = bench.port.book(CALL, 1)
    assert booked.id == meeting_id(CALL.key, 1)
    assert (booked.start, booked.minutes, booked.key) == (AT, 30, CALL.key)
    assert booked.emails == {ANNA, CLIENT}
    assert booked.link_state is LinkState.READY and booked.link.startswith("https://meet.google.com/")
    assert booked.code
    assert bench.words() == [("invite", frozenset({ANNA, CLIENT}))]
    assert bench.port.find(booked.id) == booked


def test_a_booking_that_is_repeated_is_the_same_and_nobody_hears_of_it(bench):
    first = bench.port.book(CALL, 1)
    again = bench.port.book(replace(CALL, title="Другое", start=AT + timedelta(hours=1)), 1)
    assert again == first
    assert len(bench.words()) == 1


def test_a_change_keeps_the_link_and_is_told_once(bench):
    first = bench.port.book(CALL, 1)
    at = AT + timedelta(hours=2)
    changed = bench.port.change(first, MeetingChange(start=at, minutes=45, zone=MOSCOW), tell=True)
    assert (changed.start, changed.minutes, changed.link) == (at, 45, first.link)
    assert changed.version != first.version
    assert [kind for kind, _ in bench.words()] == ["invite", "update"]
    with pytest.raises(MeetingMoved):
        bench.port.change(first, MeetingChange(start=at, minutes=45, zone=MOSCOW), tell=True)
    assert len(bench.words()) == 2


def test_a_quiet_change_is_told_to_nobody(bench):
    first = bench.port.book(CALL, 1)
    bench.port.change(first, MeetingChange(title="Встреча"), tell=False)
    assert len(bench.words()) == 1


def test_guests_keep_their_answers_when_others_are_changed(bench):
    first = bench.port.book(CALL, 1)
    bench.people.answer(first.id, CLIENT, Answer.ACCEPTED)
    standing = bench.port.find(first.id)
    assert standing is not None
    guests = tuple(each for each in standing.attendees if each.email == CLIENT)
    changed = bench.port.change(standing, MeetingChange(attendees=(*guests, Attendee("boris@firm.example"))), tell=True)
    assert changed.emails == {CLIENT, "boris@firm.example"}
    answers = {each.email: each.answer for each in changed.attendees}
    assert answers == {CLIENT: Answer.ACCEPTED, "boris@firm.example": Answer.NONE}


def test_what_is_cancelled_stays_cancelled_under_its_id(bench):
    first = bench.port.book(CALL, 1)
    bench.port.cancel(first.id, tell=True)
    bench.port.cancel(first.id, tell=True)
    bench.port.cancel(meeting_id("nobody", 1), tell=True)
    found = bench.port.find(first.id)
    assert found is not None and found.is_cancelled
    assert [kind for kind, _ in bench.words()] == ["invite", "cancel"]
    with pytest.raises(MeetingGone):
        bench.port.book(CALL, 1)
    with pytest.raises(MeetingGone):
        bench.port.change(replace(found, version=found.version), MeetingChange(title="x"), tell=False)
    assert bench.port.book(CALL, 2).id != first.id


def test_what_never_was_is_not_found(bench):
    assert bench.port.find(meeting_id("nobody", 1)) is None


def test_an_address_that_is_none_is_refused(bench):
    if bench.is_memory:
        bench.people.refuses = {"ivan@mail"}
    with pytest.raises(MeetingRefused) as refused:
        bench.port.book(replace(CALL, attendees=(Attendee(ANNA), Attendee("ivan@mail"))), 1)
    assert refused.value.attendees


def test_a_time_that_is_empty_is_refused(bench):
    with pytest.raises(MeetingRefused) as refused:
        bench.port.book(replace(CALL, minutes=0), 1)
    assert not refused.value.attendees


def test_changes_are_told_from_token_to_token(bench):
    begun = bench.port.changes(None)
    assert begun.is_all and begun.booked == ()
    booked = bench.port.book(CALL, 1)
    first = bench.port.changes(begun.token)
    assert [each.key for each in first.booked] == [CALL.key] and not first.is_all
    assert bench.port.changes(first.token).booked == ()
    bench.people.move(booked.id, AT + timedelta(hours=1))
    moved = bench.port.changes(first.token)
    assert [each.start for each in moved.booked] == [AT + timedelta(hours=1)]
    bench.people.delete(booked.id)
    assert [each.is_cancelled for each in bench.port.changes(moved.token).booked] == [True]


def test_a_series_and_one_of_its_days(bench):
    booked = bench.port.book(SERIES, 1)
    assert booked.recurrence == SERIES.recurrence
    day = datetime(2026, 11, 26, 6, 15, tzinfo=UTC)
    found = bench.port.find(occurrence_id(booked.id, day))
    assert found is not None
    assert (found.start, found.series, found.original_start) == (day, booked.id, day)
    changed = bench.port.change(found, MeetingChange(attendees=()), tell=False)
    assert changed.emails == frozenset()
    assert {each.email for each in bench.port.find(booked.id).attendees} == {ANNA}
    again = bench.port.find(occurrence_id(booked.id, day))
    assert again is not None and again.emails == frozenset()
    assert bench.port.find(occurrence_id(booked.id, day + timedelta(minutes=1))) is None
    assert [kind for kind, _ in bench.words()] == ["invite"]


def test_a_series_gets_another_time_and_other_holidays(bench):
    booked = bench.port.book(SERIES, 1)
    start = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    recurrence = Recurrence(frozenset({0, 2}), frozenset({datetime(2026, 12, 30, tzinfo=UTC).date()}))
    change = MeetingChange(start=start, minutes=20, zone=MOSCOW, recurrence=recurrence)
    changed = bench.port.change(booked, change, tell=True)
    assert (changed.start, changed.minutes, changed.recurrence) == (start, 20, recurrence)
    assert changed.link == booked.link


def test_who_is_busy_and_whose_calendar_is_hidden(bench):
    span = Span(AT - timedelta(hours=5), AT + timedelta(days=100))
    busy = Span(AT - timedelta(hours=1), AT)
    if bench.is_memory:
        bench.people.busy_spans = {ANNA: [busy], "x@other.example": None}
    else:
        bench.people.add_busy(ANNA, *busy)
    bench.port.book(replace(CALL, start=AT + timedelta(days=95)), 1)
    found = bench.port.busy([ANNA, "x@other.example"], span)
    later = AT + timedelta(days=95)
    assert found == {ANNA: (busy, Span(later, later + timedelta(minutes=30))), "x@other.example": None}


def test_a_link_records_itself_where_the_plan_allows_it(bench):
    booked = bench.port.book(CALL, 1)
    space = bench.port.record(booked.code)
    assert space.recording is RecordingState.ON and space.name.startswith("spaces/")
    assert bench.port.record(booked.code) == space


def test_a_plan_without_recording_is_no_obstacle(bench):
    if bench.is_memory:
        bench.people.can_record = False
    else:
        bench.people.world.users["meet@firm.example"].can_record = False
        bench.people.world.switch(recording_without_licence=403)
    booked = bench.port.book(CALL, 1)
    assert bench.port.record(booked.code).recording is RecordingState.REFUSED


def test_a_recording_of_the_call_and_of_no_other(bench):
    booked = bench.port.book(CALL, 1)
    space = bench.port.record(booked.code)
    bench.clock.moment = AT + timedelta(minutes=10)
    span = Span(AT - timedelta(minutes=30), AT + timedelta(hours=4))
    if bench.is_memory:
        bench.people.hold(booked, AT, 25, complete=False)
    else:
        bench.people.meet_there(booked.id, AT, 25)
        (running,) = bench.port.conferences(space.name, span)
        assert running.ended_at is None
    bench.clock.moment = AT + timedelta(minutes=26)
    (over,) = bench.port.conferences(space.name, span)
    assert (over.ended_at, over.is_complete, over.recordings) == (AT + timedelta(minutes=25), False, ())
    bench.clock.moment = AT + timedelta(hours=1)
    if bench.is_memory:
        bench.people.held = {}
        bench.people.hold(booked, AT, 25, Recording("r", "https://drive.google.com/1", 1500))
    (done,) = bench.port.conferences(space.name, span)
    assert done.is_complete
    (recording,) = done.recordings
    assert recording.seconds == 1500 and recording.url.startswith("https://drive.google.com/")
    assert bench.port.conferences(space.name, Span(AT + timedelta(days=1), AT + timedelta(days=2))) == ()


def test_a_call_that_people_began_long_before_is_found_while_it_touches_the_time(bench):
    booked = bench.port.book(CALL, 1)
    space = bench.port.record(booked.code)
    began = AT - timedelta(hours=2)
    if bench.is_memory:
        bench.people.hold(booked, began, 150)
    else:
        bench.people.meet_there(booked.id, began, 150)
    bench.clock.moment = AT + timedelta(hours=1)
    (held,) = bench.port.conferences(space.name, Span(AT, AT + timedelta(hours=4)))
    assert (held.started_at, held.ended_at) == (began, AT + timedelta(minutes=30))
    assert bench.port.conferences(space.name, Span(AT + timedelta(minutes=30), AT + timedelta(hours=4))) == ()


def test_a_link_that_is_pending_comes_later(bench):
    if bench.is_memory:
        bench.people.gives_links = LinkState.PENDING
    else:
        bench.people.world.switch(link_delay=10)
    booked = bench.port.book(CALL, 1)
    assert (booked.link, booked.link_state) == ("", LinkState.PENDING)
    bench.clock.advance(11)
    if bench.is_memory:
        bench.people.gives_links = LinkState.READY
    found = bench.port.find(booked.id)
    assert found is not None and found.link_state is LinkState.READY and found.link


def test_a_link_that_failed_is_asked_for_again(bench):
    if bench.is_memory:
        bench.people.gives_links = LinkState.FAILED
    else:
        bench.people.world.switch(link_fails=True)
    booked = bench.port.book(CALL, 1)
    assert booked.link_state is LinkState.FAILED
    if bench.is_memory:
        bench.people.gives_links = LinkState.READY
    else:
        bench.people.world.switch(link_fails=False)
    renewed = bench.port.renew_link(booked, 1)
    assert renewed.link_state is LinkState.READY
    assert len(bench.words()) == 1
    with pytest.raises(MeetingMoved):
        bench.port.renew_link(booked, 2)
    bench.port.cancel(booked.id, tell=False)
    with pytest.raises((MeetingGone, MeetingMoved)):
        bench.port.renew_link(renewed, 2)


def test_who_is_out_of_office(bench, request):
    span = Span(AT, AT + timedelta(days=30))
    away = Span(AT + timedelta(days=1), AT + timedelta(days=3))
    if bench.is_memory:
        bench.people.away_spans = {ANNA: (away,), "x@other.example": None}
    else:
        bench.people.hands.out_of_office(ANNA, *away)
    if "oauth" not in request.node.name:
        assert bench.port.away(ANNA, span) == (away,)
    assert bench.port.away("x@other.example", span) is None
