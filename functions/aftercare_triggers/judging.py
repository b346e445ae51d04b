"""One rule, one client, one instant: does it fire, and if not, what stands in the way and when to look again? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from functions.aftercare_triggers.exits import exit_types, return_of
from functions.aftercare_triggers.gates import Closed, closed_gate, planned_at
from functions.aftercare_triggers.holdout import is_held_out
from functions.aftercare_triggers.plan import Verdict
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import BackfillMode, LatePolicy, ReEntry, Rule
from functions.aftercare_triggers.rules.selector import at_path
from functions.aftercare_triggers.rules.values import number_of
from functions.aftercare_triggers.scene import View, earliest
from functions.aftercare_triggers.traces import of_anchor
from functions.aftercare_triggers.words import worded
from functions.shared.care import COUNTED, Client, Episode, Held, Status, Trace
from functions.shared.facts import Fact

_STEP = timedelta(hours=1)
_FORESEEN = timedelta(days=800)
"""How far ahead the end of a stretch is looked for: beyond any anniversary."""


@dataclass(frozen=True)
class Truth:
    """The stretch that a rule is judged by: `at` is an instant in it."""

    anchor: str
    true_at: datetime
    at: datetime


@dataclass(frozen=True)
class Judgement:
    """`due` is when to look again, `wakes` are facts that call for a look earlier; `stretch` is the anchor of what
    holds (empty: nothing)."""

    verdict: Verdict
    episode: Episode | None = None
    held: Held | None = None
    due: datetime | None = None
    wakes: frozenset[str] = frozenset()
    stretch: str = ""


def judge(view: View, client: Client, traces: Sequence[Trace]) -> Judgement:
    """`traces` are the client's, with what has been fired at this wake already."""
    truth = _truth(view, traces)
    if truth is None:
        verdict = Verdict(view.rule.id, view.rule.version, view.holds, "condition", horizon=view.at)
        return Judgement(verdict, due=_next_change(view), wakes=_wakes(view))
    back = return_of(view, truth.anchor, truth.true_at, exit_types(view.rule) | view.rule.when.returns)
    if back is not None:
        due = _next_change(view) if back.time <= view.at else earliest(view.look_at(back.time), _next_change(view))
        return Judgement(_verdict(view, truth, "returned"), due=due, wakes=_wakes(view))
    return _gates(view, client, traces, truth)


def _gates(view: View, client: Client, traces: Sequence[Trace], truth: Truth) -> Judgement:
    rule = view.rule
    stretch = of_anchor(traces, rule, truth.anchor)
    again = _again(rule, stretch)
    if stretch and (again is None or view.now < again):
        return _stopped(view, truth, "identity" if again is None else "re_entry", due=again)
    key = f"{truth.anchor}#{_number(stretch, truth) + 1}" if stretch else truth.anchor
    truth_of_key = replace(truth, anchor=key)
    if rule.re_entry is ReEntry.ONCE and any(each.rule == rule.id and each.status in COUNTED for each in traces):
        return _stopped(view, truth, "re_entry")
    if not _is_admitted(rule, truth.true_at):
        known = any((each.rule, each.anchor) == (rule.id, key) for each in traces)
        return _stopped(view, truth, "backfill", status=None if known else Status.BASELINE, key=key)
    closed = closed_gate(view, client, traces, view.now)
    if closed is not None:
        return _deferred(view, truth_of_key, truth, closed)
    begin = max(truth.true_at + view.lag, rule.effective_from, again or rule.effective_from)
    planned = planned_at(view, client, traces, begin)
    status, gate = _outcome(view, client, view.now - planned)
    repeated = view.now + rule.every if rule.every is not None and status in COUNTED else None
    return _stopped(view, truth, gate, status=status, key=key, planned=planned, due=repeated)


def _truth(view: View, traces: Sequence[Trace]) -> Truth | None:
    if view.holds:
        return Truth(view.anchor, view.rule.when.since(view.person, view.at), view.at)
    if view.rule.late.policy is not LatePolicy.FIRE_ONCE or view.rule.when.judged_at_watermark:
        return None
    missed = _missed(view)
    return None if missed is None or of_anchor(traces, view.rule, missed.anchor) else missed


def _missed(view: View) -> Truth | None:
    """The last stretch that is over by now and not older than `expire`."""
    when, person = view.rule.when, view.person
    missed, at = None, view.now - view.rule.late.expire
    since = at
    while at <= view.now:
        if when.holds(person, at):
            missed = Truth(when.anchor(person, at), when.since(person, at), at)
            at += _STEP
            continue
        fact = next(iter(person.at_hand(when.reads, view.now, at)), None)
        at = earliest(when.next_due(person, at), None if fact is None else fact.time) or view.now + _STEP
    return missed if missed is not None and missed.true_at >= since else None


def _again(rule: Rule, stretch: Sequence[Trace]) -> datetime | None:
    """When the same stretch may fire again; None: never."""
    if rule.re_entry is not ReEntry.EVERY or rule.every is None or not any(each.status in COUNTED for each in stretch):
        return None
    return max(each.decided_at for each in stretch) + rule.every


def _number(stretch: Sequence[Trace], truth: Truth) -> int:
    return max(int(each.anchor[len(truth.anchor) + 1 :] or 1) for each in stretch)


