"""The clocks of the rules: elapsed time that stops while a subscription is frozen, and local dates. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from functions.shared.facts import SUBSCRIPTION_FROZEN, Fact

_PLAUSIBLE = range(1900, 2200)
"""Years outside are a source's way to say «none» (0001, 9999), and no clock could count from them."""
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SHORT = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_ISO_DATES = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")
_SHORT_DATES = re.compile(r"(?:(\d+)y)?(?:(\d+)mo)?(?:(\d+)w)?(?:(\d+)d)?")


INSTANT = timedelta(microseconds=1)
"""The finest step of our time: what was true just before."""


@dataclass(frozen=True)
class Freezes:
    """Half-open spans [from, to) during which the client's subscription rests, apart from each other and sorted; the
    last may have no end (None)."""

    spans: tuple[tuple[datetime, datetime | None], ...] = ()

    @classmethod
    def of(cls, changes: Iterable[Fact], zone: ZoneInfo | None = None) -> Freezes:
        """From `subscription.frozen` and `subscription.unfrozen`, sorted by time, the union over all subscriptions.

        `subscription.frozen` may say `from` (else: its time) and `to`, or `until` (else: open); `subscription.unfrozen`
        ends what is frozen then and calls off what was planned, with a `subscription_id` of this subscription only. A
        date without a time is local midnight in `zone` (default UTC).
        """
        planned: list[tuple[str, datetime, datetime | None]] = []
        for fact in changes:
            if fact.type == SUBSCRIPTION_FROZEN:
                start = moment(fact.data.get("from"), zone) or fact.time
                end = moment(fact.data.get("to") or fact.data.get("until"), zone)
                planned.append((_subscription(fact), start, end))
            else:
                planned = [_ended(span, _subscription(fact), fact.time) for span in planned]
        return cls(_union((start, end) for _, start, end in planned if end is None or end > start))

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """end − start without what was frozen of it."""
        total = end - start
        for since, until in self.spans:
            frozen = min(end, until or end) - max(start, since)
            if frozen > timedelta(0):
                total -= frozen
        return total

    def advance(self, start: datetime, by: timedelta) -> datetime | None:
        """The earliest moment at which `by` has elapsed since `start`; None: never."""
        reached = start
        for since, until in self.spans:
            if until is not None and until <= reached:
                continue
            if by <= max(since - reached, timedelta(0)):
                break
            by -= max(since - reached, timedelta(0))
            if until is None:
                return None
            reached = until
        return reached + by

    def back(self, end: datetime, by: timedelta) -> datetime:
        """The latest moment since which `by` has elapsed until `end`: where a window of that width begins."""
        reached = end
        for since, until in reversed(self.spans):
            if since >= reached:
                continue
            running = max(reached - (until or reached), timedelta(0))
            if by <= running:
                break
            by -= running
            reached = since
        return reached - by

    def at(self, moment: datetime) -> tuple[datetime, datetime | None] | None:
        """The span that the moment lies in."""
        place = bisect_right(self._starts, moment) - 1
        if place < 0:
            return None
        span = self.spans[place]
        return span if span[1] is None or moment < span[1] else None

    @cached_property
    def _starts(self) -> list[datetime]:
        return [since for since, _ in self.spans]


def _subscription(fact: Fact) -> str:
    return str(fact.data.get("subscription_id") or "")


def _ended(
    span: tuple[str, datetime, datetime | None], subscription: str, at: datetime
) -> tuple[str, datetime, datetime | None]:
    """Facts that do not name a subscription mean all of them."""
    named, start, end = span
    if (named and subscription and named != subscription) or (end is not None and end <= at):
        return span
    return named, start, max(start, at)


def _union(spans: Iterable[tuple[datetime, datetime | None]]) -> tuple[tuple[datetime, datetime | None], ...]:
    united: list[tuple[datetime, datetime | None]] = []
    for start, end in sorted(spans, key=lambda span: span[0]):
        last_start, last_end = united[-1] if united else (start, start)
        if united and (last_end is None or start <= last_end):
            united[-1] = last_start, None if last_end is None or end is None else max(last_end, end)
        else:
            united.append((start, end))
    return tuple(united)


@dataclass(frozen=True)
class Calendar:
    """A distance between local dates. `months` are stepped first and clamp at the end of the month: 31 January and one
    month is the last of February."""

    months: int = 0
    days: int = 0

    def after(self, day: date) -> date:
        return plus_months(day, self.months) + timedelta(days=self.days)

    def before(self, day: date) -> date:
        return plus_months(day, -self.months) - timedelta(days=self.days)


def plus_months(day: date, months: int) -> date:
    """The same day of another month, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def local_date(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def local_instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which clocks in the zone show this. A time that the zone skips becomes the first valid instant
    after it, of one that it shows twice the earlier is meant."""
    local = datetime.combine(day, clock, zone)  # fold = 0: the earlier of two
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # In a gap (PEP 495) fold=1 is read with the offset of after, so it lies before the jump, and fold=0 lies behind it.
    before, behind = int(local.replace(fold=1).timestamp()), int(instant.timestamp()) + 1
    offset = datetime.fromtimestamp(before, zone).utcoffset()
    while behind - before > 1:
        middle = (before + behind) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return datetime.fromtimestamp(behind, UTC)


def moment(value: Any, zone: ZoneInfo | None = None) -> datetime | None:
    """An ISO 8601 text from a fact's data as a UTC instant; None if it is none. What says no offset is local time in
    the zone (default UTC), a mere date is its first instant."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        if read.year not in _PLAUSIBLE:
            return None
        if read.tzinfo is None:
            return local_instant(read.date(), read.time(), zone or ZoneInfo("UTC"))
        return read.astimezone(UTC)
    except ValueError:
        return None


def duration(text: str) -> timedelta:
    """`P14D`, `PT3H`, `P1DT12H`, `P2W`, or short `14d`, `3h`, `1d12h`, `30m` (minutes), `2w`. A day is 86,400 seconds.
    ValueError for everything else, months and years too: they have no fixed length."""
    read = _ISO.fullmatch(text) or _SHORT.fullmatch(text)
    if read is None or not any(read.groups()):
        raise ValueError(f"{text!r} is no duration such as P14D, PT3H, 14d or 3h")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in read.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def calendar(text: str) -> Calendar:
    """A distance of dates: `P14D`, `P1M`, `P1Y`, `P2W`, or short `14d`, `1mo`, `1y`, `2w`. ValueError for everything
    else, hours too."""
    read = _ISO_DATES.fullmatch(text) or _SHORT_DATES.fullmatch(text)
    if read is None or not any(read.groups()):
        raise ValueError(f"{text!r} is no number of days or months such as P14D, P1M, 14d or 1mo")
    years, months, weeks, days = (int(part or 0) for part in read.groups())
    return Calendar(months=12 * years + months, days=7 * weeks + days)
