"""From stored steps to a done run: act in amoCRM, publish, mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from functions.qualify_router import transitions
from functions.qualify_router.effects import Effects
from functions.qualify_router.jobs import Copy, Done, Job
from functions.qualify_router.merger import MergeOrder, Merger, MergeResult
from functions.qualify_router.routing import Table, has_more
from functions.shared.adapters.dynamodb.lead_states import LeadStates
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.assignment import ARRIVAL
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import WON_STAGE, Department
from functions.shared.events import Event, LeadClosed, LeadRouted, LeadsMerged, SaleWon
from functions.shared.identity import Likeness
from functions.shared.lead_state import Decision, LeadState, Step
from functions.shared.ports import EventBus
from functions.shared.telemetry import Telemetry


class Acting:
    """The second half of a run. All collaborators are handed in; see service."""

    def __init__(
        self,
        *,
        effects: Effects,
        merger: Merger,
        states: LeadStates,
        bus: EventBus,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._effects = effects
        self._merger = merger
        self._states = states
        self._bus = bus
        self._telemetry = telemetry
        self._clock = clock

    def act(self, jobs: Sequence[Job], department: Department) -> tuple[set[int], set[int]]:
        """Do these steps to their end; returns the leads about which there is more to do, and those whose step has to
        wait for another worker's. Every part can run again: whoever resumes begins here too."""
        merges = [job for job in jobs if job.decision.step is Step.MERGE]
        merged = self._merge(merges, department)
        self._tell_unmerged(merges, merged, department)
        plain = [job for job in jobs if job.decision.step is not Step.MERGE]
        done = self._effects.apply(plain, department)
        self._tell_refused(plain, done, department)
        stopped = done.refused.keys() | done.given_up | done.later
        events = [event for job in plain if job.lead.id not in stopped for event in self._events(job, done, department)]
        events += [event for job in merges if job.lead.id in merged.merged for event in self._merge_events(job, merged)]
        self._keep_copies(plain, done, department)
        self._bus.publish(events)
        postponed = done.later | merged.later
        return self._mark([job for job in jobs if job.lead.id not in postponed], done, merged, department), postponed

    def give_up(self, state: LeadState, department: Department) -> None:
        """The pending step of this state is dropped: a merge that was begun is taken back."""
        if state.pending is not None and state.pending.step is Step.MERGE:
            self._merger.give_up(state.lead_id, _merge_key(state.lead_id, state.pending), department)

    # -- merging -----------------------------------------------------------------------------------------------------

    def _merge(self, jobs: Sequence[Job], department: Department) -> MergeResult:
        if not jobs:
            return MergeResult()
        orders = [
            MergeOrder(
                job.lead,
                job.decision.others[0],
                Likeness(job.decision.why),
                key=_merge_key(job.lead.id, job.decision),
            )
            for job in jobs
        ]
        return self._merger.merge(orders, department)

    def _tell_unmerged(self, jobs: Sequence[Job], merged: MergeResult, department: Department) -> None:
        for job in jobs:
            if job.lead.id in merged.refused:
                self._telemetry.warning("merge_refused", lead_id=job.lead.id, reason=merged.refused[job.lead.id])
            elif job.lead.id in merged.over_ceiling:
                self._telemetry.warning("merge_over_ceiling", lead_id=job.lead.id)
        self._telemetry.count("MergeOverCeiling", len(merged.over_ceiling))
        self._effects.tell_unmerged(jobs, merged.refused, merged.over_ceiling, department)

    def _merge_events(self, job: Job, merged: MergeResult) -> list[Event]:
        now, decision = self._clock.now(), job.decision
        return [
            LeadsMerged(now, merged.merged[job.lead.id], job.lead.id, decision.why),
            LeadClosed(now, job.lead.id, decision.route, decision.seen.role, decision.reason, decision.owner),
        ]

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell_refused(self, jobs: Sequence[Job], done: Done, department: Department) -> None:
        for job in jobs:
            if job.lead.id in done.refused:
                reason = done.refused[job.lead.id]
                self._telemetry.warning("route_refused", lead_id=job.lead.id, route=job.decision.route, reason=reason)
        for lead_id, reason in done.untold.items():
            self._telemetry.warning("task_or_note_refused", lead_id=lead_id, reason=reason)
        self._telemetry.count("RouteRefused", len(done.refused))
        self._telemetry.count("TaskOrNoteRefused", len(done.untold))
        self._effects.tell_refused([job for job in jobs if job.lead.id in done.refused], done.refused, department)

    def _events(self, job: Job, done: Done, department: Department) -> list[Event]:
        now, decision, lead = self._clock.now(), job.decision, job.lead
        match decision.step:
            case Step.MOVE | Step.RESTORE | Step.CROSS:
                return [_routed(job, department, now)] if decision.to and not decision.to.is_closed else []
            case Step.CLOSE:
                return [LeadClosed(now, lead.id, decision.route, decision.seen.role, decision.reason, decision.owner)]
            case Step.CLOSED:
                reason = _reason(lead, department)
                return [LeadClosed(now, lead.id, "", decision.seen.role, reason, decision.owner)]
            case Step.SOLD:
                return [_sale(job, 0, now)]
            case Step.COPY:
                copy = done.copies[lead.id]
                sale = [_sale(job, copy.lead_id, now)] if decision.seen.stage == WON_STAGE else []
                return [*sale, *([self._copy_routed(job, copy, department, now)] if copy.is_new else [])]
        return []

    def _copy_routed(self, job: Job, copy: Copy, department: Department, now: datetime) -> Event:
        decision = job.decision
        assert decision.to is not None, "a copy has a place"
        return LeadRouted(
            occurred_at=now,
            lead_id=copy.lead_id,
            route=decision.route,
            from_place=str(decision.seen),
            to_place=str(decision.to),
            team=department.team_of_pipeline(decision.to.role).name,
            hand_over=self._effects.is_handed_over(job, department),
            cause=ARRIVAL,
            known_owner=copy.known_owner,
            previous_owner=decision.owner,
        )

    # -- marking -----------------------------------------------------------------------------------------------------

    def _mark(self, jobs: Sequence[Job], done: Done, merged: MergeResult, department: Department) -> set[int]:
        unfinished = set()
        for job in jobs:
            after = self._after(job, done, merged, department)
            self._put(after)
            if has_more(job.sight, Table(after, department, self._clock.now())):
                unfinished.add(job.lead.id)
            self._telemetry.info(
                "lead_routed",
                lead_id=job.lead.id,
                step=job.decision.step.value,
                route=job.decision.route,
                seen=str(job.decision.seen),
                to=str(job.decision.to),
            )
            self._telemetry.count(f"Lead{job.decision.step.value.capitalize()}")
        return unfinished

    def _keep_copies(self, jobs: Sequence[Job], done: Done, department: Department) -> None:
        """What is known of the new leads, before anybody is told of them. Where a hook was faster, its row learns where
        the lead came from."""
        for job in jobs:
            copy = done.copies.get(job.lead.id)
            if copy is None or not copy.is_new:
                continue
            born = transitions.born(copy.lead_id, job.decision, job.lead.id, department, self._clock.now())
            try:
                self._states.put(born)
            except Moved:
                known = self._states.of([copy.lead_id])[copy.lead_id]
                if known.pending is None and not known.origin:
                    team, told = known.team or born.team, known.told or born.told
                    self._put(replace(known, origin=born.origin, team=team, told=told, due_at=born.due_at))

    def _after(self, job: Job, done: Done, merged: MergeResult, department: Department) -> LeadState:
        now, decision = self._clock.now(), job.decision
        if decision.step is Step.MERGE and job.lead.id not in merged.merged:
            return transitions.unmerged(job.state, decision, department, now)
        if job.lead.id in done.refused:
            return transitions.refused(job.state, decision, department, now)
        if job.lead.id in done.given_up:
            return transitions.dropped(job.state)
        copy = done.copies.get(job.lead.id)
        sale = {"sale": copy.lead_id} if copy and decision.seen.stage == WON_STAGE else {}
        if job.overtaken:
            return transitions.overtaken(job.state, decision, now, **sale)
        return transitions.done(job.state, decision, department, now, **sale)

    def _put(self, state: LeadState) -> None:
        try:
            self._states.put(state)
        except Moved:  # another worker has taken over when our lease ended: his word stands
            self._telemetry.warning("state_moved", lead_id=state.lead_id)


