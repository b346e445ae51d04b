"""Reading again what the hints speak of, and never believing a list that is older than what we know."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from functions.qualify_router.intake import Hint
from functions.qualify_router.state import LeadState
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.ports import AmoCrm

READ_ALONE = 20
"""More leads than this are not read one by one in one run: the others come back later."""


class Reader:
    def __init__(self, amocrm: AmoCrm) -> None:
        self._amocrm = amocrm

    def leads(
        self,
        lead_ids: Collection[int],
        hints: Mapping[int, Hint],
        states: Mapping[int, LeadState],
        department: Department,
    ) -> tuple[dict[int, Lead], set[int]]:
        """The leads that exist, and the ids about which nothing can be said yet; all others are gone.

        Lists lag: a lead that they lack, or show as it was before our last write or before the hook, is read alone. So
        is one whose step was begun by another run.
        """
        found = self._amocrm.leads(lead_ids) if lead_ids else {}
        doubtful = [
            lead_id
            for lead_id in sorted(lead_ids)
            if lead_id not in found or _is_stale(found[lead_id], hints[lead_id], states[lead_id], department)
        ]
        for lead_id in doubtful[:READ_ALONE]:
            lead = self._amocrm.lead(lead_id)
            if lead is not None:
                found[lead_id] = lead
            else:
                found.pop(lead_id, None)
        later = set(doubtful[READ_ALONE:])
        return {lead_id: lead for lead_id, lead in found.items() if lead_id not in later}, later


def _is_stale(lead: Lead, hint: Hint, state: LeadState, department: Department) -> bool:
    if state.pending is not None or (hint.said_at is not None and lead.updated_at < hint.said_at):
        return True
    last = state.last
    if last is None or lead.updated_at > last.seen_at:
        return False
    return department.place(lead.pipeline_id, lead.status_id) == last.seen
