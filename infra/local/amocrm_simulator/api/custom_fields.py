"""/{leads|contacts|companies}/custom_fields."""

from __future__ import annotations

from dataclasses import replace
from types import NoneType
from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
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
from infra.local.amocrm_simulator.custom_fields import LISTS, TYPES
from infra.local.amocrm_simulator.model import CustomField, Enum
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("custom_fields", __name__, url_prefix="/<any(leads, contacts, companies):entity>/custom_fields")

FILTERS: dict[str, listing.Filter[CustomField]] = {"type": listing.among(lambda custom_field: custom_field.type)}
ORDERS = {"sort": lambda custom_field: custom_field.sort, "id": lambda custom_field: custom_field.id}
Changes = dict[str, Any]


@api.get("")
def list_fields(entity: str) -> Response:
    world = the_world()
    own = (custom_field for custom_field in world.custom_fields.values() if custom_field.entity == entity)
    found = listing.chosen(own, FILTERS, listing.filters_sent())
    return listing.paged("custom_fields", listing.ordered(found, ORDERS), lambda each: _shown(world, each), totals=True)


@api.get("/<int:field_id>")
def get_field(entity: str, field_id: int) -> Response:
    world = the_world()
    return respond(_shown(world, _field(world, entity, field_id)))


@api.post("")
def add_fields(entity: str) -> Response:
    require_admin()
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read(world, item, entity, None))
    made = [(item, _put(world, CustomField(world.ids("custom_field"), entity, **plan))) for item, plan in plans]
    return _answer(world, made, 201)


@api.patch("")
def change_fields(entity: str) -> Response:
    require_admin()
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item, entity))
    made = [(item, _put(world, replace(world.custom_fields[item.raw["id"]], **plan))) for item, plan in plans]
    return _answer(world, made, 200)


@api.patch("/<int:field_id>")
def change_field(entity: str, field_id: int) -> Response:
    require_admin()
    world = the_world()
    before = _field(world, entity, field_id)
    item = object_sent()
    changes = check_one(item, _read(world, item, entity, before))
    return respond(_shown(world, _put(world, replace(before, **changes))))


@api.delete("/<int:field_id>")
def delete_field(entity: str, field_id: int) -> Response:
    require_admin()
    world = the_world()
    if _field(world, entity, field_id).is_predefined:
        raise problems.forbidden("Predefined field can not be deleted")
    del world.custom_fields[field_id]
    return no_content()


def _field(world: World, entity: str, field_id: int) -> CustomField:
    custom_field = world.custom_fields.get(field_id)
    if custom_field is None or custom_field.entity != entity:
        raise problems.not_found("Custom field not found")
    return custom_field


def _put(world: World, custom_field: CustomField) -> CustomField:
    world.custom_fields[custom_field.id] = custom_field
    return custom_field


def _read_patch(world: World, item: Item, entity: str) -> Changes:
    before = world.custom_fields.get(item.raw.get("id", 0))
    if before is None or before.entity != entity:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
        return {}
    return _read(world, item, entity, before)


def _read(world: World, item: Item, entity: str, before: CustomField | None) -> Changes:
    """Attributes of CustomField; the type is chosen once."""
    if before is None:
        item.require("name", "type")
    changes = item.pick(name=str, type=str, code=str, sort=int, is_api_only=bool, required_statuses=list)
    type_ = changes.get("type", before.type if before else "text")
    if type_ not in TYPES or (before is not None and type_ != before.type):
        item.refuse("type")
    code = changes.get("code")
    if code and any(
        other.code == code and other.entity == entity and other != before for other in world.custom_fields.values()
    ):
        item.refuse("code", "NotUnique")
    if "required_statuses" in changes:
        changes["required_statuses"] = tuple(changes["required_statuses"])
    if "enums" in item.raw or (before is None and type_ in LISTS):
        changes["enums"] = _read_enums(world, item, before)
    return changes


def _read_enums(world: World, item: Item, before: CustomField | None) -> tuple[Enum, ...]:
    """The full list: an enum of the field that is not sent again is gone."""
    sent = item.raw.get("enums")
    if not isinstance(sent, list) or not sent:
        item.refuse("enums", "FieldMissing")
        return ()
    enums = []
    for index, raw in enumerate(sent):
        each = item.inside(raw, f"enums.{index}.")
        each.require("value")
        picked = each.pick(value=str, sort=int, code=str | NoneType, id=int)
        if "id" in picked and (before is None or before.enum(picked["id"]) is None):
            each.refuse("id")
        id_ = picked.get("id") or world.ids("enum")
        enums.append(Enum(id_, picked.get("value", ""), picked.get("sort", index + 1), picked.get("code")))
    return tuple(enums)


def _answer(world: World, made: list[tuple[Item, CustomField]], status: int) -> Response:
    shown = [{**_shown(world, custom_field), "request_id": item.request_id} for item, custom_field in made]
    return respond({"_total_items": len(shown), "_embedded": {"custom_fields": shown}}, status)


def _shown(world: World, custom_field: CustomField) -> dict[str, Any]:
    enums = [{"id": e.id, "value": e.value, "sort": e.sort, "code": e.code} for e in custom_field.enums]
    return {
        "id": custom_field.id,
        "name": custom_field.name,
        "type": custom_field.type,
        "account_id": world.account_id,
        "code": custom_field.code,
        "sort": custom_field.sort,
        "is_api_only": custom_field.is_api_only,
        "enums": enums or None,
        "group_id": None,
        "required_statuses": list(custom_field.required_statuses),
        "is_deletable": not custom_field.is_predefined,
        "is_predefined": custom_field.is_predefined,
        "entity_type": custom_field.entity,
        "remind": None,
        **links(f"{custom_field.entity}/custom_fields/{custom_field.id}"),
    }
