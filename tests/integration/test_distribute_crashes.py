"""A worker that dies between any two steps, and the message that comes back: nothing lost, doubled or charged twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.shared.adapters.dynamodb.table import Table
from functions.shared.assignment import State
from tests.builders import ANNA, BORIS, VERA, lead_hook, make_department, unsorted_hook
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


def test_a_worker_may_die_between_any_two_steps(dynamodb, new_table):
    """Three plain leads and two unsorted ones in a batch; the worker dies at step n, for every n there is."""
    steps = 0
    while True:
        fuse = Fuse(steps)
        table_name = new_table()
        desk = Desk(Table(lambda: dynamodb, table_name))
        desk.apply(make_department())
        doomed = Desk(
            Table(lambda fuse=fuse: Mortal(dynamodb, fuse), table_name),
            clock=desk.clock,
            bus=Mortal(desk.bus, fuse),
            amocrm=Mortal(desk.amocrm, fuse),
        )
        plain = [desk.amocrm.add_lead(responsible_user_id=1) for _ in range(3)]
        items = [desk.amocrm.add_unsorted() for _ in range(2)]
        bodies = [lead_hook(lead.id) for lead in plain] + [unsorted_hook(item.uid, item.lead_id) for item in items]
        lead_ids = [lead.id for lead in plain] + [item.lead_id for item in items]

        try:
            doomed.hook(*bodies)
        except Killed:
            died = True
        else:
            died = False
        desk.pass_lease()
        assert desk.hook(*bodies) == [], f"step {steps}, {fuse.burnt_at}"

        check_everything_once(desk, lead_ids, f"step {steps}, {fuse.burnt_at}")
        if not died:
            break
        steps += 1
    assert steps > 15, "the worker was killed at every step of a whole run"


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
    charged: dict[int, int] = {}
    for lead_id in lead_ids:
        assignment = desk.assignment(lead_id)
        for user_id, claim in assignment.claims.items():
            charged[user_id] = charged.get(user_id, 0) + claim
        charged[assignment.owner] -= 10**9
    assert {user: balance for user, balance in charged.items() if balance} == desk.balances(), when
