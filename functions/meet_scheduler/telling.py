"""What is written on the card: the outbox of a meeting, the link in its field, the deadline that follows the calendar.

A text that waits in the outbox may have been written already by a run that died: so before it is written, the card is
looked at for the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from functions.meet_scheduler.client_calls import Card
from functions.shared.crm import FieldValue, Lead, LeadChange, NewNote, NewTask, TaskChange
from functions.shared.limits import CLOCKS_APART
from functions.shared.meeting_plan import ClientCalls
from functions.shared.meeting_state import MeetingState, Saying
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

CALL_BACK_WITHIN = timedelta(hours=1)
"""How soon a client who declined should be called."""


class CardWriter:
    """Raises RetryLater, AmoCrmError; what was written until then is found again."""

    def __init__(self, amocrm: AmoCrm, telemetry: Telemetry) -> None:
        self._amocrm = amocrm
        self._telemetry = telemetry

    def write(
        self, state: MeetingState, card: Card, calls: ClientCalls, *, is_resumed: bool, now: datetime
    ) -> MeetingState:
        """The row as it is when everything is told. `is_resumed`: another run may have told some of it."""
        state = self._follow(state, card, calls)
        self._hand_over_task(state, card)
        if card.lead is None:
            return replace(state.has_told(*(each.key for each in state.outbox)), link_shown="")
        state = self._show_link(state, card.lead, calls)
        notes = [each for each in state.outbox if not each.is_task]
        tasks = [each for each in state.outbox if each.is_task]
        self._write_note(state.lead_id, notes, is_resumed)
        self._set_tasks(state.lead_id, tasks, is_resumed, now)
        return state.has_told(*(each.key for each in state.outbox))

    def _write_note(self, lead_id: int, sayings: list[Saying], is_resumed: bool) -> None:
        """All in one note."""
        missing = self._missing(sayings, is_resumed, lambda since: self._notes(lead_id, since))
        if missing:
            text = "\n".join(saying.text for saying in missing)
            self._refusals(self._amocrm.add_notes([NewNote(lead_id, text)]).refused)

    def _set_tasks(self, lead_id: int, sayings: list[Saying], is_resumed: bool, now: datetime) -> None:
        missing = self._missing(sayings, is_resumed, lambda since: self._tasks(lead_id, since))
        tasks = [NewTask(lead_id, saying.to, saying.text, now + CALL_BACK_WITHIN) for saying in missing]
        if tasks:
            self._refusals(self._amocrm.add_tasks(tasks).refused)

    def _missing(self, sayings: list[Saying], is_resumed: bool, written: Callable[[datetime], str]) -> list[Saying]:
        """Those whose words do not stand on the card yet."""
        if not sayings or not is_resumed:
            return sayings
        there = written(min(saying.at for saying in sayings) - CLOCKS_APART)
        return [saying for saying in sayings if saying.text not in there]

    def _notes(self, lead_id: int, since: datetime) -> str:
        return "\n".join(note.text for note in self._amocrm.notes_since([lead_id], since))

    def _tasks(self, lead_id: int, since: datetime) -> str:
        return "\n".join(task.text for task in self._amocrm.tasks_since([lead_id], since))

    def _show_link(self, state: MeetingState, lead: Lead, calls: ClientCalls) -> MeetingState:
        """The field holds the link of a call that stands; what a person has put there instead is left alone."""
        if not calls.link_field or state.link == state.link_shown:
            return state
        standing = lead.filled(calls.link_field)
        shown = str(standing.values[0].get("value", "")) if standing else ""
        if state.link:
            value = FieldValue(calls.link_field, "", "url", ({"value": state.link},))
            self._refusals(self._amocrm.change_leads([LeadChange(lead.id, fields=(value,))]).refused)
        elif shown == state.link_shown:
            change = LeadChange(lead.id, clear_fields=(calls.link_field,))
            self._refusals(self._amocrm.change_leads([change]).refused)
        return replace(state, link_shown=state.link)

    def _follow(self, state: MeetingState, card: Card, calls: ClientCalls) -> MeetingState:
        """amoCRM gets the time to which a person has moved the meeting in the calendar."""
        if state.follow is None or state.is_followed:
            return state
        if card.is_of_stage and card.lead is not None and calls.stage is not None:
            seconds = int(state.follow.timestamp())
            value = FieldValue(calls.stage.field, "", "date_time", ({"value": seconds},))
            self._refusals(self._amocrm.change_leads([LeadChange(card.lead.id, fields=(value,))]).refused)
        elif card.task is not None and not card.task.is_completed and card.task.complete_till != state.follow:
            change = TaskChange(card.task.id, complete_till=state.follow)
            self._refusals(self._amocrm.change_tasks([change]).refused)
        return replace(state, is_followed=True)

    def _hand_over_task(self, state: MeetingState, card: Card) -> None:
        """The task lies with whoever talks to the client; it stayed behind where his lead went on, or was a robot's."""
        task = card.task
        if task is None or task.is_completed or not state.event_id or task.responsible_user_id == state.manager:
            return
        change = TaskChange(task.id, responsible_user_id=state.manager)
        self._refusals(self._amocrm.change_tasks([change]).refused)

    def _refusals(self, refused: dict[int, str]) -> None:
        """amoCRM's final no to a text or a field: nothing is gained by asking again."""
        for lead_id, reason in refused.items():
            self._telemetry.warning("card_not_written", lead_id=lead_id, reason=reason)
        self._telemetry.count("CardNotWritten", len(refused))


def is_all_told(state: MeetingState, calls: ClientCalls) -> bool:
    """Whether the card says everything."""
    is_link_shown = not calls.link_field or state.link == state.link_shown
    return not state.outbox and (state.follow is None or state.is_followed) and is_link_shown
