"""Sources of facts: one row each, which tells how far each has told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import moment, present, rewrite, text
from functions.shared.adapters.dynamodb.table import Item, Table
from functions.shared.care import Feed

A_WHILE = timedelta(minutes=1)
"""A row that is no older is new enough: watermarks count in hours, and a turnstile may tell ten facts a second."""


class Feeds:
    """Remembers in its process what it has written, so that most calls cost nothing at all."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._written: dict[str, Feed] = {}

    def touch(
        self,
        name: str,
        newest: datetime,
        now: datetime,
        complete_until: datetime | None = None,
        learn: Callable[[Feed], Feed] | None = None,
    ) -> bool:
        """Something arrived from the source: `newest` is the time of its newest fact, `complete_until` what a heartbeat
        or a file says. Nothing ever goes back. `learn` gets the feed as it was and gives it as it is to be, where a
        caller keeps the histogram of gaps too. Whether it was written: at most once a minute while all goes its way.
        Raises Contended."""
        told = replace(Feed(name), last_at=min(newest, now), seen_at=now, complete_until=complete_until)

        def change(item: Item) -> Item | None:
            standing = _feed_from(name, item)
            after = _later(standing, learn(standing) if learn else replace(told, gaps=standing.gaps))
            self._written[name] = after if _is_news(standing, after) else standing
            return _item_of(after) if _is_news(standing, after) else None

        if name in self._written and not _is_news(self._written[name], _later(self._written[name], told)):
            return False
        return rewrite(self._table, keys.feed(name), change)

    def all(self) -> dict[str, Feed]:
        """By name. Eventually consistent: an older row is a watermark further back, so we only wait a little longer."""
        partition = keys.feed("")["pk"]
        rows = self._table.between(partition, keys.FIRST, keys.LAST, consistent=False)
        return {row["sk"]: _feed_from(row["sk"], row) for row in rows}


def _later(one: Feed, other: Feed) -> Feed:
    """The other one, where it is not behind."""
    return replace(
        other,
        last_at=_max(one.last_at, other.last_at),
        seen_at=_max(one.seen_at, other.seen_at),
        complete_until=_max(one.complete_until, other.complete_until),
    )


def _max(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _is_news(standing: Feed, after: Feed) -> bool:
    return standing.complete_until != after.complete_until or any(
        now is not None and (before is None or now - before >= A_WHILE)
        for before, now in ((standing.last_at, after.last_at), (standing.seen_at, after.seen_at))
    )


def _item_of(feed: Feed) -> Item:
    plain = {
        "last_at": text(feed.last_at),
        "seen_at": text(feed.seen_at),
        "complete_until": text(feed.complete_until),
        "gaps": dict(feed.gaps),
    }
    return {"entity": "feed", **present(plain)}


def _feed_from(name: str, item: Item) -> Feed:
    return Feed(
        name=name,
        last_at=moment(item.get("last_at")),
        seen_at=moment(item.get("seen_at")),
        complete_until=moment(item.get("complete_until")),
        gaps=item.get("gaps", {}),
    )
