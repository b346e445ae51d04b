"""Has the manager something else at the time of a call? He is told, with times at which he has not."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.meet_scheduler import texts
from functions.meet_scheduler.slots import AHEAD, free_slots
from functions.shared.department import Department
from functions.shared.meeting_state import MeetingState, Saying
from functions.shared.meetings import Span
from functions.shared.people import known_member
from functions.shared.ports import MeetingProvider

BEFORE = timedelta(days=1)
"""What begins so long before the call is read too: it may go on into it."""


class Conflicts:
    def __init__(self, provider: MeetingProvider) -> None:
        self._provider = provider

    def told(
        self, state: MeetingState, email: str, manager: int, department: Department, now: datetime
    ) -> MeetingState:
        """The call is booked nevertheless, as somebody chose the time. A calendar that cannot be seen is neither busy
        nor free. Raises what the provider raises."""
        assert state.wanted is not None
        here = state.wanted.span
        span = Span(here.start - BEFORE, here.start + AHEAD)
        busy = self._provider.busy([email], span).get(email) or ()
        others = [piece for each in busy for piece in _without_the_call_itself(each, state)]
        if not any(span.overlaps(here) for span in others):
            return state
        member = known_member(department, manager)
        free = free_slots(member, state.wanted.minutes, others, here.start, here.start + AHEAD) if member else []
        text = texts.say(department, "busy" if free else "busy_all_week", slots=texts.slots(department, free))
        return state.saying(Saying(f"busy:{state.generation}:{here.start.isoformat()}:{manager}", text, now))


def _without_the_call_itself(span: Span, state: MeetingState) -> list[Span]:
    """Where it stands until now, which the calendar may show as one with what stands beside it."""
    if state.seen is None:
        return [span]
    start, minutes = state.seen
    own = Span(start, start + timedelta(minutes=minutes))
    if not own.overlaps(span):
        return [span]
    pieces = (Span(span.start, own.start), Span(own.end, span.end))
    return [piece for piece in pieces if piece.start < piece.end]
