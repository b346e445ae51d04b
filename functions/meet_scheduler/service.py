"""Meetings, step by step: take in → what the calendar tells → the calls of the leads that are spoken of, or whose time
has come → with the time that is left, who is out of office and the stand-ups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from functions.meet_scheduler.booking import Calendar
from functions.meet_scheduler.calls import Calls
from functions.meet_scheduler.client_calls import task_key
from functions.meet_scheduler.fetching import Recordings
from functions.meet_scheduler.intake import Intake, TaskHint, take_in
from functions.meet_scheduler.out_of_office import OutOfOffice
from functions.meet_scheduler.run import CallHint, People, Run
from functions.meet_scheduler.standups import Standups
from functions.meet_scheduler.stores import Stores
from functions.shared.batch import Backs, latest
from functions.shared.clock import Clock
from functions.shared.crm import Task
from functions.shared.errors import AmoCrmError, MeetingRefused, MeetingsError, NotConfigured, RetryLater
from functions.shared.inbox import Envelope
from functions.shared.meeting_plan import ClientCalls, MeetingPlan
from functions.shared.meeting_state import Kind, MeetingState
from functions.shared.meetings import Booked
from functions.shared.ports import AmoCrm, EventBus, MeetingProvider, MessageQueue
from functions.shared.queue_work import Delivery, QueueWork
from functions.shared.remembered import Remembered
from functions.shared.telemetry import Telemetry

DUE_AT_ONCE = 100
"""Meetings that one tick looks at because their time has come; the rest stay due."""

PEOPLE_AGE = timedelta(minutes=10)

LISTS_LAG = 15.0
"""Seconds after which amoCRM's lists are asked again for what they did not show yet."""

LISTS_KNOW = timedelta(minutes=2)
"""After that what lists show counts, whatever a hook said."""

OFF = ClientCalls()
"""For a department that wants no calls any more: those that stand are still followed to their end."""


