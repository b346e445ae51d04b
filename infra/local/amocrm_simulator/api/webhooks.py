"""/webhooks: administrators subscribe URLs; one URL is one webhook with many events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response

from infra.local.amocrm_simulator import problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    author,
    check_one,
    links,
    no_content,
    object_sent,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import Webhook
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("webhooks", __name__)

AT_MOST = 100
SETTINGS = frozenset(
    f"{action}_{entity}"
    for entity, actions in {
        "lead": "add update delete restore status responsible note",
        "contact": "add update delete restore responsible note",
        "company": "add update delete restore responsible note",
        "customer": "add update delete responsible note",
        "task": "add update delete responsible",
        "talk": "add update",
        "message": "add",
        "outgoing_message": "add",
        "chat_template_review": "add",
        "unsorted": "add update delete",
    }.items()
    for action in actions.split()
)
"""amoCRM API: webhooks, available actions."""
FILTERS: dict[str, listing.Filter[Webhook]] = {"destination": listing.among(lambda webhook: webhook.destination)}


@api.get("/webhooks")
def list_webhooks() -> Response:
    world = _admins_world()
    found = listing.chosen(world.webhooks.values(), FILTERS, listing.filters_sent())
    found.sort(key=lambda webhook: (webhook.sort, webhook.id))
    return listing.counted("webhooks", "webhooks", [_shown(world, webhook) for webhook in found])


@api.post("/webhooks")
def subscribe() -> Response:
    """A known URL gets the new list of settings and stays switched off if it was."""
    world = _admins_world()
    item = object_sent()
    item.require("destination", "settings")
    sent = check_one(item, item.pick(destination=str, settings=list, sort=int))
    _check(item, sent)
    known = _by_destination(world, sent["destination"])
    if known is None and len(world.webhooks) >= AT_MOST:
        raise problems.bad_request(f"Limit {AT_MOST} webhooks per account")
    webhook = replace(
        known or _new(world, sent["destination"]),
        settings=tuple(dict.fromkeys(sent["settings"])),
        updated_at=world.timestamp(),
        sort=sent.get("sort", known.sort if known else len(world.webhooks) + 1),
    )
    world.webhooks[webhook.id] = webhook
    return respond(_shown(world, webhook), 201)


@api.delete("/webhooks")
def unsubscribe() -> Response:
    world = _admins_world()
    webhook = _by_destination(world, str(object_sent().raw.get("destination")))
    if webhook is None:
        raise problems.not_found("Webhook not found")
    del world.webhooks[webhook.id]
    world.outbox.drop(webhook.id)
    return no_content()


def _admins_world() -> World:
    """Others get 401 here, not 403 (amoCRM API: webhooks)."""
    world = the_world()
    if not world.users[author()].is_admin:
        raise problems.unauthorized()
    return world


def _check(item: Item, sent: dict[str, Any]) -> None:
    url = urlsplit(sent["destination"])
    if url.scheme not in ("http", "https") or not url.netloc or not url.path:
        item.refuse("destination", "InvalidValue", "Invalid URL")
    if not sent["settings"]:
        item.refuse("settings", "FieldMissing")
    for index, setting in enumerate(sent["settings"]):
        if setting not in SETTINGS:
            item.refuse(f"settings.{index}")
    check_one(item, None)


def _by_destination(world: World, destination: str) -> Webhook | None:
    return next((webhook for webhook in world.webhooks.values() if webhook.destination == destination), None)


def _new(world: World, destination: str) -> Webhook:
    now = world.timestamp()
    return Webhook(world.ids("webhook"), destination, (), now, now, author(), 0)


def _shown(world: World, webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "destination": webhook.destination,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "account_id": world.account_id,
        "created_by": webhook.created_by,
        "sort": webhook.sort,
        "disabled": webhook.disabled,
        "settings": list(webhook.settings),
        **links(f"webhooks/{webhook.id}"),
    }
