"""The department as the functions read it: resolved to amoCRM ids, one immutable version.

`department.yaml` (names and e-mails, checked by infra/cli) is turned into this once, by `conveyor apply`, and stored;
every decision keeps the version it was taken under.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from functions.shared.hours import WorkingHours

EXCHANGE, MAIN, AFTERCARE, WARM_UP = "exchange", "main", "aftercare", "warm_up"
"""Roles of the four pipelines; a firm may call them as it likes."""


@dataclass(frozen=True)
class Member:
    """A manager of a team. `weight` is his share relative to the others; caps are None when there is none;
    an empty `channels` means all of them."""

    user_id: int
    email: str
    name: str
    weight: Fraction
    hours: WorkingHours
    timezone: ZoneInfo
    max_open: int | None = None
    max_per_day: int | None = None
    channels: frozenset[str] = frozenset()
    paused: bool = False


@dataclass(frozen=True)
class FirstAnswer:
    """The promise to a new client: answer within so many working minutes."""

    within_minutes: int = 15
    reassign: int = 2
    escalate_to: int | None = None
    """User id of who is told when nobody answers."""


@dataclass(frozen=True)
class Team:
    """`levels` are the levels of the conveyor the team runs; `duty` is the user id (with his name) of who takes leads
    when nobody else can, None to let them wait for the next shift."""

    name: str
    levels: frozenset[int]
    members: tuple[Member, ...]
    first_answer: FirstAnswer = FirstAnswer()
    duty: int | None = None
    duty_name: str = ""

    def member(self, user_id: int) -> Member | None:
        return next((member for member in self.members if member.user_id == user_id), None)


@dataclass(frozen=True)
class Pipeline:
    """`role` is one of the four; `unsorted_status_id` is its «Неразобранное» (None when switched off);
    `entry_status_id` the first working stage, where accepted leads land; `stages` are the ids of the working stages
    by their key in department.yaml, in order (142 and 143 are not among them)."""

    role: str
    id: int
    name: str
    entry_status_id: int
    unsorted_status_id: int | None = None
    stages: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ChannelRule:
    """A lead belongs to `channel` if any of the lists matches (all compared case-blind)."""

    channel: str
    categories: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    source_ids: frozenset[int] = frozenset()
    source_names: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Department:
    """One version of the whole department. `distributes` are the roles of the pipelines whose new leads are given out;
    `loss_reasons` are the ids of amoCRM's loss reasons by their key in department.yaml; `account_id` is amoCRM's id of
    the account, which outlives a change of `subdomain` (0 in versions stored before it was kept)."""

    version: int
    name: str
    subdomain: str
    timezone: ZoneInfo
    language: str
    model: str
    teams: tuple[Team, ...]
    pipelines: tuple[Pipeline, ...]
    channel_rules: tuple[ChannelRule, ...] = ()
    distributes: frozenset[str] = frozenset({EXCHANGE})
    loss_reasons: dict[str, int] = field(default_factory=dict)
    account_id: int = 0

    def pipeline(self, pipeline_id: int) -> Pipeline | None:
        return next((pipeline for pipeline in self.pipelines if pipeline.id == pipeline_id), None)

    def team_of_level(self, level: int) -> Team:
        return next(team for team in self.teams if level in team.levels)

    def team_named(self, name: str) -> Team | None:
        return next((team for team in self.teams if team.name == name), None)

    def team_of_pipeline(self, role: str) -> Team:
        """Who works the new leads of a pipeline: the exchange and warm-up are level 1, main 2, aftercare 3."""
        return self.team_of_level({EXCHANGE: 1, WARM_UP: 1, MAIN: 2, AFTERCARE: 3}[role])

    def pipelines_of(self, team: Team) -> list[Pipeline]:
        """The pipelines whose leads the team works."""
        return [pipeline for pipeline in self.pipelines if self.team_of_pipeline(pipeline.role) is team]
