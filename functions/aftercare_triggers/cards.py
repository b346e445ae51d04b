"""What amoCRM's cards in aftercare say of clients: into which stage each was put."""

from __future__ import annotations

from collections.abc import Collection

from functions.aftercare_triggers.intake import SOURCE
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared.crm import Lead
from functions.shared.department import AFTERCARE, Place
from functions.shared.facts import STAGE_ENTERED, Fact
from functions.shared.ports import AmoCrm


class Cards:
    def __init__(self, amocrm: AmoCrm, stores: Stores) -> None:
        self._amocrm = amocrm
        self._stores = stores

    def facts(self, sight: Sight, lead_ids: Collection[int]) -> list[Fact]:
        """Where these cards have come to, as far as nobody knew: facts of their main contacts, not stored yet. Others'
        pipelines are nothing to aftercare. Raises RetryLater, AmoCrmError."""
        found = []
        for lead in self._amocrm.leads(sorted(lead_ids)).values():
            place = sight.department.place(lead.pipeline_id, lead.status_id)
            if place is not None and place.role == AFTERCARE and lead.contacts:
                found += self._entered(sight, lead, place)
        return found

    def _entered(self, sight: Sight, lead: Lead, place: Place) -> list[Fact]:
        """Numbered, so that the same stage may be entered again, but one entering is told once."""
        client_id = lead.contacts[0]
        _, facts = self._stores.clients.wake_view(client_id, sight.now, consistent=True)
        own = [fact for fact in facts if fact.type == STAGE_ENTERED and fact.data.get("lead_id") == lead.id]
        newest = max(own, key=lambda fact: fact.time, default=None)
        data = {"lead_id": lead.id, "pipeline": place.role, "stage": place.stage}
        if newest is not None and newest.data == data:
            return []
        name = f"card#{lead.id}#{len(own) + 1}"
        return [Fact(client_id, SOURCE, name, STAGE_ENTERED, sight.now, sight.now, data=data)]
