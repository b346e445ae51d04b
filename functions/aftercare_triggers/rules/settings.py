"""Reads what stands between a condition and a task: how often, when, for whom, and the task itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import time, timedelta
from string import Formatter
from typing import Any

from functions.aftercare_triggers.rules.clocks import duration
from functions.aftercare_triggers.rules.conditions import Condition, event_type
from functions.aftercare_triggers.rules.fields import LONGEST, Part, clock_of
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.rule import (
    Action,
    BackfillMode,
    Cap,
    Escalation,
    Exit,
    Late,
    LatePolicy,
    ReEntry,
    Window,
)

CALENDARS = frozenset({"all", "ru_working"})

_HEAD = {"head": "head", "head_of_sales": "head", "responsible": "responsible"}
_SLOT = re.compile(r"(?:next_working_slot)?(?:\s*\+?\s*(?P<after>[0-9A-Za-z]+))?")
_PER = {"day": "1d", "week": "7d", "month": "30d"}
_RETURNED = {"ru": "Клиент вернулся {date}", "en": "The client came back {date}"}


def share_of(value: Any) -> float | None:
    """`10%` or 0.1 as a share from 0 to 1; None: it is none."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,3}(\.\d+)?\s*%", value.strip()):
        value = float(value.strip().rstrip("% ")) / 100
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def read_action(part: Part, supplies: frozenset[str]) -> Action:
    if ("action" in part) == ("task" in part):
        part.fail("action", "is missing" if "action" not in part else "is given besides `task`", "write one `task:`")
        return Action("")
    if "action" in part:
        part = part.part("action", ["task"])
        if "task" not in part:
            part.fail("task", "is missing", "write `task: {text: …}`")
            return Action("")
    if isinstance(part.get("task"), str):
        return Action(_text(part, "task", supplies))
    task = part.part("task", ["type", "due", "assign", "text", "value"])
    return Action(
        text=_text(task, "text", supplies),
        kind=task.choice("type", ["call", "meeting"], "call"),
        due_after=_due_after(task),
        assign=_HEAD[task.choice("assign", list(_HEAD), "responsible")],
        value=task.text("value") if "value" in task else "",
    )


def _text(part: Part, key: str, supplies: Collection[str]) -> str:
    """A text whose {names} are all supplied."""
    text = part.text(key)
    shown = ", ".join(f"{{{name}}}" for name in sorted(supplies)) or "no such names"
    try:
        pieces = list(Formatter().parse(text))
    except ValueError:
        part.fail(key, "has a brace { or } without its fellow", "write {{ and }} for braces that shall be shown")
        return text
    for _, name, spec, conversion in pieces:
        if name is not None and (name not in supplies or spec or conversion):
            part.fail(key, f"{{{name}}} is not supplied by this condition", f"it supplies {shown}")
    return text


def _due_after(task: Part) -> timedelta:
    value = task.get("due")
    if value is None:
        return Action.due_after
    read = _SLOT.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    try:
        after = timedelta(0) if read is None or read["after"] is None else duration(read["after"])
    except (ValueError, OverflowError):
        read = None
    if read is None or after > LONGEST:
        task.fail("due", f"{value!r} does not fit", "write it like next_working_slot+4h")
        return Action.due_after
    return after


def read_re_entry(part: Part) -> tuple[ReEntry, timedelta | None]:
    if isinstance(part.get("re_entry"), Mapping):
        return ReEntry.EVERY, part.part("re_entry", ["every"]).span("every")
    if part.get("re_entry") == ReEntry.EVERY.value:
        part.fail("re_entry", "`every` needs to know how often", "write {every: P90D}")
        return ReEntry.NEW_EPISODE, None
    return ReEntry(part.choice("re_entry", [ReEntry.ONCE.value, ReEntry.NEW_EPISODE.value], "new_episode")), None


def read_backfill(part: Part) -> tuple[BackfillMode, timedelta | None]:
    if isinstance(part.get("backfill"), Mapping):
        return BackfillMode.CURRENT_SINCE, part.part("backfill", ["current_since"]).span("current_since")
    options = [BackfillMode.FUTURE_ONLY.value, BackfillMode.CURRENT.value]
    if part.get("backfill") == BackfillMode.CURRENT_SINCE.value:
        part.fail("backfill", "`current_since` needs to know since when", "write {current_since: P14D}")
        return BackfillMode.FUTURE_ONLY, None
    return BackfillMode(part.choice("backfill", options, options[0])), None


def read_cap(part: Part) -> Cap:
    if part.get("cap") == "none":
        return Cap(None, None)
    cap = part.part("cap", ["per_client", "per_manager"])
    return Cap(_per_client(cap), _per_manager(cap))


