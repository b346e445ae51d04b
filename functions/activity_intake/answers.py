"""What a source is answered. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from functions.activity_intake.ladder import Found
from functions.activity_intake.telling import Invalid, Told


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNIDENTIFIED = "unidentified"
    INVALID = "invalid"


@dataclass(frozen=True)
class Answer:
    """An HTTP response; `document` is its JSON."""

    status: int
    document: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What became of one item, in the order of the request."""

    id: str
    outcome: Outcome
    reason: str = ""


def result(told: Told | Invalid, found: Found | None, is_new: bool) -> Result:
    """`found` is None for what is about no client: an invalid item, a heartbeat."""
    if isinstance(told, Invalid):
        return Result(told.id, Outcome.INVALID, told.reason)
    if found is not None and not found.client:
        return Result(told.id, Outcome.UNIDENTIFIED, _why_nobody(found))
    return Result(told.id, Outcome.ACCEPTED if is_new else Outcome.DUPLICATE)


def _why_nobody(found: Found) -> str:
    if found.candidates:
        return "several contacts in amoCRM have this: it is kept until a person says who it is"
    return "no contact in amoCRM is known by this: it is kept until a person says who it is"


def taken(results: Sequence[Result]) -> Answer:
    return Answer(202, {"results": [_document(index, each) for index, each in enumerate(results)]})


def _document(index: int, one: Result) -> Mapping[str, Any]:
    plain = {"index": index, "id": one.id, "status": one.outcome.value}
    return plain | ({"reason": one.reason} if one.reason else {})


def refused(status: int, error: str) -> Answer:
    """The whole request; nothing of it was read."""
    return Answer(status, {"error": error}, {"www-authenticate": "Bearer"} if status == 401 else {})


def later(status: int, error: str, after: float) -> Answer:
    """The same request again, in so many seconds: what was stored of it is then known already."""
    return Answer(status, {"error": error}, {"retry-after": str(max(1, math.ceil(after)))})
