from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.shared.hours import DAY, WEEK, WorkingHours

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = WorkingHours.parse("Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00")
NIGHTS = WorkingHours.parse("Mon-Sun 22:00-06:00")

MONDAY = datetime(2026, 3, 2, tzinfo=MOSCOW)


def at(day: int, clock: str, zone: ZoneInfo = MOSCOW) -> datetime:
    """The `day`-th of March 2026 (the 2nd is a Monday)."""
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=zone)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00", "Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00"),
            ("Пн-Пт 9:00-18:00", "Mon-Fri 09:00-18:00"),
            ("пн – пт: 09:00 — 18:00;", "Mon-Fri 09:00-18:00"),
            ("Понедельник, среда 10:00-12:00", "Mon,Wed 10:00-12:00"),
            ("Mon-Fri\u00a009:00-18:00", "Mon-Fri 09:00-18:00"),
            ("Fri-Mon 10:00-12:00", "Mon,Fri-Sun 10:00-12:00"),
            ("Mon-Sun 22:00-06:00", "Mon-Sun 22:00-06:00"),
            ("Mon 14:00-18:00, 09:00-14:00", "Mon 09:00-18:00"),
            ("Mon 20:00-24:00; Tue 00:00-04:00", "Mon 20:00-04:00"),
            ("Mon-Sun 00:00-24:00", "24/7"),
            ("круглосуточно", "24/7"),
            ("Mon-Wed 00:00-24:00", "Mon-Wed 00:00-24:00"),
            ("Mon-Fri 09:00-18:00\nSat 10:00-15:00\n", "Mon-Fri 09:00-18:00; Sat 10:00-15:00"),
        ],
    )
    def test_texts_that_mean_the_same_have_one_canonical_text(self, text: str, canonical: str) -> None:
        assert str(WorkingHours.parse(text)) == canonical

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            ("", "no hours given"),
            ("Mon-Fri", "not days followed by times"),
            ("09:00-18:00", "not days followed by times"),
            ("Mon-Fry 09:00-18:00", "'fry' is no day of the week: use Mon Tue"),
            ("Mon-Fri 09:00-25:00", "outside 00:00 to 24:00"),
            ("Mon-Fri 09:75-18:00", "outside 00:00 to 24:00"),
            ("Mon-Fri 9-18", "write times as 09:00-18:00"),
            ("Mon-Fri 09:00-18:00, Sat 10:00-15:00", "put ';' between groups of days"),
            ("Mon-Fri 09:00-09:00", "for the whole day write 00:00-24:00"),
            ("Mon-Fri 09:00-13:00, 12:00-18:00", "windows overlap"),
            ("Mon-Fri 09:00-18:00; Fri 09:00-17:00", "Fri occurs twice"),
            ("24/5", "not days followed by times"),
        ],
    )
    def test_what_cannot_be_read_is_answered_with_a_remedy(self, text: str, remedy: str) -> None:
        with pytest.raises(ValueError, match=re.escape(remedy)):
            WorkingHours.parse(text)


class TestOpening:
    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            (at(2, "08:59"), False),
            (at(2, "09:00"), True),
            (at(2, "13:00"), False),
            (at(2, "14:00"), True),
            (at(2, "18:00"), False),
            (at(7, "14:59"), True),
            (at(8, "12:00"), False),
        ],
    )
    def test_a_window_includes_its_start_and_not_its_end(self, moment: datetime, expected: bool) -> None:
        assert OFFICE.is_open(moment, MOSCOW) is expected

    def test_a_night_shift_belongs_to_both_days(self) -> None:
        assert NIGHTS.is_open(at(2, "23:30"), MOSCOW)
        assert NIGHTS.is_open(at(3, "05:59"), MOSCOW)
        assert not NIGHTS.is_open(at(3, "06:00"), MOSCOW)

    def test_a_sunday_night_goes_on_on_monday(self) -> None:
        hours = WorkingHours.parse("Sun 22:00-06:00")
        assert hours.is_open(at(9, "05:00"), MOSCOW)
        assert hours.next_opening(at(9, "06:00"), MOSCOW) == at(15, "22:00")

    def test_the_zone_of_the_person_counts(self) -> None:
        moment = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
        assert OFFICE.is_open(moment, MOSCOW)
        assert not OFFICE.is_open(moment, BERLIN)

    def test_the_next_opening_of_a_friday_night_is_saturday(self) -> None:
        assert OFFICE.next_opening(at(6, "18:00"), MOSCOW) == at(7, "10:00")

    def test_an_open_moment_is_its_own_next_opening(self) -> None:
        moment = at(2, "09:00") + timedelta(seconds=17, microseconds=5)
        assert OFFICE.next_opening(moment, MOSCOW) == moment


