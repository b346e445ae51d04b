"""One item as a source told it, whatever envelope it came in. Pure records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Handle:
    """A rung of the identity ladder: `kind` is crm, ext, phone or email; phones in E.164, e-mails in lower case, outer
    ids with their source before them (`turnstile:77`)."""

    kind: str
    value: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True)
class Told:
    """A fact of somebody who is still to be identified by `handles`, the surest first. `data` is plain JSON."""

    source: str
    id: str
    type: str
    time: datetime
    handles: tuple[Handle, ...]
    recorded: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Invalid:
    """An item that can never become a fact; `reason` says what is wrong and what would be right, without its values."""

    reason: str
    id: str = ""


class TooMany(Exception):
    """More items, or more bytes, than one request may hold."""


class Unreadable(Exception):
    """The body as a whole is not what it says it is."""


class UnknownContent(Exception):
    """A content type that nobody has taught us."""
