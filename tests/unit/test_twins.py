"""Other leads of the same client: found, told why, and not at any price."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from functions.shared.crm import LOST, WON, Lead
from functions.shared.identity import Likeness
from functions.shared.twins import LEADS_OF_A_CLIENT, Clients, TwinSearch
from tests.fakes import ManualClock
from tests.fakes_amocrm import PIPELINE, FakeAmoCrm

SAME, PHONE, EMAIL = Likeness.SAME_CONTACT, Likeness.PHONE, Likeness.EMAIL


@pytest.fixture
def amocrm() -> FakeAmoCrm:
    return FakeAmoCrm(ManualClock())


def client(amocrm: FakeAmoCrm, name: str = "Анна", phone: str = "", email: str = "") -> int:
    return amocrm.add_contact(name=name, phones=[phone] if phone else [], emails=[email] if email else []).id


def lead_of(amocrm: FakeAmoCrm, *contacts: int, **values: int) -> Lead:
    amocrm.clock.advance(1)
    return amocrm.add_lead(contacts=contacts, **values)


def search(amocrm: FakeAmoCrm, *leads: Lead, requests: int = 100) -> Clients:
    amocrm.calls.clear()
    return TwinSearch(amocrm, "RU").clients(leads, requests)


def found(clients: Clients, lead: Lead) -> list[tuple[int, Likeness, bool]]:
    return [(twin.lead.id, twin.why, twin.sure) for twin in clients.twins[lead.id]]


def singles(amocrm: FakeAmoCrm) -> int:
    """Requests that are no lists."""
    return amocrm.calls["contact"] + amocrm.calls["contacts_with"]


def test_other_leads_of_the_same_contact_are_twins_the_latest_change_first(amocrm):
    anna = client(amocrm)
    first, second, lead = (lead_of(amocrm, anna) for _ in range(3))
    assert found(search(amocrm, lead), lead) == [(second.id, SAME, True), (first.id, SAME, True)]
    amocrm.clock.advance(1)
    amocrm.human_sets_price(first.id, 5)
    assert [twin.lead.id for twin in search(amocrm, lead).twins[lead.id]] == [first.id, second.id]


def test_a_client_alone_has_no_twins_and_one_without_contact_has_none_either(amocrm):
    alone, nobody = lead_of(amocrm, client(amocrm, phone="8 999 123-45-67")), lead_of(amocrm)
    assert search(amocrm, alone, nobody).twins == {alone.id: [], nobody.id: []}


def test_no_leads_are_no_request(amocrm):
    assert search(amocrm) == Clients()
    assert not amocrm.calls


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("8 (999) 123-45-67", "+79991234567"),
        ("+7 999 123-45-67 доб. 5", "9991234567"),
        ("79991234567", "8-999-1234567"),
    ],
)
def test_a_phone_is_found_however_it_was_typed(amocrm, mine, theirs):
    twin = lead_of(amocrm, client(amocrm, "Анна", theirs))
    lead = lead_of(amocrm, client(amocrm, "Анна Иванова", mine))
    assert found(search(amocrm, lead), lead) == [(twin.id, PHONE, True)]


def test_an_email_is_found_in_any_case(amocrm):
    twin = lead_of(amocrm, client(amocrm, email="Anna@Example.com"))
    lead = lead_of(amocrm, client(amocrm, email="anna@example.COM"))
    assert found(search(amocrm, lead), lead) == [(twin.id, EMAIL, True)]


def test_a_family_with_one_phone_is_a_doubt(amocrm):
    twin = lead_of(amocrm, client(amocrm, "Пётр Иванов", "+79991234567"))
    lead = lead_of(amocrm, client(amocrm, "Анна Иванова", "8 999 123 45 67"))
    assert found(search(amocrm, lead), lead) == [(twin.id, PHONE, False)]


def test_of_two_reasons_the_surer_counts_then_the_stronger(amocrm):
    """GIVEN a lead with two contacts that look like mine: the main one by phone and name, the other by its e-mail."""
    self_ = client(amocrm, "Анна", "+79991234567")
    wife = client(amocrm, "Ольга", email="anna@example.com")
    twin = lead_of(amocrm, self_, wife)
    lead = lead_of(amocrm, amocrm.add_contact(name="Анна", phones=["89991234567"], emails=["anna@example.com"]).id)
    assert found(search(amocrm, lead), lead) == [(twin.id, PHONE, True)]
    amocrm.human_edits_contact(self_, name="Пётр")
    assert found(search(amocrm, lead), lead) == [(twin.id, PHONE, False)]
    amocrm.human_edits_contact(self_, phones=["+79995550000"], emails=["anna@example.com"], name="Анна")
    assert found(search(amocrm, lead), lead) == [(twin.id, EMAIL, True)]


# --- a contact that is not the main one: an agent, a dealer, a wife


def test_an_agent_on_two_cards_makes_no_one_client_of_them(amocrm):
    agent = client(amocrm, "Агент", "+79995550000")
    first = lead_of(amocrm, client(amocrm, "Борис", "+79990000001"), agent)
    lead = lead_of(amocrm, client(amocrm, "Анна", "+79990000002"), agent)
    assert found(search(amocrm, lead), lead) == [(first.id, SAME, False)]


@pytest.mark.parametrize("is_main_on_mine", [False, True])
def test_who_is_the_main_contact_of_one_card_only_is_a_doubt(amocrm, is_main_on_mine):
    anna, boris = client(amocrm, "Анна"), client(amocrm, "Борис")
    first = lead_of(amocrm, *([boris, anna] if is_main_on_mine else [anna]))
    lead = lead_of(amocrm, *([anna] if is_main_on_mine else [boris, anna]))
    assert found(search(amocrm, lead), lead) == [(first.id, SAME, False)]


def test_the_main_contact_of_both_is_sure_whoever_else_is_on_the_cards(amocrm):
    anna, agent = client(amocrm, "Анна"), client(amocrm, "Агент")
    first, lead = lead_of(amocrm, anna, agent), lead_of(amocrm, anna)
    assert found(search(amocrm, lead), lead) == [(first.id, SAME, True)]


@pytest.mark.parametrize("key", [{"phone": "+79991234567"}, {"email": "agent@oknaplus.example"}])
@pytest.mark.parametrize("side", ["mine", "theirs", "both"])
def test_a_phone_or_an_email_of_a_second_contact_is_a_doubt(amocrm, key, side):
    agents = [client(amocrm, "Агент", **key) for _ in range(2)]
    before = [client(amocrm, "Борис")] if side in ("theirs", "both") else []
    mine = [client(amocrm, "Анна")] if side in ("mine", "both") else []
    first, lead = lead_of(amocrm, *before, agents[0]), lead_of(amocrm, *mine, agents[1])
    (twin,) = search(amocrm, lead).twins[lead.id]
    assert (twin.lead.id, twin.sure) == (first.id, False)


def test_the_open_lead_of_an_agent_does_not_spare_the_search_for_the_client(amocrm):
    agent = client(amocrm, "Агент")
    theirs = lead_of(amocrm, client(amocrm, "Борис"), agent)
    own = lead_of(amocrm, client(amocrm, "Анна", "89991234567"))
    lead = lead_of(amocrm, client(amocrm, "Анна", "+79991234567"), agent)
    assert found(search(amocrm, lead), lead) == [(own.id, PHONE, True), (theirs.id, SAME, False)]


def test_the_main_contact_is_searched_for_before_an_address_book(amocrm):
    """GIVEN a second contact with more e-mails than are searched for THEN the client's own phone is among them."""
    book = amocrm.add_contact(name="Агент", emails=[f"a{number}@oknaplus.example" for number in range(20)]).id
    own = lead_of(amocrm, client(amocrm, "Анна", "89991234567"))
    lead = lead_of(amocrm, client(amocrm, "Анна", "+79991234567"), book)
    assert found(search(amocrm, lead), lead) == [(own.id, PHONE, True)]


