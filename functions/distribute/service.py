"""Distribution, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored decision
resumes it instead of taking another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from functions.distribute.allotment import LEASE, Allotment
from functions.distribute.effects import Done, Effects
from functions.distribute.intake import Hint, Intake, take_in
from functions.distribute.reading import Reader
from functions.distribute.triage import Desk, candidate, in_unsorted, not_ours
from functions.shared.adapters.aws.queue import Queue
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, Assignment, State
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department, Team
from functions.shared.errors import AmoCrmError, AmoCrmNotFound, AmoCrmRefused, NotConfigured, RetryLater
from functions.shared.events import LeadAssigned, LeadWaiting
from functions.shared.inbox import Envelope, Tick
from functions.shared.ports import AmoCrm, EventBus
from functions.shared.telemetry import Telemetry
from functions.shared.waiting import WaitingLead

UNSORTED_AT_ONCE = 50
"""An accept is one request; with 6 a second, 50 of them take 9 s of the function's 60."""

LEFT_FOR_A_SLICE = timedelta(seconds=25)
"""A slice is begun only with this much time left; what is not begun comes back at once."""


@dataclass(frozen=True)
class Stores:
    """Conveyor's own records."""

    departments: Departments
    assignments: Assignments
    waiting_room: WaitingRoom
    absences: Absences


@dataclass
class Run:
    """One batch in work. `waiting` are the rows of the waiting room it looks at, by lead id. The messages of every lead
    that is not `finished` come back: by back-off, or after the seconds that `back` names."""

    department: Department
    deadline: datetime
    hints: dict[int, Hint]
    waiting: dict[int, WaitingLead] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    back: dict[int, float | None] = field(default_factory=dict)

    def come_back(self, lead_ids: Iterable[int], after: float | None) -> None:
        self.back.update(dict.fromkeys(lead_ids, after))

    def alone(self, lead_id: int) -> Run:
        """The same run with one lead only."""
        rows = {lead_id: self.waiting[lead_id]} if lead_id in self.waiting else {}
        return Run(self.department, self.deadline, {lead_id: self.hints[lead_id]}, rows)

    def messages_back(self) -> dict[str, float | None]:
        """The messages that must come back: all that speak of a lead which is not finished."""
        unfinished = [hint for lead_id, hint in self.hints.items() if lead_id not in self.finished]
        return {message: self.back.get(hint.lead_id) for hint in unfinished for message in hint.messages}