class TestWorkingTime:
    @pytest.mark.parametrize(
        ("start", "minutes", "expected"),
        [
            (at(2, "10:00"), 15, at(2, "10:15")),
            (at(2, "12:50"), 15, at(2, "14:05")),
            (at(2, "17:45"), 15, at(2, "18:00")),
            (at(2, "17:50"), 15, at(3, "09:05")),
            (at(7, "14:50"), 15, at(9, "09:05")),
            (at(8, "03:00"), 15, at(9, "09:15")),
            (at(2, "20:00"), 0, at(2, "20:00")),
            (at(2, "00:00"), 45 * 60, at(7, "15:00")),
            (at(2, "00:00"), 45 * 60 + 1, at(9, "09:01")),
        ],
    )
    def test_only_working_minutes_count(self, start: datetime, minutes: int, expected: datetime) -> None:
        assert OFFICE.after_working(start, minutes, MOSCOW) == expected

    def test_seconds_are_kept(self) -> None:
        start = at(2, "12:59") + timedelta(seconds=30)
        assert OFFICE.after_working(start, 1, MOSCOW) == at(2, "14:00") + timedelta(seconds=30)

    def test_a_spring_night_shift_is_an_hour_short(self) -> None:
        # Berlin, 29 March 2026: 02:00 becomes 03:00
        assert NIGHTS.after_working(at(28, "22:00", BERLIN), 7 * 60, BERLIN) == at(29, "06:00", BERLIN)
        assert NIGHTS.after_working(at(28, "22:00", BERLIN), 7 * 60 + 1, BERLIN) == at(29, "22:01", BERLIN)

    def test_an_autumn_night_shift_is_an_hour_long(self) -> None:
        # Berlin, 25 October 2026: 03:00 becomes 02:00
        start = datetime(2026, 10, 24, 22, tzinfo=BERLIN)
        assert NIGHTS.after_working(start, 9 * 60, BERLIN) == datetime(2026, 10, 25, 6, tzinfo=BERLIN)

    def test_a_window_inside_the_skipped_hour_waits_a_week(self) -> None:
        hours = WorkingHours.parse("Sun 02:00-03:00")
        assert hours.next_opening(at(29, "00:00", BERLIN), BERLIN) == datetime(2026, 4, 5, 2, tzinfo=BERLIN)

    def test_a_window_inside_the_repeated_hour_opens_twice(self) -> None:
        hours = WorkingHours.parse("Sun 02:00-02:30")
        start = datetime(2026, 10, 25, 0, tzinfo=BERLIN)
        assert hours.next_opening(start, BERLIN) == datetime(2026, 10, 25, 0, tzinfo=UTC)
        assert hours.after_working(start, 45, BERLIN) == datetime(2026, 10, 25, 1, 15, tzinfo=UTC)

    def test_a_day_that_a_country_skipped_is_no_working_day(self) -> None:
        # Samoa went from Thursday 29 to Saturday 31 December 2011
        apia = ZoneInfo("Pacific/Apia")
        friday = WorkingHours.parse("Fri 09:00-18:00")
        start = datetime(2011, 12, 29, 12, tzinfo=apia)
        assert friday.next_opening(start, apia) == datetime(2012, 1, 6, 9, tzinfo=apia)


windows = st.builds(
    lambda day, start, length: (day * DAY + start, day * DAY + start + length),
    st.integers(0, 6),
    st.integers(0, DAY - 1),
    st.integers(30, DAY),  # a minute a week would keep the walk below busy for years
)
schedules = st.lists(windows, min_size=1, max_size=6).map(WorkingHours.of)
zones = st.sampled_from(["Europe/Moscow", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(ZoneInfo)
# three weeks around the changes of Berlin and of Lord Howe (half an hour, a week later)
moments = st.integers(0, 21 * DAY).map(lambda minute: datetime(2026, 3, 20, tzinfo=UTC) + timedelta(minutes=minute))
MARCH, OCTOBER = datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)


def wall_says_open(hours: WorkingHours, moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    minute = local.weekday() * DAY + local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in hours.spans)


def minutes_from(moment: datetime) -> Iterator[datetime]:
    return (moment + timedelta(minutes=minute) for minute in count())


@given(schedules)
@example(WorkingHours.of([(0, WEEK)]))
@example(WorkingHours.of([(9 * 60, DAY + 9 * 60)]))
@example(WorkingHours.of([(6 * DAY + 60, WEEK + 59)]))
def test_the_canonical_text_reads_back_as_the_same_hours(hours: WorkingHours) -> None:
    assert WorkingHours.parse(str(hours)) == hours
    assert str(WorkingHours.parse(str(hours))) == str(hours)


@settings(max_examples=30, deadline=None)
@given(schedules, moments, zones, st.integers(0, 90))
@example(NIGHTS, OCTOBER, BERLIN, 8 * 60 + 30)
@example(NIGHTS, MARCH, BERLIN, 6 * 60 + 30)
def test_working_time_agrees_with_a_walk_minute_by_minute(
    hours: WorkingHours, start: datetime, zone: ZoneInfo, minutes: int
) -> None:
    open_minutes = (moment for moment in minutes_from(start) if wall_says_open(hours, moment, zone))
    worked = list(islice(open_minutes, minutes or 1))
    assert hours.next_opening(start, zone) == worked[0]
    assert hours.after_working(start, minutes, zone) == (worked[-1] + timedelta(minutes=1) if minutes else start)
    for moment in islice(minutes_from(start), 0, WEEK, 17):
        assert hours.is_open(moment, zone) == wall_says_open(hours, moment, zone)
