"""Distribution, step by step: read again → decide → store → act in amoCRM → publish → mark.

A message is done when everything it causes is done. Until then it comes back, and a run that finds the stored decision
resumes it instead of taking another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TypedDict

from functions.distribute.acting import Acting
from functions.distribute.allotment import Allotment
from functions.distribute.decided import Decided
from functions.distribute.effects import Effects
from functions.distribute.giving_out import GivingOut, Means
from functions.distribute.hints import Hint
from functions.distribute.intake import Intake, Ours, take_in
from functions.distribute.reading import Reader
from functions.distribute.refunds import Refunds
from functions.distribute.run import OwnerRun
from functions.distribute.turns import Turns
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.assignments import Assignments
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.assignment import ARRIVAL, hop_of
from functions.shared.batch import Backs, Run, latest
from functions.shared.clock import Clock
from functions.shared.department import Department
from functions.shared.inbox import Envelope
from functions.shared.limits import DUE_AT_ONCE
from functions.shared.ports import AmoCrm, EventBus, MessageQueue
from functions.shared.queue_work import Delivery, QueueWork
from functions.shared.telemetry import Telemetry
from functions.shared.waiting import WaitingLead


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
        self._telemetry = telemetry
        self._clock = clock
        self._queue_work = QueueWork(queue, telemetry, clock)
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
        return self._queue_work.handle(envelopes, deadline, self._work)

    def _work(self, delivery: Delivery) -> Backs:
        """New leads, then leads that were handed over, then turns that come back: a lead may be in all three. Returns
        the messages that must come back."""
        due = self._stores.waiting_room.due(self._clock.now()) if delivery.has_tick else []
        if not due and delivery.is_settled():
            return {}
        due, department = due[:DUE_AT_ONCE], self._stores.departments.current()
        intake = self._take_in(delivery, due, department)
        means = self._means(department)
        arrivals = _owner_run(intake.arrivals, due, department, delivery.deadline)
        hand_overs = _owner_run(intake.hand_overs, due, department, delivery.deadline)
        closings = Run(hints=intake.closings, department=department, deadline=delivery.deadline)
        self._queue_work.work_safely(arrivals, lambda run: self._giving_out.work(run, means))
        for lead_id in arrivals.open() & hand_overs.open():
            hand_overs.come_back([lead_id], arrivals.back.get(lead_id))
        self._queue_work.work_in_time(hand_overs, lambda run: self._giving_out.work(run, means))
        self._queue_work.work_in_time(closings, lambda run: self._refunds.work(run, means.turns))
        return latest(run.messages_back() for run in (arrivals, hand_overs, closings))

    def _take_in(self, delivery: Delivery, due: Iterable[WaitingLead], department: Department) -> Intake:
        """What the messages say, and what is due."""
        ours = Ours(department.subdomain, department.account_id or None, department.refunds)
        intake = take_in(delivery.envelopes, ours)
        self._queue_work.park(delivery, intake)
        for item in self._reader.items_of(intake.by_uid):
            intake.add(replace(intake.by_uid[item.uid], lead_id=item.lead_id))
        intake.look_around(due)
        return intake

    def _means(self, department: Department) -> Means:
        stores = self._stores
        allotment = Allotment(department, self._amocrm, stores.assignments, stores.absences, self._clock)
        return Means(allotment, Turns(stores.assignments, department.timezone, self._clock, self._telemetry))


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
    return OwnerRun(hints=hints, department=department, deadline=deadline, waiting=rows)
