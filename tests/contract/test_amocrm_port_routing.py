"""What the port `AmoCrm` promises to whoever moves leads between pipelines and merges them.

Asked of the fake and of the real adapter on the simulated account, as in test_amocrm_port.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.shared.crm import (
    LOST,
    WON,
    FieldValue,
    LeadChange,
    Link,
    NewLead,
    NewNote,
    NewTask,
    OwnerChange,
    StageChange,
    TaskChange,
)
from functions.shared.errors import AmbiguousWrite, AmoCrmRefused
from tests.contract.amocrm_firms import NOBODY, Firm, now

ADDRESS = "https://demo.amocrm.ru/leads/detail/1"


def text_value(field_id: int, text: str) -> FieldValue:
    return FieldValue(field_id, "", "text", ({"value": text},))


def choice(field_id: int, enum_id: int) -> FieldValue:
    return FieldValue(field_id, "", "select", ({"enum_id": enum_id},))


def texts_of(firm: Firm, lead_id: int) -> dict[int, list[object]]:
    """The values of a lead's custom fields by field id."""
    return {each.field_id: [value["value"] for value in each.values] for each in firm.amocrm.lead(lead_id).fields}


# --- what a card says


def test_a_lead_shows_its_name_price_and_custom_fields_in_both_readings(firm):
    lead_id = firm.lead()
    answer, enums = firm.field("Итог квалификации", "select", "Не целевой", "Квалифицирован")
    comment, _ = firm.field("Комментарий", "textarea")
    firm.renames(lead_id, "Окна на дачу")
    firm.prices(lead_id, 250_000)
    firm.fills_in(lead_id, answer, "Квалифицирован", enums["Квалифицирован"])
    firm.fills_in(lead_id, comment, "перезвонить\nвечером")
    lead = firm.amocrm.lead(lead_id)
    assert (lead.name, lead.price) == ("Окна на дачу", 250_000)
    filled = lead.filled(answer)
    assert (filled.name, filled.kind) == ("Итог квалификации", "select")
    assert (filled.values[0]["enum_id"], filled.values[0]["value"]) == (enums["Квалифицирован"], "Квалифицирован")
    assert texts_of(firm, lead_id)[comment] == ["перезвонить\nвечером"]
    assert firm.amocrm.leads([lead_id])[lead_id] == lead
    firm.empties(lead_id, answer)
    assert firm.amocrm.lead(lead_id).filled(answer) is None


def test_a_bare_lead_has_no_fields_company_or_loss_reason(firm):
    lead = firm.amocrm.lead(firm.lead())
    assert (lead.price, lead.company, lead.loss_reason_id, lead.fields) == (0, 0, None, ())


def test_a_note_tells_its_kind_content_and_author(firm):
    lead_id = firm.lead()
    params = {"uniq": "8f52", "duration": 60, "source": "pbx", "link": "https://rec.example/1", "phone": "+79990000001"}
    result = firm.amocrm.add_notes(
        [
            NewNote(lead_id, "Текст"),
            NewNote(lead_id, "", "call_in", params),
            NewNote(lead_id, "", "service_message", {"service": "Conveyor", "text": "Из другой сделки"}),
        ]
    )
    assert (result.done, result.refused) == ({lead_id}, {})
    plain, call, service = sorted(firm.amocrm.notes_since([lead_id], now(firm)), key=lambda note: note.id)
    assert (plain.kind, plain.text, plain.created_by) == ("common", "Текст", firm.token_user)
    assert (call.kind, call.text, call.params) == ("call_in", "", params)
    assert (service.kind, service.text) == ("service_message", "Из другой сделки")


@pytest.mark.parametrize(
    ("kind", "params"), [("common", {}), ("call_out", {"duration": 5}), ("no_such_kind", {"text": "x"})]
)
def test_a_note_that_lacks_something_or_is_of_no_known_kind_is_refused(firm, kind, params):
    bad, good = firm.lead(), firm.lead()
    result = firm.amocrm.add_notes([NewNote(bad, "", kind, params), NewNote(good, "Текст")])
    assert (result.done, result.refused.keys()) == ({good}, {bad})


def test_a_completed_task_tells_its_result(firm):
    user, lead_id = firm.user(), firm.lead()
    firm.amocrm.add_tasks([NewTask(lead_id, user, "Позвонить", now(firm) + timedelta(hours=1))])
    (task,) = firm.amocrm.tasks_since([lead_id], now(firm))
    assert task.result == ""
    firm.completes(task.id, "Дозвонились")
    (task,) = firm.amocrm.tasks_since([lead_id], now(firm))
    assert (task.result, task.is_completed) == ("Дозвонились", True)


