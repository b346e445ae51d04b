"""Checks that look at several values together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from functions.shared.channels import CHANNELS
from functions.shared.department import MergeMode
from functions.shared.errors import Finding
from infra.department.document import Document, Path, dotted
from infra.department.findings import choice
from infra.department.machine import Mistake, mistakes_at_entries, mistakes_between, mistakes_in_circles, mistakes_of
from infra.department.plan import PipelinePlan, plan_pipelines
from infra.department.preset import MODELS
from infra.department.routes import Routes, read_routes
from infra.department.schema import DepartmentSpec, RoutingSpec
from infra.department.ways import missing_ways


def consistency(document: Document) -> Iterator[Finding]:
    """What one value alone cannot tell. Works on the raw data, so that it also speaks of files with other errors."""
    data = _mapping(document.data)
    teams = data.get("teams")
    if isinstance(teams, dict):
        yield from _team_count(document, data.get("model", "three_level"), teams)
    channels = [*CHANNELS, *_mapping(data.get("sources"))]
    for name, team in _mapping(teams).items():
        yield from _members(document, name, _sequence(_mapping(team).get("members")), channels)


def _team_count(document: Document, model: Any, teams: dict[str, Any]) -> Iterator[Finding]:
    if isinstance(model, str) and model in MODELS and len(teams) != len(MODELS[model]):
        wanted = [" and ".join(f"level {level}" for level in sorted(levels)) for levels in MODELS[model]]
        fitting = [name for name, teams_levels in MODELS.items() if len(teams_levels) == len(teams)]
        other = f"; or choose model: {' or '.join(fitting)}" if fitting else ""
        remedy = f"{model} has {len(wanted)}, in this order: {'; '.join(wanted)}{other}"
        yield Finding("teams", document.line(("teams",)), f"has {len(teams)} teams", remedy)


def _members(document: Document, team: str, members: list[Any], channels: list[str]) -> Iterator[Finding]:
    first_line: dict[str, int | None] = {}
    for index, member in enumerate(members):
        path = ("teams", team, "members", index)
        email = _mapping(member).get("email") if isinstance(member, dict) else member
        line = document.line((*path, "email"))
        if isinstance(email, str) and email.casefold() in first_line:
            remedy = f"keep one of the two, the first is in line {first_line[email.casefold()]}"
            yield Finding(dotted(path), line, f"{email!r} is in the team twice", remedy)
        elif isinstance(email, str):
            first_line[email.casefold()] = line
        for position, channel in enumerate(_sequence(_mapping(member).get("channels"))):
            if isinstance(channel, str) and channel not in channels:
                place = (*path, "channels", position)
                yield Finding(dotted(place), document.line(place), repr(channel), choice(channel, channels))


def state_machine(
    read: Routes, spec: RoutingSpec, pipelines: tuple[PipelinePlan, ...], document: Document
) -> Iterator[Finding]:
    """What is wrong with the routes, alone and with each other; of broken ones as far as they could be read."""
    known = [*read.routes, *read.broken]
    found = [mistake for route in known for mistake in mistakes_of(route)]
    found += mistakes_between(known, spec.routes)
    found += mistakes_at_entries(known, pipelines, spec.distribute.pipelines, spec.routes)
    named = {step for mistake in found for step in mistake.path[1:2]}
    found += mistakes_in_circles([route for route in read.routes if route.id not in named], pipelines, spec.routes)
    return (_finding(mistake, document) for mistake in found)


def whole_machine(read: Routes, spec: RoutingSpec, document: Document) -> Iterator[Finding]:
    """What is missing in all routes together; says something only where each of them is right."""
    whole = RoutingSpec()
    preset = read_routes(whole, plan_pipelines(whole), Document()).routes
    mistakes = missing_ways(read.routes, preset, spec.routes, spec.distribute.pipelines)
    return (_finding(mistake, document) for mistake in mistakes)


def _finding(mistake: Mistake, document: Document) -> Finding:
    """A route of the preset need not stand in the file: then its stages are what makes it wrong."""
    path = mistake.path
    shown = path if path[:2] in document.lines or path[:1] != ("routes",) else ("pipelines",)
    line = document.line(shown) if shown[:1] in document.lines else document.lines.get(("distribute",))
    return Finding(dotted(path), line, mistake.value, mistake.remedy)


def notices(spec: DepartmentSpec, document: Document) -> Iterator[Finding]:
    for name, team in spec.teams.items():
        if all(member.paused for member in team.members):
            remedy = "its leads wait until somebody is back" if team.duty is None else "its leads go to the duty person"
            yield Finding(f"teams.{name}", document.line(("teams", name)), "everybody is paused", remedy)
    for name, route in spec.routes.items():
        told = route.task.assignee if route and route.task else "owner"
        if told != "owner" and getattr(spec, told) is None:
            path = ("routes", name, "task")
            yield Finding(dotted(path), document.line(path), f"for {told}", f"goes to the lead's owner: add {told}:")
    if spec.country is None and spec.language != "ru" and spec.merging.mode is not MergeMode.OFF:
        remedy = "phones without a country code are not compared: add it, such as country: GB"
        yield Finding("country", None, "is not given", remedy)


def name_clashes(pipelines: tuple[PipelinePlan, ...], document: Document) -> Iterator[Finding]:
    """Pipelines, and stages within one, are found in amoCRM by their names: these must differ."""
    yield from _clashes({plan.role: plan.name for plan in pipelines}, ("pipelines",), ("name",), document)
    for plan in pipelines:
        names = {stage.key: stage.name for stage in plan.stages}
        yield from _clashes(names, ("pipelines", plan.role, "stages"), (), document)


def _clashes(names: dict[str, str], above: Path, below: Path, document: Document) -> Iterator[Finding]:
    """`names` by key; the place of a name in the file is above, its key, below."""
    first: dict[str, str] = {}
    for key, name in names.items():
        if (other := first.setdefault(name.casefold(), key)) != key:
            path = (*above, key, *below)
            yield Finding(dotted(path), document.line(path), repr(name), f"{other} has this name too: choose another")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
