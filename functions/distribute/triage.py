"""What a lead that arrived is, once it was read again: a candidate, or nothing for us and why. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from functions.distribute.decision import Candidate
from functions.distribute.hints import Hint
from functions.shared.channels import channel_of
from functions.shared.crm import Lead, UnsortedItem
from functions.shared.department import EXCHANGE, MAIN, Department, MergeMode, Team
from functions.shared.twins import Clients, Twin
from functions.shared.waiting import WaitingLead


def not_ours(hint: Hint, row: WaitingLead | None, lead: Lead, department: Department, token_user: int) -> str | None:
    """Why the lead is not distributed, or None if it is; `row` is its place in the waiting room, if it has one. What
    waits keeps its claim on an owner wherever in the department it is moved meanwhile."""
    pipeline = department.pipeline(lead.pipeline_id)
    if pipeline is None:
        return "unknown_pipeline"
    if row is None and pipeline.role not in department.distributes:
        return "pipeline_not_distributed"
    if lead.is_closed:
        return "closed"
    if department.team_of_pipeline(pipeline.role).member(lead.responsible_user_id):
        return None
    accepted = hint.uid is not None and not in_unsorted(lead, department)
    reassigned = row is not None and lead.responsible_user_id != row.seen_owner
    if (accepted or reassigned) and lead.responsible_user_id not in (0, token_user):
        return "taken_by_a_person"  # also if he is of another team: humans win
    return None


def in_unsorted(lead: Lead, department: Department) -> bool:
    """Whether the lead still sits in «Неразобранное», where only an accept gives it an owner."""
    pipeline = department.pipeline(lead.pipeline_id)
    return pipeline is not None and lead.status_id == pipeline.unsorted_status_id


def is_copy(lead: Lead, department: Department) -> bool:
    """Whether the lead was made from another card on purpose, so that being the same client's makes no duplicate."""
    return bool(department.origin_field and lead.filled(department.origin_field))


def running_twins(lead: Lead, clients: Clients, department: Department, given_out: Collection[int]) -> tuple[int, ...]:
    """The other leads of the client that somebody works on, or is about to: `given_out` are the leads of this run."""
    found = (twin.lead for twin in clients.twins[lead.id])
    return tuple(other.id for other in found if other.id in given_out or _is_running(other, department))


@dataclass(frozen=True)
class Desk:
    """The place the leads arrive at. `token_user` owns whatever the API creates: that is nobody's choice."""

    department: Department
    team: Team
    token_user: int


def candidate(
    hint: Hint, row: WaitingLead | None, lead: Lead, item: UnsortedItem | None, clients: Clients, desk: Desk
) -> Candidate:
    """The lead as the decision sees it. An item that was accepted while it waited is gone, but its channel is known."""
    channel = channel_of(lead, item, desk.department.channel_rules)
    responsible = lead.responsible_user_id
    chosen = desk.team.member(responsible) is not None and responsible != desk.token_user
    own = own_manager(lead, clients, desk)
    return Candidate(
        lead_id=lead.id,
        channel=row.channel if row and item is None else channel,
        arrived_at=hint.arrived_at,
        seen_owner=responsible,
        uid=item.uid if item else None,
        client=lead.contacts[0] if lead.contacts else None,
        twins=tuple(twin.lead.id for twin in _open_twins(lead, clients)),
        own_managers=(own,) if own else (),
        guest=_guest(lead, clients, desk),
        manual_owner=responsible if chosen else None,
        made_by_owner=lead.created_by == responsible,
    )


def own_manager(lead: Lead, clients: Clients, desk: Desk) -> int | None:
    """Who of the team works with this client: the owner of his latest open lead, else his contact's, unless that is
    the user of our token: the API makes him responsible where nobody else was named. Only the main contact is the
    client: an agent's manager is not his clients'."""
    for twin in _open_twins(lead, clients):
        owner = twin.lead.responsible_user_id
        if desk.department.pipeline(twin.lead.pipeline_id) and desk.team.member(owner):
            return owner
    client = clients.contacts.get(lead.contacts[0]) if lead.contacts else None
    owner = client.responsible_user_id if client else 0
    return owner if owner != desk.token_user and desk.team.member(owner) else None


def _guest(lead: Lead, clients: Clients, desk: Desk) -> int | None:
    """The colleague of another team who works on the client's running lead: the new one will be merged into it, so no
    turn of this team is spent on it."""
    if desk.department.merging.mode is not MergeMode.AUTO:
        return None
    colleagues = {member.user_id for team in desk.department.teams if team is not desk.team for member in team.members}
    running = (twin.lead for twin in _open_twins(lead, clients) if _is_running(twin.lead, desk.department))
    return next((other.responsible_user_id for other in running if other.responsible_user_id in colleagues), None)


def _open_twins(lead: Lead, clients: Clients) -> list[Twin]:
    """Other open leads that surely are the same client's, the latest change first."""
    return [twin for twin in clients.twins.get(lead.id, []) if twin.sure and not twin.lead.is_closed]


def _is_running(lead: Lead, department: Department) -> bool:
    """Whether somebody works on it towards a sale: a new request of the client can go on there."""
    pipeline = department.pipeline(lead.pipeline_id)
    role = pipeline.role if pipeline else None
    return role in (EXCHANGE, MAIN) and not lead.is_closed and not in_unsorted(lead, department)
