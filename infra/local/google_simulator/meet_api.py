"""The methods of Meet v2 that are served."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, request

from infra.local.google_simulator import auth, meet, problems
from infra.local.google_simulator.model import Json

api = Blueprint("google_meet", __name__, url_prefix="/v2")

SMALL, LARGE = 25, 100


@api.post("/spaces")
def create() -> Response:
    auth.check(g.token, "spaces.create", "google.apps.meet.v2.SpacesService.CreateSpace")
    return _answer(meet.shown_space(meet.create_space(g.world, g.token, _body()), g.token))


@api.get("/spaces/<name>")
def find(name: str) -> Response:
    auth.check(g.token, "spaces.get", "google.apps.meet.v2.SpacesService.GetSpace")
    return _answer(meet.shown_space(meet.space_of(g.world, g.token, name), g.token))


@api.patch("/spaces/<name>")
def patch(name: str) -> Response:
    auth.check(g.token, "spaces.patch", "google.apps.meet.v2.SpacesService.UpdateSpace")
    space = meet.patch_space(g.world, g.token, name, request.args.get("updateMask", ""), _body())
    return _answer(meet.shown_space(space, g.token))


@api.post("/spaces/<name>/members")
def add_member(name: str) -> Response:
    auth.check(g.token, "spaces.create", "google.apps.meet.v2.SpacesService.CreateMember")
    space = meet.space_of(g.world, g.token, name)
    if space.minted_by_calendar and g.world.switches.members_of_minted_spaces == 403:
        raise problems.no_space()
    body = _body()
    return _answer({"name": f"{space.name}/members/{body.get('email')}", **body})


@api.get("/conferenceRecords")
def records() -> Response:
    auth.check(g.token, "records", "google.apps.meet.v2.ConferenceRecordsService.ListConferenceRecords")
    found = meet.records(g.world, g.token, request.args.get("filter", ""))
    return _page("conferenceRecords", [meet.shown_record(g.world, record) for record in found], SMALL)


@api.get("/conferenceRecords/<record_id>")
def record(record_id: str) -> Response:
    auth.check(g.token, "records", "google.apps.meet.v2.ConferenceRecordsService.GetConferenceRecord")
    return _answer(meet.shown_record(g.world, meet.record_of(g.world, g.token, record_id)))


@api.get("/conferenceRecords/<record_id>/recordings")
def recordings(record_id: str) -> Response:
    auth.check(g.token, "records", "google.apps.meet.v2.ConferenceRecordsService.ListRecordings")
    return _page("recordings", meet.recordings(g.world, meet.record_of(g.world, g.token, record_id)), 10)


def _page(key: str, found: list[Json], usual: int) -> Response:
    wanted, token = request.args.get("pageSize") or str(usual), request.args.get("pageToken", "")
    if (token and not token.isdecimal()) or not wanted.isdecimal() or int(wanted) < 1:
        raise problems.meet(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
    size = min(int(wanted), LARGE)
    first = int(token or 0)
    body: Json = {key: found[first : first + size]} if found else {}
    if first + size < len(found):
        body["nextPageToken"] = str(first + size)
    return _answer(body)


def _body() -> Json:
    try:
        body: Any = json.loads(request.get_data() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise problems.meet(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    return body


def _answer(body: Json) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json; charset=UTF-8")
