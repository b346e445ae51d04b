"""API Gateway's SQS-SendMessage integration: RequestParameters applied to a request (HTTP API developer guide:
working with AWS service integrations)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.local.intrinsics import ACCOUNT, Unsupported
from infra.local.queues import LocalQueue, SqsRefused

_REQUIRED = frozenset({"QueueUrl", "MessageBody"})
_KNOWN = _REQUIRED | {"DelaySeconds", "MessageAttributes", "Region"}
_WHOLE = re.compile(r"\$((?:request|context|stageVariables)\.?[\w.\-]*)")
_EMBEDDED = re.compile(r"\$\{((?:request|context|stageVariables)\.?[\w.\-]*)\}")


@dataclass(frozen=True)
class HttpRequest:
    """What API Gateway knows of a request. `headers` in lower case, `path_parameters` from the route's braces."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    path_parameters: Mapping[str, str]
    route_key: str
    source_ip: str
    at: datetime
    query_string: str = ""
    stage: str = "$default"
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])

    def context(self, name: str) -> str:
        """A `$context` variable that API Gateway knows for every HTTP API."""
        values: dict[str, Callable[[], str]] = {
            "requestId": lambda: self.id,
            "extendedRequestId": lambda: self.id,
            "accountId": lambda: ACCOUNT,
            "apiId": lambda: "local",
            "stage": lambda: self.stage,
            "httpMethod": lambda: self.method,
            "path": lambda: self.path,
            "protocol": lambda: "HTTP/1.1",
            "routeKey": lambda: self.route_key,
            "identity.sourceIp": lambda: self.source_ip,
            "identity.userAgent": lambda: self.headers.get("user-agent", ""),
            "requestTime": lambda: self.at.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": lambda: str(int(self.at.timestamp() * 1000)),
        }
        if name not in values:
            raise Unsupported(f"$context.{name} is not known to the local gateway")
        return values[name]()


class SendMessage:
    """One integration. API Gateway refuses unknown and missing parameters at deployment, this at construction."""

    def __init__(self, where: str, parameters: Mapping[str, str], queues: Mapping[str, LocalQueue]) -> None:
        unknown, missing = sorted(set(parameters) - _KNOWN), sorted(_REQUIRED - set(parameters))
        if unknown or missing:
            wrong = [*(f"{name} is not known" for name in unknown), *(f"{name} is missing" for name in missing)]
            raise Unsupported(f"{where}: SQS-SendMessage parameters: {', '.join(wrong)}")
        queue = parameters["QueueUrl"].rsplit("/", 1)[-1]
        if queue not in queues:
            raise Unsupported(f"{where}: QueueUrl {parameters['QueueUrl']} is no queue of the template")
        self._queue = queues[queue]
        self._parameters = parameters
        for value in parameters.values():
            for expression in [*_WHOLE.findall(value), *_EMBEDDED.findall(value)]:
                _check(where, expression)

    def send(self, request: HttpRequest, body: str) -> str:
        """Returns the message id. Raises SqsRefused."""
        values = {name: _value(value, request, body) for name, value in self._parameters.items()}
        message = self._queue.send(
            values["MessageBody"],
            _attributes(values.get("MessageAttributes")),
            _delay(values["DelaySeconds"]) if "DelaySeconds" in values else None,
        )
        return str(message.id)


def _value(mapping: str, request: HttpRequest, body: str) -> str:
    whole = _WHOLE.fullmatch(mapping)
    if whole:
        return _lookup(whole[1], request, body)
    return _EMBEDDED.sub(lambda match: _lookup(match[1], request, body), mapping)


def _lookup(expression: str, request: HttpRequest, body: str) -> str:
    """What is absent becomes an empty string, which SQS then refuses where it matters."""
    kind, _, name = expression.partition(".")
    if kind == "context":
        return request.context(name)
    part, _, name = name.partition(".")
    if part == "body":
        return body
    if part == "path" and not name:
        return request.path
    source = {"header": request.headers, "querystring": request.query, "path": request.path_parameters}[part]
    return source.get(name.lower() if part == "header" else name, "")


def _check(where: str, expression: str) -> None:
    """Refuses at the start what `_lookup` could not answer for a request."""
    kind, _, name = expression.partition(".")
    part, _, rest = name.partition(".")
    is_known = kind == "context" or part == "path" or (part in ("header", "querystring") and rest) or name == "body"
    if not is_known:
        raise Unsupported(f"{where}: ${expression} is not mapped by the local gateway")
    if kind == "context":
        HttpRequest("", "", {}, {}, {}, "", "", datetime.now(UTC)).context(name)


def _attributes(text: str | None) -> Mapping[str, Any]:
    if text is None:
        return {}
    try:
        attributes = json.loads(text)
    except ValueError:
        raise SqsRefused("InvalidParameterValue", "MessageAttributes is no JSON object.") from None
    if not isinstance(attributes, dict):
        raise SqsRefused("InvalidParameterValue", "MessageAttributes is no JSON object.")
    return attributes


def _delay(text: str) -> int:
    if not text.isdecimal():
        raise SqsRefused("InvalidParameterValue", f"DelaySeconds {text!r} is no number.")
    return int(text)
