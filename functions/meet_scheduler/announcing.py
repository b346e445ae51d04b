"""What the bus is told of a meeting: what stands in the calendar now, against what it was told last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from functions.shared.events import Event, MeetingCancelled, MeetingMoved, MeetingScheduled, RecordingReady
from functions.shared.meeting_state import MeetingState, Saying

RECORDING = "recording:"
"""How the keys of what is said of recordings begin."""


def announcements(state: MeetingState, said: Iterable[Saying], now: datetime) -> list[Event]:
    """`said` is what the card has just been told."""
    recordings = [saying.key.removeprefix(RECORDING) for saying in said if saying.key.startswith(RECORDING)]
    ready = [RecordingReady(now, state.key, state.lead_id, recording) for recording in recordings]
    return [*_changes(state, now), *ready]


def _changes(state: MeetingState, now: datetime) -> Iterator[Event]:
    before, after = state.announced, state.standing
    if before == after:
        return
    if not after or state.applied is None:
        yield MeetingCancelled(now, state.key, state.lead_id, state.manager)
        return
    is_same_event = before.partition("@")[0] == after.partition("@")[0]
    kind = MeetingMoved if is_same_event else MeetingScheduled
    start, minutes = state.applied.start.isoformat(), state.applied.minutes
    yield kind(now, state.key, state.lead_id, state.manager, start, minutes)
