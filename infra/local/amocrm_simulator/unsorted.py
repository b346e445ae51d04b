"""«Неразобранное»: requests that wait in the first stage until somebody accepts or declines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import contacts, hook_items, lead_plan, leads
from infra.local.amocrm_simulator.contacts import ContactPlan
from infra.local.amocrm_simulator.feed import SINGULAR
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.model import LOST, WON, Lead, Source, Unsorted

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World

REQUIRED_METADATA = {
    "forms": ("form_id", "form_name", "form_page", "form_sent_at"),
    "sip": ("phone", "called_at", "duration", "service_code"),
}


@dataclass(frozen=True)
class UnsortedPlan:
    """A request that is to be put into «Неразобранное»; `source` and `source_data` are shown by webhooks only."""

    category: str
    pipeline_id: int
    metadata: Mapping[str, Any]
    source_data: Mapping[str, Any]
    source_name: str | None = None
    source_uid: str | None = None
    source: str | None = None
    created_at: int | None = None
    lead: LeadPlan = field(default_factory=LeadPlan)
    contact: ContactPlan | None = None
    company: ContactPlan | None = None
    fingerprint: str = ""
    request_id: str | None = None


def read(world: World, item: Item, category: str) -> UnsortedPlan:
    """Check one item of POST /leads/unsorted/forms or /sip."""
    item.require("source_name", "source_uid", "metadata")
    sent = item.pick(source_name=str, source_uid=str, pipeline_id=int, created_at=int, metadata=dict)
    metadata = sent.get("metadata", {})
    item.inside(metadata, "metadata.").require(*REQUIRED_METADATA[category])
    pipeline_id = sent.get("pipeline_id", world.main_pipeline.id)
    pipeline = world.pipelines.get(pipeline_id)
    if pipeline is None or pipeline.unsorted is None:
        item.refuse("pipeline_id")
    fingerprint = _fingerprint(item, category)
    if any(other.fingerprint == fingerprint for other in world.unsorted.all()):
        item.refuse("source_uid", "NotUnique")
    lead, contact, company = (_single(item, key) for key in ("leads", "contacts", "companies"))
    return UnsortedPlan(
        category=category,
        pipeline_id=pipeline_id,
        metadata=metadata,
        source_data=_source_data(category, metadata, sent),
        source_name=sent.get("source_name"),
        source_uid=sent.get("source_uid"),
        created_at=sent.get("created_at"),
        lead=_lead(world, lead) if lead else LeadPlan(),
        contact=contacts.read_embedded(world, contact, "contacts") if contact else None,
        company=contacts.read_embedded(world, company, "companies") if company else None,
        fingerprint=fingerprint,
        request_id=item.request_id,
    )


def _single(item: Item, key: str) -> Item | None:
    """An item has one lead, at most one contact and one company."""
    embedded = item.embedded(key)
    if len(embedded) > 1:
        item.refuse(f"_embedded.{key}", "TooMany", "This collection should contain 1 element or less.")
    return embedded[0] if embedded and embedded[0].raw else None


def _lead(world: World, item: Item) -> LeadPlan:
    """The stage and the responsible user of a waiting lead are not for the client to choose."""
    plan = lead_plan.read(world, item, None)
    chosen = ("name", "price", "visitor_uid")
    return replace(plan, changes={key: plan.changes[key] for key in chosen if key in plan.changes})


def _fingerprint(item: Item, category: str) -> str:
    content = {key: value for key, value in item.raw.items() if key != "request_id"}
    return hashlib.sha256(json.dumps([category, content], sort_keys=True).encode()).hexdigest()


def _source_data(category: str, metadata: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    if category == "sip":
        return {**metadata, "source_uid": sent.get("source_uid"), "source_name": sent.get("source_name")}
    origin = {
        "ip": metadata.get("ip"),
        "datetime": metadata.get("form_sent_at"),
        "referer": metadata.get("referer"),
        "visitor_uid": metadata.get("visitor_uid"),
    }
    return {
        "form_id": metadata.get("form_id"),
        "form_type": metadata.get("form_type", 1),
        "from": metadata.get("form_page"),
        "form_name": metadata.get("form_name"),
        "origin": origin,
        "date": metadata.get("form_sent_at"),
        "source_uid": sent.get("source_uid"),
        "source_name": sent.get("source_name"),
    }


def create(change: Change, plan: UnsortedPlan) -> Unsorted:
    """The item, its lead in the type-1 stage with nobody responsible, its hidden contact."""
    world = change.world
    contact_id = _embedded_contact(change, plan.contact, "contacts")
    company_id = _embedded_contact(change, plan.company, "companies")
    source = _source(world, plan)
    created_at = plan.created_at or change.at
    lead = _waiting_lead(change, plan, contact_id, company_id, source, created_at)
    item = Unsorted(
        uid=world.hex(60),
        category=plan.category,
        pipeline_id=plan.pipeline_id,
        lead_id=lead.id,
        created_at=created_at,
        source_name=plan.source_name,
        source_uid=plan.source_uid,
        metadata=plan.metadata,
        source_data=plan.source_data,
        contact_id=contact_id,
        company_id=company_id,
        source=plan.source,
        source_id=source.id if source else None,
        fingerprint=plan.fingerprint,
    )
    world.unsorted.put(item)
    change.fire("add_unsorted", "unsorted", "add", hook_items.unsorted_added(world, item, plan.request_id))
    for action in world.switches.unsorted_lead_hooks:
        leads.fire(change, action, lead)
    return item


def _embedded_contact(change: Change, plan: ContactPlan | None, kind: str) -> int | None:
    if plan is None:
        return None
    if plan.id is not None:
        return plan.id
    nobody = replace(plan, changes={**plan.changes, "responsible_user_id": 0, "created_by": 0, "updated_by": 0})
    return contacts.create(change, nobody, kind, unsorted=True).id


def _waiting_lead(
    change: Change,
    plan: UnsortedPlan,
    contact_id: int | None,
    company_id: int | None,
    source: Source | None,
    created_at: int,
) -> Lead:
    stage = change.world.pipelines[plan.pipeline_id].unsorted
    if stage is None:
        raise KeyError(plan.pipeline_id)
    place = {
        "price": None,
        **plan.lead.changes,
        "pipeline_id": plan.pipeline_id,
        "status_id": stage.id,
        "responsible_user_id": 0,
        "created_by": 0,
        "updated_by": 0,
        "created_at": created_at,
        "source_id": source.id if source else None,
    }
    people = (contact_id,) if contact_id else ()
    return leads.create(change, replace(plan.lead, changes=place, contacts=people, company_id=company_id), hooks=False)


def _source(world: World, plan: UnsortedPlan) -> Source | None:
    if plan.source_uid is None:
        return None
    known = next((source for source in world.sources.values() if source.external_id == plan.source_uid), None)
    if known is None:
        known = Source(world.ids("source"), plan.source_name or "", plan.source_uid, plan.pipeline_id)
        world.sources[known.id] = known
    return known


def accept(change: Change, item: Unsorted, user_id: int, status_id: int) -> Unsorted:
    """The lead becomes real: a stage, somebody responsible, a visible contact."""
    world = change.world
    for contact_id in (item.contact_id, item.company_id):
        _reveal(change, contact_id, user_id)
    before = world.leads.get(item.lead_id)
    if before is not None:
        lead = replace(
            before,
            status_id=status_id,
            responsible_user_id=user_id,
            updated_at=change.at,
            updated_by=change.author,
            closed_at=change.at if status_id in (WON, LOST) else None,
        )
        leads.save(change, before, lead, world.switches.accept_lead_hooks)
    return _close(change, item, "accepted", "accept", item.lead_id)


def decline(change: Change, item: Unsorted) -> Unsorted:
    """Lead and hidden contact go into the recycle bin."""
    world = change.world
    leads.delete(change, item.lead_id, hooks="delete" in world.switches.decline_lead_hooks)
    for contact_id in (item.contact_id, item.company_id):
        contact = world.contacts.get(contact_id) if contact_id else None
        if contact is not None and contact.is_unsorted:
            world.contacts.put(replace(contact, is_deleted=True, updated_at=change.at))
    return _close(change, item, "declined", "decline", item.lead_id)


def link(change: Change, item: Unsorted, lead_id: int) -> Unsorted:
    """The request belongs to a lead that exists: its contact joins that lead, its own lead disappears."""
    world = change.world
    lead = world.leads.get(lead_id)
    if lead is None:
        raise KeyError(lead_id)
    _reveal(change, item.contact_id, lead.responsible_user_id)
    leads.delete(change, item.lead_id, hooks=False)
    if item.contact_id and item.contact_id not in lead.contacts:
        world.put_lead(replace(lead, contacts=(*lead.contacts, item.contact_id)))
    return _close(change, item, "linked", "accept", lead_id)


def _reveal(change: Change, contact_id: int | None, user_id: int) -> None:
    contact = change.world.contacts.get(contact_id) if contact_id else None
    if contact is not None and contact.is_unsorted:
        revealed = replace(contact, is_unsorted=False, responsible_user_id=user_id, updated_at=change.at)
        change.world.contacts.put(revealed)
        change.log(f"{SINGULAR[contact.kind]}_added", SINGULAR[contact.kind], contact.id)


def _close(change: Change, item: Unsorted, state: str, action: str, lead_id: int) -> Unsorted:
    closed = replace(item, state=state, closed_at=change.at)
    change.world.unsorted.put(closed)
    told = hook_items.unsorted_deleted(item, action, lead_id, change.hook_author(change.author))
    change.fire("delete_unsorted", "unsorted", "delete", told)
    return closed
