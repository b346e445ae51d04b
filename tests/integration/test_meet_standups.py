"""Stand-ups: the calendar follows the department, people's hands are respected, nobody is told twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.shared.errors import MeetingRefused, MeetingsForbidden, MeetingsUnavailable
from functions.shared.meeting_state import MeetingState
from functions.shared.meetings import Answer, Attendee, Booked, LinkState, Recurrence, Span, occurrence_id
from tests.builders import ANNA, BORIS, VERA, make_member, make_team
from tests.google_support import HOST, GoogleDesk
from tests.meet_desk import PLANERKA, MeetDesk, make_plan

KEY = "demo:standup:lead-desk-planerka"
EVERYBODY = {f"user{user}@firm.example" for user in (ANNA, BORIS, VERA)}


@pytest.fixture
def desk() -> MeetDesk:
    desk = MeetDesk(plan=make_plan(standups=(PLANERKA,)))
    desk.tick()
    return desk


def state(desk: MeetDesk) -> MeetingState:
    return desk.stores.meetings.of([KEY])[KEY]


def with_standup(desk: MeetDesk, **changes: object) -> None:
    """`conveyor apply` of a changed line; the next tick."""
    desk.set_plan(replace(desk.plan, standups=(replace(PLANERKA, **changes),)))
    desk.pass_time(minutes=5)


def day(desk: MeetDesk, moment: datetime) -> Booked:
    found = desk.calendar.find(occurrence_id(state(desk).event_id, moment))
    assert found is not None
    return found


TUESDAY = datetime(2026, 11, 24, 6, 15, tzinfo=UTC)
"""The first stand-up: 09:15 in Moscow, after a Monday's noon."""


class TestTheDepartmentDecides:
    def test_it_appears_with_its_people_its_link_and_its_recording(self, desk):
        event = desk.event()
        assert (event.title, event.start, event.minutes) == ("Планёрка", TUESDAY, 15)
        assert event.recurrence == Recurrence(frozenset(range(5)))
        assert event.emails == EVERYBODY
        assert event.link
        assert desk.calendar.recorded == {event.code}

    @pytest.mark.parametrize(
        "changes",
        [
            {"at": time(10, 0)},
            {"minutes": 30},
            {"days": frozenset({1, 3})},
            {"zone": ZoneInfo("Asia/Omsk")},
        ],
        ids=str,
    )
    def test_a_change_of_the_file_changes_the_event_and_keeps_link_and_word(self, desk, changes):
        before = desk.event()
        with_standup(desk, **changes)
        after = desk.event()
        assert after.link == before.link
        assert after.id == before.id
        assert [word.kind for word in desk.calendar.told] == ["invite", "update"]
        zone = changes.get("zone", PLANERKA.zone)
        assert f"{after.start.astimezone(zone):%H:%M}" == f"{changes.get('at', PLANERKA.at):%H:%M}"
        assert after.minutes == changes.get("minutes", 15)
        desk.pass_time(hours=3)
        assert len(desk.calendar.told) == 2

    def test_who_joins_the_team_is_invited_and_who_leaves_it_is_not(self, desk):
        gleb = make_member(14)
        desk.department = replace(desk.department, teams=(make_team((make_member(ANNA), gleb)),))
        with_standup(desk)
        assert desk.event().emails == {f"user{ANNA}@firm.example", "user14@firm.example"}

    def test_another_name_is_another_series(self, desk):
        first = desk.event().id
        with_standup(desk, name="Летучка", key="lead-desk-letuchka")
        assert desk.event().title == "Летучка"
        assert desk.event().id != first
        assert [word.kind for word in desk.calendar.told] == ["cancel", "invite"] or sorted(
            word.kind for word in desk.calendar.told
        ) == ["cancel", "invite", "invite"]

    def test_it_disappears_with_its_line_and_comes_back_as_another(self, desk):
        first = desk.event().id
        desk.set_plan(replace(desk.plan, standups=()))
        desk.pass_time(minutes=5)
        assert desk.calendar.standing == []
        assert desk.stores.meetings.standups() == []
        with_standup(desk)
        assert desk.event().id != first

    def test_a_quiet_day_costs_a_look_at_the_calendar_each_tick_and_one_at_the_event(self, desk):
        desk.calendar.calls.clear()
        desk.pass_time(days=1)
        assert desk.calendar.calls.count("changes") == 288
        assert len(desk.calendar.calls) == 289

    def test_holidays_are_left_out_and_one_that_has_passed_is_no_news(self):
        holidays = frozenset({date(2026, 11, 25), date(2026, 12, 31), date(2026, 11, 28)})
        desk = MeetDesk(plan=make_plan(standups=(PLANERKA,), holidays=holidays))
        desk.tick()
        assert desk.event().recurrence.skips == {date(2026, 11, 25), date(2026, 12, 31)}, "Saturday is none"
        desk.pass_time(days=4)
        assert [word.kind for word in desk.calendar.told] == ["invite"]