# --- contacts


def test_a_contact_tells_its_name_phones_and_emails(firm):
    contact = firm.contact(firm.user(), "Анна Иванова", "8 (999) 123-45-67", "Anna@Example.com")
    lead_id = firm.lead(contact=contact)
    found = firm.amocrm.contact(contact)
    assert (found.name, found.phones, found.emails) == ("Анна Иванова", ("8 (999) 123-45-67",), ("Anna@Example.com",))
    assert found.leads == (lead_id,)
    assert firm.amocrm.contacts([contact]) == {contact: found}
    assert firm.amocrm.contact(NOBODY) is None


def test_a_contact_without_phone_has_none(firm):
    found = firm.amocrm.contact(firm.contact(firm.user()))
    assert (found.phones, found.emails) == ((), ())


def test_a_single_contact_is_read_even_while_it_lies_in_unsorted_and_past_lagging_lists(firm):
    firm.clock.advance(60)
    firm.lists_lag(5)
    _, lead_id = firm.chat(phone="+79991234567")
    (contact,) = firm.amocrm.lead(lead_id).contacts
    found = firm.amocrm.contact(contact)
    assert (found.phones, found.leads) == (("+79991234567",), (lead_id,))


@pytest.mark.parametrize("sought", ["9991234567", "123-45", "анна", "anna@EXAMPLE.com"])
def test_contacts_are_found_by_a_part_of_anything_and_by_the_digits_of_a_phone(firm, sought):
    anna = firm.contact(firm.user(), "Анна", "8 (999) 123-45-67", "anna@example.com")
    firm.contact(firm.user(), "Борис", "+7 999 765-43-21", "boris@firm.example")
    assert [contact.id for contact in firm.amocrm.contacts_with(sought)] == [anna]


def test_a_found_contact_is_whole(firm):
    anna = firm.contact(firm.user(), "Анна", "8 (999) 123-45-67", "anna@example.com")
    firm.lead(contact=anna)
    assert firm.amocrm.contacts_with("9991234567") == [firm.amocrm.contact(anna)]


def test_nobody_is_found_by_nothing_or_by_what_nobody_has(firm):
    firm.contact(firm.user(), "Анна", "8 (999) 123-45-67")
    assert firm.amocrm.contacts_with("0000000000") == []
    assert firm.amocrm.contacts_with(" ") == []


def test_a_contact_in_unsorted_is_found_only_after_acceptance_and_new_ones_may_lag(firm):
    uid, _ = firm.chat(phone="+79991234567")
    assert firm.amocrm.contacts_with("9991234567") == []
    firm.accepts(uid, firm.user())
    assert len(firm.amocrm.contacts_with("9991234567")) == 1
    firm.clock.advance(60)
    firm.lists_lag(5)
    firm.contact(firm.user(), "Анна", "+79991234567")
    assert len(firm.amocrm.contacts_with("9991234567")) == 1
    firm.clock.advance(6)
    assert len(firm.amocrm.contacts_with("9991234567")) == 2


def test_a_declined_request_takes_its_hidden_contact_with_it_but_not_a_known_one(firm):
    known = firm.contact(firm.user())
    earlier = firm.lead(contact=known)
    (strange_uid, lead_id), (known_uid, _) = firm.chat(), firm.chat(known)
    (hidden,) = firm.amocrm.lead(lead_id).contacts
    firm.declines(strange_uid)
    firm.declines(known_uid)
    assert firm.amocrm.contact(hidden) is None
    assert firm.amocrm.contact(known).leads == (earlier,)


def test_a_deleted_lead_is_no_lead_of_its_contact_until_it_is_restored(firm):
    contact = firm.contact(firm.user())
    lead_id = firm.lead(contact=contact)
    firm.deletes(lead_id)
    assert firm.amocrm.contact(contact).leads == ()
    firm.restores(lead_id)
    assert firm.amocrm.contact(contact).leads == (lead_id,)
    assert firm.amocrm.lead(lead_id).contacts == (contact,)


# --- changes of leads


