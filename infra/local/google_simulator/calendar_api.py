"""The methods of Calendar v3 that are served."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, request

from infra.local.google_simulator import auth, problems
from infra.local.google_simulator.model import Json
from infra.local.google_simulator.reads import Reads, free_busy
from infra.local.google_simulator.views import shown
from infra.local.google_simulator.world import GoogleWorld
from infra.local.google_simulator.writes import Writes

api = Blueprint("google_calendar", __name__, url_prefix="/calendar/v3")

_EVENTS = "/calendars/<path:calendar>/events"


@api.get(_EVENTS)
def listed(calendar: str) -> Response:
    auth.check(g.token, "events.read", "calendar.v3.Events.List")
    return _answer(_reads(calendar).listed(_query()))


@api.post(_EVENTS)
def insert(calendar: str) -> Response:
    auth.check(g.token, "events.write", "calendar.v3.Events.Insert")
    email = _own(calendar)
    return _answer(shown(_world(), _writes(email).insert(_body()), email))


@api.get(f"{_EVENTS}/<event_id>")
def find(calendar: str, event_id: str) -> Response:
    auth.check(g.token, "events.read", "calendar.v3.Events.Get")
    return _answer(_reads(calendar).find(event_id))


@api.patch(f"{_EVENTS}/<event_id>")
def patch(calendar: str, event_id: str) -> Response:
    auth.check(g.token, "events.write", "calendar.v3.Events.Patch")
    email = _own(calendar)
    return _answer(shown(_world(), _writes(email).patch(event_id, _body(), _if_match()), email))


@api.put(f"{_EVENTS}/<event_id>")
def update(calendar: str, event_id: str) -> Response:
    auth.check(g.token, "events.write", "calendar.v3.Events.Update")
    email = _own(calendar)
    return _answer(shown(_world(), _writes(email).put(event_id, _body(), _if_match()), email))


@api.delete(f"{_EVENTS}/<event_id>")
def delete(calendar: str, event_id: str) -> Response:
    auth.check(g.token, "events.write", "calendar.v3.Events.Delete")
    _writes(_own(calendar)).delete(event_id, _if_match())
    return Response(b"", 204)


@api.get(f"{_EVENTS}/<event_id>/instances")
def instances(calendar: str, event_id: str) -> Response:
    auth.check(g.token, "events.read", "calendar.v3.Events.Instances")
    return _answer(_reads(calendar).instances(event_id, _query()))


@api.post("/freeBusy")
def busy() -> Response:
    auth.check(g.token, "freebusy", "calendar.v3.Freebusy.Query")
    return _answer(free_busy(_world(), g.token, _body()))


@api.get("/calendars/<path:calendar>")
def calendar_of(calendar: str) -> Response:
    auth.check(g.token, "calendars", "calendar.v3.Calendars.Get")
    email = _seen(calendar)
    return _answer(
        {
            "kind": "calendar#calendar",
            "etag": '"1"',
            "id": email,
            "summary": email,
            "timeZone": _world().users[email].timezone,
            "conferenceProperties": _solutions(),
        }
    )


@api.get("/users/me/calendarList/<path:calendar>")
def calendar_in_list(calendar: str) -> Response:
    auth.check(g.token, "calendarList", "calendar.v3.CalendarList.Get")
    return _answer(_list_entry(_own(calendar)))


@api.get("/users/me/calendarList")
def calendar_list() -> Response:
    auth.check(g.token, "calendarList", "calendar.v3.CalendarList.List")
    items = [_list_entry(g.token.email)]
    return _answer({"kind": "calendar#calendarList", "etag": '"1"', "items": items, "nextSyncToken": "sync:0"})


@api.get("/users/me/settings/<name>")
def setting(name: str) -> Response:
    auth.check(g.token, "settings", "calendar.v3.Settings.Get")
    if name != "timezone":
        raise problems.not_found()
    value = _world().users[g.token.email].timezone
    return _answer({"kind": "calendar#setting", "etag": '"1"', "id": name, "value": value})


def _list_entry(email: str) -> Json:
    return {
        "kind": "calendar#calendarListEntry",
        "etag": '"1"',
        "id": email,
        "summary": email,
        "timeZone": _world().users[email].timezone,
        "accessRole": "owner",
        "primary": True,
        "selected": True,
        "defaultReminders": [],
        "conferenceProperties": _solutions(),
    }


def _solutions() -> Json:
    allowed = _world().switches.meet_allowed and not g.token.is_service_account_alone
    return {"allowedConferenceSolutionTypes": ["hangoutsMeet"] if allowed else []}


def _seen(calendar: str) -> str:
    """The owner of a calendar that the token may see at least as busy or free. Raises Refused."""
    email = g.token.email if calendar == "primary" else calendar.casefold()
    user, viewer = _world().user(email), _world().user(g.token.email)
    if user is None or viewer is None:
        raise problems.not_found()
    if email != viewer.email and not g.token.sees_everything and user.domain != viewer.domain:
        raise problems.not_found()
    return email


def _own(calendar: str) -> str:
    """The owner of a calendar that the token may change. Raises Refused."""
    email = _seen(calendar)
    if email != g.token.email and not g.token.sees_everything:
        raise problems.forbidden()
    return email


def _reads(calendar: str) -> Reads:
    email = _seen(calendar)
    return Reads(_world(), g.token, email, is_full=email == g.token.email or g.token.sees_everything)


def _writes(email: str) -> Writes:
    return Writes(_world(), g.token, email, request.args)


def _world() -> GoogleWorld:
    world: GoogleWorld = g.world
    return world


def _query() -> dict[str, list[str]]:
    return {name: request.args.getlist(name) for name in request.args}


def _if_match() -> str:
    return request.headers.get("If-Match", "")


def _body() -> Json:
    try:
        body: Any = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise problems.calendar(400, "global", "parseError", "Parse Error") from None
    if not isinstance(body, dict):
        raise problems.calendar(400, "global", "parseError", "Parse Error")
    return body


def _answer(body: Json) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json; charset=UTF-8")
