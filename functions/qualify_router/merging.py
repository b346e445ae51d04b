"""Is this lead a duplicate, and of which other one? The decision about one lead. Pure.

Which lead goes on: the one in conversation. The main pipeline comes before the exchange, then warm-up, then aftercare.
Of several in one pipeline the one that changed last where a person asked, the oldest (smallest id) where nobody did.
At its arrival a lead only goes into one that is better than itself by that order, so that two leads never merge into
each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from functions.qualify_router.merge_texts import say
from functions.shared.crm import Lead
from functions.shared.department import AFTERCARE, EXCHANGE, MAIN, WARM_UP, Department, Kind, MergeMode, Trigger
from functions.shared.identity import Likeness
from functions.shared.twins import Twin

RANKS = {MAIN: 0, EXCHANGE: 1, WARM_UP: 2, AFTERCARE: 3}
IN_CONVERSATION = frozenset({MAIN, EXCHANGE})
"""Pipelines whose leads somebody is talking to; only these take in duplicates without being asked."""


MOST_SUGGESTED = 5
"""Leads that one task names: an agent may be a contact of forty."""


@dataclass(frozen=True)
class MergeInto:
    """Merge the lead into this one, which goes on."""

    survivor: Lead
    why: Likeness


@dataclass(frozen=True)
class Suggest:
    """Let a person decide whether one of these is the same client's, the likeliest survivor first. `confirmable`: if he
    asks again, it is clear which one he means, and it is merged; else only his own hand merges."""

    twins: tuple[Twin, ...]
    confirmable: bool = True


@dataclass(frozen=True)
class Leave:
    """No duplicate; `reason` is for people, empty where there is nothing to say."""

    reason: str = ""


Choice = MergeInto | Suggest | Leave


def choose(
    lead: Lead,
    twins: Sequence[Twin],
    department: Department,
    *,
    asked: bool,
    suggested: Collection[int],
    apart: Collection[int] = (),
) -> Choice:
    """What to do about a lead that has these twins.

    `asked`: a person says that it is a duplicate (he moved the card to the stage, or answered so); else it has just
    arrived. `suggested` are the leads with which it was compared in a task before, `apart` those that a person has
    separated from it by undoing a merge: with them it is never merged again by itself.
    """
    if department.merging.mode is MergeMode.OFF:
        return Leave(say(department, "merging_off"))
    if lead.is_closed or lead.is_deleted or not (asked or _is_arrival(lead, department)):
        return Leave()
    possible = [twin for twin in twins if _may_survive(twin.lead, lead, department, asked)]
    if not possible:
        return Leave(say(department, "none_running") if twins else "")
    possible.sort(key=lambda twin: _order(twin.lead, department, asked))
    near = [twin for twin in possible if twin.lead.id not in apart]
    confirmed = _confirmed(near, suggested) if asked else []
    sure = [twin for twin in near if twin.sure] if department.merging.mode is not MergeMode.SUGGEST else []
    is_auto = department.merging.mode is MergeMode.AUTO
    named = [twin for twin in near if _is_named(twin, lead)] if asked and is_auto else []
    best = next((twin for twin in near if twin in sure or twin in confirmed), None) or next(iter(named), None)
    if best is None:
        shown = tuple(possible[:MOST_SUGGESTED])
        return Suggest(shown, confirmable=bool(_confirmed(near, [twin.lead.id for twin in shown])))
    return MergeInto(best.lead, best.why if best in sure or best in named else Likeness.PERSON)


def _is_arrival(lead: Lead, department: Department) -> bool:
    """A card that a route has copied was made on purpose, and nobody arrives in warm-up or aftercare."""
    pipeline = department.pipeline(lead.pipeline_id)
    is_copy = bool(department.origin_field) and lead.filled(department.origin_field) is not None
    return pipeline is not None and pipeline.role in IN_CONVERSATION and not is_copy


def _may_survive(other: Lead, lead: Lead, department: Department, asked: bool) -> bool:
    pipeline = department.pipeline(other.pipeline_id)
    if pipeline is None or other.id == lead.id or other.is_closed or other.is_deleted:
        return False
    if other.status_id == pipeline.unsorted_status_id or asks_to_merge(other, department):
        return False
    if asked:
        return True
    return pipeline.role in IN_CONVERSATION and _order(other, department, asked) < _order(lead, department, asked)


def asks_to_merge(lead: Lead, department: Department) -> bool:
    """Whether the lead stands where a route merges it away."""
    triggers = (trigger for route in department.routes if route.kind is Kind.MERGE for trigger in route.when)
    return any(_holds(trigger, lead, department) for trigger in triggers)


def _holds(trigger: Trigger, lead: Lead, department: Department) -> bool:
    pipeline = department.pipeline(lead.pipeline_id)
    if pipeline is None or pipeline.role != trigger.role:
        return False
    if trigger.stage is not None and pipeline.stages.get(trigger.stage) != lead.status_id:
        return False
    if trigger.answer is None:
        return True
    filled = lead.filled(department.answer_field)
    given = {value.get("enum_id") for value in filled.values} if filled else set()
    return department.answers.get(trigger.answer) in given


def _order(lead: Lead, department: Department, asked: bool) -> tuple[int, float, int]:
    """The best survivor first."""
    pipeline = department.pipeline(lead.pipeline_id)
    rank = RANKS.get(pipeline.role, len(RANKS)) if pipeline else len(RANKS)
    return rank, -lead.updated_at.timestamp() if asked else 0.0, lead.id


def _confirmed(near: Sequence[Twin], suggested: Collection[int]) -> list[Twin]:
    """The twins that a person means who asks again after a suggestion. Where the suggestion named unlike clients (a
    family with one phone), nobody can tell whom he means."""
    named = [twin for twin in near if twin.lead.id in suggested]
    shares_client = (named[0].lead.contacts[:1] == twin.lead.contacts[:1] for twin in named[1:])
    return named if all(shares_client) else []


def _is_named(twin: Twin, lead: Lead) -> bool:
    """Whether the other lead's client hangs on this one: who finds him in the first talk adds him to the card, and says
    that it is a duplicate."""
    return twin.why is Likeness.SAME_CONTACT and twin.lead.contacts[:1] != () and twin.lead.contacts[0] in lead.contacts
