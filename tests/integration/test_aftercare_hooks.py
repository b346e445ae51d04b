"""What amoCRM tells the care function: contacts, tasks; and the look at all clients when the rules have changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.aftercare_triggers.contacts import Contacts, profile_of
from functions.aftercare_triggers.rounds import EVERY, is_forgotten, next_round
from functions.shared.care import Client, Round
from functions.shared.crm import LOST, Contact, FieldValue
from functions.shared.errors import AmoCrmUnavailable
from functions.shared.facts import PROFILE_UPDATED
from functions.shared.handle_hash import handle_hash
from infra.events.contacts import learn_all
from tests.builders import CARE_PIPELINE, form
from tests.care_desk import IDENTITY_KEY, CareDesk, missed
from tests.care_player import MOSCOW, moment
from tests.integration.test_aftercare import GYM, gym, third_miss

PHONE = handle_hash(IDENTITY_KEY, "phone:+79123456789")


def contact_hook(contact_id: int, action: str = "update", **fields: Any) -> str:
    item = f"contacts[{action}][0]"
    values = {f"{item}[{name}]": value for name, value in fields.items()}
    return form({"account[subdomain]": "demo", f"{item}[id]": contact_id, **values})


def task_hook(task_id: int, action: str = "update", status: int = 0) -> str:
    item = f"task[{action}][0]"
    return form({"account[subdomain]": "demo", f"{item}[id]": task_id, f"{item}[status]": status})


class TestContacts:
    def test_facts_that_waited_for_a_phone_become_his_who_has_it(self) -> None:
        desk = gym()
        desk.stores.identities.park(PHONE, [*missed(0, "05.11", "09.11", "12.11")])
        contact = desk.amocrm.add_contact(phones=["8 (912) 345-67-89"])
        assert desk.deliver(contact_hook(contact.id, "add")) == []
        assert desk.stores.identities.parked() == []
        desk.run("13.11 12:00")
        assert (desk.task.contact_id, desk.statuses(contact.id)) == (contact.id, ["open"])

    def test_a_phone_of_two_contacts_is_nobodys(self) -> None:
        desk = gym()
        desk.stores.identities.park(PHONE, [*missed(0, "05.11")])
        family = [desk.amocrm.add_contact(phones=["+79123456789"]).id for _ in range(2)]
        desk.deliver(*(contact_hook(each, "add") for each in family))
        assert desk.stores.identities.clients_of([PHONE]) == {PHONE: frozenset(family)}
        desk.stores.identities.park(PHONE, [*missed(0, "09.11")], family)
        desk.deliver(contact_hook(family[0]))
        assert len(desk.stores.identities.parked()) == 1

    def test_a_phone_that_was_taken_away_or_whose_contact_is_gone_is_his_no_more(self) -> None:
        desk = gym()
        one, other = (desk.amocrm.add_contact(phones=["+79123456789"]).id for _ in range(2))
        desk.deliver(contact_hook(one, "add"), contact_hook(other, "add"))
        desk.amocrm.human_edits_contact(one, phones=(), updated_at=desk.clock.now())
        desk.deliver(contact_hook(one))
        assert desk.stores.identities.clients_of([PHONE]) == {PHONE: frozenset({other})}
        del desk.amocrm._contacts[other]
        desk.deliver(contact_hook(other, "delete"))
        assert desk.stores.identities.clients_of([PHONE]) == {}

    def test_a_list_that_lags_is_not_believed(self) -> None:
        desk = gym()
        desk.amocrm.list_lag = timedelta(seconds=30)
        contact = desk.amocrm.add_contact(phones=["+79123456789"])
        desk.deliver(contact_hook(contact.id, "add"))
        assert desk.stores.identities.clients_of([PHONE]) == {PHONE: frozenset({contact.id})}

    def test_a_changed_birthday_moves_the_congratulation(self) -> None:
        rule = {"id": "birthday", "when": {"anniversary": {"field": "birthday"}}, "task": "Поздравить"}
        desk = gym("12.11 09:00", rule)
        contact = desk.amocrm.add_contact()
        self._is_born(desk, contact.id, "14.11.1990 00:00")
        self._is_born(desk, contact.id, "16.11.1990 00:00")
        desk.run("20.11 00:00")
        assert desk.task.created_at == moment("16.11 10:00")

    def test_an_unchanged_profile_is_no_fact(self) -> None:
        desk = gym()
        contact = desk.amocrm.add_contact()
        for _ in range(3):
            self._is_born(desk, contact.id, "14.11.1990 00:00")
        _, facts = desk.stores.clients.full(contact.id)
        assert [each.type for each in facts] == [PROFILE_UPDATED]

    def _is_born(self, desk: CareDesk, contact_id: int, when: str) -> None:
        desk.clock.moment += timedelta(minutes=5)
        desk.amocrm.human_edits_contact(contact_id, fields=(dated(when),), updated_at=desk.clock.now())
        assert desk.deliver(contact_hook(contact_id)) == []

    def test_a_new_contact_that_says_nothing_is_not_looked_at(self) -> None:
        desk = gym()
        contact = desk.amocrm.add_contact()
        assert desk.deliver(contact_hook(contact.id, "add")) == []
        assert desk.row(contact.id).version == 0

    @pytest.mark.parametrize(
        "body", [contact_hook(0), form({"account[subdomain]": "demo", "contacts[add][0][name]": "x"})]
    )
    def test_a_hook_without_a_usable_id_harms_nobody(self, body: str) -> None:
        assert gym().deliver(body) == []


def dated(when: str, kind: str = "birthday", name: str = "День рождения") -> FieldValue:
    day = datetime.strptime(when, "%d.%m.%Y %H:%M").replace(tzinfo=MOSCOW)
    return FieldValue(7, name, kind, ({"value": int(day.timestamp())},))


def test_a_profile_has_dates_choices_and_numbers_but_no_texts() -> None:
    fields = (
        dated("14.11.1990 00:00"),
        FieldValue(8, "Уровень", "select", ({"value": "VIP"},)),
        FieldValue(9, "О клиенте", "text", ({"value": "любит кофе"},)),
        FieldValue(10, "Замер", "date", ({"value": "не число"},)),
    )
    contact = Contact(1, 0, moment("12.11"), fields=fields)
    assert profile_of(contact, MOSCOW) == {"День рождения": "1990-11-14", "birthday": "1990-11-14", "Уровень": "VIP"}


class TestTasks:
    def test_who_completes_the_task_ends_its_reasons(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.amocrm.human_completes(desk.task.id, "Записал на консультацию")
        assert desk.deliver(task_hook(desk.task.id, status=1)) == []
        assert (desk.statuses(client), desk.row(client).open_task) == (["closed"], None)

    def test_a_list_that_does_not_show_it_yet_is_asked_again(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.amocrm.list_lag = timedelta(seconds=30)
        desk.amocrm.human_completes(desk.task.id)
        assert desk.deliver(task_hook(desk.task.id, status=1)) == ["m0"]
        desk.clock.moment += timedelta(seconds=60)
        assert desk.deliver(task_hook(desk.task.id, status=1)) == []
        assert desk.statuses(client) == ["closed"]

    def test_tasks_of_others_are_nothing_to_us(self) -> None:
        desk = gym()
        before = sum(desk.amocrm.calls.values())
        assert desk.deliver(task_hook(987, status=1), task_hook(988, "delete")) == []
        assert sum(desk.amocrm.calls.values()) == before


class TestRounds:
    def test_new_rules_note_what_held_before_them_and_fire_what_begins_later(self) -> None:
        desk = CareDesk("14.11 09:00")
        late, early = desk.client(), desk.client()
        desk.tell(*missed(late, "05.11", "09.11", "12.11"))
        desk.tell(*missed(early, "09.11", "12.11"))
        desk.publish({**GYM, "effective_from": "2026-11-14T09:00:00+03:00", "backfill": "future_only"})
        desk.tick()
        assert desk.statuses(late) == ["baseline"]
        desk.run("16.11 20:00")
        desk.clock.moment = moment("16.11 20:05")
        desk.tell(*missed(early, "16.11"))
        desk.run("17.11 12:00")
        assert (desk.statuses(late), desk.statuses(early)) == (["baseline"], ["open"])
        assert {desk.row(each).rules_version for each in (late, early)} == {1}

    def test_a_forgotten_due_time_is_found_within_a_week_and_told(self) -> None:
        desk = gym("12.11 23:00", {**GYM, "late": {"policy": "fire_if_still_true", "expire": "P30D"}})
        client = desk.client()
        third_miss(desk, client)
        desk.tick()
        forgotten = desk.row(client)
        desk.stores.clients.put(replace(forgotten, due_at=None))
        desk.clock.moment = moment("20.11 12:00")
        desk.tick()
        desk.tick()
        assert desk.telemetry.counts["CareClientForgotten"] == 1
        assert desk.statuses(client) == ["open"]

    def test_a_round_that_finds_nothing_wrong_is_silent(self) -> None:
        desk = gym()
        third_miss(desk, desk.client())
        for _ in range(3):
            desk.tick()
            desk.clock.moment += timedelta(days=7, minutes=1)
        assert desk.telemetry.counts.get("CareClientForgotten", 0) == 0

    def test_without_rules_nobody_is_looked_at(self) -> None:
        desk = CareDesk()
        desk.tick()
        assert desk.stores.rounds.current() is None


NOW = moment("20.11")


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (None, Round(3, NOW)),
        (Round(2, NOW - timedelta(days=1), 1, 77), Round(3, NOW)),
        (Round(3, NOW - timedelta(days=30), 1, 77), Round(3, NOW - timedelta(days=30), 1, 77)),
        (Round(3, NOW - timedelta(days=1), ended_at=NOW), Round(3, NOW - timedelta(days=1), ended_at=NOW)),
        (Round(3, NOW - EVERY, ended_at=NOW), Round(3, NOW, is_check=True)),
    ],
)
def test_which_round_it_is(standing: Round | None, expected: Round) -> None:
    assert next_round(standing, 3, NOW) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "21.11", True),
        ("22.11", "21.11", False),
        ("21.11", "22.11", False),
        ("21.11", None, False),
        ("19.11", "18.11", False),
    ],
)
def test_whether_he_was_forgotten(before: str | None, after: str | None, expected: bool) -> None:
    due = [None if each is None else moment(each) for each in (before, after)]
    assert is_forgotten(Client(1, 4, due_at=due[0]), Client(1, 5, due_at=due[1]), NOW) is expected
    assert not is_forgotten(Client(1, 4, due_at=due[0]), Client(1, 6, due_at=due[1]), NOW)


def card_hook(lead_id: int) -> str:
    return form({"account[subdomain]": "demo", "leads[status][0][id]": lead_id})


AT_RISK: dict[str, Any] = {
    "id": "closed",
    "when": {"after": {"event": "stage.entered", "where": {"stage": "lost"}, "by": "1d"}},
    "task": "Карточка закрыта {date}",
}


class TestCards:
    def test_a_stage_of_aftercare_is_a_fact_of_the_client_told_once(self) -> None:
        desk = gym("12.11 11:00", AT_RISK)
        client = desk.client()
        lead = self._closed_card(desk, client)
        assert desk.deliver(card_hook(lead)) == []
        assert desk.deliver(card_hook(lead), card_hook(lead)) == []
        _, facts = desk.stores.clients.full(client)
        assert [fact.data["stage"] for fact in facts] == ["lost"]
        desk.run("14.11 00:00")
        assert desk.task.text.startswith("Карточка закрыта 12.11.2026")

    def test_while_amocrm_is_away_it_comes_back_and_holds_up_nobody(self) -> None:
        desk = gym("12.11 11:00", AT_RISK, GYM)
        other, client = desk.client(), desk.client()
        lead = self._closed_card(desk, client)
        desk.stores.facts.put(missed(other, "02.11", "05.11", "09.11"))
        wake = json.dumps({"wake": [other], "time": desk.clock.now().isoformat()})
        desk.amocrm.fail_next(AmoCrmUnavailable("away", 30), on="leads")
        assert desk.deliver(card_hook(lead), wake) == ["m0"]
        assert desk.statuses(other) == ["queued"]

    def test_cards_of_other_pipelines_are_others_business(self) -> None:
        desk = gym("12.11 11:00", AT_RISK)
        lead = desk.amocrm.add_lead(contacts=[desk.client(card=False)])
        assert desk.deliver(card_hook(lead.id)) == []
        assert desk.tasks == []

    def _closed_card(self, desk: CareDesk, client: int) -> int:
        contact = desk.amocrm.see_contact(client)
        assert contact is not None
        [lead] = contact.leads
        desk.amocrm.human_moves(lead, LOST, CARE_PIPELINE)
        return lead


def test_all_contacts_are_known_before_anybody_gets_the_facts_that_waited() -> None:
    desk = gym()
    desk.stores.identities.park(PHONE, [*missed(0, "05.11")])
    other = handle_hash(IDENTITY_KEY, "email:anna@mail.ru")
    desk.stores.identities.park(other, [*missed(0, "09.11")])
    family = [desk.amocrm.add_contact(phones=["+79123456789"]) for _ in range(2)]
    anna = desk.amocrm.add_contact(emails=["Anna@mail.ru"])
    known = Contacts(desk.amocrm, desk.stores, lambda: IDENTITY_KEY)
    assert learn_all(known, desk.sight(), [*family, anna]) == {anna.id}
    assert [each.hashed for each in desk.stores.identities.parked()] == [PHONE]
    assert learn_all(known, desk.sight(), [*family, anna]) == set()
