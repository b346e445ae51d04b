"""One batch of the meetings queue in work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.meet_scheduler.booking import Calendar
from functions.meet_scheduler.fetching import Recordings
from functions.shared import batch
from functions.shared.crm import Task, User
from functions.shared.meeting_plan import ClientCalls
from functions.shared.meetings import Booked


@dataclass(frozen=True)
class CallHint:
    """Something was said of the calls of a lead: those of these tasks, and those with these keys."""

    tasks: frozenset[int] = frozenset()
    keys: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()

    def merged(self, other: CallHint) -> CallHint:
        return CallHint(self.tasks | other.tasks, self.keys | other.keys, self.messages | other.messages)


@dataclass(frozen=True)
class People:
    """The account's active users by id; `robot` is the one whose token we hold."""

    users: Mapping[int, User]
    robot: int


@dataclass(kw_only=True)
class Run(batch.Run[CallHint]):
    """By the lead. `calls` is what the department wants; `tasks` are those read already, `seen` what the calendar has
    just told of events, by key."""

    calls: ClientCalls
    calendar: Calendar
    recordings: Recordings
    tasks: dict[int, Task] = field(default_factory=dict)
    seen: Mapping[str, Booked] = field(default_factory=dict)
