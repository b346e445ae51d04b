"""Clients for the tests of aftercare's conditions: facts by Moscow time, and what every condition must keep to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.primitive import Primitive
from functions.aftercare_triggers.rules.selector import Selector
from functions.shared.facts import SUBSCRIPTION_FROZEN, Fact

MOSCOW = ZoneInfo("Europe/Moscow")
VISITS = Selector("visit.attended")
INSTANT = timedelta(microseconds=1)
STEP = timedelta(hours=6)
DAY = timedelta(days=1)

START = datetime(2026, 10, 1, tzinfo=MOSCOW).astimezone(UTC)
"""A local midnight. Tests by chance go by steps from here on: all facts, freezes, durations and hours of rules are
whole steps, so that nothing can happen between two."""

by_chance = settings(max_examples=60, deadline=None)


def on(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    """`06.11 19:00` (of 2026) or `10.03.2027 10:00`, local time."""
    day, clock = text.split()
    day = day if day.count(".") == 2 else f"{day}.2026"
    return datetime.strptime(f"{day} {clock}", "%d.%m.%Y %H:%M").replace(tzinfo=zone).astimezone(UTC)


def fact(kind: str, time: str | datetime, id: str = "", recorded: datetime | None = None, /, **data: Any) -> Fact:
    moment = on(time) if isinstance(time, str) else time
    name = id or f"{kind} {moment.astimezone(MOSCOW):%d.%m %H:%M}"
    return Fact(7, "gym", name, kind, moment, recorded or moment, recorded, data)


def visit(time: str | datetime, id: str = "", /, **data: Any) -> Fact:
    return fact("visit.attended", time, id, **data)


def freeze(start: str | datetime, end: str | datetime) -> Fact:
    start, end = (on(each) if isinstance(each, str) else each for each in (start, end))
    return fact(SUBSCRIPTION_FROZEN, start, until=end.isoformat())


def person(*facts: Fact, zone: ZoneInfo = MOSCOW, watermark: str = "01.01.2030 00:00", **rest: Any) -> Person:
    return Person.of(7, zone, facts, on(watermark), **rest)


def turns_true(when: Primitive, client: Person, at: datetime) -> None:
    """It holds from `at` on, and its stretch begins there."""
    assert not when.holds(client, at - INSTANT)
    assert when.holds(client, at)
    assert when.since(client, at) == at


steps = st.integers(0, 40 * 4)
spans = st.integers(1, 12 * 4).map(lambda count: count * STEP)


def at_step(step: int) -> datetime:
    return START + step * STEP


@st.composite
def freezes(draw: st.DrawFn, most: int = 2) -> list[Fact]:
    made = []
    for place in range(draw(st.integers(0, most))):
        start = at_step(draw(steps))
        length = draw(st.integers(1, 15 * 4))
        ends = {} if draw(st.integers(0, 9)) == 0 else {"until": (start + length * STEP).isoformat()}
        made.append(fact(SUBSCRIPTION_FROZEN, start, f"freeze {place}", **ends))
    return made


@st.composite
def visits(draw: st.DrawFn, most: int = 8) -> list[Fact]:
    times = draw(st.lists(steps, max_size=most))
    left = draw(st.lists(st.integers(0, 5), min_size=len(times), max_size=len(times)))
    return [
        visit(at_step(step), f"v{place:02}", left=number)
        for place, (step, number) in enumerate(zip(sorted(times), left, strict=True))
    ]


def keeps_its_word(when: Primitive, facts: Iterable[Fact], at: datetime, horizon: timedelta = 80 * DAY) -> None:
    """`since` and `next_due` against looking at every step, one after the other."""
    told = [each for each in facts if each.time <= at]
    client = person(*told)
    if when.holds(client, at):
        began = when.since(client, at)
        assert began <= at
        assert when.anchor(client, began) == when.anchor(client, at)
        assert is_broken_before(when, client, began)
        moment = began
        while moment <= at:
            assert when.holds(client, moment), "the stretch is interrupted"
            moment += STEP
        assert all(isinstance(value, str) for value in when.numbers(client, at).values())
        assert set(when.evidence(client, at)) <= {f"{each.source}/{each.id}" for each in told}
        return
    due = when.next_due(client, at)
    assert due is None or due > at
    moment = at + STEP
    while moment < (at + horizon if due is None else min(due, at + horizon)):
        assert not when.holds(client, moment), f"holds at {moment}, before its due {due}"
        moment += STEP


def is_broken_before(when: Primitive, client: Person, began: datetime) -> bool:
    before = began - INSTANT
    return not when.holds(client, before) or when.anchor(client, before) != when.anchor(client, began)
