"""A worker that dies between any two steps, and the message that comes back: nothing lost, doubled or charged twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.shared.adapters.dynamodb.table import Table
from functions.shared.assignment import State
from functions.shared.department import Department
from functions.shared.fairness import UNIT
from tests.builders import (
    ANNA,
    BORIS,
    GLEB,
    MAIN_PIPELINE,
    MAIN_STAGE,
    SPAM,
    VERA,
    lead_hook,
    make_department,
    make_three_levels,
    unsorted_hook,
)
from tests.desk import Desk


class Killed(BaseException):
    """The process is gone: no except clause of ours may see it, no finally may write."""


class Mortal:
    """Passes calls on to `target`; the process dies after the call at which the fuse is burnt."""

    def __init__(self, target: Any, burn: Callable[[str], None]) -> None:
        self._target = target
        self._burn = burn

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            self._burn(f"after {name}")
            return result

        return call


class Fuse:
    """Dies at the nth step, and at every later one: a dead process does nothing any more."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.burnt_at = ""

    def __call__(self, step: str) -> None:
        self.left -= 1
        if self.left < 0:
            self.burnt_at = self.burnt_at or step
            raise Killed(step)


@dataclass
class Scene:
    """What happened before the worker dies: the messages of the batch, and what must be true in the end."""

    bodies: list[str]
    check: Callable[[str], None]


def test_a_worker_may_die_between_any_two_steps(dynamodb, new_table):
    """Three plain leads and two unsorted ones in a batch."""

    def arrivals(desk: Desk) -> Scene:
        plain = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(3)]
        items = [desk.amocrm.add_unsorted() for _ in range(2)]
        bodies = [lead_hook(lead.id) for lead in plain] + [unsorted_hook(item.uid, item.lead_id) for item in items]
        lead_ids = [lead.id for lead in plain] + [item.lead_id for item in items]
        return Scene(bodies, lambda when: check_everything_once(desk, lead_ids, when))

    die_everywhere(dynamodb, new_table, make_department(), arrivals)


def test_a_worker_may_die_at_any_step_of_a_hand_over(dynamodb, new_table):
    """Two leads that the desk was given come to the closers, each with a task of its manager."""

    def hand_overs(desk: Desk) -> Scene:
        leads = given_out(desk, 2)
        for lead_id in leads:
            desk.amocrm.human_moves(lead_id, MAIN_STAGE, MAIN_PIPELINE)
        desk_pays = desk.balances()
        bodies = [desk.routed(desk.amocrm.see(lead_id)) for lead_id in leads]

        def check(when: str) -> None:
            assert desk.balances() == desk_pays, when
            for lead_id in leads:
                owner = desk.amocrm.owner(lead_id)
                assert owner in (VERA, GLEB), when
                assert desk.assignment(lead_id, "route#1").owner == owner, when
                assert desk.assignment(lead_id, "route#1").state is State.APPLIED, when
                tasks = desk.amocrm.tasks_of(lead_id)
                assert [task.responsible_user_id for task in tasks] == [owner, owner], when
                assert len({task.text for task in tasks}) == 2, when
                assert len(desk.amocrm.notes_of(lead_id)) == 2, when
            check_ledger(desk, "closers", leads, when)
            told = {event["lead_id"] for event in desk.bus.of("LeadAssigned") if event["cause"] == "route#1"}
            assert told == set(leads), when

        return Scene(bodies, check)

    die_everywhere(dynamodb, new_table, make_three_levels(), hand_overs)


def test_a_worker_may_die_at_any_step_of_a_refund(dynamodb, new_table):
    """Two leads that cost the desk and the closers a turn each are lost; a third one is not."""

    def refunds(desk: Desk) -> Scene:
        kept, *leads = given_out(desk, 2)
        for lead_id in leads:
            desk.amocrm.human_moves(lead_id, MAIN_STAGE, MAIN_PIPELINE)
        assert desk.hook(*(desk.routed(desk.amocrm.see(lead_id)) for lead_id in leads)) == []
        for lead_id in leads:
            desk.amocrm.human_moves(lead_id, 143, loss_reason_id=SPAM)
        bodies = [desk.closed(lead_id) for lead_id in leads for _ in range(2)]
        desk.pass_lease()

        def check(when: str) -> None:
            check_ledger(desk, "lead_desk", [kept, *leads], when)
            assert desk.balances("closers") == {}, when
            states = {one.state for lead_id in leads for one in desk.stores.assignments.of_lead(lead_id)}
            assert states == {State.REFUNDED}, when
            assert desk.assignment(kept).state is State.APPLIED, when

        return Scene(bodies, check)

    die_everywhere(dynamodb, new_table, make_three_levels(), refunds, at_least=10)


