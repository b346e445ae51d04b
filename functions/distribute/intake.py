"""From a batch of messages to the leads they speak of. Pure: a hook is a hint, its fields decide nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from functions.shared.hooks import HookEvent, unsorted_lead_id, unsorted_uid, was_declined
from functions.shared.inbox import Envelope, Hook, Tick, is_foreign


@dataclass(frozen=True)
class Hint:
    """Something may have happened to a lead. `uid` is its item of «Неразобранное» if it had one; `departed` when a hook
    says that it was declined or deleted; `messages` are the ids of the messages that are done when the lead is."""

    lead_id: int
    arrived_at: datetime
    uid: str | None = None
    departed: bool = False
    messages: frozenset[str] = frozenset()

    def merged(self, other: Hint) -> Hint:
        return replace(
            self,
            arrived_at=min(self.arrived_at, other.arrived_at),
            uid=self.uid or other.uid,
            departed=self.departed or other.departed,
            messages=self.messages | other.messages,
        )


@dataclass
class Intake:
    """What a batch holds. `by_uid` are items whose hook named no lead; `ignored` counts what is not ours, by reason;
    `rejected` are the envelopes that can never work. Ticks name no lead: they only make the distributor look around."""

    hints: dict[int, Hint] = field(default_factory=dict)
    by_uid: dict[str, Hint] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    rejected: list[Envelope] = field(default_factory=list)

    def add(self, hint: Hint) -> None:
        known = self.hints.get(hint.lead_id)
        self.hints[hint.lead_id] = known.merged(hint) if known else hint

    def ignore(self, reason: str) -> None:
        self.ignored[reason] = self.ignored.get(reason, 0) + 1


def take_in(envelopes: Iterable[Envelope], subdomain: str) -> Intake:
    """Sort the messages of a batch; `subdomain` is our account's, hooks of another one are ignored."""
    intake = Intake()
    for envelope in envelopes:
        match envelope.message:
            case None:
                intake.rejected.append(envelope)
            case Hook(events):
                for event in events:
                    _take_event(intake, event, envelope, subdomain)
            case Tick():
                pass
            case other:
                intake.ignore(type(other).__name__)
    return intake


def _take_event(intake: Intake, event: HookEvent, envelope: Envelope, subdomain: str) -> None:
    if is_foreign(event, subdomain):
        return intake.ignore("foreign_account")
    arrival = Hint(0, envelope.sent_at, messages=frozenset({envelope.message_id}))
    match event.entity, event.action:
        case "unsorted", _:
            _take_unsorted(intake, event, replace(arrival, departed=was_declined(event)))
        case "leads", "add" | "restore" if event.id:
            intake.add(replace(arrival, lead_id=event.id))
        case "leads", "delete" if event.id:
            intake.add(replace(arrival, lead_id=event.id, departed=True))
        case _:
            # leads[update] above all: every write of ours comes back as one
            intake.ignore(f"{event.entity}_{event.action}")
    return None


def _take_unsorted(intake: Intake, event: HookEvent, hint: Hint) -> None:
    uid, lead_id = unsorted_uid(event), unsorted_lead_id(event)
    if lead_id:
        intake.add(replace(hint, lead_id=lead_id, uid=uid))
    elif uid:
        intake.by_uid[uid] = replace(hint, uid=uid)
    else:
        intake.ignore("unsorted_without_lead")