class Distributor:
    """The use case. All collaborators are handed in; see bootstrap."""

    def __init__(
        self, *, amocrm: AmoCrm, stores: Stores, bus: EventBus, queue: Queue, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._bus = bus
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._reader = Reader(amocrm, clock)
        self._effects = Effects(amocrm, cache(stores.departments.version))
        self._token_user = cache(lambda: amocrm.account().current_user_id)

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back."""
        by_id = {envelope.message_id: envelope for envelope in envelopes}
        back = self._handle(envelopes, deadline)
        for message_id, after in back.items():
            self._queue.postpone(by_id[message_id], after)
        self._telemetry.flush()
        return list(back)

    def _handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> dict[str, float | None]:
        ticks = {envelope.message_id for envelope in envelopes if isinstance(envelope.message, Tick)}
        try:
            due = self._stores.waiting_room.due(self._clock.now()) if ticks else []
            if not due and len(ticks) == len(envelopes):
                return {}
            department = self._stores.departments.current()
            intake = take_in(envelopes, department.subdomain)
            self._park(intake)
            run = self._run(intake, due, department, deadline)
        except (NotConfigured, RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            # a tick need not come back: the next one makes up for it
            return {one.message_id: _after(error) for one in envelopes if one.message_id not in ticks}
        self._work_safely(run)
        return run.messages_back()

    def _park(self, intake: Intake) -> None:
        for envelope in intake.rejected:
            if envelope.rejection:
                self._queue.park(envelope, envelope.rejection.reason, envelope.rejection.detail)
                self._telemetry.warning(
                    "hook_rejected", reason=envelope.rejection.reason, message_id=envelope.message_id
                )
                self._telemetry.count("HookRejected")
        if intake.ignored:
            self._telemetry.info("hooks_ignored", **intake.ignored)

    def _run(self, intake: Intake, due: list[WaitingLead], department: Department, deadline: datetime) -> Run:
        """The batch as leads: those that hooks named, those of items they named, those that are due to be looked at."""
        if intake.by_uid:
            for uid, item in self._amocrm.unsorted(intake.by_uid).items():
                intake.add(replace(intake.by_uid[uid], lead_id=item.lead_id))
        for row in due:
            intake.add(Hint(row.lead_id, row.arrived_at, row.uid))
        return Run(department, deadline, intake.hints, {row.lead_id: row for row in due})

    def _work_safely(self, run: Run) -> None:
        """One bad lead must not hold up its neighbours: after a bug the batch is worked lead by lead."""
        try:
            self._work(run)
        except (RetryLater, AmoCrmError, NotConfigured) as error:
            self._interrupted(error)
            run.come_back(run.hints.keys() - run.finished, _after(error))
        except Exception:
            left = sorted(run.hints.keys() - run.finished)
            if len(run.hints) == 1:
                self._telemetry.exception("lead_failed", lead_id=left)
                self._telemetry.count("LeadFailed")
                return
            self._telemetry.exception("batch_failed", leads=len(left))
            for lead_id in left:
                alone = run.alone(lead_id)
                self._work_safely(alone)
                run.finished |= alone.finished
                run.back |= alone.back

    def _work(self, run: Run) -> None:
        allotment = Allotment(
            run.department, self._amocrm, self._stores.assignments, self._stores.absences, self._clock
        )
        self._see_off(run, allotment)
        open_ids = run.hints.keys() - run.finished
        standing = self._stores.assignments.decided(open_ids, ARRIVAL)
        resumed = self._resumable(run, standing)
        fresh = open_ids - standing.keys()
        leads, unknown = self._reader.leads(fresh | {assignment.lead_id for assignment in resumed})
        self._finish_without_owner(run, fresh - leads.keys() - unknown, "lead_gone")
        ours = self._ours(run, {lead_id: leads[lead_id] for lead_id in sorted(fresh & leads.keys())})
        stored = self._allot(run, ours, allotment)
        self._act(run, [*resumed, *stored], leads, allotment, {assignment.lead_id for assignment in resumed})

    def _see_off(self, run: Run, allotment: Allotment) -> None:
        """Leads that a hook calls declined or deleted, if they really are gone: a turn spent on them comes back."""
        named = [lead_id for lead_id, hint in run.hints.items() if hint.departed]
        departed = [lead_id for lead_id in named if self._amocrm.lead(lead_id) is None]
        for assignment in self._stores.assignments.decided(departed, ARRIVAL).values():
            if assignment.state in (State.PENDING, State.APPLIED):
                self._give_back(allotment, assignment, State.GONE)
        for team in run.department.teams:
            self._stores.waiting_room.remove(team.name, departed)
        run.finished.update(departed)

    def _resumable(self, run: Run, standing: dict[int, Assignment]) -> list[Assignment]:
        """Open decisions whose worker is gone, taken over; final ones are finished, those in work come back."""
        now, mine = self._clock.now(), []
        for assignment in standing.values():
            if not assignment.is_open:
                self._finish_row(run, assignment.lead_id)
                run.finished.add(assignment.lead_id)
            elif assignment.lease_until and assignment.lease_until > now:
                run.come_back([assignment.lead_id], (assignment.lease_until - now).total_seconds() + 1)
            elif self._stores.assignments.take_over(assignment, now, now + LEASE):
                mine.append(assignment)
            else:
                run.come_back([assignment.lead_id], LEASE.total_seconds())
        return mine

    def _ours(self, run: Run, leads: dict[int, Lead]) -> dict[int, Lead]:
        """The leads that are to be given out; the others are finished, with the reason in the log."""
        token_user = self._token_user() if leads else 0
        reasons = {
            lead_id: not_ours(run.hints[lead_id], lead, run.department, token_user) for lead_id, lead in leads.items()
        }
        for lead_id, reason in reasons.items():
            if reason:
                self._finish_without_owner(run, [lead_id], reason)
        return {lead_id: lead for lead_id, lead in leads.items() if not reasons[lead_id]}

    def _finish_without_owner(self, run: Run, lead_ids: Iterable[int], reason: str) -> None:
        for lead_id in lead_ids:
            self._telemetry.info("lead_not_distributed", lead_id=lead_id, reason=reason)
            self._finish_row(run, lead_id)
            run.finished.add(lead_id)

    def _finish_row(self, run: Run, lead_id: int) -> None:
        if lead_id in run.waiting:
            self._stores.waiting_room.remove(run.waiting[lead_id].team, [lead_id])

    def _allot(self, run: Run, leads: dict[int, Lead], allotment: Allotment) -> list[Assignment]:
        """Decide and store; what nobody can take goes to the waiting room."""
        uids = {lead_id: uid for lead_id in leads if (uid := run.hints[lead_id].uid)}
        items = self._reader.items(uids, leads.values(), run.department)
        # The list of items lags behind the lead, or a person is accepting it right now: it comes back.
        without_item = {key for key, lead in leads.items() if in_unsorted(lead, run.department) and key not in items}
        clients = self._reader.clients(list(leads.values()))
        stored: list[Assignment] = []
        for team, group in self._by_team(run.department, leads, without_item):
            desk = Desk(run.department, team, self._token_user())
            candidates = [candidate(run.hints[lead.id], lead, items.get(lead.id), clients, desk) for lead in group]
            allotted = allotment.allot(team, candidates)
            run.come_back(allotted.contested, LEASE.total_seconds())
            self._let_wait(run, allotted.waiting)
            stored += allotted.stored
        return stored

    def _by_team(
        self, department: Department, leads: dict[int, Lead], without: set[int]
    ) -> list[tuple[Team, list[Lead]]]:
        groups: dict[str, list[Lead]] = {}
        for lead in leads.values():
            pipeline = department.pipeline(lead.pipeline_id)
            if pipeline and lead.id not in without:
                groups.setdefault(department.team_of_pipeline(pipeline.role).name, []).append(lead)
        return [(team, groups[team.name]) for team in department.teams if team.name in groups]

    def _let_wait(self, run: Run, waiting: Sequence[WaitingLead]) -> None:
        self._stores.waiting_room.put(waiting)
        now = self._clock.now()
        first_time = [lead for lead in waiting if lead.lead_id not in run.waiting]
        self._bus.publish(
            [
                LeadWaiting(now, lead.lead_id, lead.team, lead.channel, lead.reason, lead.next_check.isoformat())
                for lead in first_time
            ]
        )
        for lead in first_time:
            self._telemetry.info("lead_waiting", lead_id=lead.lead_id, team=lead.team, reason=lead.reason)
        self._telemetry.count("LeadWaiting", len(first_time))
        run.finished.update(lead.lead_id for lead in waiting)

    def _act(
        self,
        run: Run,
        assignments: list[Assignment],
        leads: dict[int, Lead],
        allotment: Allotment,
        resumed: set[int],
    ) -> None:
        applied: list[Assignment] = []
        try:
            for part in _slices(assignments):
                if self._clock.now() + LEFT_FOR_A_SLICE > run.deadline:
                    run.come_back([assignment.lead_id for assignment in part], LEASE.total_seconds())
                    continue
                applied += self._act_on(run, part, leads, allotment, resumed)
        finally:
            self._stores.assignments.mark_applied(applied)
            for assignment in applied:
                self._finish_row(run, assignment.lead_id)
            run.finished.update(assignment.lead_id for assignment in applied)

    def _act_on(
        self, run: Run, part: list[Assignment], leads: dict[int, Lead], allotment: Allotment, resumed: set[int]
    ) -> list[Assignment]:
        """The effects of a slice; returns what is applied and published."""
        try:
            done = self._effects.apply(part, leads, self._token_user(), resumed)
        except (AmoCrmRefused, AmoCrmNotFound) as error:
            if len(part) > 1:  # one of them is bad: find out which, one by one
                again = resumed | {assignment.lead_id for assignment in part}
                return [one for each in part for one in self._act_on(run, [each], leads, allotment, again)]
            self._interrupted(error, lead_id=part[0].lead_id)
            return []
        self._settle(run, done, allotment)
        self._publish(done.applied)
        return done.applied

    def _settle(self, run: Run, done: Done, allotment: Allotment) -> None:
        """Turns that were spent for nothing come back; a lead whose owner amoCRM refused is decided again."""
        for state, assignments in ((State.GONE, done.gone), (State.OVERTAKEN, done.overtaken)):
            for assignment in assignments:
                self._give_back(allotment, assignment, state)
                self._finish_row(run, assignment.lead_id)
                run.finished.add(assignment.lead_id)
        for assignment, reason in done.refused:
            self._telemetry.warning("owner_refused", lead_id=assignment.lead_id, reason=reason)
            self._give_back(allotment, assignment, State.WITHDRAWN)

    def _give_back(self, allotment: Allotment, assignment: Assignment, state: State) -> None:
        if allotment.give_back(assignment, state):
            self._telemetry.info("turn_given_back", lead_id=assignment.lead_id, owner=assignment.owner, why=state.value)
            self._telemetry.count("TurnGivenBack")

    def _publish(self, applied: Sequence[Assignment]) -> None:
        now = self._clock.now()
        self._bus.publish([LeadAssigned(now, a.lead_id, a.team, a.owner, a.channel, a.mode, a.cause) for a in applied])
        for a in applied:
            self._telemetry.info(
                "lead_assigned", lead_id=a.lead_id, team=a.team, owner=a.owner, channel=a.channel, mode=a.mode.value
            )
        self._telemetry.count("LeadAssigned", len(applied))

    def _interrupted(self, error: Exception, **fields: object) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error), **fields)
        self._telemetry.count(type(error).__name__)


def _after(error: Exception) -> float | None:
    return error.after if isinstance(error, RetryLater) else None


def _slices(assignments: list[Assignment]) -> list[list[Assignment]]:
    """Plain leads at once, for they are written in batches; unsorted ones in parts, for each accept is a request."""
    plain = [assignment for assignment in assignments if not assignment.uid]
    unsorted = [assignment for assignment in assignments if assignment.uid]
    parts = [unsorted[start : start + UNSORTED_AT_ONCE] for start in range(0, len(unsorted), UNSORTED_AT_ONCE)]
    return [part for part in (plain, *parts) if part]
