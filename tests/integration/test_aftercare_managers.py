"""Whose clients they are: the fair next of the care team, once a client; and who does his work while he is away."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.aftercare_triggers.managers import CHANNEL
from functions.aftercare_triggers.writing import LEASE
from functions.shared.absence import Absence
from functions.shared.care import Client
from functions.shared.facts import PURCHASE_COMPLETED
from functions.shared.fairness import UNIT
from functions.shared.hours import WorkingHours
from tests.builders import ANNA, BORIS, INNA, VERA, make_member, make_team
from tests.care_desk import HEAD, CareDesk, Killed, Mortality, department, fact
from tests.care_player import moment

BOUGHT: dict[str, Any] = {
    "id": "bought",
    "priority": 30,
    "when": {"after": {"event": PURCHASE_COMPLETED, "by": "P1D", "stays": "P7D"}},
    "cap": {"per_client": "none", "per_manager": "none"},
    "window": {"client_local": "10:00-20:00", "calendar": "all"},
    "task": {"text": "Спросить, всё ли хорошо", "due": "next_working_slot+4h"},
}


def office(*members: Any, duty: int | None = None, rule: dict[str, Any] = BOUGHT) -> CareDesk:
    """A care team of these people (Inna and Boris); a Thursday at noon."""
    desk = CareDesk("12.11 12:00")
    people = members or (make_member(INNA), make_member(BORIS))
    care = make_team(people, name="care", levels=frozenset({3}), duty=duty)
    desk.apply(department(teams=tuple(care if team.name == "care" else team for team in department().teams)))
    desk.publish(rule)
    return desk


def buys(desk: CareDesk, client: int) -> None:
    desk.tell(fact(client, PURCHASE_COMPLETED, "12.11 12:00"))


def nobodys(desk: CareDesk, many: int = 1) -> list[int]:
    clients = [desk.client(card=False, owner=0) for _ in range(many)]
    for client in clients:
        buys(desk, client)
    return clients


def away(desk: CareDesk, user_id: int, start: str, end: str) -> None:
    desk.stores.absences.add(Absence("care", user_id, moment(start), moment(end), "отпуск"))


def balances(desk: CareDesk) -> dict[int, int]:
    return dict(desk.stores.turns.ledger("care").books.channel(CHANNEL))


class TestTheFairNext:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.lists(st.integers(1, 3), min_size=1, max_size=8))
    def test_nobody_drifts_two_clients_from_his_share(self, weights: list[int], batches: list[int]) -> None:
        people = (INNA, BORIS, ANNA, VERA)
        members = [make_member(user, weight=Fraction(w)) for user, w in zip(people, weights, strict=False)]
        desk = office(*members)
        clients = []
        for _ in batches:
            clients += [desk.client(card=False, owner=0) for _ in range(_)]
            for client in clients:
                buys(desk, client)
            desk.clock.moment = max(desk.clock.now(), moment("13.11 12:00"))
            desk.tick()
        received = Counter(desk.row(client).manager for client in clients)
        for member in members:
            share = Fraction(len(clients)) * member.weight / sum(weights)
            assert abs(received[member.user_id] - share) < 2
        assert sum(balances(desk).values()) == 0
        assert {task.responsible_user_id for task in desk.tasks} == set(received)

    def test_he_stays_the_clients_manager_and_costs_one_turn(self) -> None:
        desk = office()
        (client,) = nobodys(desk)
        desk.run("13.11 13:00")
        manager, spent = desk.row(client).manager, balances(desk)
        assert desk.task.responsible_user_id == manager
        assert spent == {manager: -UNIT // 2, ({INNA, BORIS} - {manager}).pop(): UNIT // 2}
        desk.amocrm.human_completes(desk.task.id, "Поговорили", by=manager)
        for at in ("16.11", "20.11", "24.11"):
            desk.clock.moment = moment(f"{at} 12:00")
            nobodys(desk)  # others come and go
            desk.tell(fact(client, PURCHASE_COMPLETED, f"{at} 12:00"))
            desk.run(desk.clock.now() + timedelta(days=2))
        own = [task.responsible_user_id for task in desk.tasks if task.contact_id == client]
        assert (len(own) > 1, set(own)) == (True, {manager})

    @pytest.mark.parametrize("after", [True, False])
    def test_a_death_at_any_call_spends_no_second_turn(self, after: bool) -> None:
        def story(death: Mortality) -> tuple[dict[int, int], list[int], list[int], int]:
            desk = office()
            clients = nobodys(desk, 3)
            desk.clock.moment = moment("13.11 12:00")
            desk.table.death = death
            for _ in range(3):
                try:
                    desk.tick()
                except Killed:
                    death.at = None
                desk.clock.advance(LEASE.total_seconds() + 1)
            calls, death.at = death.calls, None
            managers = [desk.row(client).manager for client in clients]
            return balances(desk), managers, [task.responsible_user_id for task in desk.tasks], calls

        calm = story(Mortality())
        assert len(calm[2]) == 3
        for number in range(1, calm[3] + 1):
            spent, managers, owners, _ = story(Mortality(number, after))
            assert (spent, sorted(managers), sorted(owners)) == (calm[0], sorted(calm[1]), sorted(calm[2])), number

    def test_two_workers_at_once_spend_one_turn_a_client(self) -> None:
        for number in range(1, 60):
            desk = office()
            clients = nobodys(desk, 2)
            other = desk.worker()
            desk.clock.moment = moment("13.11 12:00")
            desk.table.death = Mortality(meanwhile_at=number, meanwhile=lambda desk=desk, other=other: desk.tick(other))
            desk.tick()
            assert {desk.row(client).manager for client in clients} == {INNA, BORIS}
            assert balances(desk) == {}
            assert len(desk.tasks) == 2, number

    def test_who_is_off_shift_paused_absent_or_switched_off_is_passed_over(self) -> None:
        evening = make_member(VERA, hours=WorkingHours.parse("Mon-Fri 18:00-22:00"))
        desk = office(make_member(INNA), make_member(BORIS, paused=True), make_member(ANNA), evening)
        desk.amocrm.switch_off_user(ANNA)
        nobodys(desk, 4)
        desk.run("13.11 13:00")
        assert [task.responsible_user_id for task in desk.tasks] == [INNA] * 4
        assert balances(desk) == {}

    def test_at_night_the_task_waits_for_the_shift_of_whoever_is_not_away(self) -> None:
        desk = office(make_member(INNA), make_member(BORIS))
        away(desk, BORIS, "12.11 00:00", "20.11 00:00")
        nobodys(desk)
        desk.clock.moment = moment("13.11 19:30")
        desk.tick()
        assert (desk.task.responsible_user_id, desk.task.complete_till) == (INNA, moment("16.11 13:00"))

    def test_where_nobody_can_it_is_the_duty_persons_else_the_heads(self) -> None:
        for duty, expected in ((VERA, VERA), (None, HEAD)):
            desk = office(make_member(INNA, paused=True), duty=duty)
            (client,) = nobodys(desk)
            desk.run("13.11 13:00")
            assert (desk.task.responsible_user_id, desk.row(client).manager) == (expected, 0)


class TestHisOwnManager:
    def test_the_owner_of_his_card_wins_over_who_was_found_before(self) -> None:
        desk = office()
        client = desk.client(owner=INNA)
        desk.stores.clients.put(Client(client, manager=BORIS))
        buys(desk, client)
        desk.run("13.11 13:00")
        assert (desk.task.responsible_user_id, desk.row(client).manager, balances(desk)) == (INNA, INNA, {})

    def test_who_is_back_before_the_deadline_is_waited_for(self) -> None:
        desk = office()
        client = desk.client(owner=INNA)
        away(desk, INNA, "13.11 00:00", "13.11 11:00")
        away(desk, INNA, "13.11 11:00", "13.11 14:00")
        buys(desk, client)
        desk.run("13.11 13:00")
        assert desk.tasks == []
        desk.run("13.11 15:00")
        assert (desk.task.responsible_user_id, desk.task.created_at) == (INNA, moment("13.11 14:00"))

    @pytest.mark.parametrize("why", ["absent", "paused"])
    def test_who_stays_away_longer_has_a_colleague_for_this_task_alone(self, why: str) -> None:
        desk = office(make_member(INNA, paused=why == "paused"), make_member(BORIS), make_member(ANNA))
        if why == "absent":
            away(desk, INNA, "12.11 00:00", "30.11 00:00")
        clients = [desk.client(owner=INNA) for _ in range(4)]
        for client in clients:
            buys(desk, client)
        desk.run("13.11 13:00")
        assert Counter(task.responsible_user_id for task in desk.tasks) == {BORIS: 2, ANNA: 2}
        assert {desk.row(client).manager for client in clients} <= {0, INNA}

    def test_who_was_switched_off_loses_his_clients(self) -> None:
        desk = office()
        client = desk.client(card=False, owner=INNA)
        desk.amocrm.switch_off_user(INNA)
        buys(desk, client)
        desk.run("13.11 13:00")
        assert (desk.task.responsible_user_id, desk.row(client).manager) == (BORIS, BORIS)

    def test_a_task_for_the_head_names_no_manager(self) -> None:
        rule = BOUGHT | {"task": {"text": "Разобраться", "assign": "head"}}
        desk = office(rule=rule)
        (client,) = nobodys(desk)
        desk.run("13.11 13:00")
        assert (desk.task.responsible_user_id, desk.row(client).manager) == (HEAD, 0)
