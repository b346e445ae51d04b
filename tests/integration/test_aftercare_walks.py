"""Random walks of the care function: crashes, lost answers, lists that lag, doubled and shuffled messages, two workers
at once, and people who complete, edit and delete the tasks in between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.aftercare_triggers.writing import LEASE
from functions.shared.care import COUNTED, Status
from functions.shared.crm import Task
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable
from functions.shared.facts import PURCHASE_COMPLETED, VISIT_ATTENDED
from tests.builders import BORIS, INNA, make_member, make_team
from tests.care_desk import CareDesk, Killed, Mortality, department, fact
from tests.care_player import moment

VISITED: dict[str, Any] = {
    "id": "silent",
    "priority": 70,
    "when": {"silence": {"of": VISIT_ATTENDED, "for": "P2D"}},
    "cap": {"per_client": "none", "per_manager": "none"},
    "task": "Давно не был",
    "exit": {"on": VISIT_ATTENDED, "result": "Клиент вернулся {date}"},
}
BOUGHT: dict[str, Any] = {
    "id": "bought",
    "priority": 30,
    "when": {"after": {"event": PURCHASE_COMPLETED, "which": "first", "by": "P1D", "stays": "P30D"}},
    "cap": {"per_client": "none", "per_manager": "none"},
    "task": "Спросить, всё ли хорошо",
}
UNTIL = moment("22.11")


class Walk:
    """One world and one run of the dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.desk = CareDesk("12.11 09:00")
        self.desk.publish(VISITED, BOUGHT)
        care = make_team([make_member(INNA), make_member(BORIS)], name="care", levels=frozenset({3}))
        made = department()
        teams = tuple(care if team.name == "care" else team for team in made.teams)
        self.desk.apply(department(teams=teams))
        owners = ((True, INNA), (True, 0), (False, 0), (False, BORIS))
        self.clients = [self.desk.client(card=card, owner=owner) for card, owner in owners]
        self.workers = [self.desk.engine, self.desk.worker()]
        self.messages: list[Callable[[Any], object]] = []
        self.bought: set[int] = set()
        self.tasks: dict[int, Task] = {}

    def walk(self) -> None:
        while self.desk.clock.now() < UNTIL:
            self.desk.clock.advance(self.dice.choice((20, 60, 600, 1800, 7200)))
            self.desk.amocrm.list_lag = timedelta(seconds=self.dice.choice((0, 0, 20, 60)))
            self.dice.choice((self.fact, self.fact, self.deliver, self.deliver, self.person, self.tick, self.tick))()
            self.look()

    def calm_down(self) -> None:
        """Everything that was told arrives; nothing fails any more."""
        desk = self.desk
        desk.amocrm.list_lag = timedelta(0)
        desk.clock.advance(LEASE.total_seconds() + 60)
        for message in self.messages:
            message(desk.engine)
            self.look()
        for _ in range(6):
            desk.clock.advance(900)
            desk.tick()
            self.look()

    # --- what happens ---------------------------------------------------------------------------------------

    def fact(self) -> None:
        client, now = self.dice.choice(self.clients), self.desk.clock.now()
        kind = self.dice.choice((VISIT_ATTENDED, VISIT_ATTENDED, PURCHASE_COMPLETED))
        if kind == PURCHASE_COMPLETED and now > UNTIL - timedelta(days=2):
            return
        told = replace(fact(client, kind, "12.11 09:00", f"{kind}-{now:%d%H%M%S}"), time=now, received=now)
        self.desk.stores.facts.put([told])
        if kind == PURCHASE_COMPLETED:
            self.bought.add(client)
        self.messages += [lambda worker: self.desk.wake(client, worker=worker)] * self.dice.choice((1, 1, 2))

    def deliver(self) -> None:
        self.dice.shuffle(self.messages)
        for _ in range(min(len(self.messages), 3)):
            self.step(self.messages.pop())

    def tick(self) -> None:
        self.step(self.desk.tick)

    def step(self, work: Callable[[Any], object]) -> None:
        """A fifth of all steps ends in the middle; what was not acknowledged comes back."""
        one, other = self.dice.sample(self.workers, 2)
        death = Mortality()
        if self.dice.random() < 0.2:
            death.at, death.after = self.dice.randrange(1, 40), self.dice.random() < 0.5
        if self.dice.random() < 0.2:
            death.meanwhile_at = self.dice.randrange(1, 30)
            death.meanwhile = lambda: self.desk.tick(other)
        if self.dice.random() < 0.2:
            on = self.dice.choice(("add_client_tasks", "change_tasks", "add_notes", "add_contact_note"))
            self.desk.amocrm.fail_next(AmbiguousWrite("no answer"), on=on, done=self.dice.random() < 0.7)
        if self.dice.random() < 0.1:
            self.desk.amocrm.fail_next(AmoCrmUnavailable("busy"), on=self.dice.choice(("tasks_by_id", "leads")))
        self.desk.table.death = death
        try:
            done = work(one)
        except Killed:
            done = ["m0"]
        if done:
            self.messages.append(work)
        self.desk.table.death = Mortality()
        self.desk.amocrm._failures.clear()

    def person(self) -> None:
        """People see a task as it is, and keep the end of its text."""
        standing = [task for task in self.desk.tasks if not task.is_completed]
        if not standing:
            return
        task, amocrm = self.dice.choice(standing), self.desk.amocrm
        is_known = any(self.is_known(client, task.id) for client in self.clients)
        match self.dice.choice(("complete", "edit", "put off", "delete")):
            case "complete":
                amocrm.human_completes(task.id, "Поговорили", by=INNA)
            case "edit":
                amocrm.human_edits_task(task.id, by=INNA, text=f"Звонил. {task.text}")
            case "put off":
                amocrm.human_edits_task(task.id, by=INNA, complete_till=task.complete_till + timedelta(days=1))
            case "delete" if is_known:  # of one that we do not know of nothing is left that could be found
                amocrm.human_deletes_task(task.id)
        if self.dice.random() < 0.5:
            self.desk.people().touched(self.desk.sight(), [task.id])

    def is_known(self, client: int, task_id: int) -> bool:
        task = self.desk.row(client).open_task
        return task is not None and task.task_id == task_id

    # --- what must hold -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Never two tasks of one episode, never two open ones of a client."""
        self.tasks |= {task.id: task for task in self.desk.tasks}
        marks = Counter(task.text.rpartition(" ·")[2] for task in self.tasks.values())
        assert set(marks.values()) <= {1}, marks
        cards = {lead: client for client in self.clients for lead in self.desk.amocrm.see_contact(client).leads}
        standing = Counter(
            cards.get(task.lead_id, task.contact_id) for task in self.desk.tasks if not task.is_completed
        )
        assert max(standing.values(), default=0) <= 1, standing


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_each_episode_has_one_task_and_none_is_lost(seed: int) -> None:
    walk = Walk(seed)
    walk.walk()
    walk.calm_down()
    desk = walk.desk
    for client in walk.clients:
        episodes = {each.key: each for each in desk.episodes(client)}
        bought = [each for each in episodes.values() if each.rule == "bought"]
        assert len(bought) == (client in walk.bought)
        assert all(each.status in COUNTED for each in bought)
        waiting = {Status.QUEUED, Status.SENDING} & {each.status for each in episodes.values()}
        assert not waiting, (client, waiting)
        desk.people().touched(desk.sight(), [task.id for task in desk.tasks])
        row, standing = desk.row(client), {Status.OPEN, Status.MERGED}
        open_keys = {each.key for each in desk.episodes(client) if each.status in standing}
        reasons = set(row.open_task.reasons) - set(row.open_task.struck) if row.open_task else set()
        assert open_keys == reasons
        if row.open_task and row.open_task.task_id in {task.id for task in desk.tasks}:
            there = next(task for task in desk.tasks if task.id == row.open_task.task_id)
            assert not there.is_completed
    for client in walk.clients:
        desk.clock.advance(60)
        now = desk.clock.now()
        visit = replace(fact(client, VISIT_ATTENDED, "12.11 09:00", "the last visit"), time=now, received=now)
        assert desk.tell(visit) == []
        came = [each.status for each in desk.episodes(client) if each.rule == "silent"]
        assert not {Status.OPEN, Status.MERGED, Status.QUEUED, Status.SENDING} & set(came)
        walk.look()
