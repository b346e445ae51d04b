"""When are two contacts the same client? Pure.

Phones and e-mails are compared in one spelling (E.164, lower case); names only ever raise a doubt: a family shares a
phone, a firm an e-mail.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from functions.shared.crm import Contact

NO_ADDRESS = frozenset(
    {"no", "none", "net", "нет", "test", "тест", "unknown", "null", "undefined", "example"}
    | {"nomail", "no-mail", "no_mail", "noemail", "no-email", "no_email", "noreply", "no-reply", "no_reply"}
)
"""What stands before the @ where somebody had to fill the field, or a robot wrote: in whatever domain."""

POSTMAN = frozenset({"mail", "email", "e-mail", "почта"})
"""The same where the domain is called so too: mail@mail.ru is a filler, mail@firm.ru a firm's."""

NO_NAME = frozenset(
    {"без", "имени", "имя", "неизвестно", "неизвестный", "неизвестная", "новый", "новая", "контакт", "клиент"}
    | {"аноним", "гость", "no", "name", "noname", "nameless", "unknown", "new", "contact", "client", "customer"}
    | {"anonymous", "guest"}
)
"""Words of the names that amoCRM, its widgets and managers give to a client whose name they do not know."""


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
    client's in every town) or only fills the field (0000000000, 1234567890). `country` (ISO 3166) is where a number
    without a country code is from; extensions and remarks behind the number do not count."""
    spelt = unicodedata.normalize("NFKC", text)  # thin spaces are spaces
    return next(filter(None, (_whole_number(spelling, country) for spelling in _spellings(spelt))), None)


def email(text: str) -> str | None:
    """Lower case, or None for what is no address or only fills the field (no@no.ru). Dots and +tags stay: only some
    providers ignore them."""
    address = text.strip().casefold().removeprefix("mailto:")
    if not re.fullmatch(r"[^@\s]+@[^@\s,;:?<>()/|]+\.[^@\s.,;:?<>()/|]+", address):
        return None
    return None if _fills_the_field(address) else address


def handles(contact: Contact, country: str) -> frozenset[Handle]:
    """Everything by which the contact can be found again; people type several phones or e-mails into one value."""
    phones = {Handle(Likeness.PHONE, key) for text in contact.phones for key in _phones(text, country)}
    emails = {Handle(Likeness.EMAIL, key) for text in contact.emails for key in emails_in(text)}
    return frozenset(phones | emails)


def likeness(one: Contact, other: Contact, country: str) -> Likeness | None:
    """By what two contacts look like the same client; a phone says more than an e-mail."""
    if one.id == other.id:
        return Likeness.SAME_CONTACT
    common = {handle.kind for handle in handles(one, country) & handles(other, country)}
    return next((kind for kind in (Likeness.PHONE, Likeness.EMAIL) if kind in common), None)


def names_agree(one: str, other: str) -> bool:
    """Whether two names can be one person's: all words of the shorter stand in the longer. Who has no name (nothing, a
    number, «Без имени») agrees with everybody: a messenger tells his phone alone."""
    first, second = _words(one), _words(other)
    return first <= second or second <= first


def _spellings(text: str) -> Iterator[str]:
    """Ways to read a phone, the likeliest first: up to the first word behind the digits, which else would be dialled
    by its letters; as it stands; with 00 as the + of other countries."""
    before_words = re.match(r"\D*[\d\W_]*", text)
    if before_words:
        yield before_words[0]
    yield text
    yield re.sub(r"^[^\d+]*00\s*(?=[1-9])", "+", text)


def _whole_number(text: str, country: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if _is_filler(phonenumbers.national_significant_number(number)):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_filler(digits: str) -> bool:
    """One key held down (perhaps behind the first digit of a mobile number: 9000000000), or the keys in a row."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(digits)}
    return len(set(digits[1:])) == 1 or steps in ({1}, {9})


def _phones(text: str, country: str) -> set[str]:
    """A stroke or a comma may also stand within one number (0151/23456789), so only two whole numbers are two."""
    parts = re.split(r"[,;/|\n]|\s(?=\+)|\b(?:или|и|or)\b", text)
    found = {key for part in parts if (key := phone(part, country))}
    if len(found) > 1:
        return found
    whole = phone(text, country)
    return {whole} if whole else found


def emails_in(text: str) -> set[str]:
    """Of «Иван <a@x.ru>», `a@x.ru; b@x.ru` and the like."""
    words = (word.strip(".:'\"").partition("?")[0] for word in re.split(r"[\s,;<>()/|\"]+", text) if "@" in word)
    return {key for word in words if (key := email(word))}


def _fills_the_field(address: str) -> bool:
    """A person's own domain (ivanov@ivanov.ru) is none of these, a@a.ru and 123@123.ru are."""
    local, _, domain = address.partition("@")
    says_itself_twice = local == domain.partition(".")[0]
    return local in NO_ADDRESS or (says_itself_twice and (local in POSTMAN or len(local) <= 3))


def _words(name: str) -> frozenset[str]:
    """What is left of a name without fillers. Some phones write й and ё as two characters, which NFKC makes one."""
    spelt = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е")
    return frozenset(re.findall(r"[^\W\d_]+", spelt)) - NO_NAME
