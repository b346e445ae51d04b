"""After a write without an answer: does its effect stand in amoCRM? Pure.

amoCRM has no idempotency keys (amoCRM API: leads), so what was written is recognised by its content. amoCRM may add to
it (the text of a choice, the ids of tags), so what we sent is looked for in what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from functions.shared.adapters.amocrm import payloads
from functions.shared.crm import (
    FieldValue,
    Lead,
    LeadChange,
    Link,
    NewClientTask,
    NewNote,
    NewTask,
    Note,
    Task,
    TaskChange,
)

ItemT = TypeVar("ItemT")
ThingT = TypeVar("ThingT")


def matched(
    items: Sequence[ItemT], is_effect: Callable[[ItemT, ThingT], bool], found: Collection[ThingT]
) -> list[ItemT]:
    """The items whose effects were found, each of these used for one item only."""
    left = list(found)
    standing = []
    for item in items:
        at = next((at for at, thing in enumerate(left) if is_effect(item, thing)), None)
        if at is not None:
            del left[at]
            standing.append(item)
    return standing


def is_task(new: NewTask, task: Task) -> bool:
    """amoCRM keeps whole seconds."""
    mine = new.lead_id, new.text.strip(), new.responsible_user_id, int(new.complete_till.timestamp())
    return mine == (task.lead_id, task.text.strip(), task.responsible_user_id, int(task.complete_till.timestamp()))


def is_client_task(new: NewClientTask, task: Task) -> bool:
    """By place and text: whose it is, and until when, may be changed a second later by a person or a robot."""
    place = (new.lead_id, 0) if new.lead_id else (0, new.client)
    return (*place, new.text.strip()) == (task.lead_id, task.contact_id, task.text.strip())


def is_note(new: NewNote, note: Note) -> bool:
    return (new.lead_id, new.kind) == (note.lead_id, note.kind) and _holds(note.params, payloads.note_params(new))


def is_changed(change: LeadChange, lead: Lead) -> bool:
    tags = {_spelling(tag) for tag in lead.tags}
    return (
        change.place in (None, (lead.pipeline_id, lead.status_id))
        and change.loss_reason_id in (None, lead.loss_reason_id)
        and change.price in (None, lead.price)
        and tags.issuperset(map(_spelling, change.add_tags))
        and tags.isdisjoint(map(_spelling, change.remove_tags))
        and all(_is_filled(each, lead.filled(each.field_id)) for each in change.fields)
        and not any(lead.filled(field_id) for field_id in change.clear_fields)
    )


def is_task_changed(change: TaskChange, task: Task) -> bool:
    return (
        change.task_id == task.id
        and change.lead_id in (None, task.lead_id)
        and change.responsible_user_id in (None, task.responsible_user_id)
        and (change.text is None or change.text.strip() == task.text.strip())
        and (
            change.complete_till is None or int(change.complete_till.timestamp()) == int(task.complete_till.timestamp())
        )
        and (change.result is None or (task.is_completed and change.result.strip() == task.result.strip()))
    )


def is_linked(link: Link, lead: Lead | None) -> bool:
    if lead is None:
        return False
    return link.to_id in lead.contacts if link.kind == "contacts" else link.to_id == lead.company


def _is_filled(wanted: FieldValue, there: FieldValue | None) -> bool:
    written = payloads.field(wanted)["values"]
    shown = list(there.values) if there else []
    return len(shown) == len(written) and all(map(_holds, shown, written))


def _holds(there: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
    """Everything that was written is there; a number may have become a string."""
    return all(_same(value, there.get(key)) for key, value in written.items())


def _same(written: object, there: object) -> bool:
    if isinstance(written, Mapping):
        return isinstance(there, Mapping) and _holds(there, written)
    return written == there or str(written).strip() == str(there).strip()


def _spelling(tag: str) -> str:
    return tag.strip().casefold()
