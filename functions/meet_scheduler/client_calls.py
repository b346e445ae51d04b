"""From a task «Встреча» on a lead to the call that is wanted. Pure.

Two things on a card ask for a call: a task of the department's type (its deadline is the beginning), and, where the
department says so, a stage with a moment in a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from functions.meet_scheduler import client_zone, texts
from functions.shared.crm import LOST, Contact, FieldValue, Lead, Task, User
from functions.shared.department import Department
from functions.shared.identity import emails_in
from functions.shared.meeting_plan import ClientCalls
from functions.shared.meeting_state import MeetingState
from functions.shared.meetings import Attendee, Meeting


class Why(StrEnum):
    """Why there is to be a call, or none."""

    WANTED = "wanted"
    COMPLETED = "completed"
    DELETED = "deleted"
    OTHER_TYPE = "other_type"
    LEAD_LOST = "lead_lost"
    LEAD_GONE = "lead_gone"
    FIELD_EMPTY = "field_empty"
    NO_TIME = "no_time"
    PAST = "past"
    NO_HOST = "no_host"


class Invitation(StrEnum):
    """What becomes of the client's invitation."""

    SENT = "sent"
    NO_CLIENT = "no_client"
    NO_EMAIL = "no_email"
    BAD_EMAIL = "bad_email"


@dataclass(frozen=True)
class Card:
    """What amoCRM says now. `task` is None where it was deleted, and for a call that a stage asks for; `contact` is the
    main one. `people` are the account's active users by id; `robot` is the one whose token integrations hold."""

    key: str
    task: Task | None
    lead: Lead | None
    contact: Contact | None
    people: Mapping[int, User]
    url: str
    robot: int = 0
    is_of_stage: bool = False


@dataclass(frozen=True)
class Wanted:
    """`meeting` is None unless `why` is WANTED. `at` is when amoCRM says it begins, `changed_at` when somebody last
    touched what says so; `manager`, `owner` (the lead's) and `responsible` (the task's) are user ids. `client_email` is
    empty where nobody is invited, `client_zone` where nobody knows it."""

    why: Why
    meeting: Meeting | None = None
    at: datetime | None = None
    manager: int = 0
    owner: int = 0
    client: int = 0
    client_email: str = ""
    invitation: Invitation = Invitation.NO_CLIENT
    client_zone: str = ""
    changed_at: datetime | None = None
    responsible: int = 0


def task_key(subdomain: str, task_id: int) -> str:
    return f"{subdomain}:call:{task_id}"


def stage_key(subdomain: str, lead_id: int) -> str:
    return f"{subdomain}:stage:{lead_id}"


def wanted(card: Card, state: MeetingState, department: Department, calls: ClientCalls, now: datetime) -> Wanted:
    """What there is to be; `state` is what stands so far."""
    at, why = _asked(card, department, calls, now)
    lead, contact = card.lead, card.contact
    manager = _manager(card, state)
    owner = lead.responsible_user_id if lead else 0
    client = contact.id if contact else 0
    changed_at = lead.updated_at if lead and card.is_of_stage else card.task.updated_at if card.task else None
    if why is Why.WANTED and not manager:
        why = Why.NO_HOST
    if why is not Why.WANTED or at is None or lead is None:
        return Wanted(why, None, at, manager, owner, client, changed_at=changed_at, responsible=_responsible(card))
    address, invitation = _invited(contact)
    zone = client_zone.of(lead, calls.zone_field)
    host = card.people[manager]
    client_guest = (Attendee(address, contact.name if contact else ""),) if address else ()
    meeting = Meeting(
        key=card.key,
        title=texts.title(department, contact.name if contact else ""),
        start=at,
        minutes=_minutes(card.task, calls),
        zone=department.timezone,
        attendees=(Attendee(host.email, host.name), *client_guest),
        is_recorded=calls.is_recorded,
        description=texts.description(department, host.name),
        source=card.url,
    )
    zone_name = zone.key if zone else ""
    return Wanted(
        why, meeting, at, manager, owner, client, address, invitation, zone_name, changed_at, _responsible(card)
    )


