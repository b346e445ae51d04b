"""Stand-ups: what is wanted, and what a person's hand has made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.meet_scheduler import texts
from functions.shared.absence import Absence
from functions.shared.department import Department, Member
from functions.shared.meeting_plan import MeetingPlan, Standup
from functions.shared.meeting_state import MeetingState, Outline, fingerprint
from functions.shared.meetings import Attendee, Booked, Meeting, MeetingChange, Recurrence, occurrences

HOLIDAYS_AHEAD = timedelta(days=400)
"""Holidays further away are left out of the series when their time comes: the list in the event stays short."""

INVITED_AHEAD = timedelta(days=7)
"""For the days of a week absences are heeded: plans of later days change too often."""

_FIELDS = ("title", "start", "minutes", "zone", "days", "skips")


def standup_key(subdomain: str, standup: Standup) -> str:
    return f"{subdomain}:standup:{standup.key}"


def wanted_standup(
    standup: Standup, state: MeetingState, department: Department, plan: MeetingPlan, now: datetime
) -> Meeting:
    """The series. One that stands keeps its first day, so that a change of the time changes nothing else."""
    team = department.team_named(standup.team)
    members = team.members if team else ()
    today = now.astimezone(standup.zone).date()
    holidays = {day for day in plan.holidays if today <= day <= today + HOLIDAYS_AHEAD}
    skips = frozenset(day for day in holidays if day.weekday() in standup.days)
    since = now if state.asked is None else _midnight(state.asked.start, standup)
    skipped = skips if state.asked is None else frozenset()
    first = next(
        iter(occurrences(Recurrence(standup.days, skipped), standup.at, standup.zone, since, since + HOLIDAYS_AHEAD))
    )
    return Meeting(
        key=standup_key(department.subdomain, standup),
        title=standup.name,
        start=first,
        minutes=standup.minutes,
        zone=standup.zone,
        attendees=invited(members),
        recurrence=Recurrence(standup.days, skips),
        is_recorded=standup.is_recorded,
        description=texts.say(department, "standup", team=standup.team),
    )


def decided(state: MeetingState, asked: Outline, today: date) -> MeetingState:
    """The row with what is to be: whatever the department says anew, and a person's edits where it says nothing new."""
    asked = _with_passed(asked, state, today)
    if state.dropped is not None and _shape(state.dropped) == _shape(asked):
        return replace(state, asked=asked, wanted=None)
    if state.wanted is None or state.asked is None:
        return replace(state, asked=asked, wanted=asked, dropped=None, kept=())
    new = [name for name in (*_FIELDS, "guests") if getattr(asked, name) != getattr(state.asked, name)]
    wanted = replace(state.wanted, **{name: getattr(asked, name) for name in new})
    kept = tuple(name for name in state.kept if name not in new)
    return replace(state, asked=asked, wanted=wanted, dropped=None, kept=kept)


def seen(state: MeetingState, asked: Outline, actual: Booked) -> MeetingState:
    """The row with what the calendar shows: a person's edit of the series stands, and is remembered by name."""
    if actual.is_cancelled:
        return replace(state.without_event(), dropped=asked, wanted=None, kept=("deleted",))
    state = state.seeing(actual)
    if state.applied is None or state.wanted is None:
        return state
    shown = shown_outline(actual, state.applied)
    by_hand = [
        name
        for name in _FIELDS
        if getattr(shown, name) not in (getattr(state.applied, name), getattr(asked, name), getattr(state.wanted, name))
    ]
    ours = state.applied.guests | (state.wanted.guests & frozenset(map(fingerprint, actual.emails)))
    return replace(
        state,
        wanted=replace(state.wanted, **{name: getattr(shown, name) for name in by_hand}),
        applied=replace(shown, guests=ours),
        kept=tuple(dict.fromkeys([*state.kept, *by_hand])),
    )


def shown_outline(actual: Booked, known: Outline) -> Outline:
    """What the calendar shows, in our words; guests are looked at only where they are to change."""
    repeats = actual.recurrence
    return replace(
        known,
        title=fingerprint(actual.title),
        start=actual.start or known.start,
        minutes=actual.minutes or known.minutes,
        zone=actual.zone or known.zone,
        days=repeats.days if repeats else frozenset(),
        skips=repeats.skips if repeats else frozenset(),
    )


def change_between(applied: Outline, wanted: Outline, meeting: Meeting) -> MeetingChange:
    """What is to be written; guests are the caller's business. The recurrence goes with the time, as its holidays are
    moments of the series."""
    change = MeetingChange()
    if wanted.title != applied.title:
        change = replace(change, title=meeting.title)
    names = ("start", "minutes", "zone", "days", "skips")
    if any(getattr(wanted, name) != getattr(applied, name) for name in names):
        change = replace(
            change,
            start=wanted.start,
            minutes=wanted.minutes,
            zone=meeting.zone,
            recurrence=Recurrence(wanted.days, wanted.skips),
        )
    return change


def away_on(
    members: Sequence[Member], absences: Iterable[Absence], days: Iterable[datetime]
) -> Mapping[datetime, frozenset[str]]:
    """E-mails of those who are absent when the series takes place."""
    known = list(absences)
    return {
        moment: frozenset(
            member.email
            for member in members
            if any(absence.user_id == member.user_id and absence.covers(moment) for absence in known)
        )
        for moment in days
    }


def coming(state: MeetingState, now: datetime) -> list[datetime]:
    """When the series takes place in the next days, as it stands in the calendar."""
    assert state.applied is not None
    applied, zone = state.applied, ZoneInfo(state.applied.zone)
    at = applied.start.astimezone(zone).time()
    moments = occurrences(Recurrence(applied.days, applied.skips), at, zone, now, now + INVITED_AHEAD)
    return [moment for moment in moments if moment >= applied.start]


def invited(members: Iterable[Member]) -> tuple[Attendee, ...]:
    return tuple({member.email: Attendee(member.email, member.name) for member in members}.values())


def _midnight(moment: datetime, standup: Standup) -> datetime:
    return moment.astimezone(standup.zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _with_passed(asked: Outline, state: MeetingState, today: date) -> Outline:
    """A holiday that has passed drops out of what is asked for: that is no reason to write."""
    passed = {day for day in state.asked.skips if day < today} if state.asked else set()
    return replace(asked, skips=asked.skips | passed)


def _shape(outline: Outline) -> tuple[object, ...]:
    return tuple(getattr(outline, name) for name in ("title", "start", "minutes", "zone", "days"))
