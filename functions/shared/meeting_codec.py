"""A MeetingPlan as a JSON-able document and back (see department_codec)."""

from __future__ import annotations

from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from functions.shared.meeting_plan import ClientCalls, MeetingPlan, Provider, StageCall, Standup


def encode_plan(plan: MeetingPlan | None) -> dict[str, Any] | None:
    """`decode_plan(encode_plan(p)) == p`."""
    if plan is None:
        return None
    return {
        "provider": plan.provider.value,
        "host": plan.host,
        "standups": [_encode_standup(standup) for standup in plan.standups],
        "client_calls": _encode_calls(plan.client_calls),
        "holidays": [day.isoformat() for day in sorted(plan.holidays)],
        "out_of_office": plan.out_of_office,
    }


def decode_plan(document: dict[str, Any] | None) -> MeetingPlan | None:
    if document is None:
        return None
    return MeetingPlan(
        provider=Provider(document["provider"]),
        host=document["host"],
        standups=tuple(_decode_standup(standup) for standup in document["standups"]),
        client_calls=_decode_calls(document["client_calls"]),
        holidays=frozenset(map(date.fromisoformat, document["holidays"])),
        out_of_office=document["out_of_office"],
    )


def _encode_standup(standup: Standup) -> dict[str, Any]:
    return {
        "key": standup.key,
        "name": standup.name,
        "team": standup.team,
        "days": sorted(standup.days),
        "at": standup.at.isoformat("minutes"),
        "minutes": standup.minutes,
        "zone": standup.zone.key,
        "is_recorded": standup.is_recorded,
    }


def _decode_standup(document: dict[str, Any]) -> Standup:
    changed = {
        "days": frozenset(document["days"]),
        "at": time.fromisoformat(document["at"]),
        "zone": ZoneInfo(document["zone"]),
    }
    return Standup(**document | changed)


def _encode_calls(calls: ClientCalls | None) -> dict[str, Any] | None:
    if calls is None:
        return None
    stage = calls.stage and {"place": list(calls.stage.place), "field": calls.stage.field}
    return {
        "minutes": calls.minutes,
        "is_recorded": calls.is_recorded,
        "task_type": calls.task_type,
        "link_field": calls.link_field,
        "zone_field": calls.zone_field,
        "stage": stage,
    }


def _decode_calls(document: dict[str, Any] | None) -> ClientCalls | None:
    if document is None:
        return None
    stage = document["stage"]
    pipeline, status = stage["place"] if stage else (0, 0)
    return ClientCalls(**document | {"stage": StageCall((pipeline, status), stage["field"]) if stage else None})
