"""Stand-ups: the calendar is brought to what the department says, and people's own edits are left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from functions.meet_scheduler import standup_plan
from functions.meet_scheduler.row import Row
from functions.meet_scheduler.stores import Stores
from functions.shared.clock import Clock
from functions.shared.department import Department, Member
from functions.shared.errors import (
    Contended,
    MeetingGone,
    MeetingMoved,
    MeetingsError,
    MeetingsUnavailable,
    NotConfigured,
    RetryLater,
)
from functions.shared.limits import LEFT_FOR_A_SLICE
from functions.shared.meeting_plan import MeetingPlan, Standup
from functions.shared.meeting_state import Kind, MeetingState, fingerprint, outline
from functions.shared.meetings import (
    Booked,
    LinkState,
    Meeting,
    MeetingChange,
    merged_attendees,
    occurrence_id,
)
from functions.shared.ports import MeetingProvider
from functions.shared.telemetry import Telemetry

EVERY = timedelta(hours=1)
"""How often a stand-up is looked at of which nobody has said anything."""

READ_EVERY = timedelta(days=1)
"""How often its event is read although the calendar told of no change: its word may get lost."""

LINK_ATTEMPTS = 3


class Standups:
    """All collaborators are handed in; see the service."""

    def __init__(self, stores: Stores, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock

    def reconcile(
        self,
        department: Department,
        plan: MeetingPlan,
        provider: MeetingProvider,
        seen: Mapping[str, Booked],
        deadline: datetime,
    ) -> None:
        """All stand-ups whose hour has come, of which the calendar has just told (`seen`), or that the department wants
        otherwise. One that fails holds up no other. Raises the last trouble."""
        wanted = {standup_plan.standup_key(department.subdomain, each): each for each in plan.standups}
        states = self._stores.meetings.of([*wanted, *self._stores.meetings.standups()])
        trouble: Exception | None = None
        for key in sorted({*wanted, *states}):
            if self._clock.now() > deadline - LEFT_FOR_A_SLICE:
                return
            state = states.get(key) or MeetingState(key, Kind.STANDUP)
            try:
                if key in wanted:
                    self._bring(wanted[key], state, department, plan, provider, seen.get(key))
                else:
                    self._end(state, provider)
            except Contended:
                continue  # another tick is at it
            except (MeetingsUnavailable, MeetingsError, NotConfigured) as error:
                self._telemetry.warning("standup_not_reconciled", key=key, error=type(error).__name__)
                self._leave_alone(key, error)
                trouble = error
        if trouble is not None:
            raise trouble

    def _leave_alone(self, key: str, error: Exception) -> None:
        """For an hour, or as long as the calendar asks for: a tick that asked again each time would use up what is
        left of its limits."""
        state = self._stores.meetings.of([key]).get(key) or MeetingState(key, Kind.STANDUP)
        after = timedelta(seconds=error.after or 0) if isinstance(error, RetryLater) else EVERY
        kind = type(error).__name__
        with suppress(Contended):
            Row(self._stores.meetings, state).store(replace(state, trouble=kind, due_at=self._clock.now() + after))

    def _end(self, state: MeetingState, provider: MeetingProvider) -> None:
        """The department no longer has it."""
        if state.event_id:
            provider.cancel(state.event_id, tell=True)
        Row(self._stores.meetings, state).store(replace(state.without_event(), asked=None, wanted=None, kept=()))
        self._stores.meetings.retire(state)

    def _bring(
        self,
        standup: Standup,
        before: MeetingState,
        department: Department,
        plan: MeetingPlan,
        provider: MeetingProvider,
        actual: Booked | None,
    ) -> None:
        now = self._clock.now()
        if before.trouble and before.due_at is not None and before.due_at > now:
            return
        meeting = standup_plan.wanted_standup(standup, before, department, plan, now)
        asked = outline(meeting)
        state = before
        if actual is None and state.event_id and self._is_to_be_read(before, now):
            actual = provider.find(state.event_id) or Booked(state.event_id, "", state.key, is_cancelled=True)
            state = replace(state, looked_at=now)
        if actual is not None and actual.id == state.event_id and actual.version != state.version_seen:
            state = standup_plan.seen(state, asked, actual)
        state = standup_plan.decided(state, asked, now.astimezone(standup.zone).date())
        away = self._away(state, standup, department)
        is_new = state != before or state.wanted != state.applied or state.link_state is LinkState.PENDING
        if not is_new and not _differ(away, state) and before.due_at is not None and before.due_at > now:
            return
        self._tell_of_edits(before, state)
        row = Row(self._stores.meetings, before)
        row.store(replace(state, due_at=now + EVERY, trouble=""))
        row.store(self._record(self._link(self._series(row.state, meeting, provider), provider), meeting, provider))
        row.store(self._days(row.state, standup, department, provider))

    def _is_to_be_read(self, state: MeetingState, now: datetime) -> bool:
        return state.looked_at is None or now - state.looked_at >= READ_EVERY

    def _series(self, state: MeetingState, meeting: Meeting, provider: MeetingProvider) -> MeetingState:
        """The series itself, as decided."""
        if state.wanted is None:
            return state
        if not state.event_id:
            try:
                booked = provider.book(meeting, state.generation)
            except MeetingGone:
                return replace(state.without_event(), dropped=state.asked, wanted=None, kept=("deleted",))
            applied = standup_plan.shown_outline(booked, state.wanted)
            state = replace(state.seeing(booked), applied=applied, looked_at=self._clock.now())
        return self._changed(state, meeting, provider) if state.applied != state.wanted else state

    def _changed(self, state: MeetingState, meeting: Meeting, provider: MeetingProvider) -> MeetingState:
        assert state.wanted is not None and state.applied is not None
        change = standup_plan.change_between(state.applied, state.wanted, meeting)
        standing = Booked(state.event_id, state.version_seen, state.key)
        if state.wanted.guests != state.applied.guests:
            standing = provider.find(state.event_id) or standing
            known = standing.emails | meeting.emails
            ours = frozenset(email for email in known if fingerprint(email) in state.applied.guests)
            guests = merged_attendees(standing.attendees, ours, {each.email: each for each in meeting.attendees})
            change = replace(change, attendees=guests) if guests != standing.attendees else change
        if change:
            try:
                state = state.seeing(provider.change(standing, change, tell=True))
            except (MeetingMoved, MeetingGone):
                # a person was faster: his change is read at the next tick, and decided upon
                return replace(state, looked_at=None, due_at=self._clock.now())
        return replace(state, applied=state.wanted, away={} if change.start else state.away)

    def _link(self, state: MeetingState, provider: MeetingProvider) -> MeetingState:
        """A link that was to come."""
        if not state.event_id or state.link_state not in (LinkState.PENDING, LinkState.FAILED):
            return state
        booked = provider.find(state.event_id)
        if booked is None or booked.is_cancelled:
            return replace(state, looked_at=None)
        if booked.link_state is LinkState.FAILED and state.link_attempts < LINK_ATTEMPTS:
            try:
                booked = provider.renew_link(booked, state.link_attempts + 1)
            except (MeetingMoved, MeetingGone):
                return replace(state, looked_at=None)  # a person was faster: it is read at the next tick
            state = replace(state, link_attempts=state.link_attempts + 1)
        return state.seeing(booked)

    def _record(self, state: MeetingState, meeting: Meeting, provider: MeetingProvider) -> MeetingState:
        if not (meeting.is_recorded and state.event_id and state.code) or state.recording:
            return state
        space = provider.record(state.code)
        self._telemetry.info("standup_recording", key=state.key, recording=space.recording.value)
        return replace(state, space=space.name, recording=space.recording.value)

    def _away(self, state: MeetingState, standup: Standup, department: Department) -> Mapping[datetime, frozenset[str]]:
        """Who is absent on the days to come, by the moment of the stand-up."""
        team = department.team_named(standup.team)
        if not state.event_id or state.applied is None or team is None:
            return {}
        coming = standup_plan.coming(state, self._clock.now())
        return standup_plan.away_on(team.members, self._stores.absences.of_team(team.name), coming)

    def _days(
        self, state: MeetingState, standup: Standup, department: Department, provider: MeetingProvider
    ) -> MeetingState:
        """Who is absent on a day is not invited to it; who is back is."""
        team = department.team_named(standup.team)
        members = team.members if team else ()
        known: dict[str, tuple[int, ...]] = {}
        for moment, emails in self._away(state, standup, department).items():
            away, before = _fingerprints(emails), state.away.get(moment.isoformat(), ())
            try:
                if away != before:
                    self._invite(state, moment, members, emails, before, provider)
            except RetryLater:
                away = before  # seen as undone, and so done at the next look
            if away:
                known[moment.isoformat()] = away
        return replace(state, away=known)

    def _invite(
        self,
        state: MeetingState,
        moment: datetime,
        members: Sequence[Member],
        away: frozenset[str],
        before: tuple[int, ...],
        provider: MeetingProvider,
    ) -> None:
        """One day of the series; what a person has done with that day stands."""
        standing = provider.find(occurrence_id(state.event_id, moment))
        if standing is None or standing.is_cancelled:
            return
        people = standup_plan.invited(members)
        invited = frozenset(each.email for each in people if fingerprint(each.email) not in before)
        present = {each.email: each for each in people if each.email not in away}
        guests = merged_attendees(standing.attendees, invited, present)
        if guests != standing.attendees:
            try:
                provider.change(standing, MeetingChange(attendees=guests), tell=False)
            except (MeetingMoved, MeetingGone) as error:
                raise MeetingsUnavailable("a person is changing this day of the stand-up") from error

    def _tell_of_edits(self, before: MeetingState, state: MeetingState) -> None:
        new = [name for name in state.kept if name not in before.kept]
        if new:
            self._telemetry.warning("standup_edited_by_hand", key=state.key, kept=new)
            self._telemetry.count("StandupEdited")


def _differ(away: Mapping[datetime, frozenset[str]], state: MeetingState) -> bool:
    """Whether somebody else is absent on one of these days than was when they were looked at."""
    return any(_fingerprints(emails) != state.away.get(moment.isoformat(), ()) for moment, emails in away.items())


def _fingerprints(emails: frozenset[str]) -> tuple[int, ...]:
    return tuple(sorted(map(fingerprint, emails)))
