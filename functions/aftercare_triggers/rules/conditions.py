"""Reads what stands under `when:`: one primitive with its parameters, or all/any of several."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.aftercare_triggers.rules.cadence import CadenceBreak, MissedRhythm
from functions.aftercare_triggers.rules.clocks import Calendar
from functions.aftercare_triggers.rules.composite import AllOf, AnyOf
from functions.aftercare_triggers.rules.fields import Part, Path, RuleError, nearest, scalar_of
from functions.aftercare_triggers.rules.frequency import AtLeast, AtMost, Exactly, Regularly
from functions.aftercare_triggers.rules.lifecycle import MORNING, AfterEvent, Anniversary, DateReached
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.recency import Restarted, Silence, Stopped
from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.states import CARRIERS, HasNot, Threshold, Value
from functions.aftercare_triggers.rules.streak import NEUTRAL, Streak
from functions.aftercare_triggers.rules.values import OPERATORS, ORDERS, Scalar, number_of
from functions.shared import facts as kinds

KNOWN_TYPES = kinds.LASTING | {
    kinds.SESSION_BOOKED,
    kinds.SESSION_CANCELLED,
    kinds.VISIT_ATTENDED,
    kinds.VISIT_MISSED,
}
SHORT_TYPES = {"attended": kinds.VISIT_ATTENDED, "missed": kinds.VISIT_MISSED}
"""How people say it in `on: attended`."""

_TYPE = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_SURELY = 0.9
"""Likeness from which an unknown type is a slip of the pen and not a type of the firm's own."""
_SUBSCRIPTION_DATES = frozenset({"subscription.start", "subscription.end"})
_DEEPEST = 5
_MOST_PERIODS = 60


@dataclass(frozen=True)
class Condition:
    """`supplies` are the names that a text may show of it."""

    when: Primitive
    supplies: frozenset[str]


def read_condition(value: Any, path: Path, errors: list[RuleError], depth: int = 0) -> Condition | None:
    """None when it cannot be read; the reasons are in `errors`."""
    if not isinstance(value, Mapping) or not value:
        problem = "is empty" if value in (None, {}) else "is no condition"
        errors.append(RuleError(path, problem, f"write one of {', '.join(_READERS)}, all, any"))
        return None
    known = [*_READERS, "all", "any"]
    for name in value:
        if name not in known:
            remedy = nearest(str(name), known) or f"one of {', '.join(known)}"
            errors.append(RuleError((*path, str(name)), "is no condition that we know", remedy))
    if len(value) > 1:
        both = " and ".join(map(str, value))
        errors.append(RuleError(path, f"two conditions in one place: {both}", "put them under all: or any:"))
        return None
    ((name, inner),) = value.items()
    if name in ("all", "any"):
        return _composite(str(name), inner, (*path, name), errors, depth)
    reader = _READERS.get(name)
    if reader is None:
        return None
    when = reader.read(Part.of(inner, (*path, name), errors, reader.known))
    return Condition(when, _OF_RHYTHM if isinstance(when, MissedRhythm) else reader.supplies)


def _composite(name: str, value: Any, path: Path, errors: list[RuleError], depth: int) -> Condition | None:
    if not isinstance(value, list | tuple) or len(value) < 2:
        errors.append(RuleError(path, "is no list of two or more", "write `- silence: {…}` lines below it"))
        return None
    if depth == _DEEPEST:
        errors.append(RuleError(path, "nested too deeply", "split the rule in two"))
        return None
    read = [read_condition(each, (*path, place), errors, depth + 1) for place, each in enumerate(value)]
    members = [each for each in read if each is not None]
    if len(members) < len(read):
        return None
    whens = tuple(member.when for member in members)
    supplied = [member.supplies for member in members]
    if name == "all":
        return Condition(AllOf(whens), frozenset().union(*supplied))
    return Condition(AnyOf(whens), frozenset.intersection(*supplied))


def event_type(value: Any, path: Path, errors: list[RuleError]) -> str:
    """A type of facts. Types of the firm's own are allowed, slips of the pen are not."""
    if isinstance(value, str) and _TYPE.fullmatch(value):
        kind = SHORT_TYPES.get(value, value)
        if kind in KNOWN_TYPES or not nearest(kind, KNOWN_TYPES, _SURELY):
            return kind
        errors.append(RuleError(path, f"{value!r} is not known", nearest(kind, KNOWN_TYPES)))
        return kind
    problem = "is missing" if value is None else f"{value!r} is no type of events"
    errors.append(RuleError(path, problem, "write one like visit.attended"))
    return kinds.VISIT_ATTENDED


