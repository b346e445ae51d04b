"""A lock across processes that ends by itself when its holder dies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import ConditionFailed, Table

if TYPE_CHECKING:
    from functions.shared.clock import Clock


class Lock:
    """`lease` must be longer than the guarded work can take: afterwards another process may enter."""

    def __init__(self, table: Table, name: str, clock: Clock, lease: timedelta = timedelta(minutes=1)) -> None:
        self._table = table
        self._key = keys.lock(name)
        self._clock = clock
        self._lease = lease

    @contextmanager
    def attempt(self) -> Iterator[bool]:
        """True inside if the lock is ours, False if somebody else holds it; never waits."""
        holder = uuid.uuid4().hex
        now = int(self._clock.now().timestamp())
        until = now + int(self._lease.total_seconds())
        try:
            self._table.put(
                {**self._key, "holder": holder, "held_until": until},
                "attribute_not_exists(pk) OR held_until < :now",
                {":now": now},
            )
        except ConditionFailed:
            yield False
            return
        try:
            yield True
        finally:
            with suppress(ConditionFailed):  # it ran out, and belongs to another by now
                self._table.update(self._key, "SET held_until = :free", {":free": 0, ":me": holder}, "holder = :me")
