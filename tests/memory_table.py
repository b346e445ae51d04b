"""The table in one process's memory, for tests that read and write it some hundred thousand times: moto takes 2 ms for
what takes 20 µs here. Passes the same contract as DynamoDB's substitute (tests/integration/test_memory_table.py).

Only what Conveyor's stores use is understood; any other expression is refused, loudly, and so is a reserved word as the
name of an attribute (DynamoDB: reserved words), which moto lets through in conditions.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import Any

from functions.shared.adapters.dynamodb.keys import Key
from functions.shared.adapters.dynamodb.table import TRANSACTION_LIMIT, ConditionFailed, Item, Table

Values = Item
Condition = Callable[[Item, Values], bool]
Operand = Callable[[Item, Values], Any]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),]|:?\w+)")
_COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MISSING = object()

LONGEST_SORT_KEY = 1024
"""Bytes (DynamoDB: quotas)."""


class ReservedWord(Exception):
    """DynamoDB refuses the expression: the word is a name only behind a placeholder (#name)."""


@cache
def reserved_words() -> frozenset[str]:
    """In capitals; DynamoDB takes no notice of the case."""
    listed = files("moto.dynamodb").joinpath("parsing/reserved_keywords.txt").read_text(encoding="utf-8")
    return frozenset(listed.upper().split())


class MemoryTable(Table):
    """Strongly consistent, the index too (DynamoDB's index may lag by a moment)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Item] = {}
        self._lock = Lock()

    def get(self, key: Key) -> Item | None:
        row = self.rows.get((key["pk"], key["sk"]))
        return None if row is None else _copied(row)

    def get_many(self, keys: Iterable[Key], consistent: bool = True) -> list[Item]:
        wanted = dict.fromkeys((key["pk"], key["sk"]) for key in keys)
        return [_copied(self.rows[key]) for key in wanted if key in self.rows]

    def query(self, pk: str, sk_prefix: str) -> Iterator[Item]:
        assert sk_prefix, "DynamoDB refuses an empty key"
        found = sorted(key for key in self.rows if key[0] == pk and key[1].startswith(sk_prefix))
        return iter([_copied(self.rows[key]) for key in found])

    def between(
        self, pk: str, first: str, last: str, consistent: bool = True, page: int | None = None
    ) -> Iterator[Item]:
        assert first <= last, "DynamoDB refuses such a range"
        assert first, "DynamoDB refuses an empty key"
        found = sorted(key for key in self.rows if key[0] == pk and first <= key[1] <= last)
        return iter([_copied(self.rows[key]) for key in found])

    def due(self, index: str, shard: str, until: str, page: int | None = None) -> Iterator[Item]:
        rows = [row for row in self.rows.values() if row.get("due_shard") == shard and row.get("due_at", "~") <= until]
        names = ("pk", "sk", "due_shard", "due_at")
        return iter([{name: row[name] for name in names} for row in sorted(rows, key=lambda row: str(row["due_at"]))])

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
        self._do([{"put": item, "condition": condition, "values": values or {}}])

    def update(self, key: Key, expression: str, values: Item, condition: str | None = None) -> None:
        self._do([{"key": key, "expression": expression, "condition": condition, "values": values}])

    def delete(self, key: Key, condition: str | None = None, values: Item | None = None) -> None:
        self._do([{"key": key, "expression": None, "condition": condition, "values": values or {}}])

    def transact(self, actions: Sequence[Item]) -> None:
        assert len(actions) <= TRANSACTION_LIMIT
        keys = [_key_of(action) for action in actions]
        assert len(set(keys)) == len(keys), "a transaction may name an item only once"
        self._do(actions)

    def put_action(self, item: Item, condition: str, values: Item | None = None) -> Item:
        return {"put": item, "condition": condition, "values": values or {}}

    def update_action(self, key: Key, expression: str, values: Item, condition: str | None = None) -> Item:
        return {"key": key, "expression": expression, "condition": condition, "values": values}

    def _do(self, actions: Sequence[Item]) -> None:
        """All or nothing; ConditionFailed tells of each action what stands there, where its condition did not hold."""
        for action in actions:
            _understand(action)
        with self._lock:
            self._do_alone(actions)

    def _do_alone(self, actions: Sequence[Item]) -> None:
        standing = [self.rows.get(_key_of(action), {}) for action in actions]
        failed: list[Item | None] = [
            _copied(row) if action["condition"] and not condition(action["condition"])(row, action["values"]) else None
            for action, row in zip(actions, standing, strict=True)
        ]
        if any(row is not None for row in failed):
            raise ConditionFailed(failed)
        for action, row in zip(actions, standing, strict=True):
            after = _after(action, row)
            if after is None:
                self.rows.pop(_key_of(action), None)
            else:
                self.rows[_key_of(action)] = after


def _key_of(action: Item) -> tuple[str, str]:
    key = action["put"] if "put" in action else action["key"]
    return key["pk"], key["sk"]


def _understand(action: Item) -> None:
    """DynamoDB reads the expressions of a request before it does any of it."""
    if action["condition"]:
        condition(action["condition"])
    if action.get("expression"):
        _changes(action["expression"])


def _after(action: Item, row: Item) -> Item | None:
    """None: it is deleted."""
    if "put" in action:
        assert len(action["put"]["sk"].encode()) <= LONGEST_SORT_KEY, "DynamoDB takes no sort key as long as this one"
        return dict(_copied(action["put"]))
    if action["expression"] is None:
        return None
    changed = _copied(row) | {"pk": action["key"]["pk"], "sk": action["key"]["sk"]}
    for attribute, operand in _changes(action["expression"]):
        if operand is None:
            changed.pop(attribute, None)
        else:
            changed[attribute] = _copied(operand(row, action["values"]))
    return changed


@cache
def condition(text: str) -> Condition:
    """A ConditionExpression, ready to be asked of (item, values)."""
    words = _words(text)
    found = _either(words)
    assert not words, f"{text!r}: not understood from {words} on"
    return found


def _either(words: list[str]) -> Condition:
    parts = [_both(words)]
    while words[:1] == ["OR"]:
        words.pop(0)
        parts.append(_both(words))
    return parts[0] if len(parts) == 1 else lambda item, values: any(part(item, values) for part in parts)


def _both(words: list[str]) -> Condition:
    parts = [_term(words)]
    while words[:1] == ["AND"]:
        words.pop(0)
        parts.append(_term(words))
    return parts[0] if len(parts) == 1 else lambda item, values: all(part(item, values) for part in parts)


def _term(words: list[str]) -> Condition:
    if words[0] == "(":
        words.pop(0)
        inner = _either(words)
        _expect(words, ")")
        return inner
    if words[0] in ("attribute_exists", "attribute_not_exists"):
        is_wanted = words.pop(0) == "attribute_exists"
        [name] = map(_named, _arguments(words))
        return lambda item, values: (name in item) is is_wanted
    one = _operand(words)
    comparison = words.pop(0)
    if comparison == "IN":
        names = _arguments(words)
        return lambda item, values: one(item, values) in [values[name] for name in names]
    compare, other = _COMPARISONS[comparison], _operand(words)
    return lambda item, values: _compared(compare, one(item, values), other(item, values))


def _compared(compare: Callable[[Any, Any], bool], one: Any, other: Any) -> bool:
    """What is missing, or of another type, compares as false."""
    same_type = isinstance(one, str) == isinstance(other, str) and _MISSING not in (one, other)
    return same_type and compare(one, other)


@cache
def _changes(text: str) -> tuple[tuple[str, Operand | None], ...]:
    """An UpdateExpression as pairs of attribute and its new value; None: it is removed."""
    words, found = _words(text), []
    clause = ""
    while words:
        if words[0] in ("SET", "REMOVE"):
            clause = words.pop(0)
        name = _named(words.pop(0))
        if clause == "SET":
            _expect(words, "=")
            found.append((name, _operand(words)))
        else:
            assert clause == "REMOVE", f"{text!r}: not understood"
            found.append((name, None))
        if words[:1] == [","]:
            words.pop(0)
    return tuple(found)


def _operand(words: list[str]) -> Operand:
    word = words.pop(0)
    if word.startswith(":"):
        return lambda item, values: values[word]
    if words[:1] != ["("]:
        name = _named(word)
        return lambda item, values: item.get(name, _MISSING)
    if word == "size":
        [name] = map(_named, _arguments(words))
        return lambda item, values: len(item[name]) if name in item else _MISSING
    _expect(words, "(")
    one = _operand(words)
    _expect(words, ",")
    other = _operand(words)
    _expect(words, ")")
    if word == "if_not_exists":
        return lambda item, values: other(item, values) if one(item, values) is _MISSING else one(item, values)
    assert word == "list_append", f"{word}: not understood"
    return lambda item, values: [*one(item, values), *other(item, values)]


def _named(word: str) -> str:
    if word.upper() in reserved_words():
        raise ReservedWord(f"{word} is a reserved word of DynamoDB")
    return word


def _arguments(words: list[str]) -> list[str]:
    """(a, b)"""
    _expect(words, "(")
    found = [words.pop(0)]
    while words[:1] == [","]:
        words.pop(0)
        found.append(words.pop(0))
    _expect(words, ")")
    return found


def _expect(words: list[str], word: str) -> None:
    found = words.pop(0) if words else "the end"
    assert found == word, f"{found} where {word} was expected"


def _words(text: str) -> list[str]:
    words, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        assert found, f"{text!r}: not understood at {at}"
        words.append(found[1])
        at = found.end()
    return words


def _copied(value: Any) -> Any:
    """As it comes back from DynamoDB: tuples are lists there, and members of enums plain texts."""
    if isinstance(value, dict):
        return {_text(name): _copied(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(each) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if type(value) is int:
        return value
    raise TypeError(f"{value!r}: DynamoDB does not take it, or no store of ours gives it")


def _text(value: object) -> str:
    if type(value) is not str and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return str.__str__(value)