def _selector(part: Part, key: str = "of") -> Selector:
    return Selector(event_type(part.get(key), (*part.path, key), part.errors), _where(part))


def _where(part: Part) -> Mapping[str, Any]:
    value = part.get("where")
    if value is None and "where" not in part:
        return {}
    if not isinstance(value, Mapping) or not value:
        part.fail("where", "is no condition on the event's data", "write it like where: {category: trial}")
        return {}
    where = {}
    for path, wanted in value.items():
        read = [scalar_of(each) for each in wanted] if isinstance(wanted, list | tuple) else scalar_of(wanted)
        if read is None or read == [] or (isinstance(read, list) and None in read):
            part.errors.append(
                RuleError((*part.path, "where", str(path)), "is no value", "write a text, a number, or a list of them")
            )
        where[str(path)] = read
    return where


def _streak(part: Part) -> Primitive:
    part.choice("of", ["session"], "session")
    part.choice("outcome", ["missed"], "missed")
    part.choice("reset_by", ["attended"], "attended")
    count = part.whole("count", 1, 100)
    expected = part.choice("expected", ["bookings", "timetable", "cadence"], "bookings")
    if expected == "cadence":
        for key in ("miss_is", "grace", "unmarked_after", "neutral"):
            if key in part:
                part.fail(key, "means nothing with `expected: cadence`, which knows no sessions", "leave it out")
        return MissedRhythm(Selector(kinds.VISIT_ATTENDED, _where(part)), count)
    return Streak(
        count=count,
        expected=expected,
        is_derived=part.choice("miss_is", ["marked", "derived"], "marked") == "derived",
        grace=part.span("grace", timedelta(hours=3), may_be_nothing=True),
        unmarked_after=part.span("unmarked_after", timedelta(days=14)),
        neutral=part.words("neutral", sorted({*NEUTRAL, "cancelled_late"}), NEUTRAL),
        where=_where(part),
    )


def _silence(part: Part) -> Primitive:
    return Silence(_selector(part), part.span("for"))


def _stopped(part: Part) -> Primitive:
    had = part.part("had", ["n", "in"])
    had_in, none_for = had.span("in"), part.span("none_for")
    if "in" in had and "none_for" in part and had_in <= none_for:
        had.fail("in", "is not longer than `none_for`, so nothing can have been", "make it longer than `none_for`")
    return Stopped(_selector(part), had.whole("n", 1, 1000), had_in, none_for)


def _restarted(part: Part) -> Primitive:
    return Restarted(_selector(part), part.span("gap"), part.span("stays", timedelta(days=3)))


def _cadence_break(part: Part) -> Primitive:
    least, most = part.span("min", timedelta(days=5)), part.span("max", timedelta(days=45))
    if least > most:
        part.fail("min", "is longer than `max`", "swap them")
    fallback = part.span("fallback", timedelta(days=14))
    return CadenceBreak(_selector(part), part.number("k", 0, 2.5), least, most, fallback)


def _count(part: Part) -> Primitive:
    op = part.choice("op", ["<=", "=", ">="])
    of, n, window = _selector(part), part.whole("n", int(op == ">=")), part.span("in")
    if op == "=":
        return Exactly(of, n, window)
    return AtMost(of, n, window) if op == "<=" else AtLeast(of, n, window)


def _regularly(part: Part) -> Primitive:
    is_at_least = part.choice("op", [">=", "<="], ">=") == ">="
    per_week = part.choice("per", ["week", "month"], "week") == "week"
    at_least, of_last = part.whole("at_least", 1), part.whole("of_last", 1, _MOST_PERIODS)
    if at_least > of_last:
        part.fail("at_least", f"{at_least} of the last {of_last} can never be", "make it no more than `of_last`")
    return Regularly(_selector(part), is_at_least, part.whole("n", int(is_at_least)), at_least, of_last, per_week)


def _after(part: Part) -> Primitive:
    by, at, stays = part.distance("by"), part.clock("at", MORNING), part.span("stays", timedelta(days=3))
    if ("event" in part) == ("field" in part):
        part.fail(None, "needs either `event` or `field`", "write `event: purchase.completed` or `field: …`")
        return AfterEvent(Selector(kinds.PURCHASE_COMPLETED), by)
    if "field" in part:
        for key in ("which", "where"):
            if key in part:
                part.fail(key, "means nothing for a field", "leave it out")
        return DateReached(_field(part), by, False, at, stays)
    which = part.choice("which", ["first", "last", "each"], "last")
    return AfterEvent(_selector(part, "event"), by, which, at, stays)


