"""How a rule compares the values that it finds in facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt, ne
from typing import Any

ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {"<=": le, "<": lt, ">": gt, ">=": ge}
EQUALITIES: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne}
OPERATORS = {**ORDERS, **EQUALITIES}

Scalar = str | int | Decimal | bool


def satisfies(found: Any, op: str, wanted: Scalar) -> bool:
    """Whether a found value stands in that relation to the wanted one. Numbers are also read from text ("4"); a value
    of another kind, or none, satisfies nothing, not even `!=`."""
    if found is None:
        return False
    if isinstance(wanted, bool) or isinstance(found, bool):
        return (
            isinstance(wanted, bool) and isinstance(found, bool) and op in EQUALITIES and OPERATORS[op](found, wanted)
        )
    number, against = number_of(found), number_of(wanted)
    if number is not None and against is not None:
        return OPERATORS[op](number, against)
    return op in EQUALITIES and OPERATORS[op](str(found), str(wanted))


def number_of(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
