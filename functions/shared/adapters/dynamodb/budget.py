"""The account's request budget: one DynamoDB item that all functions share.

amoCRM allows an integration 7 requests a second and blocks the account of those who keep exceeding it (amoCRM API:
limits), so no process may decide alone. The item holds the theoretical arrival time of GCRA: the moment from which
the next request may go out. A process leases a piece of the time line by moving that moment with one conditional
write, and is then alone on its piece; within it, its own requests keep their distance. So any two requests of the
account are one spacing apart, whoever sends them, and what is not used of a piece is lost rather than caught up.
The clocks of the processes must agree to some 10 ms, which those of Lambda do.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import from_micros, micros
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.errors import AmoCrmUnavailable

if TYPE_CHECKING:
    from functions.shared.clock import Clock
    from functions.shared.telemetry import Telemetry

MARGIN, LATE = 1.03, timedelta(milliseconds=30)
"""Slots lie 3 % further apart than the rate says: n + 1 requests then span 1.03 s, and one that leaves up to 30 ms
late (DynamoDB's answer, a waking process, clocks apart) still does not bring an extra request into any second."""

FIRST_BLOCK, LARGEST_BLOCK = 6, 12
"""Slots leased at once: six are a lone lead's requests for one write; twelve hold others up for two seconds."""

IDLE = timedelta(seconds=10)
"""After such a pause the experience with block sizes is forgotten."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(minutes=30)
"""Between probes of a blocked account. Only amoCRM's support lifts a block: hurry would be held against us."""

TRIES = 10
"""Lost races for the item, or lost pieces, in a row before we leave the request to the queue."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoBudget:
    """A `RequestBudget` for all processes that use the table; safe to share between threads.

    `per_second` is what any sliding second may hold at most. `longest_wait` is how far ahead a slot may lie: beyond
    it `acquire` raises instead of sleeping through a function's time. Metrics: AmoCrmRequests, AmoCrmThrottled,
    AmoCrmBreakerOpened, AmoCrmBreakerClosed.
    """

    def __init__(
        self,
        table: Table,
        clock: Clock,
        telemetry: Telemetry,
        per_second: float = 6.0,
        longest_wait: timedelta = timedelta(seconds=20),
    ) -> None:
        self._table = table
        self._clock = clock
        self._telemetry = telemetry
        self._spacing = timedelta(microseconds=math.ceil(1_000_000 / per_second * MARGIN))
        self._longest_wait = longest_wait
        self._lock = RLock()
        self._next = self._last = _EPOCH
        """The piece we hold: our next request may go out from `_next` on, but not later than `_last`."""
        self._tat = _EPOCH
        """The shared theoretical arrival time as we last saw it."""
        self._announced = self._leased = self._used = 0
        self._probing = False
        self._pause = FIRST_PAUSE

    def expect(self, requests: int) -> None:
        """Let the next lease be as large as so many requests want it, up to LARGEST_BLOCK."""
        with self._lock:
            self._announced = requests

    def acquire(self) -> None:
        """Return when one request may be sent; sleeps through the clock.

        Raises AmoCrmUnavailable with the seconds to wait: the breaker is open, or the next free slot lies beyond
        `longest_wait`; RetryLater if DynamoDB is not to be had.
        """
        with self._lock:
            self._next = self._slot() + self._spacing
            self._used += 1
            self._telemetry.count("AmoCrmRequests")

    def _slot(self) -> datetime:
        """Sleep until a moment of our own has come, leasing what is missing.

        A piece that passes while DynamoDB answers, or while the process is frozen, is given up for a longer one.
        """
        for lost in range(TRIES):
            moment = max(self._clock.now(), self._next)
            if moment > self._last + LATE:
                self._lease(at_least=2**lost)
                moment = max(self._clock.now(), self._next)
            self._clock.sleep((moment - self._clock.now()).total_seconds())
            woken = self._clock.now()
            if woken <= self._last + LATE:
                return moment if woken <= moment + LATE else woken
        raise AmoCrmUnavailable("the request budget is too slow to keep a pace with it", after=1.0)

    def answered(self) -> None:
        """Close the breaker if the request was our probe; otherwise free of cost."""
        with self._lock:
            if self._probing:
                self.close_breaker()

    def slow_down(self, seconds: float) -> None:
        """No new piece of the time line begins before `seconds` from now; pieces held by others end within 2 s."""
        with self._lock:
            self._drop_piece()
            until = self._clock.now() + timedelta(seconds=seconds)
            self._telemetry.count("AmoCrmThrottled")
            try:
                self._table.update(
                    keys.budget(),
                    "SET tat = :until",
                    {":until": micros(until)},
                    "attribute_not_exists(tat) OR tat < :until",
                )
                self._tat = until
            except ConditionFailed as elsewhere:
                self._tat = _moment(elsewhere.items[0] or {}, "tat")

    def open_breaker(self, reason: str) -> float:
        """Stop everybody; returns the seconds until one probe is let through.

        Opened again by the probe itself, the pause doubles; opened by a request that was still under way, nothing
        changes. `reason` is kept for people and must hold no personal data.
        """
        with self._lock:
            self._drop_piece()
            pause = FIRST_PAUSE
            condition = "attribute_not_exists(probe_at)"
            if self._probing:
                pause = min(self._pause * 2, LONGEST_PAUSE)
                condition = "attribute_exists(probe_at)"
            self._probing = False
            values: Item = {
                ":at": micros(self._clock.now() + pause),
                ":pause": int(pause.total_seconds()),
                ":why": reason,
            }
            try:
                self._table.update(
                    keys.budget(),
                    "SET probe_at = :at, pause_seconds = :pause, blocked_because = :why",
                    values,
                    condition,
                )
                self._telemetry.count("AmoCrmBreakerOpened")
            except ConditionFailed as elsewhere:
                return self._until(_moment(elsewhere.items[0] or {}, "probe_at"))
            return pause.total_seconds()

    def close_breaker(self) -> None:
        """Let requests through again: after a probe that was answered, or on an operator's command."""
        with self._lock:
            self._probing = False
            self._table.update(keys.budget(), "REMOVE probe_at, pause_seconds, blocked_because", {})
            self._telemetry.count("AmoCrmBreakerClosed")

    def _lease(self, at_least: int) -> None:
        """Take the next free piece of the time line."""
        self._probing = False
        size = max(self._next_block(), min(at_least, LARGEST_BLOCK))
        length = size * self._spacing
        for _ in range(TRIES):
            now = self._clock.now()
            start = max(now, self._tat)
            if start - now > self._longest_wait:
                raise AmoCrmUnavailable("the request budget is spent ahead", (start - now).total_seconds())
            try:
                self._move_tat(start, start + length, is_free=start == now)
            except ConditionFailed as elsewhere:
                item = elsewhere.items[0] or {}
                if "probe_at" in item:
                    self._probe(item)
                    return
                self._tat = _moment(item, "tat")
                continue
            self._tat = start + length
            self._hold(start, size)
            return
        raise AmoCrmUnavailable("too many processes race for the request budget", after=1.0)

    def _move_tat(self, start: datetime, end: datetime, is_free: bool) -> None:
        """One conditional write: the line is free since before `start`, or is exactly as long as we believe."""
        condition = "(attribute_not_exists(tat) OR tat <= :start)" if is_free else "tat = :start"
        values = {":start": micros(start), ":end": micros(end)}
        self._table.update(keys.budget(), "SET tat = :end", values, f"{condition} AND attribute_not_exists(probe_at)")

    def _next_block(self) -> int:
        """How many slots to lease: more while we come back before our next slot is due, fewer after we let slots
        pass by, for those are lost to everybody. An announcement counts unless we know ourselves to be slow."""
        now = self._clock.now()
        announced, self._announced = self._announced, 0
        if now - self._last > IDLE:
            block = max(FIRST_BLOCK, announced)
        elif self._used < self._leased:
            block = self._used
        elif now < self._next:
            block = max(2 * self._leased, announced)
        else:
            block = self._leased
        return max(1, min(block, LARGEST_BLOCK))

    def _probe(self, item: Item) -> None:
        """The breaker is open: raise, or take the one request that may look whether amoCRM is back."""
        probe_at = _moment(item, "probe_at")
        if self._clock.now() < probe_at:
            raise AmoCrmUnavailable("requests to amoCRM are stopped, the account is blocked", self._until(probe_at))
        pause = timedelta(seconds=item["pause_seconds"])
        try:
            self._table.update(
                keys.budget(),
                "SET probe_at = :next",
                {":next": micros(self._clock.now() + pause), ":seen": item["probe_at"]},
                "probe_at = :seen",
            )
        except ConditionFailed:
            message = "requests to amoCRM are stopped, another process probes"
            raise AmoCrmUnavailable(message, pause.total_seconds()) from None
        self._probing, self._pause = True, pause
        self._hold(self._clock.now(), 1)

    def _hold(self, start: datetime, size: int) -> None:
        self._next, self._last = start, start + (size - 1) * self._spacing
        self._leased, self._used = size, 0

    def _drop_piece(self) -> None:
        self._next = self._last = _EPOCH
        self._leased = self._used = 0

    def _until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._clock.now()).total_seconds())


def _moment(item: Item, name: str) -> datetime:
    return from_micros(item.get(name, 0))
