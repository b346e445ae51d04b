"""Traces to measure fairness on: who could take each lead, and through which channel it came.

`reference` is the generator behind the published tables (same seeds, same numbers on CPython 3.11 and 3.13); the other
families look for what is hard: irregular presence, half a team ill at once, bursts, tiny channels, segments.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LEADS = 20_000
SIX_CHANNELS = [2.0**-k for k in range(1, 7)]


@dataclass(frozen=True)
class Trace:
    """`eligible[t]` are the members who can take lead t (never empty), in list order; `channels[t]` is its channel."""

    name: str
    weights: dict[str, int]
    eligible: list[list[str]]
    channels: list[str]


def members(weights: list[int]) -> dict[str, int]:
    """m00, m01, … in the order of the weights."""
    return {f"m{position:02d}": weight for position, weight in enumerate(weights)}


def reference_presence(seed: int, team: list[str], leads: int, mode: str) -> Iterator[list[str]]:
    """always | sick (ill with 0.002 a lead, for 50 to 400 leads) | shifts (sick, and 40 leads off in 120, staggered).

    Nobody present: the lead is forced to one member in turn.
    """
    r = random.Random(seed)
    back: dict[str, int] = {}
    for t in range(leads):
        if mode == "always":
            yield list(team)
            continue
        eligible = []
        for i, m in enumerate(team):
            if back.get(m, -1) > t:
                continue  # ill
            if r.random() < 0.002:
                back[m] = t + r.randint(50, 400)
                continue
            if mode == "shifts" and (t // 40 + i) % 3 == 0:
                continue  # off duty
            eligible.append(m)
        yield eligible or [team[t % len(team)]]


def reference(seed: int, weights: list[int], mode: str, leads: int = LEADS) -> Trace:
    """A trace of the published tables: six channels with 1/2, 1/4 … 1/64."""
    team = members(weights)
    drawn = random.Random(seed + 99).choices([f"c{k}" for k in range(6)], SIX_CHANNELS, k=leads)
    eligible = list(reference_presence(seed, list(team), leads, mode))
    shape = ":".join(map(str, weights))
    return Trace(f"{mode} {shape} #{seed}", team, eligible, drawn)


# Presence, one function a family: (random, team, leads) -> the set present at each lead; the caller fills empty ones.
Presence = Callable[[random.Random, list[str], int], Iterator[list[str]]]


def rota(r: random.Random, team: list[str], leads: int) -> Iterator[list[str]]:
    """Shifts of one length, staggered, with sick leave: the regular life of a team."""
    block, cycle = r.choice([5, 13, 40, 100]), r.choice([2, 3, 4, 5])
    off = r.randint(1, cycle - 1)
    back: dict[str, int] = {}
    for t in range(leads):
        for m in team:
            if back.get(m, -1) <= t and r.random() < 0.002:
                back[m] = t + r.randint(50, 400)
        yield [m for i, m in enumerate(team) if (t // block + i) % cycle >= off and back.get(m, -1) <= t]


def irregular(r: random.Random, team: list[str], leads: int) -> Iterator[list[str]]:
    """Each lead finds each member present with a probability of his own."""
    common = r.choice([0.15, 0.3, 0.6, 0.85, 0.0])
    often = {m: common or r.uniform(0.05, 1.0) for m in team}
    for _ in range(leads):
        yield [m for m in team if r.random() < often[m]]


def drifting(r: random.Random, team: list[str], leads: int) -> Iterator[list[str]]:
    """Members come and go one by one and stay for a while."""
    leave, enter = 1 / r.choice([3, 10, 30, 100]), 1 / r.choice([3, 10, 30, 100])
    present = dict.fromkeys(team, True)
    for _ in range(leads):
        for m in team:
            if r.random() < (leave if present[m] else enter):
                present[m] = not present[m]
        yield [m for m in team if present[m]]


def half_ill(r: random.Random, team: list[str], leads: int) -> Iterator[list[str]]:
    """Now and then half of the team is away together."""
    away: set[str] = set()
    until, stays = 0, r.choice([5, 20, 80, 300])
    for t in range(leads):
        if t >= until:
            until = t + r.randint(1, 2 * stays)
            away = set() if away and r.random() < 0.5 else set(r.sample(team, len(team) // 2))
        yield [m for m in team if m not in away]


def few(r: random.Random, team: list[str], leads: int) -> Iterator[list[str]]:
    """Only two or three, drawn anew at each lead: the hardest presence for one book."""
    size = r.choice([2, 2, 3])
    for _ in range(leads):
        yield r.sample(team, min(size, len(team)))


PRESENCE: dict[str, Presence] = {
    "rota": rota,
    "irregular": irregular,
    "drifting": drifting,
    "half ill": half_ill,
    "few": few,
}

# Channels, one function a family: (random, leads) -> the channel of each lead.
Channels = Callable[[random.Random, int], Iterator[str]]


def halving(r: random.Random, leads: int) -> Iterator[str]:
    """Each channel half as busy as the one before."""
    count = r.randint(2, 8)
    yield from r.choices([f"c{k}" for k in range(count)], [2.0**-k for k in range(count)], k=leads)


def level(r: random.Random, leads: int) -> Iterator[str]:
    """A few channels, equally busy."""
    yield from r.choices([f"c{k}" for k in range(r.randint(1, 6))], k=leads)


def tiny(r: random.Random, leads: int) -> Iterator[str]:
    """One or two real channels and a long tail."""
    tail = r.choice([10, 30, 80])
    yield from r.choices([f"c{k:02d}" for k in range(tail)], [1 / (1 + k) ** 1.3 for k in range(tail)], k=leads)


def bursts(r: random.Random, leads: int) -> Iterator[str]:
    """A mailing or an advertisement: one channel for many leads in a row."""
    count, length = r.randint(2, 8), r.choice([5, 30, 200])
    given = 0
    while given < leads:
        name = f"c{int(count * r.random() ** 2)}"
        run = min(r.randint(1, 2 * length), leads - given)
        yield from [name] * run
        given += run


CHANNELS: dict[str, Channels] = {"halving": halving, "level": level, "tiny": tiny, "bursts": bursts}


def some_weights(r: random.Random) -> list[int]:
    """2 to 15 members: equal, a little unequal, one heavy, or anything up to 100 to 1."""
    count = r.randint(2, 15)
    kind = r.choice(["equal", "near", "heavy", "wild"])
    if kind == "equal":
        return [1] * count
    if kind == "near":
        return [r.randint(1, 5) for _ in range(count)]
    if kind == "heavy":
        return [r.choice([5, 10, 50]), *[1] * (count - 1)]
    return [int(10 ** r.uniform(0, 2)) for _ in range(count)]


def drawn(presence: str, channels: str, seed: int, *, segmented: bool = False, leads: int = LEADS) -> Trace:
    """A trace of one family; `segmented`: each channel is open to a fixed two thirds of the team only."""
    r = random.Random(f"{presence} {channels} {segmented} {seed}")
    team = members(some_weights(r))
    names = list(team)
    lane = list(CHANNELS[channels](r, leads))
    skilled: dict[str, set[str]] = {}
    eligible = []
    for t, present in enumerate(PRESENCE[presence](r, names, leads)):
        able = present
        if segmented:
            if lane[t] not in skilled:
                skilled[lane[t]] = set(r.sample(names, max(2, 2 * len(names) // 3)))
            able = [m for m in present if m in skilled[lane[t]]]
        eligible.append(able or [names[t % len(names)]])
    label = f"{presence}, {channels}{', segments' if segmented else ''} #{seed}"
    return Trace(label, team, eligible, lane)


def hard_set(seeds: range, leads: int = LEADS) -> Iterator[Trace]:
    """Every family of presence with every family of channels, with and without segments, for each seed."""
    for seed in seeds:
        for presence in PRESENCE:
            for channels in CHANNELS:
                for segmented in (False, True):
                    yield drawn(presence, channels, seed, segmented=segmented, leads=leads)
