"""/leads/loss_reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    batch_sent,
    checked,
    links,
    no_content,
    require_admin,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import LossReason
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("loss_reasons", __name__, url_prefix="/leads/loss_reasons")

DEFAULT_SORT = 100_000


@api.get("")
def list_reasons() -> Response:
    reasons = sorted(the_world().loss_reasons.values(), key=lambda reason: (reason.sort, reason.id))
    return listing.paged("loss_reasons", reasons, _shown, totals=True)


@api.get("/<int:reason_id>")
def get_reason(reason_id: int) -> Response:
    return respond(_shown(_reason(the_world(), reason_id)))


@api.post("")
def add_reasons() -> Response:
    require_admin()
    world = the_world()
    plans = checked(batch_sent(), _read)
    now = world.timestamp()
    base = {"sort": DEFAULT_SORT, "created_at": now, "updated_at": now}
    made = [(item, _put(world, LossReason(id=world.ids("loss_reason"), **{**base, **plan}))) for item, plan in plans]
    return _answer(made)


@api.patch("")
def change_reasons() -> Response:
    require_admin()
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item))
    now = world.timestamp()
    made = [
        (item, _put(world, replace(world.loss_reasons[item.raw["id"]], **plan, updated_at=now))) for item, plan in plans
    ]
    return _answer(made)


@api.delete("/<int:reason_id>")
def delete_reason(reason_id: int) -> Response:
    require_admin()
    world = the_world()
    del world.loss_reasons[_reason(world, reason_id).id]
    return no_content()


def _reason(world: World, reason_id: int) -> LossReason:
    if reason_id not in world.loss_reasons:
        raise problems.not_found("Loss reason not found")
    return world.loss_reasons[reason_id]


def _put(world: World, reason: LossReason) -> LossReason:
    world.loss_reasons[reason.id] = reason
    return reason


def _read(item: Item) -> dict[str, Any]:
    item.require("name")
    return item.pick(name=str, sort=int)


def _read_patch(world: World, item: Item) -> dict[str, Any]:
    if item.raw.get("id") not in world.loss_reasons:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
    return item.pick(name=str, sort=int)


def _answer(made: list[tuple[Item, LossReason]]) -> Response:
    shown = [{**_shown(reason), "request_id": item.request_id} for item, reason in made]
    return respond({"_total_items": len(shown), "_embedded": {"loss_reasons": shown}})


def _shown(reason: LossReason) -> dict[str, Any]:
    return {**vars(reason), **links(f"leads/loss_reasons/{reason.id}")}
