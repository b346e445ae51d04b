"""What amoCRM's contacts say of clients: who is behind a phone or an e-mail, and the dates that rules count from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.intake import SOURCE
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared.crm import Contact, FieldValue
from functions.shared.facts import PROFILE_UPDATED, Fact
from functions.shared.handle_hash import handle_hash
from functions.shared.identity import Likeness, handles
from functions.shared.ports import AmoCrm

DATES = frozenset({"date", "date_time", "birthday"})
CHOICES = frozenset({"select", "radiobutton", "checkbox", "numeric"})
"""Kinds of fields whose values rules may ask for. Texts are none: they may hold whatever people write of a client."""

BIRTHDAY = "birthday"
"""What the one field of this kind is called besides its name in amoCRM, so that presets find it in every account."""

_KINDS = {Likeness.PHONE: "phone", Likeness.EMAIL: "email"}


class Contacts:
    """`identity_key` gives the key of the hashes, None where the installation has none yet: then no source of facts
    could speak either."""

    def __init__(self, amocrm: AmoCrm, stores: Stores, identity_key: Callable[[], str | None]) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._identity_key = identity_key

    def learn(self, sight: Sight, seen: Mapping[int, datetime | None]) -> set[int]:
        """Read these contacts and keep what they say; facts that waited for somebody with such a phone become his.
        `seen` are their ids, with the time of the change that somebody told us of: an older version is read again, past
        the list. Returns the clients of whom something new is known. Raises RetryLater, AmoCrmError."""
        listed = self._amocrm.contacts(sorted(seen))
        changed = set()
        for contact_id, changed_at in seen.items():
            contact = listed.get(contact_id)
            if contact is None or (changed_at and contact.updated_at and contact.updated_at < changed_at):
                contact = self._amocrm.contact(contact_id)
            if contact is None:
                self._stores.identities.know(contact_id, (), SOURCE)
                continue
            self.know(contact, sight)
            if self.says_more(contact, sight):
                changed.add(contact_id)
        return changed

    def know(self, contact: Contact, sight: Sight) -> None:
        """From now on facts of his phones and e-mails are his, as far as they are nobody else's. Raises RetryLater."""
        if self._identity_key() is not None:
            self._stores.identities.know(contact.id, self._hashes(contact, sight), SOURCE)

    def says_more(self, contact: Contact, sight: Sight) -> bool:
        """Store what is new of somebody who is known: facts that waited for him, his profile. Whether there was any.
        Raises RetryLater."""
        return any([self._was_awaited(contact, sight), self._has_new_profile(contact, sight)])

    def _hashes(self, contact: Contact, sight: Sight) -> set[str]:
        key = self._identity_key()
        if key is None:
            return set()
        found = handles(contact, sight.department.country)
        return {handle_hash(key, f"{_KINDS[each.kind]}:{each.value}") for each in found}

    def _was_awaited(self, contact: Contact, sight: Sight) -> bool:
        """Whether facts were waiting for him."""
        identities = self._stores.identities
        owners = identities.clients_of(self._hashes(contact, sight))
        sure = sorted(hashed for hashed, clients in owners.items() if clients == {contact.id})
        put = self._stores.facts.put
        return bool([fact for hashed in sure for fact in identities.release(hashed, contact.id, put)])

    def _has_new_profile(self, contact: Contact, sight: Sight) -> bool:
        _, facts = self._stores.clients.wake_view(contact.id, sight.now)
        told = [fact for fact in facts if fact.key == (SOURCE, _profile_id(contact))]
        newest = max(told, key=lambda fact: fact.recorded or fact.received, default=None)
        data = profile_of(contact, sight.department.timezone)
        if data == (newest.data if newest else {}):
            return False
        recorded = contact.updated_at or sight.now
        fact = Fact(contact.id, SOURCE, _profile_id(contact), PROFILE_UPDATED, recorded, sight.now, recorded, data)
        return bool(self._stores.facts.put([fact]))


def profile_of(contact: Contact, zone: ZoneInfo) -> dict[str, Any]:
    """The contact's dates, choices and numbers by the names of their fields. Pure. `zone` is the account's: amoCRM
    gives a date as the instant of its midnight there (amoCRM API: custom fields)."""
    return dict(sorted(pair for field in contact.fields for pair in _values(field, zone)))


def _values(field: FieldValue, zone: ZoneInfo) -> Iterator[tuple[str, Any]]:
    value: Any = field.values[0].get("value")
    if field.kind in DATES:
        day = _day(value, zone)
        if day is not None:
            yield field.name, day
            if field.kind == BIRTHDAY:
                yield BIRTHDAY, day
    elif field.kind in CHOICES and isinstance(value, str | int | bool):
        yield field.name, value


def _day(value: object, zone: ZoneInfo) -> str | None:
    try:
        seconds = int(str(value))
        return datetime.fromtimestamp(seconds, UTC).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _profile_id(contact: Contact) -> str:
    return f"contact#{contact.id}"