def _asked(card: Card, department: Department, calls: ClientCalls, now: datetime) -> tuple[datetime | None, Why]:
    """When amoCRM wants the call, and whether it does."""
    if card.lead is None or card.lead.is_deleted:
        return None, Why.DELETED if not card.is_of_stage and card.task is None else Why.LEAD_GONE
    if card.is_of_stage:
        at, why = _asked_by_stage(card.lead, calls)
    else:
        at, why = _asked_by_task(card.task, department, calls)
    if why is Why.WANTED and card.lead.status_id == LOST:
        why = Why.LEAD_LOST
    if why is Why.WANTED and at is not None and at <= now:
        why = Why.PAST
    return at, why


def _asked_by_task(task: Task | None, department: Department, calls: ClientCalls) -> tuple[datetime | None, Why]:
    if task is None:
        return None, Why.DELETED
    if task.task_type_id != calls.task_type:
        return None, Why.OTHER_TYPE
    if task.is_completed:
        return task.complete_till, Why.COMPLETED
    if _is_whole_day(task, department):
        return None, Why.NO_TIME
    return task.complete_till, Why.WANTED


def _asked_by_stage(lead: Lead, calls: ClientCalls) -> tuple[datetime | None, Why]:
    assert calls.stage is not None, "only a department with such a stage has such cards"
    at = _moment(lead.filled(calls.stage.field))
    if at is None:
        return None, Why.FIELD_EMPTY
    return at, Why.WANTED if is_at_stage(lead, calls) or lead.status_id == LOST else Why.COMPLETED


def is_at_stage(lead: Lead, calls: ClientCalls) -> bool:
    """Whether the lead stands where the department wants a call."""
    return calls.stage is not None and (lead.pipeline_id, lead.status_id) == calls.stage.place


def _is_whole_day(task: Task, department: Department) -> bool:
    """amoCRM writes a task for the day, without a time, as one until 23:59 (amoCRM API: tasks)."""
    local = task.complete_till.astimezone(department.timezone)
    return (local.hour, local.minute) == (23, 59) and not task.duration


def _minutes(task: Task | None, calls: ClientCalls) -> int:
    return max(1, task.duration // 60) if task and task.duration else calls.minutes


def _moment(value: FieldValue | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value.values[0]["value"]), UTC) if value else None
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, OSError):
        return None


def _manager(card: Card, state: MeetingState) -> int:
    """Who talks to the client: whose task it is, or became since the last look; but if his lead has gone to somebody
    else meanwhile, while the task stayed with him who had both, then the new owner. 0: neither is a person we know."""
    owner, responsible = card.lead.responsible_user_id if card.lead else 0, _responsible(card)
    if state.manager in card.people and responsible == state.responsible:
        had_both = state.manager == state.owner
        candidates = (owner if had_both and owner != state.owner else state.manager, owner)
    else:
        candidates = (responsible, owner)
    return next((each for each in candidates if each in card.people), 0)


def _responsible(card: Card) -> int:
    """Whose task it is, 0 for nobody's: one of the robot on somebody else's lead was made by an integration, which
    chose nobody. On a lead that nobody owns yet it waits for the manager whom distribution chooses."""
    owner = card.lead.responsible_user_id if card.lead else 0
    responsible = card.task.responsible_user_id if card.task else owner
    return 0 if responsible == card.robot != owner else responsible


def _invited(contact: Contact | None) -> tuple[str, Invitation]:
    """The first usable address of the client."""
    if contact is None:
        return "", Invitation.NO_CLIENT
    addresses = [address for text in contact.emails for address in sorted(emails_in(text))]
    if addresses:
        return addresses[0], Invitation.SENT
    return "", Invitation.BAD_EMAIL if contact.emails else Invitation.NO_EMAIL
