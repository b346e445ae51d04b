"""One batch of messages in work: which leads it speaks of, and which messages are done when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass
class Batch:
    """`messages` are the ids of the messages that speak of each lead. A message is done when all its leads are
    finished; the others come back: by back-off, and not before the seconds that `back` names."""

    messages: Mapping[int, frozenset[str]]
    finished: set[int] = field(default_factory=set)
    back: dict[int, float | None] = field(default_factory=dict)

    def finish(self, lead_ids: Iterable[int]) -> None:
        self.finished.update(lead_ids)

    def come_back(self, lead_ids: Iterable[int], after: float | None) -> None:
        self.back.update(dict.fromkeys(lead_ids, after))

    def open(self) -> set[int]:
        """The leads that are not finished."""
        return self.messages.keys() - self.finished

    def messages_back(self) -> dict[str, float | None]:
        """The messages that must come back: all that speak of a lead which is not finished."""
        return latest(dict.fromkeys(self.messages[lead], self.back.get(lead)) for lead in self.open())


def latest(backs: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Messages that come back for several reasons come back when the last of them allows it."""
    result: dict[str, float | None] = {}
    for back in backs:
        for message, after in back.items():
            result[message] = max(filter(None, (after, result.get(message))), default=None)
    return result
