"""Where a lead goes next: the decision about one lead, from what it is, what we knew of it, and the department. Pure.

The state machine has no memory of its own that could contradict amoCRM: a lead that stands in a stage with a route *is*
the work to do, and every route that moves takes it out of there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.shared.crm import Lead, StageChange
from functions.shared.department import (
    EXCHANGE,
    LOST_STAGE,
    UNSORTED_STAGE,
    WON_STAGE,
    Department,
    Kind,
    Place,
    Route,
    Trigger,
)
from functions.shared.lead_state import ENDED, HOPS, TOLD, Decision, LastHop, LeadState, Step
from functions.shared.limits import LEASE

_STEPS = {
    Kind.MOVE: Step.MOVE,
    Kind.BACK: Step.MOVE,
    Kind.CLOSE: Step.CLOSE,
    Kind.COPY: Step.COPY,
    Kind.TASK: Step.TASK,
}


@dataclass(frozen=True)
class Sight:
    """A lead as just read: `place` on the map, `answer` the key of what «Итог квалификации» says, empty for nothing."""

    lead: Lead
    place: Place
    answer: str


def look(lead: Lead, department: Department) -> Sight | None:
    """None for a lead in a pipeline or stage that the department does not know: not ours."""
    place = department.place(lead.pipeline_id, lead.status_id)
    return Sight(lead, place, _answer(lead, department)) if place else None


@dataclass(frozen=True)
class Table:
    """What a decision rests on besides the lead: one row of `state` (already of this place, see LeadState.at), the
    department, the time."""

    state: LeadState
    department: Department
    now: datetime


@dataclass(frozen=True)
class MergeWanted:
    """A route says that the lead is a duplicate: of which, only amoCRM can tell. `fired` as in Decision."""

    route: str
    fired: str


def decide(sight: Sight, table: Table) -> Decision | MergeWanted | None:
    """The next step of a lead; None: nothing to do."""
    if table.state.parked or sight.place.stage == UNSORTED_STAGE:
        return None  # amoCRM lets nothing out of «Неразобранное» but by an accept
    found = route_of(sight, table)
    if found is None:
        return _by_hand(sight, table)
    route, trigger = found
    if route.kind is Kind.MERGE:
        return MergeWanted(route.id, _mark(route, trigger))
    step, to = _STEPS[route.kind], _target(route, sight, table)
    return decision(
        sight, table, step, route=route.id, to=to, reason=route.reason, answer=sight.answer, fired=_mark(route, trigger)
    )


def has_more(sight: Sight, table: Table) -> bool:
    """Whether a lead that its step has left where it was seen wants another one. No hook will tell of it."""
    return table.state.place == sight.place and decide(sight, table) is not None


def decision(
    sight: Sight,
    table: Table,
    step: Step,
    *,
    route: str = "",
    to: Place | None = None,
    reason: str = "",
    answer: str = "",
    others: tuple[int, ...] = (),
    why: str = "",
    fired: str = "",
) -> Decision:
    """A step of this lead; one that would keep it running in circles is parked instead."""
    state, now = table.state, table.now
    if step in HOPS and len(state.hops_lately(now)) >= table.department.hop_limit:
        step, why = Step.PARK, step.value
    return Decision(
        step=step,
        route=route,
        seen=sight.place,
        seen_at=sight.lead.updated_at,
        owner=sight.lead.responsible_user_id,
        hop=state.hop + (step in HOPS or step is Step.CROSS),
        decided_at=now,
        lease_until=now + LEASE,
        department_version=table.department.version,
        to=to,
        reason=reason,
        answer=answer,
        others=others,
        why=why,
        fired=fired,
    )


def route_of(sight: Sight, table: Table) -> tuple[Route, Trigger] | None:
    """The route that holds now, with its trigger: what moves the lead before what only sets a task, time last, a named
    stage before a whole pipeline, the stage before the field."""
    found = [
        (_rank(route, trigger), number, route, trigger)
        for number, route in enumerate(table.department.routes)
        for trigger in route.when
        if _holds(route, trigger, sight, table) and not _is_done(route, trigger, sight, table)
    ]
    return min(found, key=lambda each: each[:2])[2:] if found else None


def blocked_by(route: str, department: Department) -> str:
    """How a refused route is remembered: another version of the department may be right."""
    return f"{route}@{department.version}"


def due_at(table: Table) -> datetime | None:
    """When a timed route of the lead's place is to be looked at."""
    state = table.state
    moments = [
        since + trigger.after
        for route in table.department.routes
        for trigger in route.when
        if trigger.after is not None
        and state.place is not None
        and ENDED not in state.fired
        and _is_there(trigger, state.place)
        and _mark(route, trigger) not in state.fired
        and (since := _since(trigger, state)) is not None
    ]
    return min(moments, default=None)


def is_worth_reading(
    place: Place, answers: Collection[str], state: LeadState, team: str, department: Department
) -> bool:
    """Whether a hook that says "it stands here, with this answer" can mean work; `team` had the lead last, empty if
    nobody knows.

    An echo of our own write says what we know already, so it costs no request to amoCRM.
    """
    if place != state.place and state.version:
        return True
    if place.is_closed:
        return TOLD not in state.fired and not (place.stage == WON_STAGE and state.sale)
    routed = any(
        _is_there(trigger, place) and _is_news(trigger, answers, state) and _mark(route, trigger) not in state.fired
        for route in department.routes
        for trigger in route.when
    )
    crossed = bool(team) and place.stage != UNSORTED_STAGE and department.team_of_pipeline(place.role).name != team
    return routed or crossed


