"""What the wiring sends: ticks, by what the code makes of them, and events of the bus, by the door they come to."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from functions.shared.events import Event, LeadAssigned, LeadClosed, LeadRouted, LeadsMerged, LeadWaiting, SaleWon
from functions.shared.inbox import BusMessage, Tick, read_message
from infra.local.patterns import matches
from tests.template.stack import build, named

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "tick"),
    [("LeadsTick", "waiting-room"), ("StagesTick", "stages"), ("CareTick", "care"), ("MeetTick", "meetings")],
)
def test_the_schedule_sends_a_tick_that_the_code_understands(schedule: str, tick: str) -> None:
    written = build().of_type("AWS::Scheduler::Schedule")[schedule]["Target"]["Input"]
    sent = written.replace("<aws.scheduler.scheduled-time>", "2026-11-23T09:00:00Z")  # as EventBridge Scheduler does
    assert sent != written
    message = read_message(sent)
    assert isinstance(message, Tick)
    assert (message.name, message.time) == (tick, NOON)


def assigned(cause: str, twins: tuple[int, ...] | None) -> LeadAssigned:
    return LeadAssigned(NOON, 1, "lead_desk", 11, "site", "fair", cause, twins)


def routed(hand_over: bool) -> LeadRouted:
    return LeadRouted(NOON, 1, "qualified", "exchange.new", "main.contact", "closers", hand_over, "route#1", 0, 11)


LEADS, STAGES, CARE, MEETINGS = ["LeadsQueue"], ["StagesQueue"], ["CareQueue"], ["MeetQueue"]
DISTRIBUTE, ROUTER = "conveyor.distribute", "conveyor.qualify_router"


@pytest.mark.parametrize(
    ("source", "event", "doors"),
    [
        (DISTRIBUTE, assigned("arrival", (7, 9)), [*STAGES, *MEETINGS]),
        (DISTRIBUTE, assigned("arrival", None), [*STAGES, *MEETINGS]),
        (DISTRIBUTE, assigned("arrival", ()), MEETINGS),
        (DISTRIBUTE, assigned("route#3", (7,)), MEETINGS),
        (ROUTER, assigned("arrival", (7,)), []),
        (DISTRIBUTE, LeadWaiting(NOON, 1, "lead_desk", "site", "off_shift", "2026-11-24T06:00:00+00:00"), []),
        (ROUTER, routed(hand_over=True), LEADS),
        (ROUTER, routed(hand_over=False), []),
        (DISTRIBUTE, routed(hand_over=True), []),
        (ROUTER, LeadClosed(NOON, 1, "not_target", "exchange", "not_target", 11), [*LEADS, *MEETINGS]),
        (ROUTER, LeadClosed(NOON, 1, "", "main", "", 11), [*LEADS, *MEETINGS]),
        (DISTRIBUTE, LeadClosed(NOON, 1, "", "main", "", 11), []),
        (ROUTER, SaleWon(NOON, 1, 2, 3, 11, "main", 90_000), CARE),
        (DISTRIBUTE, SaleWon(NOON, 1, 2, 3, 11, "main", 90_000), []),
        (ROUTER, LeadsMerged(NOON, 1, 2, "phone"), MEETINGS),
    ],
    ids=str,
)
def test_an_event_comes_to_the_doors_behind_which_it_is_wanted(source: str, event: Event, doors: list[str]) -> None:
    envelope = {
        "version": "0",
        "id": "e1",
        "source": source,
        "detail-type": event.detail_type,
        "time": "2026-11-23T09:00:00Z",
        "detail": json.loads(json.dumps(event.detail())),
    }
    rules = build().of_type("AWS::Events::Rule").values()
    found = [named(rule["Targets"][0]["Arn"]) for rule in rules if matches(rule["EventPattern"], envelope)]
    assert found == doors
    message = read_message(json.dumps(envelope))
    assert isinstance(message, BusMessage)
    assert message.detail["lead_id"] == 1
