"""Which facts a rule speaks of: a type, and what their data must say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.values import satisfies
from functions.shared.facts import Fact


@dataclass(frozen=True)
class Selector:
    """Facts of `type` whose data has, at every path of `where` (dots lead into nested objects), the value that stands
    there; a list of values means any of them."""

    type: str
    where: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, fact: Fact) -> bool:
        return fact.type == self.type and has(fact.data, self.where)

    def newest(self, person: Person, at: datetime) -> Iterator[Fact]:
        """The facts that it means, from the newest on; see Person.newest."""
        return (fact for fact in person.newest((self.type,), at) if not self.where or self.matches(fact))


def has(data: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether the data satisfies every condition of `where`."""
    return all(_is_one_of(at_path(data, path), wanted) for path, wanted in where.items())


def at_path(data: Mapping[str, Any], path: str) -> Any:
    """The value at `a.b.c`, None where there is none. A key that itself contains dots is found first."""
    if path in data:
        return data[path]
    value: Any = data
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _is_one_of(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Collection) and not isinstance(wanted, str):
        return any(satisfies(value, "=", one) for one in wanted)
    return satisfies(value, "=", wanted)
