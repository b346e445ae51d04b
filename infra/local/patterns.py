"""Event patterns of EventBridge: what a rule wants (EventBridge user guide: event patterns; Event Ruler's README).

moto evaluates them too, but takes operators that do not exist, `true` for 1 and an empty array for something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from infra.local.intrinsics import Unsupported

EITHER = "$or"
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether the event has every field that the pattern names, with one of the values it lists."""
    for name, wanted in pattern.items():
        if name == EITHER:
            if not any(matches(alternative, event) for alternative in wanted):
                return False
            continue
        value = event.get(name, []) if isinstance(event, Mapping) else []
        if isinstance(wanted, Mapping):
            if not any(matches(wanted, each) for each in _objects(value)):
                return False
        elif not any(_takes(matcher, list(_leaves(value))) for matcher in wanted):
            return False
    return True


def check_pattern(pattern: Any, where: str) -> None:
    """Raises Unsupported, naming `where` and the field, for what EventBridge refuses and for what is not played here
    (wildcard, cidr, equals-ignore-case)."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise Unsupported(f"{where}: a pattern is an object with at least one field")
    for name, wanted in pattern.items():
        place = f"{where}.{name}"
        if name == EITHER:
            if not isinstance(wanted, list) or len(wanted) < 2:
                raise Unsupported(f"{place}: wants two alternatives or more")
            for alternative in wanted:
                check_pattern(alternative, place)
        elif isinstance(wanted, Mapping):
            check_pattern(wanted, place)
        elif not isinstance(wanted, list) or not wanted:
            raise Unsupported(f"{place}: must be an object, or an array with at least one value")
        else:
            for matcher in wanted:
                _check_matcher(matcher, place)


def _leaves(value: Any) -> Iterator[Any]:
    """The values of a field, those of an array one by one; an object is none, an empty array has none."""
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif not isinstance(value, Mapping):
        yield value


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects at a field: all fields of a pattern must match in the same one. Without any, only absence matches."""
    objects = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping)]
    yield from objects or [{}]


def _takes(matcher: Any, leaves: list[Any]) -> bool:
    if isinstance(matcher, Mapping) and "exists" in matcher:
        return bool(leaves) is matcher["exists"]
    return any(_takes_leaf(matcher, leaf) for leaf in leaves)


def _takes_leaf(matcher: Any, leaf: Any) -> bool:
    if not isinstance(matcher, Mapping):
        return _same(matcher, leaf)
    [(operator, operand)] = matcher.items()
    match operator:
        case "prefix":
            return isinstance(leaf, str) and leaf.startswith(operand)
        case "suffix":
            return isinstance(leaf, str) and leaf.endswith(operand)
        case "anything-but":
            return not any(_same(other, leaf) for other in (operand if isinstance(operand, list) else [operand]))
        case _:  # numeric: check_pattern lets no other pass
            bounds = zip(operand[::2], operand[1::2], strict=True)
            return _is_number(leaf) and all(_COMPARISONS[sign](leaf, bound) for sign, bound in bounds)


def _check_matcher(matcher: Any, place: str) -> None:
    if matcher is None or isinstance(matcher, str | bool | int | float):
        return
    if not isinstance(matcher, Mapping) or len(matcher) != 1:
        raise Unsupported(f"{place}: {matcher!r} is neither a value nor one match expression")
    [(operator, operand)] = matcher.items()
    is_sound = {
        "prefix": lambda: isinstance(operand, str),
        "suffix": lambda: isinstance(operand, str),
        "exists": lambda: isinstance(operand, bool),
        "anything-but": lambda: _is_uniform(operand if isinstance(operand, list) else [operand]),
        "numeric": lambda: isinstance(operand, list) and _is_range(operand),
    }
    if operator not in is_sound or not is_sound[operator]():
        raise Unsupported(f"{place}: {matcher!r} is no match expression that EventBridge takes and this stack plays")


def _is_uniform(values: list[Any]) -> bool:
    """anything-but takes strings only or numbers only."""
    return bool(values) and (all(isinstance(value, str) for value in values) or all(map(_is_number, values)))


def _is_range(operand: list[Any]) -> bool:
    """One comparison, or a lower and an upper bound."""
    signs, bounds = operand[::2], operand[1::2]
    is_known = all(isinstance(sign, str) and sign in _COMPARISONS for sign in signs)
    is_paired = len(signs) == len(bounds) and all(map(_is_number, bounds))
    return is_known and is_paired and (len(signs) == 1 or [sign[0] for sign in signs] == [">", "<"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: Python's, but `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
