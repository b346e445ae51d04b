"""The department as the functions read it: resolved to amoCRM ids, one immutable version.

`department.yaml` (names and e-mails, checked by infra/cli) is turned into this once, by `conveyor apply`, and stored;
every decision keeps the version it was taken under.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from functions.shared.crm import LOST, WON
from functions.shared.hours import WorkingHours
from functions.shared.meeting_plan import MeetingPlan

EXCHANGE, MAIN, AFTERCARE, WARM_UP = "exchange", "main", "aftercare", "warm_up"
"""Roles of the four pipelines; a firm may call them as it likes."""

LEVEL_OF = {EXCHANGE: 1, WARM_UP: 1, MAIN: 2, AFTERCARE: 3}
"""The level of the conveyor that works a pipeline."""


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


class Place(NamedTuple):
    """Where a lead stands: the role of the pipeline and the key of the stage, with `won` and `lost` for the two closing
    stages and `unsorted` for «Неразобранное». `str(place)` is how department.yaml and the events write it."""

    role: str
    stage: str

    def __str__(self) -> str:
        return f"{self.role}.{self.stage}"

    @property
    def is_closed(self) -> bool:
        return self.stage in (WON_STAGE, LOST_STAGE)


WON_STAGE, LOST_STAGE, UNSORTED_STAGE = "won", "lost", "unsorted"


@dataclass(frozen=True)
class Trigger:
    """What starts a route: a lead stands in this stage (None: anywhere in the pipeline but closed), and, where they are
    given, the field «Итог квалификации» says `answer`, and it has been there for `after`."""

    role: str
    stage: str | None = None
    answer: str | None = None
    after: timedelta | None = None


class Kind(StrEnum):
    """What a route does with the lead.

    move: to another place · back: to the pipeline it came from into warm-up, exchange or main, its entry stage ·
    close: lost, with a reason · merge: into the client's running lead · copy: a linked new lead at another place ·
    task: nothing but its task.
    """

    MOVE = "move"
    BACK = "back"
    CLOSE = "close"
    MERGE = "merge"
    COPY = "copy"
    TASK = "task"


@dataclass(frozen=True)
class RouteTask:
    """A task that a route sets; `assignee` is owner, head or marketing."""

    assignee: str
    text: str
    due: timedelta


@dataclass(frozen=True)
class Route:
    """One arrow of the department. `to` is the target of move and copy; `then` where the copied lead itself goes (None:
    it stays); `reason` the key of the loss reason of close. Every route but `copy` without `then` and `task` takes the
    lead out of the stage that triggered it, so that a lead standing there is work to do, whoever put it there."""

    id: str
    when: tuple[Trigger, ...]
    kind: Kind
    to: Place | None = None
    then: Place | None = None
    reason: str = ""
    task: RouteTask | None = None


class MergeMode(StrEnum):
    """auto: merge where the match is sure; suggest: a task for every match; dry_run: only write into the journal what
    would be merged; off: not even look."""

    AUTO = "auto"
    SUGGEST = "suggest"
    DRY_RUN = "dry_run"
    OFF = "off"


@dataclass(frozen=True)
class Merging:
    """`per_day` is the ceiling of merges on one day of the department."""

    mode: MergeMode = MergeMode.AUTO
    per_day: int = 50


@dataclass(frozen=True)
class Department:
    """One version of the whole department. `distributes` are the roles of the pipelines whose new leads are given out;
    `loss_reasons` are the ids of amoCRM's loss reasons by their key in department.yaml; `account_id` is amoCRM's id of
    the account, which outlives a change of `subdomain` (0 in versions stored before it was kept).

    `routes` are the arrows between the pipelines; `refunds` the keys of the loss reasons that give the turn back;
    `hop_limit` is how often a lead may be routed within an hour. `answers` are the enum ids of «Итог квалификации»
    (custom field `answer_field`) by key; `origin_field` is the custom field with the address of the card a copy comes
    from; 0 where the account has none. `head` and `marketing` are user ids, None where nobody is named. `country` (ISO
    3166) is where phones without a country code are from. `names` is what people call things: stages by their place
    (`exchange.qualified`), loss reasons by `reason.<key>`, answers by `answer.<key>`, pipelines by `pipeline.<role>`,
    fields by `field.<key>`; where people have renamed a thing, `file:<the same key>` is what department.yaml calls it.
    `meetings` None: it has none.
    """

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
    routes: tuple[Route, ...] = ()
    refunds: frozenset[str] = frozenset()
    hop_limit: int = 6
    answers: dict[str, int] = field(default_factory=dict)
    answer_field: int = 0
    origin_field: int = 0
    head: int | None = None
    marketing: int | None = None
    merging: Merging = Merging()
    country: str = "RU"
    names: dict[str, str] = field(default_factory=dict)
    meetings: MeetingPlan | None = None

    def called(self, key: object) -> str:
        """What people call a place, `reason.<key>` or `answer.<key>`; the key where nobody knows."""
        return self.names.get(str(key), str(key))

    def pipeline(self, pipeline_id: int) -> Pipeline | None:
        return next((pipeline for pipeline in self.pipelines if pipeline.id == pipeline_id), None)

    def pipeline_of(self, role: str) -> Pipeline:
        return next(pipeline for pipeline in self.pipelines if pipeline.role == role)

    def place(self, pipeline_id: int, status_id: int) -> Place | None:
        """Where amoCRM's ids are on the map; None for a pipeline or a stage that the department does not know."""
        pipeline = self.pipeline(pipeline_id)
        if pipeline is None:
            return None
        special = {WON: WON_STAGE, LOST: LOST_STAGE, pipeline.unsorted_status_id: UNSORTED_STAGE}
        stages = {status: key for key, status in pipeline.stages.items()}
        key = special.get(status_id) or stages.get(status_id)
        return Place(pipeline.role, key) if key else None

    def ids(self, place: Place) -> tuple[int, int]:
        """(pipeline id, status id) of a place. Raises KeyError for a stage that the pipeline does not have."""
        pipeline = self.pipeline_of(place.role)
        special = {WON_STAGE: WON, LOST_STAGE: LOST}
        return pipeline.id, special[place.stage] if place.stage in special else pipeline.stages[place.stage]

    def entry(self, role: str) -> Place:
        """The first working stage of a pipeline."""
        pipeline = self.pipeline_of(role)
        return Place(role, next(key for key, status in pipeline.stages.items() if status == pipeline.entry_status_id))

    def team_of_level(self, level: int) -> Team:
        return next(team for team in self.teams if level in team.levels)

    def team_named(self, name: str) -> Team | None:
        return next((team for team in self.teams if team.name == name), None)

    def team_of_pipeline(self, role: str) -> Team:
        """Who works the new leads of a pipeline."""
        return self.team_of_level(LEVEL_OF[role])

    def pipelines_of(self, team: Team) -> list[Pipeline]:
        """The pipelines whose leads the team works."""
        return [pipeline for pipeline in self.pipelines if self.team_of_pipeline(pipeline.role) is team]
