"""Lists of events: filters, pages, sync tokens; who is busy (Google Calendar API: events.list, freebusy.query)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.google_simulator import problems, times
from infra.local.google_simulator.model import Event, Json, Token
from infra.local.google_simulator.views import expanded, shown, stripped, zone_name
from infra.local.google_simulator.world import GoogleWorld

Query = dict[str, list[str]]

NOT_WITH_SYNC = (
    *("iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty"),
    *("timeMin", "timeMax", "updatedMin"),
)
BEGIN = datetime(1990, 1, 1, tzinfo=UTC)
END = datetime(2200, 1, 1, tzinfo=UTC)
MOST = 2500
CALENDARS = 50
LONGEST = timedelta(days=90)
"""Of a freeBusy query: about three months."""


class Reads:
    """What `token` sees of `calendar`."""

    def __init__(self, world: GoogleWorld, token: Token, calendar: str, *, is_full: bool) -> None:
        self._world = world
        self._token = token
        self._calendar = calendar
        self._is_full = is_full
        self._zone = zone_name(world, calendar)

    def find(self, event_id: str) -> Json:
        """One event, a deleted one too. Raises Refused."""
        for event in self._mine():
            if event.id == event_id and self._is_visible(event):
                return self._show(event)
            if event.is_series and event_id.startswith(f"{event.id}_"):
                for day in expanded(self._world, event, BEGIN, self._world.now() + times.FAR):
                    if day.id == event_id:
                        return self._show(day)
        raise problems.not_found()

    def instances(self, event_id: str, query: Query) -> Json:
        series = next((event for event in self._mine() if event.id == event_id), None)
        if series is None:
            raise problems.not_found()
        since, until = self._span(query)
        until = min(until, max(since, self._world.now()) + times.FAR)
        days = list(expanded(self._world, series, since, until)) if series.is_series else []
        if "originalStart" in query:
            wanted = times.moment_of({"dateTime": query["originalStart"][0]}, self._zone, "start")
            days = [day for day in days if day.original == wanted]
        if not _is_on(query, "showDeleted"):
            days = [day for day in days if not day.is_deleted]
        return self._page(days, query, ("instances", event_id))

    def listed(self, query: Query) -> Json:
        if "syncToken" in query:
            return self._changes(query)
        if _one(query, "orderBy") == "startTime" and not _is_on(query, "singleEvents"):
            raise problems.calendar(
                400, "global", "badRequest", "The requested ordering is not available for the particular query."
            )
        since, until = self._span(query)
        found = list(self._within(since, until, _is_on(query, "singleEvents")))
        if not _is_on(query, "showDeleted"):
            # cancelled days of a series that stands are shown where it is not taken apart
            shows_days = not _is_on(query, "singleEvents")
            found = [event for event in found if not event.is_deleted or (shows_days and self._has_series(event))]
        found = [event for event in found if self._matches(event, query)]
        if _one(query, "orderBy") == "startTime":
            found.sort(key=lambda event: times.span_of(event, self._zone)[0])
        elif _one(query, "orderBy") == "updated":
            found.sort(key=lambda event: event.updated)
        return self._page(found, query, ("list", self._world.last_change))

    def _changes(self, query: Query) -> Json:
        if any(name in query for name in NOT_WITH_SYNC) or _one(query, "showDeleted") == "false":
            raise problems.calendar(400, "global", "badRequest", "Sync token cannot be used with this parameter.")
        kind, _, rest = query["syncToken"][0].partition(":")
        number, _, calendar = rest.partition(":")
        if kind != "sync" or not number.isdigit() or calendar != self._calendar:
            raise problems.calendar(400, "global", "invalid", "Invalid sync token value.")
        if int(number) < self._world.oldest_sync:
            raise problems.full_sync_required()
        found = [event for event in self._mine() if event.changed > int(number)]
        return self._page(sorted(found, key=lambda event: event.changed), query, ("list", self._world.last_change))

    def _page(self, found: list[Event], query: Query, origin: tuple[str, Any]) -> Json:
        """The sync token stands on the last page alone."""
        wanted = _one(query, "maxResults") or "250"
        if not wanted.isdecimal() or int(wanted) < 1:
            raise problems.invalid("Invalid value for: maxResults")
        size = min(int(wanted), MOST)
        first, known = 0, self._world.last_change
        if "pageToken" in query:
            kind, _, rest = query["pageToken"][0].partition(":")
            place, _, change = rest.partition(":")
            if kind != "page" or not place.isdigit():
                raise problems.invalid("Invalid page token value.")
            first, known = int(place), int(change)
        answer: Json = {
            "kind": "calendar#events",
            "etag": f'"p{known}"',
            "summary": self._calendar,
            "updated": times.text(self._world.now()),
            "timeZone": self._zone,
            "accessRole": "owner" if self._is_full else "freeBusyReader",
            "defaultReminders": [],
            "items": [self._show(event) for event in found[first : first + size]],
        }
        if first + size < len(found):
            answer["nextPageToken"] = f"page:{first + size}:{known}"
        elif origin[0] == "list" and not _one(query, "orderBy") and not _one(query, "q"):
            answer["nextSyncToken"] = f"sync:{known}:{self._calendar}"
        return answer

    def _within(self, since: datetime, until: datetime, single: bool) -> Iterator[Event]:
        for event in self._mine():
            if not self._is_visible(event):
                continue
            if event.is_series and single:
                yield from expanded(self._world, event, since, until)
            elif event.is_series:
                begin = max(since, times.span_of(event, self._zone)[0] - timedelta(days=1))
                end = min(until, begin + times.FAR)
                if event.is_deleted or next(expanded(self._world, event, begin, end), None):
                    yield event
            elif not (event.series and single):
                begin, end = times.span_of(event, self._zone)
                if begin < until and end > since:
                    yield event

    def _mine(self) -> list[Event]:
        own = list(self._world.events[self._calendar].values())
        return own + self._world.invited(self._calendar)

    def _has_series(self, event: Event) -> bool:
        series = self._world.events[event.calendar].get(event.series)
        return series is not None and not series.is_deleted

    def _is_visible(self, event: Event) -> bool:
        return event.visible_from is None or event.visible_from <= self._world.now()

    def _matches(self, event: Event, query: Query) -> bool:
        kinds = query.get("eventTypes")
        kind = str(event.body.get("eventType", "default"))
        if kinds and (kind not in kinds or not (self._is_full or self._world.switches.colleagues_event_types)):
            return False
        properties = event.body.get("extendedProperties") or {}
        for name in ("private", "shared"):
            for wanted in query.get(f"{name}ExtendedProperty", []):
                key, _, value = wanted.partition("=")
                if (properties.get(name) or {}).get(key) != value or (name == "private" and not self._is_full):
                    return False
        text = _one(query, "q").casefold()
        if text and text not in f"{event.body.get('summary', '')} {event.body.get('description', '')}".casefold():
            return False
        uid = _one(query, "iCalUID")
        return not uid or uid == f"{event.series or event.id}@google.com"

    def _show(self, event: Event) -> Json:
        return shown(self._world, event, self._calendar) if self._is_full else stripped(self._world, event)

    def _span(self, query: Query) -> tuple[datetime, datetime]:
        since = _moment(query, "timeMin") or BEGIN
        until = _moment(query, "timeMax") or (self._world.now() + times.FAR if _is_on(query, "singleEvents") else END)
        if until <= since:
            raise problems.calendar(
                400,
                "calendar",
                "timeRangeEmpty",
                "The specified time range is empty.",
                locationType="parameter",
                location="timeMax",
            )
        return since, until


def free_busy(world: GoogleWorld, token: Token, body: Json) -> Json:
    """Problems of single calendars come inside of a 200."""
    since, until = (times.moment_of({"dateTime": body.get(name)}, "UTC", name) for name in ("timeMin", "timeMax"))
    if until - since > LONGEST:
        raise problems.calendar(400, "calendar", "timeRangeTooLong", "The requested time range is too long.")
    items = body.get("items") or []
    answers: Json = {}
    for number, item in enumerate(items):
        calendar = str(item.get("id", "")).casefold()
        email = token.email if calendar == "primary" else calendar
        if number >= CALENDARS:
            answers[item["id"]] = {"errors": [_error("tooManyCalendarsRequested")], "busy": []}
        elif not _may_see_busy(world, token, email):
            answers[item["id"]] = {"errors": [_error("notFound")], "busy": []}
        else:
            spans = _busy(world, email, since, until)
            answers[item["id"]] = {"busy": [{"start": _second(a), "end": _second(b)} for a, b in spans]}
    return {
        "kind": "calendar#freeBusy",
        "timeMin": times.text(since),
        "timeMax": times.text(until),
        "calendars": answers,
        "groups": {},
    }


def _may_see_busy(world: GoogleWorld, token: Token, email: str) -> bool:
    user, viewer = world.user(email), world.user(token.email)
    if user is None or viewer is None:
        return False
    return token.sees_everything or email == token.email or (user.domain == viewer.domain and user.kind == "workspace")


def _busy(world: GoogleWorld, email: str, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Opaque events of his calendar and invitations that he has not declined, joined where they touch."""
    zone = zone_name(world, email)
    spans = []
    for event in _parts(world, email, since, until):
        if event.is_deleted or event.body.get("transparency") == "transparent":
            continue
        answer = next((g["responseStatus"] for g in event.body.get("attendees") or [] if g["email"] == email), None)
        if answer == "declined" or (event.calendar != email and answer is None):
            continue
        begin, end = times.span_of(event, zone)
        if begin < until and end > since:
            spans.append((max(begin, since), min(end, until)))
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _parts(world: GoogleWorld, email: str, since: datetime, until: datetime) -> Iterator[Event]:
    events: Iterable[Event] = [*world.events[email].values(), *world.invited(email)]
    for event in events:
        if event.is_series:
            if not event.is_deleted:
                yield from expanded(world, event, since, until)
        elif not event.series:
            yield event


def _error(reason: str) -> Json:
    return {"domain": "global", "reason": reason}


def _second(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _one(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _is_on(query: Query, name: str) -> bool:
    return _one(query, name) == "true"


def _moment(query: Query, name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        moment = datetime.fromisoformat(query[name][0])
    except ValueError:
        raise problems.calendar(400, "global", "badRequest", "Bad Request") from None
    if moment.tzinfo is None:
        raise problems.calendar(400, "global", "badRequest", "Bad Request")
    return moment.astimezone(UTC)
