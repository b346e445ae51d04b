"""/users: for administrators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    batch_sent,
    checked,
    links,
    require_admin,
    respond,
    the_world,
    with_params,
)
from infra.local.amocrm_simulator.model import User
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("users", __name__)


@api.get("/users")
def list_users() -> Response:
    require_admin()
    with_ = with_params()
    users = sorted(the_world().users.values(), key=lambda user: user.id)
    return listing.paged("users", users, lambda user: _shown(user, with_), totals=True)


@api.get("/users/<int:user_id>")
def get_user(user_id: int) -> Response:
    user = the_world().users.get(user_id)
    if user is None:
        raise problems.not_found("User not found")
    return respond(_shown(user, with_params()))


@api.post("/users")
def add_users() -> Response:
    require_admin()
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read(world, item))
    made = [(item, world.add_user(name, email, rights=rights)) for item, (name, email, rights) in plans]
    answer = [{**_shown(user, set()), "request_id": item.request_id} for item, user in made]
    return respond({"_total_items": len(answer), **links("users"), "_embedded": {"users": answer}})


def _read(world: World, item: Item) -> tuple[str, str, dict[str, Any]]:
    item.require("name", "email", "password")
    sent = item.pick(name=str, email=str, password=str, lang=str, rights=dict)
    email = sent.get("email", "")
    if any(user.email == email for user in world.users.values()):
        item.refuse("email", "NotUnique")
    return sent.get("name", ""), email, sent.get("rights", {})


def _shown(user: User, with_: set[str]) -> dict[str, Any]:
    extra: dict[str, list[Any]] = {
        key: [] for key, asked in {"roles": "role", "groups": "group"}.items() if asked in with_
    }
    numbers: dict[str, Any] = {key: None for key in ("uuid", "amojo_id", "user_rank", "phone_number") if key in with_}
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "lang": user.lang,
        "rights": {
            **user.rights,
            "is_admin": user.is_admin,
            "is_free": user.is_free,
            "is_active": user.is_active,
            "group_id": user.group_id,
            "role_id": None,
        },
        **numbers,
        **links(f"users/{user.id}"),
        **({"_embedded": extra} if extra else {}),
    }
