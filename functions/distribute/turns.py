"""Turns that come back: all claims of a decision reversed, once, whoever asks for it."""

from __future__ import annotations

import random
from zoneinfo import ZoneInfo

from functions.distribute.decision import take_back
from functions.shared.adapters.dynamodb.assignments import AlreadyDecided, Assignments, LedgerMoved
from functions.shared.assignment import Assignment, State
from functions.shared.clock import Clock
from functions.shared.errors import Contended
from functions.shared.telemetry import Telemetry

TRIES = 8
"""Two functions at a time share a ledger (MaximumConcurrency in template.yaml): one conflict is usual, not eight."""


class Turns:
    """Gives turns back. `zone` is the department's, where its days begin."""

    def __init__(self, assignments: Assignments, zone: ZoneInfo, clock: Clock, telemetry: Telemetry) -> None:
        self._assignments = assignments
        self._zone = zone
        self._clock = clock
        self._telemetry = telemetry

    def give_back(self, assignment: Assignment, state: State) -> bool:
        """Reverse all claims of a lead that is not his any more; False if another worker did it before."""
        day = assignment.decided_at.astimezone(self._zone).date().isoformat()
        for attempt in range(TRIES):
            ledger = self._assignments.ledger(assignment.team)
            try:
                self._assignments.give_back(ledger, take_back(ledger, assignment, day), assignment, state)
            except (LedgerMoved, Contended):
                pause(self._clock, attempt)
            except AlreadyDecided:
                return False
            else:
                self._tell(assignment, state)
                return True
        raise Contended(f"the ledger of team {assignment.team} moved {TRIES} times in a row")

    def _tell(self, assignment: Assignment, state: State) -> None:
        self._telemetry.info(
            "turn_given_back",
            lead_id=assignment.lead_id,
            cause=assignment.cause,
            owner=assignment.owner,
            why=state.value,
        )
        self._telemetry.count("TurnGivenBack")


def pause(clock: Clock, attempt: int) -> None:
    """Full jitter, so that two functions that collided do not collide again."""
    clock.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 no secret depends on it