def _per_client(cap: Part) -> tuple[int, timedelta] | None:
    value = cap.document.get("per_client", "1/P14D")
    if value == "none":
        return None
    count, _, window = str(value).partition("/")
    try:
        read = duration(_PER.get(window.strip(), window.strip()))
        if count.strip().isdecimal() and int(count) > 0 and timedelta(0) < read <= LONGEST:
            return int(count), read
    except (ValueError, OverflowError):
        pass
    cap.fail("per_client", f"{value!r} does not fit", "write it like 1/P14D, or none")
    return None


def _per_manager(cap: Part) -> int | None:
    value = cap.document.get("per_manager", Cap.per_manager)
    if value == "none":
        return None
    read = re.fullmatch(r"(\d{1,6})\s*(?:/\s*day)?", str(value).strip())
    if read is not None and int(read[1]) > 0 and not isinstance(value, bool):
        return int(read[1])
    cap.fail("per_manager", f"{value!r} does not fit", "write it like 15/day, or none")
    return None


def read_window(part: Part, calendars: Collection[str]) -> Window:
    """`calendars` are the firm's own."""
    if part.get("window") in ("none", "24/7"):
        return Window(time(0), time(0))
    window = part.part("window", ["client_local", "calendar"])
    calendar = window.choice("calendar", sorted(CALENDARS.union(calendars)), "all")
    hours = window.get("client_local")
    if hours is None and "client_local" not in window:
        return Window(calendar=calendar)
    opens, _, closes = str(hours).partition("-")
    read = clock_of(opens), clock_of("00:00" if closes.strip() == "24:00" else closes)
    if read[0] is None or read[1] is None or (read[0] == read[1] != time(0)):
        window.fail("client_local", f"{hours!r} does not fit", 'write it like "10:00-20:00"')
        return Window(calendar=calendar)
    return Window(read[0], read[1], calendar)


def read_late(part: Part) -> Late:
    policies = [policy.value for policy in LatePolicy]
    if isinstance(part.get("late"), str):
        return Late(LatePolicy(part.choice("late", policies)))
    late = part.part("late", ["policy", "expire", "tolerance"])
    return Late(
        LatePolicy(late.choice("policy", policies, Late.policy.value)),
        late.span("expire", Late.expire),
        late.span("tolerance", Late.tolerance, may_be_nothing=True),
    )


def read_holdout(part: Part, default: float) -> float:
    value = part.document.get("holdout", default)
    share = share_of(value)
    if share is None:
        part.fail("holdout", f"{value!r} does not fit", "write a share like 10% or 0.1; 0% for none")
    return default if share is None else share


def read_escalate(part: Part, condition: Condition) -> tuple[Escalation, ...]:
    value = part.document.get("escalate", [])
    if not isinstance(value, list | tuple):
        part.fail("escalate", "is no list", "write [{count: 5, to: head_of_sales}]")
        return ()
    path = (*part.path, "escalate")
    steps = [Part.of(each, (*path, place), part.errors, ["count", "after", "to"]) for place, each in enumerate(value)]
    return tuple(_step(step, condition) for step in steps)


def _step(step: Part, condition: Condition) -> Escalation:
    to = _HEAD[step.choice("to", ["head", "head_of_sales"], "head")]
    if ("count" in step) == ("after" in step):
        step.fail(None, "needs either `count` or `after`", "write {count: 5, to: head_of_sales}")
        return Escalation(to)
    if "after" in step:
        return Escalation(to, after=step.span("after"))
    if "count" not in condition.supplies:
        step.fail("count", "means nothing: this condition counts nothing", "use `after: P3D`")
    fires_at = getattr(condition.when, "count", 0)
    return Escalation(to, count=step.whole("count", fires_at + 1))


def read_exit(part: Part, when: Primitive, language: str) -> Exit | None:
    if part.get("exit") == "none":
        return None
    ending = part.part("exit", ["on", "do", "result"])
    ending.choice("do", ["complete_task"], "complete_task")
    result = _text(ending, "result", {"date"}) if "result" in ending else _RETURNED[language]
    on = when.returns
    if "on" in ending:
        value = ending.get("on")
        listed = value if isinstance(value, list | tuple) and value else [value]
        on = frozenset(event_type(each, (*ending.path, "on"), ending.errors) for each in listed)
    elif "exit" in part and not on:
        ending.fail("on", "is missing: nothing tells by itself that the client came back", "write `on: visit.attended`")
    return Exit(on, result) if on else None
