"""What an answer of amoCRM means: a value, a failure that may pass, or an error that stays.

amoCRM API: success is 200, 201, 202 or 204 (204: nothing, without a body); errors are problem+json, but the answers of
gateways, of the rate limiter and of an account block may be HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.shared.adapters.amocrm.retry import Cause, Failure
from functions.shared.errors import AmoCrmError, AmoCrmForbidden, AmoCrmNotFound, AmoCrmRefused

Json = Any
"""What json.loads returns: the shapes are amoCRM's and are read in reading.py."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as far as we look at it; `asked` is method and path, without ids of people in a query."""

    asked: str
    is_write: bool
    status: int
    content: bytes
    retry_after: str | None = None
    request_id: str | None = None


class AccountBlocked(Exception):
    """403 as an HTML page: amoCRM refuses the whole account until support lifts the block."""


def value_of(answer: Answer) -> Json | Failure | None:
    """The JSON of a success, None for nothing (204), a Failure for what may pass.

    Raises AccountBlocked, AmoCrmRefused (400, 422), AmoCrmNotFound (404), AmoCrmForbidden (402, 403 as JSON),
    AmoCrmError (anything else). What a 404 means, and 401 as a whole, is the client's business.
    """
    if answer.status in (200, 201, 202, 204):
        return _success(answer)
    problem = _problem(answer.content)
    if answer.status == 403 and problem is None:
        raise AccountBlocked(_describe(answer, {}))
    if answer.status == 429:
        return Failure(Cause.THROTTLED, _describe(answer, problem), answer.is_write, _retry_after(answer, problem))
    if answer.status == 408 or answer.status >= 500:
        return Failure(Cause.UNANSWERED, _describe(answer, problem), answer.is_write)
    raise _final_error(answer, problem or {})


def _success(answer: Answer) -> Json | Failure | None:
    if not answer.content.strip():
        return None
    try:
        return json.loads(answer.content)
    except ValueError:
        # A maintenance page with status 200: nobody knows what became of the request.
        return Failure(Cause.UNANSWERED, f"{answer.asked}: {answer.status} without JSON", answer.is_write)


def _final_error(answer: Answer, problem: Mapping[str, Json]) -> AmoCrmError:
    message = _describe(answer, problem)
    match answer.status:
        case 400 | 422:
            named = list(_validation_errors(problem))
            problems = tuple(error for _, errors in named for error in errors)
            refused = {request_id: _spell(errors) for request_id, errors in named if request_id}
            return AmoCrmRefused(f"{message} {_spell(problems)}".strip(), answer.status, problems, refused)
        case 404:
            return AmoCrmNotFound(message, answer.status)
        case 402 | 403:
            return AmoCrmForbidden(message, answer.status)
        case _:
            return AmoCrmError(message, answer.status)


def _validation_errors(problem: Mapping[str, Json]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """(request_id, ((path, code), …)) of each item that amoCRM names. Details are left out: they may quote values."""
    items = problem.get("validation-errors")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            errors = [error for error in item.get("errors") or [] if isinstance(error, dict)]
            request_id = item.get("request_id")
            yield (
                "" if request_id is None else str(request_id),
                tuple((str(error.get("path", "")), str(error.get("code", ""))) for error in errors),
            )


def _spell(problems: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(dict.fromkeys(f"{path}: {code}" for path, code in problems))


def _describe(answer: Answer, problem: Mapping[str, Json] | None) -> str:
    """Method, path, status, amoCRM's own title (not its detail: see above), and the id that its support asks for."""
    words = [f"{answer.asked}: {answer.status}"]
    if problem and problem.get("title"):
        words.append(str(problem["title"]))
    if answer.request_id:
        words.append(f"(X-Request-Id {answer.request_id})")
    return " ".join(words)


def _problem(content: bytes) -> Mapping[str, Json] | None:
    """The body of an error if it is a JSON object; the content type is not asked, gateways get it wrong."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _retry_after(answer: Answer, problem: Mapping[str, Json] | None) -> float | None:
    """Seconds to wait: neither the header nor the field is documented for amoCRM, Kommo shows the field."""
    for given in (answer.retry_after, (problem or {}).get("retry_after")):
        try:
            return max(0.0, float(given))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
    return None
