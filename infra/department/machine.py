"""The routes as a state machine: what is wrong with one of them, with two together, and with the whole. Pure.

People move cards freely within a pipeline and close them; between the pipelines only routes lead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from functions.shared.department import (
    AFTERCARE,
    EXCHANGE,
    MAIN,
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

_WAYS_IN = {
    MAIN: "qualified: {when: {stage: exchange.<stage>}, move: main}",
    AFTERCARE: "won: {when: {stage: main.won}, copy: aftercare}",
    WARM_UP: "not_ready: {when: {stage: main.<stage>}, move: warm_up}",
}
"""An example for each pipeline but the exchange: there requests come in from outside, given out or not."""

_WAYS_OUT = {
    EXCHANGE: "qualified: {when: {stage: exchange.<stage>}, move: main}",
    MAIN: "won: {when: {stage: main.won}, copy: aftercare}",
    WARM_UP: "warmed: {when: {stage: warm_up.<stage>}, move: back}",
}
"""An example for each pipeline but aftercare, where a client stays."""


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
    if route.kind in (Kind.CLOSE, Kind.MERGE) and any(_is_closed(trigger) for trigger in route.when):
        yield _in(route, "the lead is closed already", "move or copy it, or set a task", route.kind.value)
    if any(_is_target(route, trigger) for trigger in route.when):
        remedy = "it would start itself again and again: choose a target where it does not hold"
        yield _in(route, "its target is its own trigger", remedy)


def _trigger_mistakes(route: Route, trigger: Trigger) -> Iterator[Mistake]:
    if trigger.stage is None and trigger.answer is None and trigger.after is None:
        remedy = "no lead could stay there: add answer: or after:, or name a stage"
        yield _in(route, f"all of {trigger.role}, at once", remedy, "when")
    if trigger.after is not None and _is_closed(trigger):
        remedy = "closed leads are not watched: leave after: out, or name a stage that is not closed"
        yield _in(route, f"after: in {_where(trigger)}", remedy, "when")
    if trigger.answer is not None and _is_closed(trigger):
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
            off = f", or switch that one off with `{named.id}: off`" if named.id not in is_in_file else ""
            remedy = f"{named.id} has this trigger too: a lead can go one way only, change one of them{off}"
            yield _in(shown, _where(common[0]), remedy, "when")
    for early in filter(_leads_away, routes):
        for late in routes:
            beaten = next((b for b in late.when if any(_is_faster(a, b) for a in early.when)), None)
            if early is not late and beaten is not None:
                value = f"its trigger in {_where(beaten)} never comes about: {early.id} has taken the lead away by then"
                yield _in(late, value, f"change the trigger of {late.id} or of {early.id}", "when")
    for route in filter(_leads_away, routes):
        if any(_is_faster(a, b) for a, b in combinations(route.when, 2)):
            yield _in(route, "has a trigger that never comes about: another one is faster", "keep the faster", "when")


def mistakes_of_all(
    routes: Sequence[Route], pipelines: Sequence[PipelinePlan], arrivals: Collection[str], is_in_file: Collection[str]
) -> Iterator[Mistake]:
    """What is wrong with the machine as a whole. `arrivals` are the roles of the pipelines in which leads come in."""
    reached = _reached(routes, arrivals)
    for role in sorted(_WAYS_IN.keys() - reached):
        remedy = f"add a route that leads there, such as {_WAYS_IN[role]}; or name it in distribute: pipelines"
        yield Mistake(("pipelines", role), "no lead can come there", remedy)
    for role in sorted(_WAYS_OUT.keys() & reached):
        if not _has_way_out(routes, role):
            remedy = f"add a route, such as {_WAYS_OUT[role]}"
            yield Mistake(("pipelines", role), "leads come in and no route leads out", remedy)
    for role, entry in ((plan.role, plan.stages[0].key) for plan in pipelines if plan.role in arrivals):
        for route in routes:
            if _leads_away(route) and Trigger(role, entry) in route.when:
                remedy = f"new leads come in there and would be gone at once: put another stage of {role} first"
                yield _in(route, f"starts in {role}.{entry}", remedy, "when")
    yield from (_circle_mistake(circle, is_in_file) for circle in circles(routes, pipelines))


def _reached(routes: Iterable[Route], arrivals: Collection[str]) -> set[str]:
    """Roles of the pipelines into which leads come. `back` only returns to where the lead has been; one that began in
    warm-up goes to the exchange."""
    reached = set(arrivals)
    routes = list(routes)
    for _ in range(4):  # a path visits each of the four pipelines once at most
        for route in routes:
            if any(trigger.role in reached for trigger in route.when):
                reached |= {place.role for place in (route.to, route.then) if place}
                reached |= {EXCHANGE} if route.kind is Kind.BACK and WARM_UP in arrivals else set()
    return reached


def _has_way_out(routes: Iterable[Route], role: str) -> bool:
    """Does a route take leads out of there? In the exchange and in warm-up not only those that somebody closed."""
    return any(
        trigger.role == role
        and (role == MAIN or not _is_closed(trigger))
        and not (route.kind is Kind.TASK or (route.kind is Kind.MOVE and _stays_in(route, role)))
        for route in routes
        for trigger in route.when
    )


def _stays_in(route: Route, role: str) -> bool:
    return route.to is not None and route.to.role == role and not route.to.is_closed


def _circle_mistake(circle: Circle, is_in_file: Collection[str]) -> Mistake:
    first = next((at for at, (_, route) in enumerate(circle) if route.id in is_in_file), 0)
    turned = [*circle[first:], *circle[:first]]
    shown, names = turned[0][1], list(dict.fromkeys(route.id for _, route in turned))
    way = " → ".join(str(place) for place, _ in [*turned, turned[0]])
    remedy = f"nobody stands between: let {shown.id} set a task, or start it by a stage that people choose"
    return _in(shown, f"the routes {', '.join(names)} go round in a circle: {way}", remedy)


def _leads_away(route: Route) -> bool:
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
    return target == here or (here is None and trigger.answer is None and _stays_in(route, trigger.role))


def _is_closed(trigger: Trigger) -> bool:
    return trigger.stage is not None and Place(trigger.role, trigger.stage).is_closed


def _where(trigger: Trigger) -> str:
    return str(Place(trigger.role, trigger.stage)) if trigger.stage else trigger.role


def _in(route: Route, value: str, remedy: str, *keys: str) -> Mistake:
    return Mistake(("routes", route.id, *keys), value, remedy)
