"""amoCRM in memory: the fake of the port `AmoCrm`, and a request budget that lives in one process.

`FakeAmoCrm` passes the same contract suite as the real adapter (tests/contract/test_amocrm_port.py), refusals
included: unknown or switched-off users, deleted leads, unknown places, loss reasons and fields, and «Неразобранное»
as a target stage are refused as amoCRM does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from functions.shared.clock import Clock
from functions.shared.crm import (
    LOST,
    Account,
    BatchResult,
    ClientTasks,
    Contact,
    FieldValue,
    Lead,
    LeadChange,
    Link,
    NewClientTask,
    NewLead,
    NewNote,
    NewTask,
    Note,
    OwnerChange,
    StageChange,
    Task,
    TaskChange,
    UnsortedItem,
    User,
)
from functions.shared.errors import AmoCrmRefused, AmoCrmUnavailable
from infra.local.amocrm_simulator.notes import REQUIRED_PARAMS, TYPES
from tests.amocrm_memory import FIRST_STAGE, PIPELINE, UNSORTED_STAGE, MemoryAccount, is_hidden

__all__ = ["FIRST_STAGE", "PIPELINE", "UNSORTED_STAGE", "FakeAmoCrm", "MemoryBudget"]

PAGE = 250


@dataclass
class _PlannedFailure:
    error: Exception
    on: str | None
    done: bool


@dataclass
class FakeAmoCrm(MemoryAccount):
    """The port in memory, on an account that tests set up and look into (MemoryAccount).

    `list_lag` makes whatever takes several ids, and the history of stages, show the world as it was so long ago, as
    amoCRM's lists may; `lead()`, `contact()` and `unsorted_item()` are always fresh. `calls` counts what was asked.
    """

    calls: Counter[str] = field(default_factory=Counter)
    _failures: list[_PlannedFailure] = field(default_factory=list)

    def fail_next(self, error: Exception, *, on: str | None = None, done: bool = False, times: int = 1) -> None:
        """Let the next `times` calls (of the method named `on`, or of any) raise `error`.

        `done=True` is the lost answer: the call does its work and then raises. Give `AmbiguousWrite` for that.
        """
        self._failures += [_PlannedFailure(error, on, done)] * times

    # --- people, leads, contacts ----------------------------------------------------------------------------

    def account(self) -> Account:
        with self._call("account"):
            return Account(12_345_678, "firm", self.token_user_id, self.timezone)

    def users(self) -> list[User]:
        with self._call("users"):
            return list(self._users.values())

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        with self._call("leads"):
            seen = {lead_id: self._listed(self._history.get(lead_id, [])) for lead_id in dict.fromkeys(ids)}
            return {lead_id: lead for lead_id, lead in seen.items() if lead and not lead.is_deleted}

    def lead(self, lead_id: int) -> Lead | None:
        with self._call("lead"):
            return self.see(lead_id) if self._exists(lead_id) else None

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        with self._call("open_leads_of"):
            counts = dict.fromkeys(user_ids, 0)
            for lead in self._listed_leads():
                if not lead.is_closed and lead.pipeline_id in pipeline_ids and lead.responsible_user_id in counts:
                    counts[lead.responsible_user_id] += 1
            return counts

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        with self._call("contacts"):
            listed = {contact.id: contact for contact in self._listed_contacts(dict.fromkeys(ids))}
            return {contact_id: listed[contact_id] for contact_id in dict.fromkeys(ids) if contact_id in listed}

    def contact(self, contact_id: int) -> Contact | None:
        with self._call("contact"):
            return self.see_contact(contact_id)

    def contacts_with(self, text: str) -> list[Contact]:
        with self._call("contacts_with"):
            found = [contact for contact in self._listed_contacts(self._contacts) if _has(contact, text.strip())]
            return sorted(found, key=lambda contact: contact.id)[:PAGE]

    # --- «Неразобранное» ------------------------------------------------------------------------------------

    def unsorted(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        with self._call("unsorted"):
            listed = {item.uid: item for item in self._items_at(self._listed_at())}
            return {uid: listed[uid] for uid in dict.fromkeys(uids) if uid in listed}

    def unsorted_item(self, uid: str) -> UnsortedItem | None:
        with self._call("unsorted_item"):
            waiting = self._unsorted.get(uid)
            return None if waiting is None or waiting.until else waiting.item

    def unsorted_of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]:
        with self._call("unsorted_of_pipeline"):
            return [item for item in self._items_at(self._listed_at()) if item.pipeline_id == pipeline_id]

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        with self._call("accept_unsorted"):
            if uid not in self._unsorted or self._unsorted[uid].until:
                return False
            if not self._may_own(user_id):
                raise _refusal("user_id")
            if self._misplaced(self._unsorted[uid].item.pipeline_id, status_id):
                raise _refusal("status_id")
            self._take(uid, user_id, status_id, by=self.token_user_id)
            return True

    # --- writes to leads ------------------------------------------------------------------------------------

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult:
        with self._call("change_owners"):
            outcome = _Outcome()
            for change in changes:
                if outcome.takes(change.lead_id, self._against_lead(change.lead_id, change.responsible_user_id)):
                    self._change(change.lead_id, responsible_user_id=change.responsible_user_id)
            return outcome.result()

    def change_leads(self, changes: Sequence[LeadChange]) -> BatchResult:
        with self._call("change_leads"):
            outcome = _Outcome()
            for change in changes:
                if outcome.takes(change.lead_id, self._against_lead(change.lead_id) or self._against_change(change)):
                    self._change(change.lead_id, by=self.token_user_id, **self._changed(change))
            return outcome.result()

    @overload
    def add_lead(self, lead_id: NewLead, /) -> int: ...
    @overload
    def add_lead(self, lead_id: int | None = None, **values: Any) -> Lead: ...
    def add_lead(self, lead_id: NewLead | int | None = None, **values: Any) -> Lead | int:
        """The port's creation of a NewLead, or a lead that a test sets up (MemoryAccount.add_lead)."""
        if not isinstance(lead_id, NewLead):
            return super().add_lead(lead_id, **values)
        with self._call("add_lead"):
            return self._created(lead_id)

    def copies_of(self, origin: tuple[int, str], pipeline_id: int | None, since: datetime) -> list[Lead]:
        with self._call("copies_of"):
            since = since.replace(microsecond=0)
            found = [lead for lead in self._listed_leads() if pipeline_id in (None, lead.pipeline_id)]
            copies = [lead for lead in found if lead.created_at >= since and _comes_from(lead, origin)]
            return sorted(copies, key=lambda lead: lead.id)

    def link(self, links: Sequence[Link]) -> None:
        with self._call("link"):
            wrong = [(link, self._against_link(link)) for link in links]
            for link, problem in wrong:
                if problem is None and link.kind == "contacts":
                    self._tie(link.lead_id, link.to_id)
                elif problem is None:
                    self._change(link.lead_id, company=link.to_id)
            problems = [problem for _, problem in wrong if problem]
            if problems:
                raise _refusal(*problems)

    def unlink(self, links: Sequence[Link]) -> None:
        with self._call("unlink"):
            for link in links:
                if link.lead_id in self._history and link.kind == "contacts":
                    self._untie(link.lead_id, link.to_id)
                elif link.lead_id in self._history and self.see(link.lead_id).company == link.to_id:
                    self._change(link.lead_id, company=0)

    def stage_changes(self, lead_id: int, since: datetime) -> list[StageChange]:
        with self._call("stage_changes"):
            since, until = since.replace(microsecond=0), self._listed_at()
            moves = [move for at, move in self._moves if at <= until and move.lead_id == lead_id]
            return [move for move in moves if move.at >= since]

    # --- tasks and notes ------------------------------------------------------------------------------------

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult:
        with self._call("add_tasks"):
            outcome = _Outcome()
            for new in tasks:
                if outcome.takes(new.lead_id, self._against_lead(new.lead_id, new.responsible_user_id)):
                    place = new.lead_id, new.responsible_user_id, new.text, new.complete_till, new.task_type_id
                    self.add_task(*place, by=self.token_user_id)
            return outcome.result()

    def change_tasks(self, changes: Sequence[TaskChange]) -> BatchResult:
        with self._call("change_tasks"):
            outcome = _Outcome()
            for change in changes:
                if outcome.takes(change.task_id, self._against_task_change(change)):
                    names = ("lead_id", "responsible_user_id", "text", "complete_till", "result")
                    given = {name: getattr(change, name) for name in names}
                    values = {key: value for key, value in given.items() if value is not None}
                    if change.result is not None:
                        values["is_completed"] = True
                    if change.lead_id is not None:
                        values["contact_id"] = 0
                    self._change_task(change.task_id, self.token_user_id, **values)
            return outcome.result()

    def add_client_tasks(self, tasks: Sequence[NewClientTask]) -> ClientTasks:
        with self._call("add_client_tasks"):
            made, refused = {}, {}
            for new in tasks:
                wrong = self._against_client_task(new)
                if wrong:
                    refused[new.client] = wrong
                    continue
                place = new.lead_id, new.responsible_user_id, new.text, new.complete_till, new.task_type_id
                contact_id = 0 if new.lead_id else new.client
                made[new.client] = self.add_task(*place, contact_id=contact_id, by=self.token_user_id).id
            return ClientTasks(made, refused)

    def client_tasks_since(self, clients: Collection[int], lead_ids: Collection[int], since: datetime) -> list[Task]:
        with self._call("client_tasks_since"):
            since = since.replace(microsecond=0)
            listed = filter(None, map(self._listed, self._tasks.values()))
            theirs = [task for task in listed if task.contact_id in clients or task.lead_id in lead_ids]
            return [task for task in theirs if task.created_at >= since and (task.contact_id or task.lead_id)]

    def tasks_by_id(self, ids: Collection[int]) -> dict[int, Task]:
        with self._call("tasks_by_id"):
            listed = filter(None, (self._listed(self._tasks[id_]) for id_ in ids if id_ in self._tasks))
            return {task.id: task for task in listed}

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        with self._call("tasks_since"):
            since = since.replace(microsecond=0)
            listed = filter(None, map(self._listed, self._tasks.values()))
            return [task for task in listed if task.lead_id in lead_ids and task.created_at >= since]

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult:
        with self._call("add_notes"):
            outcome = _Outcome()
            for new in notes:
                if outcome.takes(new.lead_id, self._against_lead(new.lead_id) or _against_note(new)):
                    self.add_note(new.lead_id, new.text, new.kind, new.params, by=self.token_user_id)
            return outcome.result()

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        with self._call("notes_since"):
            since = since.replace(microsecond=0)
            listed = filter(None, map(self._listed, self._notes.values()))
            return [note for note in listed if note.lead_id in lead_ids and note.created_at >= since]

    def add_contact_note(self, contact_id: int, text: str) -> bool:
        with self._call("add_contact_note"):
            if self.see_contact(contact_id) is None:
                return False
            self.add_note(0, text, by=self.token_user_id, contact_id=contact_id)
            return True

    def contact_notes_since(self, contact_id: int, since: datetime) -> list[Note]:
        with self._call("contact_notes_since"):
            since = since.replace(microsecond=0)
            listed = filter(None, map(self._listed, self._notes.values()))
            return [note for note in listed if note.contact_id == contact_id and note.created_at >= since]

    # --- inside ---------------------------------------------------------------------------------------------

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        """Raise the planned failure of this method: before its work, or after it if the failure is a lost answer."""
        self.calls[method] += 1
        planned = next((failure for failure in self._failures if failure.on in (None, method)), None)
        if planned is None:
            yield
            return
        self._failures.remove(planned)
        if planned.done:
            yield
        raise planned.error

    def _listed_leads(self) -> list[Lead]:
        listed = map(self._listed, self._history.values())
        return [lead for lead in listed if lead is not None and not lead.is_deleted]

    def _listed_contacts(self, ids: Iterable[int]) -> list[Contact]:
        waiting = self._waiting_leads(self._listed_at())
        seen = (self._listed(self._contacts.get(contact_id, [])) for contact_id in ids)
        return [contact for contact in seen if contact is not None and not is_hidden(contact, waiting)]

    def _against_lead(self, lead_id: int, user_id: int | None = None) -> str | None:
        if not self._exists(lead_id):
            return "the lead does not exist"
        return None if user_id is None or self._may_own(user_id) else "responsible_user_id: NotSupportedChoice"

    def _against_change(self, change: LeadChange) -> str | None:
        wrong = self._against_fields([*change.fields, *_emptied(change.clear_fields)])
        if change.place and self.see(change.lead_id).status_id in self._unsorted_stages:
            wrong = "status_id"  # only an accept takes a lead out of «Неразобранное»
        elif change.place:
            wrong = self._misplaced(*change.place) or wrong
        if not self._is_reason(change.loss_reason_id):
            wrong = "loss_reason_id"
        return f"{wrong}: NotSupportedChoice" if wrong else None

    def _is_reason(self, loss_reason_id: int | None) -> bool:
        return loss_reason_id is None or self.loss_reasons is None or loss_reason_id in self.loss_reasons

    def _against_fields(self, fields: Sequence[FieldValue]) -> str | None:
        for at, given in enumerate(fields):
            known = self._fields.get(given.field_id)
            if self._fields and (known is None or not known.is_writable):
                return f"custom_fields_values.{at}.field_id"
            if self._stored(given) is None:
                return f"custom_fields_values.{at}.values.0.enum_id"
        return None

    def _changed(self, change: LeadChange) -> dict[str, Any]:
        """The lead's attributes after the change, as far as it names them."""
        lead = self.see(change.lead_id)
        values: dict[str, Any] = {"tags": _tagged(lead.tags, change), "fields": self._filled(lead.fields, change)}
        if change.place:
            values["pipeline_id"], values["status_id"] = change.place
        if change.loss_reason_id is not None and values.get("status_id", lead.status_id) == LOST:
            values["loss_reason_id"] = change.loss_reason_id
        if change.price is not None:
            values["price"] = change.price
        return values

    def _filled(self, before: Sequence[FieldValue], change: LeadChange) -> tuple[FieldValue, ...]:
        written = {each.field_id: self._stored(each) or each for each in change.fields}
        gone = {*written, *change.clear_fields}
        return (*(each for each in before if each.field_id not in gone), *written.values())

    def _created(self, new: NewLead) -> int:
        field_id, address = new.origin
        others = [each for each in new.fields if each.field_id != field_id]
        fields = [*others, FieldValue(field_id, "", "url", ({"value": address},))]
        wrong = self._misplaced(new.pipeline_id, new.status_id) or self._against_fields(fields)
        if not self._may_own(new.responsible_user_id):
            wrong = "responsible_user_id"
        if any(self.see_contact(contact_id) is None for contact_id in new.contacts):
            wrong = "_embedded.contacts.0.id"
        if new.company and new.company not in self.companies:
            wrong = "_embedded.companies.0.id"
        if wrong:
            raise _refusal(wrong)
        made = super().add_lead(
            pipeline_id=new.pipeline_id,
            status_id=new.status_id,
            responsible_user_id=new.responsible_user_id,
            contacts=new.contacts,
            tags=new.tags,
            name=new.name,
            company=new.company,
            fields=[self._stored(each) or each for each in fields],
        )
        return made.id

    def _against_link(self, link: Link) -> str | None:
        if not self._exists(link.lead_id):
            return "entity_id"
        there = self.see_contact(link.to_id) if link.kind == "contacts" else link.to_id in self.companies
        return None if there else "to_entity_id"

    def _against_client_task(self, new: NewClientTask) -> str | None:
        if new.lead_id:
            return self._against_lead(new.lead_id, new.responsible_user_id)
        if self.see_contact(new.client) is None:
            return "entity_id: NotSupportedChoice"
        return None if self._may_own(new.responsible_user_id) else "responsible_user_id: NotSupportedChoice"

    def _against_task_change(self, change: TaskChange) -> str | None:
        if change.task_id not in self._tasks or self._tasks[change.task_id][-1][1] is None:
            return "the task does not exist"
        if change.lead_id is not None and not self._exists(change.lead_id):
            return "entity_id: NotSupportedChoice"
        user_id = change.responsible_user_id
        return None if user_id is None or self._may_own(user_id) else "responsible_user_id: NotSupportedChoice"


