"""POST /leads/complex: lead, contact and company in one call; the only method that runs «Контроль дублей»."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import contacts, custom_fields, lead_plan, leads
from infra.local.amocrm_simulator.api.common import author, batch_sent, checked, respond, the_world
from infra.local.amocrm_simulator.change import Change
from infra.local.amocrm_simulator.contacts import ContactPlan
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.model import LOST, WON, Lead
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("complex_leads", __name__)

AT_MOST = 50
FIELDS_AT_MOST = 40
COMPARED_DIGITS = 10


@dataclass(frozen=True)
class ComplexPlan:
    """`duplicate` is the open lead that this one is merged into."""

    lead: LeadPlan
    contact: ContactPlan | None
    company: ContactPlan | None
    duplicate: Lead | None


@api.post("/leads/complex")
def add_complex() -> Response:
    """The answer is a bare array (amoCRM API: complex adding); items of one request are not compared."""
    world = the_world()
    plans = checked(batch_sent(AT_MOST), lambda item: _read(world, item))
    with world.change(author(), by_api=True) as change:
        answer = [_write(change, item, plan) for item, plan in plans]
    return respond(answer)


def _read(world: World, item: Item) -> ComplexPlan:
    contact, company = (_single(item, kind) for kind in ("contacts", "companies"))
    _limit_fields(item)
    contact_plan = contacts.read_embedded(world, contact, "contacts") if contact else None
    # Embedded people are made here, so the lead itself is read without them.
    own = {key: value for key, value in (item.raw.get("_embedded") or {}).items() if key == "tags"}
    bare = Item({**item.raw, "_embedded": own}, item.request_id, item.path, item.errors)
    lead = lead_plan.read(world, bare, None)
    return ComplexPlan(
        lead=lead,
        contact=contact_plan,
        company=contacts.read_embedded(world, company, "companies") if company else None,
        duplicate=_duplicate(world, lead, contact_plan),
    )


def _single(item: Item, kind: str) -> Item | None:
    embedded = item.embedded(kind)
    if len(embedded) > 1:
        item.refuse(f"_embedded.{kind}", "TooMany", "This collection should contain 1 element or less.")
    for each in embedded:
        _limit_fields(each)
    return embedded[0] if embedded else None


def _limit_fields(item: Item) -> None:
    sent = item.raw.get("custom_fields_values")
    if isinstance(sent, list) and len(sent) > FIELDS_AT_MOST:
        detail = f"This collection should contain {FIELDS_AT_MOST} elements or less."
        item.refuse("custom_fields_values", "TooMany", detail)


def _duplicate(world: World, lead: LeadPlan, contact: ContactPlan | None) -> Lead | None:
    """The oldest open lead of the pipeline whose contact has one of the phones, when the control is on."""
    if not world.switches.duplicate_control or contact is None:
        return None
    fields = contact.fields if contact.id is None else world.contacts.all([contact.id])[0].fields
    phones = _phones(world, fields)
    for other in world.live_leads([lead.changes.get("pipeline_id", 0)]):
        people = world.contacts.all(other.contacts)
        if other.status_id not in (WON, LOST) and any(phones & _phones(world, person.fields) for person in people):
            return other
    return None


def _phones(world: World, fields: Any) -> set[str]:
    return {phone[-COMPARED_DIGITS:] for phone in custom_fields.phones(world, fields) if phone}


def _write(change: Change, item: Item, plan: ComplexPlan) -> dict[str, Any]:
    if plan.duplicate is not None:
        lead = _merge(change, plan, plan.duplicate)
    else:
        contact_id, company_id = _person(change, plan.contact, "contacts"), _person(change, plan.company, "companies")
        people = (contact_id,) if contact_id else ()
        lead = leads.create(change, replace(plan.lead, contacts=people, company_id=company_id))
    return {
        "id": lead.id,
        "contact_id": lead.contacts[0] if lead.contacts else None,
        "company_id": lead.company_id,
        "request_id": [item.request_id],
        "merged": plan.duplicate is not None,
    }


def _merge(change: Change, plan: ComplexPlan, duplicate: Lead) -> Lead:
    """The existing lead takes over what was sent, but stays where it is and with whom it is."""
    current = change.world.leads.get(duplicate.id) or duplicate
    taken = {key: value for key, value in plan.lead.changes.items() if key in ("name", "price")}
    merged = replace(plan.lead, changes=taken, fields={**current.fields, **plan.lead.fields})
    return leads.update(change, merged, current.id)


def _person(change: Change, plan: ContactPlan | None, kind: str) -> int | None:
    if plan is None:
        return None
    return plan.id if plan.id is not None else contacts.create(change, plan, kind).id
