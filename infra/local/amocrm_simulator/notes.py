"""Notes of leads, contacts and companies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import hook_items
from infra.local.amocrm_simulator.feed import SINGULAR
from infra.local.amocrm_simulator.model import Note

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World

_TYPES = (
    "common attachment call_in call_out amomail_message chat site_visit targeting_in targeting_out transaction "
    "service_message message_cashier invoice_paid geolocation sms_in sms_out extended_service_message zoom_meeting "
    "dropbox_attachment link_followed bill_paid ai_result"
)
TYPES = frozenset(_TYPES.split())
"""amoCRM API: notes."""
CALL = ("uniq", "duration", "source", "phone")
REQUIRED_PARAMS = {
    "common": ("text",),
    "service_message": ("service", "text"),
    "extended_service_message": ("service", "text"),
    "call_in": CALL,
    "call_out": CALL,
    "geolocation": ("text", "address", "longitude", "latitude"),
    "sms_in": ("text", "phone"),
    "sms_out": ("text", "phone"),
}
EVENTS = {
    "common": "common_note_added",
    "attachment": "attachment_note_added",
    "call_in": "incoming_call",
    "call_out": "outgoing_call",
    "geolocation": "geo_note_added",
    "site_visit": "site_visit_note_added",
    "sms_in": "incoming_sms",
    "sms_out": "outgoing_sms",
    "message_cashier": "message_to_cashier_note_added",
}


@dataclass(frozen=True)
class NotePlan:
    entity_type: str
    entity_id: int
    note_type: str
    params: Mapping[str, Any]
    responsible_user_id: int | None = None
    created_by: int | None = None


def read(world: World, item: Item, entity_type: str, entity_id: int | None) -> NotePlan:
    """Check a new note; `entity_id` comes from the path or else from the item."""
    item.require("note_type", *(("entity_id",) if entity_id is None else ()))
    sent = item.pick(entity_id=int, note_type=str, params=dict, responsible_user_id=int, created_by=int)
    owner = entity_id if entity_id is not None else sent.get("entity_id", 0)
    if "entity_id" in sent and world.live(entity_type, owner) is None:
        item.refuse("entity_id")
    note_type, params = sent.get("note_type", ""), sent.get("params", {})
    if note_type and note_type not in TYPES:
        item.refuse("note_type")
    item.inside(params, "params.").require(*REQUIRED_PARAMS.get(note_type, ()))
    return NotePlan(entity_type, owner, note_type, params, sent.get("responsible_user_id"), sent.get("created_by"))


def read_patch(item: Item, before: Note) -> NotePlan:
    """Check a change of a note: its params."""
    sent = item.pick(note_type=str, params=dict)
    note_type = sent.get("note_type", before.note_type)
    if note_type != before.note_type:
        item.refuse("note_type")
    params = {**before.params, **sent.get("params", {})}
    return NotePlan(before.entity_type, before.entity_id, note_type, params)


def create(change: Change, plan: NotePlan) -> Note:
    """A new note."""
    author = change.author if plan.created_by is None else plan.created_by
    note = Note(
        id=change.world.ids("note"),
        entity_type=plan.entity_type,
        entity_id=plan.entity_id,
        note_type=plan.note_type,
        params=plan.params,
        responsible_user_id=change.author if plan.responsible_user_id is None else plan.responsible_user_id,
        created_by=author,
        updated_by=author,
        created_at=change.at,
        updated_at=change.at,
    )
    change.world.notes.put(note)
    singular = SINGULAR[note.entity_type]
    event = EVENTS.get(note.note_type, "service_note_added")
    change.log(event, singular, note.entity_id, after=({"note": {"id": note.id}},), author=author)
    _fire(change, note, singular)
    return note


def update(change: Change, plan: NotePlan, note_id: int) -> Note:
    """Change the params of a note; this fires no webhook (only adding is documented)."""
    before = change.world.notes.get(note_id)
    if before is None:
        raise KeyError(note_id)
    note = replace(before, params=plan.params, updated_at=change.at, updated_by=change.author)
    change.world.notes.put(note)
    return note


def _fire(change: Change, note: Note, singular: str) -> None:
    owner = change.world.live(note.entity_type, note.entity_id)
    main_user = owner.responsible_user_id if owner else 0
    entity = "leads" if note.entity_type == "leads" else "contacts"
    change.fire(f"note_{singular}", entity, "note", hook_items.note(change.world, note, main_user))
