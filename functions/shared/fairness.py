"""Who is fairly next: greedy on absolute deficits, over a book of all leads and a book of each channel.

Every lead hands out claims of exactly one lead among those who could take it and is received once, so the deficits
of a book always sum to zero. Whoever cannot take the lead gets no claim: absence creates no debt, a returner meets no
flood. Balances are whole billionths of a lead: sums are exact, and the same input gives the same decision everywhere.

Sources: Fagin and Williams, IBM J. R&D 27 (1983) 133 for the rule in one book; docs/fairness.md for the potential over
two books, how it was chosen and what it keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import Generic, TypeVar

UNIT = 10**9
"""One lead. Claims are rounded to 1/UNIT: a balance strays from the true share by less than 1 lead in 10**9 leads."""

Id = TypeVar("Id", int, str)
Book = Mapping[Id, int]
"""Deficit of each member in UNITs: above 0 he is owed leads, below 0 he is ahead. Missing is 0; zeros are not kept."""


@dataclass(frozen=True)
class Ledger(Generic[Id]):
    """All balances of one team: in total, and within each channel. Never changed in place."""

    total: Book[Id] = field(default_factory=dict)
    channels: Mapping[str, Book[Id]] = field(default_factory=dict)

    def channel(self, name: str) -> Book[Id]:
        return self.channels.get(name, {})


def claims(weights: Mapping[Id, Fraction]) -> dict[Id, int]:
    """What each of the eligible is due of one lead, in UNITs; the sum is exactly UNIT.

    `weights` holds exactly those who can take the lead now, each above 0. What rounding down leaves over goes to the
    largest remainders, the lowest id first. Raises ValueError when nobody is eligible or a weight is not above 0.
    """
    scale = lcm(*(weight.denominator for weight in weights.values()))
    parts = {member: weight.numerator * (scale // weight.denominator) for member, weight in weights.items()}
    if min(parts.values(), default=0) <= 0:
        raise ValueError("a lead needs at least one eligible member, and every weight above 0")
    whole = sum(parts.values())
    due = {member: part * UNIT // whole for member, part in parts.items()}
    left_over = UNIT - sum(due.values())
    if left_over:
        by_remainder = sorted(parts, key=lambda member: (-(parts[member] * UNIT % whole), member))
        for member in by_remainder[:left_over]:
            due[member] += 1
    return due


def choose(ledger: Ledger[Id], channel: str, weights: Mapping[Id, Fraction]) -> Id:
    """Who takes the next lead of `channel`: the claims first, then the largest drop of the potential over both books.

    Deficits are compared as they are, not divided by weights. Ties, after the
    rounding of the claims, go to the highest id.
    """
    total, own = ledger.total, ledger.channel(channel)
    return max(
        (_drop(total.get(member, 0) + claim) + _drop(own.get(member, 0) + claim), member)
        for member, claim in claims(weights).items()
    )[1]


def give(ledger: Ledger[Id], channel: str, weights: Mapping[Id, Fraction], receiver: Id) -> Ledger[Id]:
    """The ledger after `receiver` got a lead of `channel`: everybody eligible has his claim, the receiver paid 1.

    A forced lead (known client, one person left) has `weights` of its owner alone, and changes nothing.
    """
    return _post(ledger, channel, _settled(claims(weights), receiver))


def take_back(ledger: Ledger[Id], channel: str, claims: Book[Id], receiver: Id) -> Ledger[Id]:
    """The ledger as if that lead had never come: `claims` are all claims it handed out, as stored when it was given."""
    given = _settled(claims, receiver)
    return _post(ledger, channel, {member: -amount for member, amount in given.items()})


def move(ledger: Ledger[Id], channel: str, from_: Id, to: Id) -> Ledger[Id]:
    """The correction when a person hands a lead over and the turn moves with it: `from_` gets his 1 back, `to` pays."""
    return _post(ledger, channel, _settled({from_: UNIT}, to))


_LINEAR = 64 * UNIT**4
"""y + 7/4·y⁵ with y = z / (2·UNIT) is z·(7·z⁴ + 64·UNIT⁴), divided by the constant 128·UNIT⁵ that no choice needs."""


def _drop(deficit: int) -> int:
    """By how much the potential of one balance falls when its member gets a lead now.

    In leads: y + 7/4·y⁵ with y = deficit − 1/2, the middle between the balances with and without this lead; here in
    whole numbers. The linear term alone is the sum of squares; the fifth power makes a balance that
    is already far off outweigh several small ones, which is what keeps the largest distance small in both books.
    """
    twice_middle = 2 * deficit - UNIT
    square = twice_middle * twice_middle
    return twice_middle * (7 * square * square + _LINEAR)


def _settled(claims: Book[Id], receiver: Id) -> Book[Id]:
    """The entries of one lead: what everybody was due, and the 1 that the receiver paid."""
    return {**claims, receiver: claims.get(receiver, 0) - UNIT}


def _post(ledger: Ledger[Id], channel: str, entries: Book[Id]) -> Ledger[Id]:
    """Add the entries to the total book and to the channel's book; the other books are shared, not copied."""
    own = _added(ledger.channel(channel), entries)
    others = {name: book for name, book in ledger.channels.items() if name != channel}
    return Ledger(_added(ledger.total, entries), {**others, channel: own} if own else others)


def _added(book: Book[Id], entries: Book[Id]) -> Book[Id]:
    balances = {**book}
    for member, amount in entries.items():
        balances[member] = balances.get(member, 0) + amount
    return {member: balance for member, balance in balances.items() if balance}
