"""What people do in amoCRM's own windows, for whoever looks at the stack from outside: no token, no request counted.

POST /_hands/leads/<id>/delete · /_hands/tasks/<id>/delete · /_hands/users/<id>/switch_off, …/switch_on
/_hands/unblock (support lifts the block)
"""

from __future__ import annotations

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.api.common import no_content, the_world
from infra.local.amocrm_simulator.people import Person

api = Blueprint("hands", __name__, url_prefix="/_hands")


@api.post("/leads/<int:lead_id>/delete")
def delete_lead(lead_id: int) -> Response:
    world = the_world()
    if world.live_lead(lead_id) is None:
        raise problems.not_found("Lead not found")
    Person(world).delete_lead(lead_id)
    return no_content()


@api.post("/tasks/<int:task_id>/delete")
def delete_task(task_id: int) -> Response:
    world = the_world()
    task = world.tasks.get(task_id)
    if task is None or task.is_deleted:
        raise problems.not_found("Task not found")
    Person(world).delete_task(task_id)
    return no_content()


@api.post("/users/<int:user_id>/<any(switch_off, switch_on):act>")
def switch_user(user_id: int, act: str) -> Response:
    world = the_world()
    if user_id not in world.users:
        raise problems.not_found("User not found")
    person = Person(world)
    (person.switch_off if act == "switch_off" else person.switch_on)(user_id)
    return no_content()


@api.post("/unblock")
def unblock() -> Response:
    the_world().unblock()
    return no_content()