def is_possible(decision: Decision, department: Department) -> bool:
    """Whether a step that was stored under another version of the department still has a place to go to."""
    route = next((route for route in department.routes if route.id == decision.route), None)
    if decision.step is Step.COPY and route is None:
        return False
    places = [place for place in (decision.to, route.then if route else None) if place and not place.is_closed]
    return all(place.stage in department.pipeline_of(place.role).stages for place in places)


def has_route(place: Place, department: Department) -> bool:
    """Whether a lead that is made right there needs the router."""
    return any(_is_there(trigger, place) and trigger.answer is None for r in department.routes for trigger in r.when)


def may_be_swept(hinted: Mapping[Place, datetime | None], sight: Sight, state: LeadState) -> bool:
    """Whether a person may have moved the lead between our reading and our writing: a hook speaks of another place, yet
    the lead stands where we put it. `hinted` as in Hint.places."""
    last = state.last
    return last is not None and sight.place == last.to and names_another(hinted, last)


def names_another(hinted: Mapping[Place, datetime | None], hop: LastHop) -> bool:
    """Whether a hook that is not older than what a hop was decided on names a place that is neither where it took the
    lead from nor where it puts it."""
    read_at = hop.seen_at.replace(microsecond=0)
    return any(
        place not in (hop.seen, hop.to) and said_at is not None and said_at >= read_at
        for place, said_at in hinted.items()
    )


def taken_from(
    changes: Sequence[StageChange], last: LastHop, ours: Collection[int], department: Department
) -> Place | None:
    """The place that our last write really took the lead from; None where the history does not show the write (yet),
    or the place is not on the map. `ours` are the users under which amoCRM books our writes: what people did later
    takes nothing away, and where we had put the lead ourselves nothing of theirs was.

    If it is not the one we had read, a person's decision was swept away: amoCRM has no conditional writes.
    """
    read_at = last.seen_at.replace(microsecond=0)
    since = [change for change in changes if change.at >= read_at]
    for number, change in enumerate(since):
        if change.by in ours and department.place(*change.after) == last.to:
            came = next((each for each in reversed(since[:number]) if each.after == change.before), None)
            is_persons = came is None or came.by not in ours
            is_latest = number == len(since) - 1  # else it stands there by the later word of somebody
            return department.place(*change.before) if is_persons and is_latest else last.seen
    return None


def _by_hand(sight: Sight, table: Table) -> Decision | None:
    """What a person did that others want to know of."""
    state, place = table.state, sight.place
    if place.is_closed:
        if TOLD in state.fired or (place.stage == WON_STAGE and (state.sale or state.blocked)):
            return None  # told already; or the copy that belongs to the sale is still refused
        step = Step.SOLD if place.stage == WON_STAGE else Step.CLOSED
        return decision(sight, table, step, to=place, answer=sight.answer, fired=TOLD)
    crossed = state.team and table.department.team_of_pipeline(place.role).name != state.team
    if crossed or (state.told and state.told != place.role):
        return decision(sight, table, Step.CROSS, to=place, answer=sight.answer)
    return None


def _target(route: Route, sight: Sight, table: Table) -> Place | None:
    if route.kind is Kind.BACK:
        return table.department.entry(table.state.came_from or EXCHANGE)
    if route.kind is Kind.CLOSE:
        return Place(sight.place.role, LOST_STAGE)
    return route.to


def _holds(route: Route, trigger: Trigger, sight: Sight, table: Table) -> bool:
    if ENDED in table.state.fired or not _is_there(trigger, sight.place):
        return False
    if table.state.blocked == blocked_by(route.id, table.department):
        return False
    if trigger.answer is not None and (trigger.answer != sight.answer or sight.answer == table.state.answer):
        return False
    since = _since(trigger, table.state)
    return trigger.after is None or (since is not None and table.now - since >= trigger.after)


def _is_done(route: Route, trigger: Trigger, sight: Sight, table: Table) -> bool:
    """Routes that leave the lead where it is are done once in a stay, and a sale once for ever."""
    sold = route.kind is Kind.COPY and sight.place.stage == WON_STAGE and table.state.sale
    return bool(sold) or _mark(route, trigger) in table.state.fired


def _is_there(trigger: Trigger, place: Place) -> bool:
    if trigger.role != place.role:
        return False
    return trigger.stage == place.stage if trigger.stage else not place.is_closed and place.stage != UNSORTED_STAGE


def _is_news(trigger: Trigger, answers: Collection[str], state: LeadState) -> bool:
    """Whether standing there may start something; a hook tells nothing of time."""
    if trigger.answer is not None and (trigger.answer not in answers or trigger.answer == state.answer):
        return False
    return trigger.after is None or not state.version


def _since(trigger: Trigger, state: LeadState) -> datetime | None:
    return state.entered_at if trigger.stage else state.arrived_at


def _mark(route: Route, trigger: Trigger) -> str:
    return route.id if trigger.stage else f"role:{route.id}"


def _rank(route: Route, trigger: Trigger) -> tuple[bool, bool, bool, bool]:
    return route.kind is Kind.TASK, trigger.after is not None, trigger.stage is None, trigger.answer is not None


def _answer(lead: Lead, department: Department) -> str:
    filled = lead.filled(department.answer_field) if department.answer_field else None
    chosen = {value.get("enum_id") for value in filled.values} if filled else set()
    return next((key for key, enum_id in department.answers.items() if enum_id in chosen), "")
