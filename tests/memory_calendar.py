"""A calendar in memory that keeps the contract of the port `MeetingProvider`, tombstones and lost answers included
(tests/contract/test_meeting_provider.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from functions.shared.clock import Clock
from functions.shared.errors import MeetingGone, MeetingMoved, MeetingRefused, MeetingsUnavailable
from functions.shared.meetings import (
    Answer,
    Attendee,
    Booked,
    CalendarChanges,
    Conference,
    LinkState,
    Meeting,
    MeetingChange,
    Recording,
    RecordingState,
    Space,
    Span,
    meeting_id,
    occurrence_id,
    occurrences,
)

HOST = "meet@example.ru"


@dataclass(frozen=True)
class Word:
    """What attendees were told, of which time: `kind` is invite, update or cancel."""

    event_id: str
    kind: str
    emails: frozenset[str]
    start: datetime | None = None


class LostAnswer(MeetingsUnavailable):
    """It was done, but nobody heard so."""


@dataclass
class MemoryCalendar:
    """`before` is called with the name of each method and may raise; `after` likewise, when the method has done its
    work: an answer that gets lost."""

    clock: Clock
    events: dict[str, Booked] = field(default_factory=dict)
    told: list[Word] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda name: None
    after: Callable[[str], None] = lambda name: None
    busy_spans: dict[str, list[Span] | None] = field(default_factory=dict)
    away_spans: dict[str, tuple[Span, ...] | None] = field(default_factory=dict)
    held: dict[str, list[Conference]] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    can_record: bool = True
    gives_links: LinkState = LinkState.READY
    refuses: set[str] = field(default_factory=set)
    """E-mails that the calendar does not take."""
    log: list[str] = field(default_factory=list)
    """Ids of changed events, in order: what a token points into."""
    _version: int = 0

    # The port

    def book(self, meeting: Meeting, generation: int) -> Booked:
        self._begin("book")
        event_id = meeting_id(meeting.key, generation)
        standing = self.events.get(event_id)
        if standing is None:
            if meeting.emails & self.refuses:
                raise MeetingRefused("Invalid attendee email.", attendees=True)
            if meeting.minutes <= 0:
                raise MeetingRefused("The specified time range is empty.")
            standing = self._put(
                Booked(
                    id=event_id,
                    version="",
                    key=meeting.key,
                    title=meeting.title,
                    start=meeting.start.astimezone(UTC),
                    minutes=meeting.minutes,
                    zone=meeting.zone.key,
                    attendees=tuple(replace(each, answer=Answer.NONE) for each in meeting.attendees),
                    recurrence=meeting.recurrence,
                    code=f"code-{event_id[:8]}",
                    **self._link(event_id),
                )
            )
            self._tell(standing, "invite")
        elif standing.is_cancelled:
            raise MeetingGone(f"{event_id} was deleted")
        self.after("book")
        return standing

    def find(self, event_id: str) -> Booked | None:
        self._begin("find")
        found = self.events.get(event_id) or self._occurrence(event_id)
        if found is not None and found.link_state is LinkState.PENDING and self.gives_links is not LinkState.PENDING:
            found = self._put(replace(found, **self._link(found.id)), quiet=True)
        self.after("find")
        return found

    def change(self, booked: Booked, change: MeetingChange, *, tell: bool) -> Booked:
        self._begin("change")
        standing = self.events.get(booked.id) or self._occurrence(booked.id)
        if standing is None or standing.is_cancelled:
            raise MeetingGone(booked.id)
        if standing.version != booked.version:
            raise MeetingMoved(booked.id)
        if change.attendees and {each.email for each in change.attendees} & self.refuses - standing.emails:
            raise MeetingRefused("Invalid attendee email.", attendees=True)
        changed = replace(
            standing,
            title=standing.title if change.title is None else change.title,
            start=change.start or standing.start,
            minutes=change.minutes or standing.minutes,
            zone=change.zone.key if change.zone else standing.zone,
            attendees=standing.attendees if change.attendees is None else change.attendees,
            recurrence=change.recurrence or standing.recurrence,
        )
        if change.start is not None and change.start != standing.start:
            changed = replace(changed, attendees=tuple(replace(a, answer=Answer.NONE) for a in changed.attendees))
        changed = self._put(changed)
        if tell:
            self._tell(changed, "update")
        self.after("change")
        return changed

    def cancel(self, event_id: str, *, tell: bool) -> None:
        self._begin("cancel")
        standing = self.events.get(event_id)
        if standing is not None and not standing.is_cancelled:
            gone = self._put(replace(standing, is_cancelled=True))
            if tell:
                self._tell(gone, "cancel")
        self.after("cancel")

    def renew_link(self, booked: Booked, attempt: int) -> Booked:
        self._begin("renew_link")
        standing = self.events[booked.id]
        if standing.is_cancelled:
            raise MeetingGone(booked.id)
        if standing.version != booked.version:
            raise MeetingMoved(booked.id)
        renewed = self._put(replace(standing, **self._link(booked.id)))
        self.after("renew_link")
        return renewed

    def record(self, code: str) -> Space:
        self._begin("record")
        if self.can_record:
            self.recorded.add(code)
        self.after("record")
        return Space(f"spaces/{code}", RecordingState.ON if self.can_record else RecordingState.REFUSED)

    def changes(self, since: str | None) -> CalendarChanges:
        self._begin("changes")
        start = int(since) if since else 0
        ids = dict.fromkeys(self.log[start:])
        self.after("changes")
        return CalendarChanges(tuple(self.events[each] for each in ids), str(len(self.log)), is_all=since is None)

    def busy(self, emails: Collection[str], span: Span) -> Mapping[str, tuple[Span, ...] | None]:
        self._begin("busy")
        return {email: self._busy(email, span) for email in emails}

    def away(self, email: str, span: Span) -> tuple[Span, ...] | None:
        self._begin("away")
        spans = self.away_spans.get(email, ())
        return None if spans is None else tuple(each for each in spans if each.overlaps(span))

    def conferences(self, space: str, span: Span) -> tuple[Conference, ...]:
        self._begin("conferences")
        held = self.held.get(space.removeprefix("spaces/"), [])
        return tuple(
            each for each in held if each.started_at < span.end and (each.ended_at or self.clock.now()) > span.start
        )

    # What people do

    def answer(self, event_id: str, email: str, answer: Answer) -> None:
        event = self.events[event_id]
        guests = tuple(replace(each, answer=answer) if each.email == email else each for each in event.attendees)
        self._put(replace(event, attendees=guests))

    def move(self, event_id: str, start: datetime, minutes: int | None = None) -> None:
        event = self.events[event_id]
        self._put(replace(event, start=start.astimezone(UTC), minutes=minutes or event.minutes))

    def edit(self, event_id: str, **fields: object) -> None:
        self._put(replace(self.events.get(event_id) or self._occurrence(event_id), **fields))  # type: ignore[arg-type]

    def delete(self, event_id: str) -> None:
        self._put(replace(self.events[event_id], is_cancelled=True))

    def hold(self, event: Booked, start: datetime, minutes: int, *recordings: Recording, complete: bool = True) -> None:
        """People met at the event's link."""
        ended = start + timedelta(minutes=minutes)
        self.held.setdefault(event.code, []).append(Conference(start, ended, recordings, complete))

    # What tests look at

    @property
    def standing(self) -> list[Booked]:
        """Events of the calendar, without those of single days."""
        return [event for event in self.events.values() if not event.is_cancelled and not event.series]

    def words(self, kind: str) -> list[Word]:
        return [word for word in self.told if word.kind == kind]

    # Inside

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        self.before(name)

    def _link(self, event_id: str) -> dict[str, object]:
        if self.gives_links is LinkState.READY:
            return {"link": f"https://meet.google.com/{event_id[:10]}", "link_state": LinkState.READY}
        return {"link": "", "link_state": self.gives_links}

    def _put(self, event: Booked, quiet: bool = False) -> Booked:
        self._version += 1
        event = replace(event, version=f'"{self._version}"')
        self.events[event.id] = event
        if not quiet:
            self.log.append(event.id)
        return event

    def _tell(self, event: Booked, kind: str) -> None:
        self.told.append(Word(event.id, kind, event.emails, event.start))

    def _busy(self, email: str, span: Span) -> tuple[Span, ...] | None:
        spans = self.busy_spans.get(email, [])
        if spans is None:
            return None
        own = [
            Span(event.start, event.start + timedelta(minutes=event.minutes))
            for event in self.standing
            if event.start and event.recurrence is None and _takes_part(event, email)
        ]
        return tuple(sorted(each for each in [*spans, *own] if each.overlaps(span)))

    def _occurrence(self, event_id: str) -> Booked | None:
        """A day of a series that nobody has touched."""
        series_id, _, moment = event_id.partition("_")
        series = self.events.get(series_id)
        if not moment or series is None or series.recurrence is None or series.start is None:
            return None
        start = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        zone = ZoneInfo(series.zone)
        at = series.start.astimezone(zone).time()
        if start not in set(occurrences(series.recurrence, at, zone, start, start + timedelta(minutes=1))):
            return None
        return replace(
            series,
            id=occurrence_id(series_id, start),
            start=start,
            recurrence=None,
            series=series_id,
            original_start=start,
            is_cancelled=series.is_cancelled,
        )


def _takes_part(event: Booked, email: str) -> bool:
    attendee: Attendee | None = event.answer_of(email)
    return attendee is not None and attendee.answer is not Answer.DECLINED
