"""What the wiring sends: ticks, by what the code makes of them."""

from __future__ import annotations

from functions.shared.inbox import Tick, read_message
from tests.template.stack import build


def test_the_schedule_sends_a_tick_that_the_code_understands() -> None:
    written = build().of_type("AWS::Scheduler::Schedule")["LeadsTick"]["Target"]["Input"]
    sent = written.replace("<aws.scheduler.scheduled-time>", "2026-11-23T09:00:00Z")  # as EventBridge Scheduler does
    assert sent != written
    message = read_message(sent)
    assert isinstance(message, Tick)
    assert (message.name, message.time.isoformat()) == ("waiting-room", "2026-11-23T09:00:00+00:00")
