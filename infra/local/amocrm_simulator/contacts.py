"""Contacts and companies: what a write may say, what it changes, and what it fires."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import custom_fields, feed, hook_items, tags
from infra.local.amocrm_simulator.feed import SINGULAR
from infra.local.amocrm_simulator.model import Contact, Fields
from infra.local.amocrm_simulator.tags import TagPlan

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World


@dataclass(frozen=True)
class ContactPlan:
    """A checked write; `id` names an existing contact that a new lead is to be linked with."""

    changes: dict[str, Any] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    tags: TagPlan = field(default_factory=TagPlan)
    id: int | None = None


def read(world: World, item: Item, kind: str, before: Contact | None) -> ContactPlan:
    """Check one contact or company of a write; what is wrong is noted in the item."""
    changes = item.pick(
        name=str,
        first_name=str,
        last_name=str,
        responsible_user_id=int,
        created_by=int,
        updated_by=int,
        created_at=int,
        updated_at=int,
    )
    if kind == "companies":
        changes = {key: value for key, value in changes.items() if key not in ("first_name", "last_name")}
    if "responsible_user_id" in changes and not world.may_own(changes["responsible_user_id"]):
        item.refuse("responsible_user_id")
    for key in ("created_by", "updated_by"):
        if changes.get(key, 0) != 0 and changes[key] not in world.users:
            item.refuse(key)
    return ContactPlan(
        changes=changes,
        fields=custom_fields.read(world, item, kind, before.fields if before else {}),
        tags=tags.read(world, item, kind),
    )


def read_embedded(world: World, item: Item, kind: str) -> ContactPlan:
    """A contact inside a lead: a full model, or the `id` of one that exists."""
    id_ = item.raw.get("id")
    if id_ is None:
        return read(world, item, kind, None)
    if not isinstance(id_, int) or world.live_contact(id_, kind) is None:
        item.refuse("id")
    return ContactPlan(id=id_)


def create(change: Change, plan: ContactPlan, kind: str, *, unsorted: bool = False) -> Contact:
    """A new contact; one that waits in «Неразобранное» is hidden and fires nothing."""
    world = change.world
    base = Contact(
        id=world.ids("contact"),
        kind=kind,
        name="",
        responsible_user_id=change.author,
        created_by=change.author,
        updated_by=change.author,
        created_at=change.at,
        updated_at=change.at,
        is_unsorted=unsorted,
    )
    contact = _named(replace(base, **plan.changes, fields=plan.fields, tags=plan.tags.applied(world, kind, ())), plan)
    world.contacts.put(contact)
    if not unsorted:
        change.log(f"{SINGULAR[kind]}_added", SINGULAR[kind], contact.id, author=contact.created_by)
        fire(change, "add", contact)
    return contact


def update(change: Change, plan: ContactPlan, contact_id: int) -> Contact:
    """Change a contact or a company."""
    before = change.world.contacts.get(contact_id)
    if before is None:
        raise KeyError(contact_id)
    stamps = {"updated_at": change.at, "updated_by": change.author}
    contact = replace(
        before,
        **{**stamps, **plan.changes},
        fields=plan.fields,
        tags=plan.tags.applied(change.world, before.kind, before.tags),
    )
    contact = _named(contact, plan)
    change.world.contacts.put(contact)
    feed.contact_changed(change, before, contact)
    fire(change, "update", contact, before)
    return contact


def fire(change: Change, action: str, contact: Contact, before: Contact | None = None) -> None:
    """Companies come under the key `contacts` too; a change of the responsible user comes as `update`.

    `old_responsible_user_id` is there in every update, even if it is the present one, as captured in 2025.
    """
    given = before is not None and before.responsible_user_id != contact.responsible_user_id
    told = (action, "responsible") if given else (action,)
    subscriptions = tuple(f"{each}_{SINGULAR[contact.kind]}" for each in told)
    old = None if before is None else before.responsible_user_id
    author = change.hook_author(contact.updated_by)
    change.fire(subscriptions, "contacts", action, hook_items.contact(change.world, contact, author, old))


def _named(contact: Contact, plan: ContactPlan) -> Contact:
    """First and last name build the name when it was not sent."""
    if "name" in plan.changes or not {"first_name", "last_name"} & plan.changes.keys():
        return contact
    return replace(contact, name=f"{contact.first_name} {contact.last_name}".strip())
