"""From a batch of messages to the leads they speak of. Pure: a hook is a hint, its fields decide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeGuard

from functions.qualify_router.routing import has_route
from functions.shared import intake as shared
from functions.shared.department import Department, Place
from functions.shared.errors import HookRejected
from functions.shared.hooks import HookEvent, Reason, as_id
from functions.shared.inbox import BusMessage, Envelope


@dataclass(frozen=True)
class Hint:
    """Something may have happened to a lead.

    `places` are where hooks say that it stands, each with the lead's `updated_at` that they show (None: they do not),
    `answers` the keys of what they show in «Итог квалификации». `must_read`: a timed route is due, or a hook did not
    say where the lead stands or what the answer is. `arrived`: distribute has just given it out; `twins` are then the
    leads that seem to be the same client's, None if nobody could look. `messages` are the ids of the messages that are
    done when the lead is.
    """

    lead_id: int
    places: Mapping[Place, datetime | None] = field(default_factory=dict)
    answers: frozenset[str] = frozenset()
    must_read: bool = False
    arrived: bool = False
    twins: tuple[int, ...] | None = ()
    messages: frozenset[str] = frozenset()

    @property
    def said_at(self) -> datetime | None:
        """The latest moment of which the hooks tell."""
        return max(filter(None, self.places.values()), default=None)

    def merged(self, other: Hint) -> Hint:
        places = {
            place: max(filter(None, (self.places.get(place), other.places.get(place))), default=None)
            for place in (*self.places, *other.places)
        }
        return replace(
            self,
            places=places,
            answers=self.answers | other.answers,
            must_read=self.must_read or other.must_read,
            arrived=self.arrived or other.arrived,
            twins=None if self.twins is None or other.twins is None else tuple({*self.twins, *other.twins}),
            messages=self.messages | other.messages,
        )


@dataclass
class Intake(shared.Intake):
    """What a batch holds, by lead id."""

    hints: dict[int, Hint] = field(default_factory=dict)

    def add(self, hint: Hint) -> None:
        known = self.hints.get(hint.lead_id)
        self.hints[hint.lead_id] = known.merged(hint) if known else hint


def take_in(envelopes: Iterable[Envelope], department: Department) -> Intake:
    """Sort the messages of a batch."""
    intake = Intake()
    intake.sort(
        envelopes,
        department.subdomain,
        department.account_id or None,
        event=lambda event, envelope: _take_event(intake, event, envelope.message_id, department),
        announcement=lambda message, envelope: _take_announcement(intake, message, envelope.message_id),
    )
    return intake


def _take_event(intake: Intake, event: HookEvent, message_id: str, department: Department) -> None:
    if event.entity != "leads" or not event.id:
        return intake.ignore(f"{event.entity}_{event.action}")
    ids = as_id(event.fields.get("pipeline_id")), as_id(event.fields.get("status_id"))
    place = department.place(*ids) if ids[0] and ids[1] else None  # type: ignore[arg-type]
    answer = _answer(event, department)
    wanted = {
        "status": True,
        "update": answer is not None,  # every write of ours comes back as one of these
        "add": place is not None and has_route(place, department),
    }.get(event.action, False)
    if not wanted:
        return intake.ignore(f"leads_{event.action}")
    hint = Hint(event.id, answers=frozenset({answer} if answer else ()), messages=frozenset({message_id}))
    if place is not None:
        intake.add(replace(hint, places={place: _moment(event)}, must_read=answer == ""))
    elif ids[0] and ids[1]:
        intake.ignore("unknown_place")  # a pipeline or a stage that the department does not know
    else:
        intake.add(replace(hint, must_read=True))
    return None


def _take_announcement(intake: Intake, message: BusMessage, message_id: str) -> None:
    if message.detail_type != "LeadAssigned":
        return intake.ignore(message.detail_type)
    lead_id, twins = message.detail.get("lead_id"), message.detail.get("twins")
    if not _is_id(lead_id) or not (twins is None or (isinstance(twins, list) and all(map(_is_id, twins)))):
        raise HookRejected(Reason.BAD_BUS_EVENT, "LeadAssigned without a lead_id, or with twins that are no ids")
    if twins == [] or message.detail.get("cause") != "arrival":
        return intake.ignore("LeadAssigned")
    known = None if twins is None else tuple(twins)
    return intake.add(Hint(lead_id, arrived=True, twins=known, messages=frozenset({message_id})))


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _answer(event: HookEvent, department: Department) -> str | None:
    """The key of what the hook shows in «Итог квалификации»: empty for what cannot be told, None if it is not among the
    filled fields."""
    wanted = str(department.answer_field)
    for key, value in event.fields.items():
        if key.startswith("custom_fields[") and key.endswith("[id]") and key.count("[") == 2 and value == wanted:
            chosen = as_id(event.fields.get(f"{key.removesuffix('[id]')}[values][0][enum]"))
            return next((answer for answer, enum_id in department.answers.items() if enum_id == chosen), "")
    return None


def _moment(event: HookEvent) -> datetime | None:
    seconds = as_id(event.fields.get("last_modified") or event.fields.get("updated_at"))
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None