def _merge_key(lead_id: int, decision: Decision) -> str:
    """The business key of a merge in the journal."""
    return f"{lead_id}#{decision.hop}"


def _routed(job: Job, department: Department, now: datetime) -> LeadRouted:
    decision = job.decision
    assert decision.to is not None, "a lead is routed to a place"
    team = department.team_of_pipeline(decision.to.role).name
    owners: Mapping[str, int] = job.state.owners
    return LeadRouted(
        occurred_at=now,
        lead_id=job.lead.id,
        route=decision.route,
        from_place=str(decision.before or decision.seen),
        to_place=str(decision.to),
        team=team,
        hand_over=transitions.hands_over(job.state, decision, department),
        cause=decision.cause,
        known_owner=owners.get(team, 0),
        previous_owner=decision.owner,
    )


def _sale(job: Job, care_lead_id: int, now: datetime) -> SaleWon:
    lead, client = job.lead, job.lead.contacts[0] if job.lead.contacts else 0
    return SaleWon(now, lead.id, care_lead_id, client, job.decision.owner, job.decision.seen.role, lead.price)


def _reason(lead: Lead, department: Department) -> str:
    """The key of the loss reason on the card, empty for none that the department knows."""
    reasons = {reason_id: key for key, reason_id in department.loss_reasons.items()}
    return reasons.get(lead.loss_reason_id or 0, "")
