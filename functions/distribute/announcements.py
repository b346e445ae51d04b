"""What the qualify router tells the bus, as far as it wants an owner or gives turns back. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from functions.distribute.hints import Closing, Hint
from functions.shared.assignment import HandOver
from functions.shared.department import AFTERCARE, EXCHANGE, MAIN, WARM_UP
from functions.shared.errors import HookRejected
from functions.shared.hooks import Reason
from functions.shared.inbox import BusMessage

_CAUSE = re.compile(r"arrival|route#[1-9]\d{0,8}")
_PLACE = re.compile(rf"({EXCHANGE}|{MAIN}|{AFTERCARE}|{WARM_UP})\.\w+")

ValueT = TypeVar("ValueT", int, str, bool)


def announced_hand_over(message: BusMessage, message_id: str) -> Hint | None:
    """LeadRouted; None where the lead stays with its team. Raises HookRejected."""
    detail = _Detail(message)
    if not detail.take("hand_over", bool):
        return None
    return Hint(
        lead_id=detail.take("lead_id", int, lambda value: value > 0),
        arrived_at=message.time,
        messages=frozenset({message_id}),
        cause=detail.take("cause", str, _CAUSE.fullmatch),
        team=detail.take("team", str, bool),
        handed_over=HandOver(
            from_place=detail.take("from_place", str, _PLACE.fullmatch),
            previous_owner=detail.take("previous_owner", int, lambda value: value >= 0),
            known_owner=detail.take("known_owner", int, lambda value: value >= 0),
        ),
    )


def announced_closing(message: BusMessage, message_id: str) -> tuple[str, Closing]:
    """LeadClosed: the key of the reason, and the closing. Raises HookRejected."""
    detail = _Detail(message)
    lead_id = detail.take("lead_id", int, lambda value: value > 0)
    return detail.take("reason", str), Closing(lead_id, message.time, frozenset({message_id}))


class _Detail:
    """The content of an event; whatever is missing or wrong rejects the message with the name of the field."""

    def __init__(self, message: BusMessage) -> None:
        self._type = message.detail_type
        self._fields: Mapping[str, Any] = message.detail

    def take(self, name: str, kind: type[ValueT], is_right: Callable[[ValueT], object] | None = None) -> ValueT:
        value = self._fields.get(name)
        if type(value) is not kind or (is_right and not is_right(value)):  # a bool is an int to isinstance
            raise HookRejected(Reason.BAD_BUS_EVENT, f"{self._type} without a usable {name}")
        return value
