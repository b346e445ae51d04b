"""The gates that open by themselves or with a fact, and hold a firing back until then: guards, freeze, cool-down, cap,
window. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.aftercare_triggers.scene import View, earliest
from functions.aftercare_triggers.traces import TASKS, has_task_to_join
from functions.shared.care import COUNTED, Client, Trace
from functions.shared.facts import SUBSCRIPTION_UNFROZEN


@dataclass(frozen=True)
class Closed:
    """`until` is when it opens at the earliest by itself (None: only with a fact), `opened_by` the facts that open it
    earlier."""

    gate: str
    until: datetime | None
    opened_by: frozenset[str] = frozenset()


def closed_gate(view: View, client: Client, traces: Sequence[Trace], at: datetime) -> Closed | None:
    """The first of them that is closed at `at`, which may be past: what had been fired by then counts."""
    fired = [trace for trace in traces if trace.decided_at <= at]
    return (
        _guards(view, at)
        or _freeze(view, at)
        or _cooldown(view, fired, at)
        or _cap(view, client, fired, at)
        or _window(view, at)
    )


def planned_at(view: View, client: Client, traces: Sequence[Trace], base: datetime) -> datetime:
    """The first instant from `base` on at which all of them were open; now, if they never were."""
    at = base
    while at < view.now:
        closed = closed_gate(view, client, traces, at)
        if closed is None:
            return at
        at = earliest(closed.until, _next_fact(view, closed.opened_by, at)) or view.now
    return view.now


def _guards(view: View, at: datetime) -> Closed | None:
    rule, person = view.rule, view.person
    closed = [guard for guard in rule.only_if if not guard.is_true(person, at)]
    closed += [guard for guard in rule.unless if guard.is_true(person, at)]
    if not closed:
        return None
    ends = [guard.changes_at(person, at) for guard in closed]
    known = [end for end in ends if end is not None]
    until = max(known) if len(known) == len(ends) else None
    return Closed("guards", until, frozenset().union(*(guard.reads for guard in closed)))


def _freeze(view: View, at: datetime) -> Closed | None:
    if not view.rule.when.judged_at_watermark:
        return None
    span = view.person.freezes.at(at)
    return None if span is None else Closed("freeze", span[1], frozenset({SUBSCRIPTION_UNFROZEN}))


def _cooldown(view: View, fired: Sequence[Trace], at: datetime) -> Closed | None:
    own = [trace.decided_at for trace in fired if trace.rule == view.rule.id and trace.status in COUNTED]
    until = max(own) + view.rule.cooldown if own else at
    return Closed("cooldown", until) if at < until else None


def _cap(view: View, client: Client, fired: Sequence[Trace], at: datetime) -> Closed | None:
    if view.rule.cap.per_client is None:
        return None
    allowed, window = view.rule.cap.per_client
    tasks = sorted(t.decided_at for t in fired if t.status in TASKS and at < t.decided_at + window)
    if len(tasks) < allowed or has_task_to_join(client, fired, at):
        return None
    return Closed("cap", tasks[len(tasks) - allowed] + window)


def _window(view: View, at: datetime) -> Closed | None:
    opening = view.scene.days.next_opening(view.rule.window, view.person.zone, at)
    return None if opening == at else Closed("window", opening)


def _next_fact(view: View, types: frozenset[str], at: datetime) -> datetime | None:
    told = (fact.time for fact in view.person.at_hand(types, view.now, at))
    return next(told, None) if types else None
