"""Meet links of events: asked for, pending, there or failed (Google Calendar API: conference data)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from infra.local.google_simulator import problems
from infra.local.google_simulator.model import Conference, Event, Json
from infra.local.google_simulator.world import GoogleWorld

_KEY = {"type": "hangoutsMeet"}
_ICON = "https://fonts.gstatic.com/s/i/productlogos/meet_2020q4/v6/web-512dp/logo_meet_2020q4_color_2x_web_512dp.png"


def check(world: GoogleWorld, data: Any, is_alone: bool) -> None:
    """Raises Refused for a request that this identity, or this firm, may not make."""
    request = (data or {}).get("createRequest") if isinstance(data, dict) else None
    if request is None:
        return
    kind = (request.get("conferenceSolutionKey") or {}).get("type", "hangoutsMeet")
    if is_alone or not world.switches.meet_allowed or kind != "hangoutsMeet":
        raise problems.conference_type()
    if not request.get("requestId"):
        raise problems.required("Required")


def attach(world: GoogleWorld, event: Event, data: Any) -> None:
    """What a write with conferenceDataVersion=1 does to the conference of an event."""
    if data is None:
        event.conference = None
        return
    request = data.get("createRequest")
    if request is None:
        if event.conference is None and data.get("entryPoints"):
            event.conference = _given(world, data)
        return
    standing = event.conference
    if standing is not None and not (standing.is_failed and standing.request_id != request["requestId"]):
        return  # one that is there, or is asked for under the same id, stays
    ready_at = world.now() + timedelta(seconds=world.switches.link_delay)
    if world.switches.link_fails:
        event.conference = Conference(request["requestId"], ready_at, "", is_failed=True)
    else:
        event.conference = Conference(request["requestId"], ready_at, world.mint(event.calendar, by_calendar=True).name)


def data_of(world: GoogleWorld, event: Event) -> Json:
    """hangoutLink and conferenceData as they are shown."""
    conference = event.conference
    if conference is None:
        return {}
    if conference.given is not None:
        points = conference.given.get("entryPoints") or []
        return {"conferenceData": conference.given, "hangoutLink": points[0]["uri"]}
    request = {"requestId": conference.request_id, "conferenceSolutionKey": _KEY}
    if world.now() < conference.ready_at:
        return {"conferenceData": {"createRequest": request | {"status": {"statusCode": "pending"}}}}
    if conference.is_failed:
        return {"conferenceData": {"createRequest": request | {"status": {"statusCode": "failure"}}}}
    space = world.spaces[conference.space]
    label = space.uri.removeprefix("https://")
    return {
        "hangoutLink": space.uri,
        "conferenceData": {
            "createRequest": request | {"status": {"statusCode": "success"}},
            "entryPoints": [{"entryPointType": "video", "uri": space.uri, "label": label}],
            "conferenceSolution": {"key": _KEY, "name": "Google Meet", "iconUri": _ICON},
            "conferenceId": space.code,
        },
    }


def _given(world: GoogleWorld, data: Json) -> Conference:
    uri = str(data["entryPoints"][0].get("uri") or "")
    space = world.space_of_code(uri.rpartition("/")[2])
    return Conference("", world.now(), space.name if space else "", given=data)
