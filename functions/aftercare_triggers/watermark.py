"""Up to when the feeds have told everything. A silent turnstile looks like a gym that everybody has left: rules that
speak of what did not happen are judged no further than that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.shared.care import Feed, FeedSpec
from functions.shared.hours import WorkingHours
from functions.shared.silences import HOUR, newest_of, slot

QUIET = timedelta(hours=6)
"""Open hours that any feed may be silent."""

_AGAIN = timedelta(hours=1)
_FORSAKEN = timedelta(days=7)
"""Facts that come so much later than the source was last said to be complete: nobody says it any more."""

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
    """A feed that says how far it is complete (heartbeats, a nightly file) is taken at its word as long as it says so,
    every other goes with the clock while it is fresh, and stands at its newest fact while it is silent for too long."""
    if feed is None or (feed.last_at is None and feed.complete_until is None):
        return Mark(None, moves=False)
    if feed.complete_until is not None and not _is_forsaken(feed, feed.complete_until):
        return Mark(min(feed.complete_until, now), moves=False)
    last = newest_of(feed)
    if is_stale(spec, feed, zone, now):
        return Mark(last - spec.lag, moves=False, lag=spec.lag)
    return Mark(now - spec.lag, moves=True, lag=spec.lag)


def _is_forsaken(feed: Feed, complete_until: datetime) -> bool:
    return feed.last_at is not None and newest_of(feed) - complete_until > _FORSAKEN


def is_stale(spec: FeedSpec, feed: Feed, zone: ZoneInfo, now: datetime) -> bool:
    """Silent for longer than `stale_after`, else than 6 hours and than thrice what is usual at this hour of the week;
    of the first two only hours in which it is open count. What may come `lag` late is not missed before."""
    last, until = newest_of(feed), now - spec.lag
    allowed = QUIET if spec.stale_after is None else spec.stale_after
    if until <= WorkingHours.parse(spec.hours).after_working(last, allowed.total_seconds() / 60, zone):
        return False
    return spec.stale_after is not None or until - last > _TIMES_USUAL * usual_silence(feed, zone, until)


def usual_silence(feed: Feed, zone: ZoneInfo, at: datetime) -> timedelta:
    """The 99th percentile of how long the feed had been silent at this hour of the week, in whole hours; nothing while
    too few weeks have been seen. Of fewer than a hundred the longest is left out: it may have been an outage."""
    now = slot(at, zone)
    seen = sorted((int(key.partition(":")[2]), count) for key, count in feed.gaps.items() if key.startswith(f"{now}:"))
    total = sum(count for _, count in seen)
    if total < _ENOUGH:
        return timedelta(0)
    rank = 99 * (total - 1) // 100
    for hours, count in seen:
        if rank < count:
            return hours * HOUR
        rank -= count
    raise AssertionError("a rank lies within the total")
