"""Two processes, one ledger, DynamoDB's own engine, kills between any two steps, every fifth hook doubled."""

from __future__ import annotations

import pytest

from functions.shared.assignment import ARRIVAL
from functions.shared.fairness import UNIT
from tests.builders import ANNA, BORIS, VERA
from tests.desk import open_stores
from tests.dynamodb_local import dynamodb_local
from tests.race import race

LEADS = 2_000


@pytest.mark.timeout(240)
def test_no_lead_is_lost_owned_twice_or_charged_twice():
    with dynamodb_local() as endpoint:
        world, table, kills = race(endpoint, leads=LEADS)
        outcome = world.outcome()
        stores = open_stores(table)
        assignments = stores.assignments.decided(outcome, ARRIVAL)
        ledger = stores.assignments.ledger("lead_desk")

    assert world.left() == 0, "every message was worked to its end"
    assert kills > 20, "workers really died"
    assert {(tasks, notes, told) for _, tasks, notes, told in outcome.values()} == {(1, 1, True)}
    assert {lead_id: owner for lead_id, (owner, *_) in outcome.items()} == {
        lead_id: assignment.owner for lead_id, assignment in assignments.items()
    }
    assert not any(assignment.is_open for assignment in assignments.values())
    charged = {ANNA: 0, BORIS: 0, VERA: 0}
    for assignment in assignments.values():
        for user_id, claim in assignment.claims.items():
            charged[user_id] += claim
        charged[assignment.owner] -= UNIT
    assert charged == {user_id: ledger.books.total.get(user_id, 0) for user_id in charged}
    assert all(abs(balance) <= 2 * UNIT for balance in charged.values())
