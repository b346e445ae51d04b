"""Pipelines and their stages: what may be created and how it comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.furniture import closing_stages, unsorted_stage
from infra.local.amocrm_simulator.model import LOST, WON, Pipeline, Status

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World

_COLORS = (
    "#fffeb2 #fffd7f #fff000 #ffeab2 #ffdc7f #ffce5a #ffdbdb #ffc8c8 #ff8f92 #d6eaff #c1e0ff #98cbff #ebffb1 #deff81 "
    "#87f2c0 #f9deff #f3beff #ccc8f9 #eb93ff #f2f3f4 #e6e8ea"
)
COLORS = frozenset(_COLORS.split())
"""amoCRM API: pipelines; any other colour is refused."""
DEFAULT_COLOR = "#fffeb2"
PIPELINES_AT_MOST = 50
STATUSES_AT_MOST = 100
EMOJI = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class StatusPlan:
    """`id` is 142 or 143 when a closing stage is to be renamed."""

    name: str
    sort: int
    color: str
    id: int | None = None


@dataclass(frozen=True)
class PipelinePlan:
    name: str
    sort: int
    is_main: bool
    is_unsorted_on: bool
    statuses: tuple[StatusPlan, ...]


def read_pipeline(item: Item) -> PipelinePlan:
    """Check a new pipeline; a bare name is refused."""
    item.require("name", "sort", "is_main", "is_unsorted_on")
    sent = item.pick(name=str, sort=int, is_main=bool, is_unsorted_on=bool)
    statuses = tuple(_read_embedded(embedded, index) for index, embedded in enumerate(item.embedded("statuses")))
    if not [status for status in statuses if status.id is None]:
        item.refuse("_embedded.statuses", "FieldMissing")
    if len(statuses) + 3 > STATUSES_AT_MOST:
        item.refuse("_embedded.statuses", "TooMany", f"Limit {STATUSES_AT_MOST} statuses per pipeline")
    return PipelinePlan(
        sent.get("name", ""),
        sent.get("sort", 0),
        sent.get("is_main", False),
        sent.get("is_unsorted_on", False),
        statuses,
    )


def _read_embedded(item: Item, index: int) -> StatusPlan:
    if item.raw.get("id") in (WON, LOST):
        item.require("name")
        return StatusPlan(item.pick(name=str).get("name", ""), 0, "", item.raw["id"])
    return read_status(item, default_sort=10 * (index + 1))


def read_status(item: Item, default_sort: int = 10) -> StatusPlan:
    """Check a new stage."""
    item.require("name")
    sent = read_status_changes(item)
    return StatusPlan(sent.get("name", ""), sent.get("sort", default_sort), sent.get("color", DEFAULT_COLOR))


def read_status_changes(item: Item) -> dict[str, Any]:
    """What was sent of name, sort and color; emoji become blanks, as seen in real accounts."""
    sent = item.pick(name=str, sort=int, color=str)
    if sent.get("color", DEFAULT_COLOR) not in COLORS:
        item.refuse("color")
    if "name" in sent:
        sent["name"] = EMOJI.sub(" ", sent["name"])
    return sent


def create_pipeline(world: World, plan: PipelinePlan) -> Pipeline:
    """A pipeline with «Неразобранное» at its head if wanted, and the two closing stages."""
    head = (unsorted_stage(world.ids("status")),) if plan.is_unsorted_on else ()
    own = [new_status(world, status) for status in plan.statuses if status.id is None]
    names = {status.id: status.name for status in plan.statuses if status.id is not None}
    pipeline = Pipeline(
        id=world.ids("pipeline"),
        name=plan.name,
        sort=plan.sort,
        is_main=plan.is_main,
        is_unsorted_on=plan.is_unsorted_on,
        statuses=_sorted((*head, *own, *closing_stages(names))),
    )
    world.pipelines[pipeline.id] = pipeline
    if plan.is_main:
        _only_main(world, pipeline.id)
    return pipeline


def new_status(world: World, plan: StatusPlan) -> Status:
    return Status(world.ids("status"), plan.name, plan.sort, plan.color)


def put_statuses(world: World, pipeline: Pipeline, statuses: tuple[Status, ...]) -> None:
    world.pipelines[pipeline.id] = replace(pipeline, statuses=_sorted(statuses))


def change_pipeline(world: World, pipeline: Pipeline, changes: Mapping[str, Any]) -> Pipeline:
    """«Неразобранное» comes and goes with its flag, but not while something waits in it."""
    changed = replace(pipeline, **changes)
    if changed.is_unsorted_on and changed.unsorted is None:
        changed = replace(changed, statuses=(unsorted_stage(world.ids("status")), *changed.statuses))
    if not changed.is_unsorted_on and changed.unsorted is not None:
        if any(item.pipeline_id == pipeline.id and item.state == "waiting" for item in world.unsorted.all()):
            raise problems.bad_request("Pipeline has unsorted leads")
        changed = replace(changed, statuses=tuple(status for status in changed.statuses if status.type != 1))
    if pipeline.is_main and not changed.is_main:
        raise problems.bad_request("One pipeline has to be main")
    world.pipelines[pipeline.id] = changed
    if changed.is_main:
        _only_main(world, pipeline.id)
    return changed


def _only_main(world: World, pipeline_id: int) -> None:
    for pipeline in list(world.pipelines.values()):
        world.pipelines[pipeline.id] = replace(pipeline, is_main=pipeline.id == pipeline_id)


def _sorted(statuses: tuple[Status, ...]) -> tuple[Status, ...]:
    """«Неразобранное» first, the closing stages last."""
    return tuple(
        sorted(statuses, key=lambda status: (status.type != 1, status.id in (WON, LOST), status.sort, status.id))
    )
