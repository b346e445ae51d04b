"""From a batch of messages to the tasks, leads and clients they speak of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from functions.shared import intake as shared
from functions.shared.department import Department
from functions.shared.errors import HookRejected
from functions.shared.hooks import HookEvent, Reason, as_id
from functions.shared.inbox import BusMessage, Envelope

_FAR = 32_503_680_000
"""The year 3000 in seconds: a number of more digits is no moment."""

_ANNOUNCED = ("LeadAssigned", "LeadClosed", "LeadsMerged")
_LEAD_ACTIONS = ("add", "status", "responsible", "update", "delete", "restore")


@dataclass(frozen=True)
class TaskHint:
    """A task was set, changed or deleted. `changed_at` is when, by amoCRM's word: what lists show of before is old.
    `sent_at` is when the last message of it came. `kind` is the task's type, None where the messages do not agree:
    tasks of other types, of which there is one for each new lead, are not even read."""

    sent_at: datetime
    is_gone: bool = False
    changed_at: datetime | None = None
    kind: int | None = None
    messages: frozenset[str] = frozenset()

    def merged(self, other: TaskHint) -> TaskHint:
        changes = [each for each in (self.changed_at, other.changed_at) if each is not None]
        return TaskHint(
            max(self.sent_at, other.sent_at),
            self.is_gone or other.is_gone,
            max(changes, default=None),
            self.kind if self.kind == other.kind else None,
            self.messages | other.messages,
        )


@dataclass
class Intake(shared.Intake):
    """What a batch holds: tasks by id; leads and clients with the messages that speak of them."""

    tasks: dict[int, TaskHint] = field(default_factory=dict)
    leads: dict[int, frozenset[str]] = field(default_factory=dict)
    clients: dict[int, frozenset[str]] = field(default_factory=dict)


def take_in(envelopes: Iterable[Envelope], department: Department) -> Intake:
    """Sort the messages of a batch."""
    intake = Intake()
    intake.sort(
        envelopes,
        department.subdomain,
        department.account_id or None,
        event=lambda event, envelope: _take_hook(intake, event, envelope),
        announcement=lambda message, envelope: _take_announcement(intake, message, envelope.message_id),
    )
    return intake


def _take_hook(intake: Intake, event: HookEvent, envelope: Envelope) -> None:
    messages = frozenset({envelope.message_id})
    if event.id is None:
        intake.ignore(f"{event.entity}_without_id")
    elif event.entity == "task" and event.action in ("add", "update", "delete"):
        kind = as_id(event.fields.get("task_type") or event.fields.get("task_type_id"))
        hint = TaskHint(envelope.sent_at, event.action == "delete", _changed_at(event), kind, messages)
        known = intake.tasks.get(event.id)
        intake.tasks[event.id] = known.merged(hint) if known else hint
    elif event.entity == "leads" and event.action in _LEAD_ACTIONS:
        intake.leads[event.id] = intake.leads.get(event.id, frozenset()) | messages
    elif event.entity == "contacts" and event.action == "update":
        intake.clients[event.id] = intake.clients.get(event.id, frozenset()) | messages
    else:
        intake.ignore(f"{event.entity}_{event.action}")


def _take_announcement(intake: Intake, message: BusMessage, message_id: str) -> None:
    if message.detail_type not in _ANNOUNCED:
        return intake.ignore(message.detail_type)
    lead_id = message.detail.get("lead_id")
    if not isinstance(lead_id, int) or isinstance(lead_id, bool) or lead_id <= 0:
        raise HookRejected(Reason.BAD_BUS_EVENT, f"{message.detail_type} whose lead_id is no id")
    intake.leads[lead_id] = intake.leads.get(lead_id, frozenset()) | {message_id}
    return None


def _changed_at(event: HookEvent) -> datetime | None:
    seconds = as_id(event.fields.get("updated_at") or event.fields.get("last_modified"))
    return datetime.fromtimestamp(seconds, UTC) if seconds and seconds < _FAR else None