def test_a_lead_moves_to_another_pipeline_and_nothing_else_changes(firm):
    user, contact = firm.user(), firm.contact(firm.user())
    lead_id = firm.lead(user, contact=contact, tags=("сайт",))
    comment, _ = firm.field("Комментарий", "text")
    firm.prices(lead_id, 100)
    firm.fills_in(lead_id, comment, "да")
    before = firm.amocrm.lead(lead_id)
    place = (firm.other_pipeline, firm.other_first_stage)
    result = firm.amocrm.change_leads([LeadChange(lead_id, place)])
    assert (result.done, result.refused) == ({lead_id}, {})
    after = firm.amocrm.lead(lead_id)
    assert (after.pipeline_id, after.status_id) == place
    assert replace(after, updated_at=before.updated_at) == replace(before, pipeline_id=place[0], status_id=place[1])


def test_a_lead_is_lost_with_a_reason_which_goes_when_it_is_opened_again(firm):
    lead_id, reason = firm.lead(), firm.loss_reason("Не целевой")
    firm.amocrm.change_leads([LeadChange(lead_id, (firm.pipeline, LOST), reason)])
    lead = firm.amocrm.lead(lead_id)
    assert (lead.is_closed, lead.loss_reason_id) == (True, reason)
    firm.amocrm.change_leads([LeadChange(lead_id, (firm.pipeline, firm.first_stage))])
    assert firm.amocrm.lead(lead_id).loss_reason_id is None


def test_a_lead_is_closed_where_it_stands_and_in_another_pipeline(firm):
    here, there = firm.lead(), firm.lead()
    result = firm.amocrm.change_leads(
        [LeadChange(here, (firm.pipeline, WON)), LeadChange(there, (firm.other_pipeline, LOST))]
    )
    assert result.done == {here, there}
    leads = firm.amocrm.leads([here, there])
    assert (leads[here].pipeline_id, leads[here].status_id) == (firm.pipeline, WON)
    assert (leads[there].pipeline_id, leads[there].status_id) == (firm.other_pipeline, LOST)


def test_tags_are_added_and_removed_beside_those_that_stay(firm):
    lead_id = firm.lead(tags=("сайт", "акция"))
    firm.amocrm.change_leads([LeadChange(lead_id, add_tags=("дубль", "сайт"), remove_tags=("акция", "чужой"))])
    assert sorted(firm.amocrm.lead(lead_id).tags) == ["дубль", "сайт"]


def test_fields_are_filled_and_emptied_beside_those_that_stay(firm):
    lead_id = firm.lead()
    answer, enums = firm.field("Итог", "select", "Не целевой", "Квалифицирован")
    city, _ = firm.field("Город", "text")
    comment, _ = firm.field("Комментарий", "text")
    firm.fills_in(lead_id, city, "Тверь")
    firm.fills_in(lead_id, comment, "да")
    change = LeadChange(lead_id, price=500, fields=(choice(answer, enums["Не целевой"]),), clear_fields=(comment,))
    assert firm.amocrm.change_leads([change]).done == {lead_id}
    assert texts_of(firm, lead_id) == {answer: ["Не целевой"], city: ["Тверь"]}
    assert firm.amocrm.lead(lead_id).price == 500


def test_what_was_read_from_one_card_can_be_written_to_another(firm):
    one, other = firm.lead(), firm.lead()
    answer, enums = firm.field("Итог", "select", "Не целевой", "Квалифицирован")
    site, _ = firm.field("Сайт", "url")
    firm.fills_in(one, answer, "Квалифицирован", enums["Квалифицирован"])
    firm.fills_in(one, site, "https://client.example")
    fields = firm.amocrm.lead(one).fields
    assert firm.amocrm.change_leads([LeadChange(other, fields=fields)]).done == {other}
    assert firm.amocrm.lead(other).fields == fields


def test_clearing_what_is_empty_is_no_error(firm):
    lead_id = firm.lead()
    comment, _ = firm.field("Комментарий", "text")
    assert firm.amocrm.change_leads([LeadChange(lead_id, clear_fields=(comment,))]).done == {lead_id}


