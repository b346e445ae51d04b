"""What is to become of a call: three voices are weighed. Pure.

amoCRM asks for a time and for guests; the calendar shows what stands there; the row says what both had said before.
Whoever has changed something since is followed: amoCRM's change goes into the calendar, a person's change in the
calendar stands, and amoCRM's deadline follows it. If both have changed, amoCRM's counts: somebody told it to us.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from functions.meet_scheduler import recordings, texts
from functions.meet_scheduler.client_calls import Wanted, Why
from functions.shared.department import Department
from functions.shared.meeting_state import Held, MeetingState, Outline, Saying, outline
from functions.shared.meetings import Answer, Booked, LinkState

RECENT = timedelta(days=1)
"""Who sets a task for a time so long ago writes history and wants no link."""

LINK_SOON = timedelta(minutes=1)
TROUBLE_ENDS = timedelta(hours=1)
"""When a calendar that refused is asked again: somebody has to do something about it first."""

_ASKS = {Why.NO_TIME: "ask_time", Why.PAST: "ask_future", Why.NO_HOST: "ask_host"}


def decide(
    state: MeetingState, want: Wanted, actual: Booked | None, department: Department, now: datetime
) -> MeetingState:
    """The row as it is to be; `actual` is the event if the calendar was read, else None."""
    state = _followed(_past_is_held(state, now), want)
    if actual is not None and actual.id == state.event_id:
        state = _seen(state, want, actual, department, now)
    if _is_stale(state, want) or (want.meeting is None and _goes_on(state, now)):
        return state
    state = replace(
        state,
        client=want.client or state.client,
        manager=want.manager,
        owner=want.owner,
        responsible=want.responsible,
        asked_at=want.changed_at or state.asked_at,
    )
    if want.meeting is None:
        return _unwanted(state, want, department, now)
    asked = outline(want.meeting)
    if state.dropped is not None and state.dropped.start == asked.start:
        return replace(state, asked=asked, wanted=None)
    wanted = asked if state.wanted is None else _merged(state.wanted, state.asked, asked)
    follow = state.follow if state.asked is not None and asked.start == state.asked.start else None
    trouble = state.trouble if asked == state.asked else ""
    return replace(state, asked=asked, wanted=wanted, dropped=None, follow=follow, trouble=trouble)


def next_due(state: MeetingState, now: datetime) -> datetime | None:
    """When to look at the meeting again if nobody tells anything about it."""
    times = [held.look_at for held in state.held]
    if state.event_id and state.seen:
        times.append(_end(state.seen))
        if state.link_state in (LinkState.PENDING, LinkState.FAILED):
            times.append(now + LINK_SOON)
    if state.trouble and state.wanted is not None:
        times.append(now + TROUBLE_ENDS)
    return min(times, default=None)


def _followed(state: MeetingState, want: Wanted) -> MeetingState:
    """amoCRM has the time that it was to be given, or had it when somebody changed it again: that is what it said last.
    As long as its lists show the card as it was decided upon, nobody knows."""
    if state.follow is None or state.asked is None or want.meeting is None:
        return state
    is_newer = (
        state.is_followed and want.changed_at is not None and want.changed_at > (state.asked_at or want.changed_at)
    )
    if want.meeting.start != state.follow and not is_newer:
        return state
    return replace(state, asked=replace(state.asked, start=state.follow), follow=None, is_followed=False)


def _is_stale(state: MeetingState, want: Wanted) -> bool:
    """amoCRM's lists lag: an older truth than that which was acted on says nothing."""
    return want.changed_at is not None and state.asked_at is not None and want.changed_at < state.asked_at


def _past_is_held(state: MeetingState, now: datetime) -> MeetingState:
    """An event whose time has passed is left as it is; whatever is asked for now is another one."""
    if not state.event_id or state.seen is None or _end(state.seen) > now:
        return state
    start, minutes = state.seen
    where = state.space or state.code
    first = recordings.first_look(_end(state.seen))
    held = (*state.held, Held(where, start, minutes, first)) if where else state.held
    return replace(state.without_event(), held=held, wanted=None, follow=None, link_shown="", announced="")


