"""Google as a WSGI application: Calendar under /calendar/v3, Meet under /v2, tokens at /token, and /_sim for whoever
plays the people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from infra.local.amocrm_simulator.request_log import Request
from infra.local.google_simulator import auth, calendar_api, meet_api, problems, sim_api
from infra.local.google_simulator.world import GoogleWorld

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WRITES = ("POST", "PATCH", "PUT", "DELETE")
CALENDAR_HOST, MEET_HOST, TOKEN_HOST = "www.googleapis.com", "meet.googleapis.com", "oauth2.googleapis.com"
HOSTS = (CALENDAR_HOST, MEET_HOST, TOKEN_HOST)
PATCH_COST = 3
"""Quota units (Google Calendar API: events.patch)."""


def create_app(world: GoogleWorld) -> Flask:
    """Serve this firm; requests are answered one after the other, whatever the number of threads."""
    app = Flask(__name__)
    app.config["GOOGLE"] = world
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(calendar_api.api)
    app.register_blueprint(meet_api.api)
    app.register_blueprint(sim_api.api)
    app.add_url_rule("/token", view_func=_token, methods=["POST"])
    app.before_request(_admit)
    app.after_request(_record)
    app.register_error_handler(problems.Refused, _refused)
    app.register_error_handler(HTTPException, _routing_problem)
    app.wsgi_app = _OneAtATime(app.wsgi_app, world)  # type: ignore[method-assign]
    return app


class _OneAtATime:
    def __init__(self, inner: WSGIApplication, world: GoogleWorld) -> None:
        self._inner = inner
        self._world = world

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._world.lock:
            return self._inner(environ, start_response)


def _world() -> GoogleWorld:
    world: GoogleWorld = current_app.config["GOOGLE"]
    return world


def _admit() -> None:
    """Weather, token, limits: whoever gets past this reaches the resource."""
    world = _world()
    g.world, g.at, g.loses_answer, g.who = world, world.now(), False, ""
    if request.path.startswith("/_sim"):
        return
    if world.switches.down or world.chance(world.switches.error_share):
        raise problems.backend()
    if request.path != "/token":
        g.token = auth.admit(world, request.headers.get("Authorization", ""))
        g.who = g.token.email
        if world.chance(world.switches.rate_share):
            raise problems.rate(world.switches.rate_status)
        cost = PATCH_COST if request.method == "PATCH" else 1
        if not g.token.sees_everything and not world.passes(g.who, cost, world.switches.per_user_per_minute):
            raise problems.rate(world.switches.rate_status)
    g.loses_answer = request.method in WRITES and world.chance(world.switches.lost_answer_share)


def _token() -> Response:
    return _json(auth.grant(_world(), request.form))


def _record(response: Response) -> Response:
    world = _world()
    if request.path.startswith("/_sim"):
        return response
    if g.get("loses_answer") and response.status_code < 300:
        response = _json(problems.backend().body, 503)
    template = str(request.url_rule) if request.url_rule else request.path
    seen = Request(g.get("at") or world.now(), g.get("who", ""), request.method, request.path, response.status_code)
    world.requests.record(seen, template)
    return response


def _refused(refused: problems.Refused) -> Response:
    return _json(refused.body, refused.status)


def _routing_problem(error: HTTPException) -> Response:
    code = error.code or 500
    return _json({"error": {"code": code, "message": error.name, "status": "NOT_FOUND" if code == 404 else ""}}, code)


def _json(body: Any, status: int = 200) -> Response:
    text = json.dumps(body, ensure_ascii=False)
    return Response(text, status, content_type="application/json; charset=UTF-8")
