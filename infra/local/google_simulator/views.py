"""Events as Google shows them to somebody."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from infra.local.google_simulator import times
from infra.local.google_simulator.conferences import data_of
from infra.local.google_simulator.model import Event, Json
from infra.local.google_simulator.world import GoogleWorld

_WRITTEN = (
    *("summary", "description", "location", "colorId", "transparency", "visibility", "recurrence", "reminders"),
    *("guestsCanModify", "guestsCanInviteOthers", "guestsCanSeeOtherGuests", "anyoneCanAddSelf", "attachments"),
    *("source", "outOfOfficeProperties", "focusTimeProperties", "workingLocationProperties"),
)


def shown(world: GoogleWorld, event: Event, viewer: str) -> Json:
    """The resource as the owner of the calendar `viewer` sees it."""
    zone = zone_name(world, event.calendar)
    is_organizer = viewer == event.calendar
    body: Json = {
        "kind": "calendar#event",
        "etag": f'"{event.changed:016d}"',
        "id": event.id,
        "status": "cancelled" if event.is_deleted else "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={_eid(event)}",
        "created": times.text(event.created),
        "updated": times.text(event.updated),
        "creator": _person(event.creator, viewer),
        "organizer": _person(event.calendar, viewer),
        "iCalUID": f"{event.series or event.id}@google.com",
        "sequence": event.sequence,
        "eventType": event.body.get("eventType", "default"),
    }
    if event.series and event.original:
        body |= {"recurringEventId": event.series, "originalStartTime": _original(world, event, zone)}
    if event.is_deleted and event.series:
        names = ("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")
        return {name: body[name] for name in names}  # the rest is not certain (Google Calendar API: events)
    body |= {name: event.body[name] for name in _WRITTEN if event.body.get(name) not in (None, "", [])}
    for label in ("start", "end"):
        body[label] = times.shown(event.body[label], times.moment_of(event.body[label], zone, label), zone)
    if event.series:
        body.pop("recurrence", None)
    guests = event.body.get("attendees")
    if guests:
        body["attendees"] = [_guest(guest, event, viewer) for guest in guests]
    properties = event.body.get("extendedProperties") or {}
    seen = {name: properties[name] for name in ("private", "shared") if properties.get(name)}
    if not is_organizer:
        seen.pop("private", None)
        body.pop("source", None)
    if seen:
        body["extendedProperties"] = seen
    return body | data_of(world, event)


def stripped(world: GoogleWorld, event: Event) -> Json:
    """What somebody sees who may only know when a colleague is busy."""
    full = shown(world, event, event.calendar)
    names = ["kind", "etag", "id", "status", "start", "end", "iCalUID", "sequence"]
    names += ["eventType"] if world.switches.colleagues_event_types else []
    return {name: full[name] for name in names if name in full} | {"visibility": "private"}


def expanded(world: GoogleWorld, event: Event, since: datetime, until: datetime) -> Iterator[Event]:
    """The days of a series that touch [since, until), as they were generated or changed, cancelled ones too."""
    zone = zone_name(world, event.calendar)
    start, end = times.span_of(event, zone)
    length = end - start
    changed = exceptions(world, event)
    for original in times.originals(event, zone, since - length - timedelta(days=1), until):
        instance = changed.pop(original, None) or generated(event, original, zone)
        begin, finish = times.span_of(instance, zone)
        if begin < until and finish > since:
            yield instance
    for original, instance in changed.items():  # planned for another time, and moved to this one
        begin, finish = times.span_of(instance, zone)
        is_planned = any(times.originals(event, zone, original, original + timedelta(seconds=1)))
        if is_planned and begin < until and finish > since:
            yield instance


def exceptions(world: GoogleWorld, event: Event) -> dict[datetime, Event]:
    """Days of the series that were changed or cancelled, by the moment for which they were planned."""
    found = (each for each in world.events[event.calendar].values() if each.series == event.id)
    return {each.original: each for each in found if each.original}


def generated(event: Event, original: datetime, zone: str) -> Event:
    """A day that nobody has touched."""
    start, end = times.span_of(event, zone)
    is_day = "date" in event.body["start"]
    body = {
        **event.body,
        "start": times.shown(event.body["start"], original, zone),
        "end": times.shown(event.body["end"], original + (end - start), zone),
    }
    return Event(
        id=times.instance_id(event.id, original, is_day),
        calendar=event.calendar,
        body=body,
        creator=event.creator,
        created=event.created,
        updated=event.updated,
        changed=event.changed,
        sequence=event.sequence,
        is_deleted=event.is_deleted,
        conference=event.conference,
        series=event.id,
        original=original,
    )


def zone_name(world: GoogleWorld, calendar: str) -> str:
    user = world.users.get(calendar)
    return user.timezone if user else "UTC"


def _person(email: str, viewer: str) -> Json:
    return {"email": email} | ({"self": True} if email == viewer else {})


def _guest(guest: Json, event: Event, viewer: str) -> Json:
    marks: dict[str, Any] = {"organizer": True} if guest["email"] == event.calendar else {}
    return guest | marks | ({"self": True} if guest["email"] == viewer else {})


def _original(world: GoogleWorld, event: Event, zone: str) -> Json:
    assert event.original is not None
    master = world.events[event.calendar].get(event.series)
    form = master.body["start"] if master else event.body["start"]
    return times.shown(form, event.original, zone)


def _eid(event: Event) -> str:
    return base64.urlsafe_b64encode(f"{event.id} {event.calendar}".encode()).decode().rstrip("=")
