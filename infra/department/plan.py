"""What shall stand in amoCRM."""

from __future__ import annotations

from dataclasses import dataclass


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
