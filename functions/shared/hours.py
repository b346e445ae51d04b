"""Working hours: when somebody works, by the clock on his wall.

A moment is open when the wall clock of its zone shows a working minute. So a shift over the spring change of the
clocks is an hour shorter, one over the autumn change an hour longer, as for the people who sit there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = 24 * 60
WEEK = 7 * DAY
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

EXAMPLE = "for example: Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00"

_NAMES = (
    ("monday", "пн", "понедельник"),
    ("tuesday", "вт", "вторник"),
    ("wednesday", "ср", "среда"),
    ("thursday", "чт", "четверг"),
    ("friday", "пт", "пятница"),
    ("saturday", "сб", "суббота"),
    ("sunday", "вс", "воскресенье"),
)
_ALWAYS = ("24/7", "круглосуточно")
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‑": "-", "\u00a0": " ", "\u202f": " ", "\ufeff": " "})
_GROUP = re.compile(r"(?P<days>\D+?)\s*:?\s*(?P<windows>\d.*)")
_WINDOW = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class WorkingHours:
    """`spans` are (start, end) in minutes since Monday 00:00: sorted, apart from each other, never empty.

    Two texts that mean the same hours give equal objects. `str()` is the canonical text.
    """

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> WorkingHours:
        """Read `Mon-Fri 09:00-13:00, 14:00-18:00; Sat 10:00-15:00`, `Пн-Пт 09:00-18:00`, `Sun 22:00-06:00`, `24/7`.

        Raises ValueError whose text says what is wrong and what would be right.
        """
        cleaned = cleaned_hours(text)
        if cleaned in _ALWAYS:
            return cls(((0, WEEK),))
        by_day: dict[int, list[tuple[int, int]]] = {}
        for group in filter(None, cleaned.split(";")):
            days, windows = _parse_group(group)
            for day in days:
                if day in by_day:
                    raise ValueError(f"{DAYS[day]} occurs twice: write all windows of a day in one place, {EXAMPLE}")
                by_day[day] = windows
        if not by_day:
            raise ValueError(f"no hours given: write days and times, {EXAMPLE}; or 24/7")
        return cls.of((day * DAY + start, day * DAY + end) for day in by_day for start, end in by_day[day])

    @classmethod
    def of(cls, windows: Iterable[tuple[int, int]]) -> WorkingHours:
        """From any non-empty (start, end) in minutes of the week; an end past Sunday midnight goes on on Monday."""
        within_week = [piece for start, end in windows for piece in _wrapped(start, end)]
        return cls(tuple(_merged(sorted(within_week))))

    def __str__(self) -> str:
        if self.spans == ((0, WEEK),):
            return "24/7"
        windows: dict[int, list[str]] = {}
        for start, end in _daily_windows(self.spans):
            closing = DAY if end % DAY == 0 else end % DAY
            windows.setdefault(start // DAY, []).append(f"{_clock(start % DAY)}-{_clock(closing)}")
        days_of: dict[str, list[int]] = {}
        for day in sorted(windows):
            days_of.setdefault(", ".join(windows[day]), []).append(day)
        return "; ".join(f"{day_ranges(days)} {text}" for text, days in days_of.items())

    def is_open(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Is `moment` (aware) working time by the wall clock of `zone`?"""
        return self._state(_wall(moment, zone))[0]

    def next_opening(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first working moment that is not before `moment`, in UTC; `moment` itself when open."""
        return next(start for start, _, is_open in self._timeline(moment, zone) if is_open)

    def after_working(self, moment: datetime, minutes: float, zone: ZoneInfo) -> datetime:
        """When `minutes` of working time have passed since `moment`, in UTC.

        The last minute may end with the shift: 15 minutes after 17:45 of a day till 18:00 is 18:00.
        """
        left = timedelta(minutes=minutes)
        for start, end, is_open in self._timeline(moment, zone):
            if left <= timedelta():
                return start
            if is_open and end - start >= left:
                return start + left
            if is_open:
                left -= end - start
        raise AssertionError("the timeline has no end")

    def _timeline(self, moment: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, bool]]:
        """(start, end, is_open) from `moment` on without gaps; a stretch ends at a window's edge, at a change of the
        clocks, or after a day."""
        start = moment.astimezone(UTC)
        while True:
            is_open, until_edge = self._state(_wall(start, zone))
            end = _before_clock_change(start, start + min(until_edge, timedelta(days=1)), zone)
            yield start, end, is_open
            start = end

    def _state(self, wall: timedelta) -> tuple[bool, timedelta]:
        """Open or not at this time of the week, and how long the state lasts by the wall clock."""
        edges = [timedelta(minutes=edge) for span in self.spans for edge in span]
        passed = bisect_right(edges, wall)
        following = edges[passed] if passed < len(edges) else edges[0] + timedelta(minutes=WEEK)
        return passed % 2 == 1, following - wall


def cleaned_hours(text: str) -> str:
    """Days and times as `parse_days` and the patterns here want them: plain dashes and blanks, `;` for line ends, lower
    case."""
    return re.sub(r"\s*([-,;])\s*", r"\1", text.translate(_DASHES).replace("\n", ";").strip()).casefold()


def parse_days(text: str) -> list[int]:
    """`mon-wed,sat` → [0, 1, 2, 5], of cleaned text. Raises ValueError that says what would be right."""
    return [day for part in text.split(",") for day in _parse_range(part)]


def day_ranges(days: Iterable[int], names: Sequence[str] = DAYS) -> str:
    """[0, 1, 2, 5] → `Mon-Wed,Sat`."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(names[run[0]] if len(run) == 1 else f"{names[run[0]]}-{names[run[-1]]}" for run in runs)


def _wall(moment: datetime, zone: ZoneInfo) -> timedelta:
    """Time since Monday 00:00 as the wall clock shows it."""
    local = moment.astimezone(zone)
    return timedelta(
        days=local.weekday(),
        hours=local.hour,
        minutes=local.minute,
        seconds=local.second,
        microseconds=local.microsecond,
    )


def _before_clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """`end`, or the moment in (start, end] from which the zone's offset is no longer that of `start`.

    Looks at both ends only: no zone changes its clocks there and back within one day.
    """
    offset = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return end
    same, different = int(start.timestamp()), int(end.timestamp()) + 1
    while different - same > 1:  # changes happen at whole seconds
        middle = (same + different) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            same = middle
        else:
            different = middle
    return datetime.fromtimestamp(different, UTC)


def _parse_group(group: str) -> tuple[list[int], list[tuple[int, int]]]:
    """`mon-fri 09:00-13:00,14:00-18:00` → days 0…4, windows in minutes of the day; an end ≤ start is the next day's."""
    match = _GROUP.fullmatch(group)
    if match is None:
        raise ValueError(f"'{group}' is not days followed by times: {EXAMPLE}")
    days = parse_days(match["days"])
    windows = sorted(_parse_window(window) for window in match["windows"].split(","))
    for (_, end), (start, _) in pairwise(windows):
        if start < end:
            raise ValueError(f"windows overlap in '{group}': begin after {_clock(end % DAY)}, or join the two")
    return days, windows


def _parse_range(part: str) -> list[int]:
    first, _, last = part.strip().partition("-")
    start = _parse_day(first)
    end = _parse_day(last) if last else start
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def _parse_day(name: str) -> int:
    word = name.strip(" .")
    for day, names in enumerate(_NAMES):
        if word in names or (len(word) >= 3 and any(full.startswith(word) for full in names)):
            return day
    raise ValueError(f"'{name.strip()}' is no day of the week: use Mon Tue Wed Thu Fri Sat Sun or Пн Вт Ср Чт Пт Сб Вс")


def _parse_window(text: str) -> tuple[int, int]:
    match = _WINDOW.fullmatch(text)
    if match is None:
        hint = "put ';' between groups of days" if re.search(r"[^\W\d]", text) else "write times as 09:00-18:00"
        raise ValueError(f"'{text}' is no window of time: {hint}, {EXAMPLE}")
    from_hour, from_minute, to_hour, to_minute = (int(number) for number in match.groups())
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or start >= DAY or end > DAY:
        raise ValueError(f"'{text}' has a time outside 00:00 to 24:00: write times as 09:00-18:00")
    if start == end:
        raise ValueError(f"'{text}' is empty: for the whole day write 00:00-24:00")
    return start, end if end > start else end + DAY


def _wrapped(start: int, end: int) -> list[tuple[int, int]]:
    return [(start, end)] if end <= WEEK else [(start, WEEK), (0, end - WEEK)]


def _merged(windows: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted windows with the touching and overlapping ones joined."""
    current_start, current_end = windows[0]
    for start, end in windows[1:]:
        if start > current_end:
            yield current_start, current_end
            current_start, current_end = start, end
        else:
            current_end = max(current_end, end)
    yield current_start, current_end


def _daily_windows(spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """The spans as a person would write them: one over midnight stays whole while shorter than a day, longer ones are
    cut at each midnight."""
    around = list(spans)
    if len(around) > 1 and around[0][0] == 0 and around[-1][1] == WEEK:
        (_, monday_end), (sunday_start, _) = around.pop(0), around.pop()
        around.append((sunday_start, WEEK + monday_end))
    windows = []
    for start, end in around:
        if end - start < DAY:
            windows.append((start, end))
            continue
        cuts = [start, *range((start // DAY + 1) * DAY, end, DAY), end]
        windows += [(a % WEEK, a % WEEK + b - a) for a, b in pairwise(cuts)]
    return sorted(windows)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
