"""From leads as read to done steps: decide, store, do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from functions.qualify_router.acting import Acting
from functions.qualify_router.deciding import Deciding
from functions.qualify_router.intake import Hint
from functions.qualify_router.jobs import Job
from functions.qualify_router.routing import names_another
from functions.qualify_router.run import NOT_YET, Run
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department, Kind
from functions.shared.lead_state import HOPS, Decision, LastHop, LeadState, Step
from functions.shared.limits import LEASE
from functions.shared.ports import AmoCrm

SLICE = 50
MERGES = 25
COPIES = 15
"""Jobs done together: those that only write in batches; merges, which read cards whole; copies, which are made one by
one with three requests each. A slice must be done in LEFT_FOR_A_SLICE."""


class Stepping:
    """All collaborators are handed in; see service."""

    def __init__(self, *, amocrm: AmoCrm, states: LeadStates, merges: Merges, acting: Acting, clock: Clock) -> None:
        self._amocrm = amocrm
        self._states = states
        self._merges = merges
        self._acting = acting
        self._clock = clock

    def decide(
        self, run: Run, leads: Mapping[int, Lead], states: Mapping[int, LeadState], teams: Mapping[int, str]
    ) -> list[Job]:
        """Decide and store; leads without a step are finished."""
        now = self._clock.now()
        deciding = Deciding(self._amocrm, self._merges.apart_of(_asking(run, leads)))
        decided = deciding.decide(leads, states, run.hints, teams, run.department, now)
        run.come_back(decided.later, NOT_YET)
        jobs, moved = [], set()
        for sight, state, step in decided.steps:
            try:
                stored = self._states.put(replace(state, pending=step))
            except Moved:
                moved.add(sight.lead.id)
                continue
            run.stored.add(sight.lead.id)
            jobs.append(Job(sight, stored, step))
        for state in decided.remembered:
            try:
                self._states.put(state)
            except Moved:
                moved.add(state.lead_id)
        run.come_back(moved, NOT_YET)
        run.finish(leads.keys() - {job.lead.id for job in jobs} - decided.later - moved)
        return jobs

    def act(self, run: Run, jobs: Sequence[Job]) -> None:
        for part in _slices(jobs):
            if run.is_late(self._clock.now()):
                run.come_back([job.lead.id for job in part], LEASE.total_seconds())
                continue
            unfinished, postponed = self._acting.act(part, run.department)
            run.come_back(postponed, LEASE.total_seconds())
            unfinished |= {
                job.lead.id for job in part if job.overtaken or _is_told_more(run.hints[job.lead.id], job.decision)
            }
            run.come_back(unfinished, NOT_YET)
            run.finish({job.lead.id for job in part} - unfinished - postponed)


def _is_told_more(hint: Hint, decision: Decision) -> bool:
    """Whether a hook of this very message may speak of a person's move that the step swept away: it is looked at again
    when amoCRM's history shows it."""
    to = decision.to or decision.seen
    return decision.step in HOPS and names_another(hint.places, LastHop(decision.seen, to, decision.seen_at))


def _slices(jobs: Sequence[Job]) -> list[Sequence[Job]]:
    copies = [job for job in jobs if job.decision.step is Step.COPY]
    merges = [job for job in jobs if job.decision.step is Step.MERGE]
    others = [job for job in jobs if job.decision.step not in (Step.COPY, Step.MERGE)]
    return [
        group[start : start + size]
        for group, size in ((others, SLICE), (merges, MERGES), (copies, COPIES))
        for start in range(0, len(group), size)
    ]


def _asking(run: Run, leads: Mapping[int, Lead]) -> list[int]:
    """Leads that may turn out to be duplicates."""
    return [lead_id for lead_id in leads if run.hints[lead_id].arrived or _may_merge(leads[lead_id], run.department)]


def _may_merge(lead: Lead, department: Department) -> bool:
    place = department.place(lead.pipeline_id, lead.status_id)
    merging = (trigger for route in department.routes if route.kind is Kind.MERGE for trigger in route.when)
    return place is not None and any(trigger.role == place.role for trigger in merging)
