"""Tasks of ours that ask a person something, and by what they are answered. Pure.

They are known by their text: one that somebody has rewritten is his own.
"""

from __future__ import annotations

from collections.abc import Iterable

from functions.qualify_router.texts import asks_about
from functions.shared.crm import Task
from functions.shared.department import Department, Kind, Place, Route


def asking_route(place: Place | None, department: Department) -> Route | None:
    """The route that asks for an answer where the lead stands: a task of the stage itself, and routes that go on from
    there by what «Итог квалификации» says."""
    here = [
        (route, trigger)
        for route in department.routes
        for trigger in route.when
        if place is not None and (trigger.role, trigger.stage) == (place.role, place.stage) and trigger.after is None
    ]
    if not any(trigger.answer for _, trigger in here):
        return None
    return next((route for route, trigger in here if route.kind is Kind.TASK and not trigger.answer), None)


def answered(tasks: Iterable[Task], place: Place | None, department: Department) -> list[Task]:
    """The open ones that asked for the answer which takes the lead away from this place."""
    route = asking_route(place, department)
    if route is None or route.task is None:
        return []
    text = route.task.text.strip()
    return [task for task in tasks if not task.is_completed and task.text.strip() == text]


def answered_by_merge(tasks: Iterable[Task], survivor: str, place: Place | None, department: Department) -> list[Task]:
    """The open ones of a lead at this place that need no answer once it is merged into the one at this address."""
    running = [task for task in tasks if not task.is_completed]
    return [*(task for task in running if asks_about(task.text, survivor)), *answered(running, place, department)]
