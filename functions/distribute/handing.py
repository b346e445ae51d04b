"""What a lead that came to another team is, once it was read again: a candidate, or nothing for us and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from functions.distribute.decision import Candidate
from functions.distribute.hints import Hint
from functions.distribute.triage import Desk, own_manager
from functions.shared.assignment import Assignment, HandOver, Mode, State, hop_of
from functions.shared.channels import channel_of
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.twins import Clients
from functions.shared.waiting import WaitingLead


def superseded(cause: str, decisions: Iterable[Assignment]) -> bool:
    """Whether a later cause of the same lead is decided: this one is history, however late it is told."""
    return any(hop_of(one.cause) > hop_of(cause) and not one.is_fallen for one in decisions)


def in_work(cause: str, decisions: Iterable[Assignment], now: datetime) -> Assignment | None:
    """The decision under another cause whose effects somebody may be at right now: first one, then the other."""
    return next((one for one in decisions if one.cause != cause and one.is_in_work(now)), None)


def moved_on(hint: Hint, lead: Lead, department: Department) -> str | None:
    """Why the lead is not handed over any more, or None if it still waits for an owner of that team.

    A team that is called otherwise by now is known by the pipeline; then whoever is in it keeps his leads.
    """
    if lead.is_closed:
        return "closed"
    pipeline = department.pipeline(lead.pipeline_id)
    if pipeline is None:
        return "moved_on"
    team, meant = department.team_of_pipeline(pipeline.role), department.team_named(hint.team)
    if meant is None:
        return "same_team" if team.member(lead.responsible_user_id) else None
    return None if team is meant else "moved_on"


@dataclass(frozen=True)
class Past:
    """What we know of a lead that is handed over. `given` says to whom we have given it before, as (team, user id), the
    latest first; `clients_of` which of them because it was his client's; `channel` is the one it came through, None if
    we never decided about it."""

    given: tuple[tuple[str, int], ...] = ()
    clients_of: frozenset[int] = frozenset()
    channel: str | None = None

    @property
    def owners(self) -> tuple[int, ...]:
        """Each once, who had it latest first."""
        return tuple(dict.fromkeys(owner for _, owner in self.given))


def past_of(decisions: Collection[Assignment]) -> Past:
    """`decisions` are all about one lead, in the order they were taken."""
    ours = [one for one in decisions if not one.is_fallen and one.state is not State.OVERTAKEN]
    own_clients = frozenset(one.owner for one in ours if one.mode is Mode.OWN_CLIENT)
    return Past(
        tuple((one.team, one.owner) for one in reversed(ours)),
        own_clients,
        next((one.channel for one in decisions), None),
    )


def not_ours(
    hint: Hint,
    handed: HandOver,
    lead: Lead,
    past: Past,
    department: Department,
    token_user: int,
    row: WaitingLead | None = None,
) -> str | None:
    """Why the lead is not given out, or None if it is; `row` is its place in the waiting room, if it has one. Where
    somebody who is in no team has got the lead since, a person chose him, and he keeps it."""
    responsible = lead.responsible_user_id
    if row and _keeps_its_claim(row, handed, lead, department, token_user):
        return None
    nobodys_choice = {*past.owners, 0, token_user, handed.previous_owner}
    in_a_team = any(team.member(responsible) for team in department.teams)
    taken = None if in_a_team or responsible in nobodys_choice else "taken_by_a_person"
    return moved_on(hint, lead, department) or taken


def _keeps_its_claim(row: WaitingLead, handed: HandOver, lead: Lead, department: Department, token_user: int) -> bool:
    """Whether a lead that waited still wants an owner, wherever in the department it was moved meanwhile: nobody has
    chosen one, and who has it is not of the team where it stands now."""
    pipeline = department.pipeline(lead.pipeline_id)
    if pipeline is None or lead.is_closed:
        return False
    responsible = lead.responsible_user_id
    unchosen = responsible in {0, token_user, row.seen_owner, handed.previous_owner}
    return unchosen and department.team_of_pipeline(pipeline.role).member(responsible) is None


def candidate(hint: Hint, handed: HandOver, lead: Lead, past: Past, clients: Clients, desk: Desk) -> Candidate:
    """The lead as the decision sees it: who of the team knows the client goes first, by what the router remembers and
    by what stands in amoCRM."""
    responsible = lead.responsible_user_id
    ours = (desk.team.name, responsible) in past.given or responsible in past.clients_of
    known = (responsible if ours else 0, handed.known_owner, own_manager(lead, clients, desk))
    return Candidate(
        lead_id=lead.id,
        channel=past.channel or channel_of(lead, None, desk.department.channel_rules),
        arrived_at=hint.arrived_at,
        cause=hint.cause,
        handed_over=handed,
        predecessors=past.owners,
        seen_owner=responsible,
        client=lead.contacts[0] if lead.contacts else None,
        own_managers=tuple(owner for owner in known if owner),
        manual_owner=responsible if not ours and _is_choice(handed, responsible, past, desk) else None,
    )


def _is_choice(handed: HandOver, responsible: int, past: Past, desk: Desk) -> bool:
    """Whether a person gave the lead to a member of the team on purpose.

    Who has had it all along was not chosen for this team if he is of both, or the user of our token: otherwise whoever
    qualifies could keep the best leads without spending a turn.
    """
    if desk.team.member(responsible) is None or responsible in past.owners:
        return False
    if responsible != handed.previous_owner:
        return True
    before = desk.department.team_of_pipeline(handed.from_place.partition(".")[0])
    return responsible != desk.token_user and before.member(responsible) is None