class MeetScheduler:
    """The use case. All collaborators are handed in; see bootstrap."""

    def __init__(
        self,
        *,
        amocrm: AmoCrm,
        provider: Callable[[MeetingPlan], MeetingProvider],
        stores: Stores,
        bus: EventBus,
        queue: MessageQueue,
        telemetry: Telemetry,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._amocrm = amocrm
        self._provider = provider
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock
        self._queue_work = QueueWork(queue, telemetry, clock)
        people = Remembered(self._people, clock, PEOPLE_AGE)
        self._calls = Calls(
            amocrm, stores, bus, people, telemetry, clock, lambda lead_id: f"{base_url}/leads/detail/{lead_id}"
        )
        self._standups = Standups(stores, telemetry, clock)
        self._out_of_office = OutOfOffice(stores, telemetry, clock)

    def _people(self) -> People:
        users = {user.id: user for user in self._amocrm.users() if user.is_active}
        return People(users, self._amocrm.account().current_user_id)

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back."""
        return self._queue_work.handle(envelopes, deadline, self._work)

    def _work(self, delivery: Delivery) -> Backs:
        department = self._stores.departments.current()
        intake = take_in(delivery.envelopes, department)
        self._queue_work.park(delivery, intake)
        plan = department.meetings
        if plan is None:
            return {}
        provider = self._provider(plan)
        run = Run(
            department=department,
            deadline=delivery.deadline,
            hints={},
            calls=plan.client_calls or OFF,
            calendar=Calendar(provider, plan.host),
            recordings=Recordings(provider),
        )
        back = self._gather(run, intake, plan)
        token = self._look_around(run, provider) if delivery.has_tick else None
        if run.hints:
            self._queue_work.work_safely(run, self._calls.work)
        if delivery.has_tick:
            self._safely(lambda: self._out_of_office.read(department, plan, provider, delivery.deadline))
            self._safely(lambda: self._standups.reconcile(department, plan, provider, run.seen, delivery.deadline))
        if token is not None and not run.todo() and not run.back:
            self._stores.meetings.put_sync_token(token)  # else the calendar tells the same again at the next tick
        return latest([back, run.messages_back()])

    def _gather(self, run: Run, intake: Intake, plan: MeetingPlan) -> Backs:
        """The leads of all that messages speak of. What amoCRM's lists do not show yet comes back soon."""
        hints: dict[int, CallHint] = {}
        for lead_id, messages in intake.leads.items():
            _add(hints, lead_id, CallHint(messages=messages))
        keys_of_clients = {client: self._stores.meetings.of_client(client) for client in intake.clients}
        told = [key for keys in keys_of_clients.values() for key in keys]
        told += [task_key(run.department.subdomain, task_id) for task_id in intake.tasks]
        known = self._stores.meetings.of(told)
        for client, messages in intake.clients.items():
            for state in (known[key] for key in keys_of_clients[client] if key in known):
                _add(hints, state.lead_id, CallHint(keys=frozenset({state.key}), messages=messages))
        back = self._gather_tasks(run, intake.tasks, known, hints) if plan.client_calls or known else {}
        run.hints = hints
        return back

    def _gather_tasks(
        self,
        run: Run,
        told: Mapping[int, TaskHint],
        known: Mapping[str, MeetingState],
        hints: dict[int, CallHint],
    ) -> Backs:
        subdomain, kinds = run.department.subdomain, (None, run.calls.task_type)
        told = {
            task_id: hint
            for task_id, hint in told.items()
            if task_key(subdomain, task_id) in known or (hint.kind in kinds and not hint.is_gone)
        }
        if not told:
            return {}
        try:
            run.tasks = self._amocrm.tasks_by_id(told)
        except (RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            after = error.after if isinstance(error, RetryLater) else None
            return dict.fromkeys((message for hint in told.values() for message in hint.messages), after)
        lagging: dict[str, float | None] = {}
        for task_id, hint in told.items():
            task, state = run.tasks.get(task_id), known.get(task_key(subdomain, task_id))
            if _lags(task, hint, self._clock.now()):
                lagging |= dict.fromkeys(hint.messages, LISTS_LAG)
            elif state is not None or (task is not None and task.lead_id):
                lead_id = state.lead_id if state is not None else task.lead_id if task else 0
                _add(hints, lead_id, CallHint(tasks=frozenset({task_id}), messages=hint.messages))
        return lagging

    def _look_around(self, run: Run, provider: MeetingProvider) -> str | None:
        """Calls whose time has come, and what has changed in the calendar; returns how far it was read then, None if it
        could not be."""
        states = self._stores.meetings.of(self._stores.meetings.due(self._clock.now(), DUE_AT_ONCE))
        token = None
        try:
            changes = provider.changes(self._stores.meetings.sync_token())
        except (RetryLater, MeetingsError, NotConfigured) as error:
            self._interrupted(error)
        else:
            token = changes.token
            run.seen = {booked.key: booked for booked in changes.booked if booked.key and not booked.series}
            states |= self._changed(run.seen)
        hints = dict(run.hints)
        for state in states.values():
            if state.kind is Kind.CALL:
                _add(hints, state.lead_id, CallHint(keys=frozenset({state.key})))
        run.hints = hints
        return token

    def _changed(self, seen: Mapping[str, Booked]) -> dict[str, MeetingState]:
        """Meetings whose event is another than we left it: our own changes come back too."""
        states = self._stores.meetings.of(seen)
        return {
            key: state
            for key, state in states.items()
            if state.event_id == seen[key].id and state.version_seen != seen[key].version
        }

    def _safely(self, step: Callable[[], None]) -> None:
        """What a tick did not get done stays for the next one."""
        try:
            step()
        except (RetryLater, AmoCrmError, MeetingsError, NotConfigured) as error:
            self._interrupted(error)

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)
        if isinstance(error, MeetingsError | NotConfigured) and not isinstance(error, MeetingRefused):
            self._telemetry.count("CalendarRefused")


def _add(hints: dict[int, CallHint], lead_id: int, hint: CallHint) -> None:
    hints[lead_id] = hints[lead_id].merged(hint) if lead_id in hints else hint


def _lags(task: Task | None, hint: TaskHint, now: datetime) -> bool:
    """Whether the list shows the task as it was before what the hook tells of."""
    if now - hint.sent_at > LISTS_KNOW:
        return False
    if hint.is_gone or task is None:
        return hint.is_gone != (task is None)
    return bool(hint.changed_at and task.updated_at and task.updated_at < hint.changed_at)
