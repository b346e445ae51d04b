"""When a task may be created, and till when it is to be done: days of a calendar, hours of the client, hours of the
manager. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.clocks import local_date, local_instant
from functions.aftercare_triggers.rules.rule import Window
from functions.shared.hours import WorkingHours

EVERY_DAY = "all"

_SATURDAY = 5
_MINUTES_OF_A_DAY = 24 * 60
_FORESEEN = 400
"""Days looked ahead for an opening: more than any row of holidays."""


@dataclass(frozen=True)
class WorkingDays:
    """Calendars by name. `all` is every day; of every other the weekends and `holidays` are off, but `work_days` are
    worked. ISO dates."""

    holidays: frozenset[str] = frozenset()
    work_days: frozenset[str] = frozenset()

    def is_working(self, day: date, calendar: str) -> bool:
        if calendar == EVERY_DAY or day.isoformat() in self.work_days:
            return True
        return day.weekday() < _SATURDAY and day.isoformat() not in self.holidays

    def is_open(self, window: Window, zone: ZoneInfo, at: datetime) -> bool:
        return self.next_opening(window, zone, at) == at

    def next_opening(self, window: Window, zone: ZoneInfo, at: datetime) -> datetime | None:
        """The first open moment not before `at`, which is `at` itself when it is open; None: no day in sight works."""
        span = next(self._spans(window, zone, at), None)
        return None if span is None else max(span[0], at.astimezone(UTC))

    def due_till(
        self,
        after: timedelta,
        hours: WorkingHours,
        manager_zone: ZoneInfo,
        window: Window,
        zone: ZoneInfo,
        at: datetime,
    ) -> datetime:
        """Deadline of a task created at `at`: `after` of the manager's working time from his first working moment on;
        days that the window's calendar does not work do not count for him either. A deadline at which the client is
        not to be called is cut back to the end of his hours before it, if the manager works before that at all."""
        left, begins = after, None
        for start, end in self._shifts(hours, manager_zone, window.calendar, at):
            begins = begins or start
            if start + left <= end:
                return self._cut(start + left, begins, window, zone)
            left -= end - start
        return at + after

    def _cut(self, due: datetime, begins: datetime, window: Window, zone: ZoneInfo) -> datetime:
        closed = None
        for start, end in self._spans(window, zone, begins):
            if due < start:
                break
            if due <= end:
                return due
            closed = end
        return due if closed is None else closed

    def _shifts(
        self, hours: WorkingHours, zone: ZoneInfo, calendar: str, at: datetime
    ) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the manager's working time from `at` on, day by day."""
        today = local_date(at, zone)
        for ahead in range(_FORESEEN):
            day = today + timedelta(days=ahead)
            if not self.is_working(day, calendar):
                continue
            for opens, closes in _of_day(hours, day.weekday()):
                start = max(at, _clock_shows(day, opens, zone))
                end = _clock_shows(day, closes, zone)
                if start < end:
                    yield start, end

    def _spans(self, window: Window, zone: ZoneInfo, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open spans [from, to) that end after `at`; hours over midnight belong to the day on which they begin."""
        today = local_date(at, zone)
        over_midnight = timedelta(days=int(window.closes <= window.opens))
        for ahead in range(-1, _FORESEEN):
            day = today + timedelta(days=ahead)
            if not self.is_working(day, window.calendar):
                continue
            end = local_instant(day + over_midnight, window.closes, zone)
            if end > at:
                yield local_instant(day, window.opens, zone), end


def _clock_shows(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minutes, _MINUTES_OF_A_DAY)
    return local_instant(day + timedelta(days=days), time(*divmod(rest, 60)), zone)


def _of_day(hours: WorkingHours, weekday: int) -> list[tuple[int, int]]:
    """Working spans of a weekday in minutes since its midnight."""
    midnight = weekday * _MINUTES_OF_A_DAY
    clipped = [(max(start - midnight, 0), min(end - midnight, _MINUTES_OF_A_DAY)) for start, end in hours.spans]
    return [(start, end) for start, end in clipped if start < end]
