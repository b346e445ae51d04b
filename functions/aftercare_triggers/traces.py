"""What a client's row remembers of his episodes, and for how long. Pure.

A trace follows its episode, except that it ends as soon as the client came back, whatever becomes of the task:
COMPLETED, or EXITED for one that made no task of its own. One of the arm without tasks is MERGED where it would have
joined another's task, and CLOSED 14 days later, when a person would have closed its own. So both arms look alike to
the gates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from functions.aftercare_triggers.rules.rule import ReEntry, Rule
from functions.shared.care import COUNTED, LIVE, Client, Episode, Held, Status, Trace

RETURN_COUNTS = timedelta(days=14)
"""How long after a firing without an open task a return is put down to it, and how long a task that was held out would
have stood."""

UNSENT = frozenset({Status.QUEUED, Status.SENDING, Status.STORM})
TASKS = COUNTED - {Status.MERGED, Status.EXITED}
"""Firings that made a task of their own, or would have."""

Key = tuple[str, str]


def trace_of(episode: Episode) -> Trace:
    return Trace(
        episode.rule,
        episode.anchor,
        episode.status,
        episode.true_at,
        episode.decided_at,
        episode.task_id,
        episode.escalations,
    )


def remembered(client: Client, episode: Episode) -> Client:
    """The client's row after the episode changed: call it with every episode that the sender writes, and with one that
    was found standing where a new one was to be put."""
    trace = trace_of(episode)
    known = next((each for each in client.traces if (each.rule, each.anchor) == episode.key), trace)
    if trace.status in LIVE and episode.returned_at is not None:
        trace = returned(trace)
    elif trace.status in TASKS - LIVE and known.status in (Status.MERGED, Status.EXITED):
        trace = replace(trace, status=Status.EXITED)
    return replace(client, traces=with_trace(client.traces, trace))


def returned(trace: Trace) -> Trace:
    """The client came back."""
    has_own_task = trace.status in TASKS and trace.status not in (Status.QUEUED, Status.STORM)
    return replace(trace, status=Status.COMPLETED if has_own_task else Status.EXITED)


def with_trace(traces: Iterable[Trace], trace: Trace) -> tuple[Trace, ...]:
    others = tuple(each for each in traces if (each.rule, each.anchor) != (trace.rule, trace.anchor))
    return (*others, trace)


def of_anchor(traces: Iterable[Trace], rule: Rule, anchor: str) -> list[Trace]:
    """Episodes of one stretch: `anchor`, and `anchor#2` … where it may fire again."""
    own = [trace for trace in traces if trace.rule == rule.id and trace.status is not Status.BASELINE]
    again = re.compile(re.escape(anchor) + r"#\d+")
    is_repeated = rule.re_entry is ReEntry.EVERY
    return [each for each in own if each.anchor == anchor or (is_repeated and again.fullmatch(each.anchor))]


def base_of(rule: Rule, anchor: str) -> str:
    """The stretch that an episode's anchor names, without the number of its repetition."""
    return re.sub(r"#\d+$", "", anchor) if rule.re_entry is ReEntry.EVERY else anchor


def awaits_return(trace: Trace, now: datetime) -> bool:
    """Whether an exit fact still concerns it: its task stands, or the return still counts."""
    if trace.status is Status.CLOSED or is_held_out(trace):
        return now < trace.decided_at + RETURN_COUNTS
    return trace.status in LIVE


def is_held_out(trace: Trace) -> bool:
    """Whether no task was set; a reason that joined a real one knows it."""
    return trace.status is Status.HELD_OUT or (trace.status is Status.MERGED and trace.task_id == 0)


def has_task_to_join(client: Client, traces: Iterable[Trace], at: datetime) -> bool:
    """An aftercare task that stands, is on its way, or would stand, at `at`."""
    if client.open_task is not None and client.open_task.set_at <= at:
        return True
    begun = [trace for trace in traces if trace.decided_at <= at]
    return any(
        trace.status in UNSENT or (trace.status is Status.HELD_OUT and at < trace.decided_at + RETURN_COUNTS)
        for trace in begun
    )


def closes_at(trace: Trace) -> datetime | None:
    """When the task that a hold-out would have had closes."""
    return trace.decided_at + RETURN_COUNTS if is_held_out(trace) else None


def aged(trace: Trace, now: datetime) -> Trace:
    if not is_held_out(trace) or awaits_return(trace, now):
        return trace
    return replace(trace, status=Status.CLOSED if trace.status is Status.HELD_OUT else Status.EXITED)


def pruned(
    traces: Iterable[Trace],
    rules: Mapping[str, Rule],
    standing: Collection[Key],
    held: Iterable[Held],
    now: datetime,
) -> tuple[Trace, ...]:
    """Those that some gate, or an exit, can still need; `standing` are (rule, anchor) of the stretches that go on. What
    is forgotten too early is not fired twice: its row exists."""
    since = min([now, *(each.true_at for each in held)])  # a stretch that waits is planned from its beginning on
    window = max((rule.cap.per_client[1] for rule in rules.values() if rule.cap.per_client), default=timedelta(0))
    return tuple(trace for trace in traces if _is_needed(trace, rules.get(trace.rule), standing, since, window, now))


def _is_needed(
    trace: Trace, rule: Rule | None, standing: Collection[Key], since: datetime, window: timedelta, now: datetime
) -> bool:
    if awaits_return(trace, now):
        return True
    if trace.status in TASKS and trace.decided_at + window > since:
        return True
    if rule is None:
        return False
    if (rule.id, base_of(rule, trace.anchor)) in standing:
        return True
    is_firing = trace.status in COUNTED
    return is_firing and (rule.re_entry is ReEntry.ONCE or trace.decided_at + rule.cooldown > since)
