"""Who is out of office by his own calendar is absent for the department: he gets no leads and no invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.meet_scheduler.stores import Stores
from functions.shared.absence import Absence
from functions.shared.clock import Clock
from functions.shared.department import Department, Team
from functions.shared.meeting_plan import MeetingPlan
from functions.shared.meetings import Span
from functions.shared.ports import MeetingProvider
from functions.shared.telemetry import Telemetry

REASON = "out_of_office"
"""Absences with this reason are ours to change; those that people entered are not."""

EVERY = timedelta(hours=1)
AHEAD = timedelta(days=30)

NAME = "OUT_OF_OFFICE"


class OutOfOffice:
    """All collaborators are handed in; see the service."""

    def __init__(self, stores: Stores, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock

    def read(self, department: Department, plan: MeetingPlan, provider: MeetingProvider, deadline: datetime) -> None:
        """Once an hour, everybody's calendar; one that cannot be seen changes nothing."""
        now = self._clock.now()
        read_at = self._stores.meetings.read_at(NAME)
        if not plan.out_of_office or (read_at is not None and now - read_at < EVERY):
            return
        span, away, hidden = Span(now, now + AHEAD), dict[str, tuple[Span, ...]](), 0
        for email in {member.email for team in department.teams for member in team.members}:
            if self._clock.now() >= deadline - timedelta(seconds=10):
                return  # begun again at the next tick
            spans = provider.away(email, span)
            if spans is None:
                hidden += 1
            else:
                away[email] = spans
        for team in department.teams:
            self._bring(team, away, now)
        self._stores.meetings.put_read_at(NAME, now)
        self._telemetry.info("out_of_office_read", seen=len(away), hidden=hidden)

    def _bring(self, team: Team, away: dict[str, tuple[Span, ...]], now: datetime) -> None:
        absences = self._stores.absences.of_team(team.name)
        for member in team.members:
            if member.email in away:
                of_member = [absence for absence in absences if absence.user_id == member.user_id]
                add, remove = changes(team.name, member.user_id, of_member, away[member.email], now)
                for absence in remove:
                    self._stores.absences.remove(absence)
                for absence in add:
                    self._stores.absences.add(absence)


def changes(
    team: str, user_id: int, known: Sequence[Absence], spans: Sequence[Span], now: datetime
) -> tuple[list[Absence], list[Absence]]:
    """Absences to add and to remove, so that the calendar's word holds; what people entered stands. Pure."""
    ours = [absence for absence in known if absence.reason == REASON and absence.end > now]
    entered = [absence for absence in known if absence.reason != REASON]
    wanted = [
        Absence(team, user_id, span.start, span.end, REASON)
        for span in spans
        if not any((each.start <= span.start and span.end <= each.end) or each.start == span.start for each in entered)
    ]
    # an entry under the same start is overwritten, not removed
    starts = {absence.start for absence in wanted}
    add = [absence for absence in wanted if absence not in ours]
    return add, [absence for absence in ours if absence not in wanted and absence.start not in starts]