def _is_admitted(rule: Rule, true_at: datetime) -> bool:
    if true_at >= rule.effective_from or rule.backfill is BackfillMode.CURRENT:
        return True
    reach = rule.backfill_since if rule.backfill is BackfillMode.CURRENT_SINCE else None
    return reach is not None and true_at >= rule.effective_from - reach


def _outcome(view: View, client: Client, lateness: timedelta) -> tuple[Status, str]:
    late = view.rule.late
    if lateness > late.expire:
        return Status.EXPIRED, "late"
    if late.policy is LatePolicy.SKIP and lateness > late.tolerance:
        return Status.SKIPPED_LATE, "late"
    if is_held_out(view.scene.holdout_key, client, view.rule.holdout):
        return Status.HELD_OUT, "arm"
    return Status.QUEUED, "fire"


def _deferred(view: View, key: Truth, truth: Truth, closed: Closed) -> Judgement:
    """The end of the stretch is looked for too: it is noted, and its name does not come again."""
    due = earliest(closed.until, _next_change(view))
    held = Held(view.rule.id, key.anchor, closed.gate, truth.true_at)
    verdict = replace(_verdict(view, truth, closed.gate), until=closed.until)
    return Judgement(verdict, held=held, due=due, wakes=_wakes(view) | closed.opened_by, stretch=truth.anchor)


def _stopped(
    view: View,
    truth: Truth,
    gate: str,
    status: Status | None = None,
    key: str = "",
    planned: datetime | None = None,
    due: datetime | None = None,
) -> Judgement:
    """Nothing more for this stretch, fired or not: what follows is the end of the stretch, or `due`."""
    verdict = replace(_verdict(view, truth, gate), status=status, planned_at=planned, until=due)
    episode = None
    if status is not None:
        episode = episode_of(view, replace(truth, anchor=key or truth.anchor), status, gate, planned or truth.true_at)
        verdict = replace(verdict, numbers=episode.numbers, evidence=episode.evidence)
    due = earliest(due, _next_change(view))
    return Judgement(verdict, episode=episode, due=due, wakes=_wakes(view), stretch=truth.anchor)


def _verdict(view: View, truth: Truth, gate: str) -> Verdict:
    rule = view.rule
    return Verdict(rule.id, rule.version, True, gate, truth.anchor, truth.true_at, horizon=view.at)


def episode_of(view: View, truth: Truth, status: Status, gate: str, planned: datetime) -> Episode:
    rule, person = view.rule, view.person
    numbers = rule.when.numbers(person, truth.at)
    evidence = tuple(rule.when.evidence(person, truth.at))
    is_fired = status is Status.QUEUED
    return Episode(
        client=person.id,
        rule=rule.id,
        anchor=truth.anchor,
        rule_version=rule.version,
        status=status,
        true_at=truth.true_at,
        planned_at=planned,
        decided_at=view.now,
        priority=rule.priority,
        value=_value(view, evidence),
        gate="" if is_fired else gate,
        evidence=evidence,
        numbers=numbers,
        text=worded(rule.action.text, numbers) if is_fired else "",
        expires_at=planned + rule.late.expire if is_fired else None,
        send_at=view.now if is_fired else None,
    )


def _value(view: View, evidence: Sequence[str]) -> int:
    """What the rule's facts say the client is worth: their newest number at the path, else the newest of all his
    facts."""
    path = view.rule.action.value
    if not path:
        return 0
    facts = [fact for fact in view.person.facts if fact.time <= view.now]
    own = [fact for fact in facts if f"{fact.source}/{fact.id}" in evidence]
    found = (number_of(_at(fact, path)) for fact in [*own[::-1], *facts[::-1]])
    return int(next((number for number in found if number is not None), 0))


def _at(fact: Fact, path: str) -> Any:
    return at_path(fact.data, path)


def _next_change(view: View) -> datetime | None:
    """When to look whether the condition has changed by itself."""
    if not view.holds:
        return view.look_at(view.rule.when.next_due(view.person, view.at))
    return view.look_at(_end_of_stretch(view))


def _end_of_stretch(view: View) -> datetime | None:
    """When what holds stops holding with no new facts, to the second; None: not in sight. Looks in growing steps, then
    between the last two."""
    ahead = replace(view.person, watermark=view.at + 3 * _FORESEEN)
    low, step = view.at, _STEP
    while _goes_on(view, ahead, low + step):
        low, step = low + step, step * 2
        if low - view.at > _FORESEEN:
            return None
    high = low + step
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if _goes_on(view, ahead, middle):
            low = middle
        else:
            high = middle
    whole = high.replace(microsecond=0)
    return whole if whole > low else high


def _goes_on(view: View, person: Person, at: datetime) -> bool:
    when = view.rule.when
    return when.holds(person, at) and when.anchor(person, at) == view.anchor


def _wakes(view: View) -> frozenset[str]:
    """Facts that the clock alone would miss: such as end a stretch, after which the next is to be foreseen; and any at
    all, where nothing can be foreseen."""
    when = view.rule.when
    if view.holds:
        return when.reads if when.judged_at_watermark else when.returns
    return frozenset() if when.next_due(view.person, view.at) is not None else when.reads
