"""Entities as webhooks show them: the old v2 shape, key order as in captured bodies (amoCRM API: webhooks)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import custom_fields
from infra.local.amocrm_simulator.model import Contact, Lead, Note, Task, Unsorted

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World

ELEMENT_TYPES = {"contacts": 1, "leads": 2, "companies": 3}
NOTE_TYPES = {"common": 4, "attachment": 5, "call_in": 10, "call_out": 11, "service_message": 25, "sms_in": 102}
OTHER_NOTE = 3
NOTE_ZONE = timezone(timedelta(hours=3))
"""Strings of notes are UTC+3, those of tasks are UTC."""


def lead(world: World, lead: Lead, author: int, old: dict[str, int | None]) -> dict[str, Any]:
    """A lead of add, update, status, responsible, restore. `old` holds the `old_*` keys of this event."""
    return {
        "id": lead.id,
        "name": lead.name,
        "status_id": lead.status_id,
        "old_status_id": old.get("old_status_id"),
        "price": lead.price,
        "responsible_user_id": lead.responsible_user_id,
        "old_responsible_user_id": old.get("old_responsible_user_id"),
        "last_modified": lead.updated_at,
        "modified_user_id": author,
        "created_user_id": lead.created_by,
        "date_create": lead.created_at,
        "pipeline_id": lead.pipeline_id,
        "old_pipeline_id": old.get("old_pipeline_id"),
        "tags": _tags(world, lead.tags),
        "account_id": world.account_id,
        "custom_fields": custom_fields.for_hook(world, lead.fields, "leads"),
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
    }


def deleted_lead(lead: Lead) -> dict[str, Any]:
    return {"id": lead.id, "status_id": lead.status_id, "pipeline_id": lead.pipeline_id}


def contact(world: World, contact: Contact, author: int, old_responsible: int | None) -> dict[str, Any]:
    linked = {str(id_): {"ID": id_} for id_ in sorted(world.leads_of_contact.get(contact.id, ()))}
    return {
        "id": contact.id,
        "name": contact.name,
        "responsible_user_id": contact.responsible_user_id,
        "date_create": contact.created_at,
        "last_modified": contact.updated_at,
        "created_user_id": contact.created_by,
        "modified_user_id": author,
        "account_id": world.account_id,
        "custom_fields": custom_fields.for_hook(world, contact.fields, contact.kind),
        "tags": _tags(world, contact.tags),
        "linked_leads_id": linked or None,
        "old_responsible_user_id": old_responsible,
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
        "type": _type(contact),
    }


def deleted_contact(contact: Contact) -> dict[str, Any]:
    return {"id": contact.id, "type": _type(contact)}


def task(world: World, task: Task, author: int, before: Task | None) -> dict[str, Any]:
    """A task; with `before` the keys of `update` are there, `old_text` even if the text is the same."""
    shown = {
        "id": task.id,
        "element_id": task.entity_id or 0,
        "element_type": ELEMENT_TYPES.get(task.entity_type or "", 0),
        "task_type": task.task_type_id,
        "date_create": _string(task.created_at, UTC),
        "text": task.text,
        "status": int(task.is_completed),
        "account_id": world.account_id,
        "created_user_id": task.created_by,
        "last_modified": _string(task.updated_at, UTC),
        "responsible_user_id": task.responsible_user_id,
        "complete_till": _string(task.complete_till, UTC),
    }
    if before is not None:
        shown |= {
            "action_close": int(task.is_completed and not before.is_completed),
            "old_text": before.text,
            "result": {"text": task.result} if task.result is not None else None,
            "main_user": task.responsible_user_id,
            "modified_by": author,
        }
        if before.responsible_user_id != task.responsible_user_id:
            shown["old_responsible_user_id"] = before.responsible_user_id
    times = {"created_at": task.created_at, "updated_at": task.updated_at, "complete_before": task.complete_till}
    return {**shown, **times}


def note(world: World, note: Note, main_user: int) -> dict[str, Any]:
    """A note; contacts and companies say `type` beside it."""
    body = {
        "text": note.params.get("text", ""),
        "attachement": note.params.get("file_name", ""),
        "date_create": _string(note.created_at, NOTE_ZONE),
        "note_type": NOTE_TYPES.get(note.note_type, OTHER_NOTE),
        "element_type": ELEMENT_TYPES[note.entity_type],
        "element_id": note.entity_id,
        "catalog_id": 0,
        "group_id": 0,
        "timestamp_x": _string(note.updated_at, NOTE_ZONE),
        "account_id": world.account_id,
        "created_by": note.created_by,
        "modified_by": note.updated_by,
        "main_user_id": main_user,
        "id": note.id,
        "created_at": note.created_at,
        "updated_at": note.updated_at,
    }
    type_ = {"contacts": "contact", "companies": "company"}.get(note.entity_type)
    return {"note": body, **({"type": type_} if type_ else {})}


def unsorted_added(world: World, item: Unsorted, request_id: str | None) -> dict[str, Any]:
    """Chats name their source and contact, the others their lead's data without an id; `lead_id` is always there."""
    head = {"source": item.source, "source_uid": item.source_uid} if item.category == "chats" else {}
    return {
        "uid": item.uid,
        **head,
        "category": item.category,
        "source_data": item.source_data,
        "date_create": item.created_at,
        "data": _unsorted_data(world, item),
        "pipeline_id": item.pipeline_id,
        "account_id": world.account_id,
        "request_id": request_id,
        "source_id": item.source_id,
        "lead_id": item.lead_id,
        "created_at": item.created_at,
    }


