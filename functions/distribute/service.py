"""Distribution, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored decision
resumes it instead of taking another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TypedDict, TypeVar

from functions.distribute.acting import LEFT_FOR_A_SLICE, Acting
from functions.distribute.allotment import Allotment
from functions.distribute.decided import Decided
from functions.distribute.effects import Effects
from functions.distribute.giving_out import GivingOut, Means
from functions.distribute.hints import Closing, Hint
from functions.distribute.intake import FOREIGN_ACCOUNT, Intake, Ours, take_in
from functions.distribute.reading import Reader
from functions.distribute.refunds import Refunds
from functions.distribute.run import OwnerRun, Run, messages_of
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, hop_of
from functions.shared.batch import latest
from functions.shared.clock import Clock
from functions.shared.department import Department
from functions.shared.errors import AmoCrmError, AmoCrmRefused, NotConfigured, RetryLater
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


RunT = TypeVar("RunT", OwnerRun, Run[Closing])


class Distributor:
    """The use case. All collaborators are handed in; see bootstrap."""

    def __init__(
        self, *, amocrm: AmoCrm, stores: Stores, bus: EventBus, queue: MessageQueue, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._reader = reader = Reader(amocrm, clock)
        acting = Acting(
            effects=Effects(amocrm, cache(stores.departments.version)),
            assignments=stores.assignments,
            waiting_room=stores.waiting_room,
            bus=bus,
            telemetry=telemetry,
            clock=clock,
            token_user=reader.token_user,
        )
        records: _Records = {
            "reader": reader,
            "assignments": stores.assignments,
            "waiting_room": stores.waiting_room,
            "telemetry": telemetry,
            "clock": clock,
        }
        self._giving_out = GivingOut(decided=Decided(acting=acting, **records), acting=acting, bus=bus, **records)
        self._refunds = Refunds(**records)

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
            ours = Ours(department.subdomain, department.account_id or None, department.refunds)
            intake = take_in(envelopes, ours)
            settled |= self._park(intake)
            for item in self._reader.items_of(intake.by_uid):
                intake.add(replace(intake.by_uid[item.uid], lead_id=item.lead_id))
        except (NotConfigured, RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            return {one.message_id: _after(error) for one in envelopes if one.message_id not in settled}
        due = due[:DUE_AT_ONCE]
        intake.look_around(due)
        return self._work(intake, due, department, deadline)

    def _work(
        self, intake: Intake, due: Sequence[WaitingLead], department: Department, deadline: datetime
    ) -> dict[str, float | None]:
        """New leads, then leads that were handed over, then turns that come back: a lead may be in all three. Returns
        the messages that must come back."""
        means = self._means(department)
        arrivals = _owner_run(intake.arrivals, due, department, deadline)
        hand_overs = _owner_run(intake.hand_overs, due, department, deadline)
        closings = Run(
            messages=messages_of(intake.closings), department=department, deadline=deadline, hints=intake.closings
        )
        self._work_safely(arrivals, lambda run: self._giving_out.work(run, means))
        for lead_id in arrivals.open() & hand_overs.open():
            hand_overs.come_back([lead_id], arrivals.back.get(lead_id))
        self._work_in_time(hand_overs, lambda run: self._giving_out.work(run, means))
        self._work_in_time(closings, lambda run: self._refunds.work(run, means.turns))
        return latest(run.messages_back() for run in (arrivals, hand_overs, closings))

    def _means(self, department: Department) -> Means:
        stores = self._stores
        allotment = Allotment(department, self._amocrm, stores.assignments, stores.absences, self._clock)
        return Means(allotment, Turns(stores.assignments, department.timezone, self._clock, self._telemetry))

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

    def _work_in_time(self, run: RunT, work: Callable[[RunT], None]) -> None:
        """Begin only what can be done; the rest comes back."""
        if run.left(self._clock.now()) < LEFT_FOR_A_SLICE:
            run.come_back(run.todo(), None)
        elif run.todo():
            self._work_safely(run, work)

    def _work_safely(self, run: RunT, work: Callable[[RunT], None]) -> None:
        """One bad lead must not hold up its neighbours: after a bug, or a final no of amoCRM, each is worked alone."""
        try:
            work(run)
        except AmoCrmRefused as error:
            self._interrupted(error)
            self._one_by_one(run, work)
        except (RetryLater, AmoCrmError, NotConfigured) as error:
            self._interrupted(error)
            run.come_back(run.todo(), _after(error))
        except Exception:
            self._telemetry.exception("leads_failed", lead_ids=sorted(run.todo()))
            self._telemetry.count("LeadFailed", int(len(run.hints) == 1))
            self._one_by_one(run, work)

    def _one_by_one(self, run: RunT, work: Callable[[RunT], None]) -> None:
        """As far as the time goes; the others come back."""
        for lead_id in sorted(run.todo()) if len(run.hints) > 1 else []:
            if run.left(self._clock.now()) < LEFT_FOR_A_SLICE:
                return
            alone = run.alone(lead_id)
            self._work_safely(alone, work)
            run.finish(alone.finished)
            run.back |= alone.back

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)


def _after(error: Exception) -> float | None:
    return error.after if isinstance(error, RetryLater) else None


class _Records(TypedDict):
    """What all parts of the distributor read and write."""

    reader: Reader
    assignments: Assignments
    waiting_room: WaitingRoom
    telemetry: Telemetry
    clock: Clock


def _owner_run(
    hints: dict[int, Hint], due: Iterable[WaitingLead], department: Department, deadline: datetime
) -> OwnerRun:
    """The leads of these hints, with their rows of the waiting room: of several the one of the latest cause, for the
    next tick finds the others."""
    rows: dict[int, WaitingLead] = {}
    for row in sorted(due, key=lambda row: hop_of(row.cause)):
        if row.lead_id in hints and (row.cause == ARRIVAL) == (hints[row.lead_id].cause == ARRIVAL):
            rows[row.lead_id] = row
    return OwnerRun(messages=messages_of(hints), department=department, deadline=deadline, hints=hints, waiting=rows)