def test_a_worker_may_die_in_a_batch_that_holds_everything(dynamodb, new_table):
    """An arrival, a hand-over told together with an older one, and a refund of a third lead."""

    def mixture(desk: Desk) -> Scene:
        crossed, lost = given_out(desk, 2)
        fresh = desk.amocrm.add_lead(responsible_user_id=1).id
        desk.amocrm.human_moves(crossed, MAIN_STAGE, MAIN_PIPELINE)
        desk.amocrm.human_moves(lost, 143, loss_reason_id=SPAM)
        lead = desk.amocrm.see(crossed)
        bodies = [lead_hook(fresh), desk.routed(lead, "route#3"), desk.routed(lead), desk.closed(lost)]
        desk.pass_lease()

        def check(when: str) -> None:
            assert desk.amocrm.owner(fresh) in (ANNA, BORIS), when
            assert desk.amocrm.owner(crossed) in (VERA, GLEB), when
            assert desk.assignment(crossed, "route#1") is None, when
            assert desk.assignment(lost).state is State.REFUNDED, when
            assert len(desk.amocrm.tasks_of(crossed)) == 2, when
            check_ledger(desk, "lead_desk", [crossed, fresh], when)
            check_ledger(desk, "closers", [crossed], when)

        return Scene(bodies, check)

    die_everywhere(dynamodb, new_table, make_three_levels(), mixture)


def die_everywhere(
    dynamodb: Any, new_table: Any, department: Department, scene: Callable[[Desk], Scene], at_least: int = 15
) -> None:
    """The worker dies at step n, for every n there is; the messages come back, and the end is as if it had lived."""
    steps = 0
    while True:
        fuse = Fuse(steps)
        table_name = new_table()
        desk = Desk(Table(lambda: dynamodb, table_name))
        desk.apply(department)
        doomed = Desk(
            Table(lambda fuse=fuse: Mortal(dynamodb, fuse), table_name),
            clock=desk.clock,
            bus=Mortal(desk.bus, fuse),
            amocrm=Mortal(desk.amocrm, fuse),
        )
        played = scene(desk)
        when = f"step {steps}"
        try:
            doomed.hook(*played.bodies)
        except Killed:
            died = True
        else:
            died = False
        desk.pass_lease()
        assert desk.hook(*played.bodies) == [], f"{when}, {fuse.burnt_at}"

        played.check(f"{when}, {fuse.burnt_at}")
        if not died:
            break
        steps += 1
    assert steps > at_least, "the worker was killed at every step of a whole run"


def given_out(desk: Desk, count: int) -> list[int]:
    """New leads with their managers, a minute ago."""
    leads = [desk.amocrm.add_lead(responsible_user_id=1).id for _ in range(count)]
    assert desk.hook(*map(lead_hook, leads)) == []
    desk.clock.advance(60)
    return leads


def check_everything_once(desk: Desk, lead_ids: list[int], when: str) -> None:
    for lead_id in lead_ids:
        assignment = desk.assignment(lead_id)
        assert assignment.state is State.APPLIED, when
        assert desk.amocrm.owner(lead_id) == assignment.owner, when
        assert assignment.owner in (ANNA, BORIS, VERA), when
        assert len(desk.amocrm.tasks_of(lead_id)) == 1, when
        assert len(desk.amocrm.notes_of(lead_id)) == 1, when
    told = {event["lead_id"] for event in desk.bus.of("LeadAssigned")}
    assert told == set(lead_ids), when
    check_ledger(desk, "lead_desk", lead_ids, when)


def check_ledger(desk: Desk, team: str, lead_ids: list[int], when: str) -> None:
    """The team's balances are exactly what the decisions that stand have handed out."""
    decisions = [
        one
        for lead_id in lead_ids
        for one in desk.stores.assignments.of_lead(lead_id)
        if one.team == team and one.is_spent
    ]
    charged: dict[int, int] = {}
    for assignment in decisions:
        for user_id, claim in assignment.claims.items():
            charged[user_id] = charged.get(user_id, 0) + claim
        charged[assignment.owner] -= UNIT
    assert {user: balance for user, balance in charged.items() if balance} == desk.balances(team), when