class TestAbsences:
    def test_who_is_absent_is_not_invited_that_day_and_nobody_gets_a_mail(self, desk):
        desk.absent(BORIS, TUESDAY - timedelta(hours=5), TUESDAY + timedelta(days=1, hours=5))
        desk.pass_time(minutes=5)
        boris = f"user{BORIS}@firm.example"
        assert day(desk, TUESDAY).emails == day(desk, TUESDAY + timedelta(days=1)).emails == EVERYBODY - {boris}
        assert day(desk, TUESDAY + timedelta(days=2)).emails == EVERYBODY
        assert desk.event().emails == EVERYBODY
        assert [word.kind for word in desk.calendar.told] == ["invite"]
        calls = len(desk.calendar.calls)
        desk.pass_time(minutes=30)
        assert desk.calendar.calls[calls:] == ["changes"] * 6

    def test_who_is_back_early_is_invited_again(self, desk):
        desk.absent(BORIS, TUESDAY - timedelta(hours=5), TUESDAY + timedelta(days=2))
        desk.pass_time(minutes=5)
        (absence,) = desk.stores.absences.of_team("lead_desk")
        desk.stores.absences.remove(absence)
        desk.pass_time(minutes=5)
        assert day(desk, TUESDAY).emails == EVERYBODY

    def test_answers_of_the_others_stay(self, desk):
        moved = day(desk, TUESDAY)
        anna = f"user{ANNA}@firm.example"
        guests = tuple(replace(g, answer=Answer.ACCEPTED) if g.email == anna else g for g in moved.attendees)
        desk.calendar.edit(moved.id, attendees=guests)
        desk.absent(BORIS, TUESDAY - timedelta(hours=5), TUESDAY + timedelta(hours=5))
        desk.pass_time(minutes=5)
        assert day(desk, TUESDAY).answer_of(anna).answer is Answer.ACCEPTED

    def test_a_day_that_a_person_cancelled_stays_cancelled(self, desk):
        desk.calendar.edit(day(desk, TUESDAY).id, is_cancelled=True)
        desk.absent(BORIS, TUESDAY - timedelta(hours=5), TUESDAY + timedelta(hours=5))
        desk.pass_time(minutes=10)
        assert day(desk, TUESDAY).is_cancelled


