"""The rules of the file become the book of rules that the functions read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from functions.aftercare_triggers.rules.reading import lookback_of, wakes_of
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.care import RuleBook
from infra.department.care import Care
from infra.department.changes import Change, Mark

_OF_THE_BOOK = ("version", "effective_from")
"""What a rule has only there."""


def publish(care: Care, books: RuleBookStore, now: datetime) -> list[str]:
    """Put the rules in force, from `now` on those that are new or were changed; one sentence for each change. An
    unchanged rule keeps its version. All clients are looked at again within the next ticks of the functions. Raises
    Contended."""
    current = books.current()
    book = next_book(care, current, now)
    if book is None:
        return []
    stored = books.publish(book)
    told = (change.done for change in changes(current, book))
    return [*told, f"published version {stored.version} of the rules of aftercare"]


def next_book(care: Care, current: RuleBook, now: datetime) -> RuleBook | None:
    """The book that is to follow on the current one, None if that one stands."""
    if not (current.version or care.rules or care.feeds):
        return None
    book = book_of(care, current, now)
    return None if book == current else book


def book_of(care: Care, current: RuleBook, now: datetime) -> RuleBook:
    """The book that is to follow on the current one."""
    standing = {rule["id"]: rule for rule in current.rules}
    return RuleBook(
        version=current.version,
        rules=tuple(_versioned(rule, standing.get(rule["id"]), now) for rule in care.rules),
        feeds=care.feeds,
        wakes=wakes_of(care.read),
        lookback=lookback_of(care.read),
        holidays=care.holidays,
        work_days=care.work_days,
        ceiling=care.ceiling,
    )


def changes(before: RuleBook, after: RuleBook) -> Iterator[Change]:
    """Of the rules, in words."""
    old, new = ({rule["id"]: rule["version"] for rule in book.rules} for book in (before, after))
    for name, version in new.items():
        if name not in old:
            yield Change(Mark.NEW, f"rule {name}", f"new rule {name}")
        elif version != old[name]:
            words = f"rule {name}, now version {version}"
            yield Change(Mark.CHANGED, words, f"changed {words}")
    for name in old.keys() - new.keys():
        yield Change(Mark.GONE, f"rule {name}", f"removed rule {name}: people keep its open tasks")


def _versioned(rule: Mapping[str, Any], standing: Mapping[str, Any] | None, now: datetime) -> Mapping[str, Any]:
    plain = json.loads(json.dumps(rule))
    if standing is None:
        return {**plain, "version": 1, "effective_from": now.isoformat()}
    if plain == {key: value for key, value in standing.items() if key not in _OF_THE_BOOK}:
        return standing
    return {**plain, "version": standing["version"] + 1, "effective_from": now.isoformat()}
