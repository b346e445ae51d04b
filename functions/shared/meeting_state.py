"""What is stored of a meeting: what was decided, how far it is done, and what the calendar showed last. No names, no
e-mails: people are ids of amoCRM, or fingerprints that only tell whether somebody has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from functions.shared.meetings import Booked, LinkState, Meeting, Span


class Kind(StrEnum):
    CALL = "call"
    STANDUP = "standup"


FINGERPRINT_BITS = 24
"""Enough to tell a change (one in 16 million goes unseen), too few to find an address in a list of all addresses: about
sixty of a milliard have the same."""


def fingerprint(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: FINGERPRINT_BITS // 8], "big")


@dataclass(frozen=True)
class Outline:
    """A wanted meeting without personal data: two outlines are equal if nothing is to be done between them."""

    start: datetime
    minutes: int
    zone: str
    title: int
    guests: frozenset[int]
    days: frozenset[int] = frozenset()
    skips: frozenset[date] = frozenset()

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


def outline(meeting: Meeting) -> Outline:
    repeats = meeting.recurrence
    return Outline(
        start=meeting.start,
        minutes=meeting.minutes,
        zone=meeting.zone.key,
        title=fingerprint(meeting.title),
        guests=frozenset(map(fingerprint, meeting.emails)),
        days=repeats.days if repeats else frozenset(),
        skips=repeats.skips if repeats else frozenset(),
    )


@dataclass(frozen=True)
class Saying:
    """Something to write on the card, and not yet seen there: a note, or a task for the manager `to`. `key` names the
    occasion: each is told once. `at` is when it was decided."""

    key: str
    text: str
    at: datetime
    to: int = 0

    @property
    def is_task(self) -> bool:
        return self.to > 0


@dataclass(frozen=True)
class Held:
    """A call whose time has passed: its recordings are still to be fetched, the next look is at `look_at`."""

    space: str
    start: datetime
    minutes: int
    look_at: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class MeetingState:
    """One meeting, whatever becomes of it. `event_id` is empty while nothing stands in the calendar for us.

    `asked` is what amoCRM or the department said last (amoCRM's word was changed at `asked_at`), `wanted` the decision,
    which differs from it where a person changed the calendar, `applied` what of it is in the calendar. `dropped` was
    asked for when a person took the meeting out of the calendar: it is not booked again unless another time is asked
    for. `follow` is the time that amoCRM is to be given, because a person moved the meeting in the calendar, until
    amoCRM shows it; it was written if `is_followed`.

    `link_shown` is what we have written into the card's field, `announced` what the bus knows (see `standing`).
    `manager` is who was invited, `owner` the lead's and `responsible` the task's when it was decided. `seen` is
    (start, minutes) as the calendar had it last. Of a stand-up, `away` says by the day (ISO) whose invitations were
    taken back, and `kept` which of a person's edits stand. `trouble` is the class of the calendar's last final answer,
    empty when all is well.
    """

    key: str
    kind: Kind
    lead_id: int = 0
    client: int = 0
    task_id: int = 0
    manager: int = 0
    owner: int = 0
    responsible: int = 0
    generation: int = 1
    event_id: str = ""
    version_seen: str = ""
    link: str = field(default="", repr=False)
    link_state: LinkState = LinkState.NONE
    link_shown: str = field(default="", repr=False)
    link_attempts: int = 0
    code: str = ""
    space: str = ""
    recording: str = ""
    asked: Outline | None = None
    asked_at: datetime | None = None
    wanted: Outline | None = None
    applied: Outline | None = None
    dropped: Outline | None = None
    seen: tuple[datetime, int] | None = None
    follow: datetime | None = None
    is_followed: bool = False
    held: tuple[Held, ...] = ()
    outbox: tuple[Saying, ...] = ()
    told: tuple[str, ...] = ()
    away: dict[str, tuple[int, ...]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    announced: str = ""
    trouble: str = ""
    looked_at: datetime | None = None
    due_at: datetime | None = None
    claimed_until: datetime | None = None
    version: int = 0

    @property
    def standing(self) -> str:
        """What stands in the calendar for us: which event, at what time; empty for nothing."""
        return f"{self.generation}@{self.applied.start.isoformat()}" if self.event_id and self.applied else ""

    def saying(self, saying: Saying) -> MeetingState:
        """With one more thing to be told, unless it was told or waits already."""
        if saying.key in self.told or any(each.key == saying.key for each in self.outbox):
            return self
        return replace(self, outbox=(*self.outbox, saying))

    def has_told(self, *keys: str) -> MeetingState:
        told = (*(each for each in self.told if each not in keys), *keys)[-MOST_TOLD:]
        return replace(self, told=told, outbox=tuple(each for each in self.outbox if each.key not in keys))

    def seeing(self, booked: Booked) -> MeetingState:
        """With what the calendar shows now."""
        return replace(
            self,
            event_id=booked.id,
            version_seen=booked.version,
            link=booked.link,
            link_state=booked.link_state,
            code=booked.code,
            seen=(booked.start, booked.minutes) if booked.start else self.seen,
        )

    def without_event(self) -> MeetingState:
        """Nothing of it stands in the calendar any more; the next booking is another event."""
        return replace(
            self,
            generation=self.generation + 1,
            event_id="",
            version_seen="",
            link="",
            link_state=LinkState.NONE,
            link_attempts=0,
            code="",
            space="",
            recording="",
            applied=None,
            seen=None,
            away={},
        )


MOST_TOLD = 40
"""Occasions that are remembered; older ones cannot come back, as their times have passed."""