class TestPeopleEditTheSeries:
    @pytest.mark.parametrize(
        ("edit", "name"),
        [
            ({"title": "Летучка"}, "title"),
            ({"start": TUESDAY + timedelta(minutes=30)}, "start"),
            ({"minutes": 45}, "minutes"),
            ({"recurrence": Recurrence(frozenset({0}))}, "days"),
        ],
        ids=str,
    )
    def test_his_change_stands_and_is_said(self, desk, edit, name):
        desk.calendar.edit(desk.event().id, **edit)
        desk.pass_time(hours=3)
        for field, value in edit.items():
            assert getattr(desk.event(), field) == value
        assert state(desk).kept == (name,)
        assert "standup_edited_by_hand" in str(desk.telemetry.lines)
        assert desk.calendar.words("update") == []

    def test_another_line_changed_leaves_it_and_the_very_line_wins(self, desk):
        desk.calendar.edit(desk.event().id, title="Летучка")
        desk.pass_time(minutes=10)
        with_standup(desk, minutes=20)
        assert (desk.event().title, desk.event().minutes) == ("Летучка", 20)
        with_standup(desk, minutes=20, name="Сбор")
        assert desk.event().title == "Сбор"
        assert state(desk).kept == ()

    def test_a_guest_whom_a_person_invited_stays(self, desk):
        guests = (*desk.event().attendees, Attendee("chief@firm.example"))
        desk.calendar.edit(desk.event().id, attendees=guests)
        desk.pass_time(minutes=10)
        desk.department = replace(desk.department, teams=(make_team((make_member(ANNA),)),))
        with_standup(desk)
        assert desk.event().emails == {f"user{ANNA}@firm.example", "chief@firm.example"}

    def test_a_series_that_a_person_deleted_is_not_made_again_until_its_line_changes(self, desk):
        desk.calendar.delete(desk.event().id)
        desk.pass_time(hours=30)
        assert desk.calendar.standing == []
        assert state(desk).kept == ("deleted",)
        with_standup(desk, minutes=20)
        assert desk.event().minutes == 20

    def test_a_change_that_the_calendar_did_not_tell_of_is_seen_within_a_day(self, desk):
        desk.calendar.edit(desk.event().id, title="Летучка")
        desk.calendar.log.clear()
        desk.pass_time(hours=25)
        assert state(desk).kept == ("title",)


class TestTrouble:
    def test_one_that_is_refused_holds_up_no_other_and_is_asked_again_hourly(self):
        good = replace(PLANERKA, key="z", name="Другая")
        desk = MeetDesk(plan=make_plan(standups=(PLANERKA, good)))
        refused: list[str] = []

        def refuse(name: str) -> None:
            if name == "book" and not refused:
                refused.append(name)
                raise MeetingRefused("no")

        desk.calendar.before = refuse
        desk.tick()
        assert [event.title for event in desk.calendar.standing] == ["Другая"]
        desk.pass_time(minutes=50)
        assert len(desk.calendar.standing) == 1
        desk.pass_time(minutes=20)
        assert len(desk.calendar.standing) == 2

    @pytest.mark.parametrize("error", [MeetingsForbidden("no"), MeetingsUnavailable("limits", after=3600)], ids=str)
    def test_a_calendar_that_refuses_is_left_alone_for_an_hour(self, error):
        desk = MeetDesk(plan=make_plan(standups=(PLANERKA,)))

        def refuse(name: str) -> None:
            if name == "book":
                raise error

        desk.calendar.before = refuse
        desk.pass_time(hours=3)
        assert desk.calendar.calls.count("book") == 3
        desk.calendar.before = lambda name: None
        desk.pass_time(hours=1, minutes=10)
        assert desk.event().emails == EVERYBODY

    def test_links_that_come_later_or_never(self):
        desk = MeetDesk(plan=make_plan(standups=(PLANERKA,)))
        desk.calendar.gives_links = LinkState.PENDING
        desk.tick()
        desk.calendar.gives_links = LinkState.READY
        desk.pass_time(minutes=5)
        assert state(desk).link == desk.event().link != ""
        assert desk.calendar.recorded

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_whatever_call_fails_there_is_one_series_and_one_word(self, when):
        """Booking, a change of time and people, an absence, the end: each call of each in turn loses its way."""
        for index in range(12):
            desk = MeetDesk(plan=make_plan(standups=(PLANERKA,)))
            setattr(desk.calendar, when, _failing(index))
            desk.tick()
            desk.pass_time(minutes=70)
            desk.department = replace(desk.department, teams=(make_team((make_member(ANNA), make_member(BORIS))),))
            with_standup(desk, at=time(10, 0))
            desk.absent(BORIS, TUESDAY, TUESDAY + timedelta(hours=5))
            desk.pass_time(minutes=140)
            failing = getattr(desk.calendar, when)
            setattr(desk.calendar, when, lambda name: None)
            event = desk.event()
            assert event.emails == {f"user{ANNA}@firm.example", f"user{BORIS}@firm.example"}, index
            assert day(desk, event.start).emails == {f"user{ANNA}@firm.example"}, index
            assert [word.kind for word in desk.calendar.told] == ["invite", "update"], index
            setattr(desk.calendar, when, failing)
            desk.set_plan(replace(desk.plan, standups=()))
            desk.pass_time(minutes=140)
            assert desk.calendar.standing == [], index
            assert [word.kind for word in desk.calendar.told] == ["invite", "update", "cancel"], index