@dataclass
class _Outcome:
    """Collects a BatchResult: a lead counts as done only if nothing of it was refused."""

    done: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)

    def takes(self, thing_id: int, problem: str | None) -> bool:
        """Whether an item may be written; if not, `problem` is the reason."""
        if problem is None:
            self.done.add(thing_id)
        else:
            self.refused[thing_id] = problem
        return problem is None

    def result(self) -> BatchResult:
        return BatchResult(frozenset(self.done - self.refused.keys()), self.refused)


def _against_note(note: NewNote) -> str | None:
    if note.kind not in TYPES:
        return "note_type: NotSupportedChoice"
    params = {"text": note.text} if note.params is None else note.params
    missing = next((key for key in REQUIRED_PARAMS.get(note.kind, ()) if params.get(key) is None), None)
    return f"params.{missing}: FieldMissing" if missing else None


def _emptied(field_ids: Iterable[int]) -> list[FieldValue]:
    return [FieldValue(field_id, "", "", ()) for field_id in field_ids]


def _tagged(tags: Sequence[str], change: LeadChange) -> tuple[str, ...]:
    return tuple(tag for tag in dict.fromkeys((*tags, *change.add_tags)) if tag not in change.remove_tags)


def _comes_from(lead: Lead, origin: tuple[int, str]) -> bool:
    filled = lead.filled(origin[0])
    return filled is not None and [value.get("value") for value in filled.values] == [origin[1]]


