"""What a webhook body of amoCRM says: `read_hook` turns it into events, the rest asks an event a question."""

from functions.shared.hooks.events import HookEvent, as_id, read_hook
from functions.shared.hooks.unsorted import unsorted_lead_id, unsorted_uid, was_accepted, was_declined
from functions.shared.hooks.wire import MAX_BYTES, MAX_DEPTH, MAX_FIELDS, Reason

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_FIELDS",
    "HookEvent",
    "Reason",
    "as_id",
    "read_hook",
    "unsorted_lead_id",
    "unsorted_uid",
    "was_accepted",
    "was_declined",
]
