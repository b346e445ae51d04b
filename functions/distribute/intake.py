"""From a batch of messages to the leads they speak of. Pure: a hook is a hint, its fields decide nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from functions.shared.hooks import HookEvent, unsorted_lead_id, unsorted_uid, was_declined
from functions.shared.inbox import Envelope, Hook, Tick, is_foreign

FOREIGN_ACCOUNT = "foreign_account"
"""Reason for ignoring that deserves a look: whoever sends it knows our hook token."""


@dataclass(frozen=True)
class Hint:
    """Something may have happened to a lead. `uid` is its item of «Неразобранное» if it had one; `departed` when a hook
    says that it was declined or deleted, `arrived` when one says that it is there; `messages` are the ids of the
    messages that are done when the lead is."""

    lead_id: int
    arrived_at: datetime
    uid: str | None = None
    departed: bool = False
    arrived: bool = True
    messages: frozenset[str] = frozenset()

    def merged(self, other: Hint) -> Hint:
        return replace(
            self,
            arrived_at=min(self.arrived_at, other.arrived_at),
            uid=self.uid or other.uid,
            departed=self.departed or other.departed,
            arrived=self.arrived or other.arrived,
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


def take_in(envelopes: Iterable[Envelope], subdomain: str, account_id: int | None = None) -> Intake:
    """Sort the messages of a batch; `subdomain` and `account_id` are our account's, hooks of another are ignored."""
    intake = Intake()
    for envelope in envelopes:
        match envelope.message:
            case None:
                intake.rejected.append(envelope)
            case Hook(events):
                for event in events:
                    _take_event(intake, event, envelope, is_foreign(event, subdomain, account_id))
            case Tick():
                pass
            case other:
                intake.ignore(type(other).__name__)
    return intake


def _take_event(intake: Intake, event: HookEvent, envelope: Envelope, foreign: bool) -> None:
    if foreign:
        return intake.ignore(FOREIGN_ACCOUNT)
    arrival = Hint(0, envelope.sent_at, messages=frozenset({envelope.message_id}))
    match event.entity, event.action:
        case "unsorted", _:
            _take_unsorted(
                intake, event, replace(arrival, departed=was_declined(event), arrived=not was_declined(event))
            )
        case "leads", "add" | "restore" if event.id:
            intake.add(replace(arrival, lead_id=event.id))
        case "leads", "delete" if event.id:
            intake.add(replace(arrival, lead_id=event.id, departed=True, arrived=False))
        case _:
            # leads[update] above all: every write of ours comes back as one
            intake.ignore(f"{event.entity}_{event.action}")
    return None


def _take_unsorted(intake: Intake, event: HookEvent, hint: Hint) -> None:
    uid, lead_id = unsorted_uid(event), unsorted_lead_id(event)
    if lead_id:
        intake.add(replace(hint, lead_id=lead_id, uid=uid))
    elif uid:
        named = replace(hint, uid=uid)
        known = intake.by_uid.get(uid)
        intake.by_uid[uid] = known.merged(named) if known else named
    else:
        intake.ignore("unsorted_without_lead")
