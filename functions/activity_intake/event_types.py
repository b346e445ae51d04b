"""The types of facts and what they must say; unknown ones are kept as they are, a rule may name them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from functions.shared import facts

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value)[:10])
    except ValueError:
        return False
    return isinstance(value, str)


def _is_moment(value: Any) -> bool:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment is not None and moment.tzinfo is not None and bool(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        return False


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_side(value: Any) -> bool:
    return value in ("client", "club")


_WORDS: Mapping[Check, str] = {
    _is_text: "a text or a number",
    _is_number: "a number",
    _is_date: "a date as in 2026-12-31",
    _is_moment: "a time with its zone as in 2026-11-23T18:00:00+03:00",
    _is_flag: "true or false",
    _is_side: "client or club",
}


REQUIRED: Mapping[str, Mapping[str, Check]] = {
    facts.SESSION_BOOKED: {"session_id": _is_text, "start": _is_moment},
    facts.SESSION_CANCELLED: {"session_id": _is_text, "by": _is_side},
    facts.SUBSCRIPTION_STARTED: {"subscription_id": _is_text},
    facts.SUBSCRIPTION_RENEWED: {"subscription_id": _is_text},
    facts.SUBSCRIPTION_FROZEN: {"subscription_id": _is_text},
    facts.SUBSCRIPTION_UNFROZEN: {"subscription_id": _is_text},
    facts.SUBSCRIPTION_CANCELLED: {"subscription_id": _is_text},
    facts.NPS_RESPONDED: {"score": _is_number},
    facts.HEARTBEAT: {"complete_until": _is_moment},
}
"""By type, what its data must have."""

OPTIONAL: Mapping[str, Check] = {
    "session_id": _is_text,
    "subscription_id": _is_text,
    "start": _is_moment,
    "late": _is_flag,
    "visits_left": _is_number,
    "price": _is_number,
}
"""What has a meaning wherever it stands."""

DATES: Mapping[str, frozenset[str]] = {
    facts.SUBSCRIPTION_STARTED: frozenset({"end"}),
    facts.SUBSCRIPTION_RENEWED: frozenset({"end"}),
    facts.PROFILE_UPDATED: frozenset({"birthday"}),
}
TIMES: Mapping[str, frozenset[str]] = {
    facts.SESSION_BOOKED: frozenset({"end"}),
    facts.SUBSCRIPTION_FROZEN: frozenset({"from", "to"}),
}


def problem_of(kind: str, data: Mapping[str, Any]) -> str:
    """What is wrong with the data of a fact of this type, empty for nothing."""
    required = REQUIRED.get(kind, {})
    missing = [name for name in required if data.get(name) in (None, "")]
    if missing:
        return f"{kind} needs {' and '.join(missing)} in its data"
    known = {
        **OPTIONAL,
        **dict.fromkeys(DATES.get(kind, ()), _is_date),
        **dict.fromkeys(TIMES.get(kind, ()), _is_moment),
        **required,
    }
    if kind not in KNOWN:
        return ""
    wrong = [name for name, check in known.items() if data.get(name) is not None and not check(data[name])]
    return "; ".join(f"{name} is not {_WORDS[known[name]]}" for name in wrong)


KNOWN = frozenset(
    value
    for name, value in vars(facts).items()
    if name.isupper() and isinstance(value, str) and "." in value and value != facts.CONTACTED
)
"""All types that mean something to the rules without being named in one."""
