"""Chains of routes that go on by themselves and lead back to where they began. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from functions.shared.department import EXCHANGE, LOST_STAGE, MAIN, WARM_UP, Kind, Place, Route, Trigger
from infra.department.plan import PipelinePlan

Circle = list[tuple[Place, Route]]
"""Each place with the route that leaves it; the last one leads to the first place."""


def circles(routes: Sequence[Route], pipelines: Sequence[PipelinePlan]) -> Iterator[Circle]:
    """The shortest circle through each place that is in one, without those that go round a shorter one."""
    machine = _Automatic(routes, pipelines)
    seen: list[set[Place]] = []
    for start in machine.starts():
        circle = [(stand.place, route) for stand, route in machine.way_back_to(start)]
        places = {place for place, _ in circle}
        if circle and not any(known <= places for known in seen):
            seen.append(places)
            yield circle


@dataclass(frozen=True)
class _Stand:
    """Where a lead is that nobody touches, and for warm-up where it came from."""

    place: Place
    came_from: str = ""


class _Automatic:
    """The routes as far as they go on by themselves: by stage or by time, without an answer."""

    def __init__(self, routes: Sequence[Route], pipelines: Sequence[PipelinePlan]) -> None:
        self._entries = {plan.role: Place(plan.role, plan.stages[0].key) for plan in pipelines}
        self._exits: dict[Place, list[Route]] = {}
        for route in routes:
            for trigger in route.when:
                if trigger.answer is None and route.kind is not Kind.TASK:
                    for place in _places(trigger, pipelines):
                        self._exits.setdefault(place, []).append(route)

    def starts(self) -> Iterator[_Stand]:
        for place in self._exits:
            yield from _stands(place, "")

    def way_back_to(self, start: _Stand) -> list[tuple[_Stand, Route]]:
        """The shortest circle through `start`: each place with the route that leaves it. Empty if there is none."""
        ways: deque[list[tuple[_Stand, Route]]] = deque([[]])
        seen: set[_Stand] = set()
        while ways:
            way = ways.popleft()
            here = self._after(way[-1]) if way else [start]
            for stand in here:
                if way and stand == start:
                    return way
                if stand not in seen or not way:
                    seen.add(stand)
                    ways.extend([*way, (stand, route)] for route in self._exits.get(stand.place, []))
        return []

    def _after(self, step: tuple[_Stand, Route]) -> list[_Stand]:
        """Where the lead is then, and its copy."""
        stand, route = step
        role = stand.place.role
        if route.kind is Kind.BACK:
            return [_Stand(self._entries[stand.came_from or EXCHANGE])]
        if route.kind in (Kind.CLOSE, Kind.MERGE):
            return list(_stands(Place(role, LOST_STAGE), stand.came_from))
        return [
            after
            for target in (route.to, route.then)
            if target
            for after in _stands(target, role if role in (EXCHANGE, MAIN) else stand.came_from)
        ]


def _stands(place: Place, came_from: str) -> Iterator[_Stand]:
    """In warm-up it matters where a lead came from; where that is not known, either may be."""
    if place.role != WARM_UP:
        yield _Stand(place)
    else:
        yield from (_Stand(place, role) for role in ([came_from] if came_from else (EXCHANGE, MAIN)))


def _places(trigger: Trigger, pipelines: Sequence[PipelinePlan]) -> list[Place]:
    if trigger.stage is not None:
        return [Place(trigger.role, trigger.stage)]
    return [Place(plan.role, stage.key) for plan in pipelines if plan.role == trigger.role for stage in plan.stages]