def _failing(index: int) -> Callable[[str], None]:
    """The call of this number fails, counted without the looks that change nothing."""
    seen = iter(range(1000))

    def fail(name: str) -> None:
        if name != "changes" and next(seen) == index:
            raise MeetingsUnavailable("lost")

    return fail


class TestTwoZones:
    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Almaty"])
    def test_over_both_changes_of_the_year_in_googles_calendar(self, zone):
        """The occurrences that the calendar shows, against a calendar written by hand."""
        standup = replace(PLANERKA, zone=ZoneInfo(zone), at=time(9, 15))
        holidays = frozenset({date(2027, 3, 29), date(2026, 11, 2)})
        desk = MeetDesk(plan=make_plan(standups=(standup,), host=HOST, holidays=holidays))
        desk.clock.moment = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)
        google = GoogleDesk(desk.clock, "service_account")
        desk.calendar = google.adapter()  # type: ignore[assignment]
        desk.restart()
        desk.tick()
        (event,) = google.world.events[HOST].values()
        client = google.app.test_client()
        token = google.world.add_access_token(HOST)
        query = {"timeMax": "2027-04-20T00:00:00Z", "maxResults": "2500"}
        answer = client.get(
            f"/calendar/v3/calendars/primary/events/{event.id}/instances",
            query_string=query,
            headers={"Authorization": f"Bearer {token}"},
        ).get_json()
        shown = [datetime.fromisoformat(each["start"]["dateTime"]) for each in answer["items"]]
        where, expected = ZoneInfo(zone), []
        for number in range(200):
            wall = datetime(2026, 10, 20, 9, 15, tzinfo=where) + timedelta(days=number)
            is_ahead = desk.clock.now() <= wall.astimezone(UTC) < datetime(2027, 4, 20, tzinfo=UTC)
            if is_ahead and wall.weekday() < 5 and wall.date() not in holidays:
                expected.append(wall.astimezone(UTC))
        assert [moment.astimezone(UTC) for moment in shown] == expected
        assert len({moment.utcoffset() for moment in shown}) == (1 if zone == "Asia/Almaty" else 2)


class TestOutOfOffice:
    def test_it_is_an_absence_as_long_as_the_calendar_says(self):
        desk = MeetDesk(plan=make_plan(out_of_office=True))
        boris = f"user{BORIS}@firm.example"
        span = Span(TUESDAY, TUESDAY + timedelta(days=2))
        entered = Span(TUESDAY + timedelta(days=5), TUESDAY + timedelta(days=6))
        desk.absent(BORIS, *entered)
        desk.calendar.away_spans[boris] = (span,)
        desk.tick()

        def known() -> set[tuple[datetime, datetime, str]]:
            return {(each.start, each.end, each.reason) for each in desk.stores.absences.of_team("lead_desk")}

        by_hand = (*entered, "больничный")
        assert known() == {by_hand, (*span, "out_of_office")}
        longer = Span(span.start, span.end + timedelta(days=1))
        desk.calendar.away_spans[boris] = (longer,)
        desk.pass_time(hours=1, minutes=5)
        assert known() == {by_hand, (*longer, "out_of_office")}
        desk.calendar.away_spans[boris] = None
        desk.pass_time(hours=1, minutes=5)
        assert known() == {by_hand, (*longer, "out_of_office")}, "who cannot be seen is not back"
        desk.calendar.away_spans[boris] = ()
        desk.pass_time(hours=1, minutes=5)
        assert known() == {by_hand}
