"""A resolved Department as a JSON-able document and back: how a version is stored.

Weights are exact fractions ("1/2"), hours their canonical text, zones IANA names, places `role.stage`, spans of time
seconds. Sets are sorted, so that equal departments give equal documents.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from functions.shared.department import (
    ChannelRule,
    Department,
    FirstAnswer,
    Kind,
    Member,
    MergeMode,
    Merging,
    Pipeline,
    Place,
    Route,
    RouteTask,
    Team,
    Trigger,
)
from functions.shared.hours import WorkingHours
from functions.shared.meeting_codec import decode_plan, encode_plan

SCHEMA = 1
"""Raise it when an old document can no longer be read; `decode` then has to know both."""


def encode(department: Department) -> dict[str, Any]:
    """The document of a department; `decode(encode(d)) == d`."""
    return {
        "schema": SCHEMA,
        "version": department.version,
        "name": department.name,
        "subdomain": department.subdomain,
        "timezone": department.timezone.key,
        "language": department.language,
        "model": department.model,
        "teams": [_encode_team(team) for team in department.teams],
        "pipelines": [_encode_pipeline(pipeline) for pipeline in department.pipelines],
        "channel_rules": [_encode_rule(rule) for rule in department.channel_rules],
        "distributes": sorted(department.distributes),
        "loss_reasons": department.loss_reasons,
        "account_id": department.account_id,
        "routes": [_encode_route(route) for route in department.routes],
        "refunds": sorted(department.refunds),
        "hop_limit": department.hop_limit,
        "answers": department.answers,
        "answer_field": department.answer_field,
        "origin_field": department.origin_field,
        "head": department.head,
        "marketing": department.marketing,
        "merging": {"mode": department.merging.mode.value, "per_day": department.merging.per_day},
        "country": department.country,
        "names": department.names,
        "meetings": encode_plan(department.meetings),
    }


def decode(document: dict[str, Any]) -> Department:
    """The department of a document; what an older Conveyor did not write has its default. Raises ValueError when a
    newer one wrote it."""
    if document["schema"] != SCHEMA:
        raise ValueError(f"department of schema {document['schema']}: this Conveyor reads {SCHEMA}, deploy a newer one")
    return Department(
        version=document["version"],
        name=document["name"],
        subdomain=document["subdomain"],
        timezone=ZoneInfo(document["timezone"]),
        language=document["language"],
        model=document["model"],
        teams=tuple(_decode_team(team) for team in document["teams"]),
        pipelines=tuple(Pipeline(**pipeline) for pipeline in document["pipelines"]),
        channel_rules=tuple(_decode_rule(rule) for rule in document["channel_rules"]),
        distributes=frozenset(document["distributes"]),
        loss_reasons=document["loss_reasons"],
        **{name: read(document[name]) for name, read in _LATER.items() if name in document},
    )


def _encode_team(team: Team) -> dict[str, Any]:
    return {
        "name": team.name,
        "levels": sorted(team.levels),
        "members": [_encode_member(member) for member in team.members],
        "first_answer": {
            "within_minutes": team.first_answer.within_minutes,
            "reassign": team.first_answer.reassign,
            "escalate_to": team.first_answer.escalate_to,
        },
        "duty": team.duty,
        "duty_name": team.duty_name,
    }


def _decode_team(document: dict[str, Any]) -> Team:
    return Team(
        name=document["name"],
        levels=frozenset(document["levels"]),
        members=tuple(_decode_member(member) for member in document["members"]),
        first_answer=FirstAnswer(**document["first_answer"]),
        duty=document["duty"],
        duty_name=document.get("duty_name", ""),
    )


def _encode_member(member: Member) -> dict[str, Any]:
    return {
        "user_id": member.user_id,
        "email": member.email,
        "name": member.name,
        "weight": str(member.weight),
        "hours": str(member.hours),
        "timezone": member.timezone.key,
        "max_open": member.max_open,
        "max_per_day": member.max_per_day,
        "channels": sorted(member.channels),
        "paused": member.paused,
    }


def _decode_member(document: dict[str, Any]) -> Member:
    return Member(
        **{
            **document,
            "weight": Fraction(document["weight"]),
            "hours": WorkingHours.parse(document["hours"]),
            "timezone": ZoneInfo(document["timezone"]),
            "channels": frozenset(document["channels"]),
        }
    )


def _encode_pipeline(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "role": pipeline.role,
        "id": pipeline.id,
        "name": pipeline.name,
        "entry_status_id": pipeline.entry_status_id,
        "unsorted_status_id": pipeline.unsorted_status_id,
        "stages": pipeline.stages,
    }


def _encode_rule(rule: ChannelRule) -> dict[str, Any]:
    return {
        "channel": rule.channel,
        "categories": sorted(rule.categories),
        "services": sorted(rule.services),
        "source_ids": sorted(rule.source_ids),
        "source_names": sorted(rule.source_names),
        "tags": sorted(rule.tags),
    }


def _decode_rule(document: dict[str, Any]) -> ChannelRule:
    lists = {name: frozenset(values) for name, values in document.items() if name != "channel"}
    return ChannelRule(channel=document["channel"], **lists)


def _encode_route(route: Route) -> dict[str, Any]:
    return {
        "id": route.id,
        "when": [_encode_trigger(trigger) for trigger in route.when],
        "kind": route.kind.value,
        "to": str(route.to) if route.to else None,
        "then": str(route.then) if route.then else None,
        "reason": route.reason,
        "task": _encode_task(route.task) if route.task else None,
    }


def _decode_route(document: dict[str, Any]) -> Route:
    return Route(
        id=document["id"],
        when=tuple(_decode_trigger(trigger) for trigger in document["when"]),
        kind=Kind(document["kind"]),
        to=_decode_place(document["to"]),
        then=_decode_place(document["then"]),
        reason=document["reason"],
        task=_decode_task(document["task"]),
    )


def _decode_place(text: str | None) -> Place | None:
    if text is None:
        return None
    role, _, stage = text.partition(".")
    return Place(role, stage)


def _encode_trigger(trigger: Trigger) -> dict[str, Any]:
    after = None if trigger.after is None else int(trigger.after.total_seconds())
    return {"role": trigger.role, "stage": trigger.stage, "answer": trigger.answer, "after": after}


def _decode_trigger(document: dict[str, Any]) -> Trigger:
    after = document["after"]
    return Trigger(**document | {"after": None if after is None else timedelta(seconds=after)})


def _encode_task(task: RouteTask) -> dict[str, Any]:
    return {"assignee": task.assignee, "text": task.text, "due": int(task.due.total_seconds())}


def _decode_task(document: dict[str, Any] | None) -> RouteTask | None:
    return None if document is None else RouteTask(**document | {"due": timedelta(seconds=document["due"])})


def _as_it_is(value: Any) -> Any:
    return value


_LATER: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("account_id", "hop_limit", "answers", "answer_field", "origin_field"), _as_it_is),
    **dict.fromkeys(("head", "marketing", "country", "names"), _as_it_is),
    "routes": lambda routes: tuple(_decode_route(route) for route in routes),
    "refunds": frozenset,
    "meetings": decode_plan,
    "merging": lambda merging: Merging(MergeMode(merging["mode"]), merging["per_day"]),
}
"""What came after the first version of this document: versions stored before do not have it."""
