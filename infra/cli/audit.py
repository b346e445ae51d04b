"""The distance from the fair share, measured from outside: who could have had each lead, and who got it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Deviations:
    """Received minus claims of each member in leads: `now`, and in `worst` the largest absolute value so far."""

    now: dict[str, float] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)

    def add(self, member: str, amount: float) -> None:
        self.now[member] = self.now.get(member, 0.0) + amount
        self.worst[member] = max(self.worst.get(member, 0.0), abs(self.now[member]))


class Audit:
    """Knows the weights and nothing of any rule's own books.

    A lead hands out claims in proportion to the weights of those eligible. `longest_run` counts leads in a row to one
    member, over leads for which more than one was eligible.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._run = ("", 0)
        self.received = dict.fromkeys(weights, 0)
        self.total = Deviations()
        self.channels: dict[str, Deviations] = {}
        self.longest_run = 0

    def record(self, eligible: Sequence[str], channel: str, receiver: str) -> None:
        if channel not in self.channels:
            self.channels[channel] = Deviations()
        whole = sum(self._weights[member] for member in eligible)
        for member in eligible:
            amount = (member == receiver) - self._weights[member] / whole
            self.total.add(member, amount)
            self.channels[channel].add(member, amount)
        self.received[receiver] += 1
        if len(eligible) > 1:
            self._run = (receiver, self._run[1] + 1 if receiver == self._run[0] else 1)
            self.longest_run = max(self.longest_run, self._run[1])

    def worst_in_total(self) -> float:
        return _largest(self.total)

    def worst_in_a_channel(self) -> float:
        return max(map(_largest, self.channels.values()), default=0.0)


def _largest(deviations: Deviations) -> float:
    """Without the noise of 20,000 float additions, which stays far below the ninth digit."""
    return round(max(deviations.worst.values(), default=0.0), 9)
