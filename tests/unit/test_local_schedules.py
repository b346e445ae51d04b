"""EventBridge Scheduler's expressions, in virtual time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.intrinsics import Unsupported
from infra.local.schedules import message_body, parse_expression
from infra.local.template import ScheduleSpec

START = datetime(2026, 3, 2, 8, 30, 10, tzinfo=UTC)
"""A Monday."""


def firings(expression: str, timezone: str = "UTC", count: int = 4, start: datetime = START) -> list[str]:
    recurrence = parse_expression(expression, timezone, start)
    found, moment = [], start - timedelta(microseconds=1)
    while len(found) < count and (after := recurrence.after(moment)):
        found.append(after)
        moment = after
    return [f"{moment:%m-%d %H:%M:%S}" for moment in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", ["03-02 08:30:10", "03-02 08:31:10", "03-02 08:32:10", "03-02 08:33:10"]),
        ("rate(12 hours)", ["03-02 08:30:10", "03-02 20:30:10", "03-03 08:30:10", "03-03 20:30:10"]),
        ("rate(1 day)", ["03-02 08:30:10", "03-03 08:30:10", "03-04 08:30:10", "03-05 08:30:10"]),
        ("cron(0/20 9 ? * MON-FRI *)", ["03-02 09:00:00", "03-02 09:20:00", "03-02 09:40:00", "03-03 09:00:00"]),
        ("cron(15,45 6-8/2 * * ? *)", ["03-02 08:45:00", "03-03 06:15:00", "03-03 06:45:00", "03-03 08:15:00"]),
        ("cron(0 0 1 * ? 2026)", ["04-01 00:00:00", "05-01 00:00:00", "06-01 00:00:00", "07-01 00:00:00"]),
        ("cron(0 12 ? JUN SUN 2026)", ["06-07 12:00:00", "06-14 12:00:00", "06-21 12:00:00", "06-28 12:00:00"]),
        ("at(2026-03-02T09:00:00)", ["03-02 09:00:00"]),
        ("at(2026-03-02T08:00:00)", []),
        ("cron(0 0 1 1 ? 2020)", []),
    ],
)
def test_expressions_fire_when_scheduler_says(expression: str, expected: list[str]) -> None:
    assert firings(expression) == expected


def test_cron_and_at_are_read_in_the_zone_of_the_schedule() -> None:
    assert firings("cron(0 9 * * ? *)", "Europe/Moscow", count=1) == ["03-03 06:00:00"]
    assert firings("at(2026-03-02T12:00:00)", "Europe/Moscow") == ["03-02 09:00:00"]


def test_a_time_that_the_change_of_the_clocks_skips_is_skipped_and_one_that_it_repeats_fires_once() -> None:
    # Berlin: 2026-03-29 02:00 → 03:00 and 2026-10-25 03:00 → 02:00
    spring = firings("cron(30 2 * * ? *)", "Europe/Berlin", 2, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert spring == ["03-30 00:30:00", "03-31 00:30:00"]
    autumn = firings("cron(30 2 * * ? *)", "Europe/Berlin", 2, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert autumn == ["10-25 00:30:00", "10-26 01:30:00"]


@pytest.mark.parametrize(
    "expression",
    [
        "every minute",
        "rate(five minutes)",
        "rate(1 month)",
        "cron(0 9 * * ?)",
        "cron(0 9 L * ? *)",
        "cron(61 9 * * ? *)",
    ],
)
def test_an_expression_that_is_not_played_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported) as refused:
        parse_expression(expression, "UTC", START)
    assert expression in str(refused.value)


def test_context_attributes_of_the_input_are_filled_in() -> None:
    text = (
        '{"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>", "x": "<aws.scheduler.nothing>"}'
    )
    spec = ScheduleSpec("tick", "arn:tick", "rate(1 minute)", "UTC", "door", text)
    assert json.loads(message_body(spec, START)) == {
        "at": "2026-03-02T08:30:10Z",
        "by": "arn:tick",
        "x": "<aws.scheduler.nothing>",
    }


def test_without_an_input_scheduler_sends_its_own_event() -> None:
    spec = ScheduleSpec("tick", "arn:tick", "rate(1 minute)", "UTC", "door", None)
    event = json.loads(message_body(spec, START))
    assert (event["detail-type"], event["time"]) == ("Scheduled Event", "2026-03-02T08:30:10Z")
