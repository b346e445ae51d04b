"""What is decided already about the leads of a batch: finished, resumed, put off or given back before anything new."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from functions.distribute import handing
from functions.distribute.acting import Acting
from functions.distribute.reading import Reader
from functions.distribute.run import OwnerRun
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment, State
from functions.shared.clock import Clock
from functions.shared.limits import LEASE
from functions.shared.telemetry import Telemetry
from functions.shared.waiting import WaitingLead

History = Mapping[int, list[Assignment]]
"""All decisions about leads, by lead id, in the order they were taken."""


class Decided:
    """All collaborators are handed in; see service."""

    def __init__(
        self,
        *,
        assignments: Assignments,
        waiting_room: WaitingRoom,
        reader: Reader,
        acting: Acting,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._assignments = assignments
        self._waiting_room = waiting_room
        self._reader = reader
        self._acting = acting
        self._telemetry = telemetry
        self._clock = clock

    def history(self, run: OwnerRun) -> History:
        """Everything decided about the leads that come from another team; what is new has no past."""
        return self._assignments.of_leads(lead_id for lead_id, hint in run.hints.items() if hint.cause != ARRIVAL)

    def standing(self, run: OwnerRun, history: History, turns: Turns) -> dict[int, Assignment]:
        """The decisions that stand under the causes of the run, by lead id.

        What was told too late, because a later cause is decided, is over; what was told too early waits until the
        effects of the cause before are done.
        """
        standing = self._assignments.decided(run.hints.keys() - history.keys(), ARRIVAL)
        now = self._clock.now()
        for lead_id, decisions in history.items():
            cause = run.hints[lead_id].cause
            own = next((one for one in decisions if one.cause == cause and not one.is_fallen), None)
            other = handing.in_work(cause, decisions, now)
            if own and (own.is_in_work(now) or not own.is_open):
                standing[lead_id] = own
            elif handing.superseded(cause, decisions):
                self._drop(run, lead_id, own, turns)
            elif other:
                run.come_back([lead_id], _lease_left(other, now))
            elif own:
                standing[lead_id] = own
        return standing

    def see_off(self, run: OwnerRun, turns: Turns) -> None:
        """Leads that a hook calls declined or deleted: if they really are gone, the turns spent on them come back."""
        named = {lead_id for lead_id, hint in run.hints.items() if hint.departed}
        if not named:
            return
        history, rows = self._assignments.of_leads(named), self._rows(run, named)
        strangers = {
            lead_id for lead_id in named - rows.keys() if not history[lead_id] and not run.hints[lead_id].arrived
        }
        run.finish(strangers)
        found, unknown = self._reader.leads(named - strangers)
        run.waiting |= {row.lead_id: row for their in rows.values() for row in their if row.cause == ARRIVAL}
        for lead_id in named - strangers - found.keys() - unknown:
            for assignment in history[lead_id]:
                if assignment.is_spent:
                    turns.give_back(assignment, State.GONE)
            for row in rows.get(lead_id, []):
                self._waiting_room.leave(row)
            run.finish([lead_id])

    def resumable(self, run: OwnerRun, standing: Mapping[int, Assignment]) -> list[Assignment]:
        """Open decisions whose worker is gone, taken over, and those that this run itself was at when something failed;
        final ones are finished, those in work come back."""
        now, mine = self._clock.now(), []
        for assignment in standing.values():
            if assignment.lead_id in run.finished:
                continue
            if not assignment.is_open:
                self._acting.finish(run, assignment.lead_id)
            elif assignment.is_in_work(now) and run.held.get(assignment.lead_id) == assignment.lease_until:
                mine.append(assignment)
            elif assignment.is_in_work(now):
                run.come_back([assignment.lead_id], _lease_left(assignment, now))
            elif self._assignments.take_over(assignment, now, now + LEASE):
                run.held[assignment.lead_id] = now + LEASE
                mine.append(assignment)
            else:
                run.come_back([assignment.lead_id], LEASE.total_seconds())
        return mine

    def _drop(self, run: OwnerRun, lead_id: int, own: Assignment | None, turns: Turns) -> None:
        self._telemetry.info("lead_not_distributed", lead_id=lead_id, reason="superseded")
        if own:
            turns.give_back(own, State.OVERTAKEN)
        self._acting.finish(run, lead_id)

    def _rows(self, run: OwnerRun, lead_ids: set[int]) -> dict[int, list[WaitingLead]]:
        rows: dict[int, list[WaitingLead]] = {}
        for row in self._waiting_room.of_department(run.department):
            if row.lead_id in lead_ids:
                rows.setdefault(row.lead_id, []).append(row)
        return rows


def _lease_left(assignment: Assignment, now: datetime) -> float:
    """Seconds after which it is surely over."""
    assert assignment.lease_until is not None, "asked for decisions in work only"
    return (assignment.lease_until - now).total_seconds() + 1
