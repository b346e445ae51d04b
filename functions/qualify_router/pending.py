"""Steps that were stored before: waited for, taken over, dropped to decide anew, or given up with their leads."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from functions.qualify_router.acting import Acting
from functions.qualify_router.jobs import Job
from functions.qualify_router.routing import Sight, is_possible, look
from functions.qualify_router.run import NOT_YET, Run
from functions.qualify_router.transitions import dropped, left, then_of
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.errors import RetryLater
from functions.shared.lead_state import Decision, LeadState, Step
from functions.shared.limits import LEASE
from functions.shared.telemetry import Telemetry


class Pending:
    """All collaborators are handed in; see service."""

    def __init__(self, *, states: LeadStates, acting: Acting, telemetry: Telemetry, clock: Clock) -> None:
        self._states = states
        self._acting = acting
        self._telemetry = telemetry
        self._clock = clock

    def free(self, run: Run, states: Mapping[int, LeadState]) -> dict[int, LeadState]:
        """The leads that no other worker has in hand; the others come back when his lease ends."""
        free, now = {}, self._clock.now()
        for lead_id in run.open():
            state = states[lead_id]
            if state.pending is not None and state.pending.lease_until > now and lead_id not in run.stored:
                left = (state.pending.lease_until - now).total_seconds()
                run.come_back([lead_id], left + 1)
            else:
                free[lead_id] = state
        return free

    def finish_gone(self, run: Run, states: Mapping[int, LeadState]) -> None:
        """Nothing is waited for any more, and a merge that was begun is taken back."""
        for lead_id, state in sorted(states.items()):
            self._telemetry.info("lead_gone", lead_id=lead_id)
            if not self._give_up(run, state):
                continue
            run.finish([lead_id])
            if state.pending is not None or state.due_at is not None:
                with suppress(Moved):  # whoever wrote it will look again
                    self._states.put(left(state))

    def resume(self, run: Run, leads: Mapping[int, Lead], states: dict[int, LeadState]) -> list[Job]:
        """Take over the steps whose worker is gone; those that a person has overtaken are dropped, to decide anew."""
        jobs, now = [], self._clock.now()
        for lead_id, lead in leads.items():
            state = states[lead_id]
            if state.pending is None:
                continue
            sight = look(lead, run.department)
            possible = is_possible(state.pending, run.department)
            stands = sight is not None and possible and _stands(sight, state.pending, run.department)
            goes_on = sight is not None and (stands or (possible and state.pending.step is Step.COPY))
            if not goes_on and not self._give_up(run, state):
                continue
            pending = replace(state.pending, lease_until=now + LEASE, seen_at=_read_at(lead, sight, state.pending))
            after = replace(state, pending=pending, seen_at=lead.updated_at) if goes_on else dropped(state)
            try:
                stored = self._states.put(after)
            except Moved:
                run.come_back([lead_id], NOT_YET)
                continue
            if sight is not None and goes_on:
                run.stored.add(lead_id)
                jobs.append(Job(sight, stored, pending, resumed=True, overtaken=not stands))
            else:
                states[lead_id] = stored
        return jobs

    def _give_up(self, run: Run, state: LeadState) -> bool:
        """Take back what the pending step may have begun; False: another worker has it in hand, the lead comes back."""
        try:
            self._acting.give_up(state, run.department)
        except RetryLater as error:
            run.come_back([state.lead_id], error.after)
            return False
        return True


def _stands(sight: Sight, pending: Decision, department: Department) -> bool:
    """Whether the lead is as the step found it, or where the step puts it."""
    if sight.place == pending.seen and pending.step in (Step.MOVE, Step.CLOSE, Step.MERGE):
        return sight.answer == pending.answer
    return sight.place in (pending.seen, pending.to, then_of(pending, department))


def _read_at(lead: Lead, sight: Sight | None, pending: Decision) -> datetime:
    """What the step rests on: this reading, if nobody has written its place yet."""
    is_unwritten = sight is not None and sight.place == pending.seen
    return lead.updated_at if is_unwritten else pending.seen_at
