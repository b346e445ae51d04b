"""Trainings at which a client is expected, as his facts tell of them. Pure.

What the facts say (`data`), besides their `time`:

- `session.booked`: `session_id`, one for every occasion; `start` and `end`, ISO 8601 with offset. Without `start` it is
  the fact's time, without `end` an hour later. A second one with the same id moves the session.
- `session.cancelled`: `session_id`; `by`: client or club; `late`: whether the client was too late to cancel.
- `visit.attended`, `visit.missed`, the marks: `session_id`, and `start` where the session was never booked (else it is
  the mark's time: feeds that send marks only). A visit without `session_id` is a free one, and attends every booked
  session whose start it is near.
- `profile.updated`: `timetable`, for `expected: timetable`: his fixed hours, `["mon 19:00-20:00", "thu 19:00"]`, on
  clocks of his zone; it counts from the fact's time until the next one. There, marks and cancellations belong to
  the hour that they are near (`start`, else their time).

A fact that is not yet known at an instant does not exist then: asked for the past, all this answers as it would have.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from heapq import merge
from typing import Any
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.clocks import INSTANT, local_date, local_instant, moment
from functions.aftercare_triggers.rules.person import Person
from functions.shared.facts import (
    PROFILE_UPDATED,
    SESSION_BOOKED,
    SESSION_CANCELLED,
    VISIT_ATTENDED,
    VISIT_MISSED,
    Fact,
)

TOLD_BY = frozenset({SESSION_BOOKED, SESSION_CANCELLED, VISIT_ATTENDED, VISIT_MISSED})
_MARKS = frozenset({SESSION_CANCELLED, VISIT_ATTENDED, VISIT_MISSED})
NEAR = timedelta(hours=2)
USUAL_LENGTH = timedelta(hours=1)
BOOKED_AHEAD = timedelta(days=60)
"""Nobody books longer ahead, so sessions that start later than this after the first fact that was read are complete."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = re.compile(rf"({'|'.join(_DAYS)}) (\d\d?):(\d\d)(?:-(\d\d?):(\d\d))?")


@dataclass(frozen=True)
class Session:
    """One session as it stood from `known_from` until `known_until` (None: still). `place` is where it stands in the
    walk: its start, or when the client came, if that was earlier. `told` are the facts about it, later ones included,
    sorted by time; `visits` free ones near its start. `is_booked` is False where only marks tell of it."""

    id: str
    start: datetime
    end: datetime
    place: datetime
    known_from: datetime
    known_until: datetime | None
    told: tuple[Fact, ...]
    visits: tuple[Fact, ...] = ()
    is_booked: bool = True

    def is_known(self, known: datetime) -> bool:
        return self.known_from <= known and (self.known_until is None or known < self.known_until)

    def known(self, known: datetime) -> list[Fact]:
        return [fact for fact in self.told if fact.time <= known]

    def said(self, known: datetime) -> str:
        """cancelled_by_club, cancelled_in_time, cancelled_late, attended, missed; empty while nothing says how it went.
        What comes first in this list counts."""
        told = self.known(known)
        kinds = {fact.type for fact in told}
        cancelled = _cancellation(told) if SESSION_CANCELLED in kinds else None
        if cancelled is not None:
            if cancelled.data.get("by") == "club":
                return "cancelled_by_club"
            return "cancelled_late" if cancelled.data.get("late") is True else "cancelled_in_time"
        if VISIT_ATTENDED in kinds:
            return "attended"
        if VISIT_MISSED in kinds:
            return "missed"
        return "attended" if any(fact.time <= known for fact in self.visits) else ""


def _cancellation(told: Iterable[Fact]) -> Fact | None:
    """The newest; booking the session again, with a new start, takes it back."""
    standing: Fact | None = None
    for fact in told:
        if fact.type == SESSION_CANCELLED:
            standing = fact
        elif fact.type == SESSION_BOOKED and fact.data.get("start"):
            standing = None
    return standing


