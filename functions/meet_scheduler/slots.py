"""When else a manager could talk: free times inside working hours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from functions.shared.department import Member
from functions.shared.meetings import Span

OFFERED = 3
STEP = timedelta(minutes=30)
"""People agree on full and half hours."""

AHEAD = timedelta(days=7)
"""How far free times are sought, and so how much of a calendar is read."""


def free_slots(member: Member, minutes: int, busy: Iterable[Span], after: datetime, until: datetime) -> list[Span]:
    """The first times of this length in which the member works and nothing stands in his calendar, at most OFFERED, no
    two of which overlap, on the half hours of his wall clock, in [after, until)."""
    taken = sorted(busy)
    return list(islice(_free(member, timedelta(minutes=minutes), taken, after, until), OFFERED))


def _free(member: Member, length: timedelta, taken: list[Span], after: datetime, until: datetime) -> Iterator[Span]:
    start = _half_hour(after, member)
    while start + length <= until:
        slot = Span(start, start + length)
        if _works(member, slot) and not any(slot.overlaps(each) for each in taken):
            yield slot
            start = _half_hour(slot.end, member)
        else:
            start += STEP


def _works(member: Member, slot: Span) -> bool:
    """From beginning to end without a break."""
    opening = member.hours.next_opening(slot.start, member.timezone)
    minutes = (slot.end - slot.start) / timedelta(minutes=1)
    return opening == slot.start and member.hours.after_working(slot.start, minutes, member.timezone) == slot.end


def _half_hour(moment: datetime, member: Member) -> datetime:
    """The next full or half hour of his wall clock that is not before the moment."""
    local = moment.astimezone(member.timezone)
    past = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return moment if not past else moment - past + STEP
