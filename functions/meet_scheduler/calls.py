"""Client calls, one by one: read the card → decide → store the decision → the calendar → the card → tell the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from functions.meet_scheduler import texts
from functions.meet_scheduler.announcing import announcements
from functions.meet_scheduler.client_calls import Card, Wanted, Why, is_at_stage, stage_key, task_key, wanted
from functions.meet_scheduler.deciding import TROUBLE_ENDS, decide, next_due
from functions.meet_scheduler.row import Row
from functions.meet_scheduler.run import People, Run
from functions.meet_scheduler.stores import Stores
from functions.meet_scheduler.telling import CardWriter, is_all_told
from functions.shared.clock import Clock
from functions.shared.crm import Contact, Lead, Task
from functions.shared.errors import (
    AmoCrmError,
    AmoCrmUnavailable,
    Contended,
    MeetingMoved,
    MeetingRefused,
    MeetingsError,
    MeetingsUnavailable,
    NotConfigured,
    RetryLater,
)
from functions.shared.limits import LEASE, READ_ALONE
from functions.shared.meeting_plan import ClientCalls
from functions.shared.meeting_state import Kind, MeetingState, Saying
from functions.shared.ports import AmoCrm, EventBus
from functions.shared.remembered import Remembered
from functions.shared.telemetry import Telemetry

TRIES = 3
"""Looks at an event that people change at this very moment, before it is left for later."""

RETRY_LATER = 60.0
"""Seconds after which a call is looked at again that could not be finished."""


LONG = 600.0
"""Seconds from which on a wait is the row's alone: messages of the lead would each ask again, and asking is what used
the limits up."""

WAITING = "waiting"
"""The trouble of a row that waits so."""

PASSING = (Why.LEAD_LOST, Why.LEAD_GONE, Why.NO_HOST)
"""What the lead's next hook may end: the call has to be found then."""


