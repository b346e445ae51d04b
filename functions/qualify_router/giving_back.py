"""Takes from a lead what a merge has brought it, as far as nobody has changed it.

What another duplicate of the same lead has too stays, and is that one's from then on: whoever is undone last takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from functions.qualify_router.merge_plan import is_tagged
from functions.qualify_router.merge_writing import EPOCH, Writing
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.crm import Lead, LeadChange, Link, TaskChange
from functions.shared.merge import Added, Merge
from functions.shared.ports import AmoCrm


class GivingBack:
    def __init__(self, amocrm: AmoCrm, merges: Merges, writing: Writing) -> None:
        self._amocrm = amocrm
        self._merges = merges
        self._writing = writing

    def give_back(self, merge: Merge, survivor: Lead | None, duplicate: Lead | None) -> list[str]:
        """Undo the merge's effects on the survivor; safe to call again. Both are as just read, None: deleted. Returns
        what could not be given back, for people."""
        left = self._tasks(merge, duplicate)
        if survivor is None or duplicate is None:
            gone = merge.survivor_id if survivor is None else merge.duplicate_id
            return [*left, f"lead {gone} is deleted: tags, fields, price and contacts of {merge.survivor_id} stay"]
        ours = common(merge.added, survivor, _as_it_was(merge.added, duplicate))
        left += _changed(merge.added.without(ours), survivor)
        ours = self._bequeath(merge, ours, survivor)
        links = [Link(survivor.id, contact) for contact in ours.contacts]
        links += [Link(survivor.id, ours.company, "companies")] if ours.company else []
        left += [f"{link.kind} {link.to_id} stays linked: amoCRM refuses" for link in self._writing.unlink(links)]
        price = 0 if ours.price else None
        change = LeadChange(survivor.id, price=price, remove_tags=ours.tags, clear_fields=ours.fields)
        return [*left, *self._change(change)]

    def _bequeath(self, merge: Merge, ours: Added, survivor: Lead) -> Added:
        """Enter what other duplicates have too as theirs; returns the rest."""
        merges = [each for each in self._merges.into(merge.survivor_id) if each.duplicate_id != merge.duplicate_id]
        leads = self._amocrm.leads([each.duplicate_id for each in merges]) if merges else {}
        for heir in merges:
            theirs = common(ours, survivor, leads[heir.duplicate_id]) if heir.duplicate_id in leads else Added()
            if theirs != Added():
                self._merges.extend(replace(heir, added=heir.added.with_more(theirs)))
                ours = ours.without(theirs)
        return ours

    def _change(self, change: LeadChange) -> list[str]:
        if change == LeadChange(change.lead_id):
            return []
        refused, blocked = self._writing.fill([change])
        left = [f"field {field_id} keeps its value: amoCRM refuses" for field_id in refused.get(change.lead_id, ())]
        return [*left, *(f"tags and price stay: {reason}" for reason in blocked.values())]

    def _tasks(self, merge: Merge, duplicate: Lead | None) -> list[str]:
        """Open tasks go back to the duplicate and to the person they belonged to."""
        former = merge.added.tasks
        if not former:
            return []
        leads = [merge.survivor_id, merge.duplicate_id]
        found = {task.id: task for task in self._amocrm.tasks_since(leads, EPOCH) if task.id in former}
        left = [f"task {task_id} hangs elsewhere or is deleted" for task_id in former if task_id not in found]
        ours = [task for task in found.values() if task.lead_id == merge.survivor_id]
        left += [f"task {task.id} is completed and stays" for task in ours if task.is_completed]
        running = [task.id for task in ours if not task.is_completed]
        if duplicate is None:
            return [*left, *(f"task {task_id} stays: its lead is deleted" for task_id in running)]
        changes = [TaskChange(task_id, merge.duplicate_id, former[task_id] or None) for task_id in running]
        return [*left, *(f"task {task_id} stays: amoCRM refuses" for task_id in self._writing.move_tasks(changes))]


def common(added: Added, survivor: Lead, other: Lead) -> Added:
    """What of `added` stands on the survivor as the other lead has it. Pure."""
    return Added(
        contacts=tuple(each for each in added.contacts if each in survivor.contacts and each in other.contacts),
        company=added.company if added.company == survivor.company == other.company else 0,
        tags=tuple(each for each in added.tags if is_tagged(survivor, each) and is_tagged(other, each)),
        fields=tuple(each for each in added.fields if _same(survivor, other, each)),
        price=added.price and survivor.price == other.price,
    )


def _as_it_was(added: Added, duplicate: Lead) -> Lead:
    """Tags and links that a merge has brought are its own, even if the duplicate has lost them since."""
    return replace(duplicate, contacts=added.contacts, company=added.company, tags=added.tags)


def _same(one: Lead, other: Lead, field_id: int) -> bool:
    mine, theirs = one.filled(field_id), other.filled(field_id)
    return mine is not None and theirs is not None and list(mine.values) == list(theirs.values)


def _changed(added: Added, survivor: Lead) -> list[str]:
    """What the merge has brought and somebody has changed since, on either card."""
    fields: Sequence[int] = [each for each in added.fields if survivor.filled(each)]
    changed = [f"field {field_id} keeps its value: it has been changed since" for field_id in fields]
    return [*changed, "the price stays: it has been changed since"] if added.price and survivor.price else changed
