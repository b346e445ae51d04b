"""Run rules over traces and keep the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from infra.cli.audit import Audit
from infra.cli.policies import Policy
from tests.benchmarks.fairness.traces import Trace

Rule = Callable[[Mapping[str, Fraction]], Policy]


@dataclass(frozen=True, order=True)
class Measured:
    """Largest distance from the fair share in total and in any channel, and the longest run of leads to one member."""

    total: float
    channel: float
    run: int


def measure(rule: Rule, trace: Trace) -> Measured:
    weights = {member: Fraction(weight) for member, weight in trace.weights.items()}
    policy, audit = rule(weights), Audit({member: float(weight) for member, weight in weights.items()})
    for eligible, channel in zip(trace.eligible, trace.channels, strict=True):
        audit.record(eligible, channel, policy.pick(eligible, channel))
    return Measured(audit.worst_in_total(), audit.worst_in_a_channel(), audit.longest_run)


def worst(found: Iterable[Measured]) -> Measured:
    """The worst of each figure, which need not come from one trace."""
    found = list(found)
    return Measured(max(m.total for m in found), max(m.channel for m in found), max(m.run for m in found))
