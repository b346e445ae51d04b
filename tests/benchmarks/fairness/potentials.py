"""Which potential? The candidates on the traces the choice was made on, and on traces it never saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pool

from functions.distribute.fairness import UNIT
from infra.cli.policies import POLICIES, Greedy
from tests.benchmarks.fairness.runner import Measured, Rule, measure, worst
from tests.benchmarks.fairness.tables import GOAL, print_table
from tests.benchmarks.fairness.traces import Trace, hard_set, reference

TEAMS = [[1] * 5, [1] * 12, [5, 3, 2, 1, 1], [10, 1, 1, 1, 1, 1, 1], [1] * 8, [4, 3, 2, 2, 1, 1, 1, 1]]
TUNING, HOLD_OUT = 0, 1000
"""First seed of the traces that the potential was chosen on, and of those that confirm it."""

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
    "slope y + 2y⁵": _mixed(2, 5),
    "slope y + 4y⁵": _mixed(4, 5),
}


def _greedy(slope: Slope) -> Rule:
    def drop(deficit: int) -> float:
        return slope(deficit / UNIT - 0.5)

    return lambda weights: Greedy(weights, drop, drop)


RULES: dict[str, Rule] = {"conveyor: slope y + 5/2·y⁵": POLICIES["conveyor"]}
RULES.update({name: _greedy(slope) for name, slope in SLOPES.items()})


def published(first: int, seeds: int) -> Iterator[Trace]:
    """The published generator with sick leave and shifts, six teams."""
    for seed in range(first, first + seeds):
        for mode in ("sick", "shifts"):
            for weights in TEAMS:
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


def _all_rules(trace: Trace) -> dict[str, Measured]:
    return {name: measure(rule, trace) for name, rule in RULES.items()}


def _cell(name: str, found: list[dict[str, Measured]]) -> str:
    measured = [of_trace[name] for of_trace in found]
    top, above = worst(measured), sum(max(m.total, m.channel) > GOAL for m in measured)
    return f"{top.total:.2f} / {top.channel:.2f} ({above})"
