"""A wake: all rules of one client at one instant. Pure; preview and backtest call the same with a past instant.

What the engine calls (now is `scene.now` everywhere):

    marks = Watermarks.of(book.feeds, feeds_by_name, department_zone, now)          # once per tick; watermark.py
    scene = Scene(marks, WorkingDays(book.holidays, book.work_days), holdout_key)   # once per tick; scene.py
    person = Person.of(client.id, zone, facts, now, client.first_at, read_from)     # facts received until now
    plan = wake(client, person, rules, scene, book.version)                         # may raise OlderFactsNeeded

`plan.client` is stored (its version is the one that was read) together with `plan.episodes`, put where there is none,
`plan.over_baseline`, put over a row with status baseline, and what becomes of `plan.changes`. Where an episode stands
already: `client = remembered(client, episode)` (traces.py), and judge again. The same whenever sender or person has
changed an episode; with a due of now where its task has just been set: the client may have come back meanwhile.

    released = release(episode, view(rule, person, scene))    # before a task is set; release.py; view is None: wait
    due_till = scene.days.due_till(rule.action.due_after, member.hours, member.timezone, rule.window, zone, now)
    feed = heard(feed, newest_time, now, department_zone, complete_until)           # at intake; shared/silences.py

A fact wakes its client when its type is in the book's `wakes` or in `client.exits`, when it is a correction, when he
has no row yet, or when it happened before what was judged already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from functions.aftercare_triggers.exits import Settled, exit_types, settle
from functions.aftercare_triggers.judging import Judgement, Truth, episode_of, judge
from functions.aftercare_triggers.plan import Verdict, WakePlan
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.scene import Scene, View, earliest, ending
from functions.aftercare_triggers.traces import (
    aged,
    base_of,
    has_task_to_join,
    pruned,
    trace_of,
    with_trace,
)
from functions.shared.care import Client, Episode, Held, Status, Trace


def wake(client: Client, person: Person, rules: Sequence[Rule], scene: Scene, book_version: int) -> WakePlan:
    """What is to be stored and done about the client. Raises OlderFactsNeeded where the facts at hand do not reach back
    far enough."""
    if client.merged_into:
        return WakePlan(replace(client, due_at=None, exits=frozenset(), rules_version=book_version))
    by_urgency = sorted(rules, key=lambda rule: (-rule.priority, rule.id))
    views = dict(_views(by_urgency, person, scene))
    settled = [_settle(trace, views, scene) for trace in client.traces]
    traces = tuple(each.trace for each in settled)
    judged: list[Judgement] = []
    for rule in by_urgency:
        view_of_rule = views[rule.id]
        judged.append(_unjudged(rule, scene) if view_of_rule is None else judge(view_of_rule, client, traces))
        traces = _with_episode(client, traces, judged[-1].episode)
    settled += [settle(trace, seen) for trace in traces if (seen := _is_new(trace, client, views))]
    lapsed = list(_lapsed(client.held, judged, views, traces))
    held = (*_kept(client.held, judged, views), *(each.held for each in judged if each.held is not None))
    standing = {(each.verdict.rule, each.stretch) for each in judged} | set(_beyond(traces, views))
    over = {(trace.rule, trace.anchor) for trace in client.traces if trace.status is Status.BASELINE}
    episodes = [*(each.episode for each in judged if each.episode is not None), *lapsed]
    by_id = {rule.id: rule for rule in rules}
    return WakePlan(
        client=replace(
            client,
            first_at=person.first_at,
            due_at=earliest(*(each.due for each in settled), *(each.due for each in judged)),
            exits=frozenset().union(*(each.wakes for each in settled), *(each.wakes for each in judged)),
            traces=pruned(traces, by_id, standing, held, scene.now),
            held=held,
            rules_version=book_version,
        ),
        episodes=tuple(each for each in episodes if each.key not in over),
        over_baseline=tuple(each for each in episodes if each.key in over),
        changes=tuple(change for each in settled for change in each.changes),
        verdicts=tuple(each.verdict for each in judged),
    )


def view(rule: Rule, person: Person, scene: Scene) -> View | None:
    """The client through one rule; None: a feed that the rule needs has never told anything, nothing can be judged."""
    if not rule.when.judged_at_watermark:
        return View(rule, person, scene.now, scene)
    told_until = scene.watermarks.horizon(ending(rule))
    if told_until is None:
        return None
    person = person if told_until == person.watermark else replace(person, watermark=told_until)
    return View(rule, person, told_until, scene)


def _views(rules: Iterable[Rule], person: Person, scene: Scene) -> Iterator[tuple[str, View | None]]:
    """Rules that are judged at the same instant share what was derived of the person."""
    people = {person.watermark: person}
    for rule in rules:
        told_until = scene.watermarks.horizon(ending(rule)) if rule.when.judged_at_watermark else None
        seen = view(rule, people.get(told_until or person.watermark, person), scene)
        if seen is not None:
            people.setdefault(seen.person.watermark, seen.person)
        yield rule.id, seen


def _settle(trace: Trace, views: Mapping[str, View | None], scene: Scene) -> Settled:
    """A rule that was taken out of the book leaves its episodes to people."""
    if trace.rule not in views:
        return Settled(aged(trace, scene.now))
    seen = views[trace.rule]
    return Settled(trace) if seen is None else settle(trace, seen)


def _is_new(trace: Trace, client: Client, views: Mapping[str, View | None]) -> View | None:
    """What has just been fired waits for its end like the rest."""
    known = {(each.rule, each.anchor) for each in client.traces if each.status is not Status.BASELINE}
    return None if (trace.rule, trace.anchor) in known else views.get(trace.rule)


def _unjudged(rule: Rule, scene: Scene) -> Judgement:
    due = scene.watermarks.passes(ending(rule), scene.now)
    return Judgement(Verdict(rule.id, rule.version, False, "watermark"), due=due, wakes=exit_types(rule))


def _with_episode(client: Client, traces: tuple[Trace, ...], episode: Episode | None) -> tuple[Trace, ...]:
    if episode is None:
        return traces
    trace = trace_of(episode)
    if episode.status is Status.HELD_OUT and has_task_to_join(client, traces, episode.decided_at):
        trace = replace(trace, status=Status.MERGED)
    return with_trace(traces, trace)


def _lapsed(
    held: Iterable[Held],
    judged: Iterable[Judgement],
    views: Mapping[str, View | None],
    traces: Iterable[Trace],
) -> Iterator[Episode]:
    """Stretches that ended while a gate held them back. One that, as we know by now, never was, leaves no trace; nor
    does one that has an episode already."""
    settled = {(each.rule, each.anchor) for each in traces if each.status is not Status.BASELINE}
    settled |= {(each.rule, each.anchor) for each in _going_on(judged)}
    for each in held:
        seen = views.get(each.rule)
        if seen is None or (each.rule, each.anchor) in settled or not seen.has_told(each.true_at):
            continue
        if seen.rule.when.holds(seen.person, each.true_at):
            truth = Truth(each.anchor, each.true_at, each.true_at)
            yield episode_of(seen, truth, Status.SUPPRESSED, each.gate, each.true_at)


def _kept(held: Iterable[Held], judged: Iterable[Judgement], views: Mapping[str, View | None]) -> tuple[Held, ...]:
    """Those that began after what the feeds have told until now: a feed that falls silent takes back what it told."""
    again = {(each.rule, each.anchor) for each in _going_on(judged)}
    return tuple(each for each in held if _is_out_of_sight(each, views) and (each.rule, each.anchor) not in again)


def _going_on(judged: Iterable[Judgement]) -> list[Held]:
    return [each.held for each in judged if each.held is not None]


def _is_out_of_sight(held: Held | Trace, views: Mapping[str, View | None]) -> bool:
    if held.rule not in views:
        return False
    seen = views[held.rule]
    return seen is None or not seen.has_told(held.true_at)


def _beyond(traces: Iterable[Trace], views: Mapping[str, View | None]) -> Iterator[tuple[str, str]]:
    for trace in traces:
        if _is_out_of_sight(trace, views):
            seen = views[trace.rule]
            yield trace.rule, trace.anchor if seen is None else base_of(seen.rule, trace.anchor)
