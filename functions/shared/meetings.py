"""Meetings as Conveyor sees them: what is wanted, what stands in the calendar, and the names both are known by.

All moments are aware datetimes in UTC; a meeting's wall clock is that of its `zone`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Answer(StrEnum):
    """What an attendee has said to the invitation (Google Calendar API: responseStatus)."""

    NONE = "needsAction"
    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"


@dataclass(frozen=True)
class Attendee:
    """Who is invited; `email` is lower-case. `comment` is what he wrote beside his answer, `companions` how many he
    brings, `is_optional` what the person who invited him marked him as."""

    email: str = field(repr=False)
    name: str = field(default="", repr=False)
    answer: Answer = Answer.NONE
    comment: str = field(default="", repr=False)
    is_optional: bool = False
    companions: int = 0


@dataclass(frozen=True)
class Recurrence:
    """Every week on these `days` (0 is Monday), but not on the days of `skips`, by the wall clock of the meeting."""

    days: frozenset[int]
    skips: frozenset[date] = frozenset()


class Span(NamedTuple):
    """From `start` until `end`, which is no part of it."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Meeting:
    """A meeting that is wanted. `key` is what it is known by for good (see `meeting_id`); `start` of a series is its
    first occurrence. `source` is the address of the card, which guests do not see."""

    key: str
    title: str = field(repr=False)
    start: datetime
    minutes: int
    zone: ZoneInfo
    attendees: tuple[Attendee, ...]
    recurrence: Recurrence | None = None
    is_recorded: bool = False
    description: str = field(default="", repr=False)
    source: str = ""

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + timedelta(minutes=self.minutes))

    @property
    def emails(self) -> frozenset[str]:
        return frozenset(attendee.email for attendee in self.attendees)


class LinkState(StrEnum):
    """none: nobody asked for a link · pending: it comes in seconds · ready · failed: ask anew for another one."""

    NONE = "none"
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Booked:
    """A meeting as the calendar has it. `key` is ours, empty for an event that is not; `version` changes with every
    change of it. `code` is what the provider knows the link by.

    Of one day of a series, `series` is the id of the whole and `original_start` the moment it was planned for.
    """

    id: str
    version: str
    key: str
    title: str = field(default="", repr=False)
    start: datetime | None = None
    minutes: int = 0
    zone: str = ""
    attendees: tuple[Attendee, ...] = ()
    recurrence: Recurrence | None = None
    is_cancelled: bool = False
    link: str = ""
    link_state: LinkState = LinkState.NONE
    code: str = ""
    series: str = ""
    original_start: datetime | None = None

    @property
    def emails(self) -> frozenset[str]:
        return frozenset(attendee.email for attendee in self.attendees)

    def answer_of(self, email: str) -> Attendee | None:
        return next((attendee for attendee in self.attendees if attendee.email == email), None)


@dataclass(frozen=True)
class MeetingChange:
    """What is to be another in an event; None stays as it is. `start` and `minutes` go together, and for a series so
    does `recurrence`."""

    title: str | None = None
    start: datetime | None = None
    minutes: int | None = None
    zone: ZoneInfo | None = None
    attendees: tuple[Attendee, ...] | None = None
    recurrence: Recurrence | None = None

    def __bool__(self) -> bool:
        return self != MeetingChange()


@dataclass(frozen=True)
class CalendarChanges:
    """What has changed in the calendar since `token` was given the last time; `is_all`: nothing was known, so this is
    everything that lies ahead."""

    booked: tuple[Booked, ...]
    token: str
    is_all: bool = False


class RecordingState(StrEnum):
    """on: it will record by itself · refused: the plan or the rights do not allow it · unsupported: the provider has no
    such switch."""

    ON = "on"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Space:
    """Where the meeting takes place: `name` is the provider's lasting name of the link."""

    name: str
    recording: RecordingState


@dataclass(frozen=True)
class Recording:
    """A finished recording. `id` is the provider's; `seconds` its length, 0 where nobody knows."""

    id: str
    url: str = field(repr=False)
    seconds: int


@dataclass(frozen=True)
class Conference:
    """What took place at a link in a span of time: `ended_at` is None while people are still in it; `is_complete` says
    that no further recording is to come of it."""

    started_at: datetime
    ended_at: datetime | None
    recordings: tuple[Recording, ...] = ()
    is_complete: bool = True


def meeting_id(key: str, generation: int) -> str:
    """The id under which a meeting is booked: the same for ever, so that a repeated booking is recognised, and another
    one after a cancellation, as the id of a deleted event stays taken (Google Calendar API: events, id)."""
    digest = hashlib.sha256(f"{key}#{generation}".encode()).digest()
    return base64.b32hexencode(digest).decode().rstrip("=").lower()


def occurrence_id(series: str, original_start: datetime) -> str:
    """The id of one day of a series, which it keeps when it is moved (Google Calendar API: recurring events)."""
    return f"{series}_{original_start:%Y%m%dT%H%M%SZ}"


def occurrences(
    recurrence: Recurrence, at: time, zone: ZoneInfo, since: datetime, until: datetime
) -> Iterable[datetime]:
    """The moments, in UTC, at which the series begins in [since, until): `at` by the wall clock of `zone`.

    A time that the change of the clocks leaves out is an hour later by the wall; of one that comes twice the first
    counts (RFC 5545, 3.3.5).
    """
    day = since.astimezone(zone).date() - timedelta(days=1)
    last = until.astimezone(zone).date()
    while day <= last:
        if day.weekday() in recurrence.days and day not in recurrence.skips:
            moment = datetime.combine(day, at, zone).astimezone(UTC)
            if since <= moment < until:
                yield moment
        day += timedelta(days=1)


def merged_attendees(
    standing: Iterable[Attendee], before: frozenset[str], wanted: Mapping[str, Attendee]
) -> tuple[Attendee, ...]:
    """Who is to be invited: of those who stand there whoever was not ours or still is, with his answer, and who is
    newly wanted. So guests whom a person invited stay, and whom he took out stays out."""
    kept = [each for each in standing if each.email not in before or each.email in wanted]
    emails = {each.email for each in standing}
    new = [wanted[email] for email in wanted if email not in emails and email not in before]
    return (*kept, *new)
