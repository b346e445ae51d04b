"""Reading again what the hints speak of, and never believing a list that is older than what we know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from functions.qualify_router.intake import Hint
from functions.qualify_router.routing import look
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.lead_state import LeadState
from functions.shared.limits import READ_ALONE
from functions.shared.ports import AmoCrm

LISTS_LAG = timedelta(minutes=1)
"""More than amoCRM's lists ever do."""


class Reader:
    def __init__(self, amocrm: AmoCrm) -> None:
        self._amocrm = amocrm

    def leads(
        self,
        lead_ids: Collection[int],
        hints: Mapping[int, Hint],
        states: Mapping[int, LeadState],
        department: Department,
        now: datetime,
    ) -> tuple[dict[int, Lead], set[int]]:
        """The leads that exist, and the ids about which nothing can be said yet; all others are gone.

        Lists lag: a lead that they lack, or show older than we have seen it, or as it may have been before our last
        write or before the hook, is read alone. So is one whose step was begun by another run.
        """
        found = self._amocrm.leads(lead_ids) if lead_ids else {}
        doubtful = [
            lead_id
            for lead_id in sorted(lead_ids)
            if lead_id not in found or _is_stale(found[lead_id], hints[lead_id], states[lead_id], department, now)
        ]
        for lead_id in doubtful[:READ_ALONE]:
            lead = self._amocrm.lead(lead_id)
            if lead is not None:
                found[lead_id] = lead
            else:
                found.pop(lead_id, None)
        later = set(doubtful[READ_ALONE:])
        return {lead_id: lead for lead_id, lead in found.items() if lead_id not in later}, later


def _is_stale(lead: Lead, hint: Hint, state: LeadState, department: Department, now: datetime) -> bool:
    """Whether we or a hook know better. Dates are whole seconds: of two changes in one a list may show the first."""
    sight = look(lead, department)
    place, answer = (sight.place, sight.answer) if sight else (None, "")
    said_at, seen_at = hint.said_at, state.seen_at
    if state.pending is not None or (seen_at is not None and lead.updated_at < seen_at):
        return True
    if place != state.place and (lead.updated_at == seen_at or _was_just_written(state, now)):
        return True
    if said_at is None or lead.updated_at > said_at:
        return False
    others = {hinted for hinted, moment in hint.places.items() if moment == said_at} - {place}
    return lead.updated_at < said_at or bool(others) or bool(hint.answers - {answer})


def _was_just_written(state: LeadState, now: datetime) -> bool:
    """Whether we have put the lead where we know it so lately that a list may show who was there before."""
    is_ours = state.last is not None and state.place == state.last.to
    return is_ours and state.entered_at is not None and now - state.entered_at < LISTS_LAG
