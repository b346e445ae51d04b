"""What is not known of Google is a switch of the simulator, and the adapter copes with each of its positions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
)
from functions.shared.meetings import (
    Answer,
    Attendee,
    LinkState,
    Meeting,
    MeetingChange,
    RecordingState,
    Span,
    meeting_id,
)
from infra.local.google_simulator.auth import SCOPES
from tests.fakes import ManualClock
from tests.google_support import HOST, GoogleDesk

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
CALL = Meeting("firm:call:1", "Созвон", AT, 30, MOSCOW, (Attendee("anna@firm.example"), Attendee("ivan@mail.ru")))


@pytest.fixture
def desk() -> GoogleDesk:
    return GoogleDesk(ManualClock())


@pytest.mark.parametrize(
    ("switch", "positions"),
    [
        ("revives_tombstones", (False, True)),
        ("keeps_answers", (False, True)),
        ("put_with_conference", (400, 200)),
        ("tombstone_put", (403, 200)),
        ("members_of_minted_spaces", (403, 200)),
        ("meet_for_consumers", (True, False)),
        ("colleagues_event_types", (False, True)),
        ("rate_status", (403, 429)),
        ("recording_without_licence", (200, 403)),
    ],
)
def test_a_meeting_lives_its_life_in_every_position(desk, switch, positions):
    for generation, position in enumerate(positions, 1):
        desk.world.switch(**{switch: position})
        port = desk.adapter()
        booked = port.book(CALL, generation)
        desk.answer(booked.id, "ivan@mail.ru", "accepted")
        standing = port.find(booked.id)
        guests = (*standing.attendees[1:], Attendee("boris@firm.example"))
        changed = port.change(standing, MeetingChange(attendees=guests), tell=True)
        assert {each.email: each.answer for each in changed.attendees} == {
            "ivan@mail.ru": Answer.ACCEPTED,
            "boris@firm.example": Answer.NONE,
        }
        assert port.record(booked.code).recording is RecordingState.ON
        port.cancel(booked.id, tell=True)
        with pytest.raises(MeetingGone):
            port.book(CALL, generation)


@pytest.mark.parametrize(("answer", "state"), [(200, RecordingState.ON), (403, RecordingState.REFUSED)])
def test_a_plan_without_recording_records_nothing_whatever_it_answers(desk, answer, state):
    desk.world.users[HOST].can_record = False
    desk.world.switch(recording_without_licence=answer)
    port = desk.adapter()
    booked = port.book(CALL, 1)
    space = port.record(booked.code)
    assert space.recording is state
    desk.meet_there(booked.id, AT, 20)
    desk.clock.moment = AT + timedelta(hours=2)
    (conference,) = port.conferences(space.name, Span(AT, AT + timedelta(hours=1)))
    assert conference.recordings == ()
    assert conference.is_complete


class TestAnswersThatAreLost:
    @pytest.fixture
    def port(self, desk):
        desk.world.switch(lost_answer_share=1.0)
        return desk.adapter()

    def test_a_booking_is_found_again_and_told_once(self, desk, port):
        desk.world.switch(lost_answer_share=0.0)
        port.find("e")  # the token
        desk.world.switch(lost_answer_share=1.0)
        booked = port.book(CALL, 1)  # the repetition meets what the first had made
        assert booked.id == meeting_id(CALL.key, 1)
        assert [each.kind for each in desk.world.notifications] == ["invite"]

    def test_a_change_is_made_once_and_known_as_moved(self, desk, port):
        desk.world.switch(lost_answer_share=0.0)
        booked = port.book(CALL, 1)
        desk.world.switch(lost_answer_share=1.0)
        change = MeetingChange(start=AT + timedelta(hours=1), minutes=30, zone=MOSCOW)
        with pytest.raises(MeetingMoved):
            port.change(booked, change, tell=True)
        desk.world.switch(lost_answer_share=0.0)
        assert port.find(booked.id).start == AT + timedelta(hours=1)
        assert [each.kind for each in desk.world.notifications] == ["invite", "update"]

    def test_a_cancellation_is_made_once(self, desk, port):
        desk.world.switch(lost_answer_share=0.0)
        booked = port.book(CALL, 1)
        desk.world.switch(lost_answer_share=1.0)
        port.cancel(booked.id, tell=True)
        assert [each.kind for each in desk.world.notifications] == ["invite", "cancel"]


def test_an_event_that_is_not_seen_at_once_is_waited_for(desk):
    port = desk.adapter()
    desk.world.switch(hidden_after_create=1.5)
    port.book(CALL, 1)
    assert port.book(CALL, 1).key == CALL.key


def test_an_event_that_is_not_seen_at_once_is_changed_and_cancelled(desk):
    port = desk.adapter()
    desk.world.switch(hidden_after_create=2.5)
    gone = port.book(CALL, 1)
    port.cancel(gone.id, tell=True)
    assert port.find(gone.id).is_cancelled
    moved = port.book(replace(CALL, key="firm:call:2"), 1)
    assert port.change(moved, MeetingChange(title="Иначе"), tell=False).title == "Иначе"


def test_limits_by_the_minute_and_by_invitations(desk):
    port = desk.adapter()
    desk.world.switch(per_user_per_minute=3)
    port.book(CALL, 1)
    with pytest.raises(MeetingsUnavailable):
        for _ in range(4):
            port.find("nobody")
    desk.clock.advance(61)
    desk.world.switch(per_user_per_minute=600, external_invitations=0)
    with pytest.raises(MeetingsUnavailable) as later:
        port.book(replace(CALL, key="firm:call:2"), 1)
    assert later.value.after == 3600
    desk.clock.advance(7 * 3600)
    desk.world.switch(external_invitations=None)
    assert port.book(replace(CALL, key="firm:call:2"), 1).link_state is LinkState.READY


def test_scopes_of_each_method_are_google_s_own():
    """The simulator opens no method with a scope that Google does not name for it."""
    methods = {
        "events.write": ("calendar.v3.json", ("events", "insert")),
        "events.read": ("calendar.v3.json", ("events", "list")),
        "freebusy": ("calendar.v3.json", ("freebusy", "query")),
        "calendars": ("calendar.v3.json", ("calendars", "get")),
        "calendarList": ("calendar.v3.json", ("calendarList", "get")),
        "settings": ("calendar.v3.json", ("settings", "get")),
        "spaces.get": ("meet.v2.json", ("spaces", "get")),
        "spaces.patch": ("meet.v2.json", ("spaces", "patch")),
        "spaces.create": ("meet.v2.json", ("spaces", "create")),
        "records": ("meet.v2.json", ("conferenceRecords", "list")),
    }
    assert set(methods) == set(SCOPES)
    for kind, (name, (resource, method)) in methods.items():
        path = files("googleapiclient").joinpath(f"discovery_cache/documents/{name}")
        document = json.loads(path.read_text(encoding="utf-8"))
        allowed = document["resources"][resource]["methods"][method]["scopes"]
        named = {scope.removeprefix("https://www.googleapis.com/auth/") for scope in allowed}
        assert set(SCOPES[kind]) <= named, (kind, set(SCOPES[kind]) - named)


def test_two_hundred_guests_are_invited(desk):
    guests = tuple(Attendee(f"guest{number}@firm.example") for number in range(200))
    booked = desk.adapter().book(replace(CALL, attendees=guests), 1)
    assert len(booked.attendees) == 200
    assert [len(each.recipients) for each in desk.world.notifications] == [200]


@pytest.mark.parametrize("identity", ["oauth", "service_account"])
def test_a_host_whose_account_is_gone_is_told_as_such(identity):
    desk = GoogleDesk(ManualClock(), identity)
    port = desk.adapter()
    port.book(CALL, 1)
    desk.hands.delete_calendar(HOST)
    with pytest.raises((MeetingsUnauthorized, MeetingsForbidden)):
        port.book(replace(CALL, key="firm:call:2"), 1)
