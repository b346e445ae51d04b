"""The writes of merges, batched, each with what happens when amoCRM refuses a part of it.

amoCRM refuses by lead, not by field, link or note; so what it refuses is tried in smaller parts, and the rest of the
batch goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from functions.qualify_router.merge_notes import as_text, missing, missing_heads
from functions.shared.clock import Clock
from functions.shared.crm import LeadChange, Link, NewNote, Note, TaskChange
from functions.shared.errors import AmoCrmNotFound, AmoCrmRefused
from functions.shared.ports import AmoCrm

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Since ever."""

SETTLE = 6.0
"""Seconds after which amoCRM's lists show what was written: they lag by up to five (amoCRM API: lists)."""


class Writing:
    def __init__(self, amocrm: AmoCrm, clock: Clock) -> None:
        self._amocrm = amocrm
        self._clock = clock

    def link(self, links: Sequence[Link]) -> set[Link]:
        """Returns those that amoCRM refuses: somebody has deleted the contact, say."""
        return self._tie(self._amocrm.link, links)

    def unlink(self, links: Sequence[Link]) -> set[Link]:
        """Returns those that amoCRM refuses."""
        return self._tie(self._amocrm.unlink, links)

    def _tie(self, write: Callable[[Sequence[Link]], None], links: Sequence[Link]) -> set[Link]:
        if not links:
            return set()
        try:
            write(links)
        except (AmoCrmRefused, AmoCrmNotFound):
            if len(links) == 1:
                return set(links)
            return {refused for link in links for refused in self._tie(write, [link])}
        return set()

    def fill(self, changes: Sequence[LeadChange]) -> tuple[dict[int, set[int]], dict[int, str]]:
        """Write tags, prices and fields of leads. Returns the ids of refused fields by lead, and the leads that take
        nothing at all with amoCRM's reason."""
        refused = self._amocrm.change_leads(changes).refused if changes else {}
        fields: dict[int, set[int]] = {}
        blocked: dict[int, str] = {}
        for change in changes:
            if change.lead_id in refused:
                blocked |= self._change(replace(change, fields=(), clear_fields=()))
                fields[change.lead_id] = self._refused_fields(change)
        return fields, blocked

    def _refused_fields(self, change: LeadChange) -> set[int]:
        """Half by half, until it is clear which of the fields amoCRM does not take."""
        ids = [*(field.field_id for field in change.fields), *change.clear_fields]
        refused: set[int] = set()
        for part in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            if part:
                fields = tuple(field for field in change.fields if field.field_id in part)
                cleared = tuple(each for each in change.clear_fields if each in part)
                some = LeadChange(change.lead_id, fields=fields, clear_fields=cleared)
                if self._change(some):
                    refused |= set(part) if len(part) == 1 else self._refused_fields(some)
        return refused

    def _change(self, change: LeadChange) -> dict[int, str]:
        is_empty = change == LeadChange(change.lead_id)
        return {} if is_empty else self._amocrm.change_leads([change]).refused

    def note(self, copies: Sequence[NewNote], told: Sequence[NewNote], standing: Sequence[Note]) -> dict[int, str]:
        """Write the notes that do not stand yet: copies are known by all of their text, those that tell of the merge by
        their first line. Returns the leads to which something could not be written, with amoCRM's reason."""
        wanted = [*missing(copies, standing), *missing_heads(told, standing)]
        refused = self._amocrm.add_notes(wanted).refused if wanted else {}
        if not refused:
            return {}
        self._clock.sleep(SETTLE)
        there = self._amocrm.notes_since(refused, EPOCH)
        left = [as_text(note) for note in missing(copies, there) if note.lead_id in refused]
        left += [note for note in missing_heads(told, there) if note.lead_id in refused]
        return self._amocrm.add_notes(left).refused if left else {}

    def move_tasks(self, changes: Sequence[TaskChange]) -> set[int]:
        """Returns the ids of the tasks that could not be hung on the other lead."""
        refused = self._amocrm.change_tasks(changes).refused if changes else {}
        again = [replace(each, responsible_user_id=None) for each in changes if each.task_id in refused]
        return set(self._amocrm.change_tasks(again).refused) if again else set()

    def complete_tasks(self, changes: Sequence[TaskChange]) -> None:
        """What amoCRM does not let us complete stays open on its lead."""
        if changes:
            self._amocrm.change_tasks(changes)

    def close(self, changes: Sequence[LeadChange]) -> tuple[set[int], dict[int, str]]:
        """Close leads with a loss reason. Returns those closed without it because amoCRM does not have it, and those
        that stay open, with amoCRM's reason."""
        refused = self._amocrm.change_leads(changes).refused if changes else {}
        again = [replace(each, loss_reason_id=None) for each in changes if each.lead_id in refused]
        if not again:
            return set(), {}
        refused = self._amocrm.change_leads(again).refused
        return {each.lead_id for each in again} - refused.keys(), refused
