"""`query` and filters by custom fields (amoCRM API: contacts, search)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import request

from infra.local.amocrm_simulator import custom_fields, php
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.model import Fields
from infra.local.amocrm_simulator.world import World

T = TypeVar("T")


def query() -> str:
    return request.args.get("query", "").strip()


def matches(world: World, query: str, texts: Iterable[str], fields: Fields) -> bool:
    """A substring of anything filled; of a phone's digits too, unless the search is strict."""
    needle = query.casefold()
    if any(needle in text.casefold() for text in (*texts, *custom_fields.texts(fields))):
        return True
    digits = "".join(filter(str.isdigit, query))
    if world.switches.strict_query or not digits or any(char.isalpha() for char in query):
        return False
    return any(digits in phone for phone in custom_fields.phones(world, fields))


def by_custom_fields(read: Callable[[T], Fields]) -> listing.Filter[T]:
    """`filter[custom_fields_values][{field_id}][]` or `[from]`, `[to]`; anything but a numeric id is not understood."""

    def make(raw: Any) -> listing.Predicate[T] | None:
        sent = raw.items() if isinstance(raw, dict) else ()
        tests = [_one_field(int(key), wanted) for key, wanted in sent if key.isdigit()]
        return (lambda entity: all(test(read(entity)) for test in tests)) if tests else None

    return make


def _one_field(field_id: int, raw: Any) -> Callable[[Fields], bool]:
    ranged = listing.between(lambda value: value if isinstance(value, int) else None)
    inside = ranged(raw) if isinstance(raw, dict) and {"from", "to"} & raw.keys() else None
    wanted = set(php.listed(raw))

    def test(fields: Fields) -> bool:
        values = fields.get(field_id, ())
        if inside is not None:
            return any(inside(value.value) for value in values)
        return any(str(value.value) in wanted or str(value.enum_id) in wanted for value in values)

    return test
