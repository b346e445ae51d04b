"""When two contacts are the same client."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.crm import Contact
from functions.shared.identity import Handle, Likeness, email, handles, likeness, names_agree, phone

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def contact(contact_id: int, name: str = "", phones: tuple[str, ...] = (), emails: tuple[str, ...] = ()) -> Contact:
    return Contact(contact_id, 0, NOW, name=name, phones=phones, emails=emails)


@pytest.mark.parametrize(
    "typed",
    [
        "8 (999) 123-45-67",
        "+79991234567",
        "79991234567",
        "9991234567",
        "8-999-123-45-67",
        "+7 999 123-45-67 доб. 12",
        "8 999 123 45 67 ext. 5",
        "+7 (999) 123-45-67 #12",
        "тел. 8 999 123 45 67",
        "tel:+7-999-123-45-67",
        "\u00a08\u2009999\u2011123\u201145\u201167 ",
        "TEL: 8(999)1234567",
        "007 999 123-45-67",
        "00 7 (999) 123-45-67",
        "8 10 7 999 123-45-67",
    ],
)
def test_a_phone_is_the_same_however_it_was_typed(typed):
    assert phone(typed, "RU") == "+79991234567"


@pytest.mark.parametrize("typed", ["333", "", "+", "нет", "доб. 12", "12-34", "123-45-67", "0" * 30, "112", "8" * 5])
def test_what_cannot_be_a_whole_number_is_none(typed):
    """Seven digits are a number in every town: two clients who left only those are not one."""
    assert phone(typed, "RU") is None


@pytest.mark.parametrize(
    ("country", "typed", "number", "sought"),
    [
        ("RU", "8 (999) 123-45-67", "+79991234567", "9991234567"),
        ("KZ", "8 701 123 45 67", "+77011234567", "7011234567"),
        ("BY", "8 029 123-45-67", "+375291234567", "291234567"),
        ("MD", "069 123 456", "+37369123456", "69123456"),
        ("DE", "0151 23456789", "+4915123456789", "15123456789"),
        ("IT", "06 1234 5678", "+390612345678", "0612345678"),
        ("RU", "+375 29 123-45-67", "+375291234567", "291234567"),
    ],
)
def test_a_phone_is_sought_by_the_digits_that_stand_in_every_spelling_of_it(country, typed, number, sought):
    assert phone(typed, country) == number
    text = Handle(Likeness.PHONE, number).search_text
    assert text == sought
    for spelling in (typed, number):
        assert text in "".join(filter(str.isdigit, spelling))


@pytest.mark.parametrize(
    "typed",
    [
        "0000000000",
        "1111111111",
        "+70000000000",
        "8 (000) 000-00-00",
        "1234567890",
        "+7 (123) 456-78-90",
        "0123456789",
        "9876543210",
        "+7 999 999-99-99",
        "8 900 000 00 00",
        "89111111111",
        "007 000 000 00 00",
    ],
)
def test_what_is_typed_to_fill_the_field_is_nobodys_phone(typed):
    assert phone(typed, "RU") is None
    assert likeness(contact(1, "Анна", (typed,)), contact(2, "Анна", (typed,)), "RU") is None


@pytest.mark.parametrize(("country", "typed"), [("DE", "0000000"), ("US", "(111) 111-1111"), ("BY", "+375 000000000")])
def test_fillers_are_nobodys_phone_in_other_countries_too(country, typed):
    assert phone(typed, country) is None


@pytest.mark.parametrize("typed", ["+7 999 000-00-00", "8 (495) 777-77-77", "+7 912 345-67-89", "8 800 555-35-35"])
def test_a_number_that_is_merely_easy_to_remember_is_a_phone(typed):
    assert phone(typed, "RU")


@pytest.mark.parametrize(("country", "typed"), [("UA", "123-45-67"), ("US", "555-1234")])
def test_a_number_without_its_town_is_none_in_other_countries_too(country, typed):
    assert phone(typed, country) is None


@given(st.text(max_size=40), st.sampled_from(["RU", "KZ", "US", "DE"]))
def test_anything_may_stand_in_a_phone(text, country):
    number = phone(text, country)
    assert number is None or (number.startswith("+") and phone(number, country) == number)


MOBILE = st.integers(9_000_000_000, 9_999_999_999).filter(lambda digits: len(set(str(digits)[1:])) > 1)


@given(MOBILE, st.sampled_from(["+7{}", "8{}", "7{}", "8 ({})", "+7 {} доб 7"]))
def test_every_mobile_number_has_one_spelling(digits, spelling):
    assert phone(spelling.format(digits), "RU") == f"+7{digits}"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("a.n.n.a+site@gmail.com", "a.n.n.a+site@gmail.com"),
        ("анна@почта.рф", "анна@почта.рф"),
        ("anna", None),
        ("anna@example", None),
        ("anna@example.com, b@example.com", None),
        ("mailto:Anna@Example.com", "anna@example.com"),
        ("info@oknaplus.example", "info@oknaplus.example"),
        ("mail@oknaplus.example", "mail@oknaplus.example"),
        ("ivanov@ivanov.ru", "ivanov@ivanov.ru"),
        ("", None),
    ],
)
def test_an_email_is_compared_in_lower_case_and_what_is_no_address_is_none(typed, key):
    assert email(typed) == key


@pytest.mark.parametrize(
    "typed",
    [
        "no@no.ru",
        "test@test.ru",
        "test@mail.ru",
        "mail@mail.ru",
        "email@email.com",
        "none@none.com",
        "none@oknaplus.example",
        "No-Email@client.ru",
        "нет@нет.рф",
        "noreply@avito.ru",
        "a@a.ru",
        "123@123.ru",
        "1@1.com",
        "mailto:no@no.ru",
    ],
)
def test_what_is_typed_to_fill_the_field_is_nobodys_email(typed):
    assert email(typed) is None
    assert likeness(contact(1, "Анна", (), (typed,)), contact(2, "Анна", (), (typed,)), "RU") is None


BOTH = {"+79991234567", "+79125556677"}


@pytest.mark.parametrize(
    "typed",
    [
        "+7 999 123-45-67, 8 912 555-66-77",
        "8 (999) 123-45-67; 8 (912) 555-66-77",
        "89991234567 / 89125556677",
        "89991234567/89125556677",
        "+79991234567 +79125556677",
        "8 999 123 45 67\n8 912 555 66 77",
        "8 999 123-45-67 или 8 912 555-66-77",
        "8 999 123-45-67 (мама), 8 912 555-66-77 доб. 12, нет",
        "tel:+79991234567; 0000000000; 8 912 555 66 77",
    ],
)
def test_several_phones_in_one_value_are_all_handles(typed):
    assert {handle.value for handle in handles(contact(1, phones=(typed,)), "RU")} == BOTH


@pytest.mark.parametrize(
    ("country", "typed", "number"),
    [
        ("DE", "0151/23456789", "+4915123456789"),
        ("DE", "030 / 12 34 56 78", "+493012345678"),
        ("RU", "+7 999 123-45-67 / 68", "+79991234567"),
        ("RU", "8 999 123-45-67, Анна", "+79991234567"),
        ("RU", "8 999 123-45-67, доб. 12", "+79991234567"),
    ],
)
def test_what_else_stands_in_a_value_makes_no_second_phone(country, typed, number):
    assert {handle.value for handle in handles(contact(1, phones=(typed,)), country)} == {number}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mailto:A@x.ru", {"a@x.ru"}),
        ("a@x.ru; b@x.ru", {"a@x.ru", "b@x.ru"}),
        ("a@x.ru, b@x.ru", {"a@x.ru", "b@x.ru"}),
        ("a@x.ru b@x.ru", {"a@x.ru", "b@x.ru"}),
        ("a@x.ru/b@x.ru", {"a@x.ru", "b@x.ru"}),
        ("Иван <a@x.ru>", {"a@x.ru"}),
        ('"Иванов, Иван" <mailto:a@x.ru>, b@x.ru.', {"a@x.ru", "b@x.ru"}),
        ("a@x.ru (рабочая)", {"a@x.ru"}),
        ("mailto:a@x.ru?subject=Заказ", {"a@x.ru"}),
        ("a@x.ru; no@no.ru", {"a@x.ru"}),
        ("пишите: @anna", set()),
    ],
)
def test_every_email_of_a_value_is_a_handle(typed, found):
    assert {handle.value for handle in handles(contact(1, emails=(typed,)), "RU")} == found


@given(st.text(max_size=60))
def test_anything_may_stand_in_the_fields_of_a_contact(text):
    for handle in handles(contact(1, phones=(text,), emails=(text,)), "RU"):
        again = (
            contact(2, phones=(handle.value,)) if handle.kind is Likeness.PHONE else contact(2, emails=(handle.value,))
        )
        assert handles(again, "RU") == {handle}


def test_handles_are_what_can_be_compared():
    client = contact(1, phones=("8 999 123-45-67", "+79991234567", "333"), emails=("A@b.example", "нет"))
    assert handles(client, "RU") == {
        Handle(Likeness.PHONE, "+79991234567"),
        Handle(Likeness.EMAIL, "a@b.example"),
    }
    assert Handle(Likeness.EMAIL, "a@b.example").search_text == "a@b.example"


def test_a_contact_is_like_itself_and_a_phone_says_more_than_an_email():
    one = contact(1, phones=("8 999 123-45-67",), emails=("a@b.example",))
    assert likeness(one, one, "RU") is Likeness.SAME_CONTACT
    assert likeness(one, contact(2, phones=("+79991234567",), emails=("A@B.example",)), "RU") is Likeness.PHONE
    assert likeness(one, contact(2, phones=("+79990000000",), emails=("A@B.example",)), "RU") is Likeness.EMAIL
    assert likeness(one, contact(2, phones=("+79990000000",)), "RU") is None


def test_nobody_is_like_another_by_what_is_no_number():
    assert likeness(contact(1, phones=("333",)), contact(2, phones=("333",)), "RU") is None
    assert likeness(contact(1), contact(2), "RU") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Анна", "Анна Иванова"),
        ("иванова АННА", "Анна Иванова"),
        ("Алёна", "Алена"),
        (unicodedata.normalize("NFD", "Андрей Алёхин"), "Андрей Алёхин"),
        ("", "Анна"),
        ("+7 999 123-45-67", "Анна"),
        ("Иванова, Анна", "Анна"),
        ("Иван Иванов (монтаж)", "Иванов Иван"),
        ("Без имени", "Анна"),
        ("Unknown", "Анна"),
        ("Новый контакт", "Анна Иванова"),
        ("Неизвестно", "Анна"),
        ("Клиент", "Анна"),
        ("Анна (новый клиент)", "Анна Иванова"),
        ("Клиент", "Без имени"),
    ],
)
def test_names_agree_when_the_shorter_stands_in_the_longer(one, other):
    assert names_agree(one, other)
    assert names_agree(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Анна Иванова", "Пётр Иванов"),
        ("Анна", "Пётр"),
        ("Анна Иванова", "Анна Петрова"),
        ("Аня", "Анна"),
        ("Клиент Анна", "Пётр"),
    ],
)
def test_other_names_raise_a_doubt(one, other):
    assert not names_agree(one, other)
    assert not names_agree(other, one)
