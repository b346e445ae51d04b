"""From a batch of messages to the clients they speak of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeGuard

from functions.shared import intake as shared
from functions.shared.department import Department
from functions.shared.errors import HookRejected
from functions.shared.facts import PURCHASE_COMPLETED, Fact
from functions.shared.hooks import HookEvent, Reason, as_id
from functions.shared.inbox import BusMessage, Envelope, Wake

_FAR = 32_503_680_000
"""The year 3000 in seconds: a number of more digits is no moment."""

SOURCE = "amocrm"
"""The name of amoCRM itself as a source of facts."""


@dataclass(frozen=True)
class Hint:
    """A client is to be looked at. `is_told`: because of what has just been written, so that it must be seen; else
    because his time has come. `card` is his card in aftercare, 0 where the messages do not say. `contact_at`: amoCRM
    told of his contact, which was changed then; if that is all, he is looked at only if it says something new."""

    client: int
    is_told: bool = False
    card: int = 0
    messages: frozenset[str] = frozenset()
    contact_at: datetime | None = None

    def merged(self, other: Hint) -> Hint:
        changes = [each for each in (self.contact_at, other.contact_at) if each is not None]
        return Hint(
            self.client,
            self.is_told or other.is_told,
            other.card or self.card,
            self.messages | other.messages,
            max(changes, default=None),
        )


@dataclass(frozen=True)
class TaskHint:
    """A person, or we, changed a task; `ended`: completed it or deleted it."""

    ended: bool = False
    messages: frozenset[str] = frozenset()

    def merged(self, other: TaskHint) -> TaskHint:
        return TaskHint(self.ended or other.ended, self.messages | other.messages)


@dataclass
class Intake(shared.Intake):
    """What a batch holds, by client; `facts` are new ones of amoCRM. `tasks` are those that amoCRM told of, by id:
    whose they are stands in the table."""

    hints: dict[int, Hint] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    tasks: dict[int, TaskHint] = field(default_factory=dict)
    cards: dict[int, frozenset[str]] = field(default_factory=dict)
    """Leads that were moved, with the messages that say so."""

    def add(self, hint: Hint) -> None:
        known = self.hints.get(hint.client)
        self.hints[hint.client] = known.merged(hint) if known else hint

    def add_task(self, task_id: int, hint: TaskHint) -> None:
        known = self.tasks.get(task_id)
        self.tasks[task_id] = known.merged(hint) if known else hint


def take_in(envelopes: Iterable[Envelope], department: Department, now: datetime) -> Intake:
    """Sort the messages of a batch."""
    envelopes = list(envelopes)
    intake = Intake()
    intake.sort(
        envelopes,
        department.subdomain,
        department.account_id or None,
        event=lambda event, envelope: _take_hook(intake, event, envelope),
        announcement=lambda message, envelope: _take_announcement(intake, message, envelope.message_id, now),
    )
    for envelope in envelopes:
        if isinstance(envelope.message, Wake):
            for client in envelope.message.clients:
                intake.add(Hint(client, is_told=True, messages=frozenset({envelope.message_id})))
    return intake


def _take_hook(intake: Intake, event: HookEvent, envelope: Envelope) -> None:
    """Contacts, tasks and moved cards; the rest of what amoCRM tells is others' business."""
    messages = frozenset({envelope.message_id})
    if event.id is None:
        intake.ignore(f"{event.entity}_without_id")
    elif event.entity == "contacts" and event.action in ("add", "update", "delete", "restore"):
        intake.add(Hint(event.id, messages=messages, contact_at=_changed_at(event) or envelope.sent_at))
    elif event.entity == "task" and event.action in ("update", "delete"):
        ended = event.action == "delete" or event.fields.get("status") == "1"
        intake.add_task(event.id, TaskHint(ended, messages))
    elif event.entity == "leads" and event.action == "status":
        intake.cards[event.id] = intake.cards.get(event.id, frozenset()) | messages
    else:
        intake.ignore(f"{event.entity}_{event.action}")


def _changed_at(event: HookEvent) -> datetime | None:
    """When the contact was changed, by its own word; of a deleted one nothing is said."""
    seconds = as_id(event.fields.get("updated_at") or event.fields.get("last_modified"))
    return datetime.fromtimestamp(seconds, UTC) if seconds and seconds < _FAR else None


def _take_announcement(intake: Intake, message: BusMessage, message_id: str, now: datetime) -> None:
    if message.detail_type != "SaleWon":
        return intake.ignore(message.detail_type)
    detail = message.detail
    client, lead_id, card = detail.get("client"), detail.get("lead_id"), detail.get("care_lead_id")
    if client == 0:
        return intake.ignore("sale_without_client")
    if not _is_id(client) or not _is_id(lead_id):
        raise HookRejected(Reason.BAD_BUS_EVENT, "SaleWon whose client or lead_id is no id")
    data = {"price": detail.get("price", 0), "lead_id": lead_id, "pipeline": detail.get("pipeline", "")}
    time = _moment(detail.get("occurred_at")) or message.time
    intake.facts.append(Fact(client, SOURCE, f"sale#{lead_id}", PURCHASE_COMPLETED, time, now, data=data))
    return intake.add(Hint(client, True, card if _is_id(card) else 0, frozenset({message_id})))


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
