"""What happens when: one thread that lets everything happen in the order of its virtual time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, Self

from functions.shared.errors import ConveyorError
from infra.local.clock import VirtualClock

log = logging.getLogger(__name__)

POLL_SECONDS = 0.01
SETTLING = timedelta(seconds=5)
"""The stack is not called idle while work that has come in goes on within this time by itself."""

CALM_SECONDS = 0.05
"""Real time without anything new after which a batching window is not sat out: the clock jumps to its end."""


class Source(Protocol):
    """Something that has work to do at certain moments."""

    @property
    def clockwork(self) -> bool:
        """True if its work comes from the clock alone (schedules), so that it never counts as unfinished."""

    def next_due(self) -> datetime | None:
        """When there is work next: past or future, None for never."""

    def run_due(self) -> None:
        """Do what is due now; return soon, the caller comes back while there is more."""

    def gathering_until(self) -> datetime | None:
        """When a batch is closed that has begun and waits for more; None if there is none."""


class StackFailed(ConveyorError):
    """A part of the local stack itself broke; the stack does not go on as if nothing had happened."""


class Timeline:
    """Runs the sources in their own thread: in real time by itself, through any stretch at once with `advance`."""

    def __init__(self, clock: VirtualClock, sources: Sequence[Source]) -> None:
        self._clock = clock
        self._sources = sources
        self._changed = threading.Condition()
        self._target: datetime | None = None
        self._working = False
        self._stopping = False
        self._failure: Exception | None = None
        self._disturbed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def disturb(self) -> None:
        """Something has come in from outside; more may follow."""
        with self._changed:
            self._disturbed = time.monotonic()
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; returns when everything due in them has happened. Raises StackFailed."""
        with self._changed:
            target = self._clock.now() + timedelta(seconds=seconds)
            self._target = max(target, self._target or target)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._target is None or self._failure or self._stopping)
            self.check()

    def idle(self) -> bool:
        """Nothing is being done, and no work that has come in goes on within SETTLING. Raises StackFailed."""
        with self._changed:
            self.check()
            soon = self._clock.now() + SETTLING
            due = (source.next_due() for source in self._sources if not source.clockwork)
            return not self._working and self._target is None and all(at is None or at > soon for at in due)

    def check(self) -> None:
        """Raises StackFailed if the thread has died."""
        if self._failure:
            raise StackFailed(f"the local stack broke: {self._failure!r}") from self._failure

    def _run(self) -> None:
        try:
            while not self._stopping:
                with self._changed:
                    target = self._target
                self._play(target or self._clock.now())
                if target is None:
                    self._wait_in_real_time()
                else:
                    self._settle()
                    self._arrive(target)
        except Exception as error:
            log.exception("the local stack broke")
            with self._changed:
                self._failure, self._working = error, False
                self._changed.notify_all()

    def _play(self, target: datetime) -> None:
        """Let happen what is due until `target`, the earliest first."""
        while not self._stopping:
            with self._changed:  # `idle` must not look between "due" and "being done"
                due = [(at, index) for index, source in enumerate(self._sources) if (at := source.next_due())]
                at, index = min(due, default=(target, -1))
                self._working = index >= 0 and at <= target
                if not self._working:
                    break
            self._clock.advance_to(at)
            self._sources[index].run_due()
        self._clock.advance_to(target)

    def _settle(self) -> None:
        """Close the batches that have begun."""
        while not self._stopping and (closing := self._batch_closes()):
            self._play(closing)

    def _arrive(self, target: datetime) -> None:
        with self._changed:
            if self._target == target:  # else somebody wants to go on further
                self._target = None
                self._changed.notify_all()

    def _wait_in_real_time(self) -> None:
        """Until something is due, or until it is calm enough to close a batch early."""
        while not self._stopping:
            with self._changed:
                now, due = self._clock.now(), [source.next_due() for source in self._sources]
                if self._target is not None or any(at is not None and at <= now for at in due):
                    return
                closing = self._batch_closes()
                if closing is None or time.monotonic() - self._disturbed < CALM_SECONDS:
                    self._changed.wait(POLL_SECONDS)
                    continue
            self._play(closing)

    def _batch_closes(self) -> datetime | None:
        return min((at for source in self._sources if (at := source.gathering_until())), default=None)
