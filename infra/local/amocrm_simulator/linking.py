"""Links between leads, contacts and companies: a lead has many contacts, the first is main, and one company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infra.local.amocrm_simulator.feed import SINGULAR
from infra.local.amocrm_simulator.model import Contact, Lead

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.world import World

KINDS = ("leads", "contacts", "companies")


@dataclass(frozen=True)
class Link:
    """One link as seen from the entity that was asked; `is_main` is None where it means nothing."""

    entity_type: str
    entity_id: int
    to_type: str
    to_id: int
    is_main: bool | None = None


def of(world: World, entity_type: str, entity_id: int) -> Iterator[Link]:
    """Every link of one entity."""
    for lead in _leads_of(world, entity_type, entity_id):
        for at, contact_id in enumerate(lead.contacts):
            if entity_type == "leads":
                yield Link(entity_type, entity_id, "contacts", contact_id, at == 0)
            elif entity_id == contact_id:
                yield Link(entity_type, entity_id, "leads", lead.id, at == 0)
        if lead.company_id and entity_type == "leads":
            yield Link(entity_type, entity_id, "companies", lead.company_id)
        elif entity_type == "companies":
            yield Link(entity_type, entity_id, "leads", lead.id)
    for contact in _contacts_of(world, entity_type, entity_id):
        if contact.company_id and entity_type == "contacts":
            yield Link(entity_type, entity_id, "companies", contact.company_id)
        elif entity_type == "companies":
            yield Link(entity_type, entity_id, "contacts", contact.id)


def _leads_of(world: World, entity_type: str, entity_id: int) -> list[Lead]:
    if entity_type == "leads":
        return world.leads.all([entity_id])
    if entity_type == "contacts":
        return world.leads.all(world.leads_of_contact.get(entity_id, {}))
    return [lead for lead in world.live_leads() if lead.company_id == entity_id]


def _contacts_of(world: World, entity_type: str, entity_id: int) -> list[Contact]:
    if entity_type == "contacts":
        return world.contacts.all([entity_id])
    if entity_type == "companies":
        return [contact for contact in world.contacts.all() if contact.company_id == entity_id]
    return []


def link(change: Change, wanted: Link) -> None:
    """Tie two entities; the feed tells it, no webhook does. What is tied already stays as it is, the main contact too,
    unless the link asks for another main one."""
    lead, contact, company = _sorted(change.world, wanted)
    if lead and contact:
        others = tuple(id_ for id_ in lead.contacts if id_ != contact.id)
        if wanted.is_main:
            change.world.put_lead(replace(lead, contacts=(contact.id, *others)))
        elif contact.id not in lead.contacts:
            change.world.put_lead(replace(lead, contacts=(*lead.contacts, contact.id)))
        is_new = contact.id not in lead.contacts
    elif lead and company:
        change.world.put_lead(replace(lead, company_id=company.id))
        is_new = lead.company_id != company.id
    elif contact and company:
        change.world.contacts.put(replace(contact, company_id=company.id))
        is_new = contact.company_id != company.id
    else:
        return
    if is_new:
        _log(change, "entity_linked", wanted)


def unlink(change: Change, wanted: Link) -> None:
    """Untie two entities; nothing happens when they are not tied."""
    lead, contact, company = _sorted(change.world, wanted)
    if lead and contact and contact.id in lead.contacts:
        change.world.put_lead(replace(lead, contacts=tuple(id_ for id_ in lead.contacts if id_ != contact.id)))
    elif lead and company and lead.company_id == company.id:
        change.world.put_lead(replace(lead, company_id=None))
    elif contact and company and contact.company_id == company.id:
        change.world.contacts.put(replace(contact, company_id=None))
    else:
        return
    _log(change, "entity_unlinked", wanted)


def _sorted(world: World, wanted: Link) -> tuple[Lead | None, Contact | None, Contact | None]:
    ids = {wanted.entity_type: wanted.entity_id, wanted.to_type: wanted.to_id}
    people = [world.contacts.get(ids[kind]) if kind in ids else None for kind in ("contacts", "companies")]
    return world.leads.get(ids["leads"]) if "leads" in ids else None, people[0], people[1]


def _log(change: Change, type_: str, wanted: Link) -> None:
    value = ({"link": {"entity": {"id": wanted.to_id, "type": SINGULAR[wanted.to_type]}}},)
    change.log(type_, SINGULAR[wanted.entity_type], wanted.entity_id, after=value)
