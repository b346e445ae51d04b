"""The frame of a queue function: which messages are done, which come back and when, whatever the function's work is.

A service says how a delivery is taken in and which runs are worked in which order:

    def handle(self, envelopes, deadline):
        return self._queue_work.handle(envelopes, deadline, self._work)

    def _work(self, delivery):
        due = self._stores.….due(…) if delivery.has_tick else []
        if not due and delivery.is_settled():
            return {}
        intake = take_in(delivery.envelopes, department)
        self._queue_work.park(delivery, intake)
        run = …
        self._queue_work.work_safely(run, self._….work)
        return run.messages_back()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from functions.shared.batch import Backs, Run
from functions.shared.clock import Clock
from functions.shared.errors import AmoCrmError, AmoCrmRefused, NotConfigured, RetryLater
from functions.shared.inbox import Envelope, Tick
from functions.shared.intake import FOREIGN_ACCOUNT, Intake
from functions.shared.ports import MessageQueue
from functions.shared.telemetry import Telemetry

RunT = TypeVar("RunT", bound=Run[Any])


@dataclass
class Delivery:
    """A batch of messages to be worked until `deadline`. `settled` are the ids of those that never come back: ticks, as
    the next one makes up for it, and what is parked."""

    envelopes: Sequence[Envelope]
    deadline: datetime
    settled: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.settled = {envelope.message_id for envelope in self.envelopes if isinstance(envelope.message, Tick)}

    @property
    def has_tick(self) -> bool:
        return any(isinstance(envelope.message, Tick) for envelope in self.envelopes)

    def is_settled(self) -> bool:
        return len(self.settled) == len(self.envelopes)

    def back(self, after: float | None) -> Backs:
        """All that is not settled."""
        return {one.message_id: after for one in self.envelopes if one.message_id not in self.settled}


class QueueWork:
    """All collaborators are handed in; see the functions' services."""

    def __init__(self, queue: MessageQueue, telemetry: Telemetry, clock: Clock) -> None:
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock

    def handle(self, envelopes: Sequence[Envelope], deadline: datetime, work: Callable[[Delivery], Backs]) -> list[str]:
        """Work a batch until `deadline`; returns the ids of the messages that must come back. `work` returns them with
        their seconds; where it is interrupted as a whole, all come back that are not settled."""
        delivery = Delivery(envelopes, deadline)
        try:
            back = work(delivery)
        except (NotConfigured, RetryLater, AmoCrmError) as error:
            self._interrupted(error)
            back = delivery.back(_after(error))
        for envelope in envelopes:
            if envelope.message_id in back:
                self._queue.postpone(envelope, back[envelope.message_id])
        self._telemetry.flush()
        return list(back)

    def park(self, delivery: Delivery, intake: Intake) -> None:
        """Keep what can never work in the dead letters: that settles it. What was ignored is told too."""
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
        delivery.settled |= {envelope.message_id for envelope in intake.rejected}

    def work_in_time(self, run: RunT, work: Callable[[RunT], None]) -> None:
        """Begin only what can be done; the rest comes back."""
        if run.todo() and not run.is_late(self._clock.now()):
            self.work_safely(run, work)

    def work_safely(self, run: RunT, work: Callable[[RunT], None]) -> None:
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
        if len(run.hints) <= 1:
            return
        self._clock.sleep(run.pause_alone())
        for lead_id in sorted(run.todo()):
            if run.is_late(self._clock.now()):
                return
            alone = run.alone(lead_id)
            self.work_safely(alone, work)
            run.finish(alone.finished)
            run.back |= alone.back

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))
        self._telemetry.count(type(error).__name__)


def _after(error: Exception) -> float | None:
    return error.after if isinstance(error, RetryLater) else None
