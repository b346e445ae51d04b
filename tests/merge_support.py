"""Merges in their surroundings: an account in memory with the article's department, and a journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from functions.qualify_router.merger import MergeOrder, Merger, MergeResult
from functions.qualify_router.undoing import Undoing, Undone
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.crm import LOST, FieldValue, Lead, Note, Task
from functions.shared.department import Department, MergeMode
from functions.shared.identity import Likeness
from functions.shared.merge import Merge
from tests.fakes import ManualClock, MemoryTelemetry
from tests.memory_table import MemoryTable
from tests.routing_support import ANNA, BASE_URL, DINA, answer, make_account, make_department, place

HOUR = timedelta(hours=1)


@dataclass
class Office:
    """An account, a journal, and whoever merges and undoes in it."""

    table: Any = field(default_factory=MemoryTable)
    clock: ManualClock = field(default_factory=ManualClock)
    department: Department = field(default_factory=make_department)
    amocrm: Any = None

    def __post_init__(self) -> None:
        if self.amocrm is None:
            self.amocrm = make_account(self.clock, self.department)
            for field_id in (50, 51):
                self.amocrm.add_field("Поле", field_id=field_id)
        self.telemetry = MemoryTelemetry()
        self.merges = Merges(self.table)
        tools = {"amocrm": self.amocrm, "merges": self.merges, "clock": self.clock, "base_url": BASE_URL}
        self.merger = Merger(**tools, telemetry=self.telemetry)
        self.undoing = Undoing(**tools)

    def rule(self, mode: MergeMode = MergeMode.AUTO, per_day: int = 50) -> None:
        self.department = replace(self.department, merging=replace(self.department.merging, mode=mode, per_day=per_day))

    def lead(self, where: str = "main.contact", owner: int = DINA, **values: Any) -> Lead:
        """A lead at a place, an hour old."""
        pipeline_id, status_id = self.department.ids(place(where))
        created_at = values.pop("created_at", self.clock.now() - HOUR)
        given = {"pipeline_id": pipeline_id, "status_id": status_id, "responsible_user_id": owner}
        return self.amocrm.add_lead(**given, created_at=created_at, **values)

    def duplicate(self, where: str = "exchange.in_conversation", owner: int = ANNA, **values: Any) -> Lead:
        return self.lead(where, owner, **values)

    def task(self, lead: Lead, owner: int = ANNA, text: str = "Позвонить") -> Task:
        return self.amocrm.add_task(lead.id, owner, text, self.clock.now() + HOUR)

    def done_task(self, lead: Lead, text: str, result: str) -> Task:
        task = self.task(lead, text=text)
        self.amocrm.human_completes(task.id, result)
        return task

    def order(self, duplicate: Lead, survivor: Lead, hop: int = 1, why: Likeness = Likeness.PHONE) -> MergeOrder:
        """As the router orders it, both leads as it has just read them."""
        see = self.amocrm.see
        return MergeOrder(see(duplicate.id), see(survivor.id), why, f"{duplicate.id}#{hop}")

    def merge(self, *pairs: tuple[Lead, Lead], hop: int = 1) -> MergeResult:
        return self.merge_orders([self.order(duplicate, survivor, hop) for duplicate, survivor in pairs])

    def merge_orders(self, orders: Sequence[MergeOrder]) -> MergeResult:
        return self.merger.merge(orders, self.department)

    def entry(self, duplicate: Lead) -> Merge:
        """The journal's latest row of a lead."""
        return self.merges.of_lead(duplicate.id)[0]

    def undo(self, duplicate: Lead) -> Undone:
        return self.undoing.undo(self.entry(duplicate), self.department)

    def see(self, lead: Lead) -> Lead:
        return self.amocrm.see(lead.id)

    def notes(self, lead: Lead) -> list[Note]:
        return self.amocrm.notes_of(lead.id)

    def texts(self, lead: Lead) -> str:
        """Everything that people read on the card, files and calls included."""
        return "\n".join(f"{note.text} {note.params}" for note in self.notes(lead))

    def is_closed_as_duplicate(self, lead: Lead) -> bool:
        now = self.see(lead)
        return (now.status_id, now.loss_reason_id) == (LOST, self.department.loss_reasons["duplicate"])


def text_field(field_id: int, value: str, name: str = "Поле") -> FieldValue:
    return FieldValue(field_id, name, "text", ({"value": value},))


def told(notes: Iterable[Note]) -> list[str]:
    """The first lines of notes that Conveyor wrote about a merge."""
    return [note.text.split("\n")[0] for note in notes if note.text.startswith("Conveyor")]


__all__ = ["ANNA", "BASE_URL", "DINA", "HOUR", "Office", "answer", "make_department", "place", "text_field", "told"]
