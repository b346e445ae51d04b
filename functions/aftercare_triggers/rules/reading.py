"""A rule as the department's file or the book of rules gives it → Rule, everything that is wrong with it named at once;
and what the book keeps about all its rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.aftercare_triggers.rules.cadence import CadenceBreak, MissedRhythm
from functions.aftercare_triggers.rules.composite import AllOf, AnyOf
from functions.aftercare_triggers.rules.conditions import Condition, read_condition
from functions.aftercare_triggers.rules.fields import Part, RuleError, RuleErrors
from functions.aftercare_triggers.rules.frequency import AtLeast, AtMost, Exactly, Regularly
from functions.aftercare_triggers.rules.guarding import read_guards
from functions.aftercare_triggers.rules.lifecycle import AfterEvent
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.recency import Restarted, Silence, Stopped
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.rules.settings import (
    read_action,
    read_backfill,
    read_cap,
    read_escalate,
    read_exit,
    read_holdout,
    read_late,
    read_re_entry,
    read_window,
)
from functions.aftercare_triggers.rules.states import HasNot, Threshold, Value
from functions.aftercare_triggers.rules.streak import Streak
from functions.shared.facts import PROFILE_UPDATED, SUBSCRIPTION_UNFROZEN

_KEYS = (
    *("id", "version", "effective_from", "priority", "when", "only_if", "unless", "re_entry", "cooldown", "cap"),
    *("window", "late", "backfill", "holdout", "action", "task", "escalate", "exit"),
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HARMLESS = Condition(Threshold("none", "=", 0), frozenset())
"""Stands for a condition that could not be read, so that the rest of the rule is read too."""
_ANY_TIME = datetime.fromtimestamp(0, UTC)
_SHORTEST_LOOKBACK = timedelta(days=90)
_RHYTHM = timedelta(days=120)
"""Where eleven visits are found as a rule."""


def read_rule(
    document: Mapping[str, Any],
    *,
    version: int = 1,
    effective_from: datetime | None = None,
    holdout: float = 0.1,
    calendars: Collection[str] = (),
    language: str = "ru",
) -> Rule:
    """The rule that the document describes; the other arguments stand for what it does not say. `calendars` are the
    firm's own, besides `all` and `ru_working`. Raises RuleErrors with everything that is wrong."""
    errors: list[RuleError] = []
    part = Part.of(document, (), errors, _KEYS)
    name = part.text("id")
    if name and not _ID.fullmatch(name):
        part.fail("id", f"{name!r} does not fit", "up to 64 Latin letters, digits, - and _")
    condition = _condition(part)
    re_entry, every = read_re_entry(part)
    backfill, backfill_since = read_backfill(part)
    rule = Rule(
        id=name,
        version=part.whole("version", 1, default=version),
        effective_from=_effective_from(part, effective_from),
        when=condition.when,
        action=read_action(part, condition.supplies),
        priority=part.whole("priority", 0, 100, default=50),
        only_if=read_guards(part.document, "only_if", condition.when, errors),
        unless=read_guards(part.document, "unless", condition.when, errors),
        re_entry=re_entry,
        every=every,
        cooldown=part.span("cooldown", timedelta(0), may_be_nothing=True),
        cap=read_cap(part),
        window=read_window(part, calendars),
        late=read_late(part),
        backfill=backfill,
        backfill_since=backfill_since,
        holdout=read_holdout(part, holdout),
        escalate=read_escalate(part, condition),
        exit=read_exit(part, condition.when, language),
    )
    if errors:
        raise RuleErrors(name or "a rule without an id", errors)
    return rule


def wakes_of(rules: Iterable[Rule]) -> frozenset[str]:
    """Types of facts after which a client is looked at at once: they can make a rule true earlier than its due, open
    one of its guards, or end a freeze that holds it back. A new profile may bring another zone, so it always counts."""
    wakes: set[str] = set()
    for rule in rules:
        wakes |= rule.when.woken_by | {PROFILE_UPDATED}
        for guard in rule.only_if + rule.unless:
            wakes |= guard.reads
        if rule.when.judged_at_watermark:
            wakes.add(SUBSCRIPTION_UNFROZEN)
    return frozenset(wakes)


def lookback_of(rules: Iterable[Rule]) -> timedelta:
    """How far back facts of frequent types are read at a wake, so that hardly any client needs a second, longer
    reading: half as long again as the rules look, for freezes and the stretch before."""
    longest = max((_reach(rule.when) for rule in rules), default=timedelta(0))
    return max(longest * 1.5, _SHORTEST_LOOKBACK)


def _reach(when: Primitive) -> timedelta:
    """How far back a condition looks at facts that may be many."""
    match when:
        case AllOf() | AnyOf():
            return max(map(_reach, when.members))
        case Silence():
            return when.lasting
        case Stopped():
            return when.had_in
        case Restarted():
            return when.gap + when.stays
        case CadenceBreak():
            return max(when.most, when.fallback, _RHYTHM)
        case MissedRhythm():
            return _RHYTHM
        case Streak():
            return timedelta(weeks=when.count) + when.unmarked_after
        case AtLeast() | AtMost() | Exactly():
            return when.window
        case Regularly():
            return timedelta(days=(7 if when.per_week else 31) * (when.of_last + 1))
        case AfterEvent():
            return timedelta(days=when.by.days + 31 * when.by.months) + when.stays
        case Value():
            return when.stays
        case HasNot():
            return when.within + when.stays
        case _:
            return timedelta(0)


def _condition(part: Part) -> Condition:
    if "when" not in part:
        part.fail("when", "is missing", "write `when:` and a condition below it, like streak: {…}")
        return _HARMLESS
    return read_condition(part.get("when"), (*part.path, "when"), part.errors) or _HARMLESS


def _effective_from(part: Part, default: datetime | None) -> datetime:
    value = part.document.get("effective_from", default)
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(read, datetime) and read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    part.fail("effective_from", "is no moment with its zone", "write it like 2026-11-20T12:00:00+03:00")
    return _ANY_TIME
