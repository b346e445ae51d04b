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
    },
    events.LeadWaiting(NOW, 17, "lead_desk", "call", "off_shift", "2026-11-24T06:00:00+00:00"): {
        "occurred_at": "2026-11-23T09:00:00+00:00",
        "lead_id": 17,
        "team": "lead_desk",
        "channel": "call",
        "reason": "off_shift",
        "next_check": "2026-11-24T06:00:00+00:00",
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
