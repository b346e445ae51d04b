"""The frame of a queue function: which messages are done, which come back and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from functions.shared.batch import Backs, Run, latest
from functions.shared.errors import AmoCrmRefused, AmoCrmUnauthorized, AmoCrmUnavailable, NotConfigured
from functions.shared.hooks import HookEvent
from functions.shared.inbox import BusMessage, Envelope, read_batch
from functions.shared.intake import Intake
from functions.shared.limits import LEFT_FOR_A_SLICE
from functions.shared.queue_work import Delivery, QueueWork
from tests.builders import form, lead_hook, sqs_record
from tests.fakes import ManualClock, MemoryQueue, MemoryTelemetry

TICK = '{"tick": "look", "time": "2026-11-23T09:00:00Z"}'
BAD = "no form, no JSON"


@dataclass
class Hint:
    messages: frozenset[str]


@dataclass(kw_only=True)
class LaggingRun(Run[Hint]):
    """One whose leads must be given time before they are worked alone."""

    def pause_alone(self) -> float:
        return 10.0


@dataclass
class Bench:
    """A function that works the leads its hooks name; `work` does it, unless all of it ends in `trouble`."""

    clock: ManualClock = field(default_factory=ManualClock)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)
    work: Callable[[Run[Hint]], None] = lambda run: run.finish(run.todo())
    trouble: Exception | None = None
    kind: type[Run[Hint]] = Run
    seconds: float = 60

    def __post_init__(self) -> None:
        self.frame = QueueWork(self.queue, self.telemetry, self.clock)

    def handle(self, *bodies: str) -> list[str]:
        records = [sqs_record(body, f"m{number}", self.clock.now()) for number, body in enumerate(bodies)]
        deadline = self.clock.now() + timedelta(seconds=self.seconds)
        return self.frame.handle(read_batch({"Records": records}), deadline, self._work)

    def _work(self, delivery: Delivery) -> Backs:
        intake, hints = Intake(), dict[int, Hint]()

        def take(event: HookEvent, envelope: Envelope) -> None:
            assert event.id
            known = hints.get(event.id, Hint(frozenset()))
            hints[event.id] = Hint(known.messages | {envelope.message_id})

        intake.sort(delivery.envelopes, "demo", None, event=take, announcement=self._announce)
        self.frame.park(delivery, intake)
        if self.trouble:
            raise self.trouble
        run = self.kind(department=SimpleNamespace(), deadline=delivery.deadline, hints=hints)  # type: ignore[arg-type]
        self.frame.work_in_time(run, self.work)
        return run.messages_back()

    def _announce(self, message: BusMessage, envelope: Envelope) -> None:
        raise AssertionError("the tests send none")


def failing_at(bad: int, error: Exception, after: Callable[[], None] = lambda: None) -> Callable[[Run[Hint]], None]:
    """Works its leads together, as far as the bad one is not among them."""

    def work(run: Run[Hint]) -> None:
        if bad in run.hints:
            after()
            raise error
        run.finish(run.todo())

    return work


# --- what comes back


def test_a_message_is_done_when_all_its_leads_are() -> None:
    two = form({"leads[add][0][id]": 1, "leads[add][1][id]": 2})
    bench = Bench(work=lambda run: run.finish({1}))

    assert sorted(bench.handle(two, lead_hook(1), lead_hook(2))) == ["m0", "m2"]
    assert bench.queue.postponed == {"m0": None, "m2": None}


@pytest.mark.parametrize(
    ("first", "second", "after"), [(75.0, 3.0, 75.0), (3.0, 75.0, 75.0), (None, 75.0, 75.0), (75.0, None, 75.0)]
)
def test_a_message_of_several_leads_comes_back_when_the_last_of_them_may(
    first: float | None, second: float | None, after: float
) -> None:
    def put_off(run: Run[Hint]) -> None:
        run.come_back([7], first)
        run.come_back([8], second)

    bench = Bench(work=put_off)
    bench.handle(form({"leads[add][0][id]": 7, "leads[add][1][id]": 8}), lead_hook(8))

    assert bench.queue.postponed == {"m0": after, "m1": second}


def test_a_message_in_several_runs_comes_back_when_the_last_of_them_allows_it() -> None:
    backs: list[Mapping[str, float | None]] = [{"m0": 75.0, "m1": None}, {"m0": None}, {"m0": 3.0}]
    assert latest(backs) == {"m0": 75.0, "m1": None}


def test_after_an_error_of_a_run_what_is_finished_stays_so_and_the_rest_waits_as_long_as_the_error_says() -> None:
    def work(run: Run[Hint]) -> None:
        run.finish([1])
        run.come_back([2], 75.0)
        raise AmoCrmUnavailable("away", after=30.0)

    bench = Bench(work=work)

    assert sorted(bench.handle(lead_hook(1), lead_hook(2), lead_hook(3))) == ["m1", "m2"]
    assert bench.queue.postponed == {"m1": 75.0, "m2": 30.0}
    assert bench.telemetry.counts["AmoCrmUnavailable"] == 1


@pytest.mark.parametrize(
    ("error", "after"),
    [(AmoCrmUnavailable("away", after=30.0), 30.0), (NotConfigured("apply"), None), (AmoCrmUnauthorized("401"), None)],
)
def test_where_all_of_it_is_interrupted_only_what_is_not_settled_comes_back(
    error: Exception, after: float | None
) -> None:
    """Ticks are settled at once, for the next one makes up for them; so is what is parked already."""
    bench = Bench(trouble=error)

    assert bench.handle(TICK, BAD, lead_hook(1)) == ["m2"]
    assert bench.queue.postponed == {"m2": after}
    assert list(bench.queue.parked) == ["m1"]
    assert bench.telemetry.counts[type(error).__name__] == 1


def test_a_bug_outside_every_run_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Bench(trouble=ZeroDivisionError()).handle(lead_hook(1))


# --- one bad lead


@pytest.mark.parametrize("error", [ZeroDivisionError(), AmoCrmRefused("no", 400)])
def test_one_bad_lead_is_isolated(error: Exception) -> None:
    bench = Bench(work=failing_at(2, error))

    assert bench.handle(lead_hook(1), lead_hook(2), lead_hook(3)) == ["m1"]


def test_a_bug_is_told_once_with_all_its_leads_and_counted_once_it_is_known_whose_it_is() -> None:
    bench = Bench(work=failing_at(2, ZeroDivisionError()))
    bench.handle(lead_hook(1), lead_hook(2), lead_hook(3))

    assert [fields["lead_ids"] for name, fields in bench.telemetry.lines if name == "leads_failed"] == [[1, 2, 3], [2]]
    assert bench.telemetry.counts["LeadFailed"] == 1


def test_what_was_put_off_before_a_bug_is_not_worked_again() -> None:
    def work(run: Run[Hint]) -> None:
        if len(run.hints) > 1:
            run.come_back([1], 75.0)
            raise ZeroDivisionError
        run.finish(run.hints)

    bench = Bench(work=work)
    bench.handle(lead_hook(1), lead_hook(2))

    assert bench.queue.postponed == {"m0": 75.0}


def test_what_is_put_off_alone_waits_as_long_as_it_said() -> None:
    def work(run: Run[Hint]) -> None:
        if len(run.hints) > 1:
            raise ZeroDivisionError
        run.come_back([2], 75.0)
        run.finish({1})

    bench = Bench(work=work)
    bench.handle(lead_hook(1), lead_hook(2))

    assert bench.queue.postponed == {"m1": 75.0}


def test_leads_are_worked_alone_as_far_as_the_time_goes() -> None:
    bench = Bench()
    bench.work = failing_at(1, ZeroDivisionError(), after=lambda: bench.clock.advance(20))

    assert sorted(bench.handle(lead_hook(1), lead_hook(2))) == ["m0", "m1"], (
        "40 of 60 seconds are gone when 2 would begin"
    )


def test_a_run_may_ask_for_a_pause_before_its_leads_are_worked_alone() -> None:
    bench = Bench(work=failing_at(2, ZeroDivisionError()), kind=LaggingRun)

    bench.handle(lead_hook(2))
    assert bench.clock.slept == 0, "a lone lead is not worked again"
    bench.handle(lead_hook(1), lead_hook(2), lead_hook(3))
    assert bench.clock.slept == 10


# --- time


@pytest.mark.parametrize(("seconds_more", "back"), [(0, []), (-1, ["m0"])])
def test_a_run_is_begun_only_with_the_time_of_a_slice_left(seconds_more: int, back: list[str]) -> None:
    bench = Bench(seconds=LEFT_FOR_A_SLICE.total_seconds() + seconds_more)

    assert bench.handle(lead_hook(1)) == back


# --- taking in


def test_what_can_never_work_is_parked_with_its_reason_and_counted() -> None:
    bench = Bench()

    assert bench.handle(BAD, lead_hook(1)) == []
    assert list(bench.queue.parked) == ["m0"]
    assert bench.telemetry.reasons("hook_rejected") == [bench.queue.parked["m0"]]
    assert bench.telemetry.counts["HookRejected"] == 1


def test_hooks_of_another_account_are_counted() -> None:
    bench = Bench()
    bench.handle(form({"account[subdomain]": "another", "leads[add][0][id]": 1}), lead_hook(2))

    assert bench.telemetry.counts["ForeignHook"] == 1
    assert ("hooks_ignored", {"foreign_account": 1}) in bench.telemetry.lines


def test_the_metrics_are_written_out_whatever_happened(monkeypatch: Any) -> None:
    flushed: list[dict[str, int]] = []
    for trouble in (None, NotConfigured("apply")):
        bench = Bench(trouble=trouble)
        monkeypatch.setattr(bench.telemetry, "flush", lambda counts=bench.telemetry.counts: flushed.append(counts))
        bench.handle(lead_hook(1))

    assert [counts.get("NotConfigured", 0) for counts in flushed] == [0, 1]


@pytest.mark.parametrize(
    ("bodies", "has_tick", "is_settled"),
    [
        ((TICK,), True, True),
        ((TICK, TICK), True, True),
        ((TICK, lead_hook(1)), True, False),
        ((lead_hook(1),), False, False),
    ],
)
def test_a_delivery_of_ticks_alone_is_settled(bodies: tuple[str, ...], has_tick: bool, is_settled: bool) -> None:
    clock = ManualClock()
    records = [sqs_record(body, f"m{number}", clock.now()) for number, body in enumerate(bodies)]
    delivery = Delivery(read_batch({"Records": records}), clock.now())

    assert (delivery.has_tick, delivery.is_settled()) == (has_tick, is_settled)
