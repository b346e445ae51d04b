"""What a lead that arrived is, once it was read again: a candidate, or nothing for us and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from functions.distribute.decision import Candidate
from functions.distribute.intake import Hint
from functions.shared.channels import channel_of
from functions.shared.crm import Contact, Lead, UnsortedItem
from functions.shared.department import Department, Team
from functions.shared.waiting import WaitingLead


@dataclass(frozen=True)
class Clients:
    """The clients behind a batch: contacts by id, and their other leads by id."""

    contacts: Mapping[int, Contact]
    leads: Mapping[int, Lead]


def not_ours(hint: Hint, row: WaitingLead | None, lead: Lead, department: Department, token_user: int) -> str | None:
    """Why the lead is not distributed, or None if it is; `row` is its place in the waiting room, if it has one."""
    pipeline = department.pipeline(lead.pipeline_id)
    if pipeline is None:
        return "unknown_pipeline"
    if pipeline.role not in department.distributes:
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
    client = lead.contacts[0] if lead.contacts else None
    return Candidate(
        lead_id=lead.id,
        channel=row.channel if row and item is None else channel,
        arrived_at=hint.arrived_at,
        seen_owner=responsible,
        uid=item.uid if item else None,
        client=client,
        own_manager=_own_manager(lead, clients, desk),
        manual_owner=responsible if chosen else None,
        made_by_owner=lead.created_by == responsible,
    )


def _own_manager(lead: Lead, clients: Clients, desk: Desk) -> int | None:
    """Who of the team works with this client: the owner of his latest open lead, else his contact's, unless that is
    the user of our token: the API makes him responsible where nobody else was named."""
    contacts = [clients.contacts[contact] for contact in lead.contacts if contact in clients.contacts]
    for other in _latest_open(contacts, lead.id, clients.leads):
        if desk.department.pipeline(other.pipeline_id) and desk.team.member(other.responsible_user_id):
            return other.responsible_user_id
    for contact in contacts:
        owner = contact.responsible_user_id
        if owner != desk.token_user and desk.team.member(owner):
            return owner
    return None


def _latest_open(contacts: Iterable[Contact], lead_id: int, leads: Mapping[int, Lead]) -> list[Lead]:
    ids = {other for contact in contacts for other in contact.leads if other != lead_id}
    found = [leads[other] for other in ids if other in leads and not leads[other].is_closed]
    return sorted(found, key=lambda other: (other.updated_at, other.id), reverse=True)
