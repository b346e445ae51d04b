"""The care function where it lives: its rows in DynamoDB, its tasks through the adapter on the simulated account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.aftercare_triggers.managers import CHANNEL
from functions.aftercare_triggers.writing import LEASE
from functions.shared.care import Status
from functions.shared.department import AFTERCARE, Pipeline
from functions.shared.facts import PURCHASE_COMPLETED, VISIT_ATTENDED
from tests.builders import BORIS, INNA, make_department, make_member, make_team
from tests.care_desk import CareDesk, Killed, MortalDynamo, Mortality, department, fact
from tests.care_player import moment
from tests.contract.amocrm_firms import SimulatedFirm

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


class TestOnDynamoDb:
    def story(self, table: Any, death: Mortality) -> tuple[Any, ...]:
        """Two clients of nobody; one has a second reason, both come back."""
        desk = CareDesk("12.11 12:00", table)
        care = make_team([make_member(INNA), make_member(BORIS)], name="care", levels=frozenset({3}))
        desk.apply(department(teams=tuple(care if team.name == "care" else team for team in department().teams)))
        desk.publish(SILENT, BOUGHT)
        clients = [desk.client(77, card=False, owner=0), desk.client(78, card=False, owner=0)]
        table.death = death

        def survive(step: Callable[[], object]) -> None:
            try:
                step()
            except Killed:
                desk.clock.advance(LEASE.total_seconds() + 1)
                step()

        for client in clients:
            survive(lambda client=client: desk.tell(fact(client, VISIT_ATTENDED, "12.11 12:00")))
        survive(lambda: desk.tell(fact(77, PURCHASE_COMPLETED, "12.11 12:00")))
        for at in ("13.11 12:00", "13.11 12:10", "13.11 12:20", "13.11 12:30"):
            desk.clock.moment = moment(at)
            survive(desk.tick)
        desk.clock.moment = moment("13.11 19:00")
        for client in clients:
            survive(lambda client=client: desk.tell(fact(client, VISIT_ATTENDED, "13.11 18:55")))
        calls, table.death = table.death.calls, Mortality()
        desk.clock.advance(LEASE.total_seconds())
        desk.tick()
        tasks = sorted((task.contact_id, task.text, task.is_completed, task.result) for task in desk.tasks)
        statuses = [sorted(desk.statuses(client)) for client in clients]
        books = dict(desk.stores.turns.ledger("care").books.channel(CHANNEL))
        return tasks, statuses, {desk.row(client).manager for client in clients}, books, calls

    def test_a_death_at_any_call_changes_nothing_in_the_end(self, dynamodb: Any, new_table: Callable[[], str]) -> None:
        def table() -> MortalDynamo:
            return MortalDynamo(lambda: dynamodb, new_table())

        *calm, calls = self.story(table(), Mortality())
        assert calm[2:] == [{INNA, BORIS}, {}]
        assert len(calm[0]) == 2
        assert calm[1] == [["completed", "merged"], ["completed"]]
        for number in range(1, calls + 1, 7):  # each call of each kind in memory: test_aftercare_managers
            *outcome, _ = self.story(table(), Mortality(number, after=number % 2 == 0))
            assert outcome == calm, number


class SimulatedDesk(CareDesk):
    def open_amocrm(self) -> Any:
        self.firm = SimulatedFirm()
        self.clock, self.firm.clock.moment = self.firm.clock, self.clock.moment
        self.people_of_care = [self.firm.user(), self.firm.user()]
        return self.firm.amocrm

    def open_for_business(self) -> None:
        members = [make_member(user) for user in self.people_of_care]
        pipeline = Pipeline(AFTERCARE, self.firm.other_pipeline, "Сопровождение", self.firm.other_first_stage)
        self.apply(make_department(make_team(members, name="care"), pipelines=(pipeline,)))
        self.publish(SILENT, BOUGHT)

    @property
    def tasks(self) -> list[Any]:
        return sorted(self.firm.world.tasks.all(), key=lambda task: task.id)


class TestOnTheSimulatedAccount:
    @pytest.mark.parametrize("lag", [0, 60])
    @pytest.mark.parametrize("lost", [0.0, 1.0])
    def test_tasks_on_cards_and_contacts_are_set_once_and_completed_on_return(self, lag: int, lost: float) -> None:
        desk = SimulatedDesk("12.11 12:00")
        desk.open_for_business()
        firm, (inna, boris) = desk.firm, desk.people_of_care
        carded, bare, begun, other = (firm.contact(0, f"Клиент {number}") for number in range(4))
        card = firm.lead(inna, other=True, contact=carded)
        clients = [carded, bare, begun, other]
        desk.tell(*(fact(client, VISIT_ATTENDED, "12.11 12:00") for client in clients))
        firm.world.switch(lost_answer_share=lost, list_lag=(lag, lag))
        desk.run("13.11 12:20")
        firm.world.switch(lost_answer_share=0.0, list_lag=(0, 0))
        assert Counter(task.entity_id for task in desk.tasks) == {card: 1, bare: 1, begun: 1, other: 1}
        owners = {task.entity_id: task.responsible_user_id for task in desk.tasks}
        assert owners[card] == inna
        assert sorted(Counter(owners.values()).values()) in ([1, 3], [2, 2])
        (his,) = (task for task in desk.tasks if task.entity_id == begun)
        desk.tell(fact(begun, PURCHASE_COMPLETED, "12.11 12:00"))
        firm.completes(next(task.id for task in desk.tasks if task.entity_id == other), "Поговорили")
        desk.run("13.11 13:00")
        assert {each.status for each in desk.episodes(begun)} == {Status.OPEN, Status.MERGED}
        desk.clock.advance(timedelta(hours=1).total_seconds())
        back = f"{desk.clock.now() + timedelta(hours=3):%d.%m %H:%M}"
        assert desk.tell(*(fact(client, VISIT_ATTENDED, back, f"back-{client}") for client in clients)) == []
        tasks = {task.entity_id: task for task in desk.tasks}
        assert [tasks[each].is_completed for each in (card, bare, begun, other)] == [True, True, False, True]
        assert tasks[begun].id == his.id
        assert tasks[begun].text.startswith("Спросить, всё ли хорошо")
        assert desk.statuses(other) == ["closed"]
        assert boris in owners.values()
