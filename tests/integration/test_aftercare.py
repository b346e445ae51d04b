"""The care function from facts to tasks in amoCRM and back, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from functions.aftercare_triggers.writing import LEASE
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable
from functions.shared.facts import CONTACTED, PURCHASE_COMPLETED
from functions.shared.inbox import Wake, read_batch
from tests.builders import BORIS, INNA, VERA, make_member, make_team, sqs_record
from tests.care_desk import HEAD, CareDesk, Killed, Mortality, department, fact, missed
from tests.care_player import moment

PLAN = "Не был на 3 тренировках подряд ({dates}). Предложить консультацию тренера."
STREAK = {
    "of": "session",
    "outcome": "missed",
    "count": 3,
    "reset_by": "attended",
    "expected": "bookings",
    "miss_is": "marked",
    "unmarked_after": "P14D",
}
GYM: dict[str, Any] = {
    "id": "missed-3",
    "priority": 70,
    "when": {"streak": STREAK},
    "cooldown": "P30D",
    "window": {"client_local": "10:00-20:00", "calendar": "ru_working"},
    "task": {"text": PLAN, "due": "next_working_slot+4h"},
    "escalate": [{"count": 5, "to": "head_of_sales"}],
    "exit": {"on": "attended", "result": "Клиент вернулся {date}"},
}
BOUGHT: dict[str, Any] = {
    "id": "bought",
    "priority": 30,
    "when": {"after": {"event": "purchase.completed", "by": "P1D"}},
    "cap": {"per_client": "none"},
    "task": "Спросить, всё ли хорошо",
}


def gym(start: str = "12.11 23:00", *rules: dict[str, Any], **book: Any) -> CareDesk:
    desk = CareDesk(start)
    desk.publish(*(rules or (GYM,)), **book)
    return desk


def third_miss(desk: CareDesk, client: int) -> None:
    desk.tell(fact(client, "visit.attended", "02.11 20:00"), *missed(client, "05.11", "09.11", "12.11"))


def comes_back(client: int, at: str = "14.11 18:55") -> Any:
    return fact(client, "visit.attended", at)


class TestTheGym:
    def test_the_third_miss_makes_a_task_with_its_dates_and_the_visit_completes_it(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        assert desk.tasks == []
        desk.run("13.11 12:00")
        text, _, marker = desk.task.text.rpartition(" ·")
        assert text == "Не был на 3 тренировках подряд (05.11, 09.11, 12.11). Предложить консультацию тренера."
        assert marker.startswith("at-")
        assert desk.task.responsible_user_id == INNA
        assert desk.task.lead_id != 0
        assert desk.task.complete_till == moment("13.11 14:00")
        assert desk.statuses(client) == ["open"]
        desk.clock.moment = moment("14.11 19:00")
        assert desk.tell(comes_back(client)) == []
        assert (desk.task.is_completed, desk.task.result) == (True, "Клиент вернулся 14.11.2026")
        assert desk.statuses(client) == ["completed"]
        assert desk.row(client).open_task is None

    def test_a_client_without_a_card_gets_his_task_on_the_contact(self) -> None:
        desk = gym()
        client = desk.client(card=False, owner=VERA)
        third_miss(desk, client)
        desk.run("13.11 12:00")
        assert (desk.task.lead_id, desk.task.contact_id, desk.task.responsible_user_id) == (0, client, INNA)

    def test_a_task_that_a_person_has_begun_is_left_with_a_note(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.amocrm.human_edits_task(desk.task.id, by=INNA, text="Звонил, перезвонить")
        desk.clock.moment = moment("14.11 19:00")
        desk.tell(comes_back(client))
        assert not desk.task.is_completed
        assert [note.text for note in desk.amocrm.notes] == ["Клиент вернулся 14.11.2026"]
        assert desk.statuses(client) == ["left"]

    def test_a_call_to_the_client_begins_his_task_too(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.clock.moment = moment("14.11 19:00")
        desk.tell(fact(client, CONTACTED, "13.11 15:00"), comes_back(client))
        assert (desk.task.is_completed, desk.statuses(client)) == (False, ["left"])

    def test_a_task_that_a_person_has_completed_stays_his(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=INNA)
        desk.clock.moment = moment("14.11 19:00")
        desk.tell(comes_back(client))
        assert (desk.task.result, desk.statuses(client)) == ("Поговорили", ["closed"])
        assert desk.row(client).open_task is None

    def test_the_fifth_miss_gives_the_same_task_to_the_head(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.clock.moment = moment("19.11 20:10")
        desk.tell(*missed(client, "16.11", "19.11"))
        desk.run("20.11 12:00")
        assert desk.task.responsible_user_id == HEAD

    def test_who_comes_back_before_his_task_is_set_gets_none(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.clock.moment = moment("13.11 10:00")
        desk.wake(client)
        assert desk.statuses(client) == ["queued"]
        desk.clock.advance(60)
        desk.stores.facts.put([comes_back(client, "13.11 10:00")])  # nobody has woken him yet
        desk.run("13.11 12:00")
        assert (desk.tasks, desk.statuses(client)) == ([], ["exited"])

    def test_a_return_withdraws_what_waits(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.clock.moment = moment("13.11 10:00")
        desk.wake(client)
        desk.clock.advance(60)
        desk.tell(comes_back(client, "13.11 10:00"))
        assert desk.statuses(client) == ["exited"]
        desk.run("13.11 12:00")
        assert desk.tasks == []


class TestSales:
    def test_a_sale_is_a_fact_and_wakes_its_client(self) -> None:
        desk = gym("12.11 12:00", BOUGHT)
        client = desk.client()
        assert desk.deliver(desk.sold(client, 500), desk.sold(client, 500)) == []
        (told,) = desk.stores.facts.of(client)
        assert (told.source, told.id, told.type, told.data["price"]) == ("amocrm", "sale#500", PURCHASE_COMPLETED, 9000)
        desk.run("14.11 12:00")
        assert desk.task.text.startswith("Спросить, всё ли хорошо ·at-")

    def test_a_sale_without_a_client_concerns_nobody(self) -> None:
        desk = gym("12.11 12:00", BOUGHT)
        assert desk.deliver(desk.sold(0, 500)) == []
        assert desk.queue.parked == {}


class TestMessages:
    def read(self, body: str, **record: Any) -> Any:
        return read_batch({"Records": [sqs_record(body, "m0") | record]})[0]

    def test_a_wake_names_its_clients(self) -> None:
        message = self.read('{"wake": [7, 8, 7], "time": "2026-11-23T12:00:00Z"}').message
        assert isinstance(message, Wake)
        assert message.clients == (7, 8)

    @pytest.mark.parametrize("clients", ["7", [0], [True], ["7"], None, list(range(1, 1002))])
    def test_what_is_no_list_of_ids_is_refused(self, clients: Any) -> None:
        envelope = self.read(json.dumps({"wake": clients, "time": "2026-11-23T12:00:00Z"}))
        assert envelope.message is None
        assert envelope.rejection is not None

    def test_a_wake_from_outside_is_not_believed(self) -> None:
        outside = {"messageAttributes": {"outside": {"stringValue": "1", "dataType": "String"}}}
        envelope = self.read('{"wake": [7], "time": "2026-11-23T12:00:00Z"}', **outside)
        assert not isinstance(envelope.message, Wake)


class TestOneOpenTask:
    def test_a_further_reason_joins_and_only_its_own_return_strikes_it(self) -> None:
        desk = gym("12.11 23:00", GYM | {"cap": {"per_client": "none"}}, BOUGHT)
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.deliver(desk.sold(client, 500))
        desk.run("15.11 12:00")
        assert desk.task.text.partition(" ·")[0].splitlines()[1] == "Также: Спросить, всё ли хорошо"
        assert sorted(desk.statuses(client)) == ["merged", "open"]
        desk.tell(comes_back(client, "15.11 11:00"))
        assert not desk.task.is_completed
        assert desk.task.text.startswith("Спросить, всё ли хорошо ·at-")
        assert sorted(desk.statuses(client)) == ["completed", "merged"]

    def test_two_reasons_at_once_make_one_task(self) -> None:
        other = BOUGHT | {"id": "other", "task": "Подарить абонемент"}
        desk = gym("12.11 12:00", BOUGHT, other)
        client = desk.client()
        desk.deliver(desk.sold(client, 500))
        desk.run("14.11 12:00")
        assert len(desk.task.text.splitlines()) == 2
        assert sorted(desk.statuses(client)) == ["merged", "open"]

    def test_a_task_that_a_person_closed_is_not_joined(self) -> None:
        desk = gym("12.11 23:00", GYM | {"cap": {"per_client": "none"}}, BOUGHT)
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=INNA)
        desk.deliver(desk.sold(client, 500))
        desk.run("15.11 12:00")
        assert [task.is_completed for task in desk.tasks] == [True, False]
        assert sorted(desk.statuses(client)) == ["closed", "open"]


class TestManagers:
    def two(self, **member: Any) -> CareDesk:
        desk = gym("12.11 12:00", BOUGHT)
        people = [make_member(INNA, **member), make_member(BORIS)]
        made = department()
        care = make_team(people, name="care", levels=frozenset({3}))
        teams = tuple(care if team.name == "care" else team for team in made.teams)
        desk.apply(replace(made, teams=teams))
        return desk

    def test_clients_of_nobody_go_round_by_weight(self) -> None:
        desk = self.two(weight=Fraction(2))
        for lead_id in range(6):
            desk.deliver(desk.sold(desk.client(card=False, owner=VERA), 500 + lead_id))
        desk.run("14.11 12:00")
        owners = [task.responsible_user_id for task in desk.tasks]
        assert (owners.count(INNA), owners.count(BORIS)) == (4, 2)

    def test_who_is_switched_off_gets_nothing(self) -> None:
        desk = self.two()
        desk.amocrm.switch_off_user(INNA)
        desk.deliver(desk.sold(desk.client(), 500))
        desk.run("14.11 12:00")
        assert desk.task.responsible_user_id == BORIS

    def test_a_full_day_leaves_the_less_urgent_for_the_next(self) -> None:
        capped = {"cap": {"per_client": "none", "per_manager": "2/day"}}
        urgent = {"id": "visited", "priority": 80, "when": {"after": {"event": "visit.attended", "by": "P1D"}}}
        desk = gym("12.11 12:00", BOUGHT | capped, urgent | capped)
        calm = [desk.client() for _ in range(3)]
        desk.deliver(*(desk.sold(client, 500 + client) for client in calm))
        pressing = desk.client()
        desk.tell(fact(pressing, "visit.attended", "12.11 12:00"))
        desk.run("13.11 23:50")
        assert len(desk.tasks) == 2
        assert desk.statuses(pressing) == ["open"]
        assert sorted(status for client in calm for status in desk.statuses(client)) == ["open", "queued", "queued"]
        desk.run("14.11 12:00")
        assert [desk.statuses(client) for client in calm] == [["open"]] * 3


class TestStorms:
    def test_too_many_firings_wait_for_a_yes_and_the_head_is_told_once(self) -> None:
        desk = gym("12.11 12:00", BOUGHT | {"cap": {"per_client": "none", "per_manager": "none"}})
        clients = [desk.client() for _ in range(25)]
        desk.deliver(*(desk.sold(client, 500 + client) for client in clients))
        desk.run("13.11 14:00")
        assert [task.responsible_user_id for task in desk.tasks] == [HEAD]
        assert "conveyor care approve bought" in desk.task.text
        assert {status for client in clients for status in desk.statuses(client)} == {"storm"}
        desk.amocrm.human_completes(desk.task.id, "Смотрю", by=HEAD)
        desk.run("13.11 15:00")
        assert len(desk.tasks) == 1
        desk.stores.books.approve("bought", desk.clock.now() + timedelta(days=1))
        desk.run("13.11 16:00")
        assert len(desk.tasks) == 26
        assert {status for client in clients for status in desk.statuses(client)} == {"open"}

    def test_a_ceiling_holds_back_whatever_is_new(self) -> None:
        desk = gym("12.11 12:00", BOUGHT, ceiling=1)
        first = desk.client()
        desk.deliver(desk.sold(first, 500))
        desk.run("13.11 13:00")
        second = desk.client()
        desk.clock.moment = moment("12.11 13:00")
        desk.deliver(desk.sold(second, 501))
        desk.clock.moment = moment("13.11 13:10")
        desk.run("13.11 18:00")
        assert (desk.statuses(first), desk.statuses(second)) == (["open"], ["storm"])


class TestAnswersThatNeverCame:
    @pytest.mark.parametrize("done", [True, False])
    def test_an_ambiguous_answer_is_looked_for_before_it_is_written_again(self, done: bool) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.amocrm.fail_next(AmbiguousWrite("no answer"), on="add_client_tasks", done=done)
        desk.run("13.11 10:00")
        assert desk.statuses(client) == ["sending"]
        assert len(desk.tasks) == done
        desk.run("13.11 12:00")
        assert desk.task.text.startswith("Не был на 3 тренировках")
        assert desk.statuses(client) == ["open"]

    def test_nobody_writes_while_the_lease_lasts(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.amocrm.list_lag = timedelta(seconds=60)
        desk.amocrm.fail_next(AmbiguousWrite("no answer"), on="add_client_tasks", done=True)
        desk.run("13.11 10:00")
        for _ in range(10):
            desk.clock.advance(LEASE.total_seconds() / 9)
            desk.tick()
        assert len(desk.tasks) == 1
        assert desk.statuses(client) == ["open"]

    def test_while_one_task_is_being_set_another_reason_waits(self) -> None:
        desk = gym("12.11 23:00", GYM | {"cap": {"per_client": "none"}}, BOUGHT)
        client = desk.client()
        third_miss(desk, client)
        desk.amocrm.fail_next(AmbiguousWrite("no answer"), on="add_client_tasks", done=True)
        desk.run("13.11 10:00")
        desk.clock.advance(30)
        desk.tell(fact(client, PURCHASE_COMPLETED, "12.11 09:00"))
        desk.tick()
        assert (len(desk.tasks), sorted(desk.statuses(client))) == (1, ["queued", "sending"])
        desk.run("13.11 12:00")
        assert len(desk.task.text.splitlines()) == 2
        assert sorted(desk.statuses(client)) == ["merged", "open"]

    def test_a_return_that_could_not_be_written_is_written_later(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.clock.moment = moment("14.11 19:00")
        desk.amocrm.fail_next(AmoCrmUnavailable("busy"), on="change_tasks")
        assert desk.tell(comes_back(client)) == ["m0"]
        desk.run("14.11 20:00")
        assert (desk.task.result, desk.statuses(client)) == ("Клиент вернулся 14.11.2026", ["completed"])

    def test_a_refused_task_ends_and_gives_its_place_back(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.amocrm.delete_contact(client)
        desk.run("13.11 12:00")
        assert (desk.tasks, desk.statuses(client)) == ([], ["refused"])


Survive = Callable[[Callable[[], Any]], None]


def fires(desk: CareDesk, client: int, survive: Survive) -> None:
    third = [fact(client, "visit.attended", "02.11 20:00"), *missed(client, "05.11", "09.11", "12.11")]
    survive(lambda: desk.tell(*third))
    for at in ("13.11 10:00", "13.11 10:10", "13.11 10:20", "13.11 10:30"):
        desk.clock.moment = moment(at)
        survive(desk.tick)


def returns(desk: CareDesk, client: int, survive: Survive) -> None:
    desk.clock.moment = moment("14.11 19:00")
    survive(lambda: desk.tell(comes_back(client)))


def joins(desk: CareDesk, client: int, survive: Survive) -> None:
    sale = desk.sold(client, 500)
    survive(lambda: desk.deliver(sale))
    for at in ("14.11 10:40", "14.11 10:50", "14.11 11:00", "14.11 11:10"):
        desk.clock.moment = moment(at)
        survive(desk.tick)


def is_begun(desk: CareDesk, client: int, survive: Survive) -> None:
    desk.amocrm.human_edits_task(desk.task.id, by=INNA, text="Звонил, перезвонить")


STORIES = {
    "completed": (fires, returns),
    "a further reason": (fires, joins, returns),
    "left": (fires, is_begun, returns),
}


class TestOnceOnly:
    def story(self, name: str, desk: CareDesk, client: int, survive: Survive) -> Any:
        """Every step may be this process's last; what stands in the end."""
        for step in STORIES[name]:
            step(desk, client, survive)
        desk.table.death.at = None  # from here on only the test looks
        self.calls = desk.table.death.calls
        desk.run("14.11 20:00")
        tasks = [(task.text, task.is_completed, task.result, task.responsible_user_id) for task in desk.tasks]
        episodes = [(each.rule, each.status) for each in desk.episodes(client)]
        return tasks, episodes, [note.text for note in desk.amocrm.notes], desk.row(client).open_task is None

    def desk(self) -> tuple[CareDesk, int]:
        desk = gym("12.11 23:00", GYM | {"cap": {"per_client": "none"}}, BOUGHT)
        return desk, desk.client(77)

    @pytest.mark.parametrize("name", STORIES)
    def test_every_message_twice_is_as_good_as_once(self, name: str) -> None:
        expected = self.story(name, *self.desk(), survive=lambda step: step())

        def twice(step: Callable[[], Any]) -> None:
            step()
            step()

        assert self.story(name, *self.desk(), survive=twice) == expected
        assert len(expected[0]) == 1

    @pytest.mark.parametrize("after", [True, False])
    @pytest.mark.parametrize("name", STORIES)
    def test_a_death_at_any_call_changes_nothing_in_the_end(self, name: str, after: bool) -> None:
        desk, client = self.desk()
        expected = self.story(name, desk, client, survive=lambda step: step())
        assert self.calls > 40
        for number in range(1, self.calls + 1):
            desk, client = self.desk()
            desk.table.death = Mortality(number, after)

            def survive(step: Callable[[], Any], desk: CareDesk = desk) -> None:
                try:
                    step()
                except Killed:
                    desk.clock.advance(LEASE.total_seconds() + 1)
                    step()

            assert self.story(name, desk, client, survive) == expected, number

    @pytest.mark.parametrize("name", STORIES)
    def test_another_worker_in_between_is_noticed(self, name: str) -> None:
        desk, client = self.desk()
        other = desk.worker()
        expected = self.story(name, *self.desk(), survive=lambda step: step())

        def disturbed(step: Callable[[], Any]) -> None:
            desk.table.others.append(lambda: desk.tick(other))
            step()
            desk.table.others.clear()

        assert self.story(name, desk, client, disturbed) == expected

    def test_a_client_who_moves_all_the_time_comes_back_later(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.clock.moment = moment("13.11 10:00")

        def move() -> None:
            desk.stores.clients.put(replace(desk.row(client), salt=f"{desk.row(client).version}"))
            desk.table.others.append(move)

        desk.table.others.append(move)
        assert desk.wake(client) == ["m0"]
        assert desk.statuses(client) == []

    def test_a_row_that_moves_while_the_task_is_completed_is_read_again(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.clock.moment = moment("14.11 19:00")

        def move() -> None:
            desk.stores.clients.put(replace(desk.row(client), salt="moved"))

        desk.table.others.append(lambda: desk.table.others.append(move))
        assert desk.tell(comes_back(client)) == []
        assert desk.statuses(client) == ["completed"]
        assert (desk.row(client).salt, desk.row(client).open_task) == ("moved", None)

    def test_an_episode_that_his_row_forgot_is_not_fired_again(self) -> None:
        desk = gym()
        client = desk.client()
        third_miss(desk, client)
        desk.run("13.11 12:00")
        desk.stores.clients.put(replace(desk.row(client), traces=()))
        assert desk.wake(client) == []
        desk.run("13.11 18:00")
        assert desk.statuses(client) == ["open"]
        assert not desk.task.is_completed
        assert len(desk.row(client).traces) == 1
