"""What the port `AmoCrm` promises to whoever looks after clients.

Asked of the fake and of the real adapter on the simulated account, as in test_amocrm_port.py.
"""

from __future__ import annotations

from datetime import timedelta

from functions.shared.crm import NewClientTask, NewTask, TaskChange
from tests.contract.amocrm_firms import NOBODY, Firm, now

TEXT = "Не был на 3 тренировках подряд ·at-7f3k9c"


def about(firm: Firm, client: int, manager: int, lead_id: int = 0, text: str = TEXT) -> NewClientTask:
    return NewClientTask(client, lead_id, manager, text, now(firm) + timedelta(hours=4))


def test_a_task_hangs_on_the_card_or_on_the_contact_himself(firm):
    manager = firm.user()
    anna, boris = firm.contact(manager, "Анна"), firm.contact(manager, "Борис")
    card = firm.lead(contact=boris)
    result = firm.amocrm.add_client_tasks([about(firm, anna, manager), about(firm, boris, manager, card)])
    assert result.refused == {}
    tasks = firm.amocrm.tasks_by_id(result.made.values())
    hers, his = tasks[result.made[anna]], tasks[result.made[boris]]
    assert (hers.contact_id, hers.lead_id, hers.text) == (anna, 0, TEXT)
    assert (his.contact_id, his.lead_id, his.responsible_user_id) == (0, card, manager)
    assert (hers.updated_by, hers.is_completed) == (firm.token_user, False)


def test_tasks_of_these_contacts_and_cards_since_then_completed_ones_too(firm):
    manager = firm.user()
    anna, boris = firm.contact(manager, "Анна"), firm.contact(manager, "Борис")
    card = firm.lead(contact=boris)
    firm.amocrm.add_client_tasks([about(firm, anna, manager, text="Старое")])
    firm.clock.advance(10)
    since = now(firm)
    made = firm.amocrm.add_client_tasks([about(firm, anna, manager), about(firm, boris, manager, card)]).made
    firm.amocrm.add_tasks([NewTask(card, manager, "Позвонить", now(firm))])
    firm.clock.advance(10)
    assert [task.text for task in firm.amocrm.client_tasks_since([anna], [], since)] == [TEXT]
    found = firm.amocrm.client_tasks_since([boris], [card], since)
    assert sorted(task.text for task in found) == [TEXT, "Позвонить"]
    firm.completes(made[anna], "Сделано")
    firm.clock.advance(10)
    (done,) = firm.amocrm.client_tasks_since([anna], [], since)
    assert (done.is_completed, done.result, done.contact_id) == (True, "Сделано", anna)


def test_a_note_hangs_on_the_contact_himself(firm):
    manager = firm.user()
    anna, boris = firm.contact(manager, "Анна"), firm.contact(manager, "Борис")
    since = now(firm)
    assert firm.amocrm.add_contact_note(anna, "Клиент вернулся 23.11.2026")
    firm.clock.advance(10)
    (note,) = firm.amocrm.contact_notes_since(anna, since)
    assert (note.text, note.contact_id, note.lead_id) == ("Клиент вернулся 23.11.2026", anna, 0)
    assert firm.amocrm.contact_notes_since(boris, since) == []
    assert firm.amocrm.contact_notes_since(anna, now(firm)) == []
    assert not firm.amocrm.add_contact_note(NOBODY, "Некому")


def test_a_lost_answer_makes_no_second_note_on_a_contact(simulated):
    firm = simulated
    client = firm.contact(firm.user())
    since = now(firm)
    firm.world.switch(lost_answer_share=1.0, list_lag=(0.0, 2.0))
    assert firm.amocrm.add_contact_note(client, "Клиент вернулся")
    firm.clock.advance(10)
    assert len(firm.amocrm.contact_notes_since(client, since)) == 1


def test_a_task_is_reworded_put_off_and_completed(firm):
    manager, other = firm.user(), firm.user()
    client = firm.contact(manager)
    task_id = firm.amocrm.add_client_tasks([about(firm, client, manager)]).made[client]
    later = now(firm) + timedelta(days=1)
    change = TaskChange(task_id, responsible_user_id=other, text="Другое", complete_till=later)
    assert firm.amocrm.change_tasks([change]).done == {task_id}
    task = firm.amocrm.tasks_by_id([task_id])[task_id]
    assert (task.responsible_user_id, task.text, task.complete_till) == (other, "Другое", later)
    assert not task.is_completed
    firm.amocrm.change_tasks([TaskChange(task_id, result="Клиент вернулся 23.11.2026")])
    task = firm.amocrm.tasks_by_id([task_id])[task_id]
    assert (task.is_completed, task.result, task.text) == (True, "Клиент вернулся 23.11.2026", "Другое")


def test_what_a_person_does_to_a_task_shows(firm):
    manager = firm.user()
    client = firm.contact(manager)
    task_id = firm.amocrm.add_client_tasks([about(firm, client, manager)]).made[client]
    before = firm.amocrm.tasks_by_id([task_id])[task_id]
    firm.clock.advance(60)
    firm.completes(task_id, "Договорились")
    after = firm.amocrm.tasks_by_id([task_id])[task_id]
    assert (after.is_completed, after.result) == (True, "Договорились")
    assert after.updated_at > before.updated_at


def test_unknown_clients_cards_and_managers_are_refused_one_by_one(firm):
    manager = firm.user()
    known, other = firm.contact(manager), firm.contact(manager)
    result = firm.amocrm.add_client_tasks(
        [
            about(firm, known, manager),
            about(firm, NOBODY, manager),
            about(firm, other, NOBODY),
        ]
    )
    assert set(result.made) == {known}
    assert set(result.refused) == {NOBODY, other}
    assert firm.amocrm.tasks_by_id([NOBODY]) == {}


def test_a_lost_answer_makes_no_second_task_and_its_id_is_found(simulated):
    firm = simulated
    manager = firm.user()
    clients = [firm.contact(manager, f"Клиент {number}") for number in range(60)]
    firm.world.switch(lost_answer_share=1.0, list_lag=(0.0, 2.0))
    result = firm.amocrm.add_client_tasks([about(firm, client, manager) for client in clients])
    assert set(result.made) == set(clients)
    assert sorted(result.made.values()) == sorted(task.id for task in firm.world.tasks.all())
