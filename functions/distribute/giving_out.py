"""Giving leads out, step by step: read again → decide → store → act in amoCRM → publish → mark.

New leads and leads handed over to another team go the same way; triage and handing say what each of them is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from functions.distribute import handing, triage
from functions.distribute.acting import Acting
from functions.distribute.allotment import Allotment
from functions.distribute.decided import Decided, History
from functions.distribute.decision import Candidate
from functions.distribute.reading import Reader
from functions.distribute.run import OwnerRun
from functions.distribute.triage import Desk, in_unsorted
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment
from functions.shared.clock import Clock
from functions.shared.crm import Lead, UnsortedItem
from functions.shared.department import Department, MergeMode, Team
from functions.shared.events import LeadWaiting
from functions.shared.limits import LEASE
from functions.shared.ports import EventBus
from functions.shared.telemetry import Telemetry
from functions.shared.twins import Clients
from functions.shared.waiting import WaitingLead


@dataclass(frozen=True)
class Means:
    """What the runs of one batch share."""

    allotment: Allotment
    turns: Turns


class GivingOut:
    """All collaborators are handed in; see service."""

    def __init__(
        self,
        *,
        decided: Decided,
        reader: Reader,
        acting: Acting,
        assignments: Assignments,
        waiting_room: WaitingRoom,
        bus: EventBus,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._decided = decided
        self._reader = reader
        self._acting = acting
        self._assignments = assignments
        self._waiting_room = waiting_room
        self._bus = bus
        self._telemetry = telemetry
        self._clock = clock

    def work(self, run: OwnerRun, means: Means) -> None:
        """Every lead of the run gets its owner or a place in the waiting room; what cannot be done now comes back."""
        history = self._decided.history(run)
        standing = self._decided.standing(run, history, means.turns)
        self._decided.see_off(run, means.turns)
        resumed = self._decided.resumable(run, standing)
        fresh = run.todo() - standing.keys()
        leads, unknown = self._reader.leads(fresh | {assignment.lead_id for assignment in resumed})
        unknown |= self._look_twice(run, fresh, leads)
        resumed = [assignment for assignment in resumed if assignment.lead_id not in unknown]
        self._finish_without_owner(run, fresh - leads.keys() - unknown, "lead_gone")
        ours = self._ours(run, {lead_id: leads[lead_id] for lead_id in sorted(fresh & leads.keys())}, history)
        stored = self._allot(run, ours, history, means.allotment)
        again = {assignment.lead_id for assignment in resumed}
        run.twins |= {one.lead_id: () for one in resumed if _is_meant(one, leads.get(one.lead_id), run.department)}
        self._acting.act(run, [*resumed, *stored], leads, means.turns, again)

    def _look_twice(self, run: OwnerRun, fresh: set[int], leads: dict[int, Lead]) -> set[int]:
        """Read those past the lists that seem to have left the team they were handed over to: a list may not know yet
        that they came. Returns the ids about which nothing can be said yet."""
        doubtful = [
            lead_id
            for lead_id in fresh & leads.keys()
            if run.hints[lead_id].handed_over and handing.moved_on(run.hints[lead_id], leads[lead_id], run.department)
        ]
        for lead_id in doubtful:
            del leads[lead_id]
        now, unknown = self._reader.leads_alone(doubtful)
        leads.update(now)
        return unknown

    def _ours(self, run: OwnerRun, leads: dict[int, Lead], history: History) -> dict[int, Lead]:
        """The leads that are to be given out; the others are finished, with the reason in the log."""
        token_user = self._reader.token_user() if leads else 0
        past = {**history, **self._past_of_arrivals(run, leads)}
        reasons = {
            lead_id: self._not_ours(run, lead, past.get(lead_id, []), token_user) for lead_id, lead in leads.items()
        }
        for lead_id, reason in reasons.items():
            if reason:
                self._finish_without_owner(run, [lead_id], reason)
        return {lead_id: lead for lead_id, lead in leads.items() if not reasons[lead_id]}

    def _past_of_arrivals(self, run: OwnerRun, leads: Mapping[int, Lead]) -> History:
        """What is decided about leads of whose arrival we may hear too late: they were changed since they were made."""
        return self._assignments.of_leads(
            lead.id
            for lead in leads.values()
            if run.hints[lead.id].cause == ARRIVAL and lead.updated_at > lead.created_at
        )

    def _not_ours(self, run: OwnerRun, lead: Lead, past: list[Assignment], token_user: int) -> str | None:
        hint, row = run.hints[lead.id], run.waiting.get(lead.id)
        if handing.superseded(hint.cause, past):
            return "superseded"
        if hint.handed_over:
            known = handing.past_of(past)
            return handing.not_ours(hint, hint.handed_over, lead, known, run.department, token_user, row)
        return triage.not_ours(hint, row, lead, run.department, token_user)

    def _finish_without_owner(self, run: OwnerRun, lead_ids: Iterable[int], reason: str) -> None:
        for lead_id in lead_ids:
            self._telemetry.info("lead_not_distributed", lead_id=lead_id, reason=reason)
            self._acting.finish(run, lead_id)

    def _allot(self, run: OwnerRun, leads: dict[int, Lead], history: History, allotment: Allotment) -> list[Assignment]:
        """Decide and store; what nobody can take goes to the waiting room."""
        uids = {lead_id: uid for lead_id in leads if (uid := run.hints[lead_id].uid)}
        items = self._reader.items(uids, leads.values(), run.department)
        ready = self._ready(run, leads, items)
        clients = self._clients(run, ready)
        stored: list[Assignment] = []
        for team, group in _by_team(run.department, ready):
            desk = Desk(run.department, team, self._reader.token_user())
            candidates = [_candidate(run, lead, items, history, clients, desk) for lead in group]
            allotted = allotment.allot(team, candidates)
            run.held |= {one.lead_id: one.lease_until for one in allotted.stored}
            run.come_back(allotted.contested, LEASE.total_seconds())
            self._let_wait(run, allotted.waiting)
            stored += allotted.stored
        return stored

    def _ready(self, run: OwnerRun, leads: Mapping[int, Lead], items: Mapping[int, UnsortedItem]) -> list[Lead]:
        """The leads to decide now. Those in «Неразобранное» only as far as their items are known (a list may lag, or a
        person is accepting one right now) and as far as there is time to accept them; the others come back."""
        plain = [lead for lead in leads.values() if not in_unsorted(lead, run.department)]
        unsorted = [lead for lead in leads.values() if in_unsorted(lead, run.department) and lead.id in items]
        unsorted.sort(key=lambda lead: run.hints[lead.id].arrived_at)
        return [*plain, *unsorted[: self._acting.capacity(run)]]

    def _clients(self, run: OwnerRun, leads: Sequence[Lead]) -> Clients:
        """Who stands behind these leads. Other leads of the same client are searched for where the lead could be a
        duplicate, as far as there is time; which of them are running goes into `run.twins`."""
        searched = [lead for lead in leads if _may_be_duplicate(run, lead)]
        others = [lead for lead in leads if not _may_be_duplicate(run, lead)]
        accepts = sum(in_unsorted(lead, run.department) for lead in leads)
        found = self._reader.clients(searched, run.department.country, self._acting.searches(run, accepts))
        ids = {lead.id for lead in leads}
        for lead in searched:
            if lead.id in found.twins:
                run.twins[lead.id] = triage.running_twins(lead, found, run.department, ids)
        run.twins |= {lead.id: () for lead in others}
        known = self._reader.clients(others, run.department.country, 0)
        return Clients({**found.contacts, **known.contacts}, {**found.twins, **known.twins})

    def _let_wait(self, run: OwnerRun, waiting: Sequence[WaitingLead]) -> None:
        first_time = self._waiting_room.put(waiting)
        for lead in waiting:
            row = run.waiting.get(lead.lead_id)
            if row and row.team != lead.team:  # the pipeline has another team now, or the team another name
                self._waiting_room.leave(row)
        now = self._clock.now()
        self._bus.publish(
            [
                LeadWaiting(now, lead.lead_id, lead.team, lead.channel, lead.reason, lead.next_check.isoformat())
                for lead in first_time
            ]
        )
        for lead in first_time:
            self._telemetry.info(
                "lead_waiting", lead_id=lead.lead_id, cause=lead.cause, team=lead.team, reason=lead.reason
            )
        self._telemetry.count("LeadWaiting", len(first_time))
        run.finish(lead.lead_id for lead in waiting)


def _may_be_duplicate(run: OwnerRun, lead: Lead) -> bool:
    """A new request of a client; not a lead handed over, nor one that was made as a copy, both of which are meant."""
    is_new = not run.hints[lead.id].handed_over and not triage.is_copy(lead, run.department)
    return is_new and run.department.merging.mode is not MergeMode.OFF


def _is_meant(assignment: Assignment, lead: Lead | None, department: Department) -> bool:
    """Whether the lead of a resumed decision can be no duplicate, so that nobody need look for others."""
    return bool(assignment.handed_over) or (lead is not None and triage.is_copy(lead, department))


def _candidate(
    run: OwnerRun,
    lead: Lead,
    items: Mapping[int, UnsortedItem],
    history: History,
    clients: Clients,
    desk: Desk,
) -> Candidate:
    hint = run.hints[lead.id]
    if hint.handed_over:
        past = handing.past_of(history.get(lead.id, []))
        return handing.candidate(hint, hint.handed_over, lead, past, clients, desk)
    return triage.candidate(hint, run.waiting.get(lead.id), lead, items.get(lead.id), clients, desk)


def _by_team(department: Department, leads: Iterable[Lead]) -> list[tuple[Team, list[Lead]]]:
    groups: dict[str, list[Lead]] = {}
    for lead in leads:
        pipeline = department.pipeline(lead.pipeline_id)
        if pipeline:
            groups.setdefault(department.team_of_pipeline(pipeline.role).name, []).append(lead)
    return [(team, groups[team.name]) for team in department.teams if team.name in groups]