def test_changes_that_name_what_does_not_exist_are_refused_with_the_reason_and_hold_up_nobody(firm):
    reason = firm.loss_reason("Не целевой")
    answer, enums = firm.field("Итог", "select", "Не целевой")
    good, deleted, stage, pipeline, lost, field_, enum = (firm.lead() for _ in range(7))
    firm.deletes(deleted)
    elsewhere = (firm.other_pipeline, firm.other_first_stage)
    result = firm.amocrm.change_leads(
        [
            LeadChange(deleted, elsewhere),
            LeadChange(stage, (firm.pipeline, NOBODY)),
            LeadChange(pipeline, (NOBODY, firm.first_stage)),
            LeadChange(lost, (firm.pipeline, LOST), reason + 1000),
            LeadChange(good, elsewhere),
            LeadChange(field_, elsewhere, fields=(text_value(NOBODY, "x"),)),
            LeadChange(enum, elsewhere, fields=(choice(answer, enums["Не целевой"] + 1000),)),
            LeadChange(NOBODY, elsewhere),
        ]
    )
    assert result.done == {good}
    assert result.refused.keys() == {deleted, stage, pipeline, lost, field_, enum, NOBODY}
    assert result.refused[stage] == "status_id: NotSupportedChoice"
    assert result.refused[pipeline] == "pipeline_id: NotSupportedChoice"
    assert result.refused[lost] == "loss_reason_id: NotSupportedChoice"
    assert result.refused[field_] == "custom_fields_values.0.field_id: NotSupportedChoice"
    assert result.refused[enum] == "custom_fields_values.0.values.0.enum_id: NotSupportedChoice"
    untouched = firm.amocrm.leads([stage, pipeline, lost, field_, enum]).values()
    assert {(lead.pipeline_id, lead.status_id) for lead in untouched} == {(firm.pipeline, firm.first_stage)}


def test_a_stage_of_another_pipeline_is_no_stage(firm):
    lead_id = firm.lead()
    result = firm.amocrm.change_leads([LeadChange(lead_id, (firm.pipeline, firm.other_first_stage))])
    assert result.refused == {lead_id: "status_id: NotSupportedChoice"}


def test_a_lead_is_moved_neither_into_unsorted_nor_out_of_it(firm):
    lead_id, (_, waiting) = firm.lead(), firm.chat()
    result = firm.amocrm.change_leads(
        [
            LeadChange(lead_id, (firm.pipeline, firm.unsorted_stage)),
            LeadChange(waiting, (firm.pipeline, firm.first_stage)),
        ]
    )
    assert result.refused == dict.fromkeys([lead_id, waiting], "status_id: NotSupportedChoice")


def test_of_two_changes_of_one_lead_both_are_done_in_their_order(firm):
    lead_id = firm.lead()
    result = firm.amocrm.change_leads(
        [
            LeadChange(lead_id, (firm.pipeline, firm.second_stage), add_tags=("первый",)),
            LeadChange(lead_id, (firm.other_pipeline, firm.other_first_stage), add_tags=("второй",)),
        ]
    )
    assert result.done == {lead_id}
    lead = firm.amocrm.lead(lead_id)
    assert (lead.pipeline_id, sorted(lead.tags)) == (firm.other_pipeline, ["второй", "первый"])


def test_more_changes_than_a_batch_holds_are_all_done(firm):
    ids = [firm.lead() for _ in range(120)]
    place = (firm.other_pipeline, firm.other_first_stage)
    assert firm.amocrm.change_leads([LeadChange(each, place) for each in ids]).done == set(ids)
    assert {(lead.pipeline_id, lead.status_id) for lead in firm.amocrm.leads(ids).values()} == {place}


# --- copies


def new_lead(firm: Firm, field_id: int, **changes: object) -> NewLead:
    values = {
        "name": "Окна на дачу",
        "pipeline_id": firm.other_pipeline,
        "status_id": firm.other_first_stage,
        "responsible_user_id": firm.token_user,
        "origin": (field_id, ADDRESS),
    }
    return NewLead(**{**values, **changes})


def test_a_copy_has_everything_that_was_asked_for(firm):
    user = firm.user()
    origin, _ = firm.field("Исходная сделка", "url")
    answer, enums = firm.field("Итог", "select", "Квалифицирован")
    main, second, company = firm.contact(user), firm.contact(user), firm.company()
    lead_id = firm.amocrm.add_lead(
        new_lead(
            firm,
            origin,
            responsible_user_id=user,
            contacts=(main, second),
            company=company,
            tags=("сайт", "повтор"),
            fields=(choice(answer, enums["Квалифицирован"]),),
        )
    )
    lead = firm.amocrm.lead(lead_id)
    assert (lead.name, lead.pipeline_id, lead.status_id) == (
        "Окна на дачу",
        firm.other_pipeline,
        firm.other_first_stage,
    )
    assert (lead.responsible_user_id, lead.contacts, lead.company) == (user, (main, second), company)
    assert sorted(lead.tags) == ["повтор", "сайт"]
    assert texts_of(firm, lead_id) == {origin: [ADDRESS], answer: ["Квалифицирован"]}
    assert (lead.created_by, lead.created_at, lead.price) == (0, now(firm), 0)
    assert firm.amocrm.contact(second).leads == (lead_id,)


