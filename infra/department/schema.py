"""What may stand in department.yaml. Every ValueError here is read by the firm's owner: wrong thing, then remedy."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from functions.shared.hours import WorkingHours
from infra.department.preset import COLORS, HOURS
from infra.department.suggest import is_zone, nearest_zone

Model = Literal["one_level", "two_level_lead_desk", "two_level_aftercare", "three_level"]
Language = Literal["ru", "en"]
Role = Literal["exchange", "main", "aftercare", "warm_up"]

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]*\.(amocrm\.ru|amocrm\.com|kommo\.com)")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?")
_WEIGHT = re.compile(r"\d{1,3}(\.\d{1,2})?|\d{1,3}/[1-9]\d{0,2}")
_TEAM_NAME = re.compile(r"[\w-]{1,64}")


def _zone(value: Any) -> ZoneInfo:
    if isinstance(value, str) and is_zone(value):
        return ZoneInfo(value)
    guess = nearest_zone(value) if isinstance(value, str) else None
    raise ValueError(f"did you mean {guess}?" if guess else "name a zone by continent and city, such as Europe/Moscow")


def _hours(value: Any) -> WorkingHours:
    if not isinstance(value, str):
        raise ValueError("write days and times, such as Mon-Fri 09:00-18:00")
    return WorkingHours.parse(value)


def _weight(value: Any) -> Fraction:
    """Exact: 0.1 is a tenth. Small denominators keep the balances of the fairness rule small."""
    text = "" if isinstance(value, bool) else str(value)
    weight = Fraction(text) if _WEIGHT.fullmatch(text) else Fraction(0)
    if not 0 < weight <= 100 or weight.denominator > 100:
        raise ValueError("give a number above 0 and up to 100, with at most two decimals, or a fraction such as 1/3")
    return weight


def _minutes(value: Any) -> int:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    minutes = int(match[1] or 0) * 60 + int(match[2] or 0) if match else 0
    if not 1 <= minutes <= 7 * 24 * 60:
        raise ValueError("write a time such as 15m, 2h or 1h30m, a week at most")
    return minutes


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("write the e-mail the person signs in to amoCRM with, such as anna@oknaplus.example")
    return value.lower()


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value.lower()):
        raise ValueError("write the account's address without https:// and path, such as oknaplus.amocrm.ru")
    return value.lower()


def _color(value: str) -> str:
    if value.lower() not in COLORS:
        raise ValueError(f"amoCRM allows only these colours, in quotes: {' '.join(COLORS)}")
    return value.lower()


def _team_name(value: str) -> str:
    if not _TEAM_NAME.fullmatch(value):
        raise ValueError("name the team with letters, digits, _ and -, 64 at most")
    return value


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Hours = Annotated[WorkingHours, BeforeValidator(_hours)]
Weight = Annotated[Fraction, BeforeValidator(_weight)]
Minutes = Annotated[int, BeforeValidator(_minutes)]
Email = Annotated[str, AfterValidator(_email)]
Account = Annotated[str, AfterValidator(_account)]
Color = Annotated[str, AfterValidator(_color)]
TeamName = Annotated[str, AfterValidator(_team_name)]
Text = Annotated[str, Field(min_length=1, max_length=255)]
Cap = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class AmoCrmSpec(_Part):
    account: Account


class MemberSpec(_Part):
    """A manager. Only an e-mail instead of a mapping is a member with all defaults."""

    email: Email
    weight: Weight = Fraction(1)
    hours: Hours | None = None
    timezone: Zone | None = None
    max_open: Cap | None = None
    max_per_day: Cap | None = None
    channels: tuple[Text, ...] = Field((), strict=False)
    paused: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_email(cls, value: Any) -> Any:
        return {"email": value} if isinstance(value, str) else value


class FirstAnswerSpec(_Part):
    within: Minutes = 15
    reassign: Annotated[int, Field(ge=0, le=20)] = 2
    escalate_to: Email | None = None


class TeamSpec(_Part):
    hours: Hours = WorkingHours.parse(HOURS)
    timezone: Zone | None = None
    first_answer: FirstAnswerSpec = FirstAnswerSpec()
    duty: Email | None = None
    members: tuple[MemberSpec, ...] = Field(min_length=1, strict=False)


class StageSpec(_Part):
    """Only a text instead of a mapping is the stage's name."""

    name: Text
    color: Color = "#d6eaff"

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class PipelineSpec(_Part):
    """`stages` given are all working stages of the pipeline, by key, in order."""

    name: Text | None = None
    stages: dict[Text, StageSpec] | None = Field(None, min_length=1)


class SourceSpec(_Part):
    """How leads of a channel are known; any of the lists is enough."""

    categories: tuple[Literal["sip", "mail", "forms", "chats"], ...] = Field((), strict=False)
    services: tuple[Text, ...] = Field((), strict=False)
    source_ids: tuple[int, ...] = Field((), strict=False)
    source_names: tuple[Text, ...] = Field((), strict=False)
    tags: tuple[Text, ...] = Field((), strict=False)


class DistributeSpec(_Part):
    pipelines: tuple[Role, ...] = Field(("exchange",), min_length=1, strict=False)


class DepartmentSpec(_Part):
    """The whole file. `meetings` and `aftercare` are let through unread, with a notice (infra.department.file)."""

    department: Text
    timezone: Zone
    language: Language = "ru"
    model: Model = "three_level"
    amocrm: AmoCrmSpec
    teams: dict[TeamName, TeamSpec]
    sources: dict[Text, SourceSpec] = Field(default_factory=dict)
    pipelines: dict[Role, PipelineSpec] = Field(default_factory=dict)
    distribute: DistributeSpec = DistributeSpec()
    meetings: Any = None
    aftercare: Any = None
