"""What is wrong under `meetings:` that one value alone cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from functions.shared.department import LOST_STAGE, UNSORTED_STAGE, WON_STAGE, Kind, Route
from functions.shared.errors import Finding
from functions.shared.meeting_plan import Provider
from infra.department.document import Document, Path, dotted
from infra.department.findings import choice
from infra.department.meetings import calls_of, name_of
from infra.department.meetings_spec import ClientCallsPart, MeetingsSpec
from infra.department.plan import PipelinePlan
from infra.department.preset import ANSWER_FIELD, ORIGIN_FIELD

AT_MOST = 200
"""Of an event with more guests the calendar passes no answers on (Google Calendar API: events, attendees)."""

_STANDUPS: Path = ("meetings", "standups")
_CALLS: Path = ("meetings", "client_calls")


def mistakes(
    spec: MeetingsSpec,
    language: str,
    pipelines: Sequence[PipelinePlan],
    routes: Sequence[Route],
    document: Document,
) -> Iterator[Finding]:
    """Looks up the teams in the raw data, so that it also speaks of files with other errors; no `pipelines`: nobody
    knows them."""
    teams = document.data.get("teams")
    if isinstance(teams, dict):
        yield from _teams(spec, teams, document)
    yield from _named_twice(spec, language, document)
    if spec.client_calls is not None:
        yield from _stage(spec.client_calls, pipelines, routes, document)
        yield from _fields(spec.client_calls, language, document)


def notices(spec: MeetingsSpec, document: Document) -> Iterator[Finding]:
    calls = spec.client_calls
    recorded = [(*_STANDUPS, at, "record") for at, standup in enumerate(spec.standups) if standup.record]
    recorded += [(*_CALLS, "record")] if calls and calls.record else []
    for path in recorded if spec.provider is Provider.TELEMOST else ():
        remedy = "its API has no such switch: whoever leads the meeting starts the recording"
        yield _finding(path, "Telemost does not record by itself", remedy, document)
    if not (spec.standups or calls or spec.out_of_office):
        yield _finding(("meetings",), "asks for nothing", "add standups:, or remove client_calls: off", document)


def _teams(spec: MeetingsSpec, teams: Mapping[str, Any], document: Document) -> Iterator[Finding]:
    for at, standup in enumerate(spec.standups):
        path = (*_STANDUPS, at, "team")
        team = teams.get(standup.team)
        members = team.get("members") if isinstance(team, dict) else None
        if standup.team not in teams:
            remedy = f"there is no such team: {choice(standup.team, [*teams])}"
            yield _finding(path, repr(standup.team), remedy, document)
        elif isinstance(members, list) and len(members) > AT_MOST:
            remedy = f"of more than {AT_MOST} guests the calendar passes no answers on: divide the team"
            yield _finding(path, f"{standup.team!r} has {len(members)} members", remedy, document)


def _named_twice(spec: MeetingsSpec, language: str, document: Document) -> Iterator[Finding]:
    first: dict[tuple[str, str], int] = {}
    for at, standup in enumerate(spec.standups):
        name = name_of(standup, language)
        if (before := first.setdefault((standup.team, name.casefold()), at)) != at:
            line = document.line((*_STANDUPS, before))
            remedy = f"give one of the two another name, the first is in line {line}"
            yield _finding((*_STANDUPS, at), f"{standup.team} has {name!r} twice", remedy, document)


def _stage(
    calls: ClientCallsPart, pipelines: Sequence[PipelinePlan], routes: Sequence[Route], document: Document
) -> Iterator[Finding]:
    if (calls.stage is None) != (calls.field is None):
        given, lacking = ("stage", "field: Дата встречи") if calls.field is None else ("field", "stage: main.contact")
        remedy = f"a call needs a stage and the field with its time: add {lacking}"
        yield _finding((*_CALLS, given), repr(getattr(calls, given)), remedy, document)
    wrong = _wrong_stage(calls.stage, pipelines, routes) if calls.stage is not None and pipelines else None
    if wrong:
        yield _finding((*_CALLS, "stage"), repr(calls.stage), wrong, document)


def _wrong_stage(text: str, pipelines: Sequence[PipelinePlan], routes: Sequence[Route]) -> str | None:
    """What would be right, None where it is."""
    stages = {plan.role: [stage.key for stage in plan.stages] for plan in pipelines}
    role, dot, stage = text.partition(".")
    if role not in stages:
        return f"it is no pipeline: {choice(role, list(stages))}"
    if not dot:
        return f"name a stage of it, such as {role}.{stages[role][0]}"
    if stage in (WON_STAGE, LOST_STAGE, UNSORTED_STAGE):
        return "name a stage in which people work on the card"
    if stage not in stages[role]:
        return f"{role} has no such stage: {choice(stage, stages[role])}"
    route = next((route for route in routes if _takes_out_at_once(route, role, stage)), None)
    return f"the route {route.id} takes each card out of it at once: name a stage where cards stay" if route else None


def _takes_out_at_once(route: Route, role: str, stage: str) -> bool:
    stays = route.kind is Kind.TASK or (route.kind is Kind.COPY and route.then is None)
    plain = (trigger for trigger in route.when if trigger.answer is None and trigger.after is None)
    return not stays and any((trigger.role, trigger.stage) == (role, stage) for trigger in plain)


def _fields(calls: ClientCallsPart, language: str, document: Document) -> Iterator[Finding]:
    """Each field of leads has one use."""
    of_ours = (ANSWER_FIELD, ORIGIN_FIELD)
    used = {names[0 if language == "ru" else 1].casefold(): "Conveyor itself" for names in of_ours}
    link_field = calls_of(calls, language).link_field
    given = {"link_field": link_field, "zone_field": calls.zone_field, "field": calls.field}
    for key, name in given.items():
        if name is not None and (user := used.setdefault(name.casefold(), key)) != key:
            yield _finding((*_CALLS, key), repr(name), f"{user} uses this field: name another", document)


def _finding(path: Path, value: str, remedy: str, document: Document) -> Finding:
    return Finding(dotted(path), document.line(path), value, remedy)
