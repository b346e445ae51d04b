"""Who sets to work on a client, and on which card: read from amoCRM at the last moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from functions.aftercare_triggers.sight import Sight
from functions.shared.adapters.dynamodb.care_counts import CareCounts
from functions.shared.care import Client
from functions.shared.crm import Contact, Lead
from functions.shared.department import AFTERCARE, Member
from functions.shared.ports import AmoCrm


@dataclass(frozen=True)
class Place:
    """`lead_id` is the client's open card in aftercare (0: none), `leads` all his leads, `manager` who has him (0: he
    is nobody's, so whoever is next)."""

    lead_id: int
    manager: int
    leads: tuple[int, ...] = ()


class Managers:
    """Those who can take a task now; made anew for each run. Of several the one with the fewest tasks today, for his
    weight, is next."""

    def __init__(self, sight: Sight, amocrm: AmoCrm, counts: CareCounts) -> None:
        active = {user.id for user in amocrm.users() if user.is_active}
        self._sight = sight
        self._amocrm = amocrm
        self._able = [each for each in sight.team.members if each.user_id in active and not each.paused]
        self._head = sight.department.head if sight.department.head in active else None
        self._load = Counter(counts.tasks_of(sight.today.isoformat()))

    def places(self, clients: Iterable[Client]) -> dict[int, Place]:
        """Where each client is; one whose contact is gone is missing."""
        rows = {client.id: client for client in clients}
        contacts = self._contacts(rows)
        wanted = {lead_id for contact in contacts.values() for lead_id in contact.leads}
        leads = self._amocrm.leads(sorted(wanted)) if wanted else {}
        return {contact_id: self._place(rows[contact_id], contact, leads) for contact_id, contact in contacts.items()}

    def manager_of(self, place: Place, client: Client, assign: str) -> int | None:
        """His manager, else who is next; None: nobody can take anything now."""
        if assign == "head" and self._head is not None:
            return self._head
        for user_id in (place.manager, client.manager):
            if any(member.user_id == user_id for member in self._able):
                return user_id
        chosen = min(self._able, key=self._turn, default=None)
        if chosen is None:
            return self._head
        self._load[chosen.user_id] += 1
        return chosen.user_id

    def _turn(self, member: Member) -> tuple[bool, Fraction, int]:
        is_away = not member.hours.is_open(self._sight.now, member.timezone)
        return is_away, self._load[member.user_id] / member.weight, member.user_id

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
        known = [card.responsible_user_id if card else 0, contact.responsible_user_id]
        manager = next((user_id for user_id in known if self._sight.team.member(user_id)), 0)
        return Place(card.id if card else 0, manager, contact.leads)
