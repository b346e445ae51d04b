"""What becomes of episodes that stand already: the client came back, the facts were corrected, the head is to be told.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.aftercare_triggers.plan import Act, Change
from functions.aftercare_triggers.rules.clocks import INSTANT, local_date
from functions.aftercare_triggers.rules.moments import day_month_year
from functions.aftercare_triggers.rules.rule import Escalation, Rule
from functions.aftercare_triggers.rules.subscriptions import SUBSCRIPTION, subscription_of
from functions.aftercare_triggers.scene import View, earliest
from functions.aftercare_triggers.traces import UNSENT, aged, awaits_return, base_of, closes_at, returned
from functions.aftercare_triggers.words import CAME_BACK, CORRECTED, worded
from functions.shared.care import Status, Trace
from functions.shared.facts import Fact

_LEASE = timedelta(minutes=10)
"""A task that is being set is looked at again when the sender must have come to an end."""

_MEMBER = re.compile(r"^(\d+:)+")
"""The number of the member in the anchor of an `any`."""


@dataclass(frozen=True)
class Settled:
    """An episode after a look at it: its trace, what is to be done, when to look again, facts that call for a look."""

    trace: Trace
    changes: tuple[Change, ...] = ()
    due: datetime | None = None
    wakes: frozenset[str] = frozenset()


def settle(trace: Trace, view: View) -> Settled:
    """One standing episode under the facts as they are now."""
    trace = aged(trace, view.now)
    if not awaits_return(trace, view.now):
        return Settled(trace)
    if trace.status is Status.SENDING:
        return Settled(trace, due=view.now + _LEASE, wakes=exit_types(view.rule))
    key, base = (trace.rule, trace.anchor), base_of(view.rule, trace.anchor)
    fact = return_of(view, base, trace.true_at, exit_types(view.rule))
    if fact is not None:
        act = Act.WITHDRAW if trace.status in UNSENT else Act.STRIKE
        return Settled(returned(trace), (Change(key, act, fact.time, words_of_return(view, fact)),))
    if not _ever_was(view, trace):
        if not view.holds or view.anchor != base:
            return Settled(replace(trace, status=Status.VOID), (Change(key, Act.VOID, view.now, CORRECTED),))
        trace = replace(trace, true_at=view.rule.when.since(view.person, view.at))  # it only began later
    steps = list(_steps(view, base, trace))
    done = tuple(step for step, due in steps if due is None)
    changes = tuple(Change(key, Act.ESCALATE, view.now, step=step_of(step), to=step.to) for step in done)
    trace = replace(trace, escalations=(*trace.escalations, *map(step_of, done)))
    due = earliest(closes_at(trace), *(due for _, due in steps))
    return Settled(trace, changes, due, exit_types(view.rule))


def exit_types(rule: Rule) -> frozenset[str]:
    """Facts that end its episodes; a rule may have none."""
    return frozenset() if rule.exit is None else rule.exit.on


def return_of(view: View, anchor: str, true_at: datetime, types: frozenset[str]) -> Fact | None:
    """The first fact since the stretch began that ends what it called for. One that could have ended the stretch, but
    left it true (a visit that is one too few), is none; nor is one about another subscription or booking."""
    for fact in view.person.at_hand(types, view.now, true_at):
        could_end = fact.type in view.rule.when.returns
        if could_end and _goes_on_after(view, fact):
            continue
        if _concerns(view, fact, anchor, could_end):
            return fact
    return None


def _goes_on_after(view: View, fact: Fact) -> bool:
    """Whether the condition holds at the fact and until the next one: who comes five minutes early has come when the
    session begins."""
    when, person = view.rule.when, view.person
    following = next(iter(person.at_hand(when.reads, view.now, fact.time)), None)
    until = view.now if following is None else following.time - INSTANT
    return when.holds(person, fact.time) and when.holds(person, until)


def words_of_return(view: View, fact: Fact) -> str:
    words = CAME_BACK if view.rule.exit is None else view.rule.exit.result
    return worded(words, {"date": day_month_year(local_date(fact.time, view.person.zone))})


def _ever_was(view: View, trace: Trace) -> bool:
    """Whether, as we know it today, the condition held when the stretch began. Of what a feed that fell silent has
    taken back, and of stretches under an earlier version of the rule, we cannot say better than we did."""
    if trace.decided_at < view.rule.effective_from or not view.has_told(trace.true_at):
        return True
    return view.rule.when.holds(view.person, trace.true_at)


def step_of(escalation: Escalation) -> int:
    """What an episode keeps of a step done: its count, or minus the minutes after which it was due."""
    if escalation.count is not None:
        return escalation.count
    return -int((escalation.after or timedelta(0)) / timedelta(minutes=1))


def _steps(view: View, anchor: str, trace: Trace) -> Iterator[tuple[Escalation, datetime | None]]:
    """Steps not done yet that are due some day: (step, when to look; None: now)."""
    for step in view.rule.escalate:
        if step_of(step) in trace.escalations:
            continue
        due = _due_of(view, anchor, trace, step)
        if due is None:
            continue
        if due > view.now:
            yield step, due
        elif trace.status in UNSENT:
            yield step, view.now + _LEASE
        elif trace.task_id:
            opening = view.scene.days.next_opening(view.rule.window, view.person.zone, view.now)
            yield step, None if opening == view.now else opening


def _due_of(view: View, anchor: str, trace: Trace, step: Escalation) -> datetime | None:
    if step.count is None:
        return trace.decided_at + (step.after or timedelta(0))
    if not view.holds or view.anchor != anchor:
        return None
    reached = int(view.rule.when.numbers(view.person, view.at).get("count", 0))
    return view.now if reached >= step.count else None


def _concerns(view: View, fact: Fact, anchor: str, could_end: bool) -> bool:
    anchor = _MEMBER.sub("", anchor)
    entity, at, _ = anchor.rpartition("@")
    if at:
        facts = view.person.at_hand(SUBSCRIPTION, view.now)
        is_subscription = any(subscription_of(each) == entity for each in facts)
        named = fact.data.get("subscription_id")
        return not is_subscription or named is None or str(named) == entity
    if could_end:
        return True
    base = next((each for each in view.person.facts if each.id == anchor), fact)
    bookings = [each.data.get("booking_id") for each in (base, fact)]
    return None in bookings or bookings[0] == bookings[1]
