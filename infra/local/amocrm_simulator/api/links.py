"""/{entity}/{id}/links, /link, /unlink and their mass variants."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import linking, php, problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    author,
    batch_sent,
    checked,
    embedded,
    missing,
    no_content,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.linking import Link
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("links", __name__)

ENTITY = "/<any(leads, contacts, companies):entity_type>"
FILTERS: dict[str, listing.Filter[Link]] = {
    "to_entity_id": listing.among(lambda link: link.to_id),
    "to_entity_type": listing.among(lambda link: link.to_type),
}


@api.get(f"{ENTITY}/<int:entity_id>/links")
def list_links(entity_type: str, entity_id: int) -> Response:
    world = the_world()
    if world.live(entity_type, entity_id) is None:
        return missing()
    found = listing.chosen(linking.of(world, entity_type, entity_id), FILTERS, listing.filters_sent())
    return listing.counted("links", f"{entity_type}/{entity_id}/links", [_shown(link) for link in found])


@api.get(f"{ENTITY}/links")
def list_mass_links(entity_type: str) -> Response:
    world, sent = the_world(), listing.filters_sent()
    ids = [int(id_) for id_ in php.listed(sent.get("entity_id")) if id_.isdigit()]
    every = (link for id_ in ids if world.live(entity_type, id_) for link in linking.of(world, entity_type, id_))
    found = listing.chosen(every, FILTERS, sent)
    return listing.counted("links", f"{entity_type}/links", [{"entity_id": x.entity_id, **_shown(x)} for x in found])


@api.post(f"{ENTITY}/link")
@api.post(f"{ENTITY}/<int:entity_id>/link")
def link(entity_type: str, entity_id: int | None = None) -> Response:
    world = the_world()
    wanted = _wanted(world, entity_type, entity_id)
    with world.change(author(), by_api=True) as change:
        for each in wanted:
            linking.link(change, each)
    shown = [{"entity_id": x.entity_id, "entity_type": entity_type, **_shown(x)} for x in wanted]
    return respond({"_total_items": len(shown), **embedded("links", f"{entity_type}/link", shown)})


@api.post(f"{ENTITY}/unlink")
@api.post(f"{ENTITY}/<int:entity_id>/unlink")
def unlink(entity_type: str, entity_id: int | None = None) -> Response:
    world = the_world()
    wanted = _wanted(world, entity_type, entity_id)
    with world.change(author(), by_api=True) as change:
        for each in wanted:
            linking.unlink(change, each)
    return no_content()


def _wanted(world: World, entity_type: str, entity_id: int | None) -> list[Link]:
    if entity_id is not None and world.live(entity_type, entity_id) is None:
        raise problems.not_found("Entity not found")
    return [plan for _, plan in checked(batch_sent(), lambda item: _read(world, item, entity_type, entity_id))]


def _read(world: World, item: Item, entity_type: str, entity_id: int | None) -> Link:
    item.require("to_entity_id", "to_entity_type", *(("entity_id",) if entity_id is None else ()))
    sent = item.pick(to_entity_id=int, to_entity_type=str, entity_id=int, metadata=dict)
    from_id = entity_id if entity_id is not None else sent.get("entity_id", 0)
    to_type, to_id = sent.get("to_entity_type", ""), sent.get("to_entity_id", 0)
    if to_type not in linking.KINDS or to_type == entity_type:
        item.refuse("to_entity_type")
    elif world.live(to_type, to_id) is None:
        item.refuse("to_entity_id")
    if entity_id is None and world.live(entity_type, from_id) is None:
        item.refuse("entity_id")
    is_main = bool(sent.get("metadata", {}).get("is_main")) if "contacts" in (entity_type, to_type) else None
    return Link(entity_type, from_id, to_type, to_id, is_main)


def _shown(link: Link) -> dict[str, Any]:
    metadata = None if link.is_main is None else {"is_main": link.is_main}
    return {"to_entity_id": link.to_id, "to_entity_type": link.to_type, "metadata": metadata}