def test_a_copy_needs_nothing_but_its_origin(firm):
    origin, _ = firm.field("Исходная сделка", "url")
    lead = firm.amocrm.lead(firm.amocrm.add_lead(new_lead(firm, origin)))
    assert (lead.contacts, lead.company, lead.tags) == ((), 0, ())


def test_the_origin_of_a_copy_wins_over_a_field_that_was_copied(firm):
    origin, _ = firm.field("Исходная сделка", "url")
    old = FieldValue(origin, "Исходная сделка", "url", ({"value": "https://demo.amocrm.ru/leads/detail/2"},))
    lead_id = firm.amocrm.add_lead(new_lead(firm, origin, fields=(old,)))
    assert texts_of(firm, lead_id) == {origin: [ADDRESS]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"status_id": NOBODY}, "status_id"),
        ({"pipeline_id": NOBODY}, "pipeline_id"),
        ({"responsible_user_id": NOBODY}, "responsible_user_id"),
        ({"contacts": (NOBODY,)}, "_embedded.contacts.0.id"),
        ({"company": NOBODY}, "_embedded.companies.0.id"),
        ({"fields": (text_value(NOBODY, "x"),)}, "custom_fields_values.0.field_id"),
    ],
)
def test_a_copy_that_names_what_does_not_exist_is_refused(firm, wrong, path):
    origin, _ = firm.field("Исходная сделка", "url")
    with pytest.raises(AmoCrmRefused, match=path) as refused:
        firm.amocrm.add_lead(new_lead(firm, origin, **wrong))
    assert (path, "NotSupportedChoice") in refused.value.problems
    assert firm.amocrm.copies_of((origin, ADDRESS), firm.other_pipeline, now(firm)) == []


def test_copies_are_found_by_origin_pipeline_and_time_the_oldest_first(firm):
    origin, _ = firm.field("Исходная сделка", "url")
    early = firm.amocrm.add_lead(new_lead(firm, origin))
    firm.clock.advance(30.7)
    since = firm.clock.now()
    first, second, deleted = (firm.amocrm.add_lead(new_lead(firm, origin)) for _ in range(3))
    firm.deletes(deleted)
    firm.amocrm.add_lead(new_lead(firm, origin, origin=(origin, f"{ADDRESS}2")))
    elsewhere = firm.amocrm.add_lead(new_lead(firm, origin, pipeline_id=firm.pipeline, status_id=firm.first_stage))
    firm.lead(other=True)
    found = firm.amocrm.copies_of((origin, ADDRESS), firm.other_pipeline, since)
    assert found == [firm.amocrm.lead(first), firm.amocrm.lead(second)]
    longer = firm.amocrm.copies_of((origin, ADDRESS), firm.other_pipeline, since - timedelta(minutes=5))
    assert [lead.id for lead in longer] == [early, first, second]
    anywhere = firm.amocrm.copies_of((origin, ADDRESS), None, since)
    assert [lead.id for lead in anywhere] == [first, second, elsewhere]
    assert firm.amocrm.copies_of((origin, ADDRESS), firm.pipeline, since + timedelta(minutes=5)) == []


def test_copies_may_lag_behind(firm):
    origin, _ = firm.field("Исходная сделка", "url")
    firm.lists_lag(5)
    lead_id = firm.amocrm.add_lead(new_lead(firm, origin))
    since = now(firm)
    assert firm.amocrm.copies_of((origin, ADDRESS), firm.other_pipeline, since) == []
    firm.clock.advance(6)
    assert [lead.id for lead in firm.amocrm.copies_of((origin, ADDRESS), firm.other_pipeline, since)] == [lead_id]


# --- what hangs on a card


