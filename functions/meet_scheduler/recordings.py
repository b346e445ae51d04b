"""When to ask for the recordings of a call, and when there is nothing more to ask for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.shared.meeting_state import Held
from functions.shared.meetings import Conference, Span

FIRST_LOOKS = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=2))
"""After the planned end; a recording is there minutes after a short call, hours after a long one. Then once a day."""

RECORDS_LAST = timedelta(days=29)
"""Google keeps the records of a conference for 30 days after its end (Google Meet API: conferenceRecords)."""

NOBODY_CAME = timedelta(days=1)
"""If nobody has entered the meeting by then, nobody will: it was moved by word of mouth, or forgotten."""

EARLY, LATE = timedelta(minutes=30), timedelta(hours=4)
"""People come before the time, and stay or begin after it. At the same link, what lies outside was another talk."""


def window(held: Held) -> Span:
    """Conferences that touch this are the call."""
    return Span(held.start - EARLY, held.end + LATE)


def first_look(end: datetime) -> datetime:
    return end + FIRST_LOOKS[0]


def next_look(held: Held, conferences: Sequence[Conference], now: datetime) -> datetime | None:
    """When to look again after this look; None: all there will be is there."""
    if now >= held.end + RECORDS_LAST or _is_settled(held, conferences, now):
        return None
    planned = [held.end + after for after in FIRST_LOOKS]
    return next((at for at in planned if at > now), None) or now + timedelta(days=1)


def _is_settled(held: Held, conferences: Sequence[Conference], now: datetime) -> bool:
    if not conferences:
        return now >= held.end + NOBODY_CAME
    over = all(each.ended_at is not None and each.is_complete for each in conferences)
    has_recording = any(each.recordings for each in conferences)
    return over and (has_recording or now >= held.end + FIRST_LOOKS[-1])
