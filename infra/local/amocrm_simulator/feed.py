"""Lines of the feed «История»: what changed of a lead or a contact (amoCRM API: events)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator.model import Contact, Fields, Lead

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.world import World

SINGULAR = {"leads": "lead", "contacts": "contact", "companies": "company"}


def lead_changed(change: Change, before: Lead, lead: Lead) -> None:
    """Compare two states of a lead."""
    entity, by = ("lead", lead.id), lead.updated_by
    places = ((before.status_id, before.pipeline_id), (lead.status_id, lead.pipeline_id))
    change.log_difference("lead_status_changed", entity, places, _status, by)
    owners = (before.responsible_user_id, lead.responsible_user_id)
    change.log_difference("entity_responsible_changed", entity, owners, _owner, by)
    change.log_difference("name_field_changed", entity, (before.name, lead.name), _name, by)
    change.log_difference("sale_field_changed", entity, (before.price, lead.price), _price, by)
    _tags_changed(change, "lead", lead.id, before.tags, lead.tags, by)
    _fields_changed(change, "lead", lead.id, before.fields, lead.fields, by)


def contact_changed(change: Change, before: Contact, contact: Contact) -> None:
    """Compare two states of a contact or a company."""
    singular, by = SINGULAR[contact.kind], contact.updated_by
    entity = (singular, contact.id)
    owners = (before.responsible_user_id, contact.responsible_user_id)
    change.log_difference("entity_responsible_changed", entity, owners, _owner, by)
    change.log_difference("name_field_changed", entity, (before.name, contact.name), _name, by)
    _tags_changed(change, singular, contact.id, before.tags, contact.tags, by)
    _fields_changed(change, singular, contact.id, before.fields, contact.fields, by)


def _tags_changed(
    change: Change, entity_type: str, id_: int, before: tuple[int, ...], after: tuple[int, ...], author: int
) -> None:
    for tag_id in sorted(set(after) ^ set(before)):
        value = ({"tag": {"name": change.world.tags[tag_id].name}},)
        if tag_id in after:
            change.log("entity_tag_added", entity_type, id_, after=value, author=author)
        else:
            change.log("entity_tag_deleted", entity_type, id_, before=value, author=author)


def _fields_changed(change: Change, entity_type: str, id_: int, before: Fields, after: Fields, author: int) -> None:
    for field_id in sorted(before.keys() | after.keys()):
        if field_id in change.world.custom_fields and before.get(field_id) != after.get(field_id):
            type_ = f"custom_field_{field_id}_value_changed"
            values = [_field(change.world, field_id, fields) for fields in (after, before)]
            change.log(type_, entity_type, id_, after=values[0], before=values[1], author=author)


def _field(world: World, field_id: int, fields: Fields) -> tuple[dict[str, Any], ...]:
    kind = world.custom_fields[field_id].type
    return tuple(
        {
            "custom_field_value": {
                "field_id": field_id,
                "field_type": kind,
                "enum_id": value.enum_id,
                "text": value.value,
            }
        }
        for value in fields.get(field_id, ())
    )


def _status(place: tuple[int, int]) -> dict[str, Any]:
    return {"lead_status": {"id": place[0], "pipeline_id": place[1]}}


def _owner(user_id: int) -> dict[str, Any]:
    return {"responsible_user": {"id": user_id}}


def _name(name: str) -> dict[str, Any]:
    return {"name_field_value": {"name": name}}


def _price(price: int | None) -> dict[str, Any]:
    return {"sale_field_value": {"sale": price}}
