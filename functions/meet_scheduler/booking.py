"""Bring the calendar to what was decided of a call, step by step; each step can be taken again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from functions.meet_scheduler import texts
from functions.meet_scheduler.client_calls import Invitation, Wanted
from functions.meet_scheduler.conflicts import Conflicts
from functions.shared.department import Department
from functions.shared.errors import MeetingGone, MeetingMoved, MeetingRefused
from functions.shared.meeting_state import MeetingState, Outline, Saying, fingerprint
from functions.shared.meetings import (
    Booked,
    LinkState,
    MeetingChange,
    meeting_id,
    merged_attendees,
)
from functions.shared.ports import MeetingProvider

LINK_ATTEMPTS = 3


class Calendar:
    """The steps for one call. All raise MeetingsUnavailable, MeetingsError (but not those that are answered here), and
    NotConfigured; what was done until then is done again without harm."""

    def __init__(self, provider: MeetingProvider, host: str) -> None:
        self._provider = provider
        self._host = host
        self._conflicts = Conflicts(provider)

    def bring(self, state: MeetingState, want: Wanted, department: Department, now: datetime) -> MeetingState:
        """The row as it is when the calendar is as decided. Raises MeetingMoved if a person changed the event since it
        was read: read it, and decide again."""
        if state.wanted is None:
            return self._cancelled(state)
        if want.meeting is None:
            return state
        wanted = state.wanted
        if not state.event_id:
            state = self._booked(state, want, department, now)
        elif state.applied != wanted or state.seen != (wanted.start, wanted.minutes):
            state = self._changed(state, want, department, now)
        if state.event_id:
            state = _booking_told(state, want, want.invitation, department, now)
        if state.event_id and want.meeting.is_recorded and state.code and not state.recording:
            space = self._provider.record(state.code)
            state = replace(state, space=space.name, recording=space.recording.value)
        return self._linked(state, want, department, now)

    def read(self, state: MeetingState) -> Booked | None:
        """The event as it stands; a vanished one counts as deleted."""
        if not state.event_id:
            return None
        found = self._provider.find(state.event_id)
        return found or Booked(state.event_id, "", state.key, is_cancelled=True)

    def found(self, state: MeetingState) -> tuple[MeetingState, Booked | None]:
        """The row and its event as an earlier run, which did not come to its end, has left them: it may have booked
        without hearing so."""
        if state.event_id:
            return self._resumed(state, self.read(state))
        if state.wanted is None:
            return state, None
        booked = self._provider.find(meeting_id(state.key, state.generation))
        if booked is None:
            return state, None
        applied = state.wanted if booked.is_cancelled else self._standing(booked, state.wanted)
        return replace(state.seeing(booked), applied=applied), booked

    def _resumed(self, state: MeetingState, booked: Booked | None) -> tuple[MeetingState, Booked | None]:
        """Guests whom that run may have invited are ours too."""
        if booked is None or state.applied is None or state.wanted is None:
            return state, booked
        shown = frozenset(map(fingerprint, booked.emails))
        ours = state.applied.guests | (state.wanted.guests & shown)
        return replace(state, applied=replace(state.applied, guests=ours)), booked

    def _cancelled(self, state: MeetingState) -> MeetingState:
        if not state.event_id:
            return state
        self._provider.cancel(state.event_id, tell=True)
        return state.without_event()

    def _booked(self, state: MeetingState, want: Wanted, department: Department, now: datetime) -> MeetingState:
        assert state.wanted is not None and want.meeting is not None
        meeting = replace(want.meeting, start=state.wanted.start, minutes=state.wanted.minutes)
        state = self._conflicts.told(state, meeting.attendees[0].email, want.manager, department, now)
        invitation = want.invitation
        try:
            try:
                booked = self._provider.book(meeting, state.generation)
            except MeetingRefused as refused:
                if not refused.attendees or not want.client_email:
                    raise
                invitation = Invitation.BAD_EMAIL
                booked = self._provider.book(replace(meeting, attendees=meeting.attendees[:1]), state.generation)
        except MeetingGone:
            return _dropped(state, department, now)
        decided = state.wanted
        assert decided is not None
        applied = decided if invitation is not want.invitation else self._standing(booked, decided)
        state = replace(state.seeing(booked), applied=applied, trouble="")
        state = _booking_told(state, want, invitation, department, now)
        return self._changed(state, want, department, now) if applied != decided else state

    def _standing(self, booked: Booked, wanted: Outline) -> Outline:
        """One that stood there already may have been booked before something else was wanted. The calendar may list its
        host as a guest, whom we did not invite."""
        guests = frozenset(fingerprint(email) for email in booked.emails if email != self._host)
        start, minutes = booked.start or wanted.start, booked.minutes or wanted.minutes
        invited = guests | (wanted.guests & {fingerprint(self._host)})
        return replace(wanted, start=start, minutes=minutes, title=fingerprint(booked.title), guests=invited)

    def _changed(self, state: MeetingState, want: Wanted, department: Department, now: datetime) -> MeetingState:
        assert state.wanted is not None and state.applied is not None and want.meeting is not None
        wanted, applied, meeting = state.wanted, state.applied, want.meeting
        change = MeetingChange()
        standing = Booked(state.event_id, state.version_seen, state.key)
        if (wanted.start, wanted.minutes) != state.seen:
            change = replace(change, start=wanted.start, minutes=wanted.minutes, zone=meeting.zone)
            state = self._conflicts.told(state, meeting.attendees[0].email, want.manager, department, now)
        if wanted.title != applied.title:
            change = replace(change, title=meeting.title)
        if wanted.guests != applied.guests:
            standing = self._provider.find(state.event_id) or standing
            if standing.version != state.version_seen:
                raise MeetingMoved("a person has changed it since it was looked at")
            known = standing.emails | meeting.emails
            before = frozenset(email for email in known if fingerprint(email) in applied.guests)
            guests = merged_attendees(standing.attendees, before, {each.email: each for each in meeting.attendees})
            change = replace(change, attendees=guests) if guests != standing.attendees else change
        if not change:
            return replace(state, applied=wanted)
        try:
            try:
                booked = self._provider.change(standing, change, tell=bool(change.start or change.attendees))
            except MeetingRefused as refused:
                if not refused.attendees or change.attendees is None:
                    raise
                guests = tuple(each for each in change.attendees if each.email != want.client_email)
                change = replace(change, attendees=guests)
                booked = self._provider.change(standing, change, tell=True)
                key = f"bad_email:{state.generation}:{fingerprint(want.client_email)}"
                state = state.saying(Saying(key, texts.say(department, "bad_email"), now))
        except MeetingGone:
            return _dropped(state, department, now)
        state = replace(state.seeing(booked), applied=wanted, trouble="")
        return _telling_of(change, state, want, department, now)

    def _linked(self, state: MeetingState, want: Wanted, department: Department, now: datetime) -> MeetingState:
        """A link that was to come."""
        if not state.event_id or state.wanted is None or state.link_state in (LinkState.READY, LinkState.NONE):
            return state
        when = texts.when(department, state.wanted.start, want.client_zone)
        booked = self.read(state)
        if booked is None or booked.is_cancelled:
            return state
        if booked.link_state is LinkState.FAILED and state.link_attempts < LINK_ATTEMPTS:
            booked = self._provider.renew_link(booked, state.link_attempts + 1)
            state = replace(state, link_attempts=state.link_attempts + 1)
        state = state.seeing(booked)
        if state.link_state is LinkState.READY:
            text = texts.say(department, "link", when=when, link=state.link)
            return state.saying(Saying(f"link:{state.generation}", text, now))
        if state.link_state is LinkState.FAILED and state.link_attempts >= LINK_ATTEMPTS:
            text = texts.say(department, "no_link", when=when)
            return replace(state, link_state=LinkState.NONE).saying(Saying(f"no_link:{state.generation}", text, now))
        return state


_INVITED = {
    Invitation.SENT: "invited",
    Invitation.NO_CLIENT: "no_client",
    Invitation.NO_EMAIL: "no_email",
    Invitation.BAD_EMAIL: "bad_email",
}


def _booking_told(
    state: MeetingState, want: Wanted, invitation: Invitation, department: Department, now: datetime
) -> MeetingState:
    """Once for each event; also for one that an earlier run had booked without hearing so."""
    assert state.applied is not None
    key = f"booked:{state.generation}"
    when = texts.when(department, state.applied.start, want.client_zone)
    heading = texts.say(department, "booked" if state.link else "booked_without_link", when=when, link=state.link)
    return state.saying(Saying(key, f"{heading} {texts.say(department, _INVITED[invitation])}", now))


def _dropped(state: MeetingState, department: Department, now: datetime) -> MeetingState:
    """A person has deleted it in the calendar."""
    text = texts.say(department, "dropped")
    dropped = replace(state.without_event(), dropped=state.asked, wanted=None, follow=None)
    return dropped.saying(Saying(f"dropped:{dropped.generation}", text, now))


def _telling_of(
    change: MeetingChange, state: MeetingState, want: Wanted, department: Department, now: datetime
) -> MeetingState:
    if change.start is not None:
        when = texts.when(department, change.start, want.client_zone)
        text = texts.say(department, "moved", when=when, link=state.link)
        state = state.saying(Saying(f"moved:{state.generation}:{change.start.isoformat()}", text, now))
    is_new = change.attendees is not None and any(each.email == want.client_email for each in change.attendees)
    if is_new and want.client_email:
        key = f"invited:{state.generation}:{fingerprint(want.client_email)}"
        state = state.saying(Saying(key, texts.say(department, "invited"), now))
    return state
