"""The pure parts of meetings: free times, zones as people type them, when to ask for recordings, who is invited."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.meet_scheduler.client_zone import zone_of
from functions.meet_scheduler.recordings import next_look
from functions.meet_scheduler.slots import OFFERED, free_slots
from functions.shared.hours import WorkingHours
from functions.shared.meeting_codec import decode_plan, encode_plan
from functions.shared.meeting_plan import ClientCalls, MeetingPlan, StageCall
from functions.shared.meeting_state import Held, fingerprint
from functions.shared.meetings import (
    Answer,
    Attendee,
    Conference,
    Recording,
    Recurrence,
    Span,
    meeting_id,
    merged_attendees,
    occurrences,
)
from tests.builders import make_member

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""12:00 in Moscow."""


class TestFreeTimes:
    @given(
        busy=st.lists(st.tuples(st.integers(0, 7 * 96), st.integers(1, 30)), max_size=12),
        minutes=st.sampled_from([15, 30, 45, 60]),
        offset=st.integers(0, 2000),
    )
    def test_they_are_free_working_and_apart(self, busy, minutes, offset):
        member = make_member(hours=WorkingHours.parse("Mon-Fri 09:00-13:00, 14:00-18:00"))
        after = MONDAY + timedelta(minutes=offset)
        spans = [
            Span(MONDAY + timedelta(minutes=15 * start), MONDAY + timedelta(minutes=15 * (start + length)))
            for start, length in busy
        ]
        found = free_slots(member, minutes, spans, after, after + timedelta(days=7))
        assert len(found) <= OFFERED
        for slot in found:
            assert slot.start >= after
            assert not any(slot.overlaps(span) for span in spans)
            minute = slot.start
            while minute < slot.end:  # minute by minute, not by the arithmetic of hours
                assert member.hours.is_open(minute, member.timezone)
                minute += timedelta(minutes=1)
            assert slot.start.astimezone(member.timezone).minute in (0, 30)
        assert all(one.end <= other.start for one, other in itertools.pairwise(found))

    def test_a_full_week_offers_nothing(self):
        week = [Span(MONDAY, MONDAY + timedelta(days=8))]
        assert free_slots(make_member(), 30, week, MONDAY, MONDAY + timedelta(days=7)) == []


class TestZones:
    @pytest.mark.parametrize(
        ("text", "hours"),
        [
            ("Asia/Yekaterinburg", 5),
            ("asia/omsk", 6),
            ("UTC+5", 5),
            ("UTC-3", -3),
            ("GMT+3:00", 3),
            ("+7", 7),
            ("МСК", 3),
            ("МСК+2", 5),
            ("msk −1", 2),
            (" UTC + 10 ", 10),
        ],
    )
    def test_what_people_type(self, text, hours):
        zone = zone_of(text)
        assert zone is not None
        assert MONDAY.astimezone(zone).utcoffset() == timedelta(hours=hours)

    @pytest.mark.parametrize("text", ["", "Екатеринбург", "UTC+25", "пять", "Asia/Nowhere", "5 часов"])
    def test_what_is_no_zone(self, text):
        assert zone_of(text) is None


class TestRecordings:
    HELD = Held("spaces/x", MONDAY, 30, MONDAY)

    def looks(self, conferences) -> list[timedelta]:
        now = self.HELD.end + timedelta(minutes=10)
        found = []
        while (at := next_look(self.HELD, conferences(now), now)) is not None:
            found.append(at - self.HELD.end)
            now = at
        return found

    def test_nobody_came(self):
        assert self.looks(lambda now: []) == [
            timedelta(minutes=30),
            timedelta(hours=2),
            timedelta(hours=26),
        ]

    def test_it_was_not_recorded(self):
        over = Conference(MONDAY, MONDAY + timedelta(minutes=20))
        assert self.looks(lambda now: [over]) == [timedelta(minutes=30), timedelta(hours=2)]

    def test_the_file_is_there(self):
        done = Conference(MONDAY, MONDAY + timedelta(minutes=20), (Recording("r", "u", 1200),))
        assert self.looks(lambda now: [done]) == []

    def test_a_file_that_never_comes_is_given_up_before_google_forgets_it(self):
        waiting = Conference(MONDAY, MONDAY + timedelta(minutes=20), (), is_complete=False)
        looks = self.looks(lambda now: [waiting])
        assert timedelta(days=28) < looks[-1] <= timedelta(days=31)
        assert len(looks) < 35


