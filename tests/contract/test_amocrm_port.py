"""What the port `AmoCrm` promises, asked of the fake and of the real adapter on the simulated account.

Both must pass the same tests, or the service tests that stand on the fake prove nothing. What moves leads between
pipelines and merges them: test_amocrm_port_routing.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.shared.crm import LOST, WON, NewNote, NewTask, OwnerChange
from functions.shared.errors import AmoCrmRefused
from tests.contract.amocrm_firms import NOBODY, Firm, now

# --- people and leads


def test_the_account_knows_whose_token_it_is_and_its_zone(firm):
    account = firm.amocrm.account()
    assert (account.current_user_id, account.timezone) == (firm.token_user, "Europe/Moscow")


def test_users_are_listed_with_those_who_are_switched_off_or_may_not_edit(firm):
    active, off, denied = firm.user(), firm.user(), firm.user(may_edit_leads=False)
    firm.switches_off(off)
    users = {user.id: user for user in firm.amocrm.users()}
    assert (users[active].is_active, users[active].may_edit_leads) == (True, True)
    assert users[off].is_active is False
    assert users[denied].may_edit_leads is False
    assert users[firm.token_user].is_admin is True


def test_leads_come_by_id_and_unknown_or_deleted_ones_are_missing(firm):
    kept, deleted = firm.lead(), firm.lead()
    firm.deletes(deleted)
    assert firm.amocrm.leads([kept, deleted, NOBODY]).keys() == {kept}
    assert firm.amocrm.lead(kept).id == kept
    assert firm.amocrm.lead(deleted) is None
    assert firm.amocrm.lead(NOBODY) is None


def test_no_ids_are_no_leads(firm):
    assert firm.amocrm.leads([]) == {}


def test_a_lead_shows_its_place_owner_contact_and_tags_in_both_readings(firm):
    user = firm.user()
    contact = firm.contact(user)
    lead_id = firm.lead(user, contact=contact, tags=("сайт",))
    lead = firm.amocrm.lead(lead_id)
    assert (lead.pipeline_id, lead.status_id, lead.responsible_user_id) == (firm.pipeline, firm.first_stage, user)
    assert (lead.contacts, lead.tags) == ((contact,), ("сайт",))
    assert lead.created_at == now(firm)
    assert firm.amocrm.leads([lead_id]) == {lead_id: lead}


def test_hundreds_of_leads_come_in_one_call(firm):
    ids = [firm.lead() for _ in range(310)]
    assert firm.amocrm.leads(ids).keys() == set(ids)


def test_lists_may_lag_behind_but_a_single_lead_does_not(firm):
    user = firm.user()
    lead_id = firm.lead()
    firm.clock.advance(60)
    firm.lists_lag(5)
    firm.reassigns(lead_id, user)
    fresh = firm.lead()
    assert firm.amocrm.leads([lead_id, fresh])[lead_id].responsible_user_id == 0
    assert fresh not in firm.amocrm.leads([lead_id, fresh])
    assert firm.amocrm.lead(lead_id).responsible_user_id == user
    firm.clock.advance(6)
    assert firm.amocrm.leads([lead_id, fresh])[lead_id].responsible_user_id == user


def test_lists_of_unsorted_and_contacts_may_lag_behind_but_a_single_item_does_not(firm):
    user = firm.user()
    known = firm.contact(user)
    taken, lead_id = firm.chat()
    (hidden,) = firm.amocrm.lead(lead_id).contacts
    firm.clock.advance(60)
    firm.lists_lag(5)
    firm.accepts(taken, user)
    linked, unseen, (fresh, _) = firm.lead(contact=known), firm.contact(user), firm.chat()

    assert firm.amocrm.unsorted([taken, fresh]).keys() == {taken}
    assert [item.uid for item in firm.amocrm.unsorted_of_pipeline(firm.pipeline)] == [taken]
    assert (firm.amocrm.unsorted_item(taken), firm.amocrm.unsorted_item(fresh).uid) == (None, fresh)
    contacts = firm.amocrm.contacts([known, hidden, unseen])
    assert contacts.keys() == {known}
    assert contacts[known].responsible_user_id == user

    firm.clock.advance(6)
    assert firm.amocrm.unsorted([taken, fresh]).keys() == {fresh}
    assert [item.uid for item in firm.amocrm.unsorted_of_pipeline(firm.pipeline)] == [fresh]
    contacts = firm.amocrm.contacts([known, hidden, unseen])
    assert contacts.keys() == {known, hidden, unseen}
    assert contacts[known].leads == (linked,)


def test_open_leads_are_counted_by_owner_and_pipeline(firm):
    anna, boris, vera = firm.user(), firm.user(), firm.user()
    leads_of_anna = [firm.lead(anna) for _ in range(4)]
    firm.moves(leads_of_anna[0], WON)
    firm.moves(leads_of_anna[1], LOST)
    firm.lead(boris)
    firm.lead(boris, other=True)
    firm.deletes(firm.lead(boris))
    amocrm = firm.amocrm
    assert amocrm.open_leads_of([anna, boris, vera], [firm.pipeline]) == {anna: 2, boris: 1, vera: 0}
    assert amocrm.open_leads_of([boris], [firm.pipeline, firm.other_pipeline]) == {boris: 2}
    assert amocrm.open_leads_of([boris], [NOBODY]) == {boris: 0}
    assert amocrm.open_leads_of([], [firm.pipeline]) == {}


def test_more_open_leads_than_fit_on_a_page_are_all_counted(firm):
    anna = firm.user()
    for _ in range(260):
        firm.lead(anna)
    assert firm.amocrm.open_leads_of([anna], [firm.pipeline]) == {anna: 260}


# --- contacts


def test_contacts_know_their_manager_and_all_their_leads(firm):
    user = firm.user()
    contact = firm.contact(user)
    leads_ = {firm.lead(contact=contact), firm.lead(contact=contact)}
    found = firm.amocrm.contacts([contact, NOBODY])
    assert found.keys() == {contact}
    assert found[contact].responsible_user_id == user
    assert set(found[contact].leads) == leads_
    assert found[contact].created_at == now(firm)


def test_a_new_contact_in_unsorted_is_hidden_until_somebody_accepts(firm):
    user = firm.user()
    uid, lead_id = firm.chat()
    (contact,) = firm.amocrm.lead(lead_id).contacts
    assert firm.amocrm.contacts([contact]) == {}
    firm.accepts(uid, user)
    assert firm.amocrm.contacts([contact]).keys() == {contact}


def test_a_known_contact_who_writes_again_stays_visible(firm):
    user = firm.user()
    contact = firm.contact(user)
    firm.lead(user, contact=contact)
    firm.chat(contact)
    assert firm.amocrm.contacts([contact])[contact].responsible_user_id == user


# --- «Неразобранное»


def test_an_item_names_its_lead_channel_and_service(firm):
    uid, lead_id = firm.chat()
    item = firm.amocrm.unsorted([uid, "0" * 40])[uid]
    assert (item.lead_id, item.pipeline_id, item.category, item.service) == (
        lead_id,
        firm.pipeline,
        "chats",
        "telegram",
    )
    assert item.source_name == "Бот"
    assert firm.amocrm.unsorted([uid, "0" * 40]).keys() == {uid}
    lead = firm.amocrm.lead(lead_id)
    assert (lead.status_id, lead.responsible_user_id) == (firm.unsorted_stage, 0)


def test_a_single_item_is_read_until_somebody_accepts_or_declines_it(firm):
    (taken, _), (declined, _), (waiting, lead_id) = firm.chat(), firm.chat(), firm.chat()
    firm.accepts(taken, firm.user())
    firm.declines(declined)
    assert firm.amocrm.unsorted_item(waiting) == firm.amocrm.unsorted([waiting])[waiting]
    assert firm.amocrm.unsorted_item(waiting).lead_id == lead_id
    assert [firm.amocrm.unsorted_item(uid) for uid in (taken, declined, "0" * 40)] == [None] * 3


def test_the_waiting_items_of_a_pipeline_are_listed(firm):
    user = firm.user()
    (taken, _), (declined, _), (waiting, _) = firm.chat(), firm.chat(), firm.chat()
    firm.accepts(taken, user)
    firm.declines(declined)
    assert [item.uid for item in firm.amocrm.unsorted_of_pipeline(firm.pipeline)] == [waiting]
    assert firm.amocrm.unsorted_of_pipeline(firm.other_pipeline) == []
    assert firm.amocrm.unsorted([taken, declined, waiting]).keys() == {waiting}


def test_accepting_gives_the_lead_an_owner_and_a_stage(firm):
    user = firm.user()
    uid, lead_id = firm.chat()
    assert firm.amocrm.accept_unsorted(uid, user, firm.first_stage) is True
    lead = firm.amocrm.lead(lead_id)
    assert (lead.responsible_user_id, lead.status_id) == (user, firm.first_stage)
    assert firm.amocrm.unsorted([uid]) == {}


def test_an_item_that_a_human_accepted_first_is_left_to_him(firm):
    ours, human = firm.user(), firm.user()
    uid, lead_id = firm.chat()
    firm.amocrm.unsorted([uid])
    firm.accepts(uid, human)
    assert firm.amocrm.accept_unsorted(uid, ours, firm.first_stage) is False
    assert firm.amocrm.lead(lead_id).responsible_user_id == human


def test_an_item_that_was_declined_or_never_was_cannot_be_accepted(firm):
    user = firm.user()
    uid, _ = firm.chat()
    firm.declines(uid)
    assert firm.amocrm.accept_unsorted(uid, user, firm.first_stage) is False
    assert firm.amocrm.accept_unsorted("0" * 40, user, firm.first_stage) is False


def test_accepting_for_a_switched_off_user_or_into_unsorted_is_refused_and_the_item_stays(firm):
    user, off = firm.user(), firm.user()
    firm.switches_off(off)
    uid, _ = firm.chat()
    with pytest.raises(AmoCrmRefused):
        firm.amocrm.accept_unsorted(uid, off, firm.first_stage)
    with pytest.raises(AmoCrmRefused):
        firm.amocrm.accept_unsorted(uid, user, firm.unsorted_stage)
    assert firm.amocrm.unsorted([uid]).keys() == {uid}


# --- owners


def test_owners_change_and_nothing_else_does(firm):
    anna, boris = firm.user(), firm.user()
    first, second = firm.lead(tags=("сайт",)), firm.lead()
    before = firm.amocrm.lead(first)
    result = firm.amocrm.change_owners([OwnerChange(first, anna), OwnerChange(second, boris)])
    assert (result.done, result.refused) == ({first, second}, {})
    assert firm.amocrm.lead(second).responsible_user_id == boris
    after = firm.amocrm.lead(first)
    assert replace(after, updated_at=before.updated_at) == replace(before, responsible_user_id=anna)


def test_one_bad_change_does_not_hold_up_the_others(firm):
    anna, off = firm.user(), firm.user()
    firm.switches_off(off)
    good, deleted, for_nobody, for_off = firm.lead(), firm.lead(), firm.lead(), firm.lead()
    firm.deletes(deleted)
    result = firm.amocrm.change_owners(
        [
            OwnerChange(deleted, anna),
            OwnerChange(for_nobody, NOBODY),
            OwnerChange(good, anna),
            OwnerChange(for_off, off),
            OwnerChange(NOBODY, anna),
        ]
    )
    assert result.done == {good}
    assert result.refused.keys() == {deleted, for_nobody, for_off, NOBODY}
    assert all(result.refused.values())
    assert firm.amocrm.lead(good).responsible_user_id == anna


def test_an_empty_batch_does_nothing(firm):
    assert firm.amocrm.change_owners([]).done == frozenset()
    assert firm.amocrm.add_tasks([]).done == frozenset()
    assert firm.amocrm.add_notes([]).done == frozenset()


# --- tasks and notes


def task(firm: Firm, lead_id: int, user: int, text: str = "Ответить клиенту") -> NewTask:
    return NewTask(lead_id, user, text, now(firm) + timedelta(minutes=15))


def test_a_task_comes_back_as_it_was_created_completed_or_not(firm):
    user, lead_id = firm.user(), firm.lead()
    result = firm.amocrm.add_tasks([task(firm, lead_id, user)])
    assert (result.done, result.refused) == ({lead_id}, {})
    (found,) = firm.amocrm.tasks_since([lead_id], now(firm))
    assert (found.lead_id, found.responsible_user_id, found.text) == (lead_id, user, "Ответить клиенту")
    assert (found.complete_till, found.created_at) == (now(firm) + timedelta(minutes=15), now(firm))
    assert (found.task_type_id, found.is_completed) == (1, False)
    firm.completes(found.id)
    (completed,) = firm.amocrm.tasks_since([lead_id], now(firm))
    assert completed == replace(found, is_completed=True)


def test_tasks_are_found_from_the_second_of_their_creation_on(firm):
    user, lead_id = firm.user(), firm.lead()
    firm.amocrm.add_tasks([task(firm, lead_id, user, "раньше")])
    firm.clock.advance(30.7)
    since = firm.clock.now()
    firm.amocrm.add_tasks([task(firm, lead_id, user)])
    assert [found.text for found in firm.amocrm.tasks_since([lead_id], since)] == ["Ответить клиенту"]
    assert len(firm.amocrm.tasks_since([lead_id], since - timedelta(minutes=5))) == 2
    firm.clock.advance(1)
    assert firm.amocrm.tasks_since([lead_id], firm.clock.now()) == []


def test_tasks_and_notes_of_other_leads_do_not_show(firm):
    user, mine, other = firm.user(), firm.lead(), firm.lead()
    firm.amocrm.add_tasks([task(firm, other, user)])
    firm.amocrm.add_notes([NewNote(other, "почему")])
    assert firm.amocrm.tasks_since([mine], now(firm)) == []
    assert firm.amocrm.notes_since([mine], now(firm)) == []


def test_one_bad_task_or_note_does_not_hold_up_the_others(firm):
    user, good, deleted = firm.user(), firm.lead(), firm.lead()
    firm.deletes(deleted)
    tasks = firm.amocrm.add_tasks([task(firm, deleted, user), task(firm, good, user)])
    notes = firm.amocrm.add_notes([NewNote(deleted, "почему"), NewNote(good, "почему")])
    assert tasks.done == notes.done == {good}
    assert tasks.refused.keys() == notes.refused.keys() == {deleted}
    assert all([*tasks.refused.values(), *notes.refused.values()]), "with a reason"
    assert len(firm.amocrm.tasks_since([good], now(firm))) == len(firm.amocrm.notes_since([good], now(firm))) == 1


def test_tasks_for_two_hundred_leads_are_created_once_each(firm):
    user = firm.user()
    ids = [firm.lead() for _ in range(203)]
    assert firm.amocrm.add_tasks([task(firm, lead_id, user) for lead_id in ids]).done == set(ids)
    assert sorted(found.lead_id for found in firm.amocrm.tasks_since(ids, now(firm) - timedelta(minutes=5))) == sorted(
        ids
    )


def test_notes_are_found_from_the_second_of_their_creation_on(firm):
    lead_id = firm.lead()
    firm.amocrm.add_notes([NewNote(lead_id, "раньше")])
    firm.clock.advance(30.7)
    since = firm.clock.now()
    result = firm.amocrm.add_notes([NewNote(lead_id, "почему: очередь по справедливости")])
    assert result.done == {lead_id}
    (found,) = firm.amocrm.notes_since([lead_id], since)
    assert (found.lead_id, found.text) == (lead_id, "почему: очередь по справедливости")
    assert len(firm.amocrm.notes_since([lead_id], since - timedelta(minutes=5))) == 2


# --- bad weather, which only the real adapter can meet


def test_when_every_answer_to_a_write_is_lost_nothing_is_done_twice(simulated):
    firm, user = simulated, simulated.user()
    ids = [firm.lead() for _ in range(60)]
    uid, lead_id = firm.chat()
    firm.amocrm.unsorted([uid])
    firm.world.switch(lost_answer_share=1.0, list_lag=(1.0, 4.0))
    assert firm.amocrm.change_owners([OwnerChange(each, user) for each in ids]).done == set(ids)
    assert firm.amocrm.add_tasks([task(firm, each, user) for each in ids]).done == set(ids)
    assert firm.amocrm.add_notes([NewNote(each, "почему") for each in ids]).done == set(ids)
    assert firm.amocrm.accept_unsorted(uid, user, firm.first_stage) is True
    assert len(firm.world.tasks.all()) == len(firm.world.notes.all()) == 60
    assert {firm.world.leads.get(each).responsible_user_id for each in [*ids, lead_id]} == {user}


@pytest.mark.parametrize("seed", range(3))
def test_when_some_answers_are_lost_nothing_is_missing_and_nothing_is_double(simulated, seed):
    firm, user = simulated, simulated.user()
    firm.world.random.seed(seed)
    ids = [firm.lead() for _ in range(200)]
    firm.world.switch(lost_answer_share=0.4, list_lag=(0.0, 4.0))
    firm.amocrm.add_tasks([task(firm, each, user) for each in ids])
    firm.amocrm.add_notes([NewNote(each, "почему") for each in ids])
    assert sorted(stored.entity_id for stored in firm.world.tasks.all()) == sorted(ids)
    assert sorted(stored.entity_id for stored in firm.world.notes.all()) == sorted(ids)


@pytest.mark.parametrize("status", [400, 404])
def test_an_item_taken_by_a_human_is_recognised_whatever_the_status(simulated, status):
    firm = simulated
    firm.world.switch(repeated_accept=status)
    uid, _ = firm.chat()
    firm.amocrm.unsorted([uid])
    firm.accepts(uid, firm.user())
    assert firm.amocrm.accept_unsorted(uid, firm.token_user, firm.first_stage) is False


@pytest.mark.parametrize("switch", ["missing_as_404", "deleted_leads_visible"])
def test_what_does_not_exist_is_missing_in_every_way_amocrm_says_so(simulated, switch):
    firm = simulated
    firm.world.switch(**{switch: True})
    deleted = firm.lead()
    firm.deletes(deleted)
    assert firm.amocrm.lead(deleted) is None
    assert firm.amocrm.lead(NOBODY) is None
    assert firm.amocrm.leads([deleted, NOBODY]) == {}


def test_leads_are_found_though_the_filters_are_off(simulated):
    firm = simulated
    for _ in range(260):
        firm.lead()
    last = firm.lead()
    firm.world.switch(filters_enabled=False)
    assert firm.amocrm.leads([last, NOBODY]).keys() == {last}


def test_the_simulated_account_never_sees_more_than_six_requests_in_a_second(simulated):
    firm, user = simulated, simulated.user()
    ids = [firm.lead() for _ in range(400)]
    firm.amocrm.change_owners([OwnerChange(each, user) for each in ids])
    firm.amocrm.add_tasks([task(firm, each, user) for each in ids])
    firm.amocrm.add_notes([NewNote(each, "почему") for each in ids])
    assert firm.world.requests.throttled == 0
    assert firm.world.requests.busiest_second() <= 6
    assert firm.world.requests.total == 24
