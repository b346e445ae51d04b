"""Other leads of the same client, found by his contact, his phones and his e-mails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from functions.shared.crm import Contact, Lead
from functions.shared.identity import Handle, Likeness, handles, likeness, names_agree
from functions.shared.ports import AmoCrm

LEADS_OF_A_CLIENT = 250
"""The latest leads of a client tell who works with him, one page of them; a wholesale buyer may have thousands. Fewer
would let an outbreak of duplicates hide the lead that they belong to."""

HANDLES_OF_A_CLIENT = 10
"""Phones and e-mails that are searched for: a card with more of them is somebody's address book."""


@dataclass(frozen=True)
class Twin:
    """Another lead of what seems to be the same client. `sure` where the main contacts of both leads are alike and
    their names do not differ: who merely stands on the card too (an agent, a dealer) does so on many clients' cards."""

    lead: Lead
    why: Likeness
    sure: bool


@dataclass
class Clients:
    """Who stands behind some leads: their contacts by id, and the twins by lead id, the latest change first. Leads that
    are missing in `twins` were not looked at."""

    contacts: dict[int, Contact] = field(default_factory=dict)
    twins: dict[int, list[Twin]] = field(default_factory=dict)


class TwinSearch:
    """`country` is where phones without a country code are from (Department.country)."""

    def __init__(self, amocrm: AmoCrm, country: str) -> None:
        self._amocrm = amocrm
        self._country = country

    def clients(self, leads: Collection[Lead], requests: int) -> Clients:
        """Look for the twins of these leads: lists cost a request per 250, and every phone or e-mail, and every contact
        hidden in «Неразобранное», one more; at most `requests` of the latter kind, after which leads are left out.

        A client whose main contact already has another open lead is not searched for by phone.
        """
        contact_ids = {contact for lead in leads for contact in lead.contacts}
        found = Clients(self._amocrm.contacts(contact_ids) if contact_ids else {})
        hidden = sorted(contact_ids - found.contacts.keys())
        unread = frozenset(hidden[max(0, requests) :])
        requests = self._uncover(hidden[: max(0, requests)], found, requests)
        known = self._more_leads({lead.id: lead for lead in leads}, found.contacts.values())
        holders = self._holders(found.contacts.values())
        alike: dict[int, list[Contact]] = {}
        for lead in sorted(leads, key=lambda each: each.id):
            own = [found.contacts[contact] for contact in lead.contacts if contact in found.contacts]
            wanted = [] if _has_open(own, lead, known) else self._handles(own)[:HANDLES_OF_A_CLIENT]
            if not unread.isdisjoint(lead.contacts) or len(wanted) > requests:
                continue
            requests -= len(wanted)
            others = {c.id: c for handle in wanted for c in self._amocrm.contacts_with(handle.search_text)}
            others |= {c.id: c for handle in wanted for c in holders[handle]}
            alike[lead.id] = [*own, *(c for c in others.values() if c.id not in lead.contacts)]
        known = self._more_leads(known, [contact for contacts in alike.values() for contact in contacts])
        for lead in leads:
            if lead.id in alike:
                found.twins[lead.id] = self._twins(lead, found.contacts, alike[lead.id], known)
        return found

    def among(self, pairs: Sequence[tuple[Lead, Collection[int]]]) -> dict[int, list[Twin]]:
        """Which of the named leads are twins of a lead: looked at again, but not searched for. By lead id."""
        others = self._amocrm.leads({other for _, others in pairs for other in others})
        contact_ids = {
            contact for lead in (*(lead for lead, _ in pairs), *others.values()) for contact in lead.contacts
        }
        contacts = self._amocrm.contacts(contact_ids) if contact_ids else {}
        found = {}
        for lead, named in pairs:
            alike = [contacts[c] for other in named if other in others for c in others[other].contacts if c in contacts]
            twins = self._twins(lead, contacts, alike, {other: others[other] for other in named if other in others})
            found[lead.id] = twins
        return found

    def _uncover(self, hidden: Collection[int], found: Clients, requests: int) -> int:
        """Contacts of items in «Неразобранное» show in no list, but each can be read alone."""
        for contact_id in hidden:
            requests -= 1
            contact = self._amocrm.contact(contact_id)
            if contact is not None:
                found.contacts[contact_id] = contact
        return requests

    def _handles(self, contacts: Iterable[Contact]) -> list[Handle]:
        """Those of the first contact first."""
        found = (handle for contact in contacts for handle in sorted(handles(contact, self._country), key=str))
        return list(dict.fromkeys(found))

    def _holders(self, contacts: Collection[Contact]) -> dict[Handle, list[Contact]]:
        """Who of these has a phone or an e-mail: two requests of one client in «Неразобранное» find each other only
        here, for no search shows their contacts."""
        holders: dict[Handle, list[Contact]] = {}
        for contact in contacts:
            for handle in handles(contact, self._country):
                holders.setdefault(handle, []).append(contact)
        return holders

    def _more_leads(self, known: Mapping[int, Lead], contacts: Collection[Contact]) -> dict[int, Lead]:
        """The known leads and the latest ones of these contacts."""
        ids = {lead_id for contact in contacts for lead_id in sorted(contact.leads)[-LEADS_OF_A_CLIENT:]} - known.keys()
        return {**known, **(self._amocrm.leads(ids) if ids else {})}

    def _twins(
        self, lead: Lead, own: Mapping[int, Contact], alike: Collection[Contact], known: Mapping[int, Lead]
    ) -> list[Twin]:
        mine = [own[contact] for contact in lead.contacts if contact in own]
        twins: dict[int, Twin] = {}
        for contact in alike:
            for me in mine:
                why = likeness(me, contact, self._country)
                if why is None:
                    continue
                may_be_sure = _is_main(me, lead) and (
                    why is Likeness.SAME_CONTACT or names_agree(me.name, contact.name)
                )
                for other in (known[lead_id] for lead_id in contact.leads if lead_id != lead.id and lead_id in known):
                    sure = may_be_sure and _is_main(contact, other)
                    if not _is_better(twins.get(other.id), why, sure):
                        twins[other.id] = Twin(other, why, sure)
        return sorted(twins.values(), key=lambda twin: (twin.lead.updated_at, twin.lead.id), reverse=True)


def _has_open(contacts: Collection[Contact], lead: Lead, known: Mapping[int, Lead]) -> bool:
    """Whether the main contact is the main contact of another open lead."""
    others = (
        known[lead_id]
        for contact in contacts
        if _is_main(contact, lead)
        for lead_id in contact.leads
        if lead_id != lead.id and lead_id in known
    )
    return any(other.contacts[:1] == lead.contacts[:1] and not other.is_closed for other in others)


def _is_main(contact: Contact, lead: Lead) -> bool:
    return lead.contacts[:1] == (contact.id,)


def _is_better(standing: Twin | None, why: Likeness, sure: bool) -> bool:
    order = list(Likeness)
    return standing is not None and (standing.sure, -order.index(standing.why)) >= (sure, -order.index(why))
