"""Questions to an event of «Неразобранное». Its item has a uid, and a lead that exists from the start."""

from __future__ import annotations

from functions.shared.hooks.events import HookEvent, as_id

LEAD_ID_KEYS = (
    "lead_id",
    "accept_result[leads][0]",
    "decline_result[leads][0]",
    "data[leads][0][id]",
    "data[leads][id]",
)
"""Where the lead's id stands: in `add`, in the two kinds of `delete`, in `update` with and without an index."""


def unsorted_uid(event: HookEvent) -> str | None:
    """The uid of the item; a decline may come without one."""
    return event.fields.get("uid") or None


def unsorted_lead_id(event: HookEvent) -> int | None:
    """The lead behind the item. It keeps this id when the item is accepted."""
    return next((found for key in LEAD_ID_KEYS if (found := as_id(event.fields.get(key)))), None)


def was_accepted(event: HookEvent) -> bool:
    """The item is now a real lead; amoCRM sends this as `unsorted[delete]`."""
    return _ended(event) == "accept"


def was_declined(event: HookEvent) -> bool:
    """The item was refused, and its lead deleted with it."""
    return _ended(event) == "decline"


def _ended(event: HookEvent) -> str | None:
    return event.fields.get("action") if (event.entity, event.action) == ("unsorted", "delete") else None
