"""The account as a WSGI application: REST v4 under /api/v4, tokens under /oauth2, the pipelines under /board."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from copy import copy
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from infra.local.amocrm_simulator import board, hands, problems
from infra.local.amocrm_simulator.api import (
    account,
    complex_leads,
    contacts,
    custom_fields,
    events,
    leads,
    links,
    loss_reasons,
    notes,
    oauth,
    pipelines,
    sources,
    tags,
    tasks,
    unsorted,
    users,
    webhooks,
)
from infra.local.amocrm_simulator.api.common import the_world
from infra.local.amocrm_simulator.request_log import Request
from infra.local.amocrm_simulator.tokens import Token
from infra.local.amocrm_simulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

RESOURCES = (
    account,
    complex_leads,
    contacts,
    custom_fields,
    events,
    leads,
    links,
    loss_reasons,
    notes,
    pipelines,
    sources,
    tags,
    tasks,
    unsorted,
    users,
    webhooks,
)
API = "/api/v4"
WRITES = ("POST", "PATCH", "DELETE")
LONGEST_URL = 8192
"""nginx's own limit, and nginx is what stands before amoCRM."""


def create_app(world: World) -> Flask:
    """Serve this account; requests are answered one after the other, whatever the number of threads."""
    app = copy(_routes())
    app.config = app.make_config()
    app.config["WORLD"] = world
    app.wsgi_app = _OneAtATime(app.wsgi_app, world.lock)  # type: ignore[method-assign]
    return app


@cache
def _routes() -> Flask:
    """The same for every account, and 60 ms to compile: tests that build an account each would feel it."""
    app = Flask(__name__)
    for resource in RESOURCES:
        app.register_blueprint(resource.api, url_prefix=f"{API}{resource.api.url_prefix or ''}")
    app.register_blueprint(oauth.api)
    app.register_blueprint(board.api)
    app.register_blueprint(hands.api)
    app.before_request(_admit)
    app.after_request(_record)
    app.register_error_handler(problems.Refused, _problem)
    app.register_error_handler(problems.GatewayPage, lambda page: _page(page.status))
    app.register_error_handler(HTTPException, _routing_problem)
    return app


class _OneAtATime:
    """A request sees and leaves a consistent account."""

    def __init__(self, inner: WSGIApplication, lock: RLock) -> None:
        self._inner = inner
        self._lock = lock

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            return self._inner(environ, start_response)


def _admit() -> None:
    """The proxy, the limiter, the token: whoever gets past this reaches the resource."""
    world = the_world()
    g.at, g.token, g.loses_answer = world.clock.now(), None, False
    if not _counts():
        return
    if len(request.path) + 1 + len(request.query_string) > LONGEST_URL:
        raise problems.GatewayPage(414)
    token = g.token = _token(world)
    if world.switches.down:
        raise problems.GatewayPage(502)
    if world.limiter.blocked:
        raise problems.GatewayPage(403)
    if world.switches.storm or not world.limiter.allows(token.name if token else None, g.at, world.switches):
        raise problems.GatewayPage(429) if world.switches.html_429 else problems.too_many()
    if request.path.startswith(API):
        g.user_id = _acting_user(world, token)
    g.loses_answer = request.method in WRITES and world.chance(world.switches.lost_answer_share)


def _counts() -> bool:
    return request.path.startswith((API, "/oauth2"))


def _token(world: World) -> Token | None:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    token = world.tokens.get(sent.strip()) if scheme.lower() == "bearer" else None
    valid = token is not None and not token.revoked and world.clock.now() < token.expires_at
    return token if valid else None


def _acting_user(world: World, token: Token | None) -> int:
    """The token's user, or whom an administrator's token names in X-Context-User-ID."""
    if token is None or not world.users[token.user_id].is_active:
        raise problems.unauthorized()
    context = request.headers.get("X-Context-User-ID")
    if context is None:
        return token.user_id
    if not world.users[token.user_id].is_admin or not context.isdigit() or int(context) not in world.users:
        raise problems.forbidden()
    return int(context)


def _record(response: Response) -> Response:
    world = the_world()
    if not _counts():
        return response
    if g.loses_answer and response.status_code < 300:
        response = _page(504)
    rule = str(request.url_rule) if request.url_rule else request.path
    template = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)
    name = g.token.name if g.token else ""
    world.requests.record(Request(g.at, name, request.method, request.path, response.status_code), template)
    response.headers["X-Request-Id"] = world.hex(32)
    return response


def _problem(refused: problems.Refused) -> Response:
    body = json.dumps(refused.body, ensure_ascii=False)
    return Response(body, refused.status, content_type="application/problem+json")


def _page(status: int) -> Response:
    return Response(problems.GatewayPage(status).html, status, content_type="text/html")


def _routing_problem(error: HTTPException) -> Response:
    if error.code == 404:
        return _problem(problems.not_found(f"Cannot {request.method} {request.base_url}"))
    if error.code == 405:
        return _problem(problems.Refused(405, "Method Not Allowed", f"{request.method} is not allowed here"))
    if error.code == 500:
        trace = {"trace_id": the_world().hex(32)}
        return _problem(problems.Refused(500, "ErrInternalServer", "Internal server error", **trace))
    return _problem(problems.Refused(error.code or 400, error.name, error.description or error.name))
