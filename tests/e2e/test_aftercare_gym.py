"""The article's gym through the local stack, from the turnstile's POST to the manager's task and back: 200 clients,
60 days. Aftercare alone ticks, every hour: with all ticks of the template it takes minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.gym import DAYS, FIRST_DAY, MOSCOW, Expected, Life, lives
from tests.e2e.outside import Outside, running

CLIENTS = 200
BATCH = 500
PERIOD = 60
"""Minutes between two ticks."""

DEPARTMENT = """\
department: Фитнес
timezone: Europe/Moscow
amocrm: {account: fit.amocrm.ru}
model: one_level
teams:
  club:
    hours: Mon-Sun 09:00-21:00
    members: [anna@fit.example, boris@fit.example, vera@fit.example]
aftercare:
  holdout: 0%
  ceiling: 0
  feeds: {local: {delivers: [visit.attended, visit.missed, session.booked]}}
  rules:
    - id: missed-3-trainings
      when: {streak: {of: session, outcome: missed, count: 3}}
      cooldown: 30d
      cap: {per_client: none, per_manager: none}
      task: "Не был на 3 тренировках подряд ({dates}). Предложить бесплатную консультацию тренера."
"""


class Gym:
    """A stack whose clock is moved day by day, and the people of its amoCRM."""

    def __init__(self, stack: Outside) -> None:
        self.stack = stack
        self._http = httpx.Client(trust_env=False, timeout=60)
        self.managers = self._managers()
        self.clients = self._clients(CLIENTS)
        self.lives = lives(self.clients)

    def _managers(self) -> list[int]:
        team = {f"{name}@fit.example" for name in ("anna", "boris", "vera")}
        return sorted(id_ for id_, email in self.stack.users().items() if email in team)

    def _clients(self, count: int) -> list[int]:
        """Contacts with an open card in «Сопровождение», each of one manager."""
        place = self.stack.pipeline("Сопровождение")
        stage = next(each["id"] for each in place["_embedded"]["statuses"] if each["type"] == 0)
        made: list[int] = []
        for start in range(0, count, 50):
            body = [
                {"name": f"Клиент {number}", "responsible_user_id": self.managers[number % len(self.managers)]}
                for number in range(start, start + 50)
            ]
            rows = self.stack.amocrm("POST", "contacts", body)["_embedded"]["contacts"]
            made += [row["id"] for row in rows]
            cards = [
                {
                    "name": f"Карточка {row['id']}",
                    "pipeline_id": place["id"],
                    "status_id": stage,
                    "responsible_user_id": each["responsible_user_id"],
                    "_embedded": {"contacts": [{"id": row["id"]}]},
                }
                for row, each in zip(rows, body, strict=True)
            ]
            self.stack.amocrm("POST", "leads", cards)
        self.stack.settle()
        return made

    def owner(self, client: int) -> int:
        return self.managers[self.clients.index(client) % len(self.managers)]

    def day(self, number: int, *, tell: bool = True) -> None:
        """To 20:10 of a day, when the turnstile tells of it, and that it has told all."""
        self.to(
            datetime.combine(FIRST_DAY + timedelta(days=number), datetime.min.time(), MOSCOW).replace(
                hour=20, minute=10
            )
        )
        if tell:
            self.tell(number)

    def tell(self, *numbers: int) -> None:
        facts = [
            fact for each in numbers for life in self.lives for fact in life.facts(FIRST_DAY + timedelta(days=each))
        ]
        complete = self.stack.now().isoformat()
        facts.append({"event": "source.heartbeat", "id": complete, "at": complete, "complete_until": complete})
        events = self.stack.addresses["events"]
        for start in range(0, len(facts), BATCH):
            answer = self._http.post(
                events["url"],
                json=facts[start : start + BATCH],
                headers={"authorization": f"Bearer {events['token']}"},
            )
            assert answer.status_code == 202, answer.text
            assert {each["status"] for each in answer.json()["results"]} <= {"accepted", "duplicate"}
        self.stack.settle()

    def to(self, moment: datetime) -> None:
        seconds = (moment - self.stack.now()).total_seconds()
        if seconds > 0:
            self.stack.advance(seconds)

    def tasks(self) -> dict[int, list[dict[str, Any]]]:
        """All tasks of aftercare by client, the oldest first."""
        cards: dict[int, int] = {}
        for lead in self._pages("leads", "&with=contacts"):
            for contact in lead["_embedded"]["contacts"]:
                cards[lead["id"]] = contact["id"]
        found: dict[int, list[dict[str, Any]]] = {}
        for task in self._pages("tasks"):
            if "трениров" in task["text"]:
                assert task["entity_type"] == "leads"
                found.setdefault(cards[task["entity_id"]], []).append(task)
        return {client: sorted(each, key=lambda task: task["id"]) for client, each in found.items()}

    def _pages(self, path: str, more: str = "") -> Iterator[dict[str, Any]]:
        for page in range(1, 100):
            answer = self.stack.amocrm("GET", f"{path}?limit=250&page={page}{more}")
            rows = answer["_embedded"][path] if answer else []
            yield from rows
            if len(rows) < 250:
                return


@pytest.fixture
def gym(tmp_path: Path) -> Iterator[Gym]:
    department = tmp_path / "department.yaml"
    department.write_text(DEPARTMENT, encoding="utf-8")
    options = ("--department", str(department), "--start", f"{FIRST_DAY}T00:30+03:00", "--tick", f"care={PERIOD}")
    with running(tmp_path, *options) as stack:
        yield Gym(stack)


def check(gym: Gym, until: datetime, late: timedelta = timedelta(minutes=PERIOD + 1)) -> int:
    """Each client has the tasks that he ought to have, and no other; how many that are."""
    tasks = gym.tasks()
    expected = {life.client: life.episodes(until) for life in gym.lives}
    assert {client for client, each in expected.items() if each} == set(tasks)
    for life in gym.lives:
        assert len(tasks.get(life.client, [])) == len(expected[life.client]), (life, tasks.get(life.client))
        for want, task in zip(expected[life.client], tasks.get(life.client, []), strict=True):
            check_one(gym, life, want, task, until, late)
    return sum(map(len, tasks.values()))


def check_one(gym: Gym, life: Life, want: Expected, task: dict[str, Any], until: datetime, late: timedelta) -> None:
    dates = ", ".join(f"{day:%d.%m}" for day in want.missed)
    text = f"Не был на 3 тренировках подряд ({dates}). Предложить бесплатную консультацию тренера."
    assert re.sub(r" ·at-\w+$", "", task["text"]) == text
    assert task["responsible_user_id"] == gym.owner(life.client)
    created = datetime.fromtimestamp(task["created_at"], MOSCOW)
    assert want.fires <= created <= want.fires + late, (want, created)
    came_back = want.back is not None and want.back < until
    assert task["is_completed"] is came_back
    if came_back and want.back is not None:
        assert task["result"]["text"] == f"Клиент вернулся {want.back:%d.%m.%Y}"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(FIRST_DAY + timedelta(days=day), time(hour, minute), MOSCOW)


@pytest.mark.timeout(600)
def test_two_hundred_clients_for_sixty_days(gym: Gym) -> None:
    for number in range(DAYS):
        gym.day(number)
    gym.to(at(DAYS - 1, 23))
    assert check(gym, at(DAYS - 1, 23)) > 50
    assert {name: queue["dlq"] for name, queue in gym.stack.queues().items() if queue["dlq"]} == {}
