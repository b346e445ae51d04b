"""One batch of messages in work: which leads it speaks of, and which messages are done when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, Protocol, Self, TypeVar

from functions.shared.department import Department
from functions.shared.limits import LEFT_FOR_A_SLICE

Backs = Mapping[str, float | None]
"""The messages that must come back: by back-off, and not before so many seconds."""


class Said(Protocol):
    """What messages say of a lead; `messages` are the ids of those that are done when the lead is."""

    @property
    def messages(self) -> frozenset[str]: ...


HintT = TypeVar("HintT", bound=Said)


@dataclass(kw_only=True)
class Run(Generic[HintT]):
    """`hints` is what the messages say, one hint a lead. A message is done when all its leads are finished; the others
    come back: by back-off, and not before the seconds that `back` names."""

    department: Department
    deadline: datetime
    hints: Mapping[int, HintT]
    finished: set[int] = field(default_factory=set)
    back: dict[int, float | None] = field(default_factory=dict)

    def finish(self, lead_ids: Iterable[int]) -> None:
        self.finished.update(lead_ids)

    def come_back(self, lead_ids: Iterable[int], after: float | None) -> None:
        self.back.update(dict.fromkeys(lead_ids, after))

    def open(self) -> set[int]:
        """The leads that are not finished."""
        return self.hints.keys() - self.finished

    def todo(self) -> set[int]:
        """The leads that are neither finished nor put off."""
        return self.open() - self.back.keys()

    def left(self, now: datetime) -> timedelta:
        """The time until the deadline."""
        return self.deadline - now

    def is_late(self, now: datetime) -> bool:
        """Whether no slice can be begun any more."""
        return self.left(now) < LEFT_FOR_A_SLICE

    def alone(self, lead_id: int) -> Self:
        """The same run with one lead only."""
        return replace(self, hints={lead_id: self.hints[lead_id]}, finished=set(), back={})

    def pause_alone(self) -> float:
        """Seconds to let pass before the leads of a failed run are worked one by one."""
        return 0.0

    def messages_back(self) -> Backs:
        """All messages that speak of a lead which is not finished."""
        return latest(dict.fromkeys(self.hints[lead_id].messages, self.back.get(lead_id)) for lead_id in self.open())


def latest(backs: Iterable[Backs]) -> Backs:
    """Messages that come back for several reasons come back when the last of them allows it."""
    result: dict[str, float | None] = {}
    for back in backs:
        for message, after in back.items():
            result[message] = max(filter(None, (after, result.get(message))), default=None)
    return result
