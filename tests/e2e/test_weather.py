"""amoCRM and people at their worst, through the whole stack: late perhaps, but nothing lost and nothing twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from functions.shared.adapters.amocrm.tokens import LONG_LIVED
from infra.department.file import load
from infra.local.amocrm_simulator.messengers import Messenger
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.world import World
from infra.local.stack import FUNCTIONS, LocalStack

DEPARTMENT = Path(__file__).parents[2] / "department.example.yaml"
NOON = datetime.fromisoformat("2026-03-02T11:30+03:00")
HOUR = 3600


class Weather:
    """A stack with its world in reach."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.world: World = stack.world
        self.exchange = next(p for p in self.world.pipelines.values() if p.name == "Биржа лидов").id

    def leads(self, count: int) -> list[int]:
        """Half of them chats in «Неразобранное», half plain."""
        chats = [Messenger(self.world).writes("?", pipeline_id=self.exchange).lead_id for _ in range(count // 2)]
        admin = Person(self.world)
        plain = [admin.create_lead("Заявка", pipeline_id=self.exchange).id for _ in range(count - count // 2)]
        return [*chats, *plain]

    def settle(self) -> None:
        deadline = time.monotonic() + 60  # hooks of a test may come 40 s late
        while not self.stack.cloud.timeline.idle():
            assert time.monotonic() < deadline, "the stack does not come to rest"
            time.sleep(0.005)

    def pass_time(self, seconds: float) -> None:
        self.settle()
        self.stack.cloud.advance(seconds)

    def managers(self, lead_ids: list[int]) -> set[str]:
        """Who owns these leads: local parts of e-mails, also `admin` for what nobody has touched."""
        leads = [lead for lead in self.world.leads.all() if lead.id in set(lead_ids)]
        owners = {lead.responsible_user_id for lead in leads}
        return {self.world.users[owner].email.partition("@")[0] if owner else "nobody" for owner in owners}

    def in_flight(self) -> int:
        return sum(queue["visible"] + queue["in_flight"] for queue in self.stack.cloud.status()["queues"].values())

    def dead(self) -> int:
        return sum(queue["dlq"] for queue in self.stack.cloud.status()["queues"].values())

    def tasks(self, lead_ids: list[int]) -> Counter[int]:
        """How many live tasks each lead has."""
        of_leads = [task.entity_id for task in self.world.tasks.all() if not task.is_deleted]
        return Counter(entity for entity in of_leads if entity in set(lead_ids))

    def assert_all_given_once(self, lead_ids: list[int]) -> None:
        assert self.managers(lead_ids) <= {"anna", "vera", "gleb", "boris"}
        assert self.tasks(lead_ids) == Counter(dict.fromkeys(lead_ids, 1))
        assert (self.in_flight(), self.dead()) == (0, 0)


@pytest.fixture
def weather() -> Iterator[Weather]:
    with LocalStack(load(DEPARTMENT), start=NOON) as stack:
        yield Weather(stack)


def test_an_hour_without_amocrm_delays_leads_by_an_hour(weather: Weather) -> None:
    weather.world.switch(down=True)
    leads = weather.leads(6)
    weather.pass_time(HOUR)
    assert weather.tasks(leads) == Counter()
    weather.world.switch(down=False)
    weather.pass_time(HOUR / 2)
    weather.assert_all_given_once(leads)


def test_a_storm_of_429_passes(weather: Weather) -> None:
    weather.world.switch(storm=True)
    leads = weather.leads(6)
    weather.pass_time(HOUR / 6)
    assert weather.tasks(leads) == Counter()
    requests = weather.stack.world.requests.log
    assert sum(request.token == FUNCTIONS for request in requests) < 400, "a storm is met with less, not more"
    weather.world.switch(storm=False)
    weather.pass_time(HOUR / 2)
    weather.assert_all_given_once(leads)


def test_a_block_of_the_account_stops_the_requests_until_it_is_lifted(weather: Weather) -> None:
    weather.world.limiter.blocked = True
    leads = weather.leads(4)
    weather.pass_time(HOUR)
    blocked = [request for request in weather.world.requests.log if request.status == 403]
    assert len(blocked) < 20, "the breaker is open"
    weather.world.unblock()
    weather.pass_time(2 * HOUR)
    weather.assert_all_given_once(leads)


def test_a_revoked_token_keeps_leads_until_a_new_one_is_stored(weather: Weather) -> None:
    [token] = [text for text, token in weather.world.tokens.items() if token.name == FUNCTIONS]
    weather.world.revoke_token(token)
    leads = weather.leads(4)
    weather.pass_time(HOUR / 4)
    assert weather.tasks(leads) == Counter()
    prefix = weather.stack.cloud.setting("SECRETS_PREFIX")
    new = weather.world.add_token(FUNCTIONS, weather.world.admin.id)
    weather.stack.cloud.aws.put_secret(f"{prefix}/{LONG_LIVED}", new)
    weather.pass_time(HOUR)
    weather.assert_all_given_once(leads)


def test_answers_that_get_lost_cause_nothing_twice(weather: Weather) -> None:
    weather.world.switch(lost_answer_share=0.3)
    leads = weather.leads(12)
    weather.pass_time(HOUR)
    weather.assert_all_given_once(leads)


def test_hooks_that_come_twice_late_and_in_any_order_cause_nothing_twice(weather: Weather) -> None:
    weather.world.switch(hook_duplicate_share=1.0, hook_reorder=True, hook_delay=(0.0, 40.0), combined_bodies=True)
    leads = weather.leads(10)
    weather.pass_time(HOUR / 4)
    weather.assert_all_given_once(leads)


def test_lists_that_lag_behind_do_not_hide_leads(weather: Weather) -> None:
    weather.world.switch(list_lag=(1.0, 5.0))
    leads = weather.leads(8)
    weather.pass_time(HOUR / 4)
    weather.assert_all_given_once(leads)


def test_a_lead_that_is_deleted_before_we_come_is_nobodys(weather: Weather) -> None:
    weather.world.switch(down=True)
    gone, stays = weather.leads(1)[0], weather.leads(2)
    Person(weather.world).delete_lead(gone)
    weather.world.switch(down=False)
    weather.pass_time(HOUR / 4)
    weather.assert_all_given_once(stays)
    assert weather.tasks([gone]) == Counter()


def test_a_manager_who_is_switched_off_in_amocrm_gets_nothing(weather: Weather) -> None:
    vera = next(user for user in weather.world.users.values() if user.email.startswith("vera"))
    Person(weather.world).switch_off(vera.id)
    leads = weather.leads(6)
    weather.pass_time(HOUR / 4)
    weather.assert_all_given_once(leads)
    assert "vera" not in weather.managers(leads)


def test_what_a_person_takes_first_stays_his(weather: Weather) -> None:
    boris = next(user for user in weather.world.users.values() if user.email.startswith("boris"))
    weather.world.switch(down=True)
    item = Messenger(weather.world).writes("?", pipeline_id=weather.exchange)
    Person(weather.world, boris.id).accept(item.uid)
    weather.world.switch(down=False)
    weather.pass_time(HOUR / 4)
    assert weather.managers([item.lead_id]) == {"boris"}, "although his shift begins at 14:00 only"
    assert (weather.in_flight(), weather.dead()) == (0, 0)
