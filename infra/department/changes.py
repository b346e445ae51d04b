"""What `conveyor plan` shows and `conveyor apply` does: one list for both, so that they cannot differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    NEW = "+"
    CHANGED = "~"
    GONE = "-"
    SAME = "="


@dataclass(frozen=True)
class Change:
    """One line of the plan. `done` is the sentence by which apply tells of it, empty where another line's tells it."""

    mark: Mark
    what: str
    done: str = ""


@dataclass(frozen=True)
class Request:
    """A write to amoCRM, below /api/v4/."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True)
class Work:
    """Changes that are made together, by these requests one after the other; none for what stays as it is."""

    changes: tuple[Change, ...]
    requests: tuple[Request, ...] = ()


def same(what: str) -> Work:
    return Work((Change(Mark.SAME, what),))
