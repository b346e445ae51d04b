"""What we know of a lead once a step of it is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from functions.qualify_router.routing import Table, blocked_by, due_at
from functions.shared.department import LOST_STAGE, Department, Place
from functions.shared.lead_state import BY_HAND, ENDED, HOPS, TOLD, Decision, LastHop, LeadState, Step

BLOCKED_LOOKS = timedelta(hours=1)
"""A refused route is tried again under another version of the department: nothing else tells of a mended amoCRM."""

_CARRIES = frozenset({Step.MOVE, Step.CROSS, Step.RESTORE})


def team_before(state: LeadState, decision: Decision, department: Department) -> str:
    """Whose the lead was: where nobody told us, the team of its owner, or else of the pipeline it stood in."""
    if state.team:
        return state.team
    usual = department.team_of_pipeline(decision.seen.role)
    owners = [team.name for team in department.teams if team.member(decision.owner)]
    return usual.name if usual.name in owners or not owners else owners[0]


def hands_over(state: LeadState, decision: Decision, department: Department) -> bool:
    """Whether the step brings the lead to another team."""
    if decision.to is None or decision.to.is_closed or decision.step not in _CARRIES:
        return False
    return team_before(state, decision, department) != department.team_of_pipeline(decision.to.role).name


def done(state: LeadState, decision: Decision, department: Department, now: datetime, **known: object) -> LeadState:
    """The state after the step; `known` are fields that only its execution could tell (sale)."""
    after = replace(state, pending=None, hop=decision.hop, **known)  # type: ignore[arg-type]
    if decision.step in HOPS:
        after = replace(after, hops=(*state.hops_lately(now), decision.decided_at))
    match decision.step:
        case Step.MOVE | Step.RESTORE | Step.CROSS:
            after = _carried(after, state, decision, department, now)
        case Step.CLOSE | Step.MERGE:
            lost = Place(decision.seen.role, LOST_STAGE)
            after = _written(after, decision, lost, now)
            after = replace(after, fired=after.fired | {TOLD, ENDED}, answer=decision.answer)
        case Step.COPY:
            then = then_of(decision, department)
            after = _written(after, decision, then, now) if then else replace(after, fired=after.fired | {TOLD})
        case Step.PARK:
            after = replace(after, parked=True)
        case Step.SUGGEST:
            after = replace(after, suggested=tuple(dict.fromkeys((*after.suggested, *decision.others))))
            if decision.why == BY_HAND:
                after = replace(after, by_hand=tuple(dict.fromkeys((*after.by_hand, *decision.others))))
        case _:
            pass
    stays = decision.step not in _CARRIES and after.place == decision.seen
    if decision.fired and stays:
        after = replace(after, fired=after.fired | {decision.fired})
    return timed(after, department, now)


def then_of(decision: Decision, department: Department) -> Place | None:
    """Where a copied lead itself goes; None: it stays."""
    return next((route.then for route in department.routes if route.id == decision.route), None)


def unmerged(state: LeadState, decision: Decision, department: Department, now: datetime) -> LeadState:
    """The merge was not done (dry run, ceiling, the survivor is closed): not again in this stay."""
    fired = state.fired | ({decision.fired} if decision.fired else set())
    return timed(replace(state, pending=None, hop=decision.hop, fired=fired), department, now)


def refused(state: LeadState, decision: Decision, department: Department, now: datetime) -> LeadState:
    """amoCRM does not take the step: not again while the lead stands there and the department is the same."""
    blocked = blocked_by(decision.route, department)
    return timed(replace(state, pending=None, blocked=blocked), department, now)


def overtaken(state: LeadState, decision: Decision, now: datetime, **known: object) -> LeadState:
    """The copy is made, but a person has moved the lead since: where it stands is to be read again."""
    hops = (*state.hops_lately(now), decision.decided_at)
    return replace(state, pending=None, hop=decision.hop, hops=hops, **known)  # type: ignore[arg-type]


def dropped(state: LeadState) -> LeadState:
    """A person was faster: the step is none any more. Its number is used up, for the bus may have been told under it;
    but a merge keeps its key, by which the merger takes back what was begun."""
    pending = state.pending
    hop = pending.hop if pending and pending.step is not Step.MERGE else state.hop
    return replace(state, pending=None, hop=hop)


def left(state: LeadState) -> LeadState:
    """The lead is deleted, or in a pipeline that is not on the map: there is nothing to wait for."""
    return replace(state, pending=None, due_at=None)


def timed(state: LeadState, department: Department, now: datetime) -> LeadState:
    """The state with the moment at which a timed route wants to be looked at: a whole second, as it is stored, so that
    the same state is equal when it is read again."""
    due = None if state.parked else due_at(Table(state, department, now))
    if state.blocked:
        due = min(filter(None, (due, now + BLOCKED_LOOKS)))
    return replace(state, due_at=due and due.replace(microsecond=0) + timedelta(seconds=due.microsecond > 0))


def born(lead_id: int, decision: Decision, origin: int, department: Department, now: datetime) -> LeadState:
    """The state of a lead that a copy has made. The next tick looks at it: a person may have moved it before anybody
    knew what it is, and his hook is gone then."""
    assert decision.to is not None, "a copy has a place"
    team = department.team_of_pipeline(decision.to.role).name
    fresh = LeadState(lead_id, team=team, told=decision.to.role, origin=origin).at(decision.to, now)
    return replace(fresh, due_at=now.replace(microsecond=0))


def _carried(
    after: LeadState, before: LeadState, decision: Decision, department: Department, now: datetime
) -> LeadState:
    assert decision.to is not None, "a lead is carried to a place"
    owners: Mapping[str, int] = after.owners
    if hands_over(before, decision, department):
        owners = {**owners, team_before(before, decision, department): decision.owner}
    moved = after.at(decision.to, now) if decision.step is Step.CROSS else _written(after, decision, decision.to, now)
    if decision.to.is_closed:
        return moved
    team = department.team_of_pipeline(decision.to.role).name
    return replace(moved, owners=owners, team=team, told=decision.to.role)


def _written(after: LeadState, decision: Decision, to: Place, now: datetime) -> LeadState:
    """Our own write has put the lead there; a move takes the answer off the card, and where a person's move is put
    back, nothing has been acted upon."""
    answer = "" if decision.step in (Step.MOVE, Step.RESTORE) else after.answer
    taken = decision.answer if decision.step is Step.MOVE else ""
    return replace(after.at(to, now), last=LastHop(decision.seen, to, decision.seen_at, taken), answer=answer)
