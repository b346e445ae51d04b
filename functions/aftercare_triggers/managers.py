"""Whose task it is: the client's own manager, as long as he can do it in time, else who is fairly next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from functions.aftercare_triggers.places import Place
from functions.shared import eligibility, fairness
from functions.shared.absence import Absence
from functions.shared.assignment import TeamLedger
from functions.shared.care import Client, Episode
from functions.shared.crm import User
from functions.shared.department import Department, Team
from functions.shared.eligibility import Rule

CHANNEL = "care"
"""The book of the team's ledger in which clients without a manager are given out."""

_GONE = frozenset({Rule.UNKNOWN_USER, Rule.SWITCHED_OFF, Rule.NO_RIGHTS})
"""Who does not come back by himself has no clients any more."""

_AWAY = frozenset({Rule.PAUSED, Rule.ABSENT})


@dataclass(frozen=True)
class Given:
    """It is `manager`'s; `is_own`: he is the client's, whom the client's row should name."""

    manager: int
    is_own: bool = False


@dataclass(frozen=True)
class Wait:
    until: datetime | None


@dataclass(frozen=True)
class FairlyNext:
    """Whoever is next gets it; `for_good`: he becomes the client's manager, else it is this one task."""

    for_good: bool


Choice = Given | Wait | FairlyNext


@dataclass(frozen=True)
class Staff:
    """The care team at one instant: who is kept from work by which rule, and what absences are known."""

    team: Team
    now: datetime
    hindered: Mapping[int, Rule]
    absences: Sequence[Absence]
    duty: int | None
    head: int | None

    @classmethod
    def of(
        cls, department: Department, team: Team, users: Collection[User], absences: Sequence[Absence], now: datetime
    ) -> Staff:
        by_id = {user.id: user for user in users}
        absent = {absence.user_id for absence in absences if absence.covers(now)}
        head = by_id.get(department.head or 0)
        return cls(
            team,
            now,
            eligibility.obstacles(team, by_id, absent, now),
            absences,
            eligibility.duty(team, by_id, absent),
            head.id if head is not None and head.is_active else None,
        )

    def belongs(self, user_id: int) -> bool:
        return self.team.member(user_id) is not None and self.hindered.get(user_id) not in _GONE

    def is_here(self, user_id: int) -> bool:
        """Neither away nor gone; whose shift it is not has the task waiting for him when it begins."""
        return self.belongs(user_id) and self.hindered.get(user_id) not in _AWAY

    def back_at(self, user_id: int) -> datetime | None:
        """When who is absent is back, absences that follow each other taken as one; None: nobody knows."""
        if self.hindered.get(user_id) is not Rule.ABSENT:
            return None
        back = self.now
        for absence in sorted((each for each in self.absences if each.user_id == user_id), key=lambda each: each.start):
            if absence.covers(back):
                back = absence.end
        return back

    def weights(self) -> dict[int, Fraction]:
        """Who can take a new client: those on shift, and when it is nobody's shift whoever is not away."""
        on_shift = {each.user_id: each.weight for each in self.team.members if each.user_id not in self.hindered}
        return on_shift or {each.user_id: each.weight for each in self.team.members if self.is_here(each.user_id)}


def choose(staff: Staff, place: Place, client: Client, episode: Episode, assign: str, until: datetime) -> Choice:
    """`assign` is what the rule says; `until` is the last moment to which a client's own manager is waited for.

    The owner of his card in aftercare comes first (who was found by the same ledger), then the contact's, then who his
    row names. Whoever stood in for an absent one once keeps that task.
    """
    if assign == "head" and staff.head is not None:
        return Given(staff.head)
    own = next((each for each in (*place.owners, client.manager) if staff.belongs(each)), 0)
    if own and staff.is_here(own):
        return Given(own, is_own=True)
    back = staff.back_at(own) if own else None
    if back is not None and back <= until:
        return Wait(back)
    if own and episode.manager and staff.is_here(episode.manager):
        return Given(episode.manager)
    if staff.weights():
        return FairlyNext(for_good=not own)
    nobody = staff.duty or staff.head
    return Given(nobody) if nobody else Wait(back)


def next_turn(ledger: TeamLedger, staff: Staff) -> tuple[TeamLedger, int]:
    """Who is fairly next, and the ledger with his turn spent. Raises ValueError where nobody can take anything."""
    weights = staff.weights()
    chosen = fairness.choose(ledger.books, CHANNEL, weights)
    return replace(ledger, books=fairness.give(ledger.books, CHANNEL, weights, chosen)), chosen