class TestGuests:
    ANNA, BORIS, CHIEF = Attendee("a@x.ru"), Attendee("b@x.ru"), Attendee("chief@x.ru", answer=Answer.ACCEPTED)

    def test_a_person_s_guest_stays_and_ours_are_exchanged(self):
        merged = merged_attendees([self.ANNA, self.CHIEF], frozenset({"a@x.ru"}), {"b@x.ru": self.BORIS})
        assert merged == (self.CHIEF, self.BORIS)

    def test_whom_a_person_took_out_stays_out(self):
        merged = merged_attendees([self.CHIEF], frozenset({"a@x.ru"}), {"a@x.ru": self.ANNA})
        assert merged == (self.CHIEF,)

    @given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
    def test_for_each_guest_alone(self, standing, before, wanted):
        merged = merged_attendees(
            [Attendee(each) for each in sorted(standing)], frozenset(before), {each: Attendee(each) for each in wanted}
        )
        emails = {each.email for each in merged}
        for guest in "abcdef":
            if guest in before:  # ours: who is there stays if he is wanted
                assert (guest in emails) == (guest in standing and guest in wanted)
            else:  # a person's, or new
                assert (guest in emails) == (guest in standing or guest in wanted)


class TestNames:
    @given(st.text(max_size=40), st.integers(1, 50))
    def test_ids_are_such_as_google_takes(self, key, generation):
        found = meeting_id(key, generation)
        assert set(found) <= set("0123456789abcdefghijklmnopqrstuv")
        assert 5 <= len(found) <= 1024
        assert found != meeting_id(key, generation + 1)

    def test_fingerprints_keep_no_address(self):
        assert 0 <= fingerprint("ivan@mail.ru") < 2**24
        assert fingerprint("ivan@mail.ru") != fingerprint("ivan@mail.r")


class TestSeries:
    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Europe/Moscow", "Australia/Lord_Howe"])
    def test_the_wall_clock_stands_still_over_both_changes_of_the_year(self, zone):
        where = ZoneInfo(zone)
        since = datetime(2026, 9, 1, tzinfo=UTC)
        moments = list(
            occurrences(Recurrence(frozenset(range(5))), time(9, 15), where, since, since + timedelta(days=365))
        )
        assert {f"{moment.astimezone(where):%H:%M}" for moment in moments} == {"09:15"}
        assert len(moments) == sum((since + timedelta(days=n)).weekday() < 5 for n in range(365))

    def test_a_time_that_the_clocks_leave_out_is_an_hour_later(self):
        berlin = ZoneInfo("Europe/Berlin")
        sunday = Recurrence(frozenset({6}), frozenset({date(2027, 4, 4)}))
        since = datetime(2027, 3, 27, tzinfo=UTC)
        found = list(occurrences(sunday, time(2, 30), berlin, since, since + timedelta(days=9)))
        assert [f"{moment.astimezone(berlin):%d.%m %H:%M}" for moment in found] == ["28.03 03:30"]


def test_a_plan_with_a_stage_comes_back_as_it_was():
    plan = MeetingPlan(client_calls=ClientCalls(stage=StageCall((1, 2), 3)), holidays=frozenset({date(2026, 12, 31)}))
    assert decode_plan(encode_plan(plan)) == plan
    assert decode_plan(encode_plan(None)) is None
