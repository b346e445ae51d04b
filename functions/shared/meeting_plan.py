"""Which meetings the department wants: `meetings:` of department.yaml, resolved to amoCRM ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from functions.shared.meetings import Recurrence

MEETING_TASK = 2
"""amoCRM's own task type «Встреча» (amoCRM API: tasks)."""


class Provider(StrEnum):
    GOOGLE = "google"
    TELEMOST = "telemost"


@dataclass(frozen=True)
class Standup:
    """A planned meeting of a team: on these days at this time of the zone's wall clock. `key` is unique among the
    department's stand-ups and survives a change of anything but `name` and `team`."""

    key: str
    name: str
    team: str
    days: frozenset[int]
    at: time
    minutes: int
    zone: ZoneInfo
    is_recorded: bool

    def recurrence(self, holidays: frozenset[date]) -> Recurrence:
        return Recurrence(self.days, holidays)


@dataclass(frozen=True)
class StageCall:
    """A lead that stands at (pipeline id, status id) `place` with a moment in the custom field `field` is a call."""

    place: tuple[int, int]
    field: int


@dataclass(frozen=True)
class ClientCalls:
    """Tasks of the type `task_type` on a lead become calls with the client. Ids of custom fields of leads: `link_field`
    takes the link; `zone_field` says where the client lives; 0 for none."""

    minutes: int = 30
    is_recorded: bool = False
    task_type: int = MEETING_TASK
    link_field: int = 0
    zone_field: int = 0
    stage: StageCall | None = None


@dataclass(frozen=True)
class MeetingPlan:
    """`host` is the e-mail of the account whose calendar holds all meetings; `holidays` are days without stand-ups.
    `client_calls` None: tasks stay tasks. `out_of_office`: calendars say who is absent."""

    provider: Provider = Provider.GOOGLE
    host: str = ""
    standups: tuple[Standup, ...] = ()
    client_calls: ClientCalls | None = None
    holidays: frozenset[date] = frozenset()
    out_of_office: bool = True
