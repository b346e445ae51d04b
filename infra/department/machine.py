"""The routes as a state machine: what is wrong with one of them, with two together, and with chains of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, permutations

from functions.shared.department import (
    AFTERCARE,
    WARM_UP,
    Kind,
    Place,
    Route,
    Trigger,
)
from infra.department.circles import Circle, circles
from infra.department.document import Path
from infra.department.plan import PipelinePlan

AT_ONCE = timedelta()


@dataclass(frozen=True)
class Mistake:
    """`path` is where in the file; a route of the preset need not stand there."""

    path: Path
    value: str
    remedy: str


def mistakes_of(route: Route) -> Iterator[Mistake]:
    """What is wrong with a route whatever the others do."""
    if len(set(route.when)) < len(route.when):
        yield _in(route, "names a trigger twice", "keep one of the two", "when")
    for trigger in route.when:
        yield from _trigger_mistakes(route, trigger)
    if route.kind is Kind.BACK and any(trigger.role != WARM_UP for trigger in route.when):
        remedy = "only a lead in warm_up goes back to where it came from: name a place, such as move: main"
        yield _in(route, "'back'", remedy, "move")
    if route.kind is Kind.COPY and route.to and any(trigger.role == route.to.role for trigger in route.when):
        yield _in(route, f"'{route.to}'", "a copy goes to another pipeline; within one use move", "copy")
    if route.kind in (Kind.CLOSE, Kind.MERGE) and any(is_closed(trigger) for trigger in route.when):
        yield _in(route, "the lead is closed already", "move or copy it, or set a task", route.kind.value)
    if any(_is_target(route, trigger) for trigger in route.when):
        remedy = "it would start itself again and again: choose a target where it does not hold"
        yield _in(route, "its target is its own trigger", remedy)


def _trigger_mistakes(route: Route, trigger: Trigger) -> Iterator[Mistake]:
    if trigger.stage is None and trigger.answer is None and trigger.after is None:
        remedy = "no lead could stay there: add answer: or after:, or name a stage"
        yield _in(route, f"all of {trigger.role}, at once", remedy, "when")
    if trigger.after is not None and is_closed(trigger):
        remedy = "closed leads are not watched: leave after: out, or name a stage that is not closed"
        yield _in(route, f"after: in {_where(trigger)}", remedy, "when")
    if trigger.answer is not None and is_closed(trigger):
        remedy = "the field stays filled on a lead that was closed by it: leave answer: out"
        yield _in(route, f"answer: in {_where(trigger)}", remedy, "when")
    if trigger.answer is not None and trigger.role == AFTERCARE:
        remedy = "the field is about the qualification, which a client in aftercare has behind him: use a stage"
        yield _in(route, "answer: in aftercare", remedy, "when")


def mistakes_between(routes: Sequence[Route], is_in_file: Collection[str]) -> Iterator[Mistake]:
    """Two routes that cannot both hold. `is_in_file` are the names that the file gives: there the mistake is shown."""
    for one, other in combinations(routes, 2):
        common = [trigger for trigger in one.when if trigger in other.when]
        if common:
            shown, named = (one, other) if one.id in is_in_file and other.id not in is_in_file else (other, one)
            remedy = f"{named.id} has this trigger too: a lead can go one way only, change one of them"
            yield _in(shown, _places(common), remedy + _or_off(named, is_in_file), "when")
    for early, late in permutations(routes, 2):
        beaten = [b for b in late.when if any(_is_faster(a, b) for a in early.when)]
        if beaten and leads_away(early):
            yield _beaten(early, late, _places(beaten), is_in_file)
    for route in filter(leads_away, routes):
        if any(_is_faster(a, b) for a, b in combinations(route.when, 2)):
            yield _in(route, "has a trigger that never comes about: another one is faster", "keep the faster", "when")


def _beaten(early: Route, late: Route, where: str, is_in_file: Collection[str]) -> Mistake:
    remedy = f"change the trigger of {late.id} or of {early.id}"
    if late.id in is_in_file or early.id not in is_in_file:
        value = f"its trigger in {where} never comes about: {early.id} has taken the lead away by then"
        return _in(late, value, remedy, "when")
    value = f"takes the lead away before {late.id} begins in {where}"
    return _in(early, value, remedy + _or_off(late, is_in_file), "when")


def _or_off(route: Route, is_in_file: Collection[str]) -> str:
    return "" if route.id in is_in_file else f", or switch that one off with `{route.id}: off`"


def mistakes_at_entries(
    routes: Sequence[Route], pipelines: Sequence[PipelinePlan], arrivals: Collection[str], is_in_file: Collection[str]
) -> Iterator[Mistake]:
    """Routes that take leads away where they come in. `arrivals` are the roles of the pipelines they come in."""
    for role, entry in ((plan.role, plan.stages[0].key) for plan in pipelines if plan.role in arrivals):
        for route in routes:
            if leads_away(route) and Trigger(role, entry) in route.when:
                remedy = f"new leads come in there and would be gone at once: put another stage of {role} first"
                if route.id in is_in_file:
                    yield _in(route, f"starts in {role}.{entry}", remedy, "when")
                else:
                    yield Mistake(("pipelines", role, "stages"), f"begin with {entry}, where {route.id} starts", remedy)


def mistakes_in_circles(
    routes: Sequence[Route], pipelines: Sequence[PipelinePlan], is_in_file: Collection[str]
) -> Iterator[Mistake]:
    """Routes that go on by themselves and lead back to where they began."""
    return (_circle_mistake(circle, is_in_file) for circle in circles(routes, pipelines))


def _circle_mistake(circle: Circle, is_in_file: Collection[str]) -> Mistake:
    first = next((at for at, (_, route) in enumerate(circle) if route.id in is_in_file), 0)
    turned = [*circle[first:], *circle[:first]]
    shown, names = turned[0][1], list(dict.fromkeys(route.id for _, route in turned))
    way = " → ".join(str(place) for place, _ in [*turned, turned[0]])
    remedy = f"nobody stands between: let {shown.id} set a task, or start it by a stage that people choose"
    return _in(shown, f"the routes {', '.join(names)} go round in a circle: {way}", remedy)


def leads_away(route: Route) -> bool:
    return route.kind is not Kind.TASK and (route.kind is not Kind.COPY or route.then is not None)


def _is_faster(early: Trigger, late: Trigger) -> bool:
    """Does `early` hold before `late` whenever that would? What the stage says goes before what the field says
    (functions.qualify_router.routing)."""
    if early.role != late.role or early.stage not in (None, late.stage) or early.answer not in (None, late.answer):
        return False
    first, second = early.after or AT_ONCE, late.after or AT_ONCE
    return first < second or (first == second and early.stage is not None and early.answer != late.answer)


def _is_target(route: Route, trigger: Trigger) -> bool:
    """Would the route hold again where it leaves the lead? An answer does not: it is cleared by a move."""
    here = Place(trigger.role, trigger.stage) if trigger.stage else None
    target = route.then if route.kind is Kind.COPY else route.to
    if target is None:
        return False
    return target == here or (here is None and trigger.answer is None and stays_in(route, trigger.role))


def stays_in(route: Route, role: str) -> bool:
    return route.to is not None and route.to.role == role and not route.to.is_closed


def is_closed(trigger: Trigger) -> bool:
    return trigger.stage is not None and Place(trigger.role, trigger.stage).is_closed


def _where(trigger: Trigger) -> str:
    return str(Place(trigger.role, trigger.stage)) if trigger.stage else trigger.role


def _places(triggers: Iterable[Trigger]) -> str:
    return ", ".join(dict.fromkeys(map(_where, triggers)))


def _in(route: Route, value: str, remedy: str, *keys: str) -> Mistake:
    return Mistake(("routes", route.id, *keys), value, remedy)
