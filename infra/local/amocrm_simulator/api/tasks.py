"""/tasks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems, tasks
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    author,
    batch_sent,
    check_one,
    checked,
    embedded,
    links,
    missing,
    object_sent,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import Task
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("tasks", __name__)

FILTERS: dict[str, listing.Filter[Task]] = {
    "id": listing.among(lambda task: task.id),
    "responsible_user_id": listing.among(lambda task: task.responsible_user_id),
    "is_completed": listing.among(lambda task: task.is_completed),
    "task_type": listing.among(lambda task: task.task_type_id),
    "task_type_id": listing.among(lambda task: task.task_type_id),
    "entity_type": listing.among(lambda task: task.entity_type),
    "entity_id": listing.among(lambda task: task.entity_id),
    "updated_at": listing.between(lambda task: task.updated_at, exact=True),
}
ORDERS = {
    "created_at": lambda task: task.created_at,
    "complete_till": lambda task: task.complete_till,
    "id": lambda task: task.id,
}


@api.get("/tasks")
def list_tasks() -> Response:
    world = the_world()
    sent = listing.filters_sent()
    if "entity_type" not in sent:
        # An entity's id means nothing without its type, so it is not understood alone.
        sent.pop("entity_id", None)
    found = world.tasks.all(listing.wanted_ids(sent), lag=listing.lag(filtered=bool(sent)))
    found = listing.chosen((task for task in found if not task.is_deleted), FILTERS, sent)
    return listing.paged("tasks", listing.ordered(found, ORDERS), lambda task: _shown(world, task))


@api.get("/tasks/<int:task_id>")
def get_task(task_id: int) -> Response:
    world = the_world()
    task = world.tasks.get(task_id)
    return missing() if task is None or task.is_deleted else respond(_shown(world, task))


@api.post("/tasks")
def add_tasks() -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: tasks.read(world, item, None))
    with world.change(author(), by_api=True) as change:
        made = [(item, tasks.create(change, plan)) for item, plan in plans]
    answer = [{"id": task.id, "request_id": item.request_id, **links(f"tasks/{task.id}")} for item, task in made]
    return respond(embedded("tasks", "tasks", answer))


@api.patch("/tasks")
def change_tasks() -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item))
    with world.change(author(), by_api=True) as change:
        answer = [_changed(item, tasks.update(change, plan, item.raw["id"])) for item, plan in plans]
    return respond(embedded("tasks", "tasks", answer))


@api.patch("/tasks/<int:task_id>")
def change_task(task_id: int) -> Response:
    world = the_world()
    before = world.tasks.get(task_id)
    if before is None or before.is_deleted:
        raise problems.not_found("Task not found")
    item = object_sent()
    plan = check_one(item, tasks.read(world, item, before))
    with world.change(author(), by_api=True) as change:
        return respond(_changed(item, tasks.update(change, plan, task_id)))


@api.delete("/tasks/<int:task_id>")
def delete_task(task_id: int) -> Response:
    """Seen in the wild: 403, tasks are completed instead."""
    raise problems.forbidden(f"Task {task_id} can not be deleted")


def _read_patch(world: World, item: Item) -> tasks.TaskPlan:
    id_ = item.raw.get("id", 0)
    before = world.tasks.get(id_) if isinstance(id_, int) else None
    if before is None or before.is_deleted:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
        return tasks.TaskPlan()
    return tasks.read(world, item, before)


def _changed(item: Item, task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "updated_at": task.updated_at,
        "request_id": item.request_id,
        **links(f"tasks/{task.id}"),
    }


def _shown(world: World, task: Task) -> dict[str, Any]:
    """`result` is an empty array until there is one."""
    return {
        "id": task.id,
        "created_by": task.created_by,
        "updated_by": task.updated_by,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "responsible_user_id": task.responsible_user_id,
        "group_id": 0,
        "entity_id": task.entity_id,
        "entity_type": task.entity_type,
        "duration": task.duration,
        "is_completed": task.is_completed,
        "task_type_id": task.task_type_id,
        "text": task.text,
        "result": [] if task.result is None else {"text": task.result},
        "complete_till": task.complete_till,
        "account_id": world.account_id,
        **links(f"tasks/{task.id}"),
    }
