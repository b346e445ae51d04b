"""Turns of the care team: the ledger moves in the same transaction that says for whom, so that a turn is spent once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from functions.shared.adapters.dynamodb.assignments import Assignments, LedgerMoved, ledger_move
from functions.shared.adapters.dynamodb.clients import version_of
from functions.shared.adapters.dynamodb.episodes import version_of_episode
from functions.shared.adapters.dynamodb.table import ConditionFailed, Moved, Table
from functions.shared.assignment import TeamLedger
from functions.shared.care import Client, Episode


class CareTurns:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._assignments = Assignments(table)

    def ledger(self, team: str) -> TeamLedger:
        """The team's ledger, which `distribute` writes too; version 0 when it was never written."""
        return self._assignments.ledger(team)

    def spend(
        self, before: TeamLedger, after: TeamLedger, clients: Sequence[Client] = (), episodes: Sequence[Episode] = ()
    ) -> None:
        """The turns that lead from one ledger to the next, with the rows that name who got them, all or nothing; at
        most 99 rows. Raises LedgerMoved, Moved where a row is not of the version that was read, Contended."""
        move = ledger_move(before, replace(after, version=before.version + 1))
        rows = [*map(version_of, clients), *map(version_of_episode, episodes)]
        try:
            self._table.transact([self._table.put_action(*each) for each in (move, *rows)])
        except ConditionFailed as failed:
            if failed.items[0] is not None:
                raise LedgerMoved from failed
            raise Moved("a client or an episode that gets a manager") from failed