class Calls:
    """All collaborators are handed in; see the service."""

    def __init__(
        self,
        amocrm: AmoCrm,
        stores: Stores,
        bus: EventBus,
        people: Remembered[People],
        telemetry: Telemetry,
        clock: Clock,
        card_url: Callable[[int], str],
    ) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._bus = bus
        self._people = people
        self._telemetry = telemetry
        self._clock = clock
        self._card_url = card_url
        self._writer = CardWriter(amocrm, telemetry)

    def work(self, run: Run) -> None:
        """Every lead of the run; those that have to wait come back alone."""
        states = self._states(run)
        run.finish(run.todo() - states.keys() if not run.calls.stage else ())
        missing = {state.task_id for each in states.values() for state in each if state.task_id} - run.tasks.keys()
        if missing:
            run.tasks |= self._amocrm.tasks_by_id(missing)
        leads = self._leads(run.todo())
        for lead_id in sorted(run.todo()):
            if run.is_late(self._clock.now()):
                return
            try:
                self._look_at_lead(run, states.get(lead_id, []), leads.get(lead_id))
            except AmoCrmUnavailable:
                raise
            except RetryLater as later:
                self._telemetry.count(type(later).__name__)
                run.come_back([lead_id], later.after)
            else:
                run.finish([lead_id])

    def _states(self, run: Run) -> dict[int, list[MeetingState]]:
        """The calls of each lead: those that are known, and those that its tasks ask for. Leads without any are
        missing."""
        subdomain = run.department.subdomain
        keys_of: dict[int, set[str]] = {}
        for lead_id in run.todo():
            hint = run.hints[lead_id]
            asking = (task for task in hint.tasks if task in run.tasks)
            keys = {task_key(subdomain, task) for task in asking if _asks(run.tasks[task], run.calls)}
            keys |= {task_key(subdomain, task) for task in hint.tasks - run.tasks.keys()} | hint.keys
            keys_of[lead_id] = keys | set(self._stores.meetings.of_lead(lead_id))
        known = self._stores.meetings.of(key for keys in keys_of.values() for key in keys)
        return {
            lead_id: [known.get(key) or _new_state(key, lead_id) for key in sorted(keys)]
            for lead_id, keys in keys_of.items()
            if keys
        }

    def _leads(self, lead_ids: Iterable[int]) -> dict[int, Lead]:
        """Few are read past the lists, which lag."""
        wanted = [lead_id for lead_id in lead_ids if lead_id]
        if len(wanted) > READ_ALONE:
            return self._amocrm.leads(wanted)
        return {lead.id: lead for lead_id in wanted if (lead := self._amocrm.lead(lead_id))}

    def _look_at_lead(self, run: Run, states: list[MeetingState], lead: Lead | None) -> None:
        if lead is not None and is_at_stage(lead, run.calls):
            key = stage_key(run.department.subdomain, lead.id)
            if all(state.key != key for state in states):
                states = [*states, _new_state(key, lead.id)]
        contact = self._contact(lead) if states else None
        for state in states:
            task = run.tasks.get(state.task_id)
            if task is not None and task.lead_id != (lead.id if lead else 0):
                # it was hung on another card
                other = self._amocrm.lead(task.lead_id) if task.lead_id else None
                self._look(run, state, task, other, self._contact(other))
            else:
                self._look(run, state, task, lead, contact)

    def _contact(self, lead: Lead | None) -> Contact | None:
        return self._amocrm.contact(lead.contacts[0]) if lead and lead.contacts else None

    def _look(
        self, run: Run, state: MeetingState, task: Task | None, lead: Lead | None, contact: Contact | None
    ) -> None:
        url = self._card_url(lead.id) if lead else ""
        people = self._people.get()
        is_of_stage = state.task_id == 0
        card = Card(state.key, task, lead, contact, people.users, url, people.robot, is_of_stage)
        want = wanted(card, state, run.department, run.calls, self._clock.now())
        moved = replace(state, lead_id=lead.id) if lead is not None else state
        self._bring(run, state, moved, card, want)

    def _bring(self, run: Run, before: MeetingState, state: MeetingState, card: Card, want: Wanted) -> None:
        """Until the calendar and the card are as decided. Raises RetryLater, AmoCrmError."""
        now = self._clock.now()
        if before.claimed_until is not None and before.claimed_until > now:
            raise Contended("another run works on this meeting", after=(before.claimed_until - now).total_seconds())
        if before.trouble == WAITING and before.due_at is not None and before.due_at > now:
            return  # whatever was said meanwhile is read when its time has come
        is_resumed = before.claimed_until is not None
        actual = run.seen.get(before.key)
        if is_resumed:
            try:
                state, actual = run.calendar.found(state)
            except (MeetingsError, NotConfigured) as error:
                self._count_refusal(before, error)
                # nothing is decided while nobody knows what the other run has done
                Row(self._stores.meetings, before).store(replace(before, due_at=now + TROUBLE_ENDS))
                return
        state = decide(state, want, actual, run.department, now)
        is_nothing = not state.version and state.wanted is None and not state.outbox and want.why not in PASSING
        if is_nothing or (not is_resumed and state == before and self._is_settled(state, run.calls)):
            return
        row = Row(self._stores.meetings, before)
        row.store(replace(state, claimed_until=now + LEASE, due_at=now + LEASE))
        try:
            self._do(run, row, card, want, is_resumed)
        except (RetryLater, AmoCrmError) as error:
            after = (error.after if isinstance(error, RetryLater) else None) or RETRY_LATER
            is_long = isinstance(error, MeetingsUnavailable) and after >= LONG
            due_at = now + timedelta(seconds=after)
            # a claim that has run out: nobody is in the next run's way, and it looks at what this one has done
            left = replace(row.state, claimed_until=now, due_at=due_at, trouble=WAITING if is_long else "")
            row.store(left)
            if not is_long:
                raise
            self._telemetry.warning("calendar_waits", key=before.key, seconds=after)

    def _do(self, run: Run, row: Row, card: Card, want: Wanted, is_resumed: bool) -> None:
        now = self._clock.now()
        row.store(self._in_calendar(run, row.state, want))
        said = row.state.outbox
        state = self._writer.write(row.state, card, run.calls, is_resumed=is_resumed, now=now)
        if events := announcements(state, said, now):
            self._bus.publish(events)
        state = replace(state, announced=state.standing, claimed_until=None)
        row.store(replace(state, due_at=next_due(state, self._clock.now())))

    def _in_calendar(self, run: Run, state: MeetingState, want: Wanted) -> MeetingState:
        """The calendar's steps; what it refuses for good is told on the card. Raises MeetingsUnavailable."""
        for _ in range(TRIES):
            now = self._clock.now()
            try:
                state = run.calendar.bring(state, want, run.department, now)
                return run.recordings.fetch(state, run.department, now)
            except MeetingMoved:
                state = decide(state, want, run.calendar.read(state), run.department, now)
            except MeetingRefused as refused:
                return self._in_trouble(state, refused, "refused", run)
            except (MeetingsError, NotConfigured) as error:
                self._count_refusal(state, error)
                return self._in_trouble(state, error, "trouble", run)
        raise MeetingsUnavailable("the event is changed by others at this moment", after=RETRY_LATER)

    def _in_trouble(self, state: MeetingState, error: Exception, name: str, run: Run) -> MeetingState:
        """Told once; the calendar is asked again in an hour."""
        kind = type(error).__name__
        if state.wanted is None or state.wanted == state.applied:
            return replace(state, trouble=kind)
        when = texts.when(run.department, state.wanted.start)
        key = f"{name}:{state.generation}:{state.wanted.start.isoformat()}"
        saying = Saying(key, texts.say(run.department, name, when=when), self._clock.now())
        return replace(state, trouble=kind).saying(saying)

    def _count_refusal(self, state: MeetingState, error: Exception) -> None:
        """An alarm: the credential, a scope or the calendar itself is missing."""
        self._telemetry.warning("calendar_refused", key=state.key, error=type(error).__name__, detail=str(error))
        self._telemetry.count("CalendarRefused")

    def _is_settled(self, state: MeetingState, calls: ClientCalls) -> bool:
        """Whether nothing is left to do until somebody says something new."""
        is_due = state.due_at is not None and state.due_at <= self._clock.now()
        return state.wanted == state.applied and is_all_told(state, calls) and not is_due


def _asks(task: Task, calls: ClientCalls) -> bool:
    return task.task_type_id == calls.task_type and task.lead_id > 0


def _new_state(key: str, lead_id: int) -> MeetingState:
    _, kind, number = key.rsplit(":", 2)
    return MeetingState(key, Kind.CALL, lead_id=lead_id, task_id=int(number) if kind == "call" else 0)
