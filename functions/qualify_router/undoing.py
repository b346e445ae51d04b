"""Undoing of merges, by a person's command: the duplicate is a lead of its own again, and stays apart from the other.

journal → tasks, contacts, tags, fields and price back → the duplicate to its place and owner → a note on both → mark.
Every step compares with what stands, so the same command again completes what a crash has left. Notes that were brought
over stay: amoCRM has no method that deletes one (amoCRM API: notes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from functions.qualify_router.giving_back import GivingBack
from functions.qualify_router.merge_scene import place_of
from functions.qualify_router.merge_texts import Words
from functions.qualify_router.merge_writing import Writing
from functions.qualify_router.merging import asks_to_merge
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.clock import Clock
from functions.shared.crm import LOST, Lead, LeadChange, NewNote, OwnerChange
from functions.shared.department import Department
from functions.shared.merge import STANDING, Merge, State
from functions.shared.ports import AmoCrm

AT_WORK = timedelta(minutes=2)
"""A merge that is pending may have a worker for so long since it was last taken up:
a function runs a minute, and its lease is not much longer."""


@dataclass(frozen=True)
class Undone:
    """How it ended: `refused` says why nothing was done, empty if it was; `left` what could not be restored."""

    merge: Merge
    refused: str = ""
    left: list[str] = field(default_factory=list)


class Undoing:
    """`base_url` is the account's, for the addresses of cards."""

    def __init__(self, *, amocrm: AmoCrm, merges: Merges, clock: Clock, base_url: str) -> None:
        self._amocrm = amocrm
        self._merges = merges
        self._clock = clock
        self._base_url = base_url
        self._writing = Writing(amocrm, clock)
        self._giving_back = GivingBack(amocrm, merges, self._writing)

    def undo(self, merge: Merge, department: Department) -> Undone:
        """Undo one merge; safe to call again after any error."""
        refused = self._obstacle(merge)
        if refused:
            return Undone(merge, refused)
        if not self._merges.begin_undo(merge, self._clock.now()):
            return Undone(merge, "it was gone on with, finished or undone in this very moment: look at the list again")
        survivor, duplicate = self._amocrm.lead(merge.survivor_id), self._amocrm.lead(merge.duplicate_id)
        left = self._giving_back.give_back(merge, survivor, duplicate)
        if duplicate is not None:
            left += self._reopen(merge, duplicate, department)
        self._tell(merge, [lead for lead in (survivor, duplicate) if lead], department)
        self._merges.finish_undo(merge)
        return Undone(merge, left=[*left, *self._earlier(merge)])

    def _obstacle(self, merge: Merge) -> str:
        if merge.state not in (State.PENDING, State.DONE, State.UNDOING):
            return f"there is nothing to undo: it is {merge.state.value}"
        if merge.state is State.PENDING and self._clock.now() - merge.touched < AT_WORK:
            return "it is being merged right now: try again in two minutes"
        not_over = (*STANDING, State.UNDOING)
        further = next((each for each in self._merges.of_lead(merge.survivor_id) if each.state in not_over), None)
        if further is not None:
            return f"lead {merge.survivor_id} was itself merged into {further.survivor_id}: undo that first"
        return ""

    def _earlier(self, merge: Merge) -> list[str]:
        """The merges of the same pair that stand though a person took the duplicate up again: what each has brought
        over goes with its own undoing."""
        pair = (each for each in self._merges.of_lead(merge.duplicate_id) if each.survivor_id == merge.survivor_id)
        return [
            f"their merge of {each.at:%Y-%m-%d %H:%M} UTC still stands: undo lead {merge.duplicate_id} once more"
            for each in pair
            if each.key != merge.key and each.state in STANDING
        ]

    def _reopen(self, merge: Merge, duplicate: Lead, department: Department) -> list[str]:
        """Back to the place and owner it had; a person who took it up again meanwhile knows better."""
        places = self._places(merge, duplicate, department)
        if duplicate.status_id != LOST:
            if place_of(duplicate) not in places:
                return [f"lead {duplicate.id} is not closed as a duplicate any more: it stays where it is"]
            return self._give_owner(merge, duplicate) if merge.state is State.UNDOING else []
        answer = department.answer_field
        clear = (answer,) if answer and duplicate.filled(answer) else ()
        refusals = []
        for place in places:
            refused = self._amocrm.change_leads([LeadChange(duplicate.id, place, clear_fields=clear)]).refused
            if not refused:
                return self._give_owner(merge, duplicate)
            refusals.append(refused[duplicate.id])
        return [f"lead {duplicate.id} stays closed: amoCRM refuses its place ({'; '.join(refusals)})"]

    def _places(self, merge: Merge, duplicate: Lead, department: Department) -> list[tuple[int, int]]:
        """Where it goes, the best first: where it was, but not to a stage that merges it again, else to the entry of
        that pipeline. The answer that asked for the merge is taken off."""
        pipeline_id, status_id = merge.place
        fields = tuple(each for each in duplicate.fields if each.field_id != department.answer_field)
        there = replace(duplicate, pipeline_id=pipeline_id, status_id=status_id, fields=fields)
        pipeline = department.pipeline(pipeline_id)
        places = [] if asks_to_merge(there, department) else [merge.place]
        return [*places, (pipeline_id, pipeline.entry_status_id)] if pipeline else places

    def _give_owner(self, merge: Merge, duplicate: Lead) -> list[str]:
        if duplicate.responsible_user_id == merge.owner or not merge.owner:
            return []
        refused = self._amocrm.change_owners([OwnerChange(duplicate.id, merge.owner)]).refused
        return [f"lead {lead_id} keeps its owner: amoCRM refuses the former one" for lead_id in refused]

    def _tell(self, merge: Merge, leads: Sequence[Lead], department: Department) -> None:
        words = Words(department, self._base_url)
        text = f"{words.undone_head(merge)}\n{words.say('restored', duplicate=merge.duplicate_id)}"
        standing = self._amocrm.notes_since([lead.id for lead in leads], merge.at) if leads else []
        self._writing.note([], [NewNote(lead.id, text) for lead in leads], standing)