def _before(part: Part) -> Primitive:
    by, stays = part.distance("by"), part.span("stays", timedelta(days=3))
    if "by" in part and by == Calendar():
        part.fail("by", "is no distance", "use `on:` for the day itself")
    return DateReached(_field(part), by, True, part.clock("at", MORNING), stays)


def _on(part: Part) -> Primitive:
    at, stays = part.clock("at", MORNING), part.span("stays", timedelta(days=1))
    return DateReached(_field(part), Calendar(), True, at, stays)


def _anniversary(part: Part) -> Primitive:
    at, stays = part.clock("at", MORNING), part.span("stays", timedelta(days=1))
    return Anniversary(_field(part), at, stays)


def _field(part: Part) -> str:
    name = part.text("field")
    if name.startswith("subscription.") and name not in _SUBSCRIPTION_DATES:
        guess = nearest(name, _SUBSCRIPTION_DATES, _SURELY)
        if guess:
            part.fail("field", f"{name!r} is not known", guess)
    return name


def _value(part: Part) -> Primitive:
    op, v = _comparison(part)
    stays = part.span("stays", timedelta(days=7))
    return Value(_selector(part), part.text("path"), op, v, stays)


def _threshold(part: Part) -> Primitive:
    op, v = _comparison(part)
    carriers: Collection[str] = CARRIERS
    if "of" in part:
        named = part.get("of")
        listed = named if isinstance(named, list | tuple) else [named]
        carriers = [event_type(each, (*part.path, "of"), part.errors) for each in listed]
        if not listed:
            part.fail("of", "is empty", "write one like visit.attended, or leave it out")
    return Threshold(part.text("path"), op, v, frozenset(carriers))


def _comparison(part: Part) -> tuple[str, Scalar]:
    op, v = part.choice("op", list(OPERATORS)), part.scalar("v")
    if op in ORDERS and number_of(v) is None:
        part.fail("v", f"{v!r} is no number, so nothing can be `{op}`", "write a number, or use = or !=")
    return op, v


def _has_not(part: Part) -> Primitive:
    after = part.get("after")
    if isinstance(after, Mapping):
        base = _selector(part.part("after", ["event", "where"]), "event")
    else:
        base = Selector(event_type(after, (*part.path, "after"), part.errors))
    within, stays = part.span("within"), part.span("stays", timedelta(days=14))
    return HasNot(base, _selector(part, "event"), within, stays)


_OF_RHYTHM = frozenset({"date", "days"})
"""A rhythm knows no sessions, so a streak of it has no dates, and its count does not grow."""


@dataclass(frozen=True)
class _Reader:
    read: Callable[[Part], Primitive]
    known: tuple[str, ...]
    supplies: frozenset[str]


def _reader(read: Callable[[Part], Primitive], known: str, supplies: str) -> _Reader:
    return _Reader(read, tuple(known.split()), frozenset(supplies.split()))


_READERS = {
    "streak": _reader(
        _streak,
        "of outcome count reset_by expected miss_is grace unmarked_after neutral where",
        "dates count",
    ),
    "silence": _reader(_silence, "of for where", "date days"),
    "stopped": _reader(_stopped, "of had none_for where", "date days"),
    "restarted": _reader(_restarted, "of gap stays where", "date days"),
    "cadence_break": _reader(_cadence_break, "of k min max fallback where", "date days"),
    "count": _reader(_count, "of op n in where", "count days"),
    "regularly": _reader(_regularly, "of op n per at_least of_last where", "met of_last"),
    "after": _reader(_after, "event field which where by at stays", "date days"),
    "before": _reader(_before, "field by at stays", "date days"),
    "on": _reader(_on, "field at stays", "date days"),
    "anniversary": _reader(_anniversary, "field at stays", "date years"),
    "value": _reader(_value, "of path op v stays where", "value date"),
    "threshold": _reader(_threshold, "of path op v", "value date"),
    "has_not": _reader(_has_not, "after event where within stays", "date days"),
}
"""By name: who reads it, the keys it knows, and what its `numbers` always tell."""
