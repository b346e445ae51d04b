"""Refunds: a lead that was lost for one of the reasons in `refunds` costs nobody a turn, in whatever team."""

from __future__ import annotations

from collections.abc import Iterable

from functions.distribute.hints import Closing
from functions.distribute.reading import Reader
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import Assignment, State
from functions.shared.batch import Run
from functions.shared.clock import Clock
from functions.shared.crm import LOST, Lead
from functions.shared.department import Department
from functions.shared.limits import LEASE
from functions.shared.telemetry import Telemetry


class Refunds:
    """All collaborators are handed in; see service."""

    def __init__(
        self,
        *,
        reader: Reader,
        assignments: Assignments,
        waiting_room: WaitingRoom,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._assignments = assignments
        self._waiting_room = waiting_room
        self._telemetry = telemetry
        self._clock = clock

    def work(self, run: Run[Closing], turns: Turns) -> None:
        """Give back every turn that was spent on the leads of the run, if they still are what they were closed as."""
        self._wait_for_deciders(run)
        history = self._assignments.of_leads(run.todo())
        self._wait_for_workers(run, history)
        leads, unknown = self._reader.leads(run.todo())
        for lead_id in sorted(run.todo() - unknown):
            lead = leads.get(lead_id)
            reason = _stays(lead, run.department) if lead else None
            if reason:
                self._telemetry.info("lead_not_refunded", lead_id=lead_id, reason=reason)
            else:
                self._give_back(history[lead_id], State.REFUNDED if lead else State.GONE, turns)
                self._take_out(lead_id, run.department)
            run.finish([lead_id])

    def _wait_for_deciders(self, run: Run[Closing]) -> None:
        """Who read the lead before it was closed may decide about it until his function ends: a refund that came before
        would miss that decision. Nobody waits for a refund, so it comes after."""
        now = self._clock.now()
        for lead_id, closing in run.hints.items():
            left = (closing.closed_at + LEASE - now).total_seconds()
            if left > 0:
                run.come_back([lead_id], left + 1)

    def _wait_for_workers(self, run: Run[Closing], history: dict[int, list[Assignment]]) -> None:
        """Effects that are being done right now, by somebody who resumed them, are done first."""
        now = self._clock.now()
        for lead_id, decisions in history.items():
            ends = [one.lease_until for one in decisions if one.lease_until and one.is_in_work(now)]
            if ends:
                run.come_back([lead_id], (max(ends) - now).total_seconds() + 1)

    def _give_back(self, decisions: Iterable[Assignment], state: State, turns: Turns) -> None:
        for assignment in decisions:
            if assignment.is_spent:
                turns.give_back(assignment, state)

    def _take_out(self, lead_id: int, department: Department) -> None:
        """Nobody waits for it any more."""
        for team in department.teams:
            self._waiting_room.remove(team.name, [lead_id])


def _stays(lead: Lead, department: Department) -> str | None:
    """Why the turns stay spent: somebody has taken the lead up again, or given another reason since; None if they come
    back. A card without a reason that we know is believed to be what the event says: amoCRM may have refused it."""
    if lead.status_id != LOST:
        return "not_lost"
    reasons = {reason_id: key for key, reason_id in department.loss_reasons.items()}
    reason = reasons.get(lead.loss_reason_id or 0)
    return "another_reason" if reason and reason not in department.refunds else None
