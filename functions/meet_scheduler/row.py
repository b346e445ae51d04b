"""The row of a meeting while a run works on it."""

from __future__ import annotations

from functions.shared.adapters.dynamodb.meetings import Meetings
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.errors import Contended
from functions.shared.meeting_state import MeetingState

FASTER = 5.0
"""Seconds that a run leaves to the other one that was faster."""


class Row:
    """`state` is what is stored. `before` is the row as it was read, of version 0 if there is none."""

    def __init__(self, meetings: Meetings, before: MeetingState) -> None:
        self._meetings = meetings
        self.state = before

    def store(self, state: MeetingState) -> None:
        """Raises Contended if another run has written the row."""
        before = self.state if self.state.version else None
        try:
            self.state = self._meetings.put(state, before)
        except Moved:
            raise Contended("another run works on this meeting", after=FASTER) from None
