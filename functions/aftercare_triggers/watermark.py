"""Up to when the feeds have told everything. A silent turnstile looks like a gym that everybody has left: rules that
speak of what did not happen are judged no further than that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.shared.care import Feed, FeedSpec
from functions.shared.hours import WorkingHours

QUIET = timedelta(hours=6)
"""Open hours that any feed may be silent."""

_HOUR = timedelta(hours=1)
_AGAIN = timedelta(hours=1)
_NEVER_HEARD = timedelta(days=1)
_TIMES_USUAL = 3
_ENOUGH = 4
"""Weeks after which the usual silence of an hour is believed."""


@dataclass(frozen=True)
class Mark:
    """`told_until` None: the feed has never told anything. `moves`: it goes on with the clock, `lag` behind it; else
    nobody knows when it will be further."""

    told_until: datetime | None
    moves: bool
    lag: timedelta = timedelta(0)


@dataclass(frozen=True)
class Watermarks:
    """The feeds at one instant `now`: `marks` are (types it delivers, Mark); no types: it may bring any."""

    now: datetime
    marks: tuple[tuple[frozenset[str], Mark], ...] = ()

    @classmethod
    def of(cls, specs: Iterable[FeedSpec], feeds: Mapping[str, Feed], zone: ZoneInfo, now: datetime) -> Watermarks:
        """`feeds` by name, `zone` is the department's, in which the feeds' hours are meant."""
        return cls(
            now, tuple((spec.delivers, mark(spec, feeds.get(spec.name), zone, now)) for spec in specs if spec.mark)
        )

    def horizon(self, types: Collection[str]) -> datetime | None:
        """Up to when everything of these types has been told, at most now; None: nothing ever was."""
        marks = self._of(types)
        if any(mark.told_until is None for mark in marks):
            return None
        return min((mark.told_until for mark in marks if mark.told_until is not None), default=self.now)

    def lag(self, types: Collection[str]) -> timedelta:
        """How far the horizon is behind on purpose."""
        return max((mark.lag for mark in self._of(types)), default=timedelta(0))

    def passes(self, types: Collection[str], moment: datetime) -> datetime:
        """When to look whether the horizon has come to `moment`, after now. Where nobody knows, the looks grow rarer: a
        feed that is silent for days must not wake its clients every hour of them."""
        marks = self._of(types)
        looks = [moment + mark.lag for mark in marks if mark.moves]
        if any(mark.told_until is None for mark in marks):
            looks.append(self.now + _NEVER_HEARD)
        elif any(not mark.moves and mark.told_until < moment for mark in marks if mark.told_until is not None):
            looks.append(max(moment, self.now + max(_AGAIN, (self.now - moment) / 4)))
        return max([moment, *looks])

    def _of(self, types: Collection[str]) -> list[Mark]:
        return [mark for delivers, mark in self.marks if not delivers or not delivers.isdisjoint(types)]


def mark(spec: FeedSpec, feed: Feed | None, zone: ZoneInfo, now: datetime) -> Mark:
    """A feed that says how far it is complete (heartbeats, a nightly file) is taken at its word, every other goes with
    the clock while it is fresh, and stands at its newest fact while it is silent for too long."""
    if feed is None or (feed.last_at is None and feed.complete_until is None):
        return Mark(None, moves=False)
    if feed.complete_until is not None:
        return Mark(min(feed.complete_until, now), moves=False)
    last = _newest(feed)
    if is_stale(spec, feed, zone, now):
        return Mark(last - spec.lag, moves=False, lag=spec.lag)
    return Mark(now - spec.lag, moves=True, lag=spec.lag)


def is_stale(spec: FeedSpec, feed: Feed, zone: ZoneInfo, now: datetime) -> bool:
    """Silent for longer than `stale_after`, else than 6 hours and than thrice what is usual at this hour of the week;
    of the first two only hours in which it is open count. What may come `lag` late is not missed before."""
    last, until = _newest(feed), now - spec.lag
    allowed = QUIET if spec.stale_after is None else spec.stale_after
    if until <= WorkingHours.parse(spec.hours).after_working(last, allowed.total_seconds() / 60, zone):
        return False
    return spec.stale_after is not None or until - last > _TIMES_USUAL * usual_silence(feed, zone, until)


def usual_silence(feed: Feed, zone: ZoneInfo, at: datetime) -> timedelta:
    """The 99th percentile of how long the feed had been silent at this hour of the week, in whole hours; nothing while
    too few weeks have been seen. Of fewer than a hundred the longest is left out: it may have been an outage."""
    slot = _slot(at, zone)
    seen = sorted((int(key.partition(":")[2]), count) for key, count in feed.gaps.items() if key.startswith(f"{slot}:"))
    total = sum(count for _, count in seen)
    if total < _ENOUGH:
        return timedelta(0)
    rank = 99 * (total - 1) // 100
    for hours, count in seen:
        if rank < count:
            return hours * _HOUR
        rank -= count
    raise AssertionError("a rank lies within the total")


def heard(feed: Feed, newest: datetime, now: datetime, zone: ZoneInfo, complete_until: datetime | None = None) -> Feed:
    """The feed after something arrived; `newest` is the time of the newest fact in it. A longer silence that ended
    teaches what is usual: for every full hour it lasted, how old the last fact then was."""
    newest = min(newest, now)
    gaps = dict(feed.gaps)
    if feed.last_at is not None and newest - feed.last_at >= _HOUR:
        for at, hours in _hours_of(_newest(feed), newest):
            key = f"{_slot(at, zone)}:{hours}"
            gaps[key] = gaps.get(key, 0) + 1
    told = [each for each in (feed.complete_until, complete_until) if each is not None]
    last_at = newest if feed.last_at is None else max(feed.last_at, newest)
    return replace(feed, last_at=last_at, seen_at=now, complete_until=max(told, default=None), gaps=gaps)


def _hours_of(start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """At most a week of the silence: (moment, its hours so far), hour by hour."""
    count = min(int((end - start) / _HOUR), 7 * 24)
    return [(start + hours * _HOUR, hours) for hours in range(1, count + 1)]


def _slot(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local.isoweekday()}-{local.hour:02d}"


def _newest(feed: Feed) -> datetime:
    """The time of the newest fact; one from the future proves no more than that the feed lives."""
    known = [each for each in (feed.last_at, feed.seen_at) if each is not None]
    return min(known).astimezone(UTC)
