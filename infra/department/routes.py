"""The routes of a file: the preset's, overridden key by key, and the firm's own, with their places looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from functions.shared.department import LOST_STAGE, UNSORTED_STAGE, WON_STAGE, Kind, Place, Route, RouteTask, Trigger
from functions.shared.errors import Finding
from infra.department.document import Document, Path, dotted
from infra.department.findings import choice
from infra.department.plan import PipelinePlan
from infra.department.preset_routes import preset_routes
from infra.department.schema import RouteSpec, RoutingSpec, TriggerSpec

ACTIONS = {"move": "move", "close": "close", "merge": "merge", "copy_to": "copy"}
"""What a route may do with the lead: exactly one of these (attribute: key in the file), or only its task."""


@dataclass
class Routes:
    """What was read: `routes` are those in force, `broken` those in which something is wrong, as far as they could be
    read, `findings` what is wrong, `notices` what their owner should know, `lacking` the stages that the firm does not
    have, each with the names of the preset's routes that want it."""

    routes: list[Route] = field(default_factory=list)
    broken: list[Route] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)


def read_routes(
    spec: RoutingSpec,
    pipelines: tuple[PipelinePlan, ...],
    document: Document,
    spoilt: Mapping[str, Collection[str]] | None = None,
) -> Routes:
    """The preset's routes first, in its order, then the firm's own. A preset route that speaks of a stage which the
    firm does not have is left out with a notice; a route of the file that does so is a finding. `spoilt` are routes of
    which `spec` lacks something that is wrong in the file, with the keys: nobody misses these in them."""
    spoilt = spoilt or {}
    read = Routes()
    presets = {name: RouteSpec.model_validate(route) for name, route in preset_routes(spec.language).items()}
    for name, given in spec.routes.items():
        if given is None and name not in presets:
            path: Path = ("routes", name)
            remedy = f"only a route of the preset can be off: {choice(name, list(presets))}"
            read.findings.append(Finding(dotted(path), document.line(path), "is no route", remedy))
    for name in [*presets, *(name for name in spec.routes if name not in presets)]:
        if name not in spec.routes or spec.routes[name] is not None:
            own = _Own(spec.routes.get(name), frozenset(spoilt.get(name, ())))
            _Reader(name, presets.get(name), own, pipelines, document, read).read()
    read.notices += _left_out(read.lacking, document)
    read.notices += _abandoned(spec, presets, read.routes, pipelines, document)
    return read


def _left_out(lacking: dict[str, list[str]], document: Document) -> Iterator[Finding]:
    for text, names in lacking.items():
        role, _, stage = text.partition(".")
        path: Path = ("pipelines", role, "stages")
        remedy = f"what the preset does there is left out: {', '.join(names)}; name another stage in it, or write off"
        yield Finding(dotted(path), document.line(path), f"has no {stage}", remedy)


def _abandoned(
    spec: RoutingSpec,
    presets: dict[str, RouteSpec],
    routes: list[Route],
    pipelines: tuple[PipelinePlan, ...],
    document: Document,
) -> Iterator[Finding]:
    """Stages that are there for a route of the preset which is off."""
    stages = {str(Place(plan.role, stage.key)) for plan in pipelines for stage in plan.stages}
    served = {str(Place(trigger.role, trigger.stage or "")) for route in routes for trigger in route.when}
    for name in (name for name, given in spec.routes.items() if given is None and name in presets):
        for stage in (trigger.stage for trigger in presets[name].when or ()):
            if stage in stages and stage not in served:
                path = ("routes", name)
                remedy = f"cards in {stage} stay there until somebody moves them"
                yield Finding(dotted(path), document.line(path), "is off", remedy)


@dataclass(frozen=True)
class _Own:
    """What the file says of a route, and the keys that had to be left out of it."""

    spec: RouteSpec | None
    spoilt: frozenset[str]