def test_contacts_and_companies_are_hung_on_a_lead_and_taken_off(firm):
    user = firm.user()
    main, second, company = firm.contact(user), firm.contact(user), firm.company()
    lead_id = firm.lead(contact=main)
    firm.amocrm.link([Link(lead_id, second), Link(lead_id, company, "companies")])
    lead = firm.amocrm.lead(lead_id)
    assert (lead.contacts, lead.company) == ((main, second), company)
    assert firm.amocrm.contact(second).leads == (lead_id,)
    firm.amocrm.unlink([Link(lead_id, second), Link(lead_id, company, "companies")])
    lead = firm.amocrm.lead(lead_id)
    assert (lead.contacts, lead.company) == ((main,), 0)
    assert firm.amocrm.contact(second).leads == ()


def test_linking_what_hangs_there_and_unlinking_what_does_not_changes_nothing(firm):
    main, second, stranger = (firm.contact(firm.user()) for _ in range(3))
    company, other_company = firm.company(), firm.company()
    lead_id = firm.lead(contact=main)
    both = [Link(lead_id, second), Link(lead_id, company, "companies")]
    firm.amocrm.link(both)
    before = firm.amocrm.lead(lead_id)
    firm.amocrm.link([Link(lead_id, main), *both, *both])
    firm.amocrm.unlink([Link(lead_id, stranger), Link(lead_id, other_company, "companies")])
    firm.amocrm.unlink([Link(NOBODY, main), Link(lead_id, NOBODY)])
    after = firm.amocrm.lead(lead_id)
    assert (after.contacts, after.company) == (before.contacts, before.company) == ((main, second), company)


def test_a_bad_link_is_refused_and_does_not_hold_up_the_others(firm):
    contact, deleted, lead_id = firm.contact(firm.user()), firm.lead(), firm.lead()
    firm.deletes(deleted)
    for bad, path in ((Link(deleted, contact), "entity_id"), (Link(lead_id, NOBODY), "to_entity_id")):
        with pytest.raises(AmoCrmRefused, match=path):
            firm.amocrm.link([bad, Link(lead_id, contact)])
    assert firm.amocrm.lead(lead_id).contacts == (contact,)


def test_more_links_than_a_batch_holds_are_all_made(firm):
    user, lead_id = firm.user(), firm.lead()
    contacts = [firm.contact(user) for _ in range(60)]
    firm.amocrm.link([Link(lead_id, contact) for contact in contacts])
    assert firm.amocrm.lead(lead_id).contacts == tuple(contacts)
    firm.amocrm.unlink([Link(lead_id, contact) for contact in contacts])
    assert firm.amocrm.lead(lead_id).contacts == ()


def test_no_links_are_no_request(firm):
    firm.amocrm.link([])
    firm.amocrm.unlink([])


# --- the way a lead took


def test_the_history_tells_each_move_and_whose_it_was_the_oldest_first(firm):
    human, lead_id, stranger = firm.user(), firm.lead(), firm.lead()
    start, second = (firm.pipeline, firm.first_stage), (firm.pipeline, firm.second_stage)
    other = (firm.other_pipeline, firm.other_first_stage)
    began = now(firm)
    firm.moves_as(human, lead_id, second)
    firm.moves_as(human, stranger, second)
    firm.clock.advance(10)
    firm.amocrm.change_leads([LeadChange(lead_id, other)])
    firm.amocrm.change_owners([OwnerChange(lead_id, human)])
    firm.amocrm.change_leads([LeadChange(lead_id, other, add_tags=("тут",))])
    firm.moves_as(human, lead_id, start)
    assert firm.amocrm.stage_changes(lead_id, began) == [
        StageChange(lead_id, start, second, human, began),
        StageChange(lead_id, second, other, firm.token_user, now(firm)),
        StageChange(lead_id, other, start, human, now(firm)),
    ]


def test_the_history_begins_in_the_second_that_is_asked_for(firm):
    human, lead_id = firm.user(), firm.lead()
    firm.moves_as(human, lead_id, (firm.pipeline, firm.second_stage))
    firm.clock.advance(30.7)
    since = firm.clock.now()
    firm.moves_as(human, lead_id, (firm.pipeline, firm.first_stage))
    assert [change.after for change in firm.amocrm.stage_changes(lead_id, since)] == [(firm.pipeline, firm.first_stage)]
    assert len(firm.amocrm.stage_changes(lead_id, since - timedelta(minutes=5))) == 2
    assert firm.amocrm.stage_changes(NOBODY, since) == []


def test_a_long_history_comes_whole(firm):
    human, lead_id, began = firm.user(), firm.lead(), now(firm)
    stages = [firm.second_stage, firm.first_stage] * 110
    for at, stage in enumerate(stages):
        firm.moves_as(human, lead_id, (firm.pipeline, stage))
        firm.clock.advance(at % 2)
    assert [change.after[1] for change in firm.amocrm.stage_changes(lead_id, began)] == stages


