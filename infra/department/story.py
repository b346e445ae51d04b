"""The department told in sentences: its pipelines, every route, who has a lead on its way, aftercare, meetings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.shared.department import AFTERCARE, EXCHANGE, MAIN, WARM_UP, Kind, MergeMode, Place, Route
from infra.department.care import Care
from infra.department.file import DepartmentFile
from infra.department.meetings_story import meeting_lines
from infra.department.wording import Wording

ROLES = (EXCHANGE, MAIN, AFTERCARE, WARM_UP)
"""In the order of a lead's way, warm-up being the way round."""

_MERGED_REASON = "duplicate"
"""The loss reason that a merged lead is closed with."""


@dataclass(frozen=True)
class Chapter:
    title: str
    lines: tuple[str, ...]


def tell(file: DepartmentFile) -> tuple[str, tuple[Chapter, ...]]:
    """The heading and the chapters, in the department's language."""
    wording = Wording(file)
    say = wording.say
    chapters: tuple[Chapter, ...] = (
        Chapter(say("s_pipelines"), tuple(_pipelines(wording))),
        Chapter(say("s_routes"), tuple(f"{route.id}: {sentence(wording, route)}" for route in file.routes)),
        Chapter(say("s_way"), tuple(_way(wording))),
    )
    if file.care.rules:
        chapters += (Chapter(say("s_care"), tuple(_care(file.care))),)
    if file.meetings:
        chapters += (Chapter(say("s_meetings"), tuple(meeting_lines(wording, file.meetings))),)
    return f"{file.spec.department}. {say('model', model=say(file.spec.model))}.", chapters


def sentence(wording: Wording, route: Route) -> str:
    """One route: from where, under which condition, what happens, who gets the lead, which task, what of the turn."""
    origins = f" {wording.say('or')} ".join(_origins(wording, route))
    effects = [*_action(wording, route), *_hands(wording, route), *_task(wording, route), *_refund(wording, route)]
    return f"{origins[0].upper()}{origins[1:]} → {'; '.join(effects)}."


def _care(care: Care) -> Iterator[str]:
    """Each rule in one line: its condition as the file writes it, and the task."""
    for document, rule in sorted(zip(care.rules, care.read, strict=True), key=lambda pair: -pair[1].priority):
        yield f"{rule.id} ({rule.priority}): {flow(document['when'])} → «{rule.action.text}»"


def flow(value: Any) -> str:
    """A value as YAML writes it in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return str(value)


def _pipelines(wording: Wording) -> Iterator[str]:
    for plan in wording.file.pipelines:
        team = wording.team_of(plan.role)
        yield wording.say(
            "s_pipeline",
            pipeline=plan.name,
            team=team.name,
            levels=wording.levels(team),
            managers=wording.managers(team),
            stages=" → ".join(stage.name for stage in plan.stages),
        )


def _origins(wording: Wording, route: Route) -> Iterator[str]:
    """`из этапа «Условный отказ» воронки «Основная воронка» при ответе «Не целевой» через 2 дня`"""
    say, before = wording.say, ""
    for trigger in route.when:
        pipeline = wording.pipeline(trigger.role)
        if trigger.stage is not None:
            stage = wording.stage(Place(trigger.role, trigger.stage))
            parts = [say("s_from_stage", stage=stage, pipeline=pipeline)]
        else:
            parts = [say("s_from_same" if before == trigger.role else "s_from_pipeline", pipeline=pipeline)]
        if trigger.answer:
            parts.append(say("s_with_answer", answer=wording.answer(trigger.answer)))
        if trigger.after:
            parts.append(say("s_after", span=wording.duration(trigger.after)))
        yield " ".join(parts)
        before = trigger.role


def _action(wording: Wording, route: Route) -> Iterator[str]:
    say = wording.say
    if route.kind is Kind.MOVE and route.to:
        yield say("s_move", **_named(wording, route.to))
    elif route.kind is Kind.BACK:
        places = f" {say('or')} ".join(say("s_back_place", **_named(wording, place)) for place in wording.origins)
        yield say("s_back", places=places)
    elif route.kind is Kind.CLOSE:
        yield say("s_close", reason=wording.reason(route.reason))
    elif route.kind is Kind.MERGE:
        yield say(f"s_merge_{wording.file.merging.mode.value}")
    elif route.kind is Kind.COPY and route.to:
        then = say("s_then_moves", stage=wording.stage(route.then)) if route.then else say("s_then_stays")
        yield say("s_copy", **_named(wording, route.to), then=then)


def _named(wording: Wording, place: Place) -> dict[str, str]:
    return {"pipeline": wording.pipeline(place.role), "stage": wording.stage(place)}


def _hands(wording: Wording, route: Route) -> Iterator[str]:
    """Who has the lead, or its copy, in the end; said step by step where that depends on the way."""
    steps = [(trigger.role, place.role) for trigger in route.when for place in _targets(wording, route)]
    receivers = {_receiver(wording, source, target) for source, target in steps}
    if len(receivers) > 1:
        yield from (_step(wording, source, target) for source, target in dict.fromkeys(steps))
    for team in receivers if len(receivers) == 1 else ():
        stays = "s_copy_stays" if route.kind is Kind.COPY else "s_stays"
        yield wording.say("s_gets", team=team) if team else wording.say(stays)


def _receiver(wording: Wording, source: str, target: str) -> str:
    """The team that gets the lead; empty where it stays with its manager."""
    return wording.team_of(target).name if wording.changes_hands(source, target) else ""


def _targets(wording: Wording, route: Route) -> tuple[Place, ...]:
    """Where the lead, or its copy, may be then; nowhere for routes after which nobody works on it."""
    if route.kind is Kind.BACK:
        return wording.origins
    return (route.to,) if route.to and not route.to.is_closed else ()


def _step(wording: Wording, source: str, target: str) -> str:
    old, new = wording.team_of(source).name, wording.team_of(target).name
    who = wording.say("s_hand_over", old=old, new=new) if old != new else wording.say("s_stays")
    return wording.say("s_step", source=wording.pipeline(source), target=wording.pipeline(target), who=who)


def _task(wording: Wording, route: Route) -> Iterator[str]:
    if task := route.task:
        who, due = wording.addressee(task.assignee), wording.duration(task.due)
        yield wording.say("s_task", who=who, text=" ".join(task.text.split()), due=due)


def _refund(wording: Wording, route: Route) -> Iterator[str]:
    refunds = wording.file.spec.refunds
    if route.kind is Kind.CLOSE and route.reason in refunds:
        yield wording.say("s_refund")
    if route.kind is Kind.MERGE and wording.file.merging.mode is MergeMode.AUTO and _MERGED_REASON in refunds:
        yield wording.say("s_refund_merged")


def _way(wording: Wording) -> Iterator[str]:
    """From the arrival on, every step from one pipeline to another that routes make, and who has the lead then."""
    for role in wording.file.spec.distribute.pipelines:
        team = wording.team_of(role)
        names = {"pipeline": wording.pipeline(role), "team": team.name, "managers": wording.managers(team)}
        yield wording.say("s_new", **names)
    steps = {
        (trigger.role, place.role)
        for route in wording.file.routes
        for trigger in route.when
        for place in _targets(wording, route)
    }
    for source in ROLES:
        for target in ROLES:
            if source != target and (source, target) in steps:
                yield _step(wording, source, target)
