"""When are two contacts the same client? Pure.

Phones and e-mails are compared in one spelling (E.164, lower case); names only ever raise a doubt: a family shares a
phone, a firm an e-mail.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from functions.shared.crm import Contact


class Likeness(StrEnum):
    """Why two leads seem to be one client's; `person`: somebody said so by moving the card."""

    SAME_CONTACT = "same_contact"
    PHONE = "phone"
    EMAIL = "email"
    PERSON = "person"


@dataclass(frozen=True)
class Handle:
    """A phone (+79991234567) or an e-mail in the one spelling."""

    kind: Likeness
    value: str

    @property
    def search_text(self) -> str:
        """What finds it in amoCRM however it was typed: a phone without what stands before the number in its own
        country, for a Russian one its last ten digits (amoCRM API: contacts, search)."""
        if self.kind is not Likeness.PHONE:
            return self.value
        import phonenumbers

        return phonenumbers.national_significant_number(phonenumbers.parse(self.value))


def phone(text: str, country: str) -> str | None:
    """E.164, or None for what cannot be a whole number ("333" is a legal phone in amoCRM, and 123-45-67 is another
    client's in every town). `country` (ISO 3166) is where a number without a country code is from; extensions do not
    count."""
    import phonenumbers

    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), country)  # thin spaces are spaces
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(text: str) -> str | None:
    """Lower case, or None for what is no address. Dots and +tags stay: only some providers ignore them."""
    address = text.strip().casefold()
    return address if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", address) else None


def handles(contact: Contact, country: str) -> frozenset[Handle]:
    """Everything by which the contact can be found again."""
    phones = {Handle(Likeness.PHONE, key) for text in contact.phones if (key := phone(text, country))}
    emails = {Handle(Likeness.EMAIL, key) for text in contact.emails if (key := email(text))}
    return frozenset(phones | emails)


def likeness(one: Contact, other: Contact, country: str) -> Likeness | None:
    """By what two contacts look like the same client; a phone says more than an e-mail."""
    if one.id == other.id:
        return Likeness.SAME_CONTACT
    common = {handle.kind for handle in handles(one, country) & handles(other, country)}
    return next((kind for kind in (Likeness.PHONE, Likeness.EMAIL) if kind in common), None)


def names_agree(one: str, other: str) -> bool:
    """Whether two names can be one person's: all words of the shorter stand in the longer. A name without letters
    (a number, nothing) agrees with every other."""
    first, second = _words(one), _words(other)
    return first <= second or second <= first


def _words(name: str) -> frozenset[str]:
    """Some phones write й and ё as two characters, which NFKC makes one again."""
    spelt = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е")
    return frozenset(re.findall(r"[^\W\d_]+", spelt))
