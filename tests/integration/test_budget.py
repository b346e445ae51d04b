"""The shared request budget on a DynamoDB table (moto), seen by one process and by several."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.budget import DynamoBudget
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.clock import SystemClock
from functions.shared.errors import AmoCrmUnavailable
from tests.fakes import ManualClock, MemoryTelemetry

SECOND = timedelta(seconds=1)


@dataclass
class CountingTable:
    """The table, counting writes and letting a test step in before one."""

    inner: Table
    updates: int = 0
    before_update: list[object] = field(default_factory=list)

    def update(self, *args: object) -> None:
        self.updates += 1
        if self.before_update:
            self.before_update.pop()()  # type: ignore[operator]
        self.inner.update(*args)  # type: ignore[arg-type]


@pytest.fixture(name="table")
def counting_table(table: Table) -> CountingTable:
    return CountingTable(table)


@dataclass
class Distant:
    """The table as a process sees it whose every request to DynamoDB takes so long."""

    table: CountingTable
    clock: ManualClock
    seconds: float

    def update(self, *args: object) -> None:
        try:
            self.table.update(*args)
        finally:
            self.clock.advance(self.seconds)


@dataclass
class Process:
    """A process with a budget of its own and a record of when it sent."""

    table: CountingTable
    latency: float = 0.006
    clock: ManualClock = field(default_factory=ManualClock)
    sent: list[datetime] = field(default_factory=list)
    metrics: MemoryTelemetry = field(default_factory=MemoryTelemetry)

    def __post_init__(self) -> None:
        self.budget = DynamoBudget(Distant(self.table, self.clock, self.latency), self.clock, self.metrics)  # type: ignore[arg-type]

    def send(self, seconds: float = 0.0) -> None:
        """One request that takes so long."""
        self.budget.acquire()
        self.sent.append(self.clock.now())
        self.clock.advance(seconds)


def most_in_a_second(moments: list[datetime]) -> int:
    """The largest number of requests in any sliding second, both ends included."""
    moments = sorted(moments)
    return max(sum(1 for other in moments if first <= other <= first + SECOND) for first in moments)


def test_one_process_sends_six_a_second_and_never_a_seventh(table: CountingTable) -> None:
    process = Process(table)
    for _ in range(60):
        process.send()
    assert most_in_a_second(process.sent) == 6
    assert process.sent[-1] - process.sent[0] <= 59 / 6 * 1.04 * SECOND


def test_a_lone_lead_costs_one_write_and_waits_for_nothing_at_first(table: CountingTable) -> None:
    process = Process(table)
    for _ in range(4):
        process.send(0.1)
    assert table.updates == 1
    assert process.clock.slept < 0.3, "three spacings less the time that the requests took"
    assert process.sent[0] - ManualClock().now() < 0.01 * SECOND


def test_an_announced_burst_is_leased_in_large_blocks(table: CountingTable) -> None:
    process = Process(table)
    process.budget.expect(60)
    for _ in range(60):
        process.send()
    assert table.updates == 5


def test_blocks_grow_while_in_use_without_an_announcement(table: CountingTable) -> None:
    process = Process(table)
    for _ in range(40):
        process.send()
    assert table.updates == 4  # 6, 12, 12, and a part of 12


def test_slow_requests_shrink_the_blocks_so_that_others_are_not_kept_waiting(table: CountingTable) -> None:
    slow, other = Process(table), Process(table)
    for _ in range(5):
        slow.send(2.0)
    slow.send()
    other.clock.moment = slow.clock.moment
    other.send()
    assert other.sent[0] - slow.sent[-1] < 0.2 * SECOND


def test_what_was_not_used_is_not_caught_up_later(table: CountingTable) -> None:
    process = Process(table)
    process.send(0.9)  # of four leased slots three pass by
    for _ in range(12):
        process.send()
    assert most_in_a_second(process.sent) == 6


@pytest.mark.parametrize("latency", [0.0, 0.006, 0.1, 0.3, 1.5])
def test_a_slow_dynamodb_costs_time_but_neither_the_pace_nor_the_request(table: CountingTable, latency: float) -> None:
    process = Process(table, latency)
    for _ in range(20):
        process.send(0.2)
    assert most_in_a_second(process.sent) <= 6
    assert table.updates <= 40


def test_a_dynamodb_too_slow_to_keep_any_pace_is_left_to_the_queue(table: CountingTable) -> None:
    with pytest.raises(AmoCrmUnavailable):
        Process(table, latency=5).send()


def test_in_real_time_the_pace_is_kept_too(table: CountingTable) -> None:
    budget = DynamoBudget(table.inner, SystemClock(), MemoryTelemetry(), per_second=40)
    sent = []
    for _ in range(30):
        budget.acquire()
        sent.append(datetime.now(UTC))
    # 0.75 s on an idle machine; a busy one may hold the first request back, or any other.
    assert 0.5 * SECOND <= sent[-1] - sent[0] <= 5 * SECOND


@pytest.mark.parametrize("seed", range(4))
def test_several_processes_together_never_exceed_six_in_any_second(table: CountingTable, seed: int) -> None:
    """Each process lives on its own clock; always the one whose clock is behind takes the next step."""
    chance = random.Random(seed)
    processes = [Process(table) for _ in range(2 + seed % 3)]
    for _ in range(100):
        process = min(processes, key=lambda each: each.clock.moment)
        if chance.random() < 0.1:
            process.budget.expect(chance.randint(1, 20))
        process.send(chance.choice([0.0, 0.05, 0.15, 0.4, 1.5]))
    assert most_in_a_second([moment for process in processes for moment in process.sent]) <= 6


def test_two_busy_processes_use_nearly_the_whole_budget(table: CountingTable) -> None:
    processes = [Process(table), Process(table)]
    for _ in range(120):
        min(processes, key=lambda each: each.clock.moment).send(0.3)
    sent = sorted(moment for process in processes for moment in process.sent)
    assert (sent[-1] - sent[0]) / SECOND <= 119 / 6 * 1.3


def test_whoever_loses_the_race_for_the_item_takes_the_piece_behind(table: CountingTable) -> None:
    """GIVEN a process about to lease WHEN another leases first THEN both go on, on different pieces."""
    winner, loser = Process(table), Process(table)
    table.before_update.append(winner.send)
    loser.send()
    assert winner.sent[0] - ManualClock().now() < 0.01 * SECOND
    assert loser.sent[0] - winner.sent[0] >= 6 / 6 * SECOND


def test_a_request_that_leaves_30_ms_late_still_brings_no_seventh_into_a_second(table: CountingTable) -> None:
    process = Process(table)
    chance = random.Random(1)
    exact_sleep = process.clock.sleep
    process.clock.sleep = lambda seconds: exact_sleep(seconds + chance.uniform(0, 0.029))  # type: ignore[method-assign]
    for _ in range(80):
        process.send()
    assert most_in_a_second(process.sent) <= 6


def test_requests_keep_their_distance_to_one_that_left_late(table: CountingTable) -> None:
    process = Process(table)
    process.budget.expect(12)
    process.send()
    process.clock.sleep = _oversleep_once(process.clock, 0.1)  # type: ignore[method-assign]
    for _ in range(10):
        process.send()
    assert most_in_a_second(process.sent) <= 6


def test_a_process_frozen_in_its_sleep_does_not_send_on_a_piece_of_the_past(table: CountingTable) -> None:
    frozen, other = Process(table), Process(table)
    other.send()
    frozen.clock.sleep = _oversleep_once(frozen.clock, 60)  # type: ignore[method-assign]
    frozen.budget.acquire()
    other.clock.moment = frozen.clock.moment
    other.send()
    assert other.sent[-1] - frozen.clock.moment >= 0.16 * SECOND


def _oversleep_once(clock: ManualClock, seconds: float) -> Callable[[float], None]:
    extra = [seconds]
    return lambda seconds: clock.advance(seconds + (extra.pop() if extra else 0.0))


def test_a_429_slows_every_process(table: CountingTable) -> None:
    throttled, other = Process(table), Process(table)
    throttled.send()
    throttled.budget.slow_down(5)
    other.send()
    throttled.send()
    assert other.sent[0] - ManualClock().now() >= 5 * SECOND
    assert throttled.sent[1] - ManualClock().now() >= 5 * SECOND
    assert throttled.metrics.counts["AmoCrmThrottled"] == 1


def test_a_shorter_slow_down_does_not_shorten_a_longer_one(table: CountingTable) -> None:
    first, second = Process(table), Process(table)
    first.budget.slow_down(10)
    second.budget.slow_down(1)
    second.send()
    assert second.sent[0] - ManualClock().now() >= 10 * SECOND


def test_a_queue_for_slots_that_is_too_long_is_left_to_the_message_queue(table: CountingTable) -> None:
    process = Process(table)
    process.budget.slow_down(90)
    with pytest.raises(AmoCrmUnavailable) as refused:
        process.budget.acquire()
    assert refused.value.after == pytest.approx(90, abs=1)
    assert process.clock.slept == 0


def test_an_open_breaker_stops_every_process_and_says_for_how_long(table: CountingTable) -> None:
    blocked, other = Process(table), Process(table)
    blocked.send()
    assert blocked.budget.open_breaker("403 as HTML") == 300
    for process in (blocked, other):
        with pytest.raises(AmoCrmUnavailable) as refused:
            process.budget.acquire()
        assert refused.value.after == pytest.approx(300, abs=1)
    assert blocked.metrics.counts["AmoCrmBreakerOpened"] == 1


def test_after_the_pause_one_request_probes_and_its_answer_lets_everybody_through(table: CountingTable) -> None:
    probing, other = Process(table), Process(table)
    probing.budget.open_breaker("403 as HTML")
    for process in (probing, other):
        process.clock.advance(301)
    probing.send()
    with pytest.raises(AmoCrmUnavailable):
        other.send()
    probing.budget.answered()
    other.send()
    probing.send()
    assert most_in_a_second(probing.sent + other.sent) <= 6


def test_of_two_processes_that_want_to_probe_at_once_one_does(table: CountingTable) -> None:
    slower, faster = Process(table), Process(table)
    slower.budget.open_breaker("403 as HTML")
    for process in (slower, faster):
        process.clock.advance(301)
    table.before_update = [faster.send, lambda: None]  # not before the look at the item, but before the claim
    with pytest.raises(AmoCrmUnavailable):
        slower.send()
    assert (len(slower.sent), len(faster.sent)) == (0, 1)


def test_a_probe_that_is_blocked_again_doubles_the_pause_up_to_half_an_hour(table: CountingTable) -> None:
    process = Process(table)
    pauses = [process.budget.open_breaker("403 as HTML")]
    for _ in range(4):
        process.clock.advance(pauses[-1] + 1)
        process.send()
        pauses.append(process.budget.open_breaker("403 as HTML"))
    assert pauses == [300, 600, 1200, 1800, 1800]


def test_a_probe_without_an_answer_keeps_the_breaker_open_until_the_next_one(table: CountingTable) -> None:
    process = Process(table)
    process.budget.open_breaker("403 as HTML")
    process.clock.advance(301)
    process.send(20)
    with pytest.raises(AmoCrmUnavailable):
        process.send()
    process.clock.advance(300)
    process.send()
    assert len(process.sent) == 2


def test_a_late_403_of_another_request_does_not_prolong_the_pause(table: CountingTable) -> None:
    first, second = Process(table), Process(table)
    first.budget.open_breaker("403 as HTML")
    second.clock.advance(100)
    assert second.budget.open_breaker("403 as HTML") == pytest.approx(200, abs=1)


def test_an_answer_that_was_no_probe_does_not_close_the_breaker(table: CountingTable) -> None:
    blocked, other = Process(table), Process(table)
    other.send()
    blocked.budget.open_breaker("403 as HTML")
    other.budget.answered()
    with pytest.raises(AmoCrmUnavailable):
        blocked.send()


def test_an_operator_closes_the_breaker(table: CountingTable) -> None:
    process, operator = Process(table), Process(table)
    process.budget.open_breaker("403 as HTML")
    operator.budget.close_breaker()
    process.send()
    assert len(process.sent) == 1


def test_the_item_says_when_and_why_requests_were_stopped(table: CountingTable) -> None:
    process = Process(table)
    process.budget.open_breaker("GET /api/v4/account: 403")
    item = table.inner.get(keys.budget())
    assert item is not None
    assert item["blocked_because"] == "GET /api/v4/account: 403"
    assert datetime.fromtimestamp(item["probe_at"] / 1e6, UTC) == ManualClock().now() + timedelta(minutes=5)