def _goes_on(state: MeetingState, now: datetime) -> bool:
    """People are in it: a task that is completed meanwhile calls nobody out."""
    return bool(state.event_id) and state.seen is not None and state.seen[0] <= now


def _seen(state: MeetingState, want: Wanted, actual: Booked, department: Department, now: datetime) -> MeetingState:
    """With what the calendar shows, and what people have done there."""
    if actual.is_cancelled:
        asked = state.asked
        state = replace(state.without_event(), dropped=asked, wanted=None, follow=None)
        is_wanted = want.meeting is not None and asked is not None and outline(want.meeting).start == asked.start
        text = texts.say(department, "dropped")
        return state.saying(Saying(f"dropped:{state.generation}", text, now)) if is_wanted else state
    before = state.seen
    state = _with_answers(state.seeing(actual), want, actual, department, now)
    wanted = state.wanted
    if actual.start is None or before is None or (actual.start, actual.minutes) == before or wanted is None:
        return state
    if actual.start == wanted.start and actual.minutes == wanted.minutes:
        return state  # our own change, whose answer was lost
    asked = state.asked
    if want.meeting is not None and asked is not None:
        if want.meeting.start not in (asked.start, state.follow):
            return state
        if state.follow is not None and state.is_followed:
            state = replace(state, asked=replace(asked, start=state.follow))
    wanted = replace(wanted, start=actual.start, minutes=actual.minutes)
    applied = replace(state.applied, start=actual.start, minutes=actual.minutes) if state.applied else None
    state = replace(state, wanted=wanted, applied=applied)
    if actual.start == before[0]:
        return state
    when = texts.when(department, actual.start, want.client_zone)
    key = f"hand:{state.generation}:{actual.start.isoformat()}"
    return replace(state, follow=actual.start, is_followed=False).saying(
        Saying(key, texts.say(department, "moved_by_hand", when=when), now)
    )


def _with_answers(
    state: MeetingState, want: Wanted, actual: Booked, department: Department, now: datetime
) -> MeetingState:
    if actual.start is None or want.meeting is None:
        return state
    when = texts.when(department, actual.start, want.client_zone)
    moment = f"{state.generation}:{actual.start.isoformat()}"
    for attendee in actual.attendees:
        if attendee.answer is not Answer.DECLINED:
            continue
        if attendee.email == want.client_email:
            text = texts.say(department, "declined", when=when)
            state = state.saying(Saying(f"declined:{moment}", text, now, to=want.manager))
        elif attendee.email == want.meeting.attendees[0].email:
            text = texts.say(department, "host_declined", when=when)
            state = state.saying(Saying(f"host_declined:{moment}:{want.manager}", text, now))
    return state


def _unwanted(state: MeetingState, want: Wanted, department: Department, now: datetime) -> MeetingState:
    """No call; whoever set the task is told what is missing, if that is the reason."""
    if not state.event_id and want.why in _ASKS and not _was_held(state, want, now):
        key = f"{want.why}:{want.at.isoformat() if want.at else ''}"
        state = state.saying(Saying(key, texts.say(department, _ASKS[want.why]), now))
    if state.event_id:
        why = texts.say(department, want.why.value)
        text = texts.say(department, "cancelled", why=why)
        state = state.saying(Saying(f"cancelled:{state.generation}", text, now))
    return replace(state, asked=None, wanted=None, dropped=None, follow=None, trouble="")


def _was_held(state: MeetingState, want: Wanted, now: datetime) -> bool:
    """A time that has passed needs no word if the call took place then, or if it is long ago."""
    if want.why is not Why.PAST or want.at is None:
        return False
    return want.at < now - RECENT or any(held.start <= want.at < held.end for held in state.held)


def _merged(wanted: Outline, asked_before: Outline | None, asked: Outline) -> Outline:
    """What was wanted, with whatever is asked for anew."""
    if asked_before is None:
        return asked
    names = ("start", "minutes", "zone", "title", "guests")
    new = {name: getattr(asked, name) for name in names if getattr(asked, name) != getattr(asked_before, name)}
    return replace(wanted, **new)


def _end(seen: tuple[datetime, int]) -> datetime:
    start, minutes = seen
    return start + timedelta(minutes=minutes)
