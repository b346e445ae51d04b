"""What may stand in department.yaml."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from functions.shared.department import MergeMode
from functions.shared.hours import WorkingHours
from infra.department.care_spec import AftercareSpec
from infra.department.meetings_spec import MeetingsSpec, switched
from infra.department.preset import HOURS
from infra.department.values import (
    Account,
    Answer,
    Cap,
    Color,
    Country,
    Email,
    Hours,
    Language,
    LossReason,
    Minutes,
    Model,
    Name,
    Part,
    Role,
    Span,
    StageKey,
    TaskText,
    Text,
    Weight,
    Zone,
)


def _not_empty(value: Any) -> Any:
    """A key that is there has a value: an empty one would otherwise mean the preset's value to one reader, and no value
    to the next."""
    if value is None:
        raise ValueError("write a value, or remove the key")
    return value


def _triggers(value: Any) -> Any:
    """One trigger need not be a list."""
    if isinstance(value, str | int):
        raise ValueError("write a trigger, such as {stage: main.offer} or {in: main, answer: qualified}")
    return [value] if isinstance(value, dict) else _not_empty(value)


_filled = BeforeValidator(_not_empty)
_listed = BeforeValidator(_triggers)


def _unless_off(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        raise ValueError("write off, or the route's keys below it")
    return None if value == "off" else value


class AmoCrmSpec(Part):
    account: Account


class MemberSpec(Part):
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


class FirstAnswerSpec(Part):
    within: Minutes = 15
    reassign: Annotated[int, Field(ge=0, le=20)] = 2
    escalate_to: Email | None = None


class TeamSpec(Part):
    hours: Hours = WorkingHours.parse(HOURS)
    timezone: Zone | None = None
    first_answer: FirstAnswerSpec = FirstAnswerSpec()
    duty: Email | None = None
    members: tuple[MemberSpec, ...] = Field(min_length=1, strict=False)


class StageSpec(Part):
    """Only a text instead of a mapping is the stage's name."""

    name: Text
    color: Color = "#d6eaff"

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class PipelineSpec(Part):
    """`stages` given are all working stages of the pipeline, by key, in order."""

    name: Text | None = None
    stages: dict[StageKey, StageSpec] | None = Field(None, min_length=1)


class SourceSpec(Part):
    """How leads of a channel are known; any of the lists is enough."""

    categories: tuple[Literal["sip", "mail", "forms", "chats"], ...] = Field((), strict=False)
    services: tuple[Text, ...] = Field((), strict=False)
    source_ids: tuple[int, ...] = Field((), strict=False)
    source_names: tuple[Text, ...] = Field((), strict=False)
    tags: tuple[Text, ...] = Field((), strict=False)


class DistributeSpec(Part):
    pipelines: tuple[Role, ...] = Field(("exchange",), min_length=1, strict=False)


class TriggerSpec(Part):
    """`stage` is `<role>.<key>`; `in` a whole pipeline. One of the two."""

    stage: Annotated[Text | None, _filled] = None
    within: Annotated[Role | None, _filled] = Field(None, alias="in")
    answer: Annotated[Answer | None, _filled] = None
    after: Annotated[Span | None, _filled] = None


class RouteTaskSpec(Part):
    """Of a preset route's task the file may give single keys, so none is required here."""

    assignee: Literal["owner", "head", "marketing"] = Field("owner", alias="for")
    text: Annotated[TaskText | None, _filled] = None
    due: Span = timedelta(days=1)


class RouteSpec(Part):
    """What the file says of a route: of a preset route only what shall be another. Places are read later, when the
    pipelines are known (infra.department.routes)."""

    when: Annotated[tuple[TriggerSpec, ...] | None, _listed] = Field(None, min_length=1, strict=False)
    move: Annotated[Text | None, _filled] = None
    close: Annotated[LossReason | None, _filled] = None
    merge: Annotated[Literal[True] | None, _filled] = None
    copy_to: Annotated[Text | None, _filled] = Field(None, alias="copy")
    then: Annotated[Text | None, _filled] = None
    task: Annotated[RouteTaskSpec | None, _filled] = None


class MergingSpec(Part):
    """Only a mode instead of a mapping is a mapping with the default ceiling."""

    mode: Annotated[MergeMode, Field(strict=False)] = MergeMode.AUTO
    per_day: Annotated[int, Field(ge=1, le=1000)] = 50

    @model_validator(mode="before")
    @classmethod
    def _from_mode(cls, value: Any) -> Any:
        return {"mode": value} if isinstance(value, str) else value


class RoutingSpec(Part):
    """What decides how leads go through the pipelines."""

    language: Language = "ru"
    pipelines: dict[Role, PipelineSpec] = Field(default_factory=dict)
    distribute: DistributeSpec = DistributeSpec()
    routes: dict[Name, Annotated[RouteSpec | None, BeforeValidator(_unless_off)]] = Field(default_factory=dict)
    """None is a preset route that is switched off."""
    head: Email | None = None
    marketing: Email | None = None


class DepartmentSpec(RoutingSpec):
    """The whole file. `meetings` None: it has none."""

    department: Text
    timezone: Zone
    model: Model = "three_level"
    amocrm: AmoCrmSpec
    teams: dict[Name, TeamSpec]
    country: Country | None = None
    sources: dict[Text, SourceSpec] = Field(default_factory=dict)
    refunds: tuple[LossReason, ...] = Field(("not_target", "duplicate", "spam"), strict=False)
    hop_limit: Annotated[int, Field(ge=2, le=60)] = 6
    merging: MergingSpec = MergingSpec()
    meetings: Annotated[MeetingsSpec | None, BeforeValidator(switched)] = None
    aftercare: AftercareSpec | None = None
