"""From stored decisions to a done run: act in amoCRM, give turns back, publish, mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from functions.distribute.effects import Done, Effects
from functions.distribute.run import OwnerRun
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import Assignment, State
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.events import LeadAssigned
from functions.shared.limits import LEASE, LEFT_FOR_A_SLICE
from functions.shared.ports import EventBus
from functions.shared.telemetry import Telemetry

UNSORTED_AT_ONCE = 50
"""An accept is one request; with 6 a second, 50 of them take 9 s of the function's 60."""

REQUESTS_PER_SECOND = 5
"""What is planned with: a little less than the request budget gives."""

SEARCHES_AT_ONCE = 50
"""Requests that a run spends on looking for other leads of its clients: 10 s of the function's 60. After a mailing that
brings a thousand leads the account's budget is needed to give them out."""

LEFT_FOR_THE_END = timedelta(seconds=15)
"""Tasks, notes, events and marks of the last slice."""


class Acting:
    """The second half of a run. All collaborators are handed in; see service."""

    def __init__(
        self,
        *,
        effects: Effects,
        assignments: Assignments,
        waiting_room: WaitingRoom,
        bus: EventBus,
        telemetry: Telemetry,
        clock: Clock,
        token_user: Callable[[], int],
    ) -> None:
        self._effects = effects
        self._assignments = assignments
        self._waiting_room = waiting_room
        self._bus = bus
        self._telemetry = telemetry
        self._clock = clock
        self._token_user = token_user

    def capacity(self, run: OwnerRun) -> int:
        """How many items of «Неразобранное» can still be accepted before the deadline."""
        return self._requests(run.left(self._clock.now()) - LEFT_FOR_THE_END)

    def searches(self, run: OwnerRun, accepts: int) -> int:
        """How many requests there is time for besides, if so many items are to be accepted."""
        spare = self._requests(run.left(self._clock.now()) - LEFT_FOR_A_SLICE) - accepts
        return max(0, min(SEARCHES_AT_ONCE, spare))

    def _requests(self, left: timedelta) -> int:
        return max(0, int(left.total_seconds() * REQUESTS_PER_SECOND))

    def act(
        self, run: OwnerRun, assignments: list[Assignment], leads: Mapping[int, Lead], turns: Turns, again: set[int]
    ) -> None:
        """Do what the decisions cause; `again` are the leads whose effects another run may have begun."""
        applied: list[Assignment] = []
        try:
            for part in _slices(assignments):
                if run.is_late(self._clock.now()):
                    run.come_back([assignment.lead_id for assignment in part], LEASE.total_seconds())
                    continue
                done = self._effects.apply(part, leads, self._token_user(), again)
                self._settle(run, done, turns)
                self._publish(done.applied, run.twins)
                applied += done.applied
        finally:
            self._assignments.mark_applied(applied)
            for assignment in applied:
                self.finish(run, assignment.lead_id)

    def finish(self, run: OwnerRun, lead_id: int) -> None:
        """The lead needs nothing more, in the waiting room neither."""
        if lead_id in run.waiting:
            self._waiting_room.leave(run.waiting[lead_id])
        run.finish([lead_id])

    def _settle(self, run: OwnerRun, done: Done, turns: Turns) -> None:
        """Turns that were spent for nothing come back; a lead whose owner amoCRM refused is decided again."""
        for state, assignments in ((State.GONE, done.gone), (State.OVERTAKEN, done.overtaken)):
            for assignment in assignments:
                turns.give_back(assignment, state)
                self.finish(run, assignment.lead_id)
        for assignment, reason in done.refused:
            self._telemetry.warning("owner_refused", lead_id=assignment.lead_id, reason=reason)
            turns.give_back(assignment, State.WITHDRAWN)
        for lead_id, reason in done.untold:
            self._telemetry.warning("task_or_note_refused", lead_id=lead_id, reason=reason)
        self._telemetry.count("TaskOrNoteRefused", len(done.untold))

    def _publish(self, applied: Sequence[Assignment], twins: Mapping[int, tuple[int, ...]]) -> None:
        now = self._clock.now()
        self._bus.publish(
            [
                LeadAssigned(now, a.lead_id, a.team, a.owner, a.channel, a.mode, a.cause, twins.get(a.lead_id))
                for a in applied
            ]
        )
        for a in applied:
            self._telemetry.info(
                "lead_assigned",
                lead_id=a.lead_id,
                cause=a.cause,
                team=a.team,
                owner=a.owner,
                channel=a.channel,
                mode=a.mode.value,
            )
        self._telemetry.count("LeadAssigned", len(applied))


def _slices(assignments: list[Assignment]) -> list[list[Assignment]]:
    """Plain leads at once, for they are written in batches; unsorted ones in parts, for each accept is a request."""
    plain = [assignment for assignment in assignments if not assignment.uid]
    unsorted = [assignment for assignment in assignments if assignment.uid]
    parts = [unsorted[start : start + UNSORTED_AT_ONCE] for start in range(0, len(unsorted), UNSORTED_AT_ONCE)]
    return [part for part in (plain, *parts) if part]
