"""/leads and /leads/{id}."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import custom_fields, lead_plan, leads, php, problems, tags
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
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.model import Lead
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("leads", __name__)

ORDERS = {
    "created_at": lambda lead: lead.created_at,
    "updated_at": lambda lead: lead.updated_at,
    "id": lambda lead: lead.id,
}


@api.get("/leads")
def list_leads() -> Response:
    world = the_world()
    with_ = with_params()
    sent = listing.filters_sent() if world.switches.filters_enabled else {}
    query = search.query()
    lag = listing.lag(filtered=bool(sent or query))
    only_deleted = "only_deleted" in with_
    found = [lead for lead in world.leads.all(listing.wanted_ids(sent), lag=lag) if lead.is_deleted == only_deleted]
    found = listing.chosen(found, _filters(world), sent)
    if query:
        found = [
            lead for lead in found if search.matches(world, query, [lead.name, str(lead.price or "")], lead.fields)
        ]
    show = _shown_deleted if only_deleted else (lambda lead: shown(world, lead, with_))
    return listing.paged("leads", listing.ordered(found, ORDERS), show)


@api.get("/leads/<int:lead_id>")
def get_lead(lead_id: int) -> Response:
    world = the_world()
    lead = world.leads.get(lead_id)
    if lead is None or (lead.is_deleted and not world.switches.deleted_leads_visible):
        return missing()
    return respond(shown(world, lead, with_params()))


@api.post("/leads")
def add_leads() -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: lead_plan.read(world, item, None))
    with world.change(author(), by_api=True) as change:
        made = [(item, leads.create(change, plan)) for item, plan in plans]
    answer = [{"id": lead.id, "request_id": item.request_id, **links(f"leads/{lead.id}")} for item, lead in made]
    return respond(embedded("leads", "leads", answer))


@api.patch("/leads")
def change_leads() -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item))
    with world.change(author(), by_api=True) as change:
        answer = [_changed(item, leads.update(change, plan, item.raw["id"])) for item, plan in plans]
    return respond(embedded("leads", "leads", answer))


@api.patch("/leads/<int:lead_id>")
def change_lead(lead_id: int) -> Response:
    world = the_world()
    before = world.live_lead(lead_id)
    if before is None:
        raise problems.not_found("Lead not found")
    item = object_sent()
    plan = check_one(item, lead_plan.read(world, item, before))
    with world.change(author(), by_api=True) as change:
        return respond(_changed(item, leads.update(change, plan, lead_id)))


def _read_patch(world: World, item: Item) -> LeadPlan:
    before = world.live_lead(item.raw.get("id", 0)) if isinstance(item.raw.get("id", 0), int) else None
    if before is None:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
        return LeadPlan()
    return lead_plan.read(world, item, before)


def _changed(item: Item, lead: Lead) -> dict[str, Any]:
    return {
        "id": lead.id,
        "updated_at": lead.updated_at,
        "request_id": item.request_id,
        **links(f"leads/{lead.id}"),
    }


def shown(world: World, lead: Lead, with_: set[str]) -> dict[str, Any]:
    """A lead as REST shows it; what needs `with` is null or missing without it."""
    modified_by_robot = {"is_price_modified_by_robot": False} if "is_price_modified_by_robot" in with_ else {}
    return {
        "id": lead.id,
        "name": lead.name,
        "price": lead.price or 0,
        "responsible_user_id": lead.responsible_user_id,
        "group_id": 0,
        "status_id": lead.status_id,
        "pipeline_id": lead.pipeline_id,
        "loss_reason_id": lead.loss_reason_id,
        "source_id": lead.source_id if "source_id" in with_ else None,
        "created_by": lead.created_by,
        "updated_by": lead.updated_by,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "closed_at": lead.closed_at,
        "closest_task_at": world.closest_task_at("leads", lead.id),
        "is_deleted": lead.is_deleted,
        "custom_fields_values": custom_fields.show(world, lead.fields),
        "score": None,
        "account_id": world.account_id,
        **modified_by_robot,
        **links(f"leads/{lead.id}"),
        "_embedded": _embedded(world, lead, with_),
    }


def _embedded(world: World, lead: Lead, with_: set[str]) -> dict[str, Any]:
    companies = [lead.company_id] if lead.company_id and world.live_contact(lead.company_id) else []
    shown: dict[str, Any] = {
        "tags": tags.show(world, lead.tags),
        "companies": [{"id": id_, **links(f"companies/{id_}")} for id_ in companies],
    }
    if "contacts" in with_:
        people = [id_ for id_ in lead.contacts if world.live_contact(id_)]
        shown["contacts"] = [
            {"id": id_, "is_main": at == 0, **links(f"contacts/{id_}")} for at, id_ in enumerate(people)
        ]
    if "loss_reason" in with_:
        reason = world.loss_reasons.get(lead.loss_reason_id or 0)
        shown["loss_reason"] = [{**vars(reason), **links(f"leads/loss_reasons/{reason.id}")}] if reason else []
    if "catalog_elements" in with_:
        shown["catalog_elements"] = []
    if "source" in with_:
        source = world.sources.get(lead.source_id or 0)
        shown["source"] = {"id": source.id, "name": source.name} if source else None
    return shown


def _shown_deleted(lead: Lead) -> dict[str, Any]:
    return {"id": lead.id, "updated_at": lead.updated_at, "is_deleted": True, **links(f"leads/{lead.id}")}


def _filters(world: World) -> dict[str, listing.Filter[Lead]]:
    return {
        "id": listing.among(lambda lead: lead.id),
        "name": listing.among(lambda lead: lead.name),
        "price": listing.between(lambda lead: lead.price or 0, exact=True),
        "pipeline_id": listing.among(lambda lead: lead.pipeline_id),
        "created_by": listing.among(lambda lead: lead.created_by),
        "updated_by": listing.among(lambda lead: lead.updated_by),
        "responsible_user_id": listing.among(lambda lead: lead.responsible_user_id),
        "statuses": _in_statuses,
        "created_at": listing.between(lambda lead: lead.created_at),
        "updated_at": listing.between(lambda lead: lead.updated_at),
        "closed_at": listing.between(lambda lead: lead.closed_at),
        "closest_task_at": listing.between(lambda lead: world.closest_task_at("leads", lead.id)),
        "custom_fields_values": search.by_custom_fields(lambda lead: lead.fields),
    }


def _in_statuses(raw: Any) -> listing.Predicate[Lead] | None:
    """Pairs of pipeline and stage; an entry without both keys is not understood."""
    entries = raw.values() if isinstance(raw, dict) else ()
    pairs = {
        (id_, entry["status_id"])
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("status_id"), str)
        for id_ in php.listed(entry.get("pipeline_id"))
    }
    return (lambda lead: (str(lead.pipeline_id), str(lead.status_id)) in pairs) if pairs else None
