"""/{leads|contacts|companies}/tags; there is no renaming and no deleting."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from infra.local.amocrm_simulator import tags
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import batch_sent, checked, respond, the_world
from infra.local.amocrm_simulator.model import Tag
from infra.local.amocrm_simulator.validation import Item

api = Blueprint("tags", __name__, url_prefix="/<any(leads, contacts, companies):entity>/tags")

FILTERS: dict[str, listing.Filter[Tag]] = {
    "id": listing.among(lambda tag: tag.id),
    "name": listing.among(lambda tag: tag.name),
}


@api.get("")
def list_tags(entity: str) -> Response:
    query = request.args.get("query", "").casefold()
    own = (tag for tag in the_world().tags.values() if tag.entity == entity and query in tag.name.casefold())
    return listing.paged("tags", listing.chosen(own, FILTERS, listing.filters_sent()), _shown, totals=True)


@api.post("")
def add_tags(entity: str) -> Response:
    world = the_world()
    plans = checked(batch_sent(), _read)
    made = [(item, tags.named(world, entity, plan["name"], plan.get("color"))) for item, plan in plans]
    answer = [{**_shown(tag), "request_id": item.request_id} for item, tag in made]
    return respond({"_total_items": len(answer), "_embedded": {"tags": answer}})


def _read(item: Item) -> dict[str, Any]:
    item.require("name")
    return item.pick(name=str, color=str)


def _shown(tag: Tag) -> dict[str, Any]:
    return {"id": tag.id, "name": tag.name, "color": tag.color}
