"""The router in its surroundings: what happens to a lead, to amoCRM, to the bus and to the message."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.qualify_router.undoing import Undoing
from functions.shared.crm import FieldValue
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable, RetryLater
from functions.shared.lead_state import TOLD, Step
from tests.builders import form
from tests.router_desk import STAGES, RouterDesk, bus_body, tick_body
from tests.routing_support import ANNA, BASE_URL, BORIS, DINA, HEAD, IRINA, MARIA, make_department


@pytest.fixture
def desk() -> RouterDesk:
    return RouterDesk()


def tasks(desk: RouterDesk, lead_id: int) -> list[tuple[int, str]]:
    return [(task.responsible_user_id, task.text) for task in desk.amocrm.tasks_of(lead_id)]


def notes(desk: RouterDesk, lead_id: int) -> list[str]:
    return [note.text for note in desk.amocrm.notes_of(lead_id)]


def copies(desk: RouterDesk, lead_id: int) -> list[int]:
    url = f"https://firm.amocrm.ru/leads/detail/{lead_id}"
    return [
        lead.id
        for lead in desk.amocrm.see_all()
        if (origin := lead.filled(desk.department.origin_field)) and origin.values[0]["value"] == url
    ]


class TestMoves:
    def test_a_qualified_lead_goes_to_the_next_team_with_what_is_known(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.qualifying", fields=[FieldValue(5, "Площадь", "text", ({"value": "40 м²"},))])
        desk.move(lead, "exchange.qualified")

        assert desk.drain() == []

        assert desk.at(lead) == "main.received"
        assert desk.amocrm.owner(lead) == ANNA, "until distribute finds the next manager she keeps it"
        [note] = notes(desk, lead)
        assert "«Биржа лидов: Квалифицирован» → «Основная воронка: Получен от биржи»" in note
        assert "Ответственный был: Анна; Площадь: 40 м²" in note
        [routed] = desk.bus.of("LeadRouted")
        assert routed["hand_over"] is True
        expected = {"from_place": "exchange.qualified", "to_place": "main.received", "team": "closers"}
        expected |= {"route": "qualified", "cause": "route#1", "known_owner": 0, "previous_owner": ANNA}
        assert {key: routed[key] for key in expected} == expected

    def test_the_answer_moves_the_lead_and_is_used_up(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "no_information")
        desk.drain()
        assert (desk.at(lead), desk.answer(lead)) == ("warm_up.to_warm", "")
        assert desk.bus.of("LeadRouted")[0]["hand_over"] is False

    def test_who_had_the_lead_before_is_named_when_it_comes_back(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "qualified")
        desk.settle()
        desk.amocrm.human_reassigns(lead, DINA)
        desk.move(lead, "main.not_ready")
        desk.settle()
        desk.move(lead, "warm_up.warmed")
        desk.settle()
        assert desk.at(lead) == "main.received", "it came from the main pipeline"
        assert [event["known_owner"] for event in desk.bus.of("LeadRouted")] == [0, ANNA, DINA]

    def test_a_lead_made_right_in_a_stage_with_a_route_goes_on_at_once(self, desk: RouterDesk) -> None:
        pipeline_id, status_id = desk.ids("exchange.no_information")
        lead = desk.amocrm.add_lead(pipeline_id=pipeline_id, status_id=status_id, responsible_user_id=ANNA)
        desk.drain()
        assert desk.at(lead.id) == "warm_up.to_warm"

    def test_a_batch_costs_four_requests_however_many_leads_it_moves(self, desk: RouterDesk) -> None:
        leads = [desk.lead("exchange.new") for _ in range(40)]
        for lead in leads:
            desk.move(lead, "exchange.qualified")
        before = desk.amocrm.asked()
        assert desk.drain() == []
        assert {desk.at(lead) for lead in leads} == {"main.received"}
        assert desk.amocrm.asked() - before == 3, "one reads, one writes places, one writes notes"

    def test_a_lead_that_stands_in_neobrannoe_is_left_there(self, desk: RouterDesk) -> None:
        pipeline = desk.department.pipeline_of("exchange")
        item = desk.amocrm.add_unsorted(pipeline_id=pipeline.id, unsorted_status_id=pipeline.unsorted_status_id)
        desk.says(item.lead_id, "qualified")
        assert desk.drain() == []
        assert desk.amocrm.place(item.lead_id) == (pipeline.id, pipeline.unsorted_status_id)


class TestEchoes:
    @pytest.mark.parametrize(
        ("start", "at"),
        [
            ("exchange.new", "exchange.qualified"),
            ("exchange.new", "exchange.not_target"),
            ("exchange.new", "exchange.in_conversation"),
            ("main.contact", "main.not_ready"),
            ("main.contact", "main.conditional_refusal"),
            ("main.contact", "main.won"),
            ("main.contact", "main.lost"),
            ("warm_up.warming", "warm_up.warmed"),
            ("aftercare.in_care", "aftercare.offer"),
        ],
    )
    def test_an_echo_of_our_own_write_costs_no_request(self, desk: RouterDesk, start: str, at: str) -> None:
        lead = desk.lead(start)
        desk.move(lead, at)
        desk.drain()
        desk.settle()
        before, writes = desk.amocrm.asked(), desk.table.rows.copy()  # type: ignore[attr-defined]
        for _ in range(3):
            assert desk.deliver(desk.hook(lead), desk.hook(lead, "update")) == []
        assert desk.amocrm.asked() == before
        assert desk.table.rows == writes  # type: ignore[attr-defined]

    def test_an_answer_that_stays_on_a_closed_card_costs_no_request_either(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "not_target")
        desk.drain()
        desk.settle()
        assert (desk.at(lead), desk.answer(lead)) == ("exchange.lost", "not_target")
        before = desk.amocrm.asked()
        desk.deliver(desk.hook(lead), desk.hook(lead, "update"))
        assert desk.amocrm.asked() == before

    def test_what_people_edit_on_a_card_costs_nothing(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact")
        desk.says(lead, "qualified")
        desk.amocrm.human_sets_price(lead, 100)
        desk.amocrm.human_renames(lead, "Окна")
        desk.drain()
        assert desk.amocrm.asked() == 0


class TestClosing:
    def test_a_lead_is_closed_with_its_reason_and_the_bus_is_told_once(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.not_target")
        desk.drain()
        desk.settle()
        assert desk.at(lead) == "exchange.lost"
        assert desk.amocrm.see(lead).loss_reason_id == desk.department.loss_reasons["not_target"]
        [closed] = desk.bus.of("LeadClosed")
        assert (closed["route"], closed["reason"], closed["owner"]) == ("not_target", "not_target", ANNA)
        assert notes(desk, lead) == ["Conveyor: сделка закрыта, причина «Не целевой»."]

    def test_a_reason_that_amocrm_lost_does_not_keep_the_lead_open(self, desk: RouterDesk) -> None:
        desk.amocrm.loss_reasons = {desk.department.loss_reasons["spam"]}
        lead, other = desk.lead("exchange.new"), desk.lead("exchange.new")
        desk.move(lead, "exchange.not_target")
        desk.move(other, "exchange.qualified")
        desk.drain()
        assert (desk.at(lead), desk.at(other)) == ("exchange.lost", "main.received")
        assert "записать не удалось" in notes(desk, lead)[0]
        assert desk.bus.of("LeadClosed")[0]["reason"] == "not_target"

    def test_a_lead_taken_up_again_is_not_closed_for_its_old_answer(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "not_target")
        desk.settle()
        desk.move(lead, "exchange.qualifying")
        desk.settle()
        assert (desk.at(lead), desk.answer(lead)) == ("exchange.qualifying", "not_target")

        desk.says(lead, "qualified")
        desk.settle()
        assert desk.at(lead) == "main.received"

    @pytest.mark.parametrize(("reason", "told"), [("spam", "spam"), (None, "")])
    def test_what_people_close_is_told_with_the_reason_they_chose(
        self, desk: RouterDesk, reason: str | None, told: str
    ) -> None:
        lead = desk.lead("main.contact", owner=DINA)
        desk.move(lead, "main.lost", loss_reason_id=desk.department.loss_reasons[reason] if reason else None)
        desk.drain()
        desk.settle()
        [closed] = desk.bus.of("LeadClosed")
        assert (closed["route"], closed["reason"], closed["pipeline"], closed["owner"]) == ("", told, "main", DINA)
        assert notes(desk, lead) == []

    def test_a_lead_closed_again_is_told_again(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact")
        for at in ("main.lost", "main.contact", "main.lost"):
            desk.move(lead, at)
            desk.settle()
        assert len(desk.bus.of("LeadClosed")) == 2


class TestMergedAway:
    @pytest.mark.parametrize("late", ["exchange.in_conversation", "exchange.lost", "main.contact"])
    def test_no_late_hook_and_no_tick_opens_a_duplicate_again(self, late: str) -> None:
        routes = "routes: {lostback: {when: {stage: exchange.lost}, move: warm_up.warming}}"
        desk = RouterDesk(make_department(extra=routes))
        client = desk.amocrm.add_contact()
        desk.lead("main.offer", contacts=[client.id])
        lead = desk.lead("exchange.new", contacts=[client.id])
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        for seconds in (0, 5, 7200):
            desk.clock.advance(seconds)
            desk.sent[STAGES] += [desk.hook(lead, at=late), desk.hook(lead), desk.hook(lead, "update")]
            desk.settle()
            desk.tick()
        assert (desk.at(lead), desk.state(lead).due_at) == ("exchange.lost", None)


class TestTasks:
    def test_a_conditional_refusal_asks_its_owner_once_a_stay(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact", owner=DINA)
        for at in ("main.conditional_refusal", "main.offer", "main.conditional_refusal"):
            desk.move(lead, at)
            desk.settle()
        assert [owner for owner, _ in tasks(desk, lead)] == [DINA], "the first one is still open"
        assert "Итог квалификации" in tasks(desk, lead)[0][1]
        assert desk.amocrm.tasks_of(lead)[0].complete_till - desk.amocrm.tasks_of(lead)[0].created_at == timedelta(
            days=1
        )

    def test_who_has_done_the_task_is_asked_again_in_another_stay(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact", owner=DINA)
        for at in ("main.conditional_refusal", "main.offer", "main.conditional_refusal"):
            desk.move(lead, at)
            desk.settle()
            for task in desk.amocrm.tasks_of(lead):
                desk.amocrm.human_completes(task.id, "ok")
        assert [owner for owner, _ in tasks(desk, lead)] == [DINA, DINA]

    @pytest.mark.parametrize("answer", ["not_target", "no_information", "qualified"])
    def test_the_answer_completes_the_task_that_asked_for_it(self, desk: RouterDesk, answer: str) -> None:
        lead = desk.lead("main.contact", owner=DINA)
        desk.move(lead, "main.conditional_refusal")
        desk.settle()
        [asked] = desk.amocrm.tasks_of(lead)
        own = desk.amocrm.add_task(lead, DINA, "Перезвонить", desk.clock.now() + timedelta(days=1))
        desk.says(lead, answer)
        desk.settle()
        done, other = desk.amocrm.tasks_of(lead)
        called = desk.department.called(f"answer.{answer}")
        assert (done.id, done.is_completed, done.result) == (asked.id, True, f"Итог квалификации: {called}.")
        assert (other.id, other.is_completed) == (own.id, False)

    def test_a_task_that_a_person_has_made_his_own_goes_along(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact", owner=DINA)
        desk.move(lead, "main.conditional_refusal")
        desk.settle()
        [asked] = desk.amocrm.tasks_of(lead)
        desk.amocrm._change_task(asked.id, text="Спросить про замер, потом заполнить")
        desk.says(lead, "qualified")
        desk.settle()
        assert not desk.amocrm.tasks_of(lead)[0].is_completed

    def test_a_task_does_not_hide_that_the_lead_has_changed_hands(self, desk: RouterDesk) -> None:
        """Nothing else tells of it: the stage has a route that leaves the lead where it is."""
        lead = desk.lead("exchange.new")
        desk.says(lead, "no_information")
        desk.settle()
        desk.move(lead, "main.conditional_refusal")
        assert desk.drain() != [], "it looks again"
        desk.deliver(desk.hook(lead))
        assert len(tasks(desk, lead)) == 1
        assert [event["hand_over"] for event in desk.bus.of("LeadRouted")] == [False, True]

    def test_a_timed_route_acts_at_the_tick_after_its_time_and_once(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        desk.settle()
        desk.clock.advance(29 * 86_400)
        assert desk.tick() == []
        assert tasks(desk, lead) == []

        desk.clock.advance(86_400)
        for _ in range(3):
            assert desk.tick() == []
            desk.clock.advance(300)
        assert [owner for owner, _ in tasks(desk, lead)] == [MARIA]

    def test_who_left_before_the_time_was_over_is_left_alone(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        desk.settle()
        desk.move(lead, "warm_up.warmed")
        desk.settle()
        desk.clock.advance(40 * 86_400)
        before = desk.amocrm.asked()
        desk.tick()
        assert (tasks(desk, lead), desk.amocrm.asked()) == ([], before)

    def test_a_tick_with_nothing_due_costs_no_request(self, desk: RouterDesk) -> None:
        assert desk.tick() == []
        assert desk.amocrm.asked() == 0


class TestSales:
    def test_a_sale_stays_and_goes_on_in_aftercare(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact()
        area = FieldValue(5, "Площадь", "text", ({"value": "40"},))
        desk.amocrm.add_field("Площадь", field_id=5)
        lead = desk.lead("main.payment", owner=DINA, contacts=[client.id], price=900, tags=["Дача"], fields=[area])
        desk.move(lead, "main.won")
        desk.drain()
        desk.settle()

        assert (desk.at(lead), desk.amocrm.see(lead).price) == ("main.won", 900)
        [card] = copies(desk, lead)
        made = desk.amocrm.see(card)
        assert desk.at(card) == "aftercare.new_client"
        assert (made.contacts, made.tags, made.price, made.responsible_user_id) == ((client.id,), ("Дача",), 0, DINA)
        assert made.filled(5) is not None
        assert f"/leads/detail/{card}" in notes(desk, lead)[0]
        assert f"/leads/detail/{lead}" in notes(desk, card)[0]
        [sale] = desk.bus.of("SaleWon")
        assert (sale["care_lead_id"], sale["client"], sale["price"], sale["owner"]) == (card, client.id, 900, DINA)
        [routed] = desk.bus.of("LeadRouted")
        assert (routed["lead_id"], routed["cause"], routed["hand_over"], routed["team"]) == (
            card,
            "arrival",
            True,
            "care",
        )
        assert desk.state(card).origin == lead and desk.state(lead).sale == card

    def test_a_client_who_is_cared_for_gets_no_second_card(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact()
        card = desk.lead("aftercare.in_care", owner=IRINA, contacts=[client.id])
        lead = desk.lead("main.payment", owner=DINA, contacts=[client.id])
        desk.move(lead, "main.won")
        desk.drain()
        desk.settle()
        assert copies(desk, lead) == []
        assert desk.bus.of("SaleWon")[0]["care_lead_id"] == card
        assert desk.bus.of("LeadRouted") == []
        assert "купил ещё раз" in notes(desk, card)[0]
        assert desk.at(card) == "aftercare.in_care"

    def test_a_closed_card_is_no_card(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact()
        desk.lead("aftercare.lost", contacts=[client.id])
        lead = desk.lead("main.payment", owner=DINA, contacts=[client.id])
        desk.move(lead, "main.won")
        desk.drain()
        assert len(copies(desk, lead)) == 1

    def test_two_sales_of_one_client_at_once_make_one_card(self, desk: RouterDesk) -> None:
        desk.amocrm.list_lag = timedelta(seconds=5)
        client = desk.amocrm.add_contact()
        leads = [desk.lead("main.payment", owner=DINA, contacts=[client.id]) for _ in range(2)]
        desk.clock.advance(60)
        for lead in leads:
            desk.move(lead, "main.won")
        desk.clock.advance(6)
        desk.settle()
        assert len([*copies(desk, leads[0]), *copies(desk, leads[1])]) == 1
        assert len({sale["care_lead_id"] for sale in desk.bus.of("SaleWon")}) == 1
        assert len(desk.bus.of("SaleWon")) == 2

    def test_a_sale_that_is_taken_back_and_made_again_is_the_same_sale(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.payment", owner=DINA)
        for at in ("main.won", "main.contact", "main.won", "exchange.won"):
            desk.move(lead, at)
            desk.settle()
        assert len(copies(desk, lead)) == 1
        assert len(desk.bus.of("SaleWon")) == 1

    def test_in_one_team_the_new_card_comes_with_a_task(self) -> None:
        desk = RouterDesk(make_department("one_level"))
        lead = desk.lead("main.payment", owner=DINA)
        desk.move(lead, "main.won")
        desk.drain()
        [card] = copies(desk, lead)
        assert [owner for owner, _ in tasks(desk, card)] == [DINA]
        assert desk.bus.of("LeadRouted")[0]["hand_over"] is False

    def test_a_repeat_sale_is_a_new_lead_for_who_knows_the_client(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.payment", owner=DINA)
        desk.move(lead, "main.won")
        desk.settle()
        [card] = copies(desk, lead)
        desk.amocrm.human_reassigns(card, IRINA)
        desk.move(card, "aftercare.offer")
        desk.settle()

        assert desk.at(card) == "aftercare.in_care"
        [again] = copies(desk, card)
        assert (desk.at(again), desk.amocrm.owner(again)) == ("main.received", IRINA)
        routed = desk.bus.of("LeadRouted", again)[0]
        assert (routed["team"], routed["hand_over"], routed["known_owner"]) == ("closers", True, DINA)

        desk.move(card, "aftercare.offer")
        desk.settle()
        assert len(copies(desk, card)) == 2

    def test_a_sale_may_move_instead(self) -> None:
        desk = RouterDesk(make_department(extra="routes: {won: {move: aftercare}}"))
        lead = desk.lead("main.payment", owner=DINA)
        desk.move(lead, "main.won")
        desk.settle()
        assert desk.at(lead) == "aftercare.new_client"
        assert [event["team"] for event in desk.bus.of("LeadRouted")] == ["care"]

    def test_a_field_that_amocrm_refuses_does_not_cost_the_copy(self, desk: RouterDesk) -> None:
        desk.amocrm.add_field("Формула", field_id=5, is_writable=False)
        lead = desk.lead("main.payment", fields=[FieldValue(5, "Формула", "text", ({"value": "1"},))])
        desk.move(lead, "main.won")
        desk.drain()
        assert len(copies(desk, lead)) == 1


class TestDuplicates:
    def test_a_lead_called_a_duplicate_goes_into_the_running_one(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact()
        running = desk.lead("main.offer", owner=DINA, contacts=[client.id])
        lead = desk.lead("exchange.new", contacts=[client.id])
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        assert (desk.at(lead), desk.at(running)) == ("exchange.lost", "main.offer")
        assert desk.amocrm.see(lead).loss_reason_id == desk.department.loss_reasons["duplicate"]
        [merged] = desk.bus.of("LeadsMerged")
        assert (merged["lead_id"], merged["duplicate_id"]) == (running, lead)
        assert [event["reason"] for event in desk.bus.of("LeadClosed")] == ["duplicate"]

    def test_without_a_running_lead_a_person_is_asked_once(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new", contacts=[desk.amocrm.add_contact().id])
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        desk.deliver(desk.hook(lead), desk.hook(lead))
        assert desk.at(lead) == "exchange.in_conversation"
        [(owner, text)] = tasks(desk, lead)
        assert owner == ANNA and "не найдена" in text

    def test_unlike_names_are_a_question_and_asking_again_is_the_answer(self, desk: RouterDesk) -> None:
        one = desk.amocrm.add_contact(name="Мария", phones=["+79991234567"])
        other = desk.amocrm.add_contact(name="Пётр", phones=["8 (999) 123-45-67"])
        running = desk.lead("main.offer", owner=DINA, contacts=[one.id])
        lead = desk.lead("exchange.new", contacts=[other.id])
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        assert desk.at(lead) == "exchange.in_conversation"
        assert "имя другое" in tasks(desk, lead)[0][1]

        desk.move(lead, "exchange.new")
        desk.settle()
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        assert desk.at(lead) == "exchange.lost"
        assert desk.bus.of("LeadsMerged")[0]["lead_id"] == running
        assert desk.bus.of("LeadsMerged")[0]["why"] == "person"

    def test_the_answered_suggestion_is_completed_and_does_not_go_over(self, desk: RouterDesk) -> None:
        one = desk.amocrm.add_contact(name="Мария", phones=["+79991234567"])
        other = desk.amocrm.add_contact(name="Пётр", phones=["8 (999) 123-45-67"])
        running = desk.lead("main.offer", owner=DINA, contacts=[one.id])
        lead = desk.lead("exchange.new", contacts=[other.id])
        for at in ("exchange.in_conversation", "exchange.new", "exchange.in_conversation"):
            desk.move(lead, at)
            desk.settle()
        assert desk.at(lead) == "exchange.lost"
        [task] = desk.amocrm.tasks_of(lead)
        assert (task.is_completed, task.result) == (True, f"Объединено: https://firm.amocrm.ru/leads/detail/{running}")
        assert desk.amocrm.tasks_of(running) == []

    @pytest.mark.parametrize("why", ["apart", "several"])
    def test_who_cannot_confirm_is_told_once_how_to_merge_by_hand(self, desk: RouterDesk, why: str) -> None:
        one = desk.amocrm.add_contact(name="Мария", phones=["+79991234567"])
        desk.lead("main.offer", owner=DINA, contacts=[one.id])
        if why == "several":
            third = desk.amocrm.add_contact(name="Ольга", phones=["+79991234567"])
            desk.lead("main.offer", owner=DINA, contacts=[third.id])
        other = one if why == "apart" else desk.amocrm.add_contact(name="Пётр", phones=["8 (999) 123-45-67"])
        lead = desk.lead("exchange.new", contacts=[other.id])
        if why == "apart":
            desk.move(lead, "exchange.in_conversation")
            desk.settle()
            self.undo(desk, lead)
        for _ in range(3):
            desk.clock.advance(60)
            desk.move(lead, "exchange.in_conversation")
            desk.settle()
            desk.move(lead, "exchange.new")
            desk.settle()
        assert desk.at(lead) == "exchange.new"
        [(owner, text)] = tasks(desk, lead)
        assert owner == ANNA and "«Объединить»" in text and "верните её туда ещё раз" not in text

    def test_a_merge_out_of_a_conditional_refusal_leaves_one_open_question_when_it_is_undone(
        self, desk: RouterDesk
    ) -> None:
        client = desk.amocrm.add_contact()
        running = desk.lead("main.offer", owner=DINA, contacts=[client.id])
        lead = desk.lead("main.contact", owner=DINA, contacts=[client.id])
        desk.move(lead, "main.conditional_refusal")
        desk.settle()
        desk.says(lead, "in_conversation")
        desk.settle()
        assert desk.at(lead) == "main.lost"
        assert [task.is_completed for task in desk.amocrm.tasks_of(lead)] == [True]
        assert desk.amocrm.tasks_of(running) == []
        self.undo(desk, lead)
        assert desk.at(lead) == "main.conditional_refusal"
        assert [task.is_completed for task in desk.amocrm.tasks_of(lead)] == [True, False]

    def undo(self, desk: RouterDesk, lead: int) -> None:
        desk.clock.advance(300)
        merges = desk.stores.merges
        undoing = Undoing(amocrm=desk.amocrm, merges=merges, clock=desk.clock, base_url=BASE_URL)
        assert undoing.undo(merges.of_lead(lead)[0], desk.department).refused == ""
        desk.settle()

    @pytest.mark.parametrize("found", ["unlike", "several", "nobody", "sure"])
    def test_a_dry_run_writes_nothing_to_amocrm(self, found: str) -> None:
        desk = RouterDesk(make_department(extra="merging: {mode: dry_run}"))
        name = "Иван" if found == "sure" else "Мария"
        for each in {"several": (name, "Ольга"), "nobody": ()}.get(found, (name,)):
            other = desk.amocrm.add_contact(name=each, phones=["+79991234567"])
            desk.lead("main.offer", owner=DINA, contacts=[other.id])
        client = desk.amocrm.add_contact(name="Иван", phones=["8 999 123-45-67"])
        lead = desk.lead("exchange.new", contacts=[client.id])
        desk.move(lead, "exchange.in_conversation")
        before = desk.amocrm.asked()
        desk.settle()
        assert desk.at(lead) == "exchange.in_conversation"
        assert [task for task in desk.amocrm.tasks if task.lead_id == lead] == []
        assert notes(desk, lead) == []
        looked = desk.amocrm.asked()
        assert looked > before
        assert desk.deliver(desk.hook(lead), desk.hook(lead, "update")) == []
        assert desk.amocrm.asked() == looked, "it is looked at once a stay"

    def test_a_lead_dragged_there_in_a_dry_run_is_told_all_the_same(self) -> None:
        desk = RouterDesk(make_department(extra="merging: {mode: dry_run}"))
        lead = desk.lead("exchange.new")
        desk.says(lead, "qualified")
        desk.settle()
        assert desk.state(lead).told == "main"
        desk.move(lead, "exchange.in_conversation")
        assert desk.deliver(desk.hook(lead)) == ["m0"], "it looks again"
        desk.clock.advance(20)
        desk.deliver(desk.hook(lead))
        known = desk.state(lead)
        assert (known.told, known.team) == ("exchange", "lead_desk")

    def test_a_duplicate_that_distribute_found_at_its_arrival_is_merged(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact()
        running = desk.lead("exchange.qualifying", contacts=[client.id])
        lead = desk.lead("exchange.new", owner=BORIS, contacts=[client.id])
        assert desk.deliver(desk.assigned(lead, [running])) == []
        assert desk.at(lead) == "exchange.lost"
        assert desk.deliver(desk.assigned(running, [lead])) == [], "and not the other way round"
        assert desk.at(running) == "exchange.qualifying"


class TestByHand:
    def test_a_lead_dragged_across_is_handed_over(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "no_information")
        desk.settle()
        desk.move(lead, "main.contact")
        desk.settle()
        crossed = desk.bus.of("LeadRouted")[-1]
        assert (crossed["route"], crossed["hand_over"], crossed["team"]) == ("", True, "closers")
        assert (crossed["to_place"], crossed["cause"]) == ("main.contact", "route#2")
        assert desk.at(lead) == "main.contact"

    def test_of_a_lead_that_distribute_gave_out_the_team_is_known(self, desk: RouterDesk) -> None:
        """Nothing was ever routed; the assignment says whose it was."""
        lead = desk.lead("exchange.new")
        desk.stores.assignments.decided = lambda lead_ids, cause: {  # type: ignore[method-assign]
            lead: type("Given", (), {"team": "lead_desk", "channel": "site"})()
        }
        desk.move(lead, "main.contact")
        desk.settle()
        [crossed] = desk.bus.of("LeadRouted")
        assert crossed["hand_over"] is True
        assert "Источник: сайт" in notes(desk, lead)[0]


class TestHumansWin:
    def test_a_move_between_reading_and_writing_is_put_back(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        person_moves(desk, "change_leads", lead, "main.contact")
        desk.drain()
        assert desk.at(lead) == "warm_up.to_warm", "amoCRM has no conditional writes"

        desk.settle()

        assert desk.at(lead) == "main.contact"
        assert "решает человек" in notes(desk, lead)[-1]

    def test_a_move_is_put_back_also_if_the_worker_dies_and_its_hook_comes_with_the_next_one(
        self, desk: RouterDesk
    ) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        first = desk.hook(lead)
        person_moves(desk, "change_leads", lead, "main.contact")
        desk.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        assert desk.deliver(first) == ["m0"]
        desk.pass_lease()
        hooks, desk.sent[STAGES] = desk.sent[STAGES], []
        assert desk.deliver(first, *hooks) != [], "the step is finished, and a hook still speaks of another place"
        desk.clock.advance(15)
        assert desk.deliver(first, *hooks) == []
        assert desk.at(lead) == "main.contact"

    def test_nothing_is_put_back_where_the_routes_lead_to_the_same_place(self, desk: RouterDesk) -> None:
        """He moved it about within the exchange while the answer on it was being acted upon."""
        lead = desk.lead("exchange.new")
        desk.says(lead, "qualified")
        person_moves(desk, "change_leads", lead, "exchange.qualifying")
        desk.settle()
        assert desk.at(lead) == "main.received"
        assert desk.amocrm.requests["change_leads"] == 1

    def test_the_last_person_wins_also_if_he_confirms_what_we_did(self, desk: RouterDesk) -> None:
        """He tried another place in between: his hook must not undo what he decided afterwards."""
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        desk.drain()
        desk.move(lead, "main.contact")
        desk.move(lead, "warm_up.to_warm")
        desk.settle()
        assert desk.at(lead) == "warm_up.to_warm"

    def test_a_lead_closed_in_that_moment_stays_closed_and_is_told(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        person_moves(desk, "change_leads", lead, "exchange.lost")
        desk.settle()
        assert desk.at(lead) == "exchange.lost"
        assert len(desk.bus.of("LeadClosed")) == 1

    def test_where_a_person_moves_it_the_routes_hold_again(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        person_moves(desk, "change_leads", lead, "exchange.not_target")
        desk.settle()
        assert desk.at(lead) == "exchange.lost"

    def test_a_step_is_dropped_if_the_lead_was_moved_before_it_came_back(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        desk.amocrm.fail_next(AmoCrmUnavailable("down"), on="change_leads")
        hook = desk.hook(lead)
        assert desk.deliver(hook) == ["m0"]
        desk.move(lead, "exchange.qualifying")
        desk.pass_lease()
        desk.deliver(hook)
        desk.settle()
        assert desk.at(lead) == "exchange.qualifying"
        assert desk.state(lead).pending is None
        assert desk.bus.of("LeadRouted") == []

    def test_a_step_is_dropped_if_the_answer_is_another_when_it_comes_back(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "not_target")
        desk.amocrm.fail_next(AmoCrmUnavailable("down"), on="change_leads")
        hook = desk.hook(lead, "update")
        desk.deliver(hook)
        desk.says(lead, "qualified")
        desk.pass_lease()
        desk.deliver(hook)
        assert desk.at(lead) == "main.received"


class TestCircles:
    def test_ping_pong_with_a_rule_in_amocrm_ends_parked_and_reported(self, desk: RouterDesk) -> None:
        """Somebody's robot puts back whatever our route takes away."""
        lead = desk.lead("exchange.new")
        for _ in range(12):
            desk.move(lead, "exchange.no_information", by=0)
            desk.settle()
            desk.clock.advance(60)
        assert desk.at(lead) == "exchange.no_information"
        moves = [change for change in desk.bus.of("LeadRouted") if change["route"] == "no_information"]
        assert len(moves) == desk.department.hop_limit
        [(owner, text)] = tasks(desk, lead)
        assert owner == HEAD and "ходит по кругу: 6" in text
        assert desk.state(lead).parked

        before = desk.amocrm.asked()
        desk.deliver(desk.hook(lead), desk.hook(lead))
        assert len(tasks(desk, lead)) == 1
        assert desk.amocrm.asked() - before <= 1

    def test_a_person_takes_a_parked_lead_on(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        for _ in range(7):
            desk.move(lead, "exchange.no_information", by=0)
            desk.settle()
        desk.clock.advance(3600)
        desk.move(lead, "exchange.qualified")
        desk.settle()
        assert desk.at(lead) == "main.received"


class TestRefusals:
    def test_a_stage_that_was_deleted_in_amocrm_is_reported_once_and_the_lead_waits(self, desk: RouterDesk) -> None:
        desk.amocrm.stages -= {desk.ids("main.received")}
        lead, other = desk.lead("exchange.new"), desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        desk.move(other, "exchange.not_target")
        assert desk.drain() == []
        desk.settle()
        desk.deliver(desk.hook(lead), desk.hook(lead))

        assert (desk.at(lead), desk.at(other)) == ("exchange.qualified", "exchange.lost")
        [(owner, text)] = tasks(desk, lead)
        assert owner == HEAD and "«Основная воронка: Получен от биржи»" in text
        assert desk.bus.of("LeadRouted") == []
        assert desk.telemetry.counts["RouteRefused"] == 1

    def test_another_department_is_tried_again(self, desk: RouterDesk) -> None:
        desk.amocrm.stages -= {desk.ids("main.received")}
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        desk.settle()
        desk.apply(make_department(extra="routes: {qualified: {move: main.contact}}"))
        desk.deliver(desk.hook(lead))
        assert desk.at(lead) == "main.contact"

    def test_a_copy_into_a_deleted_stage_is_reported(self, desk: RouterDesk) -> None:
        desk.amocrm.stages -= {desk.ids("aftercare.new_client")}
        lead = desk.lead("main.payment", owner=DINA)
        desk.move(lead, "main.won")
        desk.settle()
        assert copies(desk, lead) == []
        assert [owner for owner, _ in tasks(desk, lead)] == [HEAD]

    def test_a_switched_off_head_does_not_keep_the_lead_from_moving(self, desk: RouterDesk) -> None:
        desk.amocrm.switch_off_user(MARIA)
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.no_information")
        desk.settle()
        desk.clock.advance(31 * 86_400)
        assert desk.tick() == []
        assert tasks(desk, lead) == []
        assert desk.telemetry.counts["TaskOrNoteRefused"] == 1


class TestStrangeLeads:
    def test_a_pipeline_that_is_not_on_the_map_is_left_alone(self, desk: RouterDesk) -> None:
        desk.amocrm.stages |= {(999, 9991)}
        lead = desk.amocrm.add_lead(pipeline_id=999, status_id=9991, responsible_user_id=ANNA).id
        desk.says(lead, "qualified")
        assert desk.drain() == []
        assert desk.deliver(form({"leads[status][0][id]": lead})) == []
        assert desk.amocrm.place(lead) == (999, 9991)
        assert tasks(desk, lead) == notes(desk, lead) == []

    def test_a_lead_that_is_gone_is_finished(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        hook = desk.hook(lead)
        desk.amocrm.delete_lead(lead)
        assert desk.deliver(hook) == []
        assert ("lead_gone", {"lead_id": lead}) in desk.telemetry.lines

    def test_a_lead_without_contacts_is_sold_too(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.payment", owner=DINA)
        desk.move(lead, "main.won")
        assert desk.drain() == []
        assert desk.bus.of("SaleWon")[0]["client"] == 0


class TestLists:
    """amoCRM's lists may show the world as it was some seconds ago."""

    def test_a_move_that_the_list_does_not_show_yet_is_read_alone(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.clock.advance(60)
        desk.move(lead, "exchange.qualified")
        desk.drain()
        assert desk.at(lead) == "main.received"

    def test_a_lead_that_the_list_lacks_is_read_alone(self, desk: RouterDesk) -> None:
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.clock.advance(60)
        lead = desk.lead("exchange.qualified")
        assert desk.deliver(desk.hook(lead)) == []
        assert desk.at(lead) == "main.received"

    def test_our_own_write_is_not_done_again_because_the_list_does_not_show_it(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.clock.advance(60)
        desk.move(lead, "exchange.qualified")
        first = desk.hook(lead)
        desk.clock.advance(60)
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.deliver(first)
        assert desk.deliver(first) == []
        assert desk.amocrm.requests["change_leads"] == 1
        assert len(desk.bus.of("LeadRouted")) == 1

    def test_two_moves_in_one_second_are_told_apart(self, desk: RouterDesk) -> None:
        """Dates are whole seconds: the list shows the first of the two, and is as new as the hook."""
        lead = desk.lead("exchange.new")
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.clock.advance(60)
        desk.move(lead, "main.lost")
        desk.clock.advance(0.6)
        desk.move(lead, "warm_up.warmed")
        hook = desk.hook(lead)
        desk.clock.advance(4.5)  # the list shows the first move by now
        desk.deliver(hook)
        assert desk.at(lead) == "exchange.new"

    def test_a_person_who_is_swept_is_found_though_the_history_lags(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.clock.advance(60)
        desk.move(lead, "exchange.no_information")
        person_moves(desk, "change_leads", lead, "main.contact")
        bodies, desk.sent[STAGES] = desk.sent[STAGES], []
        desk.deliver(*bodies)
        assert desk.drain() != [], "the history says nothing yet: later"
        desk.clock.advance(10)
        desk.deliver(desk.hook(lead, at="main.contact"))
        assert desk.at(lead) == "main.contact"

    def test_who_moves_the_lead_while_the_lists_still_show_what_we_did_keeps_it_there(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.amocrm.list_lag = timedelta(seconds=5)
        desk.clock.advance(60)
        desk.move(lead, "exchange.no_information")
        person_moves(desk, "change_leads", lead, "main.contact")
        desk.drain()
        swept = next(hook for hook in desk.sent[STAGES] if f"={desk.ids('main.contact')[1]}&" in hook)
        desk.clock.advance(60)
        desk.move(lead, "aftercare.at_risk")
        assert desk.deliver(swept) == ["m0"], "the lead alone shows more than the list: later"
        assert desk.at(lead) == "aftercare.at_risk"
        desk.clock.advance(15)
        assert desk.deliver(swept) == []
        assert desk.at(lead) == "aftercare.at_risk"


class TestHooks:
    @pytest.mark.parametrize("seed", range(20))
    def test_doubled_late_and_shuffled_hooks_lead_to_the_same_end(self, desk: RouterDesk, seed: int) -> None:
        dice = random.Random(seed)
        lead = desk.lead("exchange.new")
        for at in ("exchange.qualifying", "exchange.no_information", "main.contact", "main.not_ready"):
            desk.move(lead, at)
            desk.clock.advance(dice.choice([0, 1, 300]))
        hooks = desk.sent[STAGES] * 2
        dice.shuffle(hooks)
        desk.forget()
        for hook in hooks:
            desk.clock.advance(dice.choice([0, 20, 5400]))
            desk.deliver(hook)
        desk.settle()
        assert desk.at(lead) == "warm_up.to_warm"
        assert len([event for event in desk.bus.of("LeadRouted") if event["route"] == "not_ready"]) == 1

    def test_a_message_that_can_never_work_is_kept_with_its_reason(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        broken = bus_body("LeadAssigned", {"lead_id": "seven"}, desk.clock.now())
        assert desk.deliver("rubbish", broken, desk.hook(lead)) == []
        assert set(desk.queue.parked) == {"m0", "m1"}
        assert desk.queue.parked["m1"] == "bad_bus_event"
        assert desk.at(lead) == "main.received"
        assert desk.telemetry.counts["HookRejected"] == 2

    def test_without_a_department_messages_wait(self) -> None:
        desk = RouterDesk()
        lead = desk.lead("exchange.qualified")
        hook = desk.hook(lead)
        desk.table.rows.clear()  # type: ignore[attr-defined]
        assert desk.deliver(hook, tick_body("stages", desk.clock.now())) == ["m0"]
        assert desk.at(lead) == "exchange.qualified"


class TestFailures:
    def test_while_amocrm_is_away_the_message_comes_back_and_nothing_is_lost(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        hook = desk.hook(lead)
        for method in ("leads", "change_leads", "add_notes"):
            desk.amocrm.fail_next(AmoCrmUnavailable("down", after=30), on=method)
            assert desk.deliver(hook) == ["m0"]
            assert desk.queue.postponed["m0"] == 30
            desk.pass_lease()
        desk.bus.fail_next = RetryLater("busy")
        assert desk.deliver(hook) == ["m0"]
        desk.pass_lease()
        assert desk.deliver(hook) == []
        assert desk.at(lead) == "main.received"
        assert len(notes(desk, lead)) == 1
        assert len(desk.bus.of("LeadRouted")) == 1

    @pytest.mark.parametrize("method", ["change_leads", "add_notes", "add_lead", "add_tasks"])
    def test_a_lost_answer_doubles_nothing(self, method: str) -> None:
        desk = RouterDesk(make_department("one_level"))
        lead = desk.lead("main.payment" if method in ("add_lead", "add_tasks") else "exchange.new", owner=DINA)
        desk.move(lead, "main.won" if method in ("add_lead", "add_tasks") else "exchange.qualified")
        hook = desk.hook(lead)
        desk.amocrm.fail_next(AmbiguousWrite("lost"), on=method, done=True)
        assert desk.deliver(hook) == ["m0"]
        desk.pass_lease()
        assert desk.deliver(hook) == []
        made = copies(desk, lead)
        assert len(made) == (1 if method in ("add_lead", "add_tasks") else 0)
        for each in (lead, *made):
            assert len(set(notes(desk, each))) == len(notes(desk, each)) == 1
        assert [len(tasks(desk, card)) for card in made] == [1] * len(made)

    def test_a_step_that_another_worker_has_in_hand_comes_back_when_his_lease_ends(self, desk: RouterDesk) -> None:
        lead, other = desk.lead("exchange.new"), desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        desk.move(other, "exchange.not_target")
        hook = desk.hook(lead)
        desk.amocrm.fail_next(KeyboardInterrupt(), on="change_leads")
        with pytest.raises(KeyboardInterrupt):
            desk.deliver(hook)

        desk.clock.advance(5)
        assert desk.deliver(hook, desk.hook(other)) == ["m0"]
        assert desk.queue.postponed["m0"] == pytest.approx(71)
        assert (desk.at(lead), desk.at(other)) == ("exchange.qualified", "exchange.lost")

        desk.clock.advance(71)
        assert desk.deliver(hook) == []
        assert desk.at(lead) == "main.received"

    def test_one_bad_lead_does_not_hold_up_its_neighbours(self, desk: RouterDesk) -> None:
        leads = [desk.lead("exchange.new") for _ in range(5)]
        for lead in leads:
            desk.move(lead, "exchange.qualified")
        bad = leads[2]
        whole = desk.amocrm.change_leads

        def change(changes: Any) -> Any:
            if any(each.lead_id == bad for each in changes):
                raise ZeroDivisionError
            return whole(changes)

        desk.amocrm.change_leads = change
        back = desk.deliver(*[desk.hook(lead) for lead in leads])
        assert back == ["m2"]
        assert [desk.at(lead) for lead in leads if lead != bad] == ["main.received"] * 4
        assert desk.telemetry.counts["LeadFailed"] == 1

        desk.amocrm.change_leads = whole
        desk.pass_lease()
        assert desk.deliver(desk.hook(bad)) == []
        assert desk.at(bad) == "main.received"

    def test_what_a_failed_run_had_made_is_found_again_though_the_lists_lag(self, desk: RouterDesk) -> None:
        desk.amocrm.list_lag = timedelta(seconds=5)
        leads = [desk.lead("main.payment", owner=DINA) for _ in range(2)]
        desk.clock.advance(60)
        for lead in leads:
            desk.move(lead, "main.won")
        hooks = [desk.hook(lead) for lead in leads]
        desk.clock.advance(60)
        desk.amocrm.fail_next(ZeroDivisionError(), on="add_notes")
        assert desk.deliver(*hooks) == []
        for lead in leads:
            assert len(copies(desk, lead)) == 1
            assert len(notes(desk, lead)) == 1

    def test_what_does_not_fit_into_the_time_is_not_begun(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.move(lead, "exchange.qualified")
        hook = desk.hook(lead)
        assert desk.deliver(hook, seconds=20) == ["m0"]
        assert desk.at(lead) == "exchange.qualified"
        desk.pass_lease()
        assert desk.deliver(hook) == []
        assert desk.at(lead) == "main.received"

    def test_logs_name_leads_and_places_only(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact(name="Мария Иванова", phones=["+79991234567"])
        other = desk.amocrm.add_contact(name="Пётр", phones=["+79991234567"])
        desk.lead("main.offer", name="Окна Ивановой", contacts=[client.id])
        lead = desk.lead("exchange.new", name="Окна Петра", contacts=[other.id])
        desk.move(lead, "exchange.in_conversation")
        desk.settle()
        said = str(desk.telemetry.lines)
        assert not any(secret in said for secret in ("Мария", "Иванов", "Пётр", "Петра", "9991234567"))


class TestState:
    def test_a_state_comes_back_from_the_table_as_it_was_put(self, desk: RouterDesk) -> None:
        lead = desk.lead("exchange.new")
        desk.says(lead, "qualified")
        desk.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        desk.drain()
        pending = desk.state(lead)
        assert pending.pending is not None and pending.pending.step is Step.MOVE
        again = desk.stores.states.put(pending)
        assert desk.state(lead) == again == replace(pending, version=pending.version + 1)

    def test_closed_leads_are_told_under_one_mark(self, desk: RouterDesk) -> None:
        lead = desk.lead("main.contact")
        desk.move(lead, "main.lost")
        desk.settle()
        assert desk.state(lead).fired == {TOLD}


def person_moves(desk: RouterDesk, before: str, lead_id: int, at: str) -> None:
    """A person moves the lead right before the next call of this method."""
    method = getattr(desk.amocrm, before)

    def call(*args: Any) -> Any:
        setattr(desk.amocrm, before, method)
        desk.move(lead_id, at)
        desk.clock.advance(1)
        return method(*args)

    desk.clock.advance(1)
    setattr(desk.amocrm, before, call)


class TestQuestionsThatOnlyHandsAnswer:
    def test_a_pair_that_was_separated_is_named_once_and_never_merged(self, desk: RouterDesk) -> None:
        client = desk.amocrm.add_contact(name="Ольга", phones=["+79991234567"]).id
        running = desk.lead("main.offer", owner=DINA, contacts=[client])
        double = desk.lead("exchange.new", contacts=[client])
        for lead, other in ((double, running), (running, double)):
            desk.table.put({"pk": f"LEAD#{lead}", "sk": "KIN", "entity": "kin", "apart": [other]})
        for _ in range(2):
            desk.move(double, "exchange.in_conversation")
            desk.settle()
            desk.move(double, "exchange.qualifying")
            desk.settle()
        said = [text for _, text in tasks(desk, double) if "Похоже на дубль" in text]
        assert len(said) == 1
        assert "вручную" in said[0]
        assert not desk.amocrm.see(double).is_closed

        desk.move(double, "exchange.in_conversation")
        desk.settle()
        looked = desk.amocrm.asked()
        assert desk.deliver(desk.hook(double), desk.hook(double, "update")) == []
        assert desk.amocrm.asked() == looked, "an echo costs nothing"

    def test_the_note_of_a_hand_over_names_who_had_the_lead_though_its_owner_was_changed_first(
        self, desk: RouterDesk
    ) -> None:
        lead = desk.lead("exchange.new", owner=ANNA)
        desk.says(lead, "qualified")
        desk.settle()
        desk.amocrm.human_reassigns(lead, ANNA)
        desk.move(lead, "exchange.qualifying")
        desk.settle()
        desk.amocrm.human_reassigns(lead, DINA)
        desk.move(lead, "main.contact")
        desk.settle()
        last = next(text for text in reversed(notes(desk, lead)) if "Ответственный был" in text)
        assert "Ответственный был: Анна" in last
