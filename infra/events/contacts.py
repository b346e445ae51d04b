"""All contacts of amoCRM at once: who is behind a phone or an e-mail, and the dates in their fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from functions.aftercare_triggers.contacts import Contacts
from functions.aftercare_triggers.sight import Sight
from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.crm import Contact

PAGE = 250
"""The most that amoCRM gives (amoCRM API: limits)."""


def all_contacts(client: AmoCrmClient) -> list[Contact]:
    """Page by page, by id, so that one that is changed meanwhile is not missed; as many pages as there are, where the
    functions' own lists are cut. Raises what the client raises."""
    found: list[Contact] = []
    for number in count(1):
        body = client.get("contacts", [("order[id]", "asc"), ("page", number), ("limit", PAGE)]) or {}
        found += map(reading.contact, (body.get("_embedded") or {}).get("contacts") or [])
        if "next" not in (body.get("_links") or {}):
            break
    return found


def learn_all(
    contacts: Contacts, sight: Sight, found: Sequence[Contact], told: Callable[[int], None] = lambda _: None
) -> set[int]:
    """Everybody is known before anybody gets the facts that waited: a phone of two is nobody's, whoever comes first.
    Returns the clients of whom something new is known; may be repeated after any crash. Raises RetryLater."""
    for contact in found:
        contacts.know(contact, sight)
        told(1)
    return {contact.id for contact in found if contacts.says_more(contact, sight)}