def test_the_history_tells_of_an_accepted_request_and_of_a_close(firm):
    user, (uid, lead_id), began = firm.user(), firm.chat(), now(firm)
    firm.amocrm.accept_unsorted(uid, user, firm.first_stage)
    firm.moves_as(user, lead_id, (firm.pipeline, WON))
    accepted, won = firm.amocrm.stage_changes(lead_id, began)
    assert (accepted.before, accepted.by) == ((firm.pipeline, firm.unsorted_stage), firm.token_user)
    assert (won.after, won.by) == ((firm.pipeline, WON), user)


def test_the_history_may_lag_behind(firm):
    human, lead_id = firm.user(), firm.lead()
    firm.clock.advance(60)
    firm.lists_lag(5)
    since = now(firm)
    firm.moves_as(human, lead_id, (firm.pipeline, firm.second_stage))
    firm.clock.advance(3)
    assert firm.amocrm.stage_changes(lead_id, since) == []
    firm.clock.advance(3)
    assert len(firm.amocrm.stage_changes(lead_id, since)) == 1


# --- tasks go along


def test_a_task_goes_to_another_person_and_to_another_lead(firm):
    anna, boris = firm.user(), firm.user()
    here, there = firm.lead(), firm.lead()
    due = now(firm) + timedelta(hours=1)
    firm.amocrm.add_tasks([NewTask(here, anna, "раз", due), NewTask(here, anna, "два", due)])
    one, two = sorted(firm.amocrm.tasks_since([here], now(firm)), key=lambda task: task.id)
    result = firm.amocrm.change_tasks([TaskChange(one.id, there), TaskChange(two.id, responsible_user_id=boris)])
    assert (result.done, result.refused) == ({one.id, two.id}, {})
    assert firm.amocrm.tasks_since([there], now(firm)) == [replace(one, lead_id=there)]
    assert firm.amocrm.tasks_since([here], now(firm)) == [replace(two, responsible_user_id=boris)]


def test_one_bad_change_of_a_task_does_not_hold_up_the_others(firm):
    anna, off, lead_id, deleted = firm.user(), firm.user(), firm.lead(), firm.lead()
    firm.deletes(deleted)
    firm.switches_off(off)
    due = now(firm) + timedelta(hours=1)
    firm.amocrm.add_tasks([NewTask(lead_id, anna, f"задача {number}", due) for number in range(3)])
    moved, given, good = sorted(task.id for task in firm.amocrm.tasks_since([lead_id], now(firm)))
    result = firm.amocrm.change_tasks(
        [
            TaskChange(moved, deleted),
            TaskChange(given, responsible_user_id=off),
            TaskChange(NOBODY, lead_id),
            TaskChange(good, responsible_user_id=firm.token_user),
        ]
    )
    assert result.done == {good}
    assert result.refused.keys() == {moved, given, NOBODY}
    assert result.refused[given] == "responsible_user_id: NotSupportedChoice"


def test_tasks_and_notes_may_lag_behind(firm):
    user, lead_id = firm.user(), firm.lead()
    firm.clock.advance(60)
    firm.lists_lag(5)
    since = now(firm)
    firm.amocrm.add_tasks([NewTask(lead_id, user, "раз", since + timedelta(hours=1))])
    firm.amocrm.add_notes([NewNote(lead_id, "почему")])
    assert firm.amocrm.tasks_since([lead_id], since) == firm.amocrm.notes_since([lead_id], since) == []
    firm.clock.advance(6)
    (task,) = firm.amocrm.tasks_since([lead_id], since)
    assert len(firm.amocrm.notes_since([lead_id], since)) == 1
    firm.amocrm.change_tasks([TaskChange(task.id, responsible_user_id=firm.token_user)])
    assert firm.amocrm.tasks_since([lead_id], since) == [task]