def test_named_twins_are_judged_by_the_main_contact_too(amocrm):
    agent = client(amocrm, "Агент")
    first, lead = lead_of(amocrm, client(amocrm, "Борис"), agent), lead_of(amocrm, client(amocrm, "Анна"), agent)
    again = TwinSearch(amocrm, "RU").among([(lead, (first.id,))])
    assert [(each.lead.id, each.why, each.sure) for each in again[lead.id]] == [(first.id, SAME, False)]


def test_what_amocrm_finds_by_chance_is_no_twin(amocrm):
    """GIVEN a contact in whose name the digits stand THEN it is compared by its phones, and is a stranger."""
    stranger = client(amocrm, "Анна 9991234567", "+7 999 000-00-00")
    longer = client(amocrm, "Анна", "+7 9991 234567 8")
    lead_of(amocrm, stranger)
    lead_of(amocrm, longer)
    lead = lead_of(amocrm, client(amocrm, "Анна", "+79991234567"))
    assert search(amocrm, lead).twins[lead.id] == []


def test_what_is_no_number_is_not_searched_for(amocrm):
    lead_of(amocrm, client(amocrm, phone="333"))
    lead = lead_of(amocrm, client(amocrm, phone="333", email="нет"))
    assert search(amocrm, lead).twins[lead.id] == []
    assert singles(amocrm) == 0


