"""Tasks: what a write may say, what it changes, and what it fires."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import hook_items
from infra.local.amocrm_simulator.model import Task

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World


@dataclass(frozen=True)
class TaskPlan:
    """A checked write; `changes` are attributes of Task."""

    changes: dict[str, Any] = field(default_factory=dict)


def read(world: World, item: Item, before: Task | None) -> TaskPlan:
    """Check one task of a write; what is wrong is noted in the item."""
    if before is None:
        item.require("text", "complete_till")
    changes = item.pick(
        text=str,
        complete_till=int,
        task_type_id=int,
        responsible_user_id=int,
        entity_id=int,
        entity_type=str,
        duration=int,
        is_completed=bool,
        created_by=int,
        updated_by=int,
        created_at=int,
        updated_at=int,
        result=dict,
    )
    if changes.get("task_type_id", 1) not in world.task_types:
        item.refuse("task_type_id")
    if "responsible_user_id" in changes and not world.may_own(changes["responsible_user_id"]):
        item.refuse("responsible_user_id")
    _check_entity(world, item, changes)
    if "result" in changes:
        changes["result"] = changes["result"].get("text")
    return TaskPlan(changes)


def _check_entity(world: World, item: Item, changes: dict[str, Any]) -> None:
    if "entity_id" not in changes and "entity_type" not in changes:
        return
    entity_type, entity_id = changes.get("entity_type"), changes.get("entity_id")
    if entity_type not in hook_items.ELEMENT_TYPES:
        item.refuse("entity_type")
    elif entity_id is None or world.live(entity_type, entity_id) is None:
        item.refuse("entity_id")


def create(change: Change, plan: TaskPlan) -> Task:
    """A new task."""
    base = Task(
        id=change.world.ids("task"),
        text="",
        complete_till=0,
        responsible_user_id=change.author,
        created_by=change.author,
        updated_by=change.author,
        created_at=change.at,
        updated_at=change.at,
    )
    task = replace(base, **plan.changes)
    change.world.put_task(task)
    change.log("task_added", "task", task.id, after=({"note": {"id": task.id}},), author=task.created_by)
    change.fire("add_task", "task", "add", hook_items.task(change.world, task, task.created_by, None))
    return task


def update(change: Change, plan: TaskPlan, task_id: int) -> Task:
    """Change or complete a task; another responsible user arrives as `update` too."""
    before = change.world.tasks.get(task_id)
    if before is None:
        raise KeyError(task_id)
    stamps = {"updated_at": change.at, "updated_by": change.author}
    task = replace(before, **{**stamps, **plan.changes})
    change.world.put_task(task)
    _log_changes(change, before, task)
    given = before.responsible_user_id != task.responsible_user_id
    subscriptions = ("update_task", "responsible_task") if given else ("update_task",)
    author = change.hook_author(task.updated_by)
    change.fire(subscriptions, "task", "update", hook_items.task(change.world, task, author, before))
    return task


def delete(change: Change, task_id: int) -> None:
    """A person may; the API may not."""
    task = change.world.tasks.get(task_id)
    if task is None:
        raise KeyError(task_id)
    change.world.put_task(replace(task, is_deleted=True))
    change.log("task_deleted", "task", task.id)
    change.fire("delete_task", "task", "delete", {"id": task.id, "element_id": task.entity_id or 0})


def _log_changes(change: Change, before: Task, task: Task) -> None:
    entity, by = ("task", task.id), task.updated_by
    if task.is_completed and not before.is_completed:
        change.log("task_completed", *entity, author=by)
    change.log_difference(
        "task_text_changed", entity, (before.text, task.text), lambda text: {"task": {"text": text}}, by
    )
    deadlines = (before.complete_till, task.complete_till)
    change.log_difference(
        "task_deadline_changed", entity, deadlines, lambda at: {"task_deadline": {"timestamp": at}}, by
    )
    kinds = (before.task_type_id, task.task_type_id)
    change.log_difference("task_type_changed", entity, kinds, lambda id_: {"task_type": {"id": id_}}, by)
    if task.result != before.result:
        change.log("task_result_added", *entity, author=by)
