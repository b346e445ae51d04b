"""From a batch of messages to the leads they speak of. Pure: a hook is a hint, its fields decide nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from functions.distribute.announcements import announced_closing, announced_hand_over
from functions.distribute.hints import Closing, Hint
from functions.shared import intake as shared
from functions.shared.assignment import ARRIVAL
from functions.shared.hooks import HookEvent, unsorted_lead_id, unsorted_uid, was_declined
from functions.shared.inbox import BusMessage, Envelope
from functions.shared.waiting import WaitingLead


@dataclass(frozen=True)
class Ours:
    """What of a message concerns us: hooks of this account, closings for one of the reasons in `refunds`."""

    subdomain: str
    account_id: int | None = None
    refunds: Collection[str] = ()


@dataclass
class Intake(shared.Intake):
    """What a batch holds, by lead id: `arrivals`, `hand_overs` to another team, `closings` that give turns back.
    `by_uid` are items whose hook named no lead."""

    arrivals: dict[int, Hint] = field(default_factory=dict)
    hand_overs: dict[int, Hint] = field(default_factory=dict)
    closings: dict[int, Closing] = field(default_factory=dict)
    by_uid: dict[str, Hint] = field(default_factory=dict)

    def add(self, hint: Hint) -> None:
        """Hints of one lead become one; of several hand-overs the latest counts."""
        hints = self.arrivals if hint.cause == ARRIVAL else self.hand_overs
        known = hints.get(hint.lead_id)
        hints[hint.lead_id] = known.merged(hint) if known else hint

    def close(self, closing: Closing) -> None:
        known = self.closings.get(closing.lead_id)
        self.closings[closing.lead_id] = known.merged(closing) if known else closing

    def look_around(self, due: Iterable[WaitingLead]) -> None:
        """Rows that are due; hand-overs first. What is handed over in this batch is not looked at as new too: the next
        tick finds the older claim superseded, or the lead back where it came from."""
        for row in sorted(due, key=lambda row: row.cause == ARRIVAL):
            if row.cause != ARRIVAL or row.lead_id not in self.hand_overs:
                self._look_at(row)

    def _look_at(self, row: WaitingLead) -> None:
        team = row.team if row.handed_over else ""
        hint = Hint(row.lead_id, row.arrived_at, row.uid, cause=row.cause, team=team, handed_over=row.handed_over)
        self.add(hint)


def take_in(envelopes: Iterable[Envelope], ours: Ours) -> Intake:
    """Sort the messages of a batch."""
    intake = Intake()
    intake.sort(
        envelopes,
        ours.subdomain,
        ours.account_id,
        event=lambda event, envelope: _take_event(intake, event, envelope),
        announcement=lambda message, envelope: _take_announcement(intake, message, envelope.message_id, ours),
    )
    return intake


def _take_announcement(intake: Intake, message: BusMessage, message_id: str, ours: Ours) -> None:
    """What the router tells the bus: believed, and yet the lead is read again."""
    match message.detail_type:
        case "LeadRouted":
            hint = announced_hand_over(message, message_id)
            intake.add(hint) if hint else intake.ignore("no_hand_over")
        case "LeadClosed":
            reason, closing = announced_closing(message, message_id)
            intake.close(closing) if reason in ours.refunds else intake.ignore("not_refunded")
        case other:
            intake.ignore(other)


def _take_event(intake: Intake, event: HookEvent, envelope: Envelope) -> None:
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