def test_a_human_merge_leaves_one_card_with_everything(firm):
    user = firm.user()
    first, second = firm.contact(user), firm.contact(user)
    winner, loser = firm.lead(user, contact=first, tags=("сайт",)), firm.lead(user, contact=second, tags=("чат",))
    firm.amocrm.add_tasks([NewTask(loser, user, "раз", now(firm) + timedelta(hours=1))])
    firm.amocrm.add_notes([NewNote(loser, "почему")])
    firm.merges(winner=winner, loser=loser)
    lead = firm.amocrm.lead(winner)
    assert (lead.contacts, sorted(lead.tags)) == ((first, second), ["сайт", "чат"])
    assert firm.amocrm.lead(loser) is None
    assert len(firm.amocrm.tasks_since([winner], now(firm))) == len(firm.amocrm.notes_since([winner], now(firm))) == 1
    assert firm.amocrm.contact(second).leads == (winner,)


def test_empty_batches_do_nothing(firm):
    assert firm.amocrm.change_leads([]).done == firm.amocrm.change_tasks([]).done == frozenset()


# --- bad weather, which only the real adapter can meet


def test_when_every_answer_to_a_write_is_lost_nothing_is_done_twice(simulated):
    firm, user = simulated, simulated.user()
    origin, _ = firm.field("Исходная сделка", "url")
    answer, enums = firm.field("Итог", "select", "Квалифицирован")
    ids, contact = [firm.lead() for _ in range(60)], firm.contact(user)
    reason = firm.loss_reason("Не целевой")
    firm.amocrm.add_tasks([NewTask(each, user, "раз", now(firm) + timedelta(hours=1)) for each in ids])
    tasks = [task.id for task in firm.amocrm.tasks_since(ids, now(firm) - timedelta(minutes=1))]
    firm.world.switch(lost_answer_share=1.0, list_lag=(1.0, 4.0))
    changes = [
        LeadChange(
            each,
            (firm.other_pipeline, LOST),
            reason,
            price=7,
            add_tags=("дубль",),
            fields=(choice(answer, enums["Квалифицирован"]), text_value(origin, f"{ADDRESS}2")),
        )
        for each in ids
    ]
    assert firm.amocrm.change_leads(changes).done == set(ids)
    assert firm.amocrm.change_leads([LeadChange(each, clear_fields=(answer,)) for each in ids]).done == set(ids)
    assert firm.amocrm.change_tasks([TaskChange(each, ids[0]) for each in tasks]).done == set(tasks)
    firm.amocrm.link([Link(each, contact) for each in ids])
    firm.amocrm.unlink([Link(each, contact) for each in ids[1:]])
    copy = firm.amocrm.add_lead(new_lead(firm, origin))
    params = {"service": "Conveyor", "text": "Из другой сделки"}
    firm.amocrm.add_notes([NewNote(copy, "", "service_message", params), NewNote(copy, "Из другой сделки")])
    leads = firm.world.leads.all()
    assert len(leads) == 61
    assert {(lead.pipeline_id, lead.loss_reason_id, lead.price) for lead in leads if lead.id != copy} == {
        (firm.other_pipeline, reason, 7)
    }
    assert [lead.id for lead in leads if lead.contacts] == [ids[0]]
    assert {task.entity_id for task in firm.world.tasks.all()} == {ids[0]}
    assert len(firm.world.notes.all()) == 2


@pytest.mark.parametrize("seed", range(3))
def test_when_some_answers_are_lost_no_copy_is_missing_and_none_is_double(simulated, seed):
    firm = simulated
    firm.world.random.seed(seed)
    origin, _ = firm.field("Исходная сделка", "url")
    firm.world.switch(lost_answer_share=0.5, list_lag=(0.0, 4.0))
    made = [firm.amocrm.add_lead(new_lead(firm, origin, origin=(origin, f"{ADDRESS}{number}"))) for number in range(20)]
    assert [lead.id for lead in firm.world.leads.all()] == made


def test_a_copy_that_nobody_can_look_for_stays_ambiguous(simulated):
    firm = simulated
    origin, _ = firm.field("Исходная сделка", "url")
    for _ in range(300):
        firm.lead()
    firm.world.switch(lost_answer_share=1.0, filters_enabled=False)
    with pytest.raises(AmbiguousWrite, match="cannot be read"):
        firm.amocrm.add_lead(new_lead(firm, origin))


def test_contacts_are_found_alone_though_the_search_is_strict(simulated):
    """amoCRM may compare phones as they were typed: the last ten digits then only find those typed without gaps."""
    firm = simulated
    firm.world.switch(strict_query=True)
    plain = firm.contact(firm.user(), "Анна", "89991234567")
    firm.contact(firm.user(), "Анна", "8 (999) 123-45-67")
    assert [contact.id for contact in firm.amocrm.contacts_with("9991234567")] == [plain]
