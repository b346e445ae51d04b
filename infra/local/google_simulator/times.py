"""Moments as Google writes them, and the occurrences of a series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr

from infra.local.google_simulator import problems
from infra.local.google_simulator.model import Event, Json

FAR = timedelta(days=3 * 365)
"""How far ahead a series without an end is looked at."""


def zone_of(name: str, label: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise problems.invalid(f"Invalid time zone definition for {label} time.") from None


def moment_of(given: Any, default_zone: str, label: str) -> datetime:
    """The UTC moment of a start or an end in any of its forms: with offset, naive with zone, naive, a whole day. Raises
    Refused."""
    if not isinstance(given, dict):
        raise problems.required(f"Missing {label} time.")
    zone = zone_of(str(given.get("timeZone") or default_zone), label)
    try:
        if given.get("dateTime"):
            moment = datetime.fromisoformat(str(given["dateTime"]))
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if given.get("date"):
            return datetime.combine(date.fromisoformat(str(given["date"])), time(), zone).astimezone(UTC)
    except ValueError:
        raise problems.invalid(f"Invalid value for: {label}") from None
    raise problems.required(f"Missing {label} time.")


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span_of(event: Event, zone: str) -> tuple[datetime, datetime]:
    return moment_of(event.body["start"], zone, "start"), moment_of(event.body["end"], zone, "end")


def shown(given: Json, moment: datetime, zone: str) -> Json:
    """A start or an end in the form in which it was given, at another moment."""
    name = str(given.get("timeZone") or zone)
    local = moment.astimezone(ZoneInfo(name))
    if given.get("date"):
        return {"date": local.date().isoformat()}
    result = {"dateTime": local.isoformat(timespec="seconds")}
    return result | {"timeZone": name}


def check_rules(lines: Any, body: Json, default_zone: str) -> None:
    """Raises Refused for what Google does not take as a recurrence."""
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise problems.invalid("Invalid value for: recurrence")
    for label in ("start", "end"):
        if body[label].get("dateTime") and not body[label].get("timeZone"):
            raise problems.required(f"Missing time zone definition for {label} time.")
    for line in lines:
        if not re.match(r"(RRULE|EXRULE|RDATE|EXDATE)[:;]", line):
            raise problems.invalid("Invalid recurrence rule.")
        if line.startswith("RRULE") and "UNTIL=" in line and "COUNT=" in line:
            raise problems.invalid("Invalid recurrence rule.")
    try:
        _rules(lines, moment_of(body["start"], default_zone, "start"), _zone(body, default_zone))
    except (ValueError, TypeError, KeyError) as error:
        raise problems.invalid("Invalid recurrence rule.") from error


def originals(event: Event, default_zone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """The moments (UTC) at which the series begins in [since, until), by the wall clock of its zone."""
    zone = _zone(event.body, default_zone)
    first = moment_of(event.body["start"], default_zone, "start")
    rules = _rules(event.body["recurrence"], first, zone)
    day = timedelta(days=1)
    begin = max(since, first).astimezone(zone).replace(tzinfo=None) - day
    end = until.astimezone(zone).replace(tzinfo=None) + day
    for naive in rules.between(begin, end, inc=True):
        moment = naive.replace(tzinfo=zone).astimezone(UTC)
        if since <= moment < until:
            yield moment


def instance_id(series: str, original: datetime, is_day: bool) -> str:
    return f"{series}_{original:%Y%m%d}" if is_day else f"{series}_{original:%Y%m%dT%H%M%SZ}"


def _zone(body: Json, default_zone: str) -> ZoneInfo:
    return zone_of(str(body["start"].get("timeZone") or default_zone), "start")


def _rules(lines: list[str], first: datetime, zone: ZoneInfo) -> rruleset:
    """In wall-clock time without a zone: the rule is read by the clock on the wall."""
    naive = first.astimezone(zone).replace(tzinfo=None)
    local = [_local(line, zone) for line in lines]
    rules = rrulestr("\n".join(local), dtstart=naive, forceset=True)
    assert isinstance(rules, rruleset)
    return rules


def _local(line: str, zone: ZoneInfo) -> str:
    """The line with all its moments by the wall clock of the series."""
    name, _, value = line.partition(":")
    given = re.search(r"TZID=([^;:]+)", name)
    origin = ZoneInfo(given[1]) if given else zone
    if name.partition(";")[0] in ("EXDATE", "RDATE"):
        moments = [_wall(text, origin, zone) for text in value.split(",")]
        return f"{name.partition(';')[0]}:{','.join(moments)}"
    return re.sub(r"UNTIL=(\d{8}T\d{6}Z)", lambda match: f"UNTIL={_wall(match[1], origin, zone)}", line)


def _wall(text: str, origin: ZoneInfo, zone: ZoneInfo) -> str:
    if "T" not in text:
        return f"{text}T000000"
    naive = datetime.fromisoformat(text.removesuffix("Z"))
    moment = naive.replace(tzinfo=UTC if text.endswith("Z") else origin)
    return f"{moment.astimezone(zone):%Y%m%dT%H%M%S}"
