"""The kinds of values in department.yaml. Every ValueError here is read by the firm's owner: what would be right."""

from __future__ import annotations

import re
from datetime import date, timedelta
from fractions import Fraction
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from functions.shared.department import LOST_STAGE, UNSORTED_STAGE, WON_STAGE
from functions.shared.hours import WorkingHours
from infra.department.preset import COLORS
from infra.department.suggest import is_zone, nearest_zone

Model = Literal["one_level", "two_level_lead_desk", "two_level_aftercare", "three_level"]
Language = Literal["ru", "en"]
Role = Literal["exchange", "main", "aftercare", "warm_up"]
Answer = Literal["not_target", "in_conversation", "no_information", "qualified"]
LossReason = Literal["not_target", "duplicate", "no_need", "expensive", "competitor", "no_answer", "spam"]

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]*\.(amocrm\.ru|amocrm\.com|kommo\.com)")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?")
_SPAN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?")
_WEIGHT = re.compile(r"\d{1,3}(\.\d{1,2})?|\d{1,3}/[1-9]\d{0,2}")
_NAME = re.compile(r"[\w-]{1,64}")
_OF_AMOCRM = (WON_STAGE, LOST_STAGE, UNSORTED_STAGE)


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


def _span(value: Any) -> timedelta:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    days, hours, minutes = (int(number or 0) for number in match.groups()) if match else (0, 0, 0)
    span = timedelta(days=days, hours=hours, minutes=minutes)
    if not timedelta() < span <= timedelta(days=730):
        raise ValueError("write a time such as 30d, 12h or 1d12h, above 0 and two years at most")
    return span


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError("write a day such as 2026-12-31") from None


def is_email(value: str) -> bool:
    return _EMAIL.fullmatch(value) is not None


def _email(value: str) -> str:
    if not is_email(value):
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


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("use letters, digits, _ and -, 64 at most")
    return value


def _stage_key(value: str) -> str:
    if value in _OF_AMOCRM:
        raise ValueError(f"{', '.join(_OF_AMOCRM)} are amoCRM's own stages: choose another key")
    return _name(value)


def _country(value: str) -> str:
    import phonenumbers

    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("write the two letters of the country (ISO 3166), such as RU, KZ or GB")
    return value.upper()


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("write a text")
    return value.strip()


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Hours = Annotated[WorkingHours, BeforeValidator(_hours)]
Weight = Annotated[Fraction, BeforeValidator(_weight)]
Minutes = Annotated[int, BeforeValidator(_minutes)]
Span = Annotated[timedelta, BeforeValidator(_span)]
Day = Annotated[str, BeforeValidator(_day)]
Email = Annotated[str, AfterValidator(_email)]
Account = Annotated[str, AfterValidator(_account)]
Color = Annotated[str, AfterValidator(_color)]
Name = Annotated[str, AfterValidator(_name)]
StageKey = Annotated[str, AfterValidator(_stage_key)]
Country = Annotated[str, AfterValidator(_country)]
Text = Annotated[str, Field(min_length=1, max_length=255)]
TaskText = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_filled)]
Cap = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A mapping of the file: unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)