class Bookings:
    """Sessions that were booked, or at least marked; free visits stand among them as sessions of their own."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._all: list[Session] = person.once("booked sessions", lambda: _booked(person))
        self._places = person.once("their places", lambda: [session.place for session in self._all])

    def newest(self, at: datetime, known: datetime) -> Iterator[Session]:
        """Those that have come by `at`, as known at `known`, the newest first. Raises OlderFactsNeeded when it comes to
        where not everything was read."""
        read_from = self._person.read_from
        complete = None if read_from is None else read_from + BOOKED_AHEAD
        for index in range(bisect_right(self._places, at) - 1, -1, -1):
            session = self._all[index]
            if complete is not None and session.place < complete:
                self._person.need(TOLD_BY, None)
            if session.is_known(known):
                yield session
        self._person.need(TOLD_BY, None)

    def history(self, at: datetime | None) -> Iterable[Session]:
        """All that had come by `at` (None: all), in all the shapes they had."""
        return self._all if at is None else self._all[: bisect_right(self._places, at)]

    def to_come(self, at: datetime, weeks: int) -> tuple[list[Session], datetime | None]:  # noqa: ARG002 (all are known)
        """What is known at `at` to come after it, and until when that is all (None: for ever)."""
        return [each for each in self._all[bisect_right(self._places, at) :] if each.is_known(at)], None


def _booked(person: Person) -> list[Session]:
    groups: dict[str, list[Fact]] = {}
    free: list[Fact] = []
    for fact in person.facts:
        if fact.type not in TOLD_BY:
            continue
        name = fact.data.get("session_id")
        if fact.type == VISIT_ATTENDED and name in (None, ""):
            free.append(fact)
        groups.setdefault(f"#{name}" if name not in (None, "") else fact.reference, []).append(fact)
    near = _Near((fact.time, fact) for fact in free)
    sessions = [session for told in groups.values() for session in _shapes(told, near, person.zone)]
    return sorted(sessions, key=lambda session: (session.place, session.id))


def _shapes(told: list[Fact], near: _Near, zone: ZoneInfo) -> Iterator[Session]:
    """One session, from one change of its hours to the next: a booking, or a mark that the client came before its
    start."""
    placed = [(moment(fact.data.get("start"), zone) or fact.time, fact) for fact in told]
    latest = max(start for start, _ in placed)
    early = {fact.time for fact in told if fact.type == VISIT_ATTENDED and fact.time < latest}
    changes = sorted({fact.time for fact in told if fact.type == SESSION_BOOKED} | early | {told[0].time})
    id = str(told[0].data.get("session_id") or told[0].id)
    for known_from, known_until in zip(changes, [*changes[1:], None], strict=True):
        known = [(start, fact) for start, fact in placed if fact.time <= known_from]
        booked = [(start, fact) for start, fact in known if fact.type == SESSION_BOOKED]
        start, source = booked[-1] if booked else known[0]
        end = moment(source.data.get("end"), zone) or start + USUAL_LENGTH
        came = [fact.time for _, fact in known if fact.type == VISIT_ATTENDED]
        yield Session(
            id,
            start,
            max(end, start),
            min([start, *came]),
            known_from,
            known_until,
            tuple(told),
            near.to(start) if booked else (),
            bool(booked),
        )


class _Near:
    """Facts found by where in time they belong."""

    def __init__(self, placed: Iterable[tuple[datetime, Fact]]) -> None:
        by_time = sorted(placed, key=lambda each: each[0])
        self.times = [at for at, _ in by_time]
        self.facts = [fact for _, fact in by_time]

    def to(self, start: datetime) -> tuple[Fact, ...]:
        return tuple(self.facts[bisect_left(self.times, start - NEAR) : bisect_right(self.times, start + NEAR)])


@dataclass(frozen=True)
class Hours:
    """A client's fixed hours from `known_from` on: (weekday, start, length), the latest of a week first."""

    known_from: datetime
    slots: tuple[tuple[int, time, timedelta], ...]


