"""What a write sends, as amoCRM's JSON.

Nothing but what is to change, above all no `updated_at`: amoCRM has no lock, an old value could undo another's work
(amoCRM API: leads).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.shared.crm import (
    FieldValue,
    LeadChange,
    Link,
    NewClientTask,
    NewLead,
    NewNote,
    NewTask,
    OwnerChange,
    TaskChange,
)

CHOICES = frozenset({"select", "multiselect", "radiobutton", "category"})
"""Types whose values are named by an enum alone (amoCRM API: custom fields)."""

ROBOT = 0
"""As author: the integration, not the person whose token it holds."""

Payload = dict[str, Any]


def owner(change: OwnerChange) -> Payload:
    return {"id": change.lead_id, "responsible_user_id": change.responsible_user_id}


def lead_change(change: LeadChange) -> Payload:
    body: Payload = {"id": change.lead_id}
    if change.place:
        body["pipeline_id"], body["status_id"] = change.place
    if change.loss_reason_id is not None:
        body["loss_reason_id"] = change.loss_reason_id
    if change.price is not None:
        body["price"] = change.price
    if change.add_tags:
        body["tags_to_add"] = _tags(change.add_tags)
    if change.remove_tags:
        body["tags_to_delete"] = _tags(change.remove_tags)
    fields = [*map(field, change.fields), *({"field_id": each, "values": None} for each in change.clear_fields)]
    if fields:
        body["custom_fields_values"] = fields
    return body


def new_lead(lead: NewLead) -> Payload:
    """Contacts and the company hang on it from the start: they can be given on creation (amoCRM API: leads)."""
    origin_id, address = lead.origin
    others = [field(each) for each in lead.fields if each.field_id != origin_id]
    contacts = [{"id": each, "is_main": at == 0} for at, each in enumerate(lead.contacts)]
    embedded = {
        "tags": _tags(lead.tags),
        "contacts": contacts,
        "companies": [{"id": lead.company}] if lead.company else [],
    }
    return {
        "name": lead.name,
        "pipeline_id": lead.pipeline_id,
        "status_id": lead.status_id,
        "responsible_user_id": lead.responsible_user_id,
        "created_by": ROBOT,
        "custom_fields_values": [*others, {"field_id": origin_id, "values": [{"value": address}]}],
        "_embedded": {key: things for key, things in embedded.items() if things},
    }


def field(filled: FieldValue) -> Payload:
    """A custom field as it can be written: its id and its values; name, code and type are read-only."""
    return {"field_id": filled.field_id, "values": [_value(filled.kind, value) for value in filled.values]}


def _value(kind: str, value: Mapping[str, Any]) -> Payload:
    """A value object without what only amoCRM says: a choice is its enum's id; elsewhere an enum (the kind of a phone)
    stands beside the value and is named once."""
    given = {key: part for key, part in value.items() if part is not None}
    if "enum_id" not in given:
        return given
    if kind in CHOICES:
        return {"enum_id": given["enum_id"]}
    return {key: part for key, part in given.items() if key != "enum_code"}


def task(new: NewTask) -> Payload:
    return _task(new, "leads", new.lead_id)


def client_task(new: NewClientTask) -> Payload:
    return _task(new, "leads", new.lead_id) if new.lead_id else _task(new, "contacts", new.client)


def _task(new: NewTask | NewClientTask, entity: str, entity_id: int) -> Payload:
    return {
        "entity_type": entity,
        "entity_id": entity_id,
        "responsible_user_id": new.responsible_user_id,
        "task_type_id": new.task_type_id,
        "text": new.text,
        "complete_till": int(new.complete_till.timestamp()),
    }


def task_change(change: TaskChange) -> Payload:
    body: Payload = {"id": change.task_id}
    if change.lead_id is not None:
        # An entity's id means nothing without its type (amoCRM API: tasks).
        body |= {"entity_type": "leads", "entity_id": change.lead_id}
    if change.responsible_user_id is not None:
        body["responsible_user_id"] = change.responsible_user_id
    if change.text is not None:
        body["text"] = change.text
    if change.complete_till is not None:
        body["complete_till"] = int(change.complete_till.timestamp())
    if change.result is not None:
        body |= {"is_completed": True, "result": {"text": change.result}}
    return body


def note(new: NewNote) -> Payload:
    return {"entity_id": new.lead_id, "note_type": new.kind, "params": note_params(new)}


def note_params(new: NewNote) -> Payload:
    return {"text": new.text} if new.params is None else dict(new.params)


def link(wanted: Link) -> Payload:
    return {"entity_id": wanted.lead_id, "to_entity_id": wanted.to_id, "to_entity_type": wanted.kind}


def _tags(names: tuple[str, ...]) -> list[Payload]:
    return [{"name": name} for name in names]
