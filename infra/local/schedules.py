"""EventBridge Scheduler: rate(), cron() and at() of the template, fired into their queues in virtual time."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from infra.local.intrinsics import ACCOUNT, Unsupported
from infra.local.queues import LocalQueue
from infra.local.template import ScheduleSpec

_EXPRESSION = re.compile(r"(rate|cron|at)\((.+)\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LAST_YEAR = 2199
"""The end of the years that a cron expression of Scheduler may name."""


class Recurrence(Protocol):
    def after(self, moment: datetime) -> datetime | None:
        """The first firing later than `moment`, None if there is none."""


@dataclass(frozen=True)
class Rate:
    """Fires at `start`, then every `period` (Scheduler starts a rate at once when no start date is given)."""

    start: datetime
    period: timedelta

    def after(self, moment: datetime) -> datetime:
        if moment < self.start:
            return self.start
        return self.start + self.period * ((moment - self.start) // self.period + 1)


@dataclass(frozen=True)
class Once:
    moment: datetime

    def after(self, moment: datetime) -> datetime | None:
        return self.moment if moment < self.moment else None


@dataclass(frozen=True)
class Cron:
    """Six fields as sets of what they allow; `weekdays` as AWS counts them, 1 for Sunday.

    A time that the change of the clocks skips is skipped, one that it repeats fires once (EventBridge Scheduler user
    guide: daylight saving time).
    """

    minutes: Sequence[int]
    hours: Sequence[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone)
        for day in self._days_from(local.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    wall = datetime.combine(day, time(hour, minute), self.zone)
                    fires = wall.astimezone(UTC)
                    exists = fires.astimezone(self.zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
                    if exists and fires > moment:
                        return fires
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        day = first
        while day.year <= max(self.years):
            weekday = day.isoweekday() % 7 + 1
            if (
                day.day in self.days
                and day.month in self.months
                and weekday in self.weekdays
                and day.year in self.years
            ):
                yield day
            day += timedelta(days=1)


def parse_expression(expression: str, timezone: str, start: datetime) -> Recurrence:
    """Raises Unsupported, naming the expression, for what is wrong or not played (L, W and # in cron)."""
    match = _EXPRESSION.fullmatch(expression.strip())
    if match is None:
        raise Unsupported(f"{expression!r} is no schedule; write rate(5 minutes), cron(0 9 ? * MON-FRI *) or at(…)")
    kind, text = match.groups()
    zone = ZoneInfo(timezone)
    try:
        if kind == "rate":
            value, unit = text.split()
            return Rate(start, timedelta(seconds=int(value) * _UNITS[unit.removesuffix("s")]))
        if kind == "at":
            return Once(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC))
        minutes, hours, days, months, weekdays, years = text.split()
        return Cron(
            minutes=sorted(_allowed(minutes, 0, 59)),
            hours=sorted(_allowed(hours, 0, 23)),
            days=_allowed(days, 1, 31),
            months=_allowed(months, 1, 12, _MONTHS),
            weekdays=_allowed(weekdays, 1, 7, _WEEKDAYS),
            years=_allowed(years, 1970, _LAST_YEAR),
            zone=zone,
        )
    except (ValueError, KeyError) as error:
        raise Unsupported(f"{expression!r} is not played as a schedule: {error}") from error


def _allowed(field: str, low: int, high: int, names: Sequence[str] = ()) -> frozenset[int]:
    """What a cron field allows: `*`, `?`, lists, ranges, steps, names."""

    def number(text: str) -> int:
        value = names.index(text.upper()) + low if text.upper() in names else int(text)
        if not low <= value <= high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return value

    allowed: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = number(first)
            end = number(last) if last else (high if step else begin)
        allowed.update(range(begin, end + 1, int(step or 1)))
    return frozenset(allowed)


@dataclass
class _Pending:
    spec: ScheduleSpec
    queue: LocalQueue
    recurrence: Recurrence
    due: datetime | None


class Schedules:
    """All schedules of the template. A `Source` of the timeline."""

    clockwork = True

    def __init__(self, scheduled: Sequence[tuple[ScheduleSpec, LocalQueue]], start: datetime) -> None:
        self._pending = []
        for spec, queue in scheduled:
            recurrence = parse_expression(spec.expression, spec.timezone, start)
            due = recurrence.after(start - timedelta(microseconds=1))
            self._pending.append(_Pending(spec, queue, recurrence, due))

    def next_due(self) -> datetime | None:
        return min((pending.due for pending in self._pending if pending.due), default=None)

    def run_due(self) -> None:
        """Fire the earliest schedule once."""
        due = self.next_due()
        pending = next(pending for pending in self._pending if pending.due == due)
        assert due is not None
        pending.queue.send(message_body(pending.spec, due))
        pending.due = pending.recurrence.after(due)

    def gathering_until(self) -> None:
        """A schedule gathers nothing."""


def message_body(spec: ScheduleSpec, scheduled: datetime) -> str:
    """The schedule's Input with its context attributes filled in, or what Scheduler sends without one
    (EventBridge Scheduler user guide: context attributes)."""
    moment = scheduled.strftime("%Y-%m-%dT%H:%M:%SZ")
    if spec.input is None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": moment,
            "resources": [spec.arn],
            "detail": "{}",
        }
        return json.dumps(event)
    attributes = {
        "schedule-arn": spec.arn,
        "scheduled-time": moment,
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    return re.sub(r"<aws\.scheduler\.([a-z-]+)>", lambda match: attributes.get(match[1], match[0]), spec.input)
