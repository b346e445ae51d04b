"""What people do in their calendars and in Meet, for tests and for /_sim."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from infra.local.google_simulator import meet, times
from infra.local.google_simulator.model import Event, Record, Token
from infra.local.google_simulator.reads import BEGIN
from infra.local.google_simulator.views import expanded, zone_name
from infra.local.google_simulator.world import EVERYTHING, GoogleWorld
from infra.local.google_simulator.writes import Writes


class NoSuchEvent(LookupError):
    """Nobody has it."""


class Hands:
    """Everybody of the firm at his own screen."""

    def __init__(self, world: GoogleWorld) -> None:
        self._world = world

    def event(self, event_id: str) -> Event:
        """As it is stored; a day of a series that nobody has touched too. Raises NoSuchEvent."""
        for events in list(self._world.events.values()):
            if event_id in events:
                return events[event_id]
            series = events.get(event_id.partition("_")[0])
            if series is not None and series.is_series:
                until = self._world.now() + times.FAR
                day = next((d for d in expanded(self._world, series, BEGIN, until) if d.id == event_id), None)
                if day is not None:
                    return day
        raise NoSuchEvent(event_id)

    def answer(self, event_id: str, email: str, response: str, comment: str = "") -> None:
        """A guest answers an invitation."""
        with self._world.lock:
            event = self.event(event_id)
            guests = [dict(guest) for guest in event.body.get("attendees") or []]
            for guest in guests:
                if guest["email"] == email.casefold():
                    guest["responseStatus"] = response
                    if comment:
                        guest["comment"] = comment
            self._by_host(event).patch(event_id, {"attendees": guests}, "")

    def move(self, event_id: str, start: datetime, end: datetime | None = None) -> None:
        """The host drags it to another time."""
        with self._world.lock:
            event = self.event(event_id)
            zone = zone_name(self._world, event.calendar)
            begin, finish = times.span_of(event, zone)
            body = {
                "start": times.shown(event.body["start"], start, zone),
                "end": times.shown(event.body["end"], end or start + (finish - begin), zone),
            }
            self._by_host(event, tell=True).patch(event_id, body, "")

    def edit(self, event_id: str, **fields: Any) -> None:
        """The host changes something of it."""
        with self._world.lock:
            self._by_host(self.event(event_id)).patch(event_id, fields, "")

    def delete(self, event_id: str) -> None:
        with self._world.lock:
            self._by_host(self.event(event_id), tell=True).delete(event_id, "")

    def out_of_office(self, email: str, start: datetime, end: datetime, title: str = "Нет на месте") -> Event:
        with self._world.lock:
            body = {"summary": title, "eventType": "outOfOffice", "transparency": "opaque", **_span(start, end)}
            return self._writes(email).insert(body)

    def busy(self, email: str, start: datetime, end: datetime, title: str = "Занято") -> Event:
        with self._world.lock:
            return self._writes(email).insert({"summary": title, **_span(start, end)})

    def hold_conference(
        self, where: str, start: datetime, end: datetime | None = None, *, privileged: bool = True
    ) -> Record:
        """People met at the link of an event, or at a space by its name or code. Raises NoSuchEvent."""
        with self._world.lock:
            space = self._world.spaces.get(where) or self._world.space_of_code(where)
            if space is None:
                conference = self.event(where).conference
                space = self._world.spaces.get(conference.space) if conference else None
            if space is None:
                raise NoSuchEvent(f"{where} has no link")
            finish = end or start + timedelta(minutes=30)
            return meet.hold(self._world, space, start, finish, privileged=privileged)

    def delete_calendar(self, email: str) -> None:
        """The account is gone."""
        with self._world.lock:
            self._world.users[email.casefold()].is_deleted = True

    def _by_host(self, event: Event, *, tell: bool = False) -> Writes:
        return self._writes(event.calendar, {"sendUpdates": "all"} if tell else {})

    def _writes(self, email: str, query: dict[str, str] | None = None) -> Writes:
        user = self._world.add_user(email)
        token = Token(user.email, EVERYTHING, self._world.now())
        return Writes(self._world, token, user.email, query or {})


def _span(start: datetime, end: datetime) -> dict[str, Any]:
    return {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": end.isoformat()}}
