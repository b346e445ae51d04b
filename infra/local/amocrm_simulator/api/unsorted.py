"""/leads/unsorted."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean
from typing import Any

from flask import Blueprint, Response, request

from infra.local.amocrm_simulator import problems, unsorted
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    author,
    batch_sent,
    check_one,
    checked,
    links,
    object_sent,
    require_admin,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import Unsorted
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("unsorted", __name__, url_prefix="/leads/unsorted")

FILTERS: dict[str, listing.Filter[Unsorted]] = {
    "uid": listing.among(lambda item: item.uid),
    "category": listing.among(lambda item: item.category),
    "pipeline_id": listing.among(lambda item: item.pipeline_id),
}
SUMMARY_FILTERS: dict[str, listing.Filter[Unsorted]] = {
    "uid": FILTERS["uid"],
    "pipeline_id": FILTERS["pipeline_id"],
    "created_at": listing.between(lambda item: item.created_at),
}
ORDERS = {"created_at": lambda item: item.created_at}
LINKABLE = ("chats", "mail")


@api.get("")
def list_unsorted() -> Response:
    world = the_world()
    sent = listing.filters_sent()
    waiting = (item for item in world.unsorted.all(lag=listing.lag(filtered=bool(sent))) if item.state == "waiting")
    found = listing.chosen(waiting, FILTERS, sent)
    return listing.paged("unsorted", listing.ordered(found, ORDERS, "created_at"), lambda item: _shown(world, item))


@api.get("/<uid>")
def get_unsorted(uid: str) -> Response:
    world = the_world()
    return respond(_shown(world, _waiting(world, uid, gone=404)))


@api.get("/summary")
def summary() -> Response:
    found = listing.chosen(the_world().unsorted.all(), SUMMARY_FILTERS, listing.filters_sent())
    times = [item.closed_at - item.created_at for item in found if item.closed_at is not None]
    return respond(
        {
            "total": len(found),
            "accepted": _count(item.state == "accepted" for item in found),
            "declined": _count(item.state == "declined" for item in found),
            "average_sort_time": int(mean(times)) if times else 0,
            "categories": {
                category: {"total": _count(item.category == category for item in found)}
                for category in ("sip", "mail", "forms", "chats")
            },
            **links("leads/unsorted/summary"),
        }
    )


@api.post("/<any(forms, sip):category>")
def add_unsorted(category: str) -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: unsorted.read(world, item, category))
    with world.change(author(), by_api=True) as change:
        made = [(item, unsorted.create(change, plan)) for item, plan in plans]
    answer = [
        {
            "uid": new.uid,
            "account_id": world.account_id,
            "request_id": item.request_id,
            **links(f"leads/unsorted/{new.uid}"),
            "_embedded": _embedded(new),
        }
        for item, new in made
    ]
    return respond({"_total_items": len(answer), **links("leads/unsorted"), "_embedded": {"unsorted": answer}})


@api.post("/<uid>/accept")
def accept(uid: str) -> Response:
    world = the_world()
    item = _waiting(world, uid)
    sent = Item(request.get_json(force=True, silent=True) or {}, "0")
    wishes = sent.pick(user_id=int, status_id=int)
    pipeline = world.pipelines[item.pipeline_id]
    user_id, status_id = wishes.get("user_id", author()), wishes.get("status_id", pipeline.entry.id)
    status = pipeline.status(status_id)
    if status is None or status.type == 1:
        sent.refuse("status_id")
    if not world.may_own(user_id):
        sent.refuse("user_id")
    check_one(sent, None)
    with world.change(author(), by_api=True) as change:
        return respond(_closed(unsorted.accept(change, item, user_id, status_id)))


@api.delete("/<uid>/decline")
def decline(uid: str) -> Response:
    world = the_world()
    item = _waiting(world, uid)
    sent = Item(request.get_json(force=True, silent=True) or {}, "0")
    user_id = sent.pick(user_id=int).get("user_id", author())
    if user_id not in world.users:
        sent.refuse("user_id")
    check_one(sent, None)
    with world.change(user_id, by_api=True) as change:
        return respond(_closed(unsorted.decline(change, item)))


@api.post("/<uid>/link")
def link(uid: str) -> Response:
    require_admin()
    world = the_world()
    item = _waiting(world, uid)
    if item.category not in LINKABLE:
        raise problems.bad_request("Unsorted of this category can not be linked")
    sent = object_sent()
    target = sent.inside(sent.raw.get("link"), "link.")
    wishes = target.pick(entity_id=int, entity_type=str)
    if wishes.get("entity_type") != "leads":
        target.refuse("entity_type")
    elif world.live_lead(wishes.get("entity_id", 0)) is None:
        target.refuse("entity_id")
    check_one(sent, None)
    lead_id = wishes["entity_id"]
    with world.change(author(), by_api=True) as change:
        unsorted.link(change, item, lead_id)
    return respond({"uid": uid, "_embedded": {"leads": [{"id": lead_id, **links(f"leads/{lead_id}")}]}})


def _waiting(world: World, uid: str, gone: int | None = None) -> Unsorted:
    """The item, unless somebody has dealt with it already."""
    item = world.waiting(uid)
    if item is not None:
        return item
    if (gone or world.switches.repeated_accept) == 400:
        raise problems.bad_request("Unsorted is already processed")
    raise problems.not_found("Unsorted not found")


def _shown(world: World, item: Unsorted) -> dict[str, Any]:
    return {
        "uid": item.uid,
        "source_uid": item.source_uid,
        "source_name": item.source_name,
        "category": item.category,
        "pipeline_id": item.pipeline_id,
        "created_at": item.created_at,
        "metadata": dict(item.metadata),
        "account_id": world.account_id,
        **links(f"leads/unsorted/{item.uid}"),
        "_embedded": _embedded(item),
    }


def _closed(item: Unsorted) -> dict[str, Any]:
    return {
        "uid": item.uid,
        "pipeline_id": item.pipeline_id,
        "category": item.category,
        "created_at": item.created_at,
        "_embedded": _embedded(item),
    }


def _embedded(item: Unsorted) -> dict[str, Any]:
    ids = {"contacts": item.contact_id, "leads": item.lead_id, "companies": item.company_id}
    return {key: [{"id": id_, **links(f"{key}/{id_}")}] if id_ else [] for key, id_ in ids.items()}


def _count(hits: Iterable[bool]) -> int:
    return sum(hits)
