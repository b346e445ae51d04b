from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.rule import Window
from functions.shared.hours import WorkingHours

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
DAYS = WorkingDays(frozenset({"2026-11-04"}), frozenset({"2026-11-07"}))
OFFICE = WorkingHours.parse("Mon-Fri 09:00-18:00")
RU = Window(calendar="ru_working")
NIGHT = Window(time(22), time(6))
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
ALWAYS = Window(time(0), time(0))


def at(day: int, clock: str, zone: ZoneInfo = MOSCOW, month: int = 11) -> datetime:
    """2 November 2026 is a Monday, the 4th a holiday, Saturday the 7th is worked."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, tzinfo=zone)


class TestWindow:
    @pytest.mark.parametrize(
        ("window", "moment", "opening"),
        [
            (Window(), at(2, "09:59"), at(2, "10:00")),
            (Window(), at(2, "10:00"), at(2, "10:00")),
            (Window(), at(2, "19:59"), at(2, "19:59")),
            (Window(), at(2, "20:00"), at(3, "10:00")),
            (RU, at(3, "20:10"), at(5, "10:00")),
            (RU, at(6, "21:00"), at(7, "10:00")),
            (RU, at(7, "21:00"), at(9, "10:00")),
            (Window(calendar="our own"), at(4, "12:00"), at(5, "10:00")),
            (NIGHT, at(2, "12:00"), at(2, "22:00")),
            (NIGHT, at(3, "05:59"), at(3, "05:59")),
            (Window(time(22), time(6), "ru_working"), at(5, "03:00"), at(5, "22:00")),
            (ALWAYS, at(2, "03:17"), at(2, "03:17")),
            (Window(time(0), time(0), "ru_working"), at(4, "03:17"), at(5, "00:00")),
        ],
    )
    def test_the_next_opening(self, window: Window, moment: datetime, opening: datetime) -> None:
        assert DAYS.next_opening(window, MOSCOW, moment) == opening
        assert DAYS.is_open(window, MOSCOW, moment) == (opening == moment)

    def test_an_opening_that_the_clocks_skip_is_the_first_instant_after(self) -> None:
        window = Window(time(2, 30), time(20))
        assert DAYS.next_opening(window, BERLIN, at(29, "01:00", BERLIN, month=3)) == at(29, "03:00", BERLIN, month=3)

    def test_where_no_day_ever_works_there_is_no_opening(self) -> None:
        closed = WorkingDays(
            frozenset(
                f"{2026 + n // 366}-{m:02d}-{d:02d}" for n in (0, 366) for m in range(1, 13) for d in range(1, 32)
            )
        )
        assert closed.next_opening(RU, MOSCOW, at(2, "12:00")) is None

    @given(
        minutes=st.integers(0, 60 * 24 * 500),
        window=st.builds(Window, TIMES, TIMES, st.sampled_from(["all", "ru_working"])),
    )
    def test_an_opening_is_open_and_nothing_before_it_is(self, minutes: int, window: Window) -> None:
        moment = at(1, "00:00", month=1) + timedelta(minutes=minutes)
        opening = DAYS.next_opening(window, BERLIN, moment)
        assert opening is not None
        assert opening >= moment
        assert DAYS.is_open(window, BERLIN, opening)
        if opening > moment:
            assert not DAYS.is_open(window, BERLIN, moment + (opening - moment) / 2)


class TestDueTill:
    @pytest.mark.parametrize(
        ("moment", "after", "due"),
        [
            (at(13, "10:00"), 4, at(13, "14:00")),
            (at(13, "16:00"), 4, at(16, "11:00")),
            (at(14, "12:00"), 0, at(16, "09:00")),
            (at(3, "17:00"), 2, at(5, "10:00")),
            (at(2, "09:00"), 9, at(2, "18:00")),
        ],
    )
    def test_working_hours_of_the_manager_on_working_days(self, moment: datetime, after: int, due: datetime) -> None:
        assert DAYS.due_till(timedelta(hours=after), OFFICE, MOSCOW, RU, MOSCOW, moment) == due

    def test_it_is_cut_to_the_end_of_the_clients_day(self) -> None:
        vladivostok = ZoneInfo("Asia/Vladivostok")
        moment = at(5, "10:00", vladivostok)
        due = DAYS.due_till(timedelta(hours=4), OFFICE, MOSCOW, RU, vladivostok, moment)
        assert due == at(5, "13:00")
        due = DAYS.due_till(timedelta(hours=6), OFFICE, MOSCOW, RU, vladivostok, moment)
        assert due == at(5, "20:00", vladivostok)

    def test_it_is_not_cut_to_an_end_before_the_manager_comes(self) -> None:
        kaliningrad, vladivostok = ZoneInfo("Europe/Kaliningrad"), ZoneInfo("Asia/Vladivostok")
        evening = WorkingHours.parse("Mon-Fri 14:00-18:00")
        due = DAYS.due_till(timedelta(hours=1), evening, kaliningrad, RU, vladivostok, at(5, "10:00", vladivostok))
        assert due == at(5, "15:00", kaliningrad)
