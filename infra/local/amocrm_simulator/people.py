"""A human's hand: what a person does in amoCRM's UI, past the REST API and its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import contacts, leads, linking, notes, tasks, unsorted
from infra.local.amocrm_simulator.contacts import ContactPlan
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.linking import Link
from infra.local.amocrm_simulator.model import Contact, Lead, Note, Unsorted, User, Value, Webhook
from infra.local.amocrm_simulator.notes import NotePlan
from infra.local.amocrm_simulator.tags import TagPlan
from infra.local.amocrm_simulator.tasks import TaskPlan

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World


class Person:
    """A user at the screen; the admin unless another is named. Unknown ids raise KeyError."""

    def __init__(self, world: World, user_id: int | None = None) -> None:
        self._world = world
        self.id = world.admin.id if user_id is None else user_id

    # Leads

    def create_lead(
        self,
        name: str = "",
        *,
        pipeline_id: int | None = None,
        status_id: int | None = None,
        owner: int | None = None,
        contact_id: int | None = None,
        tags: tuple[str, ...] = (),
    ) -> Lead:
        """A lead made by hand; by default in the first stage of the main pipeline and the person's own."""
        with self._world.change(self.id) as change:
            pipeline = self._world.main_pipeline if pipeline_id is None else self._world.pipelines[pipeline_id]
            changes = {
                "name": name,
                "pipeline_id": pipeline.id,
                "status_id": pipeline.entry.id if status_id is None else status_id,
                "responsible_user_id": self.id if owner is None else owner,
            }
            people = () if contact_id is None else (contact_id,)
            return leads.create(change, LeadPlan(changes, tags=TagPlan(add=tags), contacts=people))

    def move(self, lead_id: int, status_id: int, pipeline_id: int | None = None) -> Lead:
        """Drag the card to another stage, perhaps of another pipeline; out of «Неразобранное» that is an accept."""
        lead = self._lead(lead_id)
        item = self._item_of(lead_id)
        if item is not None:
            self.accept(item.uid, status_id=status_id)
            return self._lead(lead_id)
        place = {"pipeline_id": lead.pipeline_id if pipeline_id is None else pipeline_id, "status_id": status_id}
        return self._change(lead, place)

    def reassign(self, lead_id: int, user_id: int) -> Lead:
        """Choose another responsible user."""
        return self._change(self._lead(lead_id), {"responsible_user_id": user_id})

    def rename(self, lead_id: int, name: str) -> Lead:
        return self._change(self._lead(lead_id), {"name": name})

    def price(self, lead_id: int, price: int) -> Lead:
        """Write the «Бюджет»."""
        return self._change(self._lead(lead_id), {"price": price})

    def fill_in(self, lead_id: int, field_id: int, *values: Value) -> Lead:
        """Fill in a custom field, or empty it when no value is given."""
        lead = self._lead(lead_id)
        others = {id_: filled for id_, filled in lead.fields.items() if id_ != field_id}
        with self._world.change(self.id) as change:
            fields = {**others, **({field_id: values} if values else {})}
            return leads.update(change, LeadPlan(fields=fields), lead_id)

    def link(self, lead_id: int, contact_id: int) -> None:
        """Add a contact to the card."""
        with self._world.change(self.id) as change:
            linking.link(change, Link("leads", self._lead(lead_id).id, "contacts", contact_id))

    def unlink(self, lead_id: int, contact_id: int) -> None:
        """Take a contact off the card."""
        with self._world.change(self.id) as change:
            linking.unlink(change, Link("leads", self._lead(lead_id).id, "contacts", contact_id))

    def delete_lead(self, lead_id: int) -> None:
        """Into the recycle bin. A lead in «Неразобранное» is declined by that."""
        item = self._item_of(lead_id)
        if item is not None:
            self.decline(item.uid)
            return
        with self._world.change(self.id) as change:
            leads.delete(change, lead_id)

    def restore_lead(self, lead_id: int) -> Lead:
        with self._world.change(self.id) as change:
            return leads.restore(change, lead_id)

    def merge_leads(self, *, winner: int, loser: int) -> Lead:
        """«Объединить»: the winner takes contacts, tags, notes and tasks, the loser is gone.

        Which webhooks a merge fires is not known; `merge_hooks` switches between delete and update, and none.
        """
        kept, gone = self._lead(winner), self._lead(loser)
        hooks = self._world.switches.merge_hooks
        with self._world.change(self.id) as change:
            self._hand_over(gone, kept)
            leads.delete(change, loser, hooks=hooks)
            people = tuple(dict.fromkeys((*kept.contacts, *gone.contacts)))
            tags = tuple(dict.fromkeys((*kept.tags, *gone.tags)))
            merged = replace(
                kept,
                contacts=people,
                tags=tags,
                fields={**gone.fields, **kept.fields},
                updated_at=change.at,
                updated_by=self.id,
            )
            leads.save(change, kept, merged, ("update",) if hooks else ())
            change.log("entity_merged", "lead", winner, before=({"link": {"entity": {"id": loser, "type": "lead"}}},))
            return merged

    def _hand_over(self, gone: Lead, kept: Lead) -> None:
        for note in self._world.notes.all():
            if (note.entity_type, note.entity_id) == ("leads", gone.id):
                self._world.notes.put(replace(note, entity_id=kept.id))
        for task_id in list(self._world.tasks_of.get(("leads", gone.id), {})):
            task = self._world.tasks.get(task_id)
            if task is not None:
                self._world.put_task(replace(task, entity_id=kept.id))

    # Неразобранное

    def accept(self, uid: str, *, status_id: int | None = None, owner: int | None = None) -> Unsorted:
        """«Принять»; KeyError when it is no longer there."""
        item = self._waiting(uid)
        entry = self._world.pipelines[item.pipeline_id].entry.id
        with self._world.change(self.id) as change:
            owner = self.id if owner is None else owner
            return unsorted.accept(change, item, owner, entry if status_id is None else status_id)

    def decline(self, uid: str) -> Unsorted:
        """«Отклонить»; KeyError when it is no longer there."""
        item = self._waiting(uid)
        with self._world.change(self.id) as change:
            return unsorted.decline(change, item)

    # Contacts, tasks, notes

    def create_contact(
        self, name: str, phone: str | None = None, email: str | None = None, *, owner: int | None = None
    ) -> Contact:
        changes = {"name": name, "responsible_user_id": self.id if owner is None else owner}
        with self._world.change(self.id) as change:
            fields = multitext_field(self._world, "PHONE", phone) if phone else {}
            fields |= multitext_field(self._world, "EMAIL", email) if email else {}
            return contacts.create(change, ContactPlan(changes, fields=fields), "contacts")

    def complete_task(self, task_id: int, result: str = "") -> None:
        with self._world.change(self.id) as change:
            tasks.update(change, TaskPlan({"is_completed": True, "result": result}), task_id)

    def delete_task(self, task_id: int) -> None:
        with self._world.change(self.id) as change:
            tasks.delete(change, task_id)

    def write_note(self, lead_id: int, text: str) -> Note:
        with self._world.change(self.id) as change:
            return notes.create(change, NotePlan("leads", self._lead(lead_id).id, "common", {"text": text}))

    # Settings

    def switch_off(self, user_id: int) -> User:
        """Switch a user off; what he was responsible for stays his."""
        return self._set_active(user_id, is_active=False)

    def switch_on(self, user_id: int) -> User:
        return self._set_active(user_id, is_active=True)

    def disable_webhook(self, destination: str) -> Webhook:
        """Untick a webhook; what waits for it is lost."""
        webhook = self._set_disabled(destination, disabled=True)
        self._world.outbox.drop(webhook.id)
        return webhook

    def enable_webhook(self, destination: str) -> Webhook:
        """Tick it again; bad answers of the past are forgotten, lost events stay lost."""
        return self._set_disabled(destination, disabled=False)

    def _lead(self, lead_id: int) -> Lead:
        lead = self._world.live_lead(lead_id)
        if lead is None:
            raise KeyError(lead_id)
        return lead

    def _item_of(self, lead_id: int) -> Unsorted | None:
        items = self._world.unsorted.all()
        return next((item for item in items if item.lead_id == lead_id and item.state == "waiting"), None)

    def _waiting(self, uid: str) -> Unsorted:
        item = self._world.waiting(uid)
        if item is None:
            raise KeyError(uid)
        return item

    def _change(self, lead: Lead, changes: dict[str, Any]) -> Lead:
        with self._world.change(self.id) as change:
            return leads.update(change, LeadPlan(changes, fields=lead.fields), lead.id)

    def _set_active(self, user_id: int, *, is_active: bool) -> User:
        with self._world.lock:
            self._world.users[user_id] = replace(self._world.users[user_id], is_active=is_active)
            return self._world.users[user_id]

    def _set_disabled(self, destination: str, *, disabled: bool) -> Webhook:
        with self._world.lock:
            found = [webhook for webhook in self._world.webhooks.values() if webhook.destination == destination]
            if not found:
                raise KeyError(destination)
            webhook = replace(found[0], disabled=disabled, bad_answers=())
            self._world.webhooks[webhook.id] = webhook
            return webhook


def phone_field(world: World, phone: str) -> dict[int, tuple[Value, ...]]:
    """The field PHONE of a contact with one number."""
    return multitext_field(world, "PHONE", phone)


def multitext_field(world: World, code: str, value: str) -> dict[int, tuple[Value, ...]]:
    """The field PHONE or EMAIL of a contact with one value."""
    field = next(field for field in world.custom_fields.values() if (field.entity, field.code) == ("contacts", code))
    return {field.id: (Value(value, field.enums[0].id),)}
