"""What shall stand in amoCRM."""

from __future__ import annotations

from dataclasses import dataclass

from infra.department.preset import PIPELINES, PipelinePreset
from infra.department.schema import RoutingSpec


@dataclass(frozen=True)
class StagePlan:
    key: str
    name: str
    color: str


@dataclass(frozen=True)
class PipelinePlan:
    """A pipeline as it shall be in amoCRM: the preset with the firm's names and stages."""

    role: str
    name: str
    unsorted: bool
    stages: tuple[StagePlan, ...]


def plan_pipelines(spec: RoutingSpec) -> tuple[PipelinePlan, ...]:
    """The four pipelines, in the preset's order."""
    return tuple(_pipeline(spec, preset) for preset in PIPELINES)


def _pipeline(spec: RoutingSpec, preset: PipelinePreset) -> PipelinePlan:
    given = next((given for role, given in spec.pipelines.items() if role == preset.role), None)
    is_russian = spec.language == "ru"
    stages = tuple(StagePlan(stage.key, stage.ru if is_russian else stage.en, stage.color) for stage in preset.stages)
    if given and given.stages:
        stages = tuple(StagePlan(key, stage.name, stage.color) for key, stage in given.stages.items())
    name = given.name if given and given.name else preset.ru if is_russian else preset.en
    # requests that nobody gives out would lie in «Неразобранное» unseen, so it stands only where leads are given out
    return PipelinePlan(preset.role, name, preset.unsorted or preset.role in spec.distribute.pipelines, stages)
