"""/contacts and /companies."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import contacts, custom_fields, problems, tags
from infra.local.amocrm_simulator.api import listing, search
from infra.local.amocrm_simulator.api.common import (
    author,
    batch_sent,
    check_one,
    checked,
    embedded,
    links,
    missing,
    object_sent,
    respond,
    the_world,
    with_params,
)
from infra.local.amocrm_simulator.model import Contact
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("contacts", __name__)

ORDERS = {"updated_at": lambda contact: contact.updated_at, "id": lambda contact: contact.id}


@api.get("/<any(contacts, companies):kind>")
def list_contacts(kind: str) -> Response:
    world = the_world()
    with_ = with_params()
    sent = listing.filters_sent() if world.switches.filters_enabled else {}
    query = search.query()
    lag = listing.lag(filtered=bool(sent or query))
    found = [
        contact
        for contact in world.contacts.all(listing.wanted_ids(sent), lag=lag)
        if contact.kind == kind and not contact.is_deleted and not contact.is_unsorted
    ]
    found = listing.chosen(found, _filters(world, kind), sent)
    if query:
        found = [contact for contact in found if search.matches(world, query, [contact.name], contact.fields)]
    return listing.paged(kind, listing.ordered(found, ORDERS), lambda contact: shown(world, contact, with_))


@api.get("/<any(contacts, companies):kind>/<int:contact_id>")
def get_contact(kind: str, contact_id: int) -> Response:
    world = the_world()
    contact = world.live_contact(contact_id, kind)
    return missing() if contact is None else respond(shown(world, contact, with_params()))


@api.post("/<any(contacts, companies):kind>")
def add_contacts(kind: str) -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: contacts.read(world, item, kind, None))
    with world.change(author(), by_api=True) as change:
        made = [(item, contacts.create(change, plan, kind)) for item, plan in plans]
    return respond(embedded(kind, kind, [_made(item, contact) for item, contact in made]))


@api.patch("/<any(contacts, companies):kind>")
def change_contacts(kind: str) -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item, kind))
    with world.change(author(), by_api=True) as change:
        changed = [(item, contacts.update(change, plan, item.raw["id"])) for item, plan in plans]
    return respond(embedded(kind, kind, [_changed(item, contact) for item, contact in changed]))


@api.patch("/<any(contacts, companies):kind>/<int:contact_id>")
def change_contact(kind: str, contact_id: int) -> Response:
    """The answer is embedded even for one (amoCRM API: contacts)."""
    world = the_world()
    before = world.live_contact(contact_id, kind)
    if before is None:
        raise problems.not_found("Contact not found")
    item = object_sent()
    plan = check_one(item, contacts.read(world, item, kind, before))
    with world.change(author(), by_api=True) as change:
        contact = contacts.update(change, plan, contact_id)
    return respond(embedded(kind, f"{kind}/{contact_id}", [_changed(item, contact)]))


def _read_patch(world: World, item: Item, kind: str) -> contacts.ContactPlan:
    id_ = item.raw.get("id", 0)
    before = world.live_contact(id_, kind) if isinstance(id_, int) else None
    if before is None:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
        return contacts.ContactPlan()
    return contacts.read(world, item, kind, before)


def _made(item: Item, contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "is_deleted": False,
        "is_unsorted": False,
        "request_id": item.request_id,
        **links(f"{contact.kind}/{contact.id}"),
    }


def _changed(item: Item, contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "name": contact.name,
        "updated_at": contact.updated_at,
        "is_deleted": False,
        "is_unsorted": contact.is_unsorted,
        "request_id": item.request_id,
        **links(f"{contact.kind}/{contact.id}"),
    }


def shown(world: World, contact: Contact, with_: set[str]) -> dict[str, Any]:
    """A contact or company as REST shows it."""
    names = {"first_name": contact.first_name, "last_name": contact.last_name} if contact.kind == "contacts" else {}
    return {
        "id": contact.id,
        "name": contact.name,
        **names,
        "responsible_user_id": contact.responsible_user_id,
        "group_id": 0,
        "created_by": contact.created_by,
        "updated_by": contact.updated_by,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "closest_task_at": world.closest_task_at(contact.kind, contact.id),
        "is_deleted": contact.is_deleted,
        "is_unsorted": contact.is_unsorted,
        "custom_fields_values": custom_fields.show(world, contact.fields),
        "account_id": world.account_id,
        **links(f"{contact.kind}/{contact.id}"),
        "_embedded": _embedded(world, contact, with_),
    }


def _embedded(world: World, contact: Contact, with_: set[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"tags": tags.show(world, contact.tags)}
    if contact.kind == "contacts":
        companies = [contact.company_id] if contact.company_id and world.live_contact(contact.company_id) else []
        shown["companies"] = [{"id": id_, **links(f"companies/{id_}")} for id_ in companies]
    if "leads" in with_:
        shown["leads"] = [{"id": id_, **links(f"leads/{id_}")} for id_ in leads_of(world, contact)]
    for empty in ("customers", "catalog_elements"):
        if empty in with_:
            shown[empty] = []
    return shown


def leads_of(world: World, contact: Contact) -> list[int]:
    """Ids of the leads of a contact or a company."""
    if contact.kind == "contacts":
        return sorted(world.leads_of_contact.get(contact.id, ()))
    return [lead.id for lead in world.leads.all() if lead.company_id == contact.id and not lead.is_deleted]


def _filters(world: World, kind: str) -> dict[str, listing.Filter[Contact]]:
    return {
        "id": listing.among(lambda contact: contact.id),
        "name": listing.among(lambda contact: contact.name),
        "created_by": listing.among(lambda contact: contact.created_by),
        "updated_by": listing.among(lambda contact: contact.updated_by),
        "responsible_user_id": listing.among(lambda contact: contact.responsible_user_id),
        "created_at": listing.between(lambda contact: contact.created_at),
        "updated_at": listing.between(lambda contact: contact.updated_at),
        "closest_task_at": listing.between(lambda contact: world.closest_task_at(kind, contact.id)),
        "custom_fields_values": search.by_custom_fields(lambda contact: contact.fields),
    }
