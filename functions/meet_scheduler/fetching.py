"""Recordings of calls whose time has passed, brought to the card."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from functions.meet_scheduler import recordings, texts
from functions.shared.department import Department
from functions.shared.meeting_state import Held, MeetingState, Saying
from functions.shared.meetings import Conference
from functions.shared.ports import MeetingProvider


class Recordings:
    """Raises what the provider raises, MeetingsError too: then the next look is as planned."""

    def __init__(self, provider: MeetingProvider) -> None:
        self._provider = provider

    def fetch(self, state: MeetingState, department: Department, now: datetime) -> MeetingState:
        """The row with what was found waiting to be told, and without the calls that are settled."""
        held: list[Held] = []
        for each in state.held:
            if each.look_at > now:
                held.append(each)
                continue
            conferences = self._provider.conferences(each.space, recordings.window(each))
            state = _with_recordings(state, each, conferences, department, now)
            if (look_at := recordings.next_look(each, conferences, now)) is not None:
                held.append(replace(each, look_at=look_at))
        return replace(state, held=tuple(held))


def _with_recordings(
    state: MeetingState, held: Held, conferences: tuple[Conference, ...], department: Department, now: datetime
) -> MeetingState:
    when = texts.when(department, held.start)
    for conference in conferences:
        for recording in conference.recordings:
            minutes = round(recording.seconds / 60)
            length = texts.say(department, "length", minutes=max(1, minutes)) if recording.seconds else ""
            text = texts.say(department, "recording", when=when, length=length, link=recording.url)
            state = state.saying(Saying(f"recording:{recording.id}", text, now))
    return state
