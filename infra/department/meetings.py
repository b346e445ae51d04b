"""`meetings:` of department.yaml → which meetings the department wants, by the names of amoCRM's things."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from functions.shared.department import Place
from functions.shared.meeting_plan import Provider, Standup
from infra.department.holidays import holidays
from infra.department.meetings_spec import ClientCallsPart, StandupPart
from infra.department.preset import LINK_FIELD, MEETING_TASK_NAME, STANDUP_NAME
from infra.department.schema import DepartmentSpec


@dataclass(frozen=True)
class Calls:
    """Calls with clients. `task_type` and the fields are names in amoCRM; `is_own_type` says whether the type is one of
    the account's own. A lead that stands at `place` with a moment in `field` is a call: both or none."""

    minutes: int
    is_recorded: bool
    task_type: str
    is_own_type: bool
    link_field: str
    zone_field: str | None
    place: Place | None
    field: str | None

    @property
    def fields(self) -> dict[str, str]:
        """The custom fields of leads that the calls need: amoCRM's type by name."""
        named = {self.link_field: "url", self.zone_field: "text", self.field: "date_time"}
        return {name: kind for name, kind in named.items() if name is not None}


@dataclass(frozen=True)
class Meetings:
    """`host` is the e-mail of the account whose calendar holds all meetings; see MeetingPlan."""

    provider: Provider
    host: str
    standups: tuple[Standup, ...]
    calls: Calls | None
    holidays: frozenset[date]
    out_of_office: bool


def read_meetings(spec: DepartmentSpec) -> Meetings | None:
    """Of a file in which nothing is wrong (infra.department.meetings_checks)."""
    given = spec.meetings
    if given is None:
        return None
    return Meetings(
        provider=given.provider,
        host=given.host or _host(spec),
        standups=tuple(_standup(spec, part) for part in given.standups),
        calls=calls_of(given.client_calls, spec.language) if given.client_calls else None,
        holidays=frozenset(map(date.fromisoformat, holidays(spec.language, given.holidays, given.work_days))),
        out_of_office=given.out_of_office,
    )


def calls_of(part: ClientCallsPart, language: str) -> Calls:
    usual = _worded(MEETING_TASK_NAME, language)
    task_type = part.task_type or usual
    role, _, stage = (part.stage or "").partition(".")
    return Calls(
        minutes=part.minutes,
        is_recorded=part.record,
        task_type=task_type,
        is_own_type=task_type.casefold() != usual.casefold(),
        link_field=part.link_field or _worded(LINK_FIELD, language),
        zone_field=part.zone_field,
        place=Place(role, stage) if part.stage else None,
        field=part.field,
    )


def name_of(part: StandupPart, language: str) -> str:
    return part.name or _worded(STANDUP_NAME, language)


def standup_key(team: str, name: str) -> str:
    """What the stand-up is known by for good: another capital letter makes it no other one. Names may be in any script,
    so it is the hash that tells them apart; the team is there for people."""
    said = f"{team}\n{name.casefold()}"
    slug = re.sub(r"[^a-z0-9]+", "-", team.casefold()).strip("-")
    return f"{slug or 'team'}-{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def _standup(spec: DepartmentSpec, part: StandupPart) -> Standup:
    zone: ZoneInfo = part.timezone or spec.teams[part.team].timezone or spec.timezone
    name = name_of(part, spec.language)
    return Standup(
        key=standup_key(part.team, name),
        name=name,
        team=part.team,
        days=part.at.days,
        at=part.at.at,
        minutes=part.minutes,
        zone=zone,
        is_recorded=part.record,
    )


def _host(spec: DepartmentSpec) -> str:
    """The head, else who is told of late answers, else the first manager of all."""
    told = [team.first_answer.escalate_to for team in spec.teams.values()]
    return next(email for email in (spec.head, *told, next(iter(spec.teams.values())).members[0].email) if email)


def _worded(names: tuple[str, str], language: str) -> str:
    return names[0] if language == "ru" else names[1]
