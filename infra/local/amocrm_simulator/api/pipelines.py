"""/leads/pipelines and their statuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems, stages
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    batch_sent,
    check_one,
    checked,
    links,
    no_content,
    object_sent,
    require_admin,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import Pipeline, Status
from infra.local.amocrm_simulator.world import World

api = Blueprint("pipelines", __name__, url_prefix="/leads/pipelines")


@api.get("")
def list_pipelines() -> Response:
    world = the_world()
    found = sorted(world.pipelines.values(), key=lambda pipeline: (pipeline.sort, pipeline.id))
    return listing.counted("pipelines", "leads/pipelines", [_shown(world, pipeline) for pipeline in found])


@api.get("/<int:pipeline_id>")
def get_pipeline(pipeline_id: int) -> Response:
    world = the_world()
    return respond(_shown(world, _pipeline(world, pipeline_id)))


@api.post("")
def add_pipelines() -> Response:
    require_admin()
    world = the_world()
    items = batch_sent()
    if len(world.pipelines) + len(items) > stages.PIPELINES_AT_MOST:
        raise problems.bad_request(f"Limit {stages.PIPELINES_AT_MOST} pipelines per account")
    plans = checked(items, stages.read_pipeline)
    made = [(item, stages.create_pipeline(world, plan)) for item, plan in plans]
    answer = [{**_shown(world, pipeline), "request_id": item.request_id} for item, pipeline in made]
    return respond({"_total_items": len(answer), **links("leads/pipelines"), "_embedded": {"pipelines": answer}})


@api.patch("/<int:pipeline_id>")
def change_pipeline(pipeline_id: int) -> Response:
    require_admin()
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    item = object_sent()
    changes = check_one(item, item.pick(name=str, sort=int, is_main=bool, is_unsorted_on=bool))
    return respond(_shown(world, stages.change_pipeline(world, pipeline, changes)))


@api.delete("/<int:pipeline_id>")
def delete_pipeline(pipeline_id: int) -> Response:
    require_admin()
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    if pipeline.is_main or world.live_leads([pipeline_id]):
        raise problems.bad_request("Main pipeline and pipeline with leads can not be deleted")
    del world.pipelines[pipeline_id]
    return no_content()


@api.get("/<int:pipeline_id>/statuses")
def list_statuses(pipeline_id: int) -> Response:
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    shown = [_shown_status(world, pipeline, status) for status in pipeline.statuses]
    return listing.counted("statuses", f"leads/pipelines/{pipeline_id}/statuses", shown)


@api.get("/<int:pipeline_id>/statuses/<int:status_id>")
def get_status(pipeline_id: int, status_id: int) -> Response:
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    return respond(_shown_status(world, pipeline, _status(pipeline, status_id)))


@api.post("/<int:pipeline_id>/statuses")
def add_statuses(pipeline_id: int) -> Response:
    require_admin()
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    plans = checked(batch_sent(), stages.read_status)
    if len(pipeline.statuses) + len(plans) > stages.STATUSES_AT_MOST:
        raise problems.bad_request(f"Limit {stages.STATUSES_AT_MOST} statuses per pipeline")
    made = [(item, stages.new_status(world, plan)) for item, plan in plans]
    stages.put_statuses(world, pipeline, (*pipeline.statuses, *(status for _, status in made)))
    answer = [{**_shown_status(world, pipeline, status), "request_id": item.request_id} for item, status in made]
    return respond({"_total_items": len(answer), "_embedded": {"statuses": answer}})


@api.patch("/<int:pipeline_id>/statuses/<int:status_id>")
def change_status(pipeline_id: int, status_id: int) -> Response:
    require_admin()
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    before = _status(pipeline, status_id)
    if not before.is_editable:
        raise problems.bad_request("Status is not editable")
    item = object_sent()
    status = replace(before, **check_one(item, stages.read_status_changes(item)))
    stages.put_statuses(world, pipeline, tuple(status if s.id == status_id else s for s in pipeline.statuses))
    return respond({**_shown_status(world, pipeline, status), "request_id": item.request_id})


@api.delete("/<int:pipeline_id>/statuses/<int:status_id>")
def delete_status(pipeline_id: int, status_id: int) -> Response:
    require_admin()
    world = the_world()
    pipeline = _pipeline(world, pipeline_id)
    status = _status(pipeline, status_id)
    if not status.is_editable or any(lead.status_id == status_id for lead in world.live_leads([pipeline_id])):
        raise problems.bad_request("Status can not be deleted")
    stages.put_statuses(world, pipeline, tuple(other for other in pipeline.statuses if other.id != status_id))
    return no_content()


def _pipeline(world: World, pipeline_id: int) -> Pipeline:
    if pipeline_id not in world.pipelines:
        raise problems.not_found("Pipeline not found")
    return world.pipelines[pipeline_id]


def _status(pipeline: Pipeline, status_id: int) -> Status:
    status = pipeline.status(status_id)
    if status is None:
        raise problems.not_found("Status not found")
    return status


def _shown(world: World, pipeline: Pipeline) -> dict[str, Any]:
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "sort": pipeline.sort,
        "is_main": pipeline.is_main,
        "is_unsorted_on": pipeline.is_unsorted_on,
        "is_archive": False,
        "account_id": world.account_id,
        **links(f"leads/pipelines/{pipeline.id}"),
        "_embedded": {"statuses": [_shown_status(world, pipeline, status) for status in pipeline.statuses]},
    }


def _shown_status(world: World, pipeline: Pipeline, status: Status) -> dict[str, Any]:
    return {
        "id": status.id,
        "name": status.name,
        "sort": status.sort,
        "is_editable": status.is_editable,
        "pipeline_id": pipeline.id,
        "color": status.color,
        "type": status.type,
        "account_id": world.account_id,
        **links(f"leads/pipelines/{pipeline.id}/statuses/{status.id}"),
    }
