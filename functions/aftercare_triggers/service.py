"""Aftercare, step by step: take in → wake whom it concerns and whose time has come → work off the outbox → with the
time that is left, look at all clients, page by page.

A wake is done when what it decided is stored; tasks follow from the outbox, at the same tick or a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from functions.aftercare_triggers.cards import Cards
from functions.aftercare_triggers.contacts import Contacts
from functions.aftercare_triggers.intake import Hint, Intake, take_in
from functions.aftercare_triggers.open_tasks import OpenTasks
from functions.aftercare_triggers.people_tasks import PeopleTasks
from functions.aftercare_triggers.rounds import Rounds
from functions.aftercare_triggers.rules.fields import RuleErrors
from functions.aftercare_triggers.rules.reading import read_rule
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.sending import Sender
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.waker import Waker
from functions.shared import batch
from functions.shared.batch import Backs, latest
from functions.shared.care import RuleBook
from functions.shared.clock import Clock
from functions.shared.department import Department
from functions.shared.errors import AmoCrmError, AmoCrmUnavailable, NotConfigured, RetryLater
from functions.shared.inbox import Envelope
from functions.shared.ports import AmoCrm, MessageQueue
from functions.shared.queue_work import Delivery, QueueWork
from functions.shared.telemetry import Telemetry

CLIENTS_AT_ONCE = 1000
"""Clients that one tick wakes because their time has come: as many as fit into its minute. The rest stay due."""


LISTS_LAG = 60.0
"""Seconds after which lists show what has just become of a task."""


@dataclass(kw_only=True)
class Run(batch.Run[Hint]):
    """Clients instead of leads. `tasks` are those that amoCRM told of, with their clients and whether they ended."""

    sight: Sight
    tasks: Mapping[int, tuple[int, bool]] = field(default_factory=dict)


class Aftercare:
    """The use case. All collaborators are handed in; see bootstrap."""

    def __init__(
        self,
        *,
        amocrm: AmoCrm,
        stores: Stores,
        queue: MessageQueue,
        identity_key: Callable[[], str | None],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock
        self._queue_work = QueueWork(queue, telemetry, clock)
        tasks = OpenTasks(amocrm, stores, telemetry, clock)
        self._waker = Waker(stores, tasks, telemetry)
        self._people_tasks = PeopleTasks(amocrm, stores, tasks)
        self._cards = Cards(amocrm, stores)
        self._contacts = Contacts(amocrm, stores, identity_key)
        self._sender = Sender(amocrm, stores, tasks, telemetry, clock)
        self._rounds = Rounds(stores, self._waker, telemetry, clock)
        self._rules: tuple[int, tuple[Rule, ...]] = (0, ())

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back."""
        return self._queue_work.handle(envelopes, deadline, self._work)

    def _work(self, delivery: Delivery) -> Backs:
        now = self._clock.now()
        due = self._stores.clients.due(now, CLIENTS_AT_ONCE) if delivery.has_tick else []
        department = self._stores.departments.current()
        intake = take_in(delivery.envelopes, department, now)
        self._queue_work.park(delivery, intake)
        sight = self._sight(department, now)
        back = self._look_at_cards(intake, sight)
        self._stores.facts.put(intake.facts)
        tasks = self._own_tasks(intake)
        for client_id in due:
            intake.add(Hint(client_id))
        run = Run(department=department, deadline=delivery.deadline, hints=intake.hints, sight=sight, tasks=tasks)
        if run.hints:
            self._queue_work.work_safely(run, self._wake)
        if delivery.has_tick:
            self._safely(lambda: self._sender.send(sight, delivery.deadline))
            self._safely(lambda: self._rounds.go_on(sight, delivery.deadline))
        return latest([back, run.messages_back()])

    def _look_at_cards(self, intake: Intake, sight: Sight) -> Backs:
        """A card that was moved is a fact of its client. While amoCRM is away these messages alone come back."""
        try:
            facts = self._cards.facts(sight, intake.cards) if intake.cards else []
        except (RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            after = error.after if isinstance(error, RetryLater) else None
            return dict.fromkeys(frozenset().union(*intake.cards.values()), after)
        for fact in facts:
            intake.facts.append(fact)
            intake.add(Hint(fact.client, is_told=True, messages=intake.cards[int(fact.data["lead_id"])]))
        return {}

    def _own_tasks(self, intake: Intake) -> dict[int, tuple[int, bool]]:
        """Those that aftercare has set, and their clients among the hints; most tasks of an account are others'."""
        owners = self._stores.tasks.clients_of(intake.tasks) if intake.tasks else {}
        for task_id, client_id in owners.items():
            intake.add(Hint(client_id, is_told=True, messages=intake.tasks[task_id].messages))
        return {task_id: (client_id, intake.tasks[task_id].ended) for task_id, client_id in owners.items()}

    def _sight(self, department: Department, now: datetime) -> Sight:
        book = self._stores.books.current()
        feeds = self._stores.feeds.all() if book.feeds else {}
        return Sight(department, book, self._read(book), feeds, now)

    def _read(self, book: RuleBook) -> tuple[Rule, ...]:
        """The rules of a version never change, so they are read once a process."""
        if self._rules[0] != book.version:
            try:
                self._rules = book.version, tuple(map(read_rule, book.rules))
            except RuleErrors as errors:
                raise NotConfigured("the stored rules cannot be read: run `conveyor apply` again") from errors
        return self._rules[1]

    def _wake(self, run: Run) -> None:
        """Whom we were told of first; who is only due comes again by himself."""
        self._look_at_tasks(run)
        self._learn_of_contacts(run)
        for client_id in sorted(run.todo(), key=lambda each: (not run.hints[each].is_told, each)):
            if run.is_late(self._clock.now()):
                return
            try:
                self._waker.wake(run.sight, run.hints[client_id])
            except AmoCrmUnavailable:
                raise
            except RetryLater as later:
                run.come_back([client_id], later.after)
            else:
                run.finish([client_id])

    def _look_at_tasks(self, run: Run) -> None:
        todo = run.todo()
        tasks = {task_id: ended for task_id, (client_id, ended) in run.tasks.items() if client_id in todo}
        if tasks:
            lagging = self._people_tasks.touched(run.sight, tasks, {task_id for task_id in tasks if tasks[task_id]})
            run.come_back({run.tasks[task_id][0] for task_id in lagging}, LISTS_LAG)

    def _learn_of_contacts(self, run: Run) -> None:
        """Who says nothing new, and of whom nobody else told, is not looked at."""
        seen = {each: run.hints[each].contact_at for each in run.todo() if run.hints[each].contact_at is not None}
        if seen:
            changed = self._contacts.learn(run.sight, seen)
            run.finish(each for each in seen if each not in changed and not run.hints[each].is_told)

    def _safely(self, step: Callable[[], None]) -> None:
        """What a tick did not get done stays for the next one."""
        try:
            step()
        except (RetryLater, AmoCrmError) as error:
            self._interrupted(error)

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)
