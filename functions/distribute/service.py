"""Distribution, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored decision
resumes it instead of taking another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from functions.distribute.acting import LEFT_FOR_A_SLICE, Acting
from functions.distribute.allotment import LEASE, Allotment
from functions.distribute.effects import Effects
from functions.distribute.intake import FOREIGN_ACCOUNT, Hint, Intake, take_in
from functions.distribute.reading import Reader
from functions.distribute.run import Run
from functions.distribute.triage import Desk, candidate, in_unsorted, not_ours
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment, State
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department, Team
from functions.shared.errors import AmoCrmError, AmoCrmRefused, NotConfigured, RetryLater
from functions.shared.events import LeadWaiting
from functions.shared.inbox import Envelope, Tick
from functions.shared.ports import AmoCrm, EventBus, MessageQueue
from functions.shared.telemetry import Telemetry
from functions.shared.waiting import WaitingLead

DUE_AT_ONCE = 150
"""Waiting leads that one tick looks at; after a long night the next minute's tick takes the next ones."""


@dataclass(frozen=True)
class Stores:
    """Conveyor's own records."""

    departments: Departments
    assignments: Assignments
    waiting_room: WaitingRoom
    absences: Absences


class Distributor:
    """The use case. All collaborators are handed in; see bootstrap."""

    def __init__(
        self, *, amocrm: AmoCrm, stores: Stores, bus: EventBus, queue: MessageQueue, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._bus = bus
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._reader = Reader(amocrm, clock)
        self._acting = Acting(
            effects=Effects(amocrm, cache(stores.departments.version)),
            assignments=stores.assignments,
            waiting_room=stores.waiting_room,
            bus=bus,
            telemetry=telemetry,
            clock=clock,
            token_user=self._reader.token_user,
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
            due = self._stores.waiting_room.due(self._clock.now()) if settled else []
            if not due and len(settled) == len(envelopes):
                return {}
            department = self._stores.departments.current()
            intake = take_in(envelopes, department.subdomain, department.account_id or None)
            settled |= self._park(intake)
            run = self._run(intake, due[:DUE_AT_ONCE], department, deadline)
        except (NotConfigured, RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            return {one.message_id: _after(error) for one in envelopes if one.message_id not in settled}
        self._work_safely(run)
        return run.messages_back()

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

    def _run(self, intake: Intake, due: list[WaitingLead], department: Department, deadline: datetime) -> Run:
        """The batch as leads: those that hooks named, those of items they named, those that are due to be looked at."""
        for item in self._reader.items_of(intake.by_uid):
            intake.add(replace(intake.by_uid[item.uid], lead_id=item.lead_id))
        for row in due:
            intake.add(Hint(row.lead_id, row.arrived_at, row.uid))
        return Run(department, deadline, intake.hints, {row.lead_id: row for row in due})

    def _work_safely(self, run: Run) -> None:
        """One bad lead must not hold up its neighbours: after a bug, or a final no of amoCRM, each is worked alone."""
        try:
            self._work(run)
        except AmoCrmRefused as error:
            self._interrupted(error)
            self._one_by_one(run)
        except (RetryLater, AmoCrmError, NotConfigured) as error:
            self._interrupted(error)
            run.come_back(run.open(), _after(error))
        except Exception:
            self._telemetry.exception("leads_failed", lead_ids=sorted(run.open()))
            self._telemetry.count("LeadFailed", int(len(run.hints) == 1))
            self._one_by_one(run)

    def _one_by_one(self, run: Run) -> None:
        """As far as the time goes; the others come back."""
        for lead_id in sorted(run.open()) if len(run.hints) > 1 else []:
            if run.left(self._clock.now()) < LEFT_FOR_A_SLICE:
                return
            alone = run.alone(lead_id)
            self._work_safely(alone)
            run.finish(alone.finished)
            run.back |= alone.back

    def _work(self, run: Run) -> None:
        allotment = Allotment(
            run.department, self._amocrm, self._stores.assignments, self._stores.absences, self._clock
        )
        standing = self._stores.assignments.decided(run.hints, ARRIVAL)
        self._see_off(run, standing, allotment)
        resumed = self._resumable(run, standing)
        fresh = run.open() - standing.keys()
        leads, unknown = self._reader.leads(fresh | {assignment.lead_id for assignment in resumed})
        resumed = [assignment for assignment in resumed if assignment.lead_id not in unknown]
        self._finish_without_owner(run, fresh - leads.keys() - unknown, "lead_gone")
        ours = self._ours(run, {lead_id: leads[lead_id] for lead_id in sorted(fresh & leads.keys())})
        stored = self._allot(run, ours, allotment)
        self._acting.act(run, [*resumed, *stored], leads, allotment, {assignment.lead_id for assignment in resumed})

    def _see_off(self, run: Run, standing: dict[int, Assignment], allotment: Allotment) -> None:
        """Leads that a hook calls declined or deleted: if they really are gone, a turn spent on them comes back."""
        named = {lead_id for lead_id, hint in run.hints.items() if hint.departed}
        rows = {row.lead_id: row for row in self._stores.waiting_room.of_department(run.department)} if named else {}
        strangers = {lead_id for lead_id in named - standing.keys() - rows.keys() if not run.hints[lead_id].arrived}
        run.finish(strangers)
        found, unknown = self._reader.leads(named - strangers)
        run.waiting |= {lead_id: rows[lead_id] for lead_id in rows.keys() & named}
        for lead_id in named - strangers - found.keys() - unknown:
            assignment = standing.get(lead_id)
            if assignment and assignment.state in (State.PENDING, State.APPLIED):
                self._acting.give_back(allotment, assignment, State.GONE)
            self._acting.finish(run, lead_id)

    def _resumable(self, run: Run, standing: dict[int, Assignment]) -> list[Assignment]:
        """Open decisions whose worker is gone, taken over; final ones are finished, those in work come back."""
        now, mine = self._clock.now(), []
        for assignment in standing.values():
            if assignment.lead_id in run.finished:
                continue
            if not assignment.is_open:
                self._acting.finish(run, assignment.lead_id)
            elif assignment.lease_until and assignment.lease_until > now:
                run.come_back([assignment.lead_id], (assignment.lease_until - now).total_seconds() + 1)
            elif self._stores.assignments.take_over(assignment, now, now + LEASE):
                mine.append(assignment)
            else:
                run.come_back([assignment.lead_id], LEASE.total_seconds())
        return mine

    def _ours(self, run: Run, leads: dict[int, Lead]) -> dict[int, Lead]:
        """The leads that are to be given out; the others are finished, with the reason in the log."""
        token_user = self._reader.token_user() if leads else 0
        reasons = {
            lead_id: not_ours(run.hints[lead_id], run.waiting.get(lead_id), lead, run.department, token_user)
            for lead_id, lead in leads.items()
        }
        for lead_id, reason in reasons.items():
            if reason:
                self._finish_without_owner(run, [lead_id], reason)
        return {lead_id: lead for lead_id, lead in leads.items() if not reasons[lead_id]}

    def _finish_without_owner(self, run: Run, lead_ids: Iterable[int], reason: str) -> None:
        for lead_id in lead_ids:
            self._telemetry.info("lead_not_distributed", lead_id=lead_id, reason=reason)
            self._acting.finish(run, lead_id)

    def _allot(self, run: Run, leads: dict[int, Lead], allotment: Allotment) -> list[Assignment]:
        """Decide and store; what nobody can take goes to the waiting room."""
        uids = {lead_id: uid for lead_id in leads if (uid := run.hints[lead_id].uid)}
        items = self._reader.items(uids, leads.values(), run.department)
        ready = self._ready(run, leads, items.keys())
        clients = self._reader.clients(ready)
        stored: list[Assignment] = []
        for team, group in _by_team(run.department, ready):
            desk = Desk(run.department, team, self._reader.token_user())
            candidates = [
                candidate(run.hints[lead.id], run.waiting.get(lead.id), lead, items.get(lead.id), clients, desk)
                for lead in group
            ]
            allotted = allotment.allot(team, candidates)
            run.come_back(allotted.contested, LEASE.total_seconds())
            self._let_wait(run, allotted.waiting)
            stored += allotted.stored
        return stored

    def _ready(self, run: Run, leads: dict[int, Lead], with_item: Iterable[int]) -> list[Lead]:
        """The leads to decide now. Those in «Неразобранное» only as far as their items are known (a list may lag, or a
        person is accepting one right now) and as far as there is time to accept them; the others come back."""
        plain = [lead for lead in leads.values() if not in_unsorted(lead, run.department)]
        known = set(with_item)
        unsorted = [lead for lead in leads.values() if in_unsorted(lead, run.department) and lead.id in known]
        unsorted.sort(key=lambda lead: run.hints[lead.id].arrived_at)
        return [*plain, *unsorted[: self._acting.capacity(run)]]

    def _let_wait(self, run: Run, waiting: Sequence[WaitingLead]) -> None:
        first_time = self._stores.waiting_room.put(waiting)
        for lead in waiting:
            row = run.waiting.get(lead.lead_id)
            if row and row.team != lead.team:  # the pipeline has another team now, or the team another name
                self._stores.waiting_room.remove(row.team, [lead.lead_id])
        now = self._clock.now()
        self._bus.publish(
            [
                LeadWaiting(now, lead.lead_id, lead.team, lead.channel, lead.reason, lead.next_check.isoformat())
                for lead in first_time
            ]
        )
        for lead in first_time:
            self._telemetry.info("lead_waiting", lead_id=lead.lead_id, team=lead.team, reason=lead.reason)
        self._telemetry.count("LeadWaiting", len(first_time))
        run.finish(lead.lead_id for lead in waiting)

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)


def _after(error: Exception) -> float | None:
    return error.after if isinstance(error, RetryLater) else None


def _by_team(department: Department, leads: Iterable[Lead]) -> list[tuple[Team, list[Lead]]]:
    groups: dict[str, list[Lead]] = {}
    for lead in leads:
        pipeline = department.pipeline(lead.pipeline_id)
        if pipeline:
            groups.setdefault(department.team_of_pipeline(pipeline.role).name, []).append(lead)
    return [(team, groups[team.name]) for team in department.teams if team.name in groups]
