"""/{leads|contacts|companies}/notes, with and without the entity's id in the path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator import notes, problems
from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import (
    author,
    batch_sent,
    check_one,
    checked,
    embedded,
    links,
    missing,
    no_content,
    object_sent,
    respond,
    the_world,
)
from infra.local.amocrm_simulator.model import Note
from infra.local.amocrm_simulator.validation import Item
from infra.local.amocrm_simulator.world import World

api = Blueprint("notes", __name__)

FILTERS: dict[str, listing.Filter[Note]] = {
    "id": listing.among(lambda note: note.id),
    "entity_id": listing.among(lambda note: note.entity_id),
    "note_type": listing.among(lambda note: note.note_type),
    "updated_at": listing.between(lambda note: note.updated_at, exact=True),
}
ORDERS = {"updated_at": lambda note: note.updated_at, "id": lambda note: note.id}
ENTITY = "/<any(leads, contacts, companies):entity_type>"


@api.get(f"{ENTITY}/notes")
@api.get(f"{ENTITY}/<int:entity_id>/notes")
def list_notes(entity_type: str, entity_id: int | None = None) -> Response:
    world = the_world()
    sent = listing.filters_sent()
    found = [
        note
        for note in world.notes.all(listing.wanted_ids(sent), lag=listing.lag(filtered=bool(sent)))
        if note.entity_type == entity_type and entity_id in (None, note.entity_id)
    ]
    found = listing.chosen(found, FILTERS, sent)
    return listing.paged("notes", listing.ordered(found, ORDERS), lambda note: _shown(world, note))


@api.get(f"{ENTITY}/notes/<int:note_id>")
@api.get(f"{ENTITY}/<int:entity_id>/notes/<int:note_id>")
def get_note(entity_type: str, note_id: int, entity_id: int | None = None) -> Response:
    world = the_world()
    note = _note(world, entity_type, note_id, entity_id)
    return missing() if note is None else respond(_shown(world, note))


@api.post(f"{ENTITY}/notes")
@api.post(f"{ENTITY}/<int:entity_id>/notes")
def add_notes(entity_type: str, entity_id: int | None = None) -> Response:
    world = the_world()
    if entity_id is not None and world.live(entity_type, entity_id) is None:
        raise problems.not_found("Entity not found")
    plans = checked(batch_sent(), lambda item: notes.read(world, item, entity_type, entity_id))
    with world.change(author(), by_api=True) as change:
        made = [(item, notes.create(change, plan)) for item, plan in plans]
    answer = [
        {"id": note.id, "entity_id": note.entity_id, "request_id": item.request_id, **links(_path(note))}
        for item, note in made
    ]
    return respond(embedded("notes", f"{entity_type}/notes", answer))


@api.patch(f"{ENTITY}/notes")
@api.patch(f"{ENTITY}/<int:entity_id>/notes")
def change_notes(entity_type: str, entity_id: int | None = None) -> Response:
    world = the_world()
    plans = checked(batch_sent(), lambda item: _read_patch(world, item, entity_type, entity_id))
    with world.change(author(), by_api=True) as change:
        changed = [notes.update(change, plan, item.raw["id"]) for item, plan in plans]
    return respond(embedded("notes", f"{entity_type}/notes", [_changed(note) for note in changed]))


@api.patch(f"{ENTITY}/notes/<int:note_id>")
@api.patch(f"{ENTITY}/<int:entity_id>/notes/<int:note_id>")
def change_note(entity_type: str, note_id: int, entity_id: int | None = None) -> Response:
    """The answer is embedded even for one, as with contacts."""
    world = the_world()
    before = _note(world, entity_type, note_id, entity_id)
    if before is None:
        raise problems.not_found("Note not found")
    item = object_sent()
    plan = check_one(item, notes.read_patch(item, before))
    with world.change(author(), by_api=True) as change:
        note = notes.update(change, plan, note_id)
    return respond(embedded("notes", f"{entity_type}/notes", [_changed(note)]))


@api.post(f"{ENTITY}/<int:entity_id>/notes/<int:note_id>/<any(pin, unpin):action>")
@api.post(f"{ENTITY}/notes/<int:note_id>/<any(pin, unpin):action>")
def pin_note(entity_type: str, note_id: int, action: str, entity_id: int | None = None) -> Response:
    world = the_world()
    note = _note(world, entity_type, note_id, entity_id)
    if note is None:
        raise problems.not_found("Note not found")
    world.notes.put(replace(note, is_pinned=action == "pin"))
    return no_content()


def _note(world: World, entity_type: str, note_id: int, entity_id: int | None) -> Note | None:
    note = world.notes.get(note_id)
    fits = note is not None and note.entity_type == entity_type and entity_id in (None, note.entity_id)
    return note if fits else None


def _read_patch(world: World, item: Item, entity_type: str, entity_id: int | None) -> notes.NotePlan:
    id_ = item.raw.get("id", 0)
    before = _note(world, entity_type, id_, entity_id) if isinstance(id_, int) else None
    if before is None:
        item.refuse("id", "NotSupportedChoice" if "id" in item.raw else "FieldMissing")
        return notes.NotePlan(entity_type, 0, "", {})
    return notes.read_patch(item, before)


def _path(note: Note) -> str:
    return f"{note.entity_type}/{note.entity_id}/notes/{note.id}"


def _changed(note: Note) -> dict[str, Any]:
    return {"id": note.id, "entity_id": note.entity_id, "updated_at": note.updated_at, **links(_path(note))}


def _shown(world: World, note: Note) -> dict[str, Any]:
    return {
        "id": note.id,
        "entity_id": note.entity_id,
        "created_by": note.created_by,
        "updated_by": note.updated_by,
        "created_at": note.created_at,
        "updated_at": note.updated_at,
        "responsible_user_id": note.responsible_user_id,
        "group_id": 0,
        "note_type": note.note_type,
        "params": dict(note.params),
        "account_id": world.account_id,
        **links(_path(note)),
    }
