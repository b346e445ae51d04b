"""What a lead gets from its duplicates. Pure.

Several duplicates of one lead are folded in the order of their orders: what one brings, the next finds there.
Everything is compared by value, so a repeated run plans only what is still missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from functions.qualify_router.merge_notes import copy_of, first_line
from functions.qualify_router.merge_texts import Words, bullets, in_parts
from functions.shared.crm import FieldValue, Lead, LeadChange, Link, NewNote, Note, Task, TaskChange
from functions.shared.department import Department
from functions.shared.merge import Added, Merge


@dataclass(frozen=True)
class Gain:
    """What the lead that goes on does not have and gets; `differing` are the fields of which it has another value,
    `other_price` and `other_company` likewise (0: nothing differs)."""

    contacts: tuple[int, ...] = ()
    company: int = 0
    tags: tuple[str, ...] = ()
    fields: tuple[FieldValue, ...] = ()
    price: int = 0
    differing: tuple[FieldValue, ...] = ()
    other_price: int = 0
    other_company: int = 0


@dataclass(frozen=True)
class Share:
    """One duplicate of the batch, with all that hangs on it, and what it brings. `answered` are the ids of the tasks
    that the merge itself answers."""

    merge: Merge
    lead: Lead
    gain: Gain
    notes: tuple[Note, ...] = ()
    tasks: tuple[Task, ...] = ()
    answered: frozenset[int] = frozenset()

    @property
    def open_tasks(self) -> list[Task]:
        return [task for task in self.tasks if not task.is_completed and task.id not in self.answered]

    @property
    def added(self) -> Added:
        """What the journal keeps of it."""
        return Added(
            contacts=self.gain.contacts,
            company=self.gain.company,
            tags=self.gain.tags,
            fields=tuple(field.field_id for field in self.gain.fields),
            price=bool(self.gain.price),
            tasks={task.id: task.responsible_user_id for task in self.open_tasks},
        )


def gain(survivor: Lead, duplicate: Lead, department: Department) -> Gain:
    """The answer and the origin are not the client's and stay where they are."""
    ours = (department.answer_field, department.origin_field)
    theirs = [field for field in duplicate.fields if field.field_id not in ours]
    return Gain(
        contacts=tuple(contact for contact in duplicate.contacts if contact not in survivor.contacts),
        company=0 if survivor.company else duplicate.company,
        tags=tuple(tag for tag in duplicate.tags if not is_tagged(survivor, tag)),
        fields=tuple(field for field in theirs if not survivor.filled(field.field_id)),
        price=0 if survivor.price else duplicate.price,
        differing=tuple(field for field in theirs if not holds(survivor.filled(field.field_id), field)),
        other_price=duplicate.price if survivor.price and survivor.price != duplicate.price else 0,
        other_company=duplicate.company if survivor.company and survivor.company != duplicate.company else 0,
    )


def grown(survivor: Lead, gained: Gain) -> Lead:
    """The lead as it is with that."""
    return replace(
        survivor,
        contacts=(*survivor.contacts, *gained.contacts),
        company=survivor.company or gained.company,
        tags=(*survivor.tags, *gained.tags),
        fields=(*survivor.fields, *gained.fields),
        price=survivor.price or gained.price,
    )


def is_tagged(lead: Lead, tag: str) -> bool:
    """amoCRM shows a tag in the spelling in which the account has it."""
    return _spelling(tag) in map(_spelling, lead.tags)


def _spelling(tag: str) -> str:
    return tag.strip().casefold()


def holds(there: FieldValue | None, other: FieldValue) -> bool:
    """Whether nothing would be lost without the other value; an empty field has nothing to lose."""
    return there is None or all(value in there.values for value in other.values)


