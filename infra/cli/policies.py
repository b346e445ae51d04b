"""Rules of distribution by name: ours, and those of existing products to measure it against.

A rule sees who is eligible, in list order (the order of the members), and the channel, and names the receiver; it keeps
its own state. The baselines are written after the code or the documentation of the product named.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Protocol

from functions.shared import fairness
from functions.shared.fairness import Ledger


class Policy(Protocol):
    def pick(self, eligible: Sequence[str], channel: str) -> str:
        """The receiver of the next lead; `eligible` is never empty. The rule's own state moves on."""


class Conveyor:
    """Our rule, by the very functions that the deployed distribution calls."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        self._weights = weights
        self._ledger: Ledger[str] = Ledger()

    def pick(self, eligible: Sequence[str], channel: str) -> str:
        weights = {member: self._weights[member] for member in eligible}
        receiver = fairness.choose(self._ledger, channel, weights)
        self._ledger = fairness.give(self._ledger, channel, weights, receiver)
        return receiver


class Greedy:
    """Greedy on deficits for any drop of one balance, to compare potentials: the largest sum over both books takes
    the lead, the highest id on ties. `total` and `channel` map the deficit after the claims, in UNITs, to its drop."""

    def __init__(
        self, weights: Mapping[str, Fraction], total: Callable[[int], float], channel: Callable[[int], float]
    ) -> None:
        self._weights = weights
        self._drops = total, channel
        self._total = dict.fromkeys(weights, 0)
        self._channels: dict[str, dict[str, int]] = {}
        self._claims: dict[tuple[str, ...], dict[str, int]] = {}

    def pick(self, eligible: Sequence[str], channel: str) -> str:
        total, own = self._total, self._channels.setdefault(channel, dict.fromkeys(self._weights, 0))
        for member, claim in self._due(tuple(eligible)).items():
            total[member] += claim
            own[member] += claim
        of_total, of_channel = self._drops
        receiver = max((of_total(total[member]) + of_channel(own[member]), member) for member in eligible)[1]
        total[receiver] -= fairness.UNIT
        own[receiver] -= fairness.UNIT
        return receiver

    def _due(self, eligible: tuple[str, ...]) -> dict[str, int]:
        if eligible not in self._claims:
            self._claims[eligible] = fairness.claims({member: self._weights[member] for member in eligible})
        return self._claims[eligible]


def sum_of_squares(deficit: int) -> int:
    return 2 * deficit - fairness.UNIT


def not_kept(_deficit: int) -> int:
    """The drop of a book that the rule does not keep."""
    return 0


class PointerRing:
    """Next in the list after the last receiver, skipping the absent (Bitrix24). Weights are ignored."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        self._members = list(weights)
        self._last = -1

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002 — one ring for all channels
        while True:
            self._last = (self._last + 1) % len(self._members)
            if self._members[self._last] in eligible:
                return self._members[self._last]


class RingRestart:
    """Next in the list of those present; back to its first when the last receiver is absent (Frappe, ERPNext)."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:  # noqa: ARG002 — the ring has no weights
        self._last: str | None = None

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        known = self._last in eligible and self._last != eligible[-1]
        self._last = eligible[eligible.index(self._last) + 1] if known and self._last else eligible[0]
        return self._last


class LeastRecentlyServed:
    """Whoever waits longest since his last lead (Chatwoot, Distribution Engine); list order at the start."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        self._served_at = dict.fromkeys(weights, 0)
        self._leads = 0

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        self._leads += 1
        receiver = min(eligible, key=self._served_at.__getitem__)
        self._served_at[receiver] = self._leads
        return receiver


class LeanData:
    """The smallest pointer, which each lead moves on by 1/weight (LeanData); list order on ties."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        whole = _whole(weights)
        once_round = lcm(*whole.values())
        self._step = {member: once_round // weight for member, weight in whole.items()}
        self._pointer = dict.fromkeys(weights, 0)

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        receiver = min(eligible, key=self._pointer.__getitem__)
        self._pointer[receiver] += self._step[receiver]
        return receiver


class FewestSoFar:
    """The fewest leads received in relation to the weight; the lowest id on ties."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        self._weights = {member: float(weight) for member, weight in weights.items()}
        self._received = dict.fromkeys(weights, 0)

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        receiver = min(eligible, key=lambda member: (self._received[member] / self._weights[member], member))
        self._received[receiver] += 1
        return receiver


class SmoothRoundRobin:
    """nginx: everybody eligible gains his weight, the largest pays the sum of the weights; the highest id on ties."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:
        self._weights = _whole(weights)
        self._current = dict.fromkeys(weights, 0)

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        for member in eligible:
            self._current[member] += self._weights[member]
        receiver = max(eligible, key=lambda member: (self._current[member], member))
        self._current[receiver] -= sum(self._weights[member] for member in eligible)
        return receiver


class LibreDesk:
    """Smooth round robin with weight 1, whose balances are lost whenever somebody is away."""

    def __init__(self, weights: Mapping[str, Fraction]) -> None:  # noqa: ARG002 — weights are always 1 there
        self._current: dict[str, int] = {}

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        kept = {member: balance for member, balance in self._current.items() if member in eligible}
        joined = {member: 0 for member in eligible if member not in kept}
        self._current = {member: balance + 1 for member, balance in {**kept, **joined}.items()}
        receiver = max(self._current, key=self._current.__getitem__)
        self._current[receiver] -= len(self._current)
        return receiver


class Random:
    """Drawn by weight, always from the same seed: two runs give the same assignments."""

    def __init__(self, weights: Mapping[str, Fraction], seed: int = 1) -> None:
        self._weights = {member: float(weight) for member, weight in weights.items()}
        self._random = random.Random(seed)

    def pick(self, eligible: Sequence[str], channel: str) -> str:  # noqa: ARG002
        return self._random.choices(eligible, [self._weights[member] for member in eligible])[0]


def _whole(weights: Mapping[str, Fraction]) -> dict[str, int]:
    """The weights times their common denominator: the same proportions in whole numbers."""
    scale = lcm(*(weight.denominator for weight in weights.values()))
    return {member: int(weight * scale) for member, weight in weights.items()}


POLICIES: dict[str, Callable[[Mapping[str, Fraction]], Policy]] = {
    "conveyor": Conveyor,
    "sum-of-squares": lambda weights: Greedy(weights, sum_of_squares, sum_of_squares),
    "total-only": lambda weights: Greedy(weights, sum_of_squares, not_kept),
    "channel-only": lambda weights: Greedy(weights, not_kept, sum_of_squares),
    "pointer-ring": PointerRing,
    "ring-restart": RingRestart,
    "least-recently-served": LeastRecentlyServed,
    "fewest-so-far": FewestSoFar,
    "leandata": LeanData,
    "nginx-swrr": SmoothRoundRobin,
    "libredesk": LibreDesk,
    "random": Random,
}
"""By the name that `conveyor simulate --policy` takes."""
