"""Deciding and storing: one transaction a chunk, decided anew when somebody else moved the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from functions.distribute import handing
from functions.distribute.decision import Candidate, Moment, Unassigned, decide
from functions.distribute.turns import TRIES, pause
from functions.distribute.waiting_room import next_check, reason
from functions.shared import eligibility
from functions.shared.absence import Absence
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import (
    DECISIONS_PER_TRANSACTION,
    AlreadyDecided,
    Assignments,
    LedgerMoved,
)
from functions.shared.assignment import ARRIVAL, Assignment, TeamLedger
from functions.shared.clock import Clock
from functions.shared.crm import User
from functions.shared.department import Department, Team
from functions.shared.errors import Contended
from functions.shared.limits import LEASE
from functions.shared.ports import AmoCrm
from functions.shared.waiting import WaitingLead

COUNT_AGAIN = timedelta(minutes=5)
"""Open leads are counted in amoCRM this often; between, every lead given is added."""


@dataclass
class Allotted:
    """`stored` decisions are ours to act on; `contested` are leads about which another worker decides."""

    stored: list[Assignment] = field(default_factory=list)
    waiting: list[WaitingLead] = field(default_factory=list)
    contested: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Situation:
    """What one team's decisions of this run rest on; `open_leads` counts in amoCRM when a cap needs it."""

    moment: Moment
    absences: list[Absence]
    open_leads: Callable[[], dict[int, int] | None]


class Allotment:
    """Gives candidates out. One object per run: it keeps the users and the count of open leads it has read."""

    def __init__(
        self, department: Department, amocrm: AmoCrm, assignments: Assignments, absences: Absences, clock: Clock
    ) -> None:
        self._department = department
        self._amocrm = amocrm
        self._assignments = assignments
        self._absences = absences
        self._clock = clock
        self._users: dict[int, User] | None = None

    def allot(self, team: Team, candidates: Sequence[Candidate]) -> Allotted:
        """Decide all candidates of a team, oldest first, and store what was decided."""
        situation = self._situation(team, candidates)
        result = Allotted()
        queue = sorted(candidates, key=lambda candidate: (candidate.arrived_at, candidate.lead_id))
        ledger = self._ledger(team, situation)
        while queue:
            chunk, queue = queue[:DECISIONS_PER_TRANSACTION], queue[DECISIONS_PER_TRANSACTION:]
            ledger = self._allot_chunk(team, chunk, situation, ledger, result)
        return result

    def _allot_chunk(
        self, team: Team, chunk: list[Candidate], situation: Situation, ledger: TeamLedger, result: Allotted
    ) -> TeamLedger:
        for attempt in range(TRIES):
            chunk = self._undisturbed(chunk, situation.moment.now, result)
            outcome = decide(ledger, team, chunk, situation.moment)
            try:
                ledger, stored = self._assignments.decide(ledger, outcome.ledger, outcome.assignments)
            except AlreadyDecided as others:
                result.contested |= others.lead_ids
                chunk = [candidate for candidate in chunk if candidate.lead_id not in others.lead_ids]
            except (LedgerMoved, Contended):
                pause(self._clock, attempt)
                ledger = self._ledger(team, situation)
            else:
                result.stored += stored
                result.waiting += [self._waiting(team, one, situation) for one in outcome.unassigned]
                return ledger
        raise Contended(f"the ledger of team {team.name} moved {TRIES} times in a row")

    def _undisturbed(self, chunk: list[Candidate], now: datetime, result: Allotted) -> list[Candidate]:
        """Without the leads that others decide about under another cause: the condition of a decision sees only its
        own. Read after the ledger, so that within one team nothing slips through."""
        causes = {candidate.lead_id: candidate.cause for candidate in chunk if candidate.cause != ARRIVAL}
        disturbed = {
            lead_id
            for lead_id, decisions in self._assignments.of_leads(causes).items()
            if handing.superseded(causes[lead_id], decisions) or handing.in_work(causes[lead_id], decisions, now)
        }
        result.contested |= disturbed
        return [candidate for candidate in chunk if candidate.lead_id not in disturbed]

    def _situation(self, team: Team, candidates: Sequence[Candidate]) -> Situation:
        now = self._clock.now()
        absences = self._absent_now(team, now)
        absent = {absence.user_id for absence in absences}
        users = self._read_users()
        moment = Moment(
            now=now,
            day=self._day(now),
            hindered=eligibility.obstacles(team, users, absent, now),
            duty=eligibility.duty(team, users, absent),
            department_version=self._department.version,
            lease_until=now + LEASE,
            guests=self._able({candidate.guest for candidate in candidates if candidate.guest}, team, now),
        )
        return Situation(moment, absences, self._open_leads(team))

    def _able(self, guests: Collection[int], host: Team, now: datetime) -> frozenset[int]:
        """Which of these people can work now in a team of theirs that is not the host."""
        able: set[int] = set()
        for team in self._department.teams if guests else ():
            theirs = {user_id for user_id in guests if team is not host and team.member(user_id)}
            if theirs:
                absent = {absence.user_id for absence in self._absent_now(team, now)}
                able |= theirs - eligibility.obstacles(team, self._read_users(), absent, now).keys()
        return frozenset(able)

    def _absent_now(self, team: Team, now: datetime) -> list[Absence]:
        return [absence for absence in self._absences.of_team(team.name) if absence.covers(now)]

    def _day(self, moment: datetime) -> str:
        return moment.astimezone(self._department.timezone).date().isoformat()

    def _ledger(self, team: Team, situation: Situation) -> TeamLedger:
        """The team's ledger, with open leads counted lately if a cap of the team needs them."""
        ledger = self._assignments.ledger(team.name)
        now, version = situation.moment.now, self._department.version
        fresh = ledger.counted_at is not None and now - ledger.counted_at < COUNT_AGAIN
        if fresh and ledger.counted_under == version:
            return ledger
        counts = situation.open_leads()
        return ledger.counted(counts, now, version) if counts is not None else ledger

    def _open_leads(self, team: Team) -> Callable[[], dict[int, int] | None]:
        """Counts the open leads of the team in amoCRM, once and only if asked; None where nobody has a cap on them."""
        members = [member.user_id for member in team.members]
        pipelines = [pipeline.id for pipeline in self._department.pipelines_of(team)]
        is_capped = any(member.max_open is not None for member in team.members)
        return cache(lambda: self._amocrm.open_leads_of(members, pipelines) if is_capped else None)

    def _waiting(self, team: Team, unassigned: Unassigned, situation: Situation) -> WaitingLead:
        candidate, moment = unassigned.candidate, situation.moment
        return WaitingLead(
            lead_id=candidate.lead_id,
            team=team.name,
            channel=candidate.channel,
            reason=reason(unassigned.refused),
            arrived_at=candidate.arrived_at,
            next_check=next_check(team, unassigned.refused, situation.absences, moment.now, self._department.timezone),
            uid=candidate.uid,
            seen_owner=candidate.seen_owner,
            cause=candidate.cause,
            handed_over=candidate.handed_over,
        )

    def _read_users(self) -> dict[int, User]:
        if self._users is None:
            self._users = {user.id: user for user in self._amocrm.users()}
        return self._users
