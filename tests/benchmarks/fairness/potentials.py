"""Which potential? The candidates on the traces the choice was made on, and on traces it never saw."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from multiprocessing import Pool
from statistics import mean

from functions.shared import fairness
from functions.shared.fairness import UNIT, Ledger
from infra.cli.policies import POLICIES, Greedy
from tests.benchmarks.fairness import tables
from tests.benchmarks.fairness.runner import Measured, Rule, measure, worst
from tests.benchmarks.fairness.tables import GOAL, print_table
from tests.benchmarks.fairness.traces import Trace, hard_set, reference

TEAMS = [[1] * 5, [1] * 12, [5, 3, 2, 1, 1], [10, 1, 1, 1, 1, 1, 1], [1] * 8, [4, 3, 2, 2, 1, 1, 1, 1]]
TUNING, HOLD_OUT, UNSEEN = 0, 1000, 4000
"""First seed of the traces that the potential was chosen on, of those that confirm it, and of the large count."""

Slope = Callable[[float], float]
"""The drop of one balance as a function of y = deficit after the claims − 1/2, in leads."""


def _even_power(power: int) -> Slope:
    return lambda y: (y + 0.5) ** power - (y - 0.5) ** power


def _cosh(steepness: float) -> Slope:
    return lambda y: math.sinh(steepness * y)


def _exp(steepness: float) -> Slope:
    return lambda y: math.exp(steepness * y)


def _mixed(factor: float, power: int) -> Slope:
    return lambda y: y + factor * y**power


SLOPES: dict[str, Slope] = {
    "x²": _even_power(2),
    "x⁴": _even_power(4),
    "x⁶": _even_power(6),
    "x¹⁰": _even_power(10),
    "exp(x)": _exp(1),
    "cosh(1.5x)": _cosh(1.5),
    "cosh(3x)": _cosh(3),
    "cosh(5x)": _cosh(5),
    "slope y + 5/2·y⁵": _mixed(5 / 2, 5),
    "slope y + 4·y⁵": _mixed(4, 5),
}


def _greedy(slope: Slope) -> Rule:
    def drop(deficit: int) -> float:
        return slope(_middle(deficit))

    return lambda weights: Greedy(weights, drop, drop)


class OtherChannels:
    """A third term beside the two books: for each other channel, what a member is owed outside of it.

    total − (balance in c') is what leads of all channels but c' have to make good, and a lead of this channel does.
    The terms are averaged, by how many leads each channel has had (`counted`: state that our ledger does not keep) or
    equally.
    """

    def __init__(self, weights: Mapping[str, Fraction], *, counted: bool) -> None:
        self._weights = weights
        self._counted = counted
        self._ledger: Ledger[str] = Ledger()
        self._leads: Counter[str] = Counter()

    def pick(self, eligible: Sequence[str], channel: str) -> str:
        self._leads[channel] += 1
        weights = {member: self._weights[member] for member in eligible}
        due = fairness.claims(weights)
        receiver = max((self._drop(member, claim, channel), member) for member, claim in due.items())[1]
        self._ledger = fairness.give(self._ledger, channel, weights, receiver)
        return receiver

    def _drop(self, member: str, claim: int, channel: str) -> float:
        others = {name: leads if self._counted else 1 for name, leads in self._leads.items() if name != channel}
        total = self._ledger.total.get(member, 0)
        y = _middle(total + claim)
        z = _middle(self._ledger.channel(channel).get(member, 0) + claim)
        drop = 0.7 * y + 2.5 * y**5 + z + 2.5 * z**5
        for name, share in others.items():
            outside = _middle(total - self._ledger.channel(name).get(member, 0) + claim)
            drop += (0.5 * outside + 0.2 * outside**5) * share / sum(others.values())
        return drop


def _middle(deficit: int) -> float:
    return deficit / UNIT - 0.5


CONVEYOR = "conveyor: slope y + 7/4·y⁵"
RULES: dict[str, Rule] = {CONVEYOR: POLICIES["conveyor"]}
RULES.update({name: _greedy(slope) for name, slope in SLOPES.items()})
COUNTED: dict[str, Rule] = {name: RULES[name] for name in (CONVEYOR, "x²", "x⁴", "cosh(3x)", "slope y + 5/2·y⁵")}
COUNTED |= {
    "other channels, equally": partial(OtherChannels, counted=False),
    "other channels, by leads so far": partial(OtherChannels, counted=True),
}
"""The rules that are worth many more traces."""


def published(first: int, seeds: int, teams: Iterable[list[int]] = TEAMS) -> Iterator[Trace]:
    """The published generator with sick leave and shifts; six teams, the four published ones among them."""
    for seed in range(first, first + seeds):
        for mode in ("sick", "shifts"):
            for weights in teams:
                yield reference(seed, weights, mode)


def hard(first: int, seeds: int, few: bool) -> Iterator[Trace]:
    """The harder families; `few` (two or three people drawn anew at each lead) apart: nothing stays at 1.75 there."""
    return (trace for trace in hard_set(range(first, first + seeds)) if trace.name.startswith("few") == few)


FAMILIES: dict[str, Callable[[int, int], Iterator[Trace]]] = {
    "sick leave and shifts": published,
    "hard": partial(hard, few=False),
    "few": partial(hard, few=True),
}


def compare(seeds: int = 2, first_held_out: int = HOLD_OUT) -> None:
    """Print one table for each family; `seeds` are used for tuning, and as many for the hold-out."""
    for family, traces in FAMILIES.items():
        with Pool() as pool:
            tuning = pool.map(_all_rules, traces(TUNING, seeds), chunksize=1)
            hold_out = pool.map(_all_rules, traces(first_held_out, seeds), chunksize=1)
        count = f"{len(tuning)} tuning and {len(hold_out)} hold-out traces"
        print(f"\n{family}: worst total / channel (traces above {GOAL}); {count}\n")
        rows = [[name, _cell(name, tuning), _cell(name, hold_out)] for name in RULES]
        print_table(["potential", "tuning", "hold-out"], rows)


def count(seeds: int = 50, first: int = UNSEEN) -> None:
    """Print how many traces of the published kind (its teams, sick leave or shifts) exceed the goal under each rule."""
    with Pool() as pool:
        found = pool.map(_counted_rules, published(first, seeds, tables.TEAMS.values()), chunksize=1)
    print(f"{len(found)} traces, seeds {first} to {first + seeds - 1}: how many exceed {GOAL}\n")
    print_table(
        ["rule", "above the goal", "in total", "in a channel", "mean of the worst", "worst"], list(_counts(found))
    )


def _counts(found: list[dict[str, Measured]]) -> Iterator[list[str]]:
    for name in COUNTED:
        totals, channels = ([getattr(of[name], book) for of in found] for book in ("total", "channel"))
        largest = list(map(max, totals, channels))
        above = [str(sum(distance > GOAL for distance in distances)) for distances in (largest, totals, channels)]
        yield [name, *above, f"{mean(largest):.3f}", f"{max(totals):.2f} / {max(channels):.2f}"]


def _all_rules(trace: Trace) -> dict[str, Measured]:
    return {name: measure(rule, trace) for name, rule in RULES.items()}


def _counted_rules(trace: Trace) -> dict[str, Measured]:
    return {name: measure(rule, trace) for name, rule in COUNTED.items()}


def _cell(name: str, found: list[dict[str, Measured]]) -> str:
    measured = [of_trace[name] for of_trace in found]
    top, above = worst(measured), sum(max(m.total, m.channel) > GOAL for m in measured)
    return f"{top.total:.2f} / {top.channel:.2f} ({above})"
