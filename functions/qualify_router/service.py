"""Routing, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored step
resumes it instead of deciding again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from functions.qualify_router.acting import Acting
from functions.qualify_router.deciding import Deciding
from functions.qualify_router.effects import Effects
from functions.qualify_router.intake import FOREIGN_ACCOUNT, Hint, Intake, take_in
from functions.qualify_router.jobs import Job
from functions.qualify_router.merger import Merger
from functions.qualify_router.reading import Reader
from functions.qualify_router.routing import LEASE, Sight, is_possible, is_worth_reading, look, names_another
from functions.qualify_router.transitions import dropped, left, then_of
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.lead_states import LeadStates, StateMoved
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.assignment import ARRIVAL
from functions.shared.batch import Batch
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department, Kind
from functions.shared.errors import AmoCrmError, AmoCrmRefused, NotConfigured, RetryLater
from functions.shared.inbox import Envelope, Tick
from functions.shared.lead_state import HOPS, Decision, LastHop, LeadState, Step
from functions.shared.ports import AmoCrm, EventBus, MessageQueue
from functions.shared.telemetry import Telemetry

DUE_AT_ONCE = 150
"""Leads with a timed route that one tick looks at; the next tick takes the next ones."""

LEFT_FOR_A_SLICE = timedelta(seconds=25)
"""A slice is begun only with this much time left; what is not begun comes back."""

SLICE = 50
MERGES = 25
COPIES = 15
"""Jobs done together: those that only write in batches; merges, which read cards whole; copies, which are made one by
one with three requests each. A slice must be done in LEFT_FOR_A_SLICE."""

NOT_YET = 10.0
"""Seconds after which amoCRM's lists and history surely show what they do not show now."""


@dataclass(frozen=True)
class Stores:
    """Conveyor's own records."""

    departments: Departments
    states: LeadStates
    assignments: Assignments
    merges: Merges


