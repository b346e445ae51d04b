"""What may stand under `meetings:`."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from functions.shared.hours import DAYS, cleaned_hours, parse_days
from functions.shared.meeting_plan import Provider
from infra.department.values import Day, Name, Part, Text, Zone, is_email

EXAMPLE = "for example: Mon-Fri 09:15"
SHORTEST, LONGEST = 5, 480
"""Minutes of a meeting."""

_SWITCH: dict[str | bool, dict[str, Any] | None] = {"on": {}, True: {}, "off": None, False: None}
_GROUP = re.compile(r"(?P<days>\D+?)\s*:?\s*(?P<time>\d.*)")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class DaysAt(NamedTuple):
    """On these days (0 is Monday) at this time of the wall clock."""

    days: frozenset[int]
    at: time


def read_days_at(text: str) -> DaysAt:
    """`Mon-Fri 09:15`, `Пн, Чт 10:00`, `Mon 10:00; Thu 10:00`. Raises ValueError that says what would be right."""
    days: list[int] = []
    times: set[time] = set()
    for group in filter(None, cleaned_hours(text).split(";")):
        match = _GROUP.fullmatch(group)
        if match is None:
            raise ValueError(f"'{group}' is not days followed by a time, {EXAMPLE}")
        days += parse_days(match["days"])
        times.add(_read_time(match["time"]))
    if not days:
        raise ValueError(f"write days and a time, {EXAMPLE}")
    if twice := [day for day in set(days) if days.count(day) > 1]:
        raise ValueError(f"{DAYS[min(twice)]} occurs twice: write each day once")
    if len(times) > 1:
        raise ValueError("a stand-up begins at the same time every day: write two stand-ups")
    return DaysAt(frozenset(days), times.pop())


def _read_time(text: str) -> time:
    if match := _TIME.fullmatch(text):
        return time(int(match[1]), int(match[2]))
    if all(map(_TIME.fullmatch, text.split(","))):
        raise ValueError("a stand-up begins at one time: write two stand-ups")
    if all(map(_TIME.fullmatch, text.split("-"))):
        raise ValueError(f"write only when it begins, {EXAMPLE}; how long it lasts is minutes:")
    hint = "put ';' between groups of days" if re.search(r"[^\W\d]", text) else "write 00:00 to 23:59"
    raise ValueError(f"'{text}' is no time: {hint}, {EXAMPLE}")


def _days_at(value: Any) -> DaysAt:
    if not isinstance(value, str):
        raise ValueError(f"write days and a time, {EXAMPLE}")
    return read_days_at(value)


def _minutes(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not SHORTEST <= value <= LONGEST:
        raise ValueError(f"write the minutes as a number from {SHORTEST} to {LONGEST}, such as 30")
    return int(value)


def _host(value: str) -> str:
    if not is_email(value):
        raise ValueError("write the e-mail of the calendar that holds all meetings, such as meet@oknaplus.example")
    return value.lower()


def _title(value: str) -> str:
    if not value.strip():
        raise ValueError("write a text")
    return " ".join(value.split())


def switched(value: Any) -> Any:
    """`on` is a mapping in which everything has its default, `off` is None; a key alone is neither."""
    if isinstance(value, bool | str) and value in _SWITCH:
        return _SWITCH[value]
    if value is None or not isinstance(value, dict):
        raise ValueError("write on, off, or its keys below it")
    return value


At = Annotated[DaysAt, BeforeValidator(_days_at)]
Length = Annotated[int, BeforeValidator(_minutes)]
Host = Annotated[str, AfterValidator(_host)]
Title = Annotated[Text, AfterValidator(_title)]


class StandupPart(Part):
    """`name` None: what the language calls it; `timezone` None: the team's."""

    name: Title | None = None
    team: Name
    at: At
    minutes: Length = 15
    record: bool = False
    timezone: Zone | None = None


class ClientCallsPart(Part):
    """Names of amoCRM's things; `task_type` and `link_field` None: what the language calls them. `stage` is
    `<role>.<key>`."""

    minutes: Length = 30
    record: bool = False
    task_type: Title | None = None
    link_field: Title | None = None
    zone_field: Title | None = None
    stage: Text | None = None
    field: Title | None = None


class MeetingsSpec(Part):
    """`host` None: the head, or who else is told (infra.department.meetings). `client_calls` None: off."""

    provider: Annotated[Provider, Field(strict=False)] = Provider.GOOGLE
    host: Host | None = None
    standups: tuple[StandupPart, ...] = Field((), strict=False)
    client_calls: Annotated[ClientCallsPart | None, BeforeValidator(switched)] = ClientCallsPart()
    holidays: tuple[Day, ...] = Field((), strict=False)
    work_days: tuple[Day, ...] = Field((), strict=False)
    out_of_office: bool = True
