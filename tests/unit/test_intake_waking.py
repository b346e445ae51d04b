"""Whose facts are looked at now, and whose wait for the client's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.activity_intake.waking import LATE, to_wake
from functions.shared.care import Client, RuleBook
from functions.shared.facts import PURCHASE_COMPLETED, VISIT_ATTENDED, VISIT_MISSED, Fact

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BOOK = RuleBook(version=4, wakes=frozenset({VISIT_MISSED}))
KNOWN = {"version": 3, "rules_version": 4}


def wakes(fact: dict[str, Any], client: dict[str, Any]) -> bool:
    known = {"client": 7, "source": "gym", "id": "1", "type": VISIT_ATTENDED, "time": NOW, "received": NOW}
    woken = to_wake([Fact(**{**known, **fact})], {7: Client(7, **client)}, BOOK, NOW)
    assert woken.keys() <= {7}
    return bool(woken)


def test_a_plain_visit_of_a_known_client_wakes_nobody():
    assert not wakes({}, KNOWN)
    assert not wakes({"time": NOW - LATE}, KNOWN)
    assert not wakes({}, {**KNOWN, "rules_version": 3, "due_at": NOW}), "his time comes, whatever the rules are then"


@pytest.mark.parametrize(
    ("fact", "client"),
    [
        ({}, {}),
        ({"type": VISIT_MISSED}, KNOWN),
        ({"type": PURCHASE_COMPLETED}, {**KNOWN, "exits": frozenset({PURCHASE_COMPLETED})}),
        ({"recorded": NOW}, KNOWN),
        ({"time": NOW - LATE - timedelta(seconds=1)}, KNOWN),
        ({}, {**KNOWN, "merged_into": 9}),
        ({}, {**KNOWN, "rules_version": 3}),
    ],
    ids=[
        *("nothing looks at him yet", "a rule waits", "an episode waits", "a correction", "late", "he became another"),
        "he has no time, and the rules in force have not judged him",
    ],
)
def test_what_concerns_him_at_once_wakes_him(fact: dict[str, Any], client: dict[str, Any]):
    assert wakes(fact, client)


def test_a_fact_that_a_clock_ahead_of_ours_dates_later_is_looked_at_when_it_has_happened():
    ahead = timedelta(minutes=4)
    facts = [Fact(7, "gym", str(n), VISIT_MISSED, NOW + after, NOW) for n, after in enumerate((ahead, timedelta(0)))]
    assert to_wake(facts, {7: Client(7, **KNOWN)}, BOOK, NOW) == {7: ahead}
    assert to_wake(facts[1:], {7: Client(7, **KNOWN)}, BOOK, NOW) == {7: timedelta(0)}