@dataclass
class Run:
    """One batch in work."""

    department: Department
    deadline: datetime
    hints: dict[int, Hint]
    batch: Batch
    stored: set[int] = field(default_factory=set)
    """Leads whose pending step is this run's own: its lease keeps others away, not us."""


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
        self._amocrm = amocrm
        self._stores = stores
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._reader = Reader(amocrm)
        self._acting = Acting(
            effects=Effects(amocrm, base_url, self._channels, self._claim),
            merger=Merger(amocrm=amocrm, merges=stores.merges, clock=clock, telemetry=telemetry, base_url=base_url),
            states=stores.states,
            bus=bus,
            telemetry=telemetry,
            clock=clock,
        )

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back."""
        back = self._handle(envelopes, deadline)
        for envelope in envelopes:
            if envelope.message_id in back:
                self._queue.postpone(envelope, back[envelope.message_id])
        self._telemetry.flush()
        return list(back)

    def _handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> dict[str, float | None]:
        settled = {
            one.message_id for one in envelopes if isinstance(one.message, Tick)
        }  # the next tick makes up for it
        try:
            due = self._stores.states.due(self._clock.now(), DUE_AT_ONCE) if settled else []
            if not due and len(settled) == len(envelopes):
                return {}
            department = self._stores.departments.current()
            intake = take_in(envelopes, department)
            settled |= self._park(intake)
        except (NotConfigured, RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            return {one.message_id: _after(error) for one in envelopes if one.message_id not in settled}
        for lead_id in due:
            intake.add(Hint(lead_id, must_read=True))
        run = _run(department, deadline, intake.hints)
        self._work_safely(run)
        return run.batch.messages_back()

    def _park(self, intake: Intake) -> set[str]:
        """Keep what can never work in the dead letters; returns the ids of its messages."""
        for envelope in intake.rejected:
            if envelope.rejection:
                self._queue.park(envelope, envelope.rejection.reason, envelope.rejection.detail)
                self._telemetry.warning(
                    "hook_rejected", reason=envelope.rejection.reason, message_id=envelope.message_id
                )
        self._telemetry.count("HookRejected", len(intake.rejected))
        if intake.ignored:
            self._telemetry.info("hooks_ignored", **intake.ignored)
        self._telemetry.count("ForeignHook", intake.ignored.get(FOREIGN_ACCOUNT, 0))
        return {envelope.message_id for envelope in intake.rejected}

    def _work_safely(self, run: Run) -> None:
        """One bad lead must not hold up its neighbours: after a bug, or a final no of amoCRM, each is worked alone."""
        try:
            self._work(run)
        except AmoCrmRefused as error:
            self._interrupted(error)
            self._one_by_one(run)
        except (RetryLater, AmoCrmError, NotConfigured) as error:
            self._interrupted(error)
            run.batch.come_back(run.batch.open(), _after(error))
        except Exception:
            self._telemetry.exception("leads_failed", lead_ids=sorted(run.batch.open()))
            self._telemetry.count("LeadFailed", int(len(run.hints) == 1))
            self._one_by_one(run)

    def _one_by_one(self, run: Run) -> None:
        """As far as the time goes; the others come back. What was begun is looked for in lists, and these lag."""
        if run.stored & run.batch.open() and len(run.hints) > 1:
            self._clock.sleep(NOT_YET)
        for lead_id in sorted(run.batch.open()) if len(run.hints) > 1 else []:
            if run.deadline - self._clock.now() < LEFT_FOR_A_SLICE:
                return
            alone = _run(run.department, run.deadline, {lead_id: run.hints[lead_id]})
            alone.stored = run.stored & {lead_id}
            self._work_safely(alone)
            run.batch.finish(alone.batch.finished)
            run.batch.back |= alone.batch.back

    def _work(self, run: Run) -> None:
        states = self._stores.states.of(run.hints)
        teams = self._teams(states)
        quiet = {lead_id for lead_id in run.hints if not self._is_worth_reading(run, states[lead_id], teams)}
        run.batch.finish(quiet)
        states = self._free(run, states)
        leads, unknown = self._reader.leads(
            run.batch.open() & states.keys(), run.hints, states, run.department, self._clock.now()
        )
        run.batch.come_back(unknown, NOT_YET)
        self._finish_gone(run, {lead_id: states[lead_id] for lead_id in states.keys() - leads.keys() - unknown})
        jobs = self._resume(run, leads, states)
        taken = {job.lead.id for job in jobs} | run.batch.back.keys()
        fresh = {lead_id: lead for lead_id, lead in leads.items() if lead_id not in taken}
        self._act(run, [*jobs, *self._decide(run, fresh, states, teams)])

    def _is_worth_reading(self, run: Run, state: LeadState, teams: Mapping[int, str]) -> bool:
        hint = run.hints[state.lead_id]
        if hint.must_read or hint.arrived or state.pending is not None:
            return True
        team = state.team or teams.get(state.lead_id, "")
        return any(is_worth_reading(place, hint.answers, state, team, run.department) for place in hint.places)

    def _free(self, run: Run, states: Mapping[int, LeadState]) -> dict[int, LeadState]:
        """The leads that no other worker has in hand; the others come back when his lease ends."""
        free, now = {}, self._clock.now()
        for lead_id in run.batch.open():
            state = states[lead_id]
            if state.pending is not None and state.pending.lease_until > now and lead_id not in run.stored:
                left = (state.pending.lease_until - now).total_seconds()
                run.batch.come_back([lead_id], left + 1)
            else:
                free[lead_id] = state
        return free

    def _finish_gone(self, run: Run, states: Mapping[int, LeadState]) -> None:
        """Nothing is waited for any more, and a merge that was begun is taken back."""
        for lead_id, state in sorted(states.items()):
            self._telemetry.info("lead_gone", lead_id=lead_id)
            if not self._give_up(run, state):
                continue
            run.batch.finish([lead_id])
            if state.pending is not None or state.due_at is not None:
                with suppress(StateMoved):  # whoever wrote it will look again
                    self._stores.states.put(left(state))

    def _give_up(self, run: Run, state: LeadState) -> bool:
        """Take back what the pending step may have begun; False: another worker has it in hand, the lead comes back."""
        try:
            self._acting.give_up(state, run.department)
        except RetryLater as error:
            run.batch.come_back([state.lead_id], error.after)
            return False
        return True

    def _resume(self, run: Run, leads: Mapping[int, Lead], states: dict[int, LeadState]) -> list[Job]:
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
                stored = self._stores.states.put(after)
            except StateMoved:
                run.batch.come_back([lead_id], NOT_YET)
                continue
            if sight is not None and goes_on:
                run.stored.add(lead_id)
                jobs.append(Job(sight, stored, pending, resumed=True, overtaken=not stands))
            else:
                states[lead_id] = stored
        return jobs

    def _decide(
        self, run: Run, leads: Mapping[int, Lead], states: Mapping[int, LeadState], teams: Mapping[int, str]
    ) -> list[Job]:
        """Decide and store; leads without a step are finished."""
        now = self._clock.now()
        deciding = Deciding(self._amocrm, self._stores.merges.apart_of(_asking(run, leads)))
        decided = deciding.decide(leads, states, run.hints, teams, run.department, now)
        run.batch.come_back(decided.later, NOT_YET)
        jobs, moved = [], set()
        for sight, state, step in decided.steps:
            try:
                stored = self._stores.states.put(replace(state, pending=step))
            except StateMoved:
                moved.add(sight.lead.id)
                continue
            run.stored.add(sight.lead.id)
            jobs.append(Job(sight, stored, step))
        for state in decided.remembered:
            try:
                self._stores.states.put(state)
            except StateMoved:
                moved.add(state.lead_id)
        run.batch.come_back(moved, NOT_YET)
        run.batch.finish(leads.keys() - {job.lead.id for job in jobs} - decided.later - moved)
        return jobs

    def _act(self, run: Run, jobs: Sequence[Job]) -> None:
        for part in _slices(jobs):
            if run.deadline - self._clock.now() < LEFT_FOR_A_SLICE:
                run.batch.come_back([job.lead.id for job in part], LEASE.total_seconds())
                continue
            unfinished, postponed = self._acting.act(part, run.department)
            run.batch.come_back(postponed, LEASE.total_seconds())
            unfinished |= {
                job.lead.id for job in part if job.overtaken or _is_told_more(run.hints[job.lead.id], job.decision)
            }
            run.batch.come_back(unfinished, NOT_YET)
            run.batch.finish({job.lead.id for job in part} - unfinished - postponed)

    def _teams(self, states: Mapping[int, LeadState]) -> dict[int, str]:
        """Who was given the leads of which the router knows nothing yet."""
        unknown = [lead_id for lead_id, state in states.items() if not state.team]
        return {lead_id: given.team for lead_id, given in self._stores.assignments.decided(unknown, ARRIVAL).items()}

    def _claim(self, contact_id: int, lead_id: int) -> bool:
        return self._stores.states.claim_care(contact_id, lead_id, self._clock.now())

    def _channels(self, lead_ids: Collection[int]) -> dict[int, str]:
        return {
            lead_id: given.channel for lead_id, given in self._stores.assignments.decided(lead_ids, ARRIVAL).items()
        }

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)


def _run(department: Department, deadline: datetime, hints: dict[int, Hint]) -> Run:
    return Run(department, deadline, hints, Batch({lead_id: hint.messages for lead_id, hint in hints.items()}))


def _after(error: Exception) -> float | None:
    return error.after if isinstance(error, RetryLater) else None


def _stands(sight: Sight, pending: Decision, department: Department) -> bool:
    """Whether the lead is as the step found it, or where the step puts it."""
    if sight.place == pending.seen and pending.step in (Step.MOVE, Step.CLOSE, Step.MERGE):
        return sight.answer == pending.answer
    return sight.place in (pending.seen, pending.to, then_of(pending, department))


def _read_at(lead: Lead, sight: Sight | None, pending: Decision) -> datetime:
    """What the step rests on: this reading, if nobody has written its place yet."""
    is_unwritten = sight is not None and sight.place == pending.seen
    return lead.updated_at if is_unwritten else pending.seen_at


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
