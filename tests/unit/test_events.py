"""The schemas of the bus events: one recorded example each, and the document names them all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from functions.shared import events

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RECORDED = {
    events.LeadAssigned(NOW, 17, "lead_desk", 11, "site", "fair", "arrival"): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "team": "lead_desk",
        "owner": 11,
        "channel": "site",
        "mode": "fair",
        "cause": "arrival",
        "twins": None,
    },
    events.LeadWaiting(NOW, 17, "lead_desk", "call", "off_shift", "2026-11-24T06:00:00+00:00"): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "team": "lead_desk",
        "channel": "call",
        "reason": "off_shift",
        "next_check": "2026-11-24T06:00:00+00:00",
    },
    events.LeadRouted(NOW, 17, "qualified", "exchange.qualified", "main.received", "closers", True, "route#1", 0, 11): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "route": "qualified",
        "from_place": "exchange.qualified",
        "to_place": "main.received",
        "team": "closers",
        "hand_over": True,
        "cause": "route#1",
        "known_owner": 0,
        "previous_owner": 11,
    },
    events.LeadClosed(NOW, 17, "not_target", "exchange", "not_target", 11): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "route": "not_target",
        "pipeline": "exchange",
        "reason": "not_target",
        "owner": 11,
    },
    events.SaleWon(NOW, 17, 18, 5, 12, "main", 250000): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "care_lead_id": 18,
        "client": 5,
        "owner": 12,
        "pipeline": "main",
        "price": 250000,
    },
    events.LeadsMerged(NOW, 17, 18, "phone"): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "duplicate_id": 18,
        "why": "phone",
    },
    events.MeetingScheduled(NOW, "firm:call:5", 17, 12, "2026-11-24T12:00:00+00:00", 30): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "meeting": "firm:call:5",
        "lead_id": 17,
        "manager": 12,
        "start": "2026-11-24T12:00:00+00:00",
        "minutes": 30,
    },
    events.MeetingMoved(NOW, "firm:call:5", 17, 12, "2026-11-24T13:00:00+00:00", 30): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "meeting": "firm:call:5",
        "lead_id": 17,
        "manager": 12,
        "start": "2026-11-24T13:00:00+00:00",
        "minutes": 30,
    },
    events.MeetingCancelled(NOW, "firm:call:5", 17, 12): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "meeting": "firm:call:5",
        "lead_id": 17,
        "manager": 12,
    },
    events.RecordingReady(NOW, "firm:call:5", 17, "conferenceRecords/x/recordings/y"): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "meeting": "firm:call:5",
        "lead_id": 17,
        "recording": "conferenceRecords/x/recordings/y",
    },
}


def test_details_are_as_recorded_and_json():
    for event, detail in RECORDED.items():
        assert json.loads(json.dumps(event.detail())) == detail


def test_every_event_is_recorded_and_documented_with_all_its_fields():
    classes = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    assert {type(event) for event in RECORDED} == classes - {events.Event}
    document = Path(__file__).parents[2].joinpath("docs/events.md").read_text(encoding="utf-8")
    for event, detail in RECORDED.items():
        (row,) = [line for line in document.splitlines() if line.startswith(f"| `{event.detail_type}`")]
        assert [name for name in detail if f"`{name}`" not in row] == []
