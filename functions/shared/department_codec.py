"""A resolved Department as a JSON-able document and back: how a version is stored.

Weights are exact fractions ("1/2"), hours their canonical text, zones IANA names. Sets are sorted, so that equal
departments give equal documents.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from functions.shared.department import ChannelRule, Department, FirstAnswer, Member, Pipeline, Team
from functions.shared.hours import WorkingHours

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
    }


def decode(document: dict[str, Any]) -> Department:
    """The department of a document. Raises ValueError when a newer Conveyor wrote it."""
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
        account_id=document.get("account_id", 0),
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
