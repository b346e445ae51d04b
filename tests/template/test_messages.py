"""What the wiring lets through: events of the bus by their pattern, ticks by what the code makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from functions.shared.inbox import Tick, read_message
from tests.template.stack import Stack, build

HEARD = {"LeadRouted", "LeadClosed", "AbsenceStarted", "AbsenceEnded"}
UNHEARD = {
    "LeadAssigned",
    "LeadReassigned",
    "LeadWaiting",
    "LeadsMerged",
    "SaleWon",
    "CareTaskCreated",
    "ClientReturned",
    "MeetingScheduled",
    "MeetingMoved",
    "MeetingCancelled",
    "RecordingReady",
}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return build()


def event(detail_type: str, source: str = "conveyor.qualify_router", **detail: object) -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2026-11-23T09:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {"occurred_at": "2026-11-23T09:00:00+00:00", "lead_id": 1, **detail},
    }


def heard_by_distribute(stack: Stack, message: Any) -> bool:
    pattern = stack.of_type("AWS::Events::Rule")["LeadsEvents"]["EventPattern"]
    return EventPattern.load(json.dumps(pattern)).matches_event(message)


@pytest.mark.parametrize("detail_type", sorted(HEARD))
def test_distribute_hears_what_changes_its_work(stack: Stack, detail_type: str) -> None:
    assert heard_by_distribute(stack, event(detail_type))


@pytest.mark.parametrize("detail_type", sorted(UNHEARD))
def test_distribute_does_not_hear_anything_else(stack: Stack, detail_type: str) -> None:
    assert not heard_by_distribute(stack, event(detail_type))


@pytest.mark.parametrize("source", ["conveyor", "aws.partner/example", "myconveyor.x", ""])
def test_events_of_strangers_are_not_heard(stack: Stack, source: str) -> None:
    assert not heard_by_distribute(stack, event("LeadRouted", source=source))


def test_a_wider_pattern_would_be_noticed() -> None:
    def widen(templates: dict[str, Any]) -> None:
        del templates["main"]["Resources"]["LeadsEvents"]["Properties"]["EventPattern"]["detail-type"]

    assert heard_by_distribute(build(widen), event("LeadAssigned"))


def test_what_distribute_tells_is_not_sent_back_to_it(stack: Stack) -> None:
    statements = stack.of_type("AWS::IAM::Role")["DistributeRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    [tell] = [statement for statement in statements if statement["Action"] == "events:PutEvents"]
    source = tell["Condition"]["StringEquals"]["events:source"]
    assert source == "conveyor.distribute"
    assert not any(heard_by_distribute(stack, event(told, source)) for told in ("LeadAssigned", "LeadWaiting"))


def test_the_schedule_sends_a_tick_that_the_code_understands(stack: Stack) -> None:
    written = stack.of_type("AWS::Scheduler::Schedule")["LeadsTick"]["Target"]["Input"]
    sent = written.replace("<aws.scheduler.scheduled-time>", "2026-11-23T09:00:00Z")  # as EventBridge Scheduler does
    assert sent != written
    message = read_message(sent)
    assert isinstance(message, Tick)
    assert (message.name, message.time.isoformat()) == ("waiting-room", "2026-11-23T09:00:00+00:00")
