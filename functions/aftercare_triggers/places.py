"""Where clients are in amoCRM at this moment: their card in aftercare, and who has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from functions.aftercare_triggers.sight import Sight
from functions.shared.care import Client
from functions.shared.crm import Contact, Lead
from functions.shared.department import AFTERCARE
from functions.shared.ports import AmoCrm


@dataclass(frozen=True)
class Place:
    """`lead_id` is the client's open card in aftercare (0: none), `leads` are all his leads, `owners` the users who
    have him in amoCRM, the card's before the contact's."""

    lead_id: int
    owners: tuple[int, ...] = ()
    leads: tuple[int, ...] = ()


class Places:
    def __init__(self, sight: Sight, amocrm: AmoCrm) -> None:
        self._sight = sight
        self._amocrm = amocrm

    def of(self, clients: Iterable[Client]) -> dict[int, Place]:
        """One whose contact is gone is missing."""
        rows = {client.id: client for client in clients}
        contacts = self._contacts(rows)
        wanted = {lead_id for contact in contacts.values() for lead_id in contact.leads}
        leads = self._amocrm.leads(sorted(wanted)) if wanted else {}
        return {contact_id: self._place(rows[contact_id], contact, leads) for contact_id, contact in contacts.items()}

    def _contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        """Lists may lag: who is missing there is asked for alone."""
        found = self._amocrm.contacts(sorted(ids))
        alone = ((contact_id, self._amocrm.contact(contact_id)) for contact_id in sorted(set(ids) - found.keys()))
        return found | {contact_id: contact for contact_id, contact in alone if contact is not None}

    def _place(self, client: Client, contact: Contact, leads: Mapping[int, Lead]) -> Place:
        pipelines = [each.id for each in self._sight.department.pipelines if each.role == AFTERCARE]
        of_client = [leads[lead_id] for lead_id in contact.leads if lead_id in leads]
        cards = [lead for lead in of_client if lead.pipeline_id in pipelines and not lead.is_closed]
        card = max(cards, key=lambda lead: (lead.id == client.lead_id, lead.id), default=None)
        owners = (card.responsible_user_id if card else 0, contact.responsible_user_id)
        return Place(card.id if card else 0, owners, contact.leads)
