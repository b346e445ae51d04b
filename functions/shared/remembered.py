"""A value that is read again when it has become old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from functions.shared.clock import Clock

T = TypeVar("T")


class Remembered(Generic[T]):
    """One process's copy of what `read` gives; it is at most `max_age` old."""

    def __init__(self, read: Callable[[], T], clock: Clock, max_age: timedelta) -> None:
        self._read = read
        self._clock = clock
        self._max_age = max_age
        self._value: tuple[T, datetime] | None = None

    def get(self, max_age: timedelta | None = None) -> T:
        """Not older than `max_age`, where the caller is stricter. Raises what `read` raises."""
        now = self._clock.now()
        if self._value is None or now - self._value[1] > (self._max_age if max_age is None else max_age):
            self._value = self._read(), now
        return self._value[0]

    def forget(self) -> None:
        """The next `get` reads."""
        self._value = None
