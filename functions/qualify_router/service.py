"""Routing, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored step
resumes it instead of deciding again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.qualify_router.acting import Acting
from functions.qualify_router.effects import Effects
from functions.qualify_router.intake import Hint, take_in
from functions.qualify_router.merger import Merger
from functions.qualify_router.pending import Pending
from functions.qualify_router.reading import Reader
from functions.qualify_router.routing import is_worth_reading
from functions.qualify_router.run import NOT_YET, Run
from functions.qualify_router.stepping import Stepping
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.assignment import ARRIVAL, Assignment
from functions.shared.batch import Backs
from functions.shared.clock import Clock
from functions.shared.inbox import Envelope
from functions.shared.lead_state import LeadState
from functions.shared.limits import DUE_AT_ONCE
from functions.shared.ports import AmoCrm, EventBus, MessageQueue
from functions.shared.queue_work import Delivery, QueueWork
from functions.shared.telemetry import Telemetry


@dataclass(frozen=True)
class Stores:
    """Conveyor's own records."""

    departments: Departments
    states: LeadStates
    assignments: Assignments
    merges: Merges


class Router:
    """The use case. All collaborators are handed in; see bootstrap. `base_url` is the account's address."""

    def __init__(
        self,
        *,
        amocrm: AmoCrm,
        stores: Stores,
        bus: EventBus,
        queue: MessageQueue,
        telemetry: Telemetry,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._queue_work = QueueWork(queue, telemetry, clock)
        self._reader = Reader(amocrm)
        acting = Acting(
            effects=Effects(amocrm, base_url, self._arrivals, self._claim),
            merger=Merger(amocrm=amocrm, merges=stores.merges, clock=clock, telemetry=telemetry, base_url=base_url),
            states=stores.states,
            bus=bus,
            telemetry=telemetry,
            clock=clock,
        )
        self._pending = Pending(states=stores.states, acting=acting, telemetry=telemetry, clock=clock)
        self._stepping = Stepping(amocrm=amocrm, states=stores.states, merges=stores.merges, acting=acting, clock=clock)

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back."""
        return self._queue_work.handle(envelopes, deadline, self._work)

    def _work(self, delivery: Delivery) -> Backs:
        """What the messages say, and what is due."""
        due = self._stores.states.due(self._clock.now(), DUE_AT_ONCE) if delivery.has_tick else []
        if not due and delivery.is_settled():
            return {}
        department = self._stores.departments.current()
        intake = take_in(delivery.envelopes, department)
        self._queue_work.park(delivery, intake)
        for lead_id in due:
            intake.add(Hint(lead_id, must_read=True))
        run = Run(department=department, deadline=delivery.deadline, hints=intake.hints)
        self._queue_work.work_safely(run, self._route)
        return run.messages_back()

    def _route(self, run: Run) -> None:
        states = self._stores.states.of(run.hints)
        teams = self._teams(states)
        run.finish({lead_id for lead_id in run.hints if not _is_worth_reading(run, states[lead_id], teams)})
        states = self._pending.free(run, states)
        leads, unknown = self._reader.leads(
            run.open() & states.keys(), run.hints, states, run.department, self._clock.now()
        )
        run.come_back(unknown, NOT_YET)
        gone = states.keys() - leads.keys() - unknown
        self._pending.finish_gone(run, {lead_id: states[lead_id] for lead_id in gone})
        jobs = self._pending.resume(run, leads, states)
        taken = {job.lead.id for job in jobs} | run.back.keys()
        fresh = {lead_id: lead for lead_id, lead in leads.items() if lead_id not in taken}
        self._stepping.act(run, [*jobs, *self._stepping.decide(run, fresh, states, teams)])

    def _teams(self, states: Mapping[int, LeadState]) -> dict[int, str]:
        """Who was given the leads of which the router knows nothing yet."""
        unknown = [lead_id for lead_id, state in states.items() if not state.team]
        return {lead_id: given.team for lead_id, given in self._stores.assignments.decided(unknown, ARRIVAL).items()}

    def _claim(self, contact_id: int, lead_id: int) -> bool:
        return self._stores.states.claim_care(contact_id, lead_id, self._clock.now())

    def _arrivals(self, lead_ids: Collection[int]) -> Mapping[int, Assignment]:
        return self._stores.assignments.decided(lead_ids, ARRIVAL)


def _is_worth_reading(run: Run, state: LeadState, teams: Mapping[int, str]) -> bool:
    hint = run.hints[state.lead_id]
    if hint.must_read or hint.arrived or state.pending is not None:
        return True
    team = state.team or teams.get(state.lead_id, "")
    return any(is_worth_reading(place, hint.answers, state, team, run.department) for place in hint.places)
