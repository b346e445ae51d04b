"""The books of rules: each version stored once and never changed, and CURRENT, a copy of the newest; and what a person
has said yes to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import unmoved
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.care import FeedSpec, RuleBook
from functions.shared.errors import Contended


class RuleBookStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def current(self) -> RuleBook:
        """The newest version; version 0 and no rules before the first."""
        return self._read(keys.current_rule_book()) or RuleBook()

    def version(self, number: int) -> RuleBook | None:
        """The book that a decision was taken under."""
        return self._read(keys.rule_book(number))

    def publish(self, book: RuleBook) -> RuleBook:
        """Make this the current book; returns it with its version, which is one more. It must have been made of the
        current one, so it comes with that one's version: else raises Contended. The same content again is no new
        version."""
        current = self.current()
        if replace(book, version=current.version) == current:
            return current
        stored = replace(book, version=book.version + 1)
        document = _item_of(stored)
        try:
            self._table.transact(
                [
                    self._table.put_action({**keys.rule_book(stored.version), **document}, "attribute_not_exists(pk)"),
                    self._table.put_action({**keys.current_rule_book(), **document}, *unmoved(book.version)),
                ]
            )
        except ConditionFailed as error:
            raise Contended("another apply published rules at the same moment: apply again", after=0) from error
        return stored

    def approve(self, rule: str, until: datetime) -> None:
        """A person lets the rule fire as often as it will until then."""
        approval = {"entity": "approval", "until": keys.due_at(until), "expires_at": int(until.timestamp())}
        self._table.put({**keys.approval(rule), **approval})

    def approved(self, now: datetime) -> frozenset[str]:
        """Ids of the rules that a person has let go."""
        prefix = keys.approval("")
        rows = self._table.query(prefix["pk"], prefix["sk"])
        return frozenset(row["sk"].removeprefix(prefix["sk"]) for row in rows if row["until"] > keys.due_at(now))

    def _read(self, key: keys.Key) -> RuleBook | None:
        item = self._table.get(key)
        return _book_from(item) if item else None


def _item_of(book: RuleBook) -> Item:
    document = {
        "rules": [dict(rule) for rule in book.rules],
        "feeds": [_feed_document(feed) for feed in book.feeds],
        "wakes": sorted(book.wakes),
        "lookback": int(book.lookback.total_seconds()),
        "holidays": sorted(book.holidays),
        "work_days": sorted(book.work_days),
        "ceiling": book.ceiling,
    }
    return {
        "entity": "rule_book",
        "version": book.version,
        "document": json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    }


def _book_from(item: Item) -> RuleBook:
    document = json.loads(item["document"])
    return RuleBook(
        version=item["version"],
        rules=tuple(document["rules"]),
        feeds=tuple(map(_feed_from, document["feeds"])),
        wakes=frozenset(document["wakes"]),
        lookback=timedelta(seconds=document["lookback"]),
        holidays=frozenset(document["holidays"]),
        work_days=frozenset(document["work_days"]),
        ceiling=document["ceiling"],
    )


def _feed_document(feed: FeedSpec) -> dict[str, Any]:
    return {
        "name": feed.name,
        "delivers": sorted(feed.delivers),
        "lag": feed.lag.total_seconds(),
        "stale_after": None if feed.stale_after is None else feed.stale_after.total_seconds(),
        "hours": feed.hours,
        "mark": feed.mark,
    }


def _feed_from(document: dict[str, Any]) -> FeedSpec:
    stale_after = document["stale_after"]
    return FeedSpec(
        name=document["name"],
        delivers=frozenset(document["delivers"]),
        lag=timedelta(seconds=document["lag"]),
        stale_after=None if stale_after is None else timedelta(seconds=stale_after),
        hours=document["hours"],
        mark=document["mark"],
    )
