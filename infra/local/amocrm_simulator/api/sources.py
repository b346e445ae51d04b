"""/sources: the channels of an integration; only what a list of them needs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import batch_sent, checked, links, no_content, respond, the_world
from infra.local.amocrm_simulator.model import Source
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("sources", __name__, url_prefix="/sources")

AT_MOST = 100
FILTERS: dict[str, listing.Filter[Source]] = {"external_id": listing.among(lambda source: source.external_id)}


@api.get("")
def list_sources() -> Response:
    found = listing.chosen(the_world().sources.values(), FILTERS, listing.filters_sent())
    return listing.paged("sources", found, _shown, totals=True)


@api.get("/<int:source_id>")
def get_source(source_id: int) -> Response:
    source = the_world().sources.get(source_id)
    if source is None:
        raise problems.not_found("Source not found")
    return respond(_shown(source))


@api.post("")
def add_sources() -> Response:
    world = the_world()
    items = batch_sent()
    if len(world.sources) + len(items) > AT_MOST:
        raise problems.bad_request(f"Limit {AT_MOST} sources")
    plans = checked(items, lambda item: _read(world, item))
    made = [(item, Source(id=world.ids("source"), **plan)) for item, plan in plans]
    world.sources |= {source.id: source for _, source in made}
    answer = [{**_shown(source), "request_id": item.request_id} for item, source in made]
    return respond({"_total_items": len(answer), "_embedded": {"sources": answer}})


@api.delete("/<int:source_id>")
def delete_source(source_id: int) -> Response:
    if the_world().sources.pop(source_id, None) is None:
        raise problems.not_found("Source not found")
    return no_content()


def _read(world: World, item: Item) -> dict[str, Any]:
    item.require("name", "external_id")
    sent = item.pick(name=str, external_id=str, pipeline_id=int, default=bool)
    if any(source.external_id == sent.get("external_id") for source in world.sources.values()):
        item.refuse("external_id", "NotUnique")
    if "pipeline_id" in sent and sent["pipeline_id"] not in world.pipelines:
        item.refuse("pipeline_id")
    return {"pipeline_id": None, **sent}


def _shown(source: Source) -> dict[str, Any]:
    return {**vars(source), "services": [], "origin_code": None, **links(f"sources/{source.id}")}