def unsorted_updated(world: World, item: Unsorted) -> dict[str, Any]:
    lead = world.leads.get(item.lead_id)
    shown: dict[str, Any] = {"id": item.lead_id, "pipeline_id": item.pipeline_id, "date_create": item.created_at}
    if lead is not None:
        shown |= {"status_id": lead.status_id, "name": lead.name, "created_user_id": lead.created_by}
    data = {"leads": [shown], "pipeline_id": item.pipeline_id, "source": item.source, "source_uid": item.source_uid}
    return {
        "uid": item.uid,
        "category": item.category,
        "account_id": world.account_id,
        "user_id": 0,
        "source": item.source,
        "pipeline_id": item.pipeline_id,
        "source_data": item.source_data,
        "data": {**data, "created_at": item.created_at},
    }


def unsorted_deleted(item: Unsorted, action: str, lead_id: int, author: int) -> dict[str, Any]:
    """`action` is accept or decline; both arrive as `unsorted[delete]`."""
    return {
        "action": action,
        "uid": item.uid,
        f"{action}_result": {"leads": [lead_id]},
        "category": item.category,
        "created_at": item.created_at,
        "modified_user_id": author,
    }


def _unsorted_data(world: World, item: Unsorted) -> dict[str, Any]:
    if item.category == "chats":
        return {"contacts": [{"id": item.contact_id}]}
    lead = world.leads.get(item.lead_id)
    if lead is None:
        return {}
    shown = {
        "last_modified": lead.updated_at,
        "name": lead.name,
        "pipeline_id": lead.pipeline_id,
        "modified_user_id": 0,
        "date_create": lead.created_at,
        "custom_fields": custom_fields.for_hook(world, lead.fields, "leads"),
        "visitor_uid": lead.visitor_uid,
        "source_id": lead.source_id,
    }
    return {"leads": [shown]}


def _tags(world: World, ids: tuple[int, ...]) -> list[dict[str, Any]] | None:
    return [{"id": id_, "name": world.tags[id_].name} for id_ in ids] or None


def _type(contact: Contact) -> str:
    return "contact" if contact.kind == "contacts" else "company"


def _string(timestamp: int, zone: timezone) -> str:
    return f"{datetime.fromtimestamp(timestamp, zone):%Y-%m-%d %H:%M:%S}"
