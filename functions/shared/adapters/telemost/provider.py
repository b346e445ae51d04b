"""`MeetingProvider` with Yandex Telemost: its API makes links, invitations go out as iCalendar by mail.

Telemost has no calendar, so nobody's times, answers and absences can be seen, and nobody moves a meeting but amoCRM.
Each row says what is still to be sent; a mail that a dying run had sent already is sent again under the same UID and
SEQUENCE, which mail programs show as the same meeting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from functions.shared.adapters.telemost.invitation import message
from functions.shared.adapters.telemost.kept import Kept, KeptMeetings
from functions.shared.adapters.telemost.mailer import Mailer
from functions.shared.errors import (
    MeetingGone,
    MeetingMoved,
    MeetingRefused,
    MeetingsForbidden,
    MeetingsUnauthorized,
    MeetingsUnavailable,
)
from functions.shared.meetings import (
    Booked,
    CalendarChanges,
    Conference,
    Meeting,
    MeetingChange,
    RecordingState,
    Space,
    Span,
    meeting_id,
)

if TYPE_CHECKING:
    import httpx

    from functions.shared.clock import Clock

CONFERENCES = "https://cloud-api.yandex.net/v1/telemost-api/conferences"
TELEMOST = "telemost"
"""Name of the parameter below the installation's prefix that holds the OAuth token."""


class Telemost:
    def __init__(
        self,
        kept: KeptMeetings,
        mailer: Mailer,
        token: Callable[[], str],
        http: Callable[[], httpx.Client],
        clock: Clock,
    ) -> None:
        self._kept = kept
        self._mailer = mailer
        self._token = token
        self._http = http
        self._clock = clock

    def book(self, meeting: Meeting, generation: int) -> Booked:
        if meeting.minutes <= 0:
            raise MeetingRefused("a meeting lasts at least a minute")
        event_id = meeting_id(meeting.key, generation)
        standing = self._kept.of(event_id)
        if standing is None:
            conference, link = self._conference()
            standing = self._kept.put(
                Kept(
                    id=event_id,
                    key=meeting.key,
                    title=meeting.title,
                    description=meeting.description,
                    start=meeting.start,
                    minutes=meeting.minutes,
                    zone=meeting.zone.key,
                    attendees=meeting.attendees,
                    recurrence=meeting.recurrence,
                    conference=conference,
                    link=link,
                    owed=tuple(each.email for each in meeting.attendees),
                )
            )
        if standing.is_cancelled:
            raise MeetingGone(meeting.key)
        return self._sent(standing).booked()

    def find(self, event_id: str) -> Booked | None:
        """A single day of a series is not known to anybody."""
        kept = self._kept.of(event_id)
        return None if kept is None else self._sent(kept).booked()

    def change(self, booked: Booked, change: MeetingChange, *, tell: bool) -> Booked:
        standing = self._kept.of(booked.id)
        if standing is None or standing.is_cancelled:
            raise MeetingGone(booked.id)
        if str(standing.version) != booked.version:
            raise MeetingMoved(booked.id)
        attendees = standing.attendees if change.attendees is None else change.attendees
        emails = [each.email for each in attendees]
        dropped = [each.email for each in standing.attendees if each.email not in emails]
        changed = replace(
            standing,
            title=standing.title if change.title is None else change.title,
            start=change.start or standing.start,
            minutes=change.minutes or standing.minutes,
            zone=change.zone.key if change.zone else standing.zone,
            attendees=attendees,
            recurrence=change.recurrence or standing.recurrence,
            sequence=standing.sequence + 1,
            owed=tuple(emails) if tell else standing.owed,
            dropped=(*standing.dropped, *dropped) if tell else standing.dropped,
        )
        return self._sent(self._kept.put(changed)).booked()

    def cancel(self, event_id: str, *, tell: bool) -> None:
        standing = self._kept.of(event_id)
        if standing is None:
            return
        if not standing.is_cancelled:
            emails = tuple(each.email for each in standing.attendees) if tell else ()
            cancelled = replace(standing, is_cancelled=True, sequence=standing.sequence + 1, owed=(), dropped=emails)
            standing = self._kept.put(cancelled)
        self._sent(standing)

    def renew_link(self, booked: Booked, attempt: int) -> Booked:
        """There is a link from the start."""
        del attempt
        return booked

    def record(self, code: str) -> Space:
        return Space(code, RecordingState.UNSUPPORTED)

    def changes(self, since: str | None) -> CalendarChanges:
        return CalendarChanges((), since or "none", is_all=since is None)

    def busy(self, emails: Collection[str], span: Span) -> Mapping[str, tuple[Span, ...] | None]:
        del span
        return dict.fromkeys(emails)

    def away(self, email: str, span: Span) -> tuple[Span, ...] | None:
        del email, span
        return None

    def conferences(self, space: str, span: Span) -> tuple[Conference, ...]:
        del space, span
        return ()

    def _sent(self, kept: Kept) -> Kept:
        """With everything sent that was owed."""
        if not kept.owed and not kept.dropped:
            return kept
        sender, now = self._mailer.sender(), self._clock.now()
        if kept.dropped:
            self._mailer.send(message(kept, "CANCEL", sender, kept.dropped, now))
        if kept.owed:
            self._mailer.send(message(kept, "REQUEST", sender, kept.owed, now))
        return self._kept.put(replace(kept, owed=(), dropped=()))

    def _conference(self) -> tuple[str, str]:
        """(id, link) of a new one. A lost answer leaves one that nobody uses, which costs nothing."""
        import httpx

        headers = {"Authorization": f"OAuth {self._token()}"}
        try:
            answer = self._http().post(CONFERENCES, json={}, headers=headers)
        except httpx.RequestError as error:
            raise MeetingsUnavailable(f"Telemost: {type(error).__name__}", after=60.0) from error
        if answer.status_code == 401:
            raise MeetingsUnauthorized(f"Telemost refuses the token: `conveyor secrets set {TELEMOST}`")
        if answer.status_code in (402, 403):
            raise MeetingsForbidden(
                "Telemost does not let this account make conferences: its API is for users of Yandex 360 for Business"
            )
        if answer.status_code >= 300:
            raise MeetingsUnavailable(f"Telemost: HTTP {answer.status_code}", after=60.0)
        body = answer.json()
        return str(body["id"]), str(body["join_url"])