def test_all_contacts_of_a_lead_are_looked_at(amocrm):
    husband, wife = client(amocrm, "Пётр", "+79990000001"), client(amocrm, "Анна", "+79990000002")
    first = lead_of(amocrm, client(amocrm, "Анна", "89990000002"))
    second = lead_of(amocrm, client(amocrm, "Пётр", "89990000001"))
    lead = lead_of(amocrm, husband, wife)
    assert sorted(found(search(amocrm, lead), lead)) == [(first.id, PHONE, False), (second.id, PHONE, True)]


def test_a_client_of_whom_somebody_already_takes_care_is_not_searched_for(amocrm):
    anna = client(amocrm, phone="+79991234567")
    open_ = lead_of(amocrm, anna)
    lead_of(amocrm, client(amocrm, phone="89991234567"))
    lead = lead_of(amocrm, anna)
    assert found(search(amocrm, lead), lead) == [(open_.id, SAME, True)]
    assert singles(amocrm) == 0


@pytest.mark.parametrize("closed", [WON, LOST])
def test_a_client_whose_leads_are_closed_is_searched_for_and_closed_leads_are_twins(amocrm, closed):
    anna = client(amocrm, phone="+79991234567")
    old = lead_of(amocrm, anna, status_id=closed)
    other = lead_of(amocrm, client(amocrm, phone="89991234567"))
    lead = lead_of(amocrm, anna)
    assert sorted(found(search(amocrm, lead), lead)) == [(old.id, SAME, True), (other.id, PHONE, True)]


def test_deleted_leads_are_no_twins(amocrm):
    anna = client(amocrm)
    deleted, lead = lead_of(amocrm, anna), lead_of(amocrm, anna)
    amocrm.delete_lead(deleted.id)
    assert search(amocrm, lead).twins[lead.id] == []


# --- «Неразобранное»


def waiting(amocrm: FakeAmoCrm, contacts: Iterable[int]) -> Lead:
    amocrm.clock.advance(1)
    return amocrm.see(amocrm.add_unsorted(contacts=contacts).lead_id)


def test_a_hidden_contact_is_read_alone_and_its_phone_is_searched_for(amocrm):
    twin = lead_of(amocrm, client(amocrm, phone="89991234567"))
    anna = client(amocrm, phone="+79991234567")
    lead = waiting(amocrm, [anna])
    clients = search(amocrm, lead)
    assert found(clients, lead) == [(twin.id, PHONE, True)]
    assert clients.contacts[anna].phones == ("+79991234567",)
    assert amocrm.calls == {"contacts": 1, "contact": 1, "contacts_with": 1, "leads": 1}


def test_two_requests_of_one_client_in_unsorted_find_each_other(amocrm):
    """No search shows their contacts, so they are compared among themselves."""
    first = waiting(amocrm, [client(amocrm, phone="89991234567")])
    second = waiting(amocrm, [client(amocrm, phone="+79991234567")])
    clients = search(amocrm, first, second)
    assert found(clients, first) == [(second.id, PHONE, True)]
    assert found(clients, second) == [(first.id, PHONE, True)]


def test_a_contact_that_is_gone_does_not_keep_the_lead_waiting_for_ever(amocrm):
    """GIVEN a contact that is deleted while we look THEN the lead is looked at without him."""
    anna = client(amocrm)
    lead = lead_of(amocrm, anna)
    amocrm.delete_contact(anna)
    assert search(amocrm, lead).twins == {lead.id: []}


