"""The routes as lines that the firm's owner can read."""

from __future__ import annotations

from datetime import timedelta
from textwrap import shorten

from functions.shared.department import LOST_STAGE, WON_STAGE, Kind, Place, Route, RouteTask, Trigger
from infra.department.file import DepartmentFile


def route_lines(file: DepartmentFile) -> list[str]:
    """One line a route: `not_target: «Биржа лидов: Не целевой» → closed «Не целевой»`."""
    words = _Words(file)
    return [f"{route.id}: {words.triggers(route)} → {words.effect(route)}" for route in file.routes]


class _Words:
    """Places by the names that amoCRM shows."""

    def __init__(self, file: DepartmentFile) -> None:
        self._file = file
        self._pipelines = {plan.role: plan.name for plan in file.pipelines}
        self._closing = {WON_STAGE: "won", LOST_STAGE: "lost"}

    def triggers(self, route: Route) -> str:
        return ", or ".join(self._trigger(trigger) for trigger in route.when)

    def effect(self, route: Route) -> str:
        done = [*([] if route.kind is Kind.TASK else [self._action(route)]), *_task(route.task)]
        return ", ".join(done)

    def _trigger(self, trigger: Trigger) -> str:
        place = (
            self._place(Place(trigger.role, trigger.stage))
            if trigger.stage
            else f"anywhere in «{self._pipelines[trigger.role]}»"
        )
        answer = "" if trigger.answer is None else f" with the answer {self._quoted(f'answer.{trigger.answer}')}"
        return place + answer + ("" if trigger.after is None else f" after {_span(trigger.after)}")

    def _action(self, route: Route) -> str:
        match route.kind:
            case Kind.CLOSE:
                return f"closed {self._quoted(f'reason.{route.reason}')}"
            case Kind.MERGE:
                return "merged into the client's running lead"
            case Kind.BACK:
                return "back to where it came from"
            case Kind.COPY:
                then = f", itself to {self._place(route.then)}" if route.then else ""
                return f"a copy to {self._place(route.to)}{then}"
            case _:
                return f"to {self._place(route.to)}"

    def _place(self, place: Place | None) -> str:
        assert place is not None, "only routes with a target name one"
        stage = self._closing.get(place.stage) or self._file.names[str(place)]
        return f"«{self._pipelines[place.role]}: {stage}»"

    def _quoted(self, key: str) -> str:
        return f"«{self._file.names[key]}»"


def _task(task: RouteTask | None) -> list[str]:
    if task is None:
        return []
    return [f"a task for {task.assignee} within {_span(task.due)}: {shorten(task.text, 80, placeholder='…')}"]


def _span(span: timedelta) -> str:
    """As the file writes it: 30d, 1d12h, 45m."""
    hours, minutes = divmod(span.seconds // 60, 60)
    return "".join(f"{number}{unit}" for number, unit in ((span.days, "d"), (hours, "h"), (minutes, "m")) if number)
