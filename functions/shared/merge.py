"""The record of one merge: what it did, so that it can be finished after a crash and taken back by a person.

Ids and names of tags only: values of fields, phones and texts stay in amoCRM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from functions.shared.identity import Likeness

ThingT = TypeVar("ThingT")


class State(StrEnum):
    """pending: begun, and if its worker is gone, to be gone on with · done: the duplicate is closed · dry_run: nothing
    was done · refused: nothing of it was kept (the survivor was closed, amoCRM refused) · undoing, undone: taken back
    by a person."""

    PENDING = "pending"
    DONE = "done"
    DRY_RUN = "dry_run"
    REFUSED = "refused"
    UNDOING = "undoing"
    UNDONE = "undone"


STANDING = (State.PENDING, State.DONE)
"""States in which the survivor holds what the duplicate brought."""

IN_WORK = timedelta(minutes=5)
"""So long nobody else may touch the two leads; whoever takes the merge up after its worker's death begins it anew."""


@dataclass(frozen=True)
class Added:
    """What the survivor got that it did not have: ids of contacts, of the company (0: none) and of custom fields, names
    of tags, whether the price; and the open tasks that went over, with the person each belonged to."""

    contacts: tuple[int, ...] = ()
    company: int = 0
    tags: tuple[str, ...] = ()
    fields: tuple[int, ...] = ()
    price: bool = False
    tasks: Mapping[int, int] = field(default_factory=dict)

    def with_more(self, more: Added) -> Added:
        """Both together: a run that goes on after a crash adds only what is still missing."""
        return Added(
            contacts=_both(self.contacts, more.contacts),
            company=self.company or more.company,
            tags=_both(self.tags, more.tags),
            fields=_both(self.fields, more.fields),
            price=self.price or more.price,
            tasks={**more.tasks, **self.tasks},
        )

    def without(self, other: Added) -> Added:
        """The rest."""
        return Added(
            contacts=tuple(each for each in self.contacts if each not in other.contacts),
            company=0 if other.company == self.company else self.company,
            tags=tuple(each for each in self.tags if each not in other.tags),
            fields=tuple(each for each in self.fields if each not in other.fields),
            price=self.price and not other.price,
            tasks={task: owner for task, owner in self.tasks.items() if task not in other.tasks},
        )


@dataclass(frozen=True)
class Merge:
    """One merge. `key` is the business key under which it was ordered; `day` the department's day that it counts for;
    `place` (pipeline id, status id) and `owner` are the duplicate's before it; `touched_at` is when a worker last
    took it up (None: at its beginning)."""

    key: str
    duplicate_id: int
    survivor_id: int
    why: Likeness
    at: datetime
    day: str
    place: tuple[int, int]
    owner: int
    department_version: int
    added: Added = Added()
    state: State = State.PENDING
    reason: str = ""
    touched_at: datetime | None = None

    @property
    def touched(self) -> datetime:
        return self.touched_at or self.at

    def is_in_work(self, now: datetime) -> bool:
        """Whether the duplicate is leaving, and the survivor taking in or giving back, right now."""
        return self.state in (State.PENDING, State.UNDOING) and now - self.touched < IN_WORK


def _both(first: tuple[ThingT, ...], second: tuple[ThingT, ...]) -> tuple[ThingT, ...]:
    return tuple(dict.fromkeys([*first, *second]))
