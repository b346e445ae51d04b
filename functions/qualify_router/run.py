"""One batch of the router in work."""

from __future__ import annotations

from dataclasses import dataclass, field

from functions.qualify_router.intake import Hint
from functions.shared import batch

NOT_YET = 10.0
"""Seconds after which amoCRM's lists and history surely show what they do not show now."""


@dataclass(kw_only=True)
class Run(batch.Run[Hint]):
    """`stored` are the leads whose pending step is this run's own: its lease keeps others away, not us."""

    stored: set[int] = field(default_factory=set)

    def todo(self) -> set[int]:
        """Also what was put off: alone, and later, it may go on."""
        return self.open()

    def pause_alone(self) -> float:
        """What was begun is looked for in lists, and these lag."""
        return NOT_YET if self.stored & self.open() else 0.0