class _Reader:
    """Reads one route, and goes on after a mistake, so that all of them are told. A part of it is the firm's own if the
    file names it, else the preset's."""

    def __init__(
        self,
        name: str,
        preset: RouteSpec | None,
        own: _Own,
        pipelines: tuple[PipelinePlan, ...],
        document: Document,
        read: Routes,
    ) -> None:
        self._name = name
        self._has_preset = preset is not None
        self._spec = _overridden(preset, own.spec)
        self._own = own.spec.model_fields_set if own.spec else frozenset()
        self._spoilt = own.spoilt
        self._is_left_out = False
        self._stages = {plan.role: [stage.key for stage in plan.stages] for plan in pipelines}
        self._document = document
        self._read = read

    def read(self) -> None:
        """Into the routes in force, or among the broken ones, or nowhere if it is left out; then it is said why."""
        known = len(self._read.findings)
        kind, to, then = self._action()
        when = self._triggers()
        task = self._task()
        route = Route(self._name, when, kind, to, then, self._spec.close or "", task)
        if self._spoilt or len(self._read.findings) > known:
            self._read.broken.append(route)
        elif when and not self._is_left_out:
            self._read.routes.append(route)

    def _action(self) -> tuple[Kind, Place | None, Place | None]:
        """What it does, its target, and where the lead itself goes after a copy; a task alone where that is unclear."""
        spec = self._spec
        actions = [key for attribute, key in ACTIONS.items() if getattr(spec, attribute) is not None]
        move = self._target("move", spec.move) if spec.move not in (None, "back") else None
        copy = self._target("copy_to", spec.copy_to)
        then = self._target("then", spec.then) if spec.copy_to is not None else None
        if self._is_unclear(actions) or not actions:
            return Kind.TASK, None, None
        kind = Kind.BACK if spec.move == "back" else Kind(actions[0])
        return kind, move or copy, then

    def _is_unclear(self, actions: list[str]) -> bool:
        if len(actions) > 1:
            self._find((), f"has {' and '.join(actions)}", "keep one of them: a route does one thing with the lead")
        if self._spoilt:
            return len(actions) > 1
        if self._spec.then is not None and self._spec.copy_to is None:
            self._find(("then",), repr(self._spec.then), "then goes with copy only; to take the lead there use move")
        elif not actions and self._spec.task is None:
            self._find((), "does nothing", "add one of move, close, merge, copy, or a task")
        return len(actions) > 1

    def _target(self, attribute: str, text: str | None) -> Place | None:
        if text is None:
            return None
        key = ACTIONS.get(attribute, attribute)
        place = self._place(attribute, (key,), text, is_entry_meant=True)
        if place is None:
            self._is_left_out = True
            return None
        if place.stage == LOST_STAGE:
            self._find((key,), repr(text), "to lose a lead say why, with close: and a loss reason, such as no_need")
        elif place.stage == WON_STAGE and key == "copy":
            self._find((key,), repr(text), "a copy is new work: name a stage that is not closed")
        return place

    def _triggers(self) -> tuple[Trigger, ...]:
        """Empty where nothing starts the route."""
        given = self._spec.when
        if self._spoilt and (given is None or ("when" in self._spoilt and "when" not in self._own)):
            return ()  # what the file says is wrong, and the preset's triggers are not meant
        if given is None:
            guess = "" if self._has_preset else "; without it only a route of the preset can be changed"
            self._find((), "has no when", f"say what starts it, such as when: {{stage: main.offer, after: 14d}}{guess}")
            return ()
        triggers = [self._trigger(number, spec) for number, spec in enumerate(given)]
        found = tuple(trigger for trigger in triggers if trigger is not None)
        if not found and self._own and "when" not in self._own:
            self._find((), "has no when that fits the pipelines", "say what starts it: add when:")
        return found

    def _trigger(self, number: int, spec: TriggerSpec) -> Trigger | None:
        path = ("when", number)
        if (spec.stage is None) == (spec.within is None):
            value = "names no stage" if spec.stage is None else "has stage and in"
            self._find(path, value, "name a stage, such as stage: main.offer, or a whole pipeline, such as in: main")
            if spec.stage is not None:
                self._place("when", (*path, "stage"), spec.stage, is_entry_meant=False)
            return None
        if spec.stage is None:
            assert spec.within is not None
            return Trigger(spec.within, None, spec.answer, spec.after)
        place = self._place("when", (*path, "stage"), spec.stage, is_entry_meant=False)
        return Trigger(place.role, place.stage, spec.answer, spec.after) if place else None

    def _task(self) -> RouteTask | None:
        task = self._spec.task
        if task is None:
            return None
        if task.text is None:
            self._find(("task",), "has no text", "add text: and what is to be done")
            return None
        return RouteTask(task.assignee, task.text, task.due)

    def _place(self, attribute: str, below: Path, text: str, *, is_entry_meant: bool) -> Place | None:
        """A bare role is its entry stage where that `is_entry_meant`. What the preset names and the firm does not have
        is left out with a notice."""
        role, dot, stage = text.partition(".")
        if role not in self._stages:
            self._find(below, repr(text), f"it is no pipeline: {choice(role, list(self._stages))}")
        elif not dot and is_entry_meant:
            return Place(role, self._stages[role][0])
        elif not dot:
            remedy = f"write in: {role} for the whole pipeline, or name a stage: {role}.{self._stages[role][0]}"
            self._find(below, repr(text), remedy)
        elif stage == UNSORTED_STAGE:
            self._find(below, repr(text), "amoCRM puts leads there and people accept them: no route can do either")
        elif stage in (*self._stages[role], WON_STAGE, LOST_STAGE):
            return Place(role, stage)
        elif attribute in self._own or not self._has_preset:
            known = [*self._stages[role], WON_STAGE]
            self._find(below, repr(text), f"{role} has no such stage: {choice(stage, known)}")
        else:
            self._read.lacking.setdefault(text, []).append(self._name)
        return None

    def _find(self, below: Path, value: str, remedy: str) -> None:
        path = self._document.settled(("routes", self._name, *below))
        self._read.findings.append(Finding(dotted(path), self._document.line(path), value, remedy))


def _overridden(preset: RouteSpec | None, given: RouteSpec | None) -> RouteSpec:
    """Key by key; another action takes the place of the preset's, with its `then`."""
    if preset is None or given is None:
        whole = given or preset
        assert whole is not None
        return whole
    changes = {name: getattr(given, name) for name in given.model_fields_set}
    if not changes.keys().isdisjoint(ACTIONS):
        changes = dict.fromkeys((*ACTIONS, "then")) | changes
    if given.task and preset.task:
        named = {name: getattr(given.task, name) for name in given.task.model_fields_set}
        changes["task"] = preset.task.model_copy(update=named)
    return preset.model_copy(update=changes)
