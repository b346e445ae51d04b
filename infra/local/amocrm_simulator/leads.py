"""Leads: what a write changes, and what it fires."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import feed, hook_items
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.model import LOST, WON, Lead

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.world import World

UPDATED = ("status", "responsible", "update")
"""Hooks that a change of a lead may fire; which of them it does depends on what changed."""


def create(change: Change, plan: LeadPlan, *, hooks: bool = True) -> Lead:
    """A new lead from a checked plan."""
    world = change.world
    base = Lead(
        id=world.ids("lead"),
        name="",
        pipeline_id=0,
        status_id=0,
        responsible_user_id=change.author,
        created_by=change.author,
        updated_by=change.author,
        created_at=change.at,
        updated_at=change.at,
    )
    lead = replace(
        base,
        **plan.changes,
        fields=plan.fields,
        tags=plan.tags.applied(world, "leads", ()),
        contacts=plan.contacts,
        company_id=plan.company_id,
    )
    lead = _settled(lead, None, plan.changes, change.at)
    world.put_lead(lead)
    change.log("lead_added", "lead", lead.id, author=lead.created_by)
    if hooks:
        fire(change, "add", lead)
    return lead


def update(change: Change, plan: LeadPlan, lead_id: int) -> Lead:
    """Change a lead; a write that changes nothing is told like any other."""
    before = change.world.leads.get(lead_id)
    if before is None:
        raise KeyError(lead_id)
    stamps = {"updated_at": change.at, "updated_by": change.author}
    lead = replace(
        before,
        **{**stamps, **plan.changes},
        fields=plan.fields,
        tags=plan.tags.applied(change.world, "leads", before.tags),
    )
    lead = _settled(lead, before, plan.changes, change.at)
    save(change, before, lead)
    return lead


def _settled(lead: Lead, before: Lead | None, changes: dict[str, Any], now: int) -> Lead:
    """Closing time and loss reason follow the stage."""
    closed = lead.status_id in (WON, LOST)
    moved = before is None or before.status_id != lead.status_id
    closed_at = lead.closed_at
    if "closed_at" not in changes and moved:
        closed_at = now if closed else None
    return replace(lead, closed_at=closed_at, loss_reason_id=lead.loss_reason_id if lead.status_id == LOST else None)


def save(change: Change, before: Lead, lead: Lead, hooks: tuple[str, ...] = UPDATED) -> None:
    """Store the new state and tell everybody; of `hooks` those are fired that fit to what changed."""
    moved = (before.pipeline_id, before.status_id) != (lead.pipeline_id, lead.status_id)
    if moved:
        lead = replace(lead, old_status_id=before.status_id)
    change.world.put_lead(lead)
    feed.lead_changed(change, before, lead)
    given = before.responsible_user_id != lead.responsible_user_id
    happened = {"status": moved, "responsible": given, "update": True, "add": True}
    for action in hooks:
        if happened[action]:
            fire(change, action, lead, before)


def fire(change: Change, action: str, lead: Lead, before: Lead | None = None) -> None:
    """A webhook about this lead; `action` as in the body."""
    item = hook_items.lead(change.world, lead, change.hook_author(lead.updated_by), _old(change.world, lead, before))
    change.fire(f"{action}_lead", "leads", action, item)


def _old(world: World, lead: Lead, before: Lead | None) -> dict[str, int | None]:
    """`old_status_id` stays from earlier events, the others belong to this one."""
    if before is None:
        return {"old_status_id": lead.old_status_id if world.switches.sticky_old_status else None}
    moved = (before.pipeline_id, before.status_id) != (lead.pipeline_id, lead.status_id)
    given = before.responsible_user_id != lead.responsible_user_id
    return {
        "old_status_id": lead.old_status_id if moved or world.switches.sticky_old_status else None,
        "old_pipeline_id": before.pipeline_id if before.pipeline_id != lead.pipeline_id else None,
        "old_responsible_user_id": before.responsible_user_id if given else None,
    }


def delete(change: Change, lead_id: int, *, hooks: bool = True) -> Lead:
    """Into the recycle bin; there is no such method in the API."""
    before = change.world.leads.get(lead_id)
    if before is None:
        raise KeyError(lead_id)
    lead = replace(before, is_deleted=True, updated_at=change.at, updated_by=change.author)
    change.world.put_lead(lead)
    change.log("lead_deleted", "lead", lead.id)
    if hooks:
        change.fire("delete_lead", "leads", "delete", hook_items.deleted_lead(lead))
    return lead


def restore(change: Change, lead_id: int) -> Lead:
    """Out of the recycle bin."""
    before = change.world.leads.get(lead_id)
    if before is None:
        raise KeyError(lead_id)
    lead = replace(before, is_deleted=False, updated_at=change.at, updated_by=change.author)
    change.world.put_lead(lead)
    change.log("lead_restored", "lead", lead.id)
    fire(change, "restore", lead)
    return lead
