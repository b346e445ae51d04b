"""API Gateway's Lambda integration with payload format 2.0: request to event, answer to response."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from infra.local.integrations import HttpRequest

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    body: bytes


def event_of(request: HttpRequest, body: bytes) -> dict[str, Any]:
    """The event that the function gets (HTTP API developer guide: payload format version 2.0)."""
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    text = _text(body, headers.get("content-type", "text/plain"))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": request.route_key,
        "rawPath": request.path,
        "rawQueryString": request.query_string,
        "headers": headers,
        "requestContext": {
            "accountId": request.context("accountId"),
            "apiId": request.context("apiId"),
            "domainName": headers.get("host", ""),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.context("protocol"),
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request.id,
            "routeKey": request.route_key,
            "stage": request.stage,
            "time": request.context("requestTime"),
            "timeEpoch": int(request.context("requestTimeEpoch")),
        },
        "isBase64Encoded": text is None,
    }
    if request.query:
        event["queryStringParameters"] = dict(request.query)
    if request.path_parameters:
        event["pathParameters"] = {name: unquote_plus(value) for name, value in request.path_parameters.items()}
    if "cookie" in request.headers:
        event["cookies"] = [cookie.strip() for cookie in request.headers["cookie"].split(";")]
    if body:
        event["body"] = base64.b64encode(body).decode() if text is None else text
    return event


def response_of(answer: Any) -> HttpResponse:
    """What the client gets. Raises ValueError for an answer that API Gateway turns into a 500."""
    if not isinstance(answer, Mapping) or "statusCode" not in answer:
        whole = answer if isinstance(answer, str) else json.dumps(answer)
        return HttpResponse(200, {"content-type": "application/json"}, (), whole.encode())
    text = answer.get("body") or ""
    if not isinstance(text, str):
        raise ValueError("body must be a string")
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    return HttpResponse(int(answer["statusCode"]), headers, tuple(answer.get("cookies") or ()), body)


def _text(body: bytes, content_type: str) -> str | None:
    """None for what reaches a function base64-encoded."""
    if not content_type.lower().startswith(_TEXT_TYPES):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
