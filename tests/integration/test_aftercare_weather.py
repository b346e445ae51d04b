"""The article's gym in bad weather: three days without the engine, five days without the turnstile, a fifth of all runs
dying. The lives and what ought to become of them are the end-to-end test's (tests/e2e/gym.py)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from functions.shared.care import FeedSpec
from functions.shared.crm import Task
from functions.shared.facts import Fact
from tests.builders import INNA
from tests.care_desk import CareDesk, Killed, Mortality
from tests.e2e.gym import FIRST_DAY, Expected, Life, lives
from tests.e2e.outside import MOSCOW

DAYS = 45
CLIENTS = 80
RULE: dict[str, Any] = {
    "id": "missed-3-trainings",
    "when": {"streak": {"of": "session", "outcome": "missed", "count": 3}},
    "cooldown": "30d",
    "cap": "none",
    "task": "{dates}",
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=MOSCOW)
    return midnight + timedelta(days=day, hours=hour, minutes=minute)


class Gym:
    """`down` are days on which the engine does not run, `silent` days whose evening tells nothing; the evening after
    them tells all of it."""

    def __init__(
        self, seed: int, *, down: Collection[int] = (), silent: Collection[int] = (), dying: float = 0
    ) -> None:
        self.desk = CareDesk()
        self.desk.clock.moment = at(0, 1)
        delivers = frozenset({"visit.attended", "visit.missed", "session.booked"})
        self.desk.publish({**RULE, "late": {"expire": "30d"}}, feeds=(FeedSpec("turnstile", delivers),))
        self.lives = lives([self.desk.client(owner=INNA) for _ in range(CLIENTS)], seed)
        self.down, self.silent, self.dying = down, silent, dying
        self.chance = Random(seed)
        self.untold: list[int] = []
        self.queue: list[set[int]] = []
        self.deaths = 0

    def play(self) -> None:
        for hour in range(1, DAYS * 24):
            self.desk.clock.moment = at(0, hour, 10)
            if hour % 24 == 20:
                self.evening(hour // 24)
            if hour // 24 not in self.down:
                self.work()

    def evening(self, day: int) -> None:
        self.untold.append(day)
        if day in self.silent:
            return
        now = self.desk.clock.now()
        told = [_fact(life, said, now) for life in self.lives for each in self.untold for said in _facts(life, each)]
        self.desk.stores.facts.put(told)
        self.desk.stores.feeds.touch("turnstile", now, now, now)
        self.queue.append({fact.client for fact in told})
        self.untold = []

    def work(self) -> None:
        """A tick, and what lies in the queue; who dies leaves his message to the next one, a minute later."""
        for clients in list(self.queue):
            if not clients or self.survives(partial(self.desk.wake, *clients)):
                self.queue.remove(clients)
        self.survives(self.desk.tick)

    def survives(self, run: Callable[..., list[str]]) -> bool:
        dies = self.chance.random() < self.dying
        death = Mortality(at=self.chance.randint(1, self.chance.choice([5, 20, 80])) if dies else None)
        death.after = self.chance.random() < 0.5
        self.desk.table.death = death
        try:
            return run(worker=self.desk.worker()) == []
        except Killed:
            self.deaths += 1
            return False
        finally:
            self.desk.table.death = Mortality()

    def tasks(self) -> dict[int, list[Task]]:
        found: dict[int, list[Task]] = {}
        clients = {lead: life.client for life in self.lives for lead in self._leads(life.client)}
        for task in self.desk.tasks:
            found.setdefault(clients[task.lead_id], []).append(task)
        return found

    def _leads(self, client: int) -> tuple[int, ...]:
        contact = self.desk.amocrm.see_contact(client)
        assert contact is not None
        return contact.leads

    def compare(self) -> Counter[str]:
        """Nobody has a task too many, and nobody lacks one who was still away when it could be set."""
        counts: Counter[str] = Counter()
        tasks = self.tasks()
        for life in self.lives:
            expected, made = life.episodes(at(DAYS - 1, 23)), tasks.get(life.client, [])
            wanted = [each for each in expected if not self.came_before(each)]
            assert [_first_day(task) for task in made] == [f"{each.first:%d.%m}" for each in wanted], (life, made)
            for task, each in zip(made, wanted, strict=True):
                assert each.back is None or task.created_at < each.back or self.is_untold(task.created_at)
                counts["late"] += task.created_at > each.fires + 2 * HOUR
            counts["tasks"] += len(made)
            counts["spared"] += len(expected) - len(wanted)
        return counts

    def came_before(self, each: Expected) -> bool:
        """Before anybody could know and do: the first working hour of the engine, when the facts had been told."""
        told = next(day for day in range((each.fires - at(0, 0)).days - 1, DAYS + 9) if day not in self.silent)
        begins = max(each.fires, at(told, 20, 10))
        while (begins - at(0, 0)).days in self.down or not 10 <= begins.hour < 20:
            begins += HOUR
        return each.back is not None and each.back <= begins

    def is_untold(self, moment: datetime) -> bool:
        return (moment - at(0, 0)).days in self.silent


def _facts(life: Life, day: int) -> list[dict[str, Any]]:
    return list(life.facts(FIRST_DAY + day * DAY))


def _fact(life: Life, said: dict[str, Any], now: datetime) -> Fact:
    time = datetime.fromisoformat(said["at"])
    data = {key: said[key] for key in ("session_id", "start", "end") if key in said}
    return Fact(life.client, "turnstile", said["id"], said["event"], time, now, data=data)


def _first_day(task: Task) -> str:
    return re.split("[, ]", task.text)[0]


@pytest.mark.parametrize("seed", range(3))
class TestWeather:
    def test_fair(self, seed: int) -> None:
        gym = Gym(seed)
        gym.play()
        counts = gym.compare()
        assert counts["tasks"] > 15
        assert (counts["late"], counts["spared"]) == (0, 0)

    def test_three_days_without_the_engine(self, seed: int) -> None:
        gym = Gym(seed, down=range(21, 24))
        gym.play()
        assert gym.compare()["tasks"] > 15

    def test_five_days_without_the_turnstile(self, seed: int) -> None:
        gym = Gym(seed, silent=range(20, 25))
        gym.play()
        assert gym.compare()["tasks"] > 15
        in_the_dark = [task for task in gym.desk.tasks if at(21, 11) < task.created_at < at(25, 20)]
        assert in_the_dark == [], "nothing was told, so nothing is known"

    def test_a_fifth_of_all_runs_die(self, seed: int) -> None:
        gym = Gym(seed, dying=0.2)
        gym.play()
        assert gym.compare()["tasks"] > 15
        assert gym.deaths > 50
