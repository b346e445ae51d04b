"""Reads `only_if:` and `unless:`: names of states, or names with a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from functions.aftercare_triggers.rules.fields import Part, Path, RuleError, nearest, scalar_of
from functions.aftercare_triggers.rules.guards import (
    ContactedWithin,
    Frozen,
    Not,
    OptedOut,
    ProfileField,
    Refunded,
    SubscriptionActive,
)
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.rule import Guard
from functions.aftercare_triggers.rules.values import OPERATORS, ORDERS, Scalar, number_of

_FLAGS = ("subscription.active", "opted_out", "refunded", "frozen")
_KNOWN = (*_FLAGS, "contacted_within")
_PROFILE = "profile."


def read_guards(document: Mapping[str, Any], key: str, when: Primitive, errors: list[RuleError]) -> tuple[Guard, ...]:
    """`[subscription.active, {contacted_within: P7D}]` or `{contacted_within: P7D, opted_out: true}`; `when` is the
    rule's condition, whose purchase may have been refunded."""
    value = document.get(key)
    if value is None and key not in document:
        return ()
    read = [_guard(part, name, when) for part, name in _entries(value, (key,), errors)]
    return tuple(guard for guard in read if guard is not None)


def _entries(value: Any, path: Path, errors: list[RuleError]) -> Iterator[tuple[Part, str]]:
    if isinstance(value, str):
        yield Part({value: True}, path, errors), value
    elif isinstance(value, Mapping):
        for name in value:
            yield Part(value, path, errors), str(name)
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            if isinstance(each, list | tuple):
                errors.append(RuleError((*path, place), "is a list in a list", "write the states one below the other"))
            else:
                yield from _entries(each, (*path, place), errors)
    else:
        errors.append(RuleError(path, "is no list of states", f"write some of {', '.join(_KNOWN)}, profile.<field>"))


def _guard(part: Part, name: str, when: Primitive) -> Guard | None:
    if name.startswith(_PROFILE) and name != _PROFILE:
        return _profile(part, name)
    if name == "contacted_within":
        return ContactedWithin(part.span(name))
    if name not in _FLAGS:
        part.fail(
            name, "is no state that we know", nearest(name, _KNOWN) or f"one of {', '.join(_KNOWN)}, profile.<field>"
        )
        return None
    flags: dict[str, Guard] = {
        "subscription.active": SubscriptionActive(),
        "opted_out": OptedOut(),
        "refunded": Refunded(when),
        "frozen": Frozen(),
    }
    is_wanted = part.get(name)
    if not isinstance(is_wanted, bool):
        part.fail(name, f"{is_wanted!r} does not fit", "write true or false")
    return Not(flags[name]) if is_wanted is False else flags[name]


def _profile(part: Part, name: str) -> Guard:
    """`profile.city: Москва`, `profile.level: [gold, platinum]`, `profile.age: {op: ">=", v: 18}`."""
    value = part.get(name)
    op, listed = "=", value if isinstance(value, list | tuple) else [value]
    if isinstance(value, Mapping):
        comparison = part.part(name, ["op", "v"])
        op, listed = comparison.choice("op", list(OPERATORS)), [comparison.scalar("v")]
    read: list[Scalar] = [each for each in map(scalar_of, listed) if each is not None]
    if not read or len(read) < len(listed):
        part.fail(name, "has no value to compare with", "write a text, a number, or a list of them")
    elif op in ORDERS and number_of(read[0]) is None:
        part.fail(name, f"{read[0]!r} is no number, so nothing can be `{op}`", "write a number, or use = or !=")
    return ProfileField(name.removeprefix(_PROFILE), op, tuple(read))
