"""What people do with the tasks of aftercare, and what holds up one client but not the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.aftercare_triggers.holdout import is_held_out
from functions.aftercare_triggers.plan import WakePlan
from functions.aftercare_triggers.texts import LENGTH, clipped, task_text
from functions.aftercare_triggers.waker import part_of
from functions.aftercare_triggers.writing import LEASE
from functions.shared.adapters.dynamodb.episodes import AT_ONCE
from functions.shared.care import Client, Episode, Status
from functions.shared.errors import AmbiguousWrite, Contended
from functions.shared.facts import PURCHASE_COMPLETED, VISIT_ATTENDED
from tests.builders import BORIS, CARE_PIPELINE, CARE_STAGE, INNA
from tests.care_desk import HEAD, CareDesk, fact
from tests.care_player import moment
from tests.integration.test_aftercare import gym, third_miss

SILENT: dict[str, Any] = {
    "id": "silent",
    "priority": 70,
    "when": {"silence": {"of": VISIT_ATTENDED, "for": "P1D"}},
    "cap": {"per_client": "none"},
    "task": "Давно не был",
    "exit": {"on": VISIT_ATTENDED, "result": "Клиент вернулся {date}"},
}
BOUGHT: dict[str, Any] = {
    "id": "bought",
    "priority": 30,
    "when": {"after": {"event": PURCHASE_COMPLETED, "by": "P1D", "stays": "P7D"}},
    "cap": {"per_client": "none"},
    "task": "Спросить, всё ли хорошо",
}


def with_task(*, card: bool = True, rules: tuple[dict[str, Any], ...] = (SILENT, BOUGHT)) -> tuple[CareDesk, int]:
    """A client who has not come for a day; his task stands since 13.11 12:00, and it is a minute and a half later."""
    desk = CareDesk("12.11 12:00")
    desk.publish(*rules)
    client = desk.client(card=card, owner=INNA)
    desk.tell(fact(client, VISIT_ATTENDED, "12.11 12:00"))
    desk.run("13.11 12:00")
    desk.clock.advance(90)
    return desk, client


def told(desk: CareDesk, *task_ids: int, ended: tuple[int, ...] = ()) -> set[int]:
    return desk.people().touched(desk.sight(), task_ids, ended)


def comes(desk: CareDesk, client: int) -> None:
    desk.clock.advance(3600)
    now = desk.clock.now()
    visit = replace(fact(client, VISIT_ATTENDED, "12.11 12:00", f"visit-{now:%d%H%M}"), time=now, received=now)
    assert desk.tell(visit) == []


class TestWhatAPersonDid:
    def test_a_completed_task_closes_its_reasons(self) -> None:
        desk, client = with_task()
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=INNA)
        assert told(desk, desk.task.id, ended=(desk.task.id,)) == set()
        assert (desk.statuses(client), desk.row(client).open_task) == (["closed"], None)

    def test_a_deleted_task_closes_its_reasons(self) -> None:
        desk, client = with_task()
        task_id = desk.task.id
        desk.amocrm.human_deletes_task(task_id)
        assert told(desk, task_id, ended=(task_id,)) == set()
        assert (desk.statuses(client), desk.row(client).open_task) == (["closed"], None)

    def test_what_lists_do_not_show_yet_is_asked_for_again(self) -> None:
        desk, client = with_task()
        desk.amocrm.list_lag = timedelta(seconds=60)
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=INNA)
        assert told(desk, desk.task.id, ended=(desk.task.id,)) == {desk.task.id}
        assert told(desk, desk.task.id) == set()
        assert desk.statuses(client) == ["open"]
        desk.clock.advance(60)
        assert told(desk, desk.task.id, ended=(desk.task.id,)) == set()
        assert desk.statuses(client) == ["closed"]

    def test_an_edit_is_remembered_though_we_write_the_task_afterwards(self) -> None:
        rule = SILENT | {"escalate": [{"after": "P1D", "to": "head_of_sales"}]}
        desk, client = with_task(rules=(rule,))
        desk.amocrm.human_edits_task(desk.task.id, by=INNA, text=f"Звонил. {desk.task.text}")
        told(desk, desk.task.id)
        desk.run("14.11 18:00")
        assert (desk.task.responsible_user_id, desk.task.updated_by) == (HEAD, desk.amocrm.token_user_id)
        comes(desk, client)
        assert (desk.task.is_completed, desk.statuses(client)) == (False, ["left"])
        assert desk.task.text.startswith("Звонил. ")

    def test_who_was_given_the_task_by_a_person_keeps_it(self) -> None:
        desk, client = with_task()
        desk.amocrm.human_edits_task(desk.task.id, by=INNA, responsible_user_id=BORIS)
        told(desk, desk.task.id)
        desk.tell(fact(client, PURCHASE_COMPLETED, "12.11 12:00"))
        desk.run("13.11 18:00")
        assert (desk.task.responsible_user_id, sorted(desk.statuses(client))) == (BORIS, ["merged", "open"])

    def test_what_we_wrote_ourselves_and_others_tasks_change_nothing(self) -> None:
        desk, client = with_task()
        other = desk.amocrm.add_task(0, INNA, "Своё", desk.clock.now(), contact_id=client)
        desk.amocrm.human_completes(other.id, by=INNA)
        before, calls = desk.row(client), desk.amocrm.calls["tasks_by_id"]
        assert told(desk, other.id) == set()
        assert desk.amocrm.calls["tasks_by_id"] == calls
        assert told(desk, *(task.id for task in desk.tasks)) == set()
        assert desk.row(client) == before

    @pytest.mark.parametrize("card", [True, False])
    def test_a_note_beside_a_begun_task_says_who_came_and_what_is_new(self, card: bool) -> None:
        desk, client = with_task(card=card)
        desk.amocrm.human_edits_task(desk.task.id, by=INNA, text=f"Звонил. {desk.task.text}")
        desk.tell(fact(client, PURCHASE_COMPLETED, "12.11 12:00"))
        desk.run("13.11 18:00")
        comes(desk, client)
        assert [note.text for note in desk.amocrm.notes] == [
            "Давно не был\nТакже: Спросить, всё ли хорошо",
            "Клиент вернулся 13.11.2026",
        ]
        assert {note.contact_id for note in desk.amocrm.notes} == {0 if card else client}
        assert sorted(desk.statuses(client)) == ["left", "merged"]
        assert not desk.task.is_completed

    @pytest.mark.parametrize("card", [True, False])
    def test_a_task_completed_while_its_answer_was_unknown_is_not_written_again(self, card: bool) -> None:
        desk = CareDesk("12.11 12:00")
        desk.publish(SILENT)
        client = desk.client(card=card, owner=INNA)
        desk.tell(fact(client, VISIT_ATTENDED, "12.11 12:00"))
        desk.amocrm.fail_next(AmbiguousWrite("no answer"), on="add_client_tasks", done=True)
        desk.run("13.11 12:00")
        assert desk.statuses(client) == ["sending"]
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=INNA)
        desk.clock.advance(LEASE.total_seconds())
        desk.run("13.11 18:00")
        assert (desk.task.result, desk.statuses(client)) == ("Поговорили", ["closed"])


class TestOneAmongMany:
    def test_a_client_who_moves_all_the_time_holds_nobody_up(self) -> None:
        desk = CareDesk("12.11 12:00")
        desk.publish(SILENT)
        clients = [desk.client(card=False, owner=INNA) for _ in range(3)]
        for client in clients:
            desk.tell(fact(client, VISIT_ATTENDED, "12.11 12:00"))
        moving, store = clients[0], desk.stores.episodes.store

        def contended(client: Client, *args: Any, **more: Any) -> Any:
            if client.id == moving and any(each.status is Status.SENDING for each in more.get("changed", ())):
                raise Contended("another transaction holds it")
            return store(client, *args, **more)

        desk.stores.episodes.store = contended  # type: ignore[method-assign]
        desk.run("13.11 13:00")
        assert [desk.statuses(client) for client in clients] == [["queued"], ["open"], ["open"]]
        desk.stores.episodes.store = store  # type: ignore[method-assign]
        desk.run("13.11 13:20")
        assert desk.statuses(moving) == ["open"]

    def test_one_that_amocrm_refuses_lets_the_others_through_and_is_tried_anew(self) -> None:
        desk = CareDesk("12.11 12:00")
        desk.publish(SILENT)
        clients = [desk.client(owner=INNA) for _ in range(3)]
        for client in clients:
            desk.tell(fact(client, VISIT_ATTENDED, "12.11 12:00"))
        desk.clock.moment = moment("13.11 11:59")
        card = desk.amocrm.see_contact(clients[0]).leads[0]
        desk.amocrm.list_lag = timedelta(minutes=2)
        desk.amocrm.delete_lead(card)  # lists show it for two minutes more
        desk.run("13.11 12:00")
        assert [desk.statuses(client) for client in clients] == [["queued"], ["open"], ["open"]]
        desk.run("13.11 13:00")
        assert desk.statuses(clients[0]) == ["open"]
        assert {task.contact_id for task in desk.tasks} == {0, clients[0]}


class TestALot:
    def test_a_wake_with_more_than_one_transaction_holds_stores_the_most_urgent_first(self) -> None:
        rules = [
            BOUGHT | {"id": f"r{number:03}", "priority": number % 100, "task": f"Повод {number}"}
            for number in range(AT_ONCE + 21)
        ]
        desk = CareDesk("12.11 12:00")
        desk.publish(*rules)
        client = desk.client()
        desk.tell(fact(client, PURCHASE_COMPLETED, "12.11 12:00"))
        desk.clock.moment = moment("13.11 10:00")
        desk.wake(client)
        first = desk.episodes(client)
        assert len(first) == AT_ONCE
        assert desk.row(client).due_at <= desk.clock.now()
        assert min(each.priority for each in first) >= 10
        desk.clock.advance(600)
        desk.tick()
        assert len(desk.episodes(client)) == len(rules)

    def test_what_is_left_out_leaves_no_trace(self) -> None:
        now = moment("13.11 10:00")
        episodes = tuple(Episode(1, f"r{n}", "a", 1, Status.QUEUED, now, now, now, priority=n) for n in range(150))
        plan = part_of(WakePlan(Client(1, salt="s"), episodes), Client(1, salt="s"), now)
        assert [each.priority for each in plan.episodes] == list(range(149, 50, -1))
        assert {(each.rule, each.anchor) for each in plan.client.traces} == {each.key for each in plan.episodes}
        assert plan.client.due_at == now

    def test_a_text_is_clipped_behind_a_word_and_keeps_its_mark(self) -> None:
        text = task_text(["слово " * 500, "второй повод"], "at-7f3k9c2a", "ru")
        assert text.endswith("слово… ·at-7f3k9c2a")
        assert len(text) <= LENGTH + len("… ·at-7f3k9c2a")
        assert clipped("а" * 30, 10) == "а" * 9 + "…"
        assert clipped("ровно десять", 12) == "ровно десять"


class TestTheDraw:
    def test_a_salt_is_given_once_with_the_row_and_draws_for_all_rules_alike(self) -> None:
        desk = CareDesk("12.11 12:00")
        desk.publish(SILENT)
        one, two = desk.client(), desk.client()
        desk.tell(fact(one, VISIT_ATTENDED, "12.11 12:00"))
        desk.tell(fact(two, VISIT_ATTENDED, "12.11 12:00"))
        salts = [desk.row(client).salt for client in (one, two)]
        assert all(salts) and len(set(salts)) == 2
        desk.run("16.11 12:00")
        comes(desk, one)
        assert [desk.row(client).salt for client in (one, two)] == salts

    def test_nobody_can_foretell_the_arm_from_the_id(self) -> None:
        held = [is_held_out(b"key", Client(7, salt=str(number)), 0.5) for number in range(40)]
        assert set(held) == {True, False}


def test_a_client_with_two_cards_has_one_task_on_the_newer_one() -> None:
    desk = gym()
    client = desk.client()
    place = {"pipeline_id": CARE_PIPELINE, "status_id": CARE_STAGE, "responsible_user_id": INNA}
    newer = desk.amocrm.add_lead(contacts=[client], **place)
    third_miss(desk, client)
    desk.run("16.11 12:00")
    assert (desk.task.lead_id, desk.statuses(client)) == (newer.id, ["open"])


def test_of_two_cards_the_one_of_the_sale_is_taken() -> None:
    desk = gym()
    client = desk.client()
    contact = desk.amocrm.see_contact(client)
    assert contact is not None
    [older] = contact.leads
    place = {"pipeline_id": CARE_PIPELINE, "status_id": CARE_STAGE, "responsible_user_id": INNA}
    desk.amocrm.add_lead(contacts=[client], **place)
    desk.deliver(desk.sold(client, 77, card=older))
    third_miss(desk, client)
    desk.run("16.11 12:00")
    assert desk.task.lead_id == older
