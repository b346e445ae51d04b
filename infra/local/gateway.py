"""The HTTP API of the template on a local port, and two paths of its own to watch the stack and to move its clock."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from flask import Flask, Response, jsonify, request

from infra.local.clock import VirtualClock
from infra.local.integrations import HttpRequest, SendMessage
from infra.local.intrinsics import Unsupported
from infra.local.lambdas import LocalLambda
from infra.local.proxy import event_of, response_of
from infra.local.queues import LocalQueue, SqsRefused
from infra.local.template import Route

log = logging.getLogger(__name__)

LARGEST_BODY = 10 * 1024 * 1024
"""Bytes (HTTP API quotas: payload size); SQS behind it takes 1 MB."""

LONGEST_JUMP = 366 * 86400
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PLACE = re.compile(r"\{(\w+)(\+?)\}")


@dataclass(frozen=True)
class _Endpoint:
    """A route ready to be matched: the more of its path is literal, the sooner it is asked."""

    key: str
    method: str
    pattern: re.Pattern[str]
    rank: tuple[int, int, int]
    answer: Callable[[HttpRequest, bytes], Response]


class Gateway:
    """Serves the routes. `base64_bodies` hands bodies to SQS base64-encoded: AWS does not document which it does,
    so both must work. `received` is called after each message that a queue took."""

    def __init__(
        self,
        routes: Sequence[Route],
        queues: Mapping[str, LocalQueue],
        functions: Mapping[str, LocalLambda],
        clock: VirtualClock,
        *,
        received: Callable[[], None],
        base64_bodies: bool = False,
    ) -> None:
        self._clock = clock
        self._base64_bodies = base64_bodies
        self._received = received
        endpoints = [self._endpoint(route, queues, functions) for route in routes]
        self._endpoints = sorted(endpoints, key=lambda endpoint: endpoint.rank, reverse=True)

    def handle(self) -> Response:
        """Answer Flask's current request."""
        body = request.get_data()
        if len(body) > LARGEST_BODY:
            return _message(413, "Request Entity Too Large")
        for endpoint in self._endpoints:
            match = endpoint.pattern.fullmatch(request.path)
            if match and endpoint.method in (request.method, "ANY"):
                return endpoint.answer(self._request(endpoint.key, match.groupdict()), body)
        return _message(404, "Not Found")

    def _request(self, key: str, path_parameters: Mapping[str, str]) -> HttpRequest:
        return HttpRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            query={name: ",".join(values) for name, values in request.args.to_dict(flat=False).items()},
            query_string=request.query_string.decode("latin-1"),
            path_parameters=path_parameters,
            route_key=key,
            source_ip=request.remote_addr or "",
            at=self._clock.now(),
        )

    def _endpoint(
        self, route: Route, queues: Mapping[str, LocalQueue], functions: Mapping[str, LocalLambda]
    ) -> _Endpoint:
        method, _, path = route.key.partition(" ") if route.key != "$default" else ("ANY", "", "/{proxy+}")
        if method not in (*METHODS, "ANY") or not path.startswith("/"):
            raise Unsupported(f"{route.key!r} is no route key such as 'POST /path'")
        if route.prefix:
            path = f"/{route.prefix}{path}"
        integration = route.integration
        answer: Callable[[HttpRequest, bytes], Response]
        if integration.queue_parameters is not None:
            answer = partial(self._send, SendMessage(route.key, integration.queue_parameters, queues))
        else:
            assert integration.function is not None
            answer = partial(_invoke, functions[integration.function])
        greedy = "+}" in path or route.key == "$default"
        rank = (int(not greedy), len(_PLACE.sub("", path)), int(method != "ANY"))
        return _Endpoint(route.key, method, _pattern(path), rank, answer)

    def _send(self, sender: SendMessage, http: HttpRequest, body: bytes) -> Response:
        try:
            message_id = sender.send(http, base64.b64encode(body).decode() if self._base64_bodies else body.decode())
        except UnicodeDecodeError:
            return _sqs_error(SqsRefused("InvalidMessageContents", "The message is not UTF-8."), http.id)
        except SqsRefused as refused:
            return _sqs_error(refused, http.id)
        self._received()
        return Response(
            '<?xml version="1.0"?><SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'
            f"<SendMessageResult><MessageId>{message_id}</MessageId></SendMessageResult></SendMessageResponse>",
            mimetype="text/xml",
        )


def create_app(gateway: Gateway, status: Callable[[], Mapping[str, Any]], advance: Callable[[float], str]) -> Flask:
    """The gateway with `GET /_local/status` (what `status` returns) and `POST /_local/clock`, which calls `advance`
    and answers with the time it returns."""
    app = Flask("gateway")

    @app.get("/_local/status")
    def local_status() -> Response:
        return jsonify(status())

    @app.post("/_local/clock")
    def local_clock() -> Response:
        try:
            asked = json.loads(request.get_data())
        except ValueError:
            asked = None
        seconds = asked.get("advance_seconds") if isinstance(asked, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            return _message(400, 'send {"advance_seconds": n} with a number n')
        if not 0 <= seconds <= LONGEST_JUMP:
            return _message(400, f"advance_seconds is {seconds}: the clock goes forward only, {LONGEST_JUMP} s at most")
        return jsonify({"now": advance(seconds)})

    @app.route("/", methods=METHODS)
    @app.route("/<path:_path>", methods=METHODS, provide_automatic_options=False)
    def everything_else(_path: str = "") -> Response:
        return gateway.handle()

    return app


def _pattern(path: str) -> re.Pattern[str]:
    """`/hooks/{token}/x` matches one segment for the braces, `{proxy+}` the rest."""
    parts, end = [], 0
    for place in _PLACE.finditer(path):
        parts += [re.escape(path[end : place.start()]), f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})"]
        end = place.end()
    return re.compile("".join([*parts, re.escape(path[end:])]))


def _invoke(function: LocalLambda, http: HttpRequest, body: bytes) -> Response:
    try:
        answer = response_of(function.invoke(event_of(http, body)))
    except Exception:
        log.exception("%s failed", function.function.name)
        return _message(500, "Internal Server Error")
    response = Response(answer.body, answer.status, dict(answer.headers))
    for cookie in answer.cookies:
        response.headers.add("set-cookie", cookie)
    return response


def _message(status: int, text: str) -> Response:
    response = jsonify({"message": text})
    response.status_code = status
    return response


def _sqs_error(refused: SqsRefused, request_id: str) -> Response:
    log.warning("a queue refused a message: %s", refused.code)
    body = (
        '<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error>'
        f"<Type>Sender</Type><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message><Detail/></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(body, 400, mimetype="text/xml")
