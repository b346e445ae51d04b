"""How long a source of facts is usually silent, by weekday and hour: learned whenever a silence ends. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.shared.care import Feed

HOUR = timedelta(hours=1)


def heard(feed: Feed, newest: datetime, now: datetime, zone: ZoneInfo, complete_until: datetime | None = None) -> Feed:
    """The feed after something arrived; `newest` is the time of the newest fact in it. A longer silence that ended
    teaches what is usual: for every full hour it lasted, how old the last fact then was. Facts of a year that come
    within minutes teach nothing: nobody was silent between them."""
    newest = min(newest, now)
    gaps = dict(feed.gaps)
    was_silent = feed.seen_at is None or now - feed.seen_at >= HOUR
    if was_silent and feed.last_at is not None and newest - feed.last_at >= HOUR:
        for at, hours in _hours_of(newest_of(feed), newest):
            key = f"{slot(at, zone)}:{hours}"
            gaps[key] = gaps.get(key, 0) + 1
    told = [each for each in (feed.complete_until, complete_until) if each is not None]
    last_at = newest if feed.last_at is None else max(feed.last_at, newest)
    return replace(feed, last_at=last_at, seen_at=now, complete_until=max(told, default=None), gaps=gaps)


def newest_of(feed: Feed) -> datetime:
    """The time of the newest fact; one from the future proves no more than that the feed lives. Only of a feed that
    has told something."""
    return min(each for each in (feed.last_at, feed.seen_at) if each is not None)


def slot(at: datetime, zone: ZoneInfo) -> str:
    """Weekday and hour on the wall clock, as in 3-14."""
    local = at.astimezone(zone)
    return f"{local.isoweekday()}-{local.hour:02d}"


def _hours_of(start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """At most a week of the silence: (moment, its hours so far), hour by hour."""
    count = min(int((end - start) / HOUR), 7 * 24)
    return [(start + hours * HOUR, hours) for hours in range(1, count + 1)]
