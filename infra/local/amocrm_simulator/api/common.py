"""What every resource needs: who asks, what was sent, and answers in amoCRM's form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.validation import Item, refuse_invalid
from infra.local.amocrm_simulator.world import World

BATCH = 250
"""Hard limit of items in a batch; more than RECOMMENDED_BATCH may end in a 504 (amoCRM API: limits)."""
RECOMMENDED_BATCH = 50

Plan = TypeVar("Plan")


def the_world() -> World:
    world: World = current_app.config["WORLD"]
    return world


def author() -> int:
    """The user whose token this is."""
    user_id: int = g.user_id
    return user_id


def require_admin() -> None:
    user = the_world().users[author()]
    if not user.is_admin:
        raise problems.forbidden()


def respond(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/hal+json")


def no_content() -> Response:
    return Response(status=204)


def missing() -> Response:
    """A lead, contact, company, task, note or event that is not there: 204, or 404 by switch."""
    if the_world().switches.missing_as_404:
        raise problems.not_found("Entity not found")
    return no_content()


def href(path: str) -> str:
    return f"{request.host_url}api/v4/{path}"


def links(path: str) -> dict[str, Any]:
    return {"_links": {"self": {"href": href(path)}}}


def with_params() -> set[str]:
    return set(filter(None, request.args.get("with", "").split(",")))


def payload() -> Any:
    """The JSON body; 400 when there is none."""
    sent = request.get_json(force=True, silent=True)
    if sent is None or sent in ([], {}):
        raise problems.bad_request("Request data can not be empty")
    return sent


def object_sent() -> Item:
    """The body of a write to one entity."""
    sent = payload()
    if not isinstance(sent, dict):
        raise problems.bad_request("Request body should be an object")
    return Item(sent, "0")


def batch_sent(at_most: int = BATCH) -> list[Item]:
    """The body of a batch write. A large one may end in 504, and nobody knows whether it was written."""
    sent = payload()
    if not isinstance(sent, list):
        raise problems.bad_request("Request body should be an array")
    if len(sent) > at_most:
        raise problems.bad_request(f"Limit {at_most} entities per request")
    world = the_world()
    if len(sent) > RECOMMENDED_BATCH and world.chance(world.switches.batch_504_share):
        if not world.chance(world.switches.written_before_504):
            raise problems.GatewayPage(504)
        g.loses_answer = True
    return [Item(raw, str(index)) for index, raw in enumerate(sent)]


def checked(items: Iterable[Item], read: Callable[[Item], Plan]) -> list[tuple[Item, Plan]]:
    """Every item with its plan; raises if one of them is wrong, before anything is written."""
    plans = [(item, read(item)) for item in items]
    refuse_invalid(item for item, _ in plans)
    return plans


def check_one(item: Item, plan: Plan) -> Plan:
    refuse_invalid([item])
    return plan


def embedded(key: str, path: str, items: list[dict[str, Any]], **extra: object) -> dict[str, Any]:
    """The envelope of a batch's answer."""
    return {**extra, **links(path), "_embedded": {key: items}}
