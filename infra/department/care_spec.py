"""What may stand under `aftercare:` besides the rules themselves, which have a language of their own
(functions/aftercare_triggers/rules)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from functions.aftercare_triggers.rules.conditions import KNOWN_TYPES, SHORT_TYPES
from functions.aftercare_triggers.rules.settings import share_of
from functions.shared.hours import WorkingHours
from infra.department.suggest import nearest
from infra.department.values import Day, Hours, Name, Part, Span

Preset = Literal["gym", "clinic", "shop", "windows"]
PRESETS: tuple[str, ...] = get_args(Preset)


def _share(value: Any) -> float:
    share = share_of(value)
    if share is None:
        raise ValueError("write a share such as 10% or 0.1; 0% for none")
    return share


def _type(value: str) -> str:
    kind = SHORT_TYPES.get(value, value)
    guess = nearest(kind, KNOWN_TYPES)
    if kind not in KNOWN_TYPES and guess is not None and guess.partition(".")[0] == kind.partition(".")[0]:
        raise ValueError(f"did you mean {guess}?")
    return kind


Share = Annotated[float, BeforeValidator(_share)]
FactType = Annotated[str, Field(min_length=1), AfterValidator(_type)]


class FeedPart(Part):
    """A source of facts. Without `delivers` it may bring any fact; `lag` is how late its facts come as a rule."""

    delivers: tuple[FactType, ...] = Field((), strict=False)
    lag: Span | Literal[0] = 0
    stale_after: Span | None = None
    hours: Hours = WorkingHours.parse("24/7")

    @property
    def delay(self) -> timedelta:
        return self.lag or timedelta(0)


class AftercareSpec(Part):
    """Only a list instead of a mapping is the rules, with no preset. `ceiling` 0: none."""

    preset: Preset | None = None
    rules: tuple[dict[str, Any], ...] = Field((), strict=False)
    feeds: dict[Name, FeedPart] = Field(default_factory=dict)
    holidays: tuple[Day, ...] = Field((), strict=False)
    work_days: tuple[Day, ...] = Field((), strict=False)
    holdout: Share = 0.1
    ceiling: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"rules": value} if isinstance(value, list) else value
