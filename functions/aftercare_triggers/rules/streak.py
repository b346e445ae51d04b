"""streak: the client missed his last so many sessions. Pure.

`expected: cadence` knows no sessions and is `MissedRhythm` in cadence.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import Any

from functions.aftercare_triggers.rules.moments import dates_of
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.recency import FREEZES
from functions.aftercare_triggers.rules.selector import has
from functions.aftercare_triggers.rules.sessions import TOLD_BY, Bookings, Session, Timetable
from functions.shared.facts import PROFILE_UPDATED, SESSION_BOOKED, VISIT_ATTENDED

FROZEN = "frozen"
NEUTRAL = frozenset({"cancelled_by_club", FROZEN, "cancelled_in_time"})
"""What is passed over unless a rule lists something else; `cancelled_late` may be listed too."""

TIMETABLE = "timetable"


class Outcome(Enum):
    MISSED = "missed"
    ATTENDED = "attended"
    NEUTRAL = "neutral"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Streak:
    """Walking back from the newest session that has begun, `count` were missed before one that was attended.

    `expected` is bookings or timetable. A session of which nothing is said is missed `grace` after its end if
    `is_derived`; else it becomes neutral `unmarked_after` its end, and until then ends the walk, unless it is newer
    than every missed one: its mark is still to come. A cancellation that is not listed in `neutral` is a miss. With
    `where` only sessions count of which some fact has that data; but whoever came, came.

    The anchor is the first missed session of the run as it was when the stretch began: a run that grows backwards later
    (an unmarked session became neutral) is still the same stretch.
    """

    count: int
    expected: str = "bookings"
    is_derived: bool = False
    grace: timedelta = timedelta(hours=3)
    unmarked_after: timedelta = timedelta(days=14)
    neutral: frozenset[str] = NEUTRAL
    where: Mapping[str, Any] = field(default_factory=dict)

    judged_at_watermark = True

    @property
    def reads(self) -> frozenset[str]:
        told_by = (TOLD_BY - {SESSION_BOOKED}) | {PROFILE_UPDATED} if self.expected == TIMETABLE else TOLD_BY
        return told_by | FREEZES

    @property
    def woken_by(self) -> frozenset[str]:
        """A visit is not among them: it only ever ends a walk."""
        return self.reads - {VISIT_ATTENDED}

    @property
    def returns(self) -> frozenset[str]:
        return frozenset({VISIT_ATTENDED})

    def holds(self, person: Person, at: datetime) -> bool:
        return self._holds(person, at, at)

    def anchor(self, person: Person, at: datetime) -> str:
        began = self.since(person, at)
        return list(self._missed(person, began, began))[-1].id

    def since(self, person: Person, at: datetime) -> datetime:
        instants = self._instants(person, at)
        last = bisect_right(instants, at) - 1
        if last < 0:
            return at
        return person.once((self._key, instants[last]), lambda: self._began(person, instants[: last + 1]))

    def next_due(self, person: Person, at: datetime) -> datetime | None:
        """Plays what is known forward: sessions begin, end, and become missed or neutral."""
        to_come, until = self._sessions(person).to_come(at, self.count + 2)
        known = [*self._unreset(person, at), *to_come]
        if not self.is_derived:
            newest = max((each.place for each in known if each.said(at)), default=None)
            known = [each for each in known if newest is not None and each.place <= newest]
        instants = {moment for each in known for moment in (each.place, self._settled_at(each)) if moment > at}
        return next((moment for moment in sorted(instants) if self._holds(person, moment, at)), until)

    def numbers(self, person: Person, at: datetime) -> dict[str, str]:
        missed = list(self._missed(person, at, at))
        return {"count": str(len(missed)), "dates": dates_of(person, [session.start for session in missed])}

    def evidence(self, person: Person, at: datetime) -> list[str]:
        missed = list(self._missed(person, at, at))[::-1]
        return [fact.reference for session in missed for fact in session.known(at)]

    def _holds(self, person: Person, at: datetime, known: datetime) -> bool:
        return sum(1 for _ in islice(self._missed(person, at, known), self.count)) == self.count

    def _missed(self, person: Person, at: datetime, known: datetime) -> Iterator[Session]:
        """The run of missed sessions at `at` if nothing happens after `known`, the newest first."""
        has_missed = False
        for session in self._sessions(person).newest(at, known):
            outcome = self._outcome(session, person, at, known)
            if outcome is Outcome.ATTENDED or (outcome is Outcome.UNRESOLVED and has_missed):
                return
            if outcome is Outcome.MISSED:
                has_missed = True
                yield session

    def _outcome(self, session: Session, person: Person, at: datetime, known: datetime) -> Outcome:
        said = session.said(known)
        if said == "attended" and not session.is_booked:
            return Outcome.ATTENDED
        if FROZEN in self.neutral and person.freezes.at(session.start) is not None:
            return Outcome.NEUTRAL
        if said == "attended":
            return Outcome.ATTENDED
        if said in self.neutral or not self._counts(session, known):
            return Outcome.NEUTRAL
        if said:
            return Outcome.MISSED
        if at < self._settled_at(session):
            return Outcome.UNRESOLVED
        if not self.is_derived:
            return Outcome.NEUTRAL
        is_told = self._settled_at(session) <= person.watermark or at > known
        return Outcome.MISSED if is_told else Outcome.UNRESOLVED

    def _counts(self, session: Session, known: datetime) -> bool:
        return not self.where or any(has(fact.data, self.where) for fact in session.known(known))

    def _settled_at(self, session: Session) -> datetime:
        """When a session of which nothing is said stops being open."""
        return session.end + (self.grace if self.is_derived else self.unmarked_after)

    def _unreset(self, person: Person, at: datetime) -> Iterator[Session]:
        """Sessions until now that a walk can still come to: those since the client last came."""
        for session in self._sessions(person).newest(at, at):
            if self._outcome(session, person, at, at) is Outcome.ATTENDED:
                return
            yield session

    def _began(self, person: Person, instants: list[datetime]) -> datetime:
        began = instants[-1]
        for moment in reversed(instants):
            if not self._holds(person, moment, moment):
                break
            began = moment
        return began

    def _instants(self, person: Person, at: datetime) -> list[datetime]:
        """All moments until `at` and perhaps later at which the streak can have changed, sorted."""
        if self.expected == TIMETABLE:
            return self._moments(person, at)
        return person.once(self._key, lambda: self._moments(person, None))

    def _moments(self, person: Person, at: datetime | None) -> list[datetime]:
        moments = {fact.time for fact in person.facts if fact.type in self.reads}
        for session in self._sessions(person).history(at):
            moments |= {session.place, self._settled_at(session)}
        return sorted(moments)

    def _sessions(self, person: Person) -> Bookings | Timetable:
        return Timetable(person) if self.expected == TIMETABLE else Bookings(person)

    @cached_property
    def _key(self) -> tuple[object, ...]:
        """What the moments depend on, and what the stretch does."""
        where = tuple(sorted((path, str(wanted)) for path, wanted in self.where.items()))
        return self.count, self.expected, self.is_derived, self.grace, self.unmarked_after, self.neutral, where
