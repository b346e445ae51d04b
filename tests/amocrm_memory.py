"""An amoCRM account in memory: what a test sets up, what people do in it, and what a test looks at.

The port on top of it: tests/fakes_amocrm.py. Leads, contacts, tasks and notes keep their past, so that lists may lag.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from functions.shared.clock import Clock
from functions.shared.crm import LOST, WON, Contact, FieldValue, Lead, Note, StageChange, Task, UnsortedItem, User

PIPELINE = 3_000_001
UNSORTED_STAGE, FIRST_STAGE = 4_000_001, 4_000_002
"""The pipeline and the stages that the account uses where a test does not care."""

CHOICES = frozenset({"select", "multiselect", "radiobutton"})
"""Types of custom fields whose values are enums (amoCRM API: custom fields)."""

ThingT = TypeVar("ThingT")

Versions = list[tuple[datetime, ThingT]]
"""What a thing was from which moment on, oldest first."""


HUMAN = 900_001
"""The user as whom people act on tasks where a test does not say who."""


@dataclass
class Waiting:
    """An item of «Неразобранное» and how long it lay there."""

    item: UnsortedItem
    since: datetime
    until: datetime | None = None

    def waits(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class FieldKind:
    """A custom field of leads; `enums` are the texts of a list by their ids."""

    name: str
    kind: str
    code: str
    enums: Mapping[int, str]
    is_writable: bool


@dataclass
class MemoryAccount:
    """Everything a test looks at is public; nothing here fails or lags.

    `stages` are the (pipeline id, status id) that exist, `loss_reasons` the ids of the reasons; None: all that are
    named. WON and LOST are in every pipeline of `stages`. Once a custom field is declared, unknown ones are refused.
    """

    clock: Clock
    list_lag: timedelta = timedelta(0)
    token_user_id: int = 1
    timezone: str = "Europe/Moscow"
    stages: set[tuple[int, int]] | None = None
    loss_reasons: set[int] | None = None
    companies: set[int] = field(default_factory=set)
    _fields: dict[int, FieldKind] = field(default_factory=dict)
    _users: dict[int, User] = field(default_factory=dict)
    _contacts: dict[int, Versions[Contact | None]] = field(default_factory=dict)
    _unsorted: dict[str, Waiting] = field(default_factory=dict)
    _unsorted_stages: set[int] = field(default_factory=lambda: {UNSORTED_STAGE})
    _history: dict[int, Versions[Lead]] = field(default_factory=dict)
    _tasks: dict[int, Versions[Task | None]] = field(default_factory=dict)
    _notes: dict[int, Versions[Note]] = field(default_factory=dict)
    _moves: Versions[StageChange] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(10_000_001))

    # --- what a test sets up --------------------------------------------------------------------------------

    def add_user(
        self,
        user_id: int | None = None,
        *,
        name: str = "Менеджер",
        email: str | None = None,
        is_active: bool = True,
        is_admin: bool = False,
        may_edit_leads: bool = True,
    ) -> User:
        user_id = user_id or next(self._ids)
        user = User(user_id, name, email or f"user{user_id}@firm.example", is_active, is_admin, may_edit_leads)
        self._users[user_id] = user
        return user

    def add_field(
        self,
        name: str,
        kind: str = "text",
        *,
        field_id: int | None = None,
        code: str = "",
        enums: Mapping[int, str] | None = None,
        is_writable: bool = True,
    ) -> int:
        """A custom field of leads; one that is not writable is refused in every write, as amoCRM may do with some
        types. Returns its id."""
        field_id = field_id or next(self._ids)
        self._fields[field_id] = FieldKind(name, kind, code, enums or {}, is_writable)
        return field_id

    def add_company(self, company_id: int | None = None) -> int:
        company_id = company_id or next(self._ids)
        self.companies.add(company_id)
        return company_id

    def add_lead(
        self,
        lead_id: int | None = None,
        *,
        pipeline_id: int = PIPELINE,
        status_id: int = FIRST_STAGE,
        responsible_user_id: int = 0,
        created_by: int = 0,
        created_at: datetime | None = None,
        source_id: int | None = None,
        tags: Iterable[str] = (),
        contacts: Iterable[int] = (),
        name: str = "",
        price: int = 0,
        company: int = 0,
        loss_reason_id: int | None = None,
        fields: Iterable[FieldValue] = (),
    ) -> Lead:
        """A lead; `contacts` must have been added before, the main one first."""
        created_at = created_at or self.clock.now()
        lead = Lead(
            id=lead_id or next(self._ids),
            pipeline_id=pipeline_id,
            status_id=status_id,
            responsible_user_id=responsible_user_id,
            created_by=created_by,
            created_at=created_at,
            updated_at=created_at,
            source_id=source_id,
            tags=tuple(tags),
            name=name,
            price=price,
            company=company,
            loss_reason_id=loss_reason_id,
            fields=tuple(fields),
        )
        self._history[lead.id] = [(created_at, lead)]
        self.companies |= {company} - {0}
        self._tie(lead.id, *contacts, at=created_at)
        return self.see(lead.id)

    def add_contact(
        self,
        contact_id: int | None = None,
        *,
        responsible_user_id: int = 0,
        created_at: datetime | None = None,
        name: str = "",
        phones: Iterable[str] = (),
        emails: Iterable[str] = (),
    ) -> Contact:
        contact = Contact(
            id=contact_id or next(self._ids),
            responsible_user_id=responsible_user_id,
            created_at=created_at or self.clock.now(),
            name=name,
            phones=tuple(phones),
            emails=tuple(emails),
            updated_at=created_at or self.clock.now(),
        )
        self._contacts[contact.id] = [(contact.created_at, contact)]
        return contact

    def add_unsorted(
        self,
        uid: str | None = None,
        *,
        lead_id: int | None = None,
        pipeline_id: int = PIPELINE,
        unsorted_status_id: int = UNSORTED_STAGE,
        category: str = "forms",
        service: str = "",
        source_name: str = "",
        source_uid: str = "",
        contacts: Iterable[int] = (),
    ) -> UnsortedItem:
        """An item of «Неразобранное» together with its lead, which nobody owns yet. Contacts that have no other lead
        are hidden as long as it lies there."""
        lead = MemoryAccount.add_lead(
            self, lead_id, pipeline_id=pipeline_id, status_id=unsorted_status_id, contacts=contacts
        )
        self._unsorted_stages.add(unsorted_status_id)
        uid = uid or f"{next(self._ids):040x}"
        item = UnsortedItem(uid, lead.id, pipeline_id, category, service, source_name, source_uid)
        self._unsorted[uid] = Waiting(item, self.clock.now())
        return item

    def add_task(
        self,
        lead_id: int,
        responsible_user_id: int,
        text: str,
        complete_till: datetime,
        task_type_id: int = 1,
        contact_id: int = 0,
        by: int = 0,
    ) -> Task:
        """On the lead, or on the contact where `lead_id` is 0."""
        task = Task(
            id=next(self._ids),
            lead_id=lead_id,
            responsible_user_id=responsible_user_id,
            text=text,
            created_at=self._whole_second(),
            complete_till=complete_till.replace(microsecond=0),
            task_type_id=task_type_id,
            contact_id=contact_id,
            updated_at=self._whole_second(),
            updated_by=by,
        )
        self._tasks[task.id] = [(self.clock.now(), task)]
        return task

    def add_note(
        self,
        lead_id: int,
        text: str,
        kind: str = "common",
        params: Mapping[str, Any] | None = None,
        by: int = 0,
        contact_id: int = 0,
    ) -> Note:
        """A note, on the contact where `lead_id` is 0; the `text` of `params`, where they are given, is its text."""
        params = {"text": text} if params is None else dict(params)
        shown = str(params.get("text") or "")
        note = Note(next(self._ids), lead_id, shown, self._whole_second(), kind, params, by, contact_id)
        self._notes[note.id] = [(self.clock.now(), note)]
        return note

    # --- what people do in amoCRM ---------------------------------------------------------------------------

    def human_accepts(self, uid: str, user_id: int, status_id: int = FIRST_STAGE) -> None:
        """A manager takes an item of «Неразобранное» in the UI."""
        self._take(uid, user_id, status_id, by=user_id)

    def human_declines(self, uid: str) -> None:
        """A manager declines an item: its lead and its hidden contact go to the recycle bin."""
        self.delete_lead(self._still_waiting(uid).item.lead_id)

    def human_reassigns(self, lead_id: int, user_id: int) -> None:
        self._change(lead_id, responsible_user_id=user_id)

    def human_moves(
        self,
        lead_id: int,
        status_id: int,
        pipeline_id: int | None = None,
        *,
        by: int | None = None,
        loss_reason_id: int | None = None,
    ) -> None:
        """A person (the lead's owner unless named) drags the card to another stage, possibly of another pipeline.
        Out of «Неразобранное» he takes it for himself."""
        lead = self.see(lead_id)
        by = lead.responsible_user_id if by is None else by
        values: dict[str, Any] = {"pipeline_id": pipeline_id or lead.pipeline_id, "status_id": status_id}
        if loss_reason_id is not None:
            values["loss_reason_id"] = loss_reason_id
        if self._end_waiting(lead_id):
            values["responsible_user_id"] = by
        self._change(lead_id, by=by, **values)

    def human_sets_field(
        self, lead_id: int, field_id: int, value: object = None, *, enum_id: int | None = None
    ) -> None:
        """A person fills in a custom field, a list by its enum's id; with nothing he empties it."""
        lead = self.see(lead_id)
        others = tuple(each for each in lead.fields if each.field_id != field_id)
        if value is None and enum_id is None:
            self._change(lead_id, fields=others)
            return
        raw = {"value": value} if enum_id is None else {"enum_id": enum_id}
        known = self._fields.get(field_id)
        filled = FieldValue(field_id, known.name if known else "", known.kind if known else "text", (raw,))
        self._change(lead_id, fields=(*others, self._stored(filled) or filled))

    def human_sets_price(self, lead_id: int, price: int) -> None:
        self._change(lead_id, price=price)

    def human_renames(self, lead_id: int, name: str) -> None:
        self._change(lead_id, name=name)

    def human_tags(self, lead_id: int, *tags: str) -> None:
        self._change(lead_id, tags=tuple(dict.fromkeys((*self.see(lead_id).tags, *tags))))

    def human_links(self, lead_id: int, contact_id: int) -> None:
        self._tie(lead_id, contact_id)

    def human_unlinks(self, lead_id: int, contact_id: int) -> None:
        self._untie(lead_id, contact_id)

    def human_edits_contact(self, contact_id: int, **values: Any) -> None:
        """Changes name, phones, emails or responsible_user_id of a contact."""
        contact = self.see_contact(contact_id)
        assert contact is not None, "somebody deleted it"
        self._contacts[contact_id].append((self.clock.now(), replace(contact, **values)))

    def human_completes(self, task_id: int, result: str = "", by: int = HUMAN) -> None:
        self._change_task(task_id, by, is_completed=True, result=result)

    def human_edits_task(self, task_id: int, by: int = HUMAN, **values: Any) -> None:
        self._change_task(task_id, by, **values)

    def human_deletes_task(self, task_id: int) -> None:
        self._tasks[task_id].append((self.clock.now(), None))

    def human_merges(self, *, winner: int, loser: int) -> None:
        """«Объединить»: the winner takes contacts, tags, fields, tasks and notes, the loser is gone."""
        kept, gone = self.see(winner), self.see(loser)
        filled = {each.field_id for each in kept.fields}
        self._tie(winner, *gone.contacts)
        self._change(
            winner,
            tags=tuple(dict.fromkeys((*kept.tags, *gone.tags))),
            fields=(*kept.fields, *(each for each in gone.fields if each.field_id not in filled)),
            company=kept.company or gone.company,
        )
        for task in self.tasks_of(loser):
            self._change_task(task.id, lead_id=winner)
        for note in self.notes_of(loser):
            self._notes[note.id].append((self.clock.now(), replace(note, lead_id=winner)))
        self.delete_lead(loser)

    def delete_lead(self, lead_id: int) -> None:
        """Into the recycle bin: every read by id misses it, every write to it is refused. A contact who was hidden in
        «Неразобранное» with it goes there too."""
        lead = self.see(lead_id)
        waiting = self._waiting_leads(self.clock.now())
        hidden = [
            contact for contact in map(self.see_contact, lead.contacts) if contact and is_hidden(contact, waiting)
        ]
        self._end_waiting(lead_id)
        for contact_id in lead.contacts:
            self._forget(contact_id, lead_id)
        self._change(lead_id, is_deleted=True)
        for contact in hidden:
            if contact.leads == (lead_id,):
                self.delete_contact(contact.id)

    def restore_lead(self, lead_id: int) -> None:
        """Out of the recycle bin."""
        self._change(lead_id, is_deleted=False)
        contacts = self.see(lead_id).contacts
        self._change(lead_id, contacts=())
        self._tie(lead_id, *contacts)

    def delete_contact(self, contact_id: int) -> None:
        contact = self.see_contact(contact_id)
        for lead_id in contact.leads if contact else ():
            self._untie(lead_id, contact_id)
        self._contacts[contact_id].append((self.clock.now(), None))

    def switch_off_user(self, user_id: int) -> None:
        self._users[user_id] = replace(self._users[user_id], is_active=False)

    def switch_on_user(self, user_id: int) -> None:
        self._users[user_id] = replace(self._users[user_id], is_active=True)

    # --- what a test looks at -------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[Task]:
        return [task for versions in self._tasks.values() if (task := versions[-1][1]) is not None]

    def tasks_by_id_now(self) -> dict[int, Task]:
        """All tasks that are not deleted, completed ones too."""
        return {task.id: task for task in self.tasks}

    @property
    def notes(self) -> list[Note]:
        return [versions[-1][1] for versions in self._notes.values()]

    def see(self, lead_id: int) -> Lead:
        """The lead as it is now, deleted or not."""
        return self._history[lead_id][-1][1]

    def see_all(self) -> list[Lead]:
        """All leads as they are now, deleted or not."""
        return [versions[-1][1] for versions in self._history.values()]

    def see_contact(self, contact_id: int) -> Contact | None:
        """The contact as it is now, hidden or not; None once it is deleted."""
        versions = self._contacts.get(contact_id)
        return versions[-1][1] if versions else None

    def owner(self, lead_id: int) -> int:
        return self.see(lead_id).responsible_user_id

    def place(self, lead_id: int) -> tuple[int, int]:
        """(pipeline id, status id)"""
        lead = self.see(lead_id)
        return lead.pipeline_id, lead.status_id

    def tasks_of(self, lead_id: int) -> list[Task]:
        return [task for task in self.tasks if task.lead_id == lead_id]

    def notes_of(self, lead_id: int) -> list[Note]:
        return [note for note in self.notes if note.lead_id == lead_id]

    # --- inside ---------------------------------------------------------------------------------------------

    def _exists(self, lead_id: int) -> bool:
        return lead_id in self._history and not self.see(lead_id).is_deleted

    def _listed_at(self) -> datetime:
        return self.clock.now() - self.list_lag

    def _listed(self, versions: Versions[ThingT]) -> ThingT | None:
        return next((thing for at, thing in reversed(versions) if at <= self._listed_at()), None)

    def _items_at(self, moment: datetime) -> list[UnsortedItem]:
        return [waiting.item for waiting in self._unsorted.values() if waiting.waits(moment)]

    def _waiting_leads(self, moment: datetime) -> set[int]:
        return {item.lead_id for item in self._items_at(moment)}

    def _still_waiting(self, uid: str) -> Waiting:
        waiting = self._unsorted[uid]
        assert waiting.until is None, "somebody was first"
        return waiting

    def _end_waiting(self, lead_id: int) -> bool:
        """Whether the lead lay in «Неразобранное» until now."""
        ended = [each for each in self._unsorted.values() if each.item.lead_id == lead_id and each.until is None]
        for waiting in ended:
            waiting.until = self.clock.now()
        return bool(ended)

    def _change(self, lead_id: int, *, by: int = 0, **values: Any) -> None:
        """A new version of the lead; a move goes into the history of stages, under its author. The loss reason goes
        with the stage, as in amoCRM."""
        now, before = self.clock.now(), self.see(lead_id)
        lead: Lead = replace(before, updated_at=now, **values)
        if lead.status_id != LOST:
            lead = replace(lead, loss_reason_id=None)
        self._history[lead_id].append((now, lead))
        places = (before.pipeline_id, before.status_id), (lead.pipeline_id, lead.status_id)
        if places[0] != places[1]:
            self._moves.append((now, StageChange(lead_id, *places, by, self._whole_second())))

    def _take(self, uid: str, user_id: int, status_id: int, *, by: int) -> None:
        waiting = self._still_waiting(uid)
        waiting.until = self.clock.now()
        self._change(waiting.item.lead_id, by=by, responsible_user_id=user_id, status_id=status_id)

    def _change_task(self, task_id: int, by: int = 0, **values: Any) -> None:
        versions = self._tasks[task_id]
        before = versions[-1][1]
        assert before is not None, "somebody deleted it"
        stamps = {"updated_at": self._whole_second(), "updated_by": by}
        versions.append((self.clock.now(), replace(before, **stamps, **values)))

    def _tie(self, lead_id: int, *contact_ids: int, at: datetime | None = None) -> None:
        """Hang contacts on a lead, behind those that hang there already."""
        at = at or self.clock.now()
        lead = self.see(lead_id)
        new = [each for each in dict.fromkeys(contact_ids) if each not in lead.contacts]
        if new:
            self._history[lead_id].append((at, replace(lead, contacts=(*lead.contacts, *new))))
        for contact_id in new:
            since, contact = self._contacts[contact_id][-1]
            assert contact is not None, "somebody deleted it"
            linked = replace(contact, leads=(*contact.leads, lead_id))
            self._contacts[contact_id].append((max(since, at), linked))

    def _untie(self, lead_id: int, contact_id: int) -> None:
        lead = self.see(lead_id)
        if contact_id in lead.contacts:
            left = tuple(each for each in lead.contacts if each != contact_id)
            self._history[lead_id].append((self.clock.now(), replace(lead, contacts=left)))
            self._forget(contact_id, lead_id)

    def _forget(self, contact_id: int, lead_id: int) -> None:
        contact = self.see_contact(contact_id)
        if contact is not None:
            left = tuple(each for each in contact.leads if each != lead_id)
            self._contacts[contact_id].append((self.clock.now(), replace(contact, leads=left)))

    def _stored(self, given: FieldValue) -> FieldValue | None:
        """The value as amoCRM shows it: name and type are the field's own, a list's text is the enum's. None for an
        enum that the field does not have."""
        known = self._fields.get(given.field_id)
        if known is None:
            return given
        values = tuple(shown for value in given.values if (shown := _shown(known, value)) is not None)
        complete = len(values) == len(given.values)
        return FieldValue(given.field_id, known.name, known.kind, values, known.code) if complete else None

    def _may_own(self, user_id: int) -> bool:
        return user_id in self._users and self._users[user_id].is_active

    def _misplaced(self, pipeline_id: int, status_id: int) -> str | None:
        """What amoCRM says against this place: unknown, or «Неразобранное»."""
        if self.stages is not None and pipeline_id not in {pipeline for pipeline, _ in self.stages}:
            return "pipeline_id"
        known = self.stages is None or status_id in (WON, LOST) or (pipeline_id, status_id) in self.stages
        return None if known and status_id not in self._unsorted_stages else "status_id"

    def _whole_second(self) -> datetime:
        return self.clock.now().replace(microsecond=0)


def is_hidden(contact: Contact, waiting: Collection[int]) -> bool:
    """Contacts of an item of «Неразобранное» do not show until it is accepted (amoCRM API: unsorted)."""
    return bool(contact.leads) and set(waiting).issuperset(contact.leads)


def _shown(known: FieldKind, value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if known.kind not in CHOICES:
        return dict(value)
    named = next((enum_id for enum_id, text in known.enums.items() if text == value.get("value")), 0)
    enum_id = value.get("enum_id") or named
    return {"value": known.enums[enum_id], "enum_id": enum_id} if enum_id in known.enums else None
