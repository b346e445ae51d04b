"""Metrics as CloudWatch reads them from the log."""

from __future__ import annotations

import json

from functions.shared.telemetry import PowertoolsTelemetry


def test_counts_are_added_up_and_written_once_a_run(monkeypatch, capsys):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Conveyor/test")
    telemetry = PowertoolsTelemetry("distribute")
    for _ in range(150):
        telemetry.count("AmoCrmRequests")
    telemetry.count("LeadWaiting", 0)
    telemetry.flush()
    telemetry.flush()

    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["AmoCrmRequests"] == [150.0]
    assert "LeadWaiting" not in line


def test_functions_that_count_the_same_thing_add_to_one_metric(monkeypatch, capsys):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Conveyor/test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "anything")
    for service in ("distribute", "qualify_router"):
        telemetry = PowertoolsTelemetry(service)
        telemetry.count("HookRejected")
        telemetry.flush()

    directives = [json.loads(line)["_aws"]["CloudWatchMetrics"] for line in capsys.readouterr().out.splitlines()]
    assert [directive["Dimensions"] for (directive,) in directives] == [[[]], [[]]]


def test_a_log_line_has_the_event_and_its_fields(caplog):
    PowertoolsTelemetry("distribute").info("lead_assigned", lead_id=7, owner=11)

    (record,) = caplog.records
    assert (record.getMessage(), record.lead_id, record.owner) == ("lead_assigned", 7, 11)