def changes(shares: Sequence[Share]) -> list[LeadChange]:
    """One change for each lead that goes on and gets anything."""
    by_survivor: dict[int, LeadChange] = {}
    for share in shares:
        lead_id, gained = share.merge.survivor_id, share.gain
        if gained.tags or gained.fields or gained.price:
            change = by_survivor.get(lead_id, LeadChange(lead_id))
            by_survivor[lead_id] = replace(
                change,
                add_tags=(*change.add_tags, *gained.tags),
                fields=(*change.fields, *gained.fields),
                price=change.price or gained.price or None,
            )
    return list(by_survivor.values())


def links(share: Share) -> list[Link]:
    lead_id, gained = share.merge.survivor_id, share.gain
    contacts = [Link(lead_id, contact) for contact in gained.contacts]
    return [*contacts, Link(lead_id, gained.company, "companies")] if gained.company else contacts


def copies(share: Share, words: Words) -> list[NewNote]:
    """All notes of the duplicate but the one of this merge itself."""
    head = words.duplicate_head(share.merge)
    theirs = [note for note in share.notes if first_line(note.text) != head]
    return [copy_of(note, share.merge.survivor_id, words) for note in theirs]


def summaries(
    share: Share, words: Words, refused_fields: Collection[int] = (), refused_links: Collection[Link] = ()
) -> list[NewNote]:
    """What the lead that goes on is told of the duplicate: which it was, and all of it that has no other place here."""
    duplicate, gained = share.lead, share.gain
    differing = [words.field(field) for field in gained.differing]
    if gained.other_price:
        differing.append(f"{words.say('price')}: {gained.other_price}")
    if gained.other_company:
        differing.append(f"{words.say('company')}: {words.company(gained.other_company)}")
    refused = [words.field(field) for field in gained.fields if field.field_id in refused_fields]
    done = [words.done_task(task) for task in share.tasks if task.is_completed]
    unlinked = [
        words.company(link.to_id) if link.kind == "companies" else words.say("contact", id=link.to_id)
        for link in links(share)
        if link in refused_links
    ]
    lines = [
        words.identity(share.merge, duplicate),
        *bullets(words.say("differing"), differing),
        *bullets(words.say("fields_refused"), refused),
        *([words.say("not_linked", what=", ".join(unlinked))] if unlinked else []),
        *bullets(words.say("done_tasks"), done),
    ]
    texts = in_parts(words.survivor_head(share.merge), lines, words.part)
    return [NewNote(share.merge.survivor_id, text) for text in texts]


def signpost(share: Share, words: Words, *, has_reason: bool) -> NewNote:
    """What the duplicate is told: where it went, and that its loss reason could not be set."""
    lines = [
        words.duplicate_head(share.merge),
        words.goes_on(share.merge),
        *([] if has_reason else [words.reason_lost()]),
    ]
    return NewNote(share.lead.id, "\n".join(lines))


def task_left(share: Share, task: Task, words: Words) -> NewNote:
    """What a task said that could not be brought over."""
    text = words.say("task_left", lead=share.lead.id, task=task.text, when=words.when(task.complete_till))
    return NewNote(share.merge.survivor_id, text)


def task_changes(share: Share, owner: int) -> list[TaskChange]:
    """Open tasks go to the lead that goes on and to its owner; nobody loses one where it has none."""
    return [TaskChange(task.id, share.merge.survivor_id, owner or None) for task in share.open_tasks]


def answers(share: Share, words: Words) -> list[TaskChange]:
    """Who was asked about the duplicate needs not answer any more."""
    return [TaskChange(task_id, result=words.answered(share.merge)) for task_id in sorted(share.answered)]


def fold(
    survivors: Mapping[int, Lead], duplicates: Sequence[tuple[Merge, Lead]], department: Department
) -> list[tuple[Merge, Lead, Gain]]:
    """What each duplicate brings, in order."""
    now = dict(survivors)
    folded = []
    for merge, duplicate in duplicates:
        gained = gain(now[merge.survivor_id], duplicate, department)
        now[merge.survivor_id] = grown(now[merge.survivor_id], gained)
        folded.append((merge, duplicate, gained))
    return folded
