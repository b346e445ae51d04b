"""The adapter before the simulator: the whole suite of the port in each position of each switch, and trouble on the
way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

import httpx
import pytest

from functions.shared.adapters.google import calendar
from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES, MEET_SCOPES
from functions.shared.errors import MeetingMoved, MeetingsForbidden, MeetingsUnauthorized, MeetingsUnavailable
from functions.shared.meetings import (
    Attendee,
    LinkState,
    MeetingChange,
    RecordingState,
    Recurrence,
    Span,
    occurrence_id,
)
from infra.local.google_simulator.switches import GoogleSwitches
from tests.contract import test_meeting_provider as suite
from tests.contract.test_meeting_provider import ANNA, AT, CALL, CLIENT, MOSCOW, SERIES, Bench
from tests.fakes import ManualClock
from tests.google_support import HOST, ROBOT, GoogleDesk

BEHAVIOURS = [each for name, each in vars(suite).items() if name.startswith("test_")]
OBSTACLES = {"link_fails", "meet_allowed", "apis_enabled", "down", "consent_in_testing"}
"""Switches that are there to make something fail; the others are what a firm may find, or nobody knows."""


def positions() -> Iterator[tuple[str, Any]]:
    """All positions but the defaults, in which the suite runs anyway."""
    hints, defaults = get_type_hints(GoogleSwitches), GoogleSwitches()
    for name in (field.name for field in fields(GoogleSwitches)):
        values = get_args(hints[name]) if get_origin(hints[name]) is Literal else ()
        values = (False, True) if hints[name] is bool and name not in OBSTACLES else values
        yield from ((name, value) for value in values if value != getattr(defaults, name))
    yield "token_life", 60


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda each: each.__name__.removeprefix("test_"))
@pytest.mark.parametrize("position", list(positions()), ids=lambda each: f"oauth-{each[0]}={each[1]}")
def test_the_port_keeps_its_word(behaviour: Callable[..., None], position, request):
    desk = GoogleDesk(ManualClock())
    desk.world.switch(**dict([position]))
    arguments = {"bench": Bench(desk.clock, desk.adapter(), desk, False), "request": request}
    behaviour(**{name: arguments[name] for name in inspect.signature(behaviour).parameters})


@pytest.fixture
def desk() -> GoogleDesk:
    return GoogleDesk(ManualClock())


# --- one answer is lost --------------------------------------------------------------------------------------


class LosesOne(httpx.BaseTransport):
    """The first request with this method is done, and nobody hears of it."""

    def __init__(self, inner: httpx.BaseTransport, method: str) -> None:
        self._inner = inner
        self._method = method

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.method == self._method and request.url.path != "/token":
            self._method = ""
            raise httpx.ReadTimeout("…", request=request)
        return answer


def test_a_booking_whose_answer_is_lost_is_one_event_and_one_invitation(desk):
    port = desk.adapter(LosesOne(desk.transport, "POST"))
    booked = port.book(CALL, 1)
    assert (booked.key, booked.link_state) == (CALL.key, LinkState.READY)
    assert list(desk.world.events[HOST]) == [booked.id]
    assert desk.words() == [("invite", frozenset({ANNA, CLIENT}))]


def test_a_change_whose_answer_is_lost_is_told_once_and_known_as_moved(desk):
    booked = desk.adapter().book(CALL, 1)
    port = desk.adapter(LosesOne(desk.transport, "PATCH"))
    change = MeetingChange(start=AT + timedelta(hours=1), minutes=30, zone=MOSCOW)
    with pytest.raises(MeetingMoved):
        port.change(booked, change, tell=True)
    standing = port.find(booked.id)
    assert standing.start == AT + timedelta(hours=1)
    assert [kind for kind, _ in desk.words()] == ["invite", "update"]
    assert port.change(standing, MeetingChange(title="Иначе"), tell=False).title == "Иначе"


def test_a_cancellation_whose_answer_is_lost_is_told_once(desk):
    booked = desk.adapter().book(CALL, 1)
    desk.adapter(LosesOne(desk.transport, "DELETE")).cancel(booked.id, tell=True)
    assert [kind for kind, _ in desk.words()] == ["invite", "cancel"]


def test_a_link_that_is_asked_for_twice_is_one_link(desk):
    desk.world.switch(link_fails=True)
    booked = desk.adapter().book(CALL, 1)
    desk.world.switch(link_fails=False)
    port = desk.adapter(LosesOne(desk.transport, "PATCH"))
    with pytest.raises(MeetingMoved):
        port.renew_link(booked, 1)
    standing = port.find(booked.id)
    assert standing.link_state is LinkState.READY
    assert port.renew_link(standing, 1).link == standing.link
    assert len(desk.world.spaces) == 1


def test_a_recording_that_is_switched_on_twice_is_on(desk):
    booked = desk.adapter().book(CALL, 1)
    port = desk.adapter(LosesOne(desk.transport, "PATCH"))
    assert port.record(booked.code).recording is RecordingState.ON


# --- pages, tokens of changes --------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "PAGE", "2")


def calls(count: int) -> list[Any]:
    return [replace(CALL, key=f"firm:call:{number}", start=AT + timedelta(hours=number)) for number in range(count)]


def test_a_calendar_of_many_pages_is_read_whole(desk, small_pages):
    port = desk.adapter()
    wanted = calls(5)
    for meeting in wanted:
        port.book(meeting, 1)
    everything = port.changes(None)
    assert {each.key for each in everything.booked} == {meeting.key for meeting in wanted}
    for booked in everything.booked:
        port.change(booked, MeetingChange(title="Иначе"), tell=False)
    later = port.changes(everything.token)
    assert sorted(each.title for each in later.booked) == ["Иначе"] * 5
    assert port.changes(later.token).booked == ()


def test_a_token_that_is_too_old_begins_anew(desk, small_pages):
    port = desk.adapter()
    token = port.changes(None).token
    for meeting in calls(3):
        port.book(meeting, 1)
    desk.world.forget_sync_tokens()
    anew = port.changes(token)
    assert (anew.is_all, len(anew.booked)) == (True, 3)
    after = port.changes(anew.token)
    assert (after.is_all, after.booked) == (False, ()), "the new one is young"


def test_events_of_people_are_not_told_of(desk):
    port = desk.adapter()
    token = port.changes(None).token
    desk.add_busy(HOST, AT, AT + timedelta(hours=1))
    desk.hands.out_of_office(HOST, AT, AT + timedelta(days=1))
    assert port.changes(token).booked == ()
    assert port.changes(None).booked == ()


# --- what people do to a series ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T205959Z"],
        ["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10"],
        ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"],
        ["RRULE:FREQ=DAILY"],
        ["RRULE:FREQ=MONTHLY;BYDAY=1MO"],
        ["RRULE:FREQ=WEEKLY;BYDAY=MO", "RDATE;TZID=Europe/Moscow:20261205T091500"],
    ],
    ids=lambda lines: lines[-1],
)
def test_a_series_with_a_rule_of_a_person_s_own_is_read_and_left_alone(desk, lines):
    port = desk.adapter()
    booked = port.book(SERIES, 1)
    desk.hands.edit(booked.id, recurrence=lines)
    edited = port.find(booked.id)
    assert edited.recurrence.days == frozenset()
    assert [each.recurrence for each in port.changes(None).booked] == [edited.recurrence]
    change = MeetingChange(start=edited.start, minutes=20, zone=MOSCOW, recurrence=edited.recurrence)
    port.change(edited, change, tell=False)
    assert desk.world.events[HOST][booked.id].body["recurrence"] == lines


@pytest.mark.parametrize(
    "skip",
    ["EXDATE;TZID=Europe/Moscow:20261126T091500", "EXDATE:20261126T061500Z", "EXDATE;TZID=Asia/Tokyo:20261126T151500"],
)
def test_a_day_that_is_left_out_is_left_out_in_every_form(desk, skip):
    port = desk.adapter()
    booked = port.book(replace(SERIES, recurrence=Recurrence(frozenset(range(5)))), 1)
    day = datetime(2026, 11, 26, 6, 15, tzinfo=UTC)
    assert port.find(occurrence_id(booked.id, day)) is not None
    desk.hands.edit(booked.id, recurrence=["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", skip])
    assert port.find(occurrence_id(booked.id, day)) is None
    assert port.find(booked.id).recurrence.skips == {day.date()}


def test_a_call_that_a_person_made_a_whole_day_is_read(desk):
    port = desk.adapter()
    booked = port.book(CALL, 1)
    desk.hands.edit(
        booked.id,
        start={"date": "2026-11-25", "dateTime": None, "timeZone": None},
        end={"date": "2026-11-26", "dateTime": None, "timeZone": None},
    )
    read = port.find(booked.id)
    assert read.minutes == 24 * 60
    back = port.change(read, MeetingChange(start=AT, minutes=30, zone=MOSCOW), tell=False)
    assert (back.start, back.minutes) == (AT, 30)


# --- who may what --------------------------------------------------------------------------------------------


def test_many_calendars_over_months_are_seen_whole(desk):
    people = [f"user{number}@firm.example" for number in range(60)]
    for email in people:
        desk.world.add_user(email)
    busy = [Span(AT + timedelta(days=days), AT + timedelta(days=days, hours=1)) for days in (1, 89, 95, 190)]
    for email in (people[0], people[-1]):
        for span in busy:
            desk.add_busy(email, *span)
    found = desk.adapter().busy([*people, "x@other.example"], Span(AT, AT + timedelta(days=200)))
    assert found == dict.fromkeys(people, ()) | {
        people[0]: tuple(busy),
        people[-1]: tuple(busy),
        "x@other.example": None,
    }


def test_who_is_away_is_the_person_s_own_to_tell(desk):
    """As the host, by his consent, one sees no more than that a colleague is busy: whether he is away is not known, and
    were it shown today (colleagues_event_types), nobody could tell its end from its being hidden again."""
    away = Span(AT + timedelta(days=1), AT + timedelta(days=3))
    desk.hands.out_of_office(ANNA, *away)
    span = Span(AT, AT + timedelta(days=30))
    for is_shown in (False, True):
        desk.world.switch(colleagues_event_types=is_shown)
        assert desk.adapter().away(ANNA, span) is None
    desk.hands.out_of_office(HOST, *away)
    assert desk.adapter().away(HOST, span) == (away,), "his own calendar"
    robot = GoogleDesk(ManualClock(), "service_account")
    robot.hands.out_of_office(ANNA, *away)
    assert robot.adapter().away(ANNA, span) == (away,)


@pytest.mark.parametrize("identity", ["oauth", "service_account"])
def test_a_firm_that_grants_the_least_has_its_meetings(identity):
    desk = GoogleDesk(ManualClock(), identity)
    desk.give_credential(CALENDAR_SCOPES)
    port = desk.adapter()
    booked = port.book(CALL, 1)
    assert booked.link_state is LinkState.READY
    assert port.record(booked.code) == replace(port.record(booked.code), recording=RecordingState.REFUSED)
    assert port.busy([ANNA], Span(AT, AT + timedelta(hours=1)))[ANNA] == (CALL.span,)
    if identity == "service_account":
        assert port.away(ANNA, Span(AT, AT + timedelta(days=1))) is None


def test_a_consent_without_the_calendar_s_scopes_says_what_to_grant(desk):
    desk.give_credential((*MEET_SCOPES, *AWAY_SCOPES))
    with pytest.raises(MeetingsForbidden, match="setup-google"):
        desk.adapter().book(CALL, 1)


def test_a_service_account_without_delegation_says_what_to_do():
    desk = GoogleDesk(ManualClock(), "service_account")
    desk.world.service_accounts[ROBOT] = None
    with pytest.raises(MeetingsUnauthorized, match="NUMERIC"):
        desk.adapter().book(CALL, 1)


def test_a_host_that_is_nobody_says_what_to_do():
    desk = GoogleDesk(ManualClock(), "service_account", host="nobody@firm.example")
    with pytest.raises(MeetingsUnauthorized, match=r"meetings\.host"):
        desk.adapter().book(CALL, 1)


@pytest.mark.parametrize("works", [True, False])
def test_a_host_with_a_consumer_account_has_meetings_without_recordings(works):
    desk = GoogleDesk(ManualClock())
    desk.world.users[HOST] = replace(desk.world.users[HOST], kind="consumer", can_record=False)
    desk.world.switch(meet_for_consumers=works, recording_without_licence=403)
    port = desk.adapter()
    booked = port.book(CALL, 1)
    assert booked.link_state is LinkState.READY
    assert port.record(booked.code).recording is RecordingState.REFUSED
    port.cancel(booked.id, tell=True)
    assert [kind for kind, _ in desk.words()] == ["invite", "cancel"]


# --- credentials, limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["oauth", "service_account"])
def test_a_token_that_ends_on_the_way_is_no_trouble(identity):
    desk = GoogleDesk(ManualClock(), identity)
    port = desk.adapter()
    booked = port.book(CALL, 1)
    for token in list(desk.world.tokens.values()):
        token.ends_at = desk.clock.now()
    assert port.change(booked, MeetingChange(title="Иначе"), tell=False).title == "Иначе"
    desk.clock.advance(7200)
    assert port.find(booked.id).title == "Иначе"


@pytest.mark.parametrize("identity", ["oauth", "service_account"])
def test_a_credential_that_ends_on_the_way_is_told_as_such(identity):
    desk = GoogleDesk(ManualClock(), identity)
    port = desk.adapter()
    booked = port.book(CALL, 1)
    desk.world.revoke(desk.credential.get("refresh_token") or ROBOT)
    desk.clock.advance(3600)
    with pytest.raises(MeetingsUnauthorized, match="conveyor secrets set"):
        port.find(booked.id)
    desk.give_credential()
    if identity == "oauth":
        desk.clock.advance(301)  # a credential is remembered for five minutes
        assert port.find(booked.id).key == CALL.key


def test_a_young_account_invites_few_from_outside_and_its_own_people_always(desk):
    port = desk.adapter()
    desk.world.switch(external_invitations=1)
    port.book(CALL, 1)
    with pytest.raises(MeetingsUnavailable) as later:
        port.book(replace(CALL, key="firm:call:2"), 1)
    assert later.value.after is not None and later.value.after >= 3600
    assert len(desk.world.events[HOST]) == 1
    desk.clock.advance(desk.world.switches.limit_hours * 3600 + 1)
    inside = replace(CALL, key="firm:standup:1", attendees=(Attendee(ANNA), Attendee("boris@firm.example")))
    assert port.book(inside, 1).emails == {ANNA, "boris@firm.example"}


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_that_is_exceeded_is_waited_for_on_the_clock(desk, status):
    port = desk.adapter()
    booked = port.book(CALL, 1)
    desk.world.switch(rate_status=status, rate_share=1.0)
    begun, slept = desk.clock.now(), desk.clock.slept
    with pytest.raises(MeetingsUnavailable) as later:
        port.find(booked.id)
    assert later.value.after == 60
    assert 3 <= desk.clock.slept - slept <= 5
    desk.world.switch(rate_share=0.0)
    assert port.find(booked.id).key == CALL.key
    assert desk.clock.now() >= begun