class Timetable:
    """Sessions by the client's fixed hours, from when they were told on; every visit stands among them, so that it
    resets even at an hour that nobody expected."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._hours: list[Hours] = person.once("timetables", lambda: _timetables(person))
        self._near: _Near = person.once("marks by time", lambda: _Near(_marks(person)))

    def newest(self, at: datetime, known: datetime) -> Iterator[Session]:
        """As Bookings.newest. A visit comes before the session that begins at the same time."""
        yield from merge(self._visits(at, known), self._slots(at, known), key=lambda each: each.place, reverse=True)

    def history(self, at: datetime | None) -> Iterable[Session]:
        """As Bookings.history, but a timetable goes on for ever: `at` must be given."""
        assert at is not None, "a timetable has no last session"
        return self._slots(at, at)

    def to_come(self, at: datetime, weeks: int) -> tuple[list[Session], datetime | None]:
        """As Bookings.to_come; as many weeks ahead as asked, and all of which something is known."""
        until = max([at + timedelta(weeks=weeks), *(time + NEAR for time in self._near.times[-1:])])
        is_over = not any(hours.slots for hours in self._hours if hours.known_from <= at)
        return [each for each in self._slots(until, at) if each.place > at], None if is_over else until

    def _visits(self, at: datetime, known: datetime) -> Iterator[Session]:
        for fact in self._person.newest((VISIT_ATTENDED,), min(at, known)):
            yield Session(fact.id, fact.time, fact.time, fact.time, fact.time, None, (fact,), (), is_booked=False)

    def _slots(self, at: datetime, known: datetime) -> Iterator[Session]:
        zone, read_from = self._person.zone, self._person.read_from
        until = at
        for hours in reversed([each for each in self._hours if each.known_from <= known]):
            day, first = local_date(until, zone), local_date(hours.known_from, zone)
            while hours.slots and day >= first:
                for _, clock, length in (slot for slot in hours.slots if slot[0] == day.weekday()):
                    start = local_instant(day, clock, zone)
                    if hours.known_from <= start <= until:
                        if read_from is not None and start < read_from + NEAR:
                            self._person.need(_MARKS, None)
                        id = f"{day}T{clock:%H:%M}"
                        yield Session(id, start, start + length, start, hours.known_from, None, self._near.to(start))
                day -= timedelta(days=1)
            until = min(until, hours.known_from - INSTANT)


def _marks(person: Person) -> Iterator[tuple[datetime, Fact]]:
    """A cancellation belongs to no hour unless it says which."""
    for fact in person.facts:
        if fact.type in _MARKS:
            start = moment(fact.data.get("start"), person.zone)
            if start or fact.type != SESSION_CANCELLED:
                yield start or fact.time, fact


def _timetables(person: Person) -> list[Hours]:
    told = [fact for fact in person.facts if fact.type == PROFILE_UPDATED and "timetable" in fact.data]
    return [Hours(fact.time, _slots_of(fact.data["timetable"])) for fact in told]


def _slots_of(timetable: Any) -> tuple[tuple[int, time, timedelta], ...]:
    """What cannot be read is left out."""
    read = [_HOUR.fullmatch(str(line).strip().lower()) for line in timetable] if isinstance(timetable, list) else []
    slots = {_slot(*found.groups()) for found in read if found is not None}
    return tuple(sorted((slot for slot in slots if slot is not None), reverse=True))


def _slot(day: str, *clock: str | None) -> tuple[int, time, timedelta] | None:
    hour, minute, till_hour, till_minute = (None if part is None else int(part) for part in clock)
    try:
        start = time(hour or 0, minute or 0)
        if till_hour is None:
            return _DAYS.index(day), start, USUAL_LENGTH
        end = time(till_hour, till_minute or 0)
    except ValueError:
        return None
    length = timedelta(hours=end.hour - start.hour, minutes=end.minute - start.minute)
    return _DAYS.index(day), start, length if length > timedelta(0) else USUAL_LENGTH
