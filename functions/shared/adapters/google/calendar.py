"""The host's calendar: events with Meet links, who is busy, who is away."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES
from functions.shared.adapters.google.payloads import booked_from, change_of, conference_request, event_of
from functions.shared.adapters.google.rest import GoogleRest, Json, Query, Refusal
from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingRefused,
    MeetingsError,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
)
from functions.shared.meetings import Booked, CalendarChanges, LinkState, Meeting, MeetingChange, Span, meeting_id

CALENDARS_AT_ONCE = 50
LONGEST_SPAN = timedelta(days=90)
"""Limits of freeBusy (Google Calendar API: freebusy.query)."""

PAGE = "2500"
"""The largest there is (Google Calendar API: events.list)."""

_WITH_LINK = ("conferenceDataVersion", "1")


class GoogleCalendar:
    """All errors of Google leave as those of the port."""

    def __init__(self, rest: GoogleRest) -> None:
        self._rest = rest

    def book(self, meeting: Meeting, generation: int) -> Booked:
        event_id = meeting_id(meeting.key, generation)
        try:
            booked = self._insert(meeting, event_id, with_conference=True)
        except Refusal as refusal:
            if not _is_of_conference(refusal):
                raise _refused(refusal) from refusal
            try:
                booked = self._insert(meeting, event_id, with_conference=False)
            except Refusal as again:
                raise _refused(again) from again
        if booked.is_cancelled:
            raise MeetingGone(f"the event of {meeting.key} was deleted")
        if booked.key != meeting.key:
            raise MeetingRefused(f"another event has the id of {meeting.key}")
        if booked.link_state is LinkState.PENDING:
            self._rest.clock.sleep(self._rest.config.pending_wait)
            booked = self.find(event_id) or booked
        return booked

    def find(self, event_id: str) -> Booked | None:
        try:
            return booked_from(self._rest.call_made("GET", self._event(event_id), CALENDAR_SCOPES))
        except Refusal as refusal:
            if refusal.status in (404, 410):
                return None
            raise _refused(refusal) from refusal

    def change(self, booked: Booked, change: MeetingChange, *, tell: bool) -> Booked:
        return self._patch(booked, change_of(change), [("sendUpdates", "all" if tell else "none")])

    def renew_link(self, booked: Booked, attempt: int) -> Booked:
        body = {"conferenceData": conference_request(f"{booked.id}-{attempt}")}
        return self._patch(booked, body, [_WITH_LINK, ("sendUpdates", "none")])

    def cancel(self, event_id: str, *, tell: bool) -> None:
        query = [("sendUpdates", "all" if tell else "none")]
        try:
            self._rest.call_made("DELETE", self._event(event_id), CALENDAR_SCOPES, query=query)
        except Refusal as refusal:
            if refusal.status not in (404, 410):
                raise _refused(refusal) from refusal

    def changes(self, since: str | None) -> CalendarChanges:
        """A token that is too old, or of the calendar of another host, means: all that lies ahead, anew."""
        if since is not None:
            try:
                return self._listed([("syncToken", since)], is_all=False)
            except Refusal as refusal:
                if refusal.status not in (400, 410):
                    raise _refused(refusal) from refusal
        begin = _text(self._rest.clock.now() - timedelta(days=1))
        try:
            return self._listed([("timeMin", begin), ("showDeleted", "true")], is_all=True)
        except Refusal as refusal:
            raise _refused(refusal) from refusal

    def busy(self, emails: Collection[str], span: Span) -> Mapping[str, tuple[Span, ...] | None]:
        wanted, found = sorted(emails), dict[str, list[Span] | None]()
        for first in range(0, len(wanted), CALENDARS_AT_ONCE):
            start = span.start
            while start < span.end:
                end = min(span.end, start + LONGEST_SPAN)
                self._add_busy(wanted[first : first + CALENDARS_AT_ONCE], Span(start, end), found)
                start = end
        return {email: None if spans is None else tuple(spans) for email, spans in found.items()}

    def away(self, email: str, span: Span) -> tuple[Span, ...] | None:
        """As the person himself, where we can be him; else as the host, who sees it only where the calendar is shared
        with him: to whom it shows when somebody is busy, it does not say why (Google Calendar API: accessRole)."""
        subject = email if self._rest.tokens.can_be(email) else ""
        query = [
            ("eventTypes", "outOfOffice"),
            ("singleEvents", "true"),
            ("timeMin", _text(span.start)),
            ("timeMax", _text(span.end)),
        ]
        scopes = AWAY_SCOPES if subject else CALENDAR_SCOPES
        url = self._events("primary" if subject else email)
        try:
            pages = list(self._pages(url, query, scopes, subject))
        except (Refusal, MeetingsUnauthorized, MeetingsForbidden):
            return None
        if any(page.get("accessRole") == "freeBusyReader" for page in pages):
            return None
        events = [event for page in pages for event in page.get("items") or []]
        found = [booked_from(event) for event in events if event.get("eventType") == "outOfOffice"]
        return tuple(Span(each.start, each.start + timedelta(minutes=each.minutes)) for each in found if each.start)

    def _insert(self, meeting: Meeting, event_id: str, *, with_conference: bool) -> Booked:
        """The event under this id, made now or before. Raises Refusal, MeetingsUnavailable."""
        body = event_of(meeting, event_id, with_conference=with_conference)
        query: Query = [("sendUpdates", "all"), *([_WITH_LINK] if with_conference else [])]
        try:
            return booked_from(self._rest.call("POST", self._events(), CALENDAR_SCOPES, query=query, body=body))
        except Refusal as refusal:
            if refusal.status != 409:
                raise
        found = self.find(event_id)
        if found is None:
            raise MeetingsUnavailable(f"Google says that the event of {meeting.key} exists, and does not show it yet")
        return found

    def _patch(self, booked: Booked, body: Json, query: Query) -> Booked:
        try:
            changed = self._rest.call_made(
                "PATCH", self._event(booked.id), CALENDAR_SCOPES, query=query, body=body, version=booked.version
            )
        except Refusal as refusal:
            if refusal.status == 412:
                raise MeetingMoved(booked.id) from refusal
            if refusal.status in (404, 410):
                raise MeetingGone(booked.id) from refusal
            raise _refused(refusal) from refusal
        return booked_from(changed)

    def _listed(self, query: Query, *, is_all: bool) -> CalendarChanges:
        pages = list(self._pages(self._events(), query, CALENDAR_SCOPES))
        booked = [booked_from(event) for page in pages for event in page.get("items") or []]
        # of a deleted day of a series nothing says whose it is
        ours = tuple(each for each in booked if each.key or (each.series and each.is_cancelled))
        return CalendarChanges(ours, str(pages[-1].get("nextSyncToken") or ""), is_all)

    def _pages(self, url: str, query: Query, scopes: tuple[str, ...], subject: str = "") -> Iterator[Json]:
        """All pages: one may hold less than asked for, or nothing, and not be the last (Google Calendar API:
        events.list, maxResults)."""
        page: Query = []
        while True:
            answer = self._rest.call("GET", url, scopes, query=[*query, ("maxResults", PAGE), *page], subject=subject)
            yield answer
            if not answer.get("nextPageToken"):
                return
            page = [("pageToken", str(answer["nextPageToken"]))]

    def _add_busy(self, emails: list[str], span: Span, found: dict[str, list[Span] | None]) -> None:
        body = {
            "timeMin": _text(span.start),
            "timeMax": _text(span.end),
            "items": [{"id": email} for email in emails],
        }
        try:
            answer = self._rest.call("POST", f"{self._rest.config.calendar_url}/freeBusy", CALENDAR_SCOPES, body=body)
        except Refusal as refusal:
            raise _refused(refusal) from refusal
        calendars: Mapping[str, Any] = answer.get("calendars") or {}
        for email in emails:
            known, there = found.setdefault(email, []), calendars.get(email)
            if known is None or there is None or there.get("errors"):
                found[email] = None  # an error comes inside of a 200, and is not "free"
            else:
                known += [Span(_moment(each["start"]), _moment(each["end"])) for each in there.get("busy") or []]

    def _events(self, calendar: str = "primary") -> str:
        return f"{self._rest.config.calendar_url}/calendars/{quote(calendar, safe='')}/events"

    def _event(self, event_id: str) -> str:
        return f"{self._events()}/{quote(event_id, safe='')}"


def _is_of_conference(refusal: Refusal) -> bool:
    """Meet is not allowed in the domain, or the identity may not make links: "Invalid conference type value." (Google
    Calendar API: conference data)."""
    return refusal.status == 400 and "conference" in refusal.message.casefold()


def _refused(refusal: Refusal) -> MeetingsError:
    """What the port calls it."""
    if refusal.status == 400:
        return MeetingRefused(f"Google: {refusal.message}", attendees="attendee" in refusal.message.casefold())
    if refusal.status == 404:
        return MeetingsForbidden(
            "the host's calendar is not there: was the account deleted, or its calendar switched off?"
        )
    return MeetingsForbidden(f"Google: {refusal}")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
