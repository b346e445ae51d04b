"""Ways between the pipelines that are missing: what nobody can reach, and where leads come in and none leaves. Pure.

People move cards freely within a pipeline and close them; between the pipelines only routes lead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from functions.shared.department import AFTERCARE, EXCHANGE, MAIN, WARM_UP, Kind, Route
from infra.department.machine import Mistake, is_closed, stays_in

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

_WHO_COMES = {MAIN: "qualified leads", AFTERCARE: "won leads", WARM_UP: "leads for later"}


def missing_ways(
    routes: Sequence[Route], preset: Sequence[Route], given: Mapping[str, object], arrivals: Collection[str]
) -> Iterator[Mistake]:
    """`preset` are the routes as they are without a word in the file, `given` what the file says of a route by name,
    None where it is off; `arrivals` the roles of the pipelines in which leads come in. Shown where the file takes a way
    of the preset away; where it does not, at the pipeline."""
    reached = _reached(routes, arrivals)
    for role in sorted(_WAYS_IN.keys() - reached):
        value = f"nothing brings {_WHO_COMES[role]} to {role} any more: {role} is unreachable"
        remedy = f"add a route that leads there, such as {_WAYS_IN[role]}; or name it in distribute: pipelines"
        taken = _taken_away(role, _brings_to, routes, preset, given)
        yield _missing(taken, given, role, value, remedy)
    for role in sorted(_WAYS_OUT.keys() & reached):
        if not any(_takes_out(route, role) for route in routes):
            value = f"leads come to {role} and no route leads out"
            taken = _taken_away(role, _takes_out, routes, preset, given)
            yield _missing(taken, given, role, value, f"add a route, such as {_WAYS_OUT[role]}")


def _missing(taken: list[str], given: Mapping[str, object], role: str, value: str, remedy: str) -> Mistake:
    if not taken:
        return Mistake(("pipelines", role), value, remedy)
    what = "off" if given[taken[0]] is None else "changed"
    others = f", {', '.join(taken[1:])} as well" if taken[1:] else ""
    return Mistake(("routes", taken[0]), f"is {what}{others}; {value}", f"take that back, or {remedy}")


def _taken_away(
    role: str,
    is_way: Callable[[Route, str], bool],
    routes: Sequence[Route],
    preset: Sequence[Route],
    given: Mapping[str, object],
) -> list[str]:
    """The preset's ways that the file has switched off or changed, in the file's order."""
    ways = {route.id: route for route in preset if is_way(route, role)}
    standing = {route.id for route in routes if is_way(route, role) and route.when == ways.get(route.id, route).when}
    return [name for name in given if name in ways and name not in standing]


def _reached(routes: Sequence[Route], arrivals: Collection[str]) -> set[str]:
    """Roles of the pipelines into which leads come. `back` only returns to where the lead has been; one that began in
    warm-up goes to the exchange."""
    reached = set(arrivals)
    for _ in range(4):  # a path visits each of the four pipelines once at most
        for route in routes:
            if any(trigger.role in reached for trigger in route.when):
                reached |= {place.role for place in (route.to, route.then) if place}
                reached |= {EXCHANGE} if route.kind is Kind.BACK and WARM_UP in arrivals else set()
    return reached


def _brings_to(route: Route, role: str) -> bool:
    return any(place is not None and place.role == role for place in (route.to, route.then)) and any(
        trigger.role != role for trigger in route.when
    )


def _takes_out(route: Route, role: str) -> bool:
    """Does a route take leads out of there? In the exchange and in warm-up not only those that somebody closed."""
    stays = route.kind is Kind.TASK or (route.kind is Kind.MOVE and stays_in(route, role))
    return not stays and any(
        trigger.role == role and (role == MAIN or not is_closed(trigger)) for trigger in route.when
    )