def test_a_card_with_an_address_book_of_phones_costs_a_bounded_search(amocrm):
    phones = [f"+7999000{number:04}" for number in range(40)]
    lead = lead_of(amocrm, amocrm.add_contact(phones=phones).id)
    assert search(amocrm, lead, requests=60).twins == {lead.id: []}
    assert amocrm.calls["contacts_with"] == 10


# --- the price


def test_at_the_ceiling_later_leads_are_left_out(amocrm):
    leads = [lead_of(amocrm, client(amocrm, phone=f"+7999000000{number}")) for number in range(5)]
    clients = search(amocrm, *reversed(leads), requests=3)
    assert clients.twins.keys() == {lead.id for lead in leads[:3]}, "the older ones first"
    assert singles(amocrm) == 3


def test_hidden_contacts_cost_as_much_as_phones(amocrm):
    leads = [waiting(amocrm, [client(amocrm, phone=f"+7999000000{number}")]) for number in range(4)]
    for requests, looked_at in ((0, 0), (1, 0), (4, 0), (5, 1), (8, 4), (100, 4)):
        clients = search(amocrm, *leads, requests=requests)
        assert len(clients.twins) == looked_at
        assert singles(amocrm) == min(requests, 4) + looked_at


def test_a_lead_with_more_phones_than_requests_are_left_does_not_stop_the_next(amocrm):
    many = amocrm.add_contact(phones=[f"+7999000000{number}" for number in range(4)]).id
    first, second = lead_of(amocrm, many), lead_of(amocrm, client(amocrm, phone="+79991234567"))
    assert search(amocrm, first, second, requests=2).twins.keys() == {second.id}


def test_a_batch_of_known_clients_costs_two_lists(amocrm):
    contacts = [client(amocrm, phone=f"+7999{number:07}") for number in range(50)]
    for contact in contacts:
        lead_of(amocrm, contact)
    leads = [lead_of(amocrm, contact) for contact in contacts]
    assert len(search(amocrm, *leads, requests=0).twins) == 50
    assert amocrm.calls == {"contacts": 1, "leads": 1}


def test_of_a_wholesale_buyer_only_the_latest_leads_are_looked_at(amocrm):
    buyer = client(amocrm)
    leads = [lead_of(amocrm, buyer, status_id=WON) for _ in range(LEADS_OF_A_CLIENT + 20)]
    twins = search(amocrm, leads[-1]).twins[leads[-1].id]
    assert {twin.lead.id for twin in twins} == {lead.id for lead in leads[-LEADS_OF_A_CLIENT:-1]}


# --- looking again at twins that were named


def test_named_leads_are_looked_at_again_without_a_search(amocrm):
    anna, boris = client(amocrm, "Анна", "+79991234567"), client(amocrm, "Борис", "+79990000000")
    twin, stranger = lead_of(amocrm, client(amocrm, "Анна", "89991234567")), lead_of(amocrm, boris)
    gone, lead = lead_of(amocrm, anna), lead_of(amocrm, anna)
    amocrm.delete_lead(gone.id)
    amocrm.calls.clear()
    again = TwinSearch(amocrm, "RU").among([(lead, (twin.id, stranger.id, gone.id, lead.id))])
    assert [(each.lead.id, each.why, each.sure) for each in again[lead.id]] == [(twin.id, PHONE, True)]
    assert singles(amocrm) == 0


def test_a_lead_that_was_named_for_nothing_has_no_twins(amocrm):
    lead = lead_of(amocrm, client(amocrm))
    assert TwinSearch(amocrm, "RU").among([(lead, ())]) == {lead.id: []}
    assert TwinSearch(amocrm, "RU").among([]) == {}


def test_twins_show_the_lead_as_it_is(amocrm):
    anna = client(amocrm)
    twin, lead = lead_of(amocrm, anna), lead_of(amocrm, anna)
    amocrm.human_moves(twin.id, LOST)
    amocrm.clock.advance(timedelta(minutes=1).total_seconds())
    (each,) = search(amocrm, lead).twins[lead.id]
    assert (each.lead.status_id, each.lead.pipeline_id) == (LOST, PIPELINE)
