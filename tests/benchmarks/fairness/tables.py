"""The fairness tables: our rule beside those of existing products, on the same traces."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from infra.cli.policies import POLICIES
from tests.benchmarks.fairness.runner import Measured, measure, worst
from tests.benchmarks.fairness.traces import LEADS, members, reference

GOAL = 1.75
"""Leads; what our rule is to keep in total and in every channel."""

SEEDS = range(3)
MODES = ("always", "sick", "shifts")
TEAMS = {
    "1:1:1:1:1": [1] * 5,
    "twelve × 1": [1] * 12,
    "5:3:2:1:1": [5, 3, 2, 1, 1],
    "10:1:1:1:1:1:1": [10, 1, 1, 1, 1, 1, 1],
}
ONE_BOOK = ["pointer-ring", "random", "fewest-so-far", "nginx-swrr", "total-only", "conveyor"]
TWO_BOOKS = ["channel-only", "total-only", "sum-of-squares", "conveyor"]

Results = dict[tuple[str, str, int, str], Measured]
"""By presence, team, seed and policy."""


def run() -> dict[str, Any]:
    """Measure, print the tables, return the figures; about a minute on one core."""
    results: Results = {
        (mode, team, seed, policy): measure(rule, trace)
        for mode in MODES
        for team, weights in TEAMS.items()
        for seed in SEEDS
        for trace in [reference(seed, weights, mode)]
        for policy, rule in POLICIES.items()
    }
    floods = {policy: flood(policy) for policy in POLICIES}
    _print_one_book(results)
    _print_two_books(results)
    _print_policies(results, floods)
    figures = summary(results, floods)
    ours = figures["ours"]
    print(f"\nconveyor: {ours['total']:.3f} in total, {ours['channel']:.3f} in a channel; goal {GOAL}")
    return figures


def flood(policy: str, team: int = 5, missed: int = 400) -> int:
    """Leads in a row to one who comes back after `missed` leads, in a team of equal weights."""
    weights = members([1] * team)
    everybody = list(weights)
    eligible = [everybody] * 100 + [everybody[1:]] * missed + [everybody] * missed
    rule = POLICIES[policy]({member: Fraction(1) for member in weights})
    receivers = [rule.pick(present, "site") for present in eligible]
    return _longest_run(receivers[100 + missed :], everybody[0])


def _longest_run(receivers: list[str], member: str) -> int:
    longest = run = 0
    for receiver in receivers:
        run = run + 1 if receiver == member else 0
        longest = max(longest, run)
    return longest


def summary(results: Results, floods: dict[str, int]) -> dict[str, Any]:
    figures = {policy: _worst(results, policy) for policy in POLICIES}
    return {
        "leads": LEADS,
        "goal": GOAL,
        "ours": {"total": figures["conveyor"].total, "channel": figures["conveyor"].channel},
        "policies": {
            policy: {"total": m.total, "channel": m.channel, "longest_run": m.run, "flood": floods[policy]}
            for policy, m in figures.items()
        },
        "traces": [
            {"presence": mode, "weights": team, "seed": seed, "policy": policy, "total": m.total, "channel": m.channel}
            for (mode, team, seed, policy), m in results.items()
        ],
    }


def _worst(
    results: Results, policy: str, mode: str | None = None, team: str | None = None, seeds: range = SEEDS
) -> Measured:
    return worst(
        m
        for (mode_, team_, seed, policy_), m in results.items()
        if policy_ == policy and mode in (None, mode_) and team in (None, team_) and seed in seeds
    )


def _print_one_book(results: Results) -> None:
    print(f"One book: largest distance in total / longest run; {LEADS} leads, worst of seeds 0 to 2\n")
    rows = [
        [mode, team, *(f"{m.total:,.2f} / {m.run}" for m in (_worst(results, p, mode, team) for p in ONE_BOOK))]
        for mode in MODES
        for team in TEAMS
    ]
    print_table(["presence", "weights", *ONE_BOOK], rows)


def _print_two_books(results: Results) -> None:
    print("\nTwo books: largest distance in total / in any channel; same traces, worst of seeds 0 and 1\n")
    rows = [
        [
            mode,
            team,
            *(
                f"{m.total:.2f} / {m.channel:.2f}"
                for m in (_worst(results, p, mode, team, range(2)) for p in TWO_BOOKS)
            ),
        ]
        for mode in MODES
        for team in TEAMS
    ]
    print_table(["presence", "weights", *TWO_BOOKS], rows)


def _print_policies(results: Results, floods: dict[str, int]) -> None:
    print("\nEvery rule: worst over all these traces; flood = leads in a row to one of five who missed 400 leads\n")
    rows = [
        [policy, f"{m.total:,.2f}", f"{m.channel:,.2f}", str(m.run), str(floods[policy])]
        for policy, m in ((policy, _worst(results, policy)) for policy in POLICIES)
    ]
    print_table(["rule", "in total", "in a channel", "longest run", "flood"], rows)


def print_table(head: list[str], rows: list[list[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(row) + " |", flush=True)