def _has(contact: Contact, text: str) -> bool:
    """amoCRM's `query`: a part of anything filled in; digits are sought in the digits of phones too."""
    if any(text.casefold() in each.casefold() for each in (contact.name, *contact.phones, *contact.emails)):
        return bool(text)
    digits = "".join(filter(str.isdigit, text))
    if not digits or any(map(str.isalpha, text)):
        return False
    return any(digits in "".join(filter(str.isdigit, phone)) for phone in contact.phones)


def _refusal(*paths: str) -> AmoCrmRefused:
    problems = tuple((path, "NotSupportedChoice") for path in paths)
    words = "; ".join(f"{path}: NotSupportedChoice" for path in paths)
    return AmoCrmRefused(f"Request validation failed {words}", 400, problems)


@dataclass
class MemoryBudget:
    """A request budget of one process: even spacing, a breaker without half-open state, and a count of what it gave."""

    clock: Clock
    per_second: int = 6
    granted: list[datetime] = field(default_factory=list)
    breaker: str | None = None
    _free_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def expect(self, requests: int) -> None:
        """Nothing to lease from: one process owns everything."""

    def acquire(self) -> None:
        if self.breaker:
            raise AmoCrmUnavailable(f"the breaker is open: {self.breaker}", after=60)
        wait = (self._free_at - self.clock.now()).total_seconds()
        if wait > 0:
            self.clock.sleep(wait)
        self._free_at = self.clock.now() + timedelta(seconds=1.03 / self.per_second)
        self.granted.append(self.clock.now())

    def answered(self) -> None:
        self.breaker = None

    def slow_down(self, seconds: float) -> None:
        self._free_at = max(self._free_at, self.clock.now()) + timedelta(seconds=seconds)

    def open_breaker(self, reason: str) -> float:
        self.breaker = reason
        return 60.0
