"""amoCRM in memory: the fake of the port `AmoCrm`, and a request budget that lives in one process.

`FakeAmoCrm` passes the same contract suite as the real adapter (tests/contract/test_amocrm_port.py), refusals
included: unknown or switched-off users, deleted leads and «Неразобранное» as a target stage are refused as amoCRM does.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from functions.shared.clock import Clock
from functions.shared.crm import (
    Account,
    BatchResult,
    Contact,
    Lead,
    NewNote,
    NewTask,
    Note,
    OwnerChange,
    Task,
    UnsortedItem,
    User,
)
from functions.shared.errors import AmoCrmRefused, AmoCrmUnavailable

PIPELINE = 3_000_001
UNSORTED_STAGE, FIRST_STAGE = 4_000_001, 4_000_002
"""The pipeline and the stages that `FakeAmoCrm` uses where a test does not care."""


@dataclass
class _PlannedFailure:
    error: Exception
    on: str | None
    done: bool


ThingT = TypeVar("ThingT")

_Versions = list[tuple[datetime, ThingT]]
"""What a thing was from which moment on, oldest first."""


@dataclass
class _Waiting:
    """An item of «Неразобранное» and how long it lay there."""

    item: UnsortedItem
    since: datetime
    until: datetime | None = None

    def waits(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass
class FakeAmoCrm:
    """The port in memory; everything a test looks at is public.

    `list_lag` makes the lists of leads, contacts and «Неразобранное» show the world as it was so long ago, as
    amoCRM's may; `lead()` and `unsorted_item()` are always fresh.
    """

    clock: Clock
    list_lag: timedelta = timedelta(0)
    tasks: list[Task] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    token_user_id: int = 1
    timezone: str = "Europe/Moscow"
    _users: dict[int, User] = field(default_factory=dict)
    _contacts: dict[int, _Versions[Contact]] = field(default_factory=dict)
    _unsorted: dict[str, _Waiting] = field(default_factory=dict)
    _unsorted_stages: set[int] = field(default_factory=lambda: {UNSORTED_STAGE})
    _history: dict[int, _Versions[Lead]] = field(default_factory=dict)
    _failures: list[_PlannedFailure] = field(default_factory=list)
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
            contacts=tuple(contacts),
        )
        self._history[lead.id] = [(created_at, lead)]
        for contact_id in lead.contacts:
            at, contact = self._contacts[contact_id][-1]
            linked = replace(contact, leads=(*contact.leads, lead.id))
            self._contacts[contact_id].append((max(at, created_at), linked))
        return lead

    def add_contact(
        self, contact_id: int | None = None, *, responsible_user_id: int = 0, created_at: datetime | None = None
    ) -> Contact:
        contact = Contact(contact_id or next(self._ids), responsible_user_id, created_at or self.clock.now())
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
        """An item of «Неразобранное» together with its lead, which nobody owns yet."""
        lead = self.add_lead(lead_id, pipeline_id=pipeline_id, status_id=unsorted_status_id, contacts=contacts)
        self._unsorted_stages.add(unsorted_status_id)
        uid = uid or f"{next(self._ids):040x}"
        item = UnsortedItem(uid, lead.id, pipeline_id, category, service, source_name, source_uid)
        self._unsorted[uid] = _Waiting(item, self.clock.now())
        return item

    def fail_next(self, error: Exception, *, on: str | None = None, done: bool = False, times: int = 1) -> None:
        """Let the next `times` calls (of the method named `on`, or of any) raise `error`.

        `done=True` is the lost answer: the call does its work and then raises. Give `AmbiguousWrite` for that.
        """
        self._failures += [_PlannedFailure(error, on, done)] * times

    # --- what people do in amoCRM ---------------------------------------------------------------------------

    def human_accepts(self, uid: str, user_id: int, status_id: int = FIRST_STAGE) -> None:
        """A manager takes an item of «Неразобранное» in the UI."""
        self._take(uid, user_id, status_id)

    def human_declines(self, uid: str) -> None:
        """A manager declines an item: its lead goes to the recycle bin."""
        self.delete_lead(self._still_waiting(uid).item.lead_id)

    def human_reassigns(self, lead_id: int, user_id: int) -> None:
        self._change(lead_id, responsible_user_id=user_id)

    def human_moves(self, lead_id: int, status_id: int, pipeline_id: int | None = None) -> None:
        """A manager drags the card to another stage, possibly of another pipeline."""
        self._change(lead_id, status_id=status_id, pipeline_id=pipeline_id or self.see(lead_id).pipeline_id)

    def human_completes(self, task_id: int) -> None:
        self.tasks = [replace(task, is_completed=True) if task.id == task_id else task for task in self.tasks]

    def delete_lead(self, lead_id: int) -> None:
        """Into the recycle bin: every read by id misses it, every write to it is refused."""
        self._change(lead_id, is_deleted=True)
        for waiting in self._unsorted.values():
            if waiting.item.lead_id == lead_id and waiting.until is None:
                waiting.until = self.clock.now()

    def switch_off_user(self, user_id: int) -> None:
        self._users[user_id] = replace(self._users[user_id], is_active=False)

    # --- what a test looks at -------------------------------------------------------------------------------

    def see(self, lead_id: int) -> Lead:
        """The lead as it is now, deleted or not; neither fails nor lags."""
        return self._history[lead_id][-1][1]

    def owner(self, lead_id: int) -> int:
        return self.see(lead_id).responsible_user_id

    def tasks_of(self, lead_id: int) -> list[Task]:
        return [task for task in self.tasks if task.lead_id == lead_id]

    def notes_of(self, lead_id: int) -> list[Note]:
        return [note for note in self.notes if note.lead_id == lead_id]

    # --- the port -------------------------------------------------------------------------------------------

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
            for versions in self._history.values():
                lead = self._listed(versions)
                if lead is None or lead.is_deleted or lead.is_closed or lead.pipeline_id not in pipeline_ids:
                    continue
                if lead.responsible_user_id in counts:
                    counts[lead.responsible_user_id] += 1
            return counts

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

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        with self._call("contacts"):
            waiting = {item.lead_id for item in self._items_at(self._listed_at())}
            seen = {contact_id: self._listed(self._contacts.get(contact_id, [])) for contact_id in dict.fromkeys(ids)}
            return {
                contact_id: contact
                for contact_id, contact in seen.items()
                if contact is not None and not _is_hidden(contact, waiting)
            }

    def accept_unsorted(self, uid: str, user_id: int, status_id: int) -> bool:
        with self._call("accept_unsorted"):
            if uid not in self._unsorted or self._unsorted[uid].until:
                return False
            if not self._may_own(user_id):
                raise _refusal("user_id")
            if status_id in self._unsorted_stages:
                raise _refusal("status_id")
            self._take(uid, user_id, status_id)
            return True

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult:
        with self._call("change_owners"):
            outcome = _Outcome()
            for change in changes:
                if self._accepts(outcome, change.lead_id, change.responsible_user_id):
                    self._change(change.lead_id, responsible_user_id=change.responsible_user_id)
            return outcome.result()

    def add_tasks(self, tasks: Sequence[NewTask]) -> BatchResult:
        with self._call("add_tasks"):
            outcome = _Outcome()
            for new in tasks:
                if self._accepts(outcome, new.lead_id, new.responsible_user_id):
                    self.tasks.append(
                        Task(
                            id=next(self._ids),
                            lead_id=new.lead_id,
                            responsible_user_id=new.responsible_user_id,
                            text=new.text,
                            created_at=self._whole_second(),
                            complete_till=new.complete_till.replace(microsecond=0),
                            task_type_id=new.task_type_id,
                        )
                    )
            return outcome.result()

    def tasks_since(self, lead_ids: Collection[int], since: datetime) -> list[Task]:
        with self._call("tasks_since"):
            since = since.replace(microsecond=0)
            return [task for task in self.tasks if task.lead_id in lead_ids and task.created_at >= since]

    def add_notes(self, notes: Sequence[NewNote]) -> BatchResult:
        with self._call("add_notes"):
            outcome = _Outcome()
            for new in notes:
                if self._accepts(outcome, new.lead_id):
                    self.notes.append(Note(next(self._ids), new.lead_id, new.text, self._whole_second()))
            return outcome.result()

    def notes_since(self, lead_ids: Collection[int], since: datetime) -> list[Note]:
        with self._call("notes_since"):
            since = since.replace(microsecond=0)
            return [note for note in self.notes if note.lead_id in lead_ids and note.created_at >= since]

    # --- inside ---------------------------------------------------------------------------------------------

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        """Raise the planned failure of this method: before its work, or after it if the failure is a lost answer."""
        planned = next((failure for failure in self._failures if failure.on in (None, method)), None)
        if planned is None:
            yield
            return
        self._failures.remove(planned)
        if planned.done:
            yield
        raise planned.error

    def _exists(self, lead_id: int) -> bool:
        return lead_id in self._history and not self.see(lead_id).is_deleted

    def _listed_at(self) -> datetime:
        return self.clock.now() - self.list_lag

    def _listed(self, versions: _Versions[ThingT]) -> ThingT | None:
        seen = [thing for at, thing in versions if at <= self._listed_at()]
        return seen[-1] if seen else None

    def _items_at(self, moment: datetime) -> list[UnsortedItem]:
        return [waiting.item for waiting in self._unsorted.values() if waiting.waits(moment)]

    def _still_waiting(self, uid: str) -> _Waiting:
        waiting = self._unsorted[uid]
        assert waiting.until is None, "somebody was first"
        return waiting

    def _change(self, lead_id: int, **values: object) -> None:
        now = self.clock.now()
        changed = replace(self.see(lead_id), updated_at=now, **values)  # type: ignore[arg-type]
        self._history[lead_id].append((now, changed))

    def _take(self, uid: str, user_id: int, status_id: int) -> None:
        waiting = self._still_waiting(uid)
        waiting.until = self.clock.now()
        self._change(waiting.item.lead_id, responsible_user_id=user_id, status_id=status_id)

    def _may_own(self, user_id: int) -> bool:
        return user_id in self._users and self._users[user_id].is_active

    def _accepts(self, outcome: _Outcome, lead_id: int, user_id: int | None = None) -> bool:
        if not self._exists(lead_id):
            outcome.refuse(lead_id, "the lead does not exist")
        elif user_id is not None and not self._may_own(user_id):
            outcome.refuse(lead_id, "responsible_user_id: NotSupportedChoice")
        else:
            outcome.do(lead_id)
            return True
        return False

    def _whole_second(self) -> datetime:
        return self.clock.now().replace(microsecond=0)


@dataclass
class _Outcome:
    """Collects a BatchResult: a lead counts as done only if nothing of it was refused."""

    done: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)

    def do(self, lead_id: int) -> None:
        self.done.add(lead_id)

    def refuse(self, lead_id: int, reason: str) -> None:
        self.refused[lead_id] = reason

    def result(self) -> BatchResult:
        return BatchResult(frozenset(self.done - self.refused.keys()), self.refused)


def _is_hidden(contact: Contact, waiting: Collection[int]) -> bool:
    """Contacts of an item of «Неразобранное» do not show until it is accepted (amoCRM API: unsorted)."""
    return bool(contact.leads) and set(waiting).issuperset(contact.leads)


def _refusal(path: str) -> AmoCrmRefused:
    return AmoCrmRefused("Request validation failed", 400, ((path, "NotSupportedChoice"),))


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
