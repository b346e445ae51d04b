"""The decision about a whole batch of leads against one ledger. Pure: same input, same decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from functions.shared import fairness
from functions.shared.assignment import ARRIVAL, Assignment, HandOver, Mode, Standing, TeamLedger
from functions.shared.department import Team
from functions.shared.eligibility import Rule, refusals


@dataclass(frozen=True)
class Candidate:
    """A lead that is to be given out. `client` is its main contact, `twins` other open leads that surely are his;
    `own_managers` who of the team works with him already, in the order of asking; `guest` the colleague of another
    team who does; `manual_owner` the member to whom a person gave the lead, `made_by_owner` if that person was he
    himself; `seen_owner` its responsible user as read; `handed_over` where it comes from, if it is not simply new, and
    `predecessors` to whom we gave it until then."""

    lead_id: int
    channel: str
    arrived_at: datetime
    seen_owner: int = 0
    uid: str | None = None
    client: int | None = None
    twins: tuple[int, ...] = ()
    own_managers: tuple[int, ...] = ()
    guest: int | None = None
    manual_owner: int | None = None
    made_by_owner: bool = False
    cause: str = ARRIVAL
    handed_over: HandOver | None = None
    predecessors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Moment:
    """What holds for the whole batch: `hindered` as found by eligibility.obstacles, `duty` the user id of the duty
    person if there is one who can work, `guests` the people of other teams who can work now, as far as the batch asks
    for them; `day` in the department's zone."""

    now: datetime
    day: str
    hindered: Mapping[int, Rule]
    duty: int | None
    department_version: int
    lease_until: datetime
    guests: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Unassigned:
    """A lead that nobody can take; `refused` names the rule for every member."""

    candidate: Candidate
    refused: Mapping[int, Rule]


@dataclass(frozen=True)
class Outcome:
    ledger: TeamLedger
    assignments: tuple[Assignment, ...]
    unassigned: tuple[Unassigned, ...]


def decide(ledger: TeamLedger, team: Team, candidates: Sequence[Candidate], moment: Moment) -> Outcome:
    """Give the candidates out one after the other, each against the ledger that the one before left.

    In this order: the member to whom a person gave it, the client's own manager if he can take a lead now (caps and
    channels do not bind there: it is no new client for him), his manager in another team, who is fairly next, the duty
    person, nobody. Two leads of one client in a batch go to one manager.
    """
    ledger = ledger.on_day(moment.day)
    of_client: dict[int, int] = {}
    of_lead: dict[int, int] = {}
    assignments: list[Assignment] = []
    unassigned: list[Unassigned] = []
    for candidate in candidates:
        just_given = (of_client.get(candidate.client or 0), *(of_lead.get(twin) for twin in candidate.twins))
        known = (*filter(None, just_given), *candidate.own_managers)
        choice = _choose(ledger, team, replace(candidate, own_managers=known), moment)
        if not choice.weights:
            unassigned.append(Unassigned(candidate, choice.refused))
            continue
        ledger, assignment = _assign(ledger, team.name, candidate, choice, moment)
        assignments.append(assignment)
        of_lead[candidate.lead_id] = assignment.owner
        if candidate.client:
            of_client[candidate.client] = assignment.owner
    return Outcome(ledger, tuple(assignments), tuple(unassigned))


@dataclass(frozen=True)
class _Choice:
    """The eligible set of one lead, by weight, and the rule that made it."""

    mode: Mode
    weights: Mapping[int, Fraction]
    refused: Mapping[int, Rule] = field(default_factory=dict)


def _choose(ledger: TeamLedger, team: Team, candidate: Candidate, moment: Moment) -> _Choice:
    if candidate.manual_owner:
        mode = Mode.SELF if candidate.made_by_owner else Mode.MANUAL
        return _Choice(mode, _alone(candidate.manual_owner))
    able = (own for own in candidate.own_managers if team.member(own) and own not in moment.hindered)
    own = next(able, candidate.guest if candidate.guest in moment.guests else None)
    if own:
        return _Choice(Mode.OWN_CLIENT, _alone(own))
    refused = refusals(team, moment.hindered, ledger, candidate.channel)
    eligible = {member.user_id: member.weight for member in team.members if member.user_id not in refused}
    if not eligible and moment.duty:
        return _Choice(Mode.DUTY, _alone(moment.duty), refused)
    return _Choice(Mode.FAIR, eligible, refused)


def _alone(user_id: int) -> dict[int, Fraction]:
    """A forced lead has its owner alone in the eligible set: claim 1, received 1, nobody's balance changes."""
    return {user_id: Fraction(1)}


def _assign(
    ledger: TeamLedger, team: str, candidate: Candidate, choice: _Choice, moment: Moment
) -> tuple[TeamLedger, Assignment]:
    books = ledger.books
    owner = fairness.choose(books, candidate.channel, choice.weights)
    total, channel = books.total, books.channel(candidate.channel)
    standings = tuple(
        Standing(user_id, total.get(user_id, 0), channel.get(user_id, 0), claim)
        for user_id, claim in fairness.claims(choice.weights).items()
    )
    assignment = Assignment(
        lead_id=candidate.lead_id,
        cause=candidate.cause,
        team=team,
        channel=candidate.channel,
        owner=owner,
        mode=choice.mode,
        considered=standings,
        excluded=_by_rule(choice.refused),
        seen_owner=candidate.seen_owner,
        decided_at=moment.now,
        arrived_at=candidate.arrived_at,
        department_version=moment.department_version,
        uid=candidate.uid,
        lease_until=moment.lease_until,
        handed_over=candidate.handed_over,
        predecessors=candidate.predecessors,
    )
    after = replace(
        ledger,
        books=fairness.give(books, candidate.channel, choice.weights, owner),
        given=_one_more(ledger.given, owner),
        open=ledger.open
        if candidate.seen_owner == owner
        else _one_more(ledger.open, owner),  # amoCRM counts him already
    )
    return after, assignment


def take_back(ledger: TeamLedger, assignment: Assignment, day: str) -> TeamLedger:
    """The ledger as if the lead had never come: the owner gets his 1 back and all claims of the lead are reversed.

    `day` is the day of the decision in the department's zone: today's count does not shrink for a lead of yesterday,
    nor the count of open leads for one that a later count has left out already.
    """
    books = fairness.take_back(ledger.books, assignment.channel, assignment.claims, assignment.owner)
    given, open_leads = ledger.given, ledger.open
    if ledger.day == day:
        given = _one_less(given, assignment.owner)
    if ledger.counted_at is None or assignment.decided_at >= ledger.counted_at:
        open_leads = _one_less(open_leads, assignment.owner)
    return replace(ledger, books=books, given=given, open=open_leads)


def _one_more(counts: Mapping[int, int], user_id: int) -> dict[int, int]:
    return {**counts, user_id: counts.get(user_id, 0) + 1}


def _one_less(counts: Mapping[int, int], user_id: int) -> dict[int, int]:
    return {**counts, user_id: max(0, counts.get(user_id, 0) - 1)}


def _by_rule(refused: Mapping[int, Rule]) -> dict[str, tuple[int, ...]]:
    rules = sorted({rule.value for rule in refused.values()})
    return {rule: tuple(user_id for user_id, found in refused.items() if found == rule) for rule in rules}
