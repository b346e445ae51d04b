"""What is kept of a meeting in Telemost: it has no calendar, so the row is the calendar."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import unmoved
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.errors import MeetingMoved
from functions.shared.meetings import Attendee, Booked, LinkState, Recurrence

KEPT_AFTER = timedelta(days=2)
"""E-mails are kept no longer than a cancellation could still have to be sent."""


@dataclass(frozen=True)
class Kept:
    """`owed` are the guests to whom the latest state is still to be sent, `dropped` those who are to be told that they
    are no longer invited."""

    id: str
    key: str
    title: str = field(repr=False)
    description: str = field(repr=False)
    start: datetime
    minutes: int
    zone: str
    attendees: tuple[Attendee, ...]
    recurrence: Recurrence | None
    conference: str
    link: str = field(repr=False)
    sequence: int = 0
    is_cancelled: bool = False
    owed: tuple[str, ...] = field(default=(), repr=False)
    dropped: tuple[str, ...] = field(default=(), repr=False)
    version: int = 0

    def booked(self) -> Booked:
        return Booked(
            id=self.id,
            version=str(self.version),
            key=self.key,
            title=self.title,
            start=self.start,
            minutes=self.minutes,
            zone=self.zone,
            attendees=self.attendees,
            recurrence=self.recurrence,
            is_cancelled=self.is_cancelled,
            link=self.link,
            link_state=LinkState.READY,
            code=self.conference,
        )


class KeptMeetings:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, event_id: str) -> Kept | None:
        item = self._table.get(keys.telemost_meeting(event_id))
        return None if item is None else _from(item)

    def put(self, kept: Kept) -> Kept:
        """What was made of the row of `kept.version` (0: none); returns it as stored. Raises MeetingMoved."""
        stored = replace(kept, version=kept.version + 1)
        try:
            self._table.put(_item(stored), *unmoved(kept.version))
        except ConditionFailed as failed:
            raise MeetingMoved(kept.id) from failed
        return stored


def _item(kept: Kept) -> Item:
    end = kept.start + timedelta(minutes=kept.minutes) + KEPT_AFTER
    is_series = kept.recurrence is not None and not kept.is_cancelled
    return {
        **keys.telemost_meeting(kept.id),
        "entity": "telemost_meeting",
        "version": kept.version,
        "meeting_key": kept.key,
        "title": kept.title,
        "description": kept.description,
        "start_at": kept.start.isoformat(),
        "minutes": kept.minutes,
        "zone": kept.zone,
        "attendees": [{"email": each.email, "name": each.name} for each in kept.attendees],
        "recurrence": _recurrence_item(kept.recurrence),
        "conference": kept.conference,
        "link": kept.link,
        "sequence_number": kept.sequence,
        "is_cancelled": kept.is_cancelled,
        "owed": list(kept.owed),
        "dropped": list(kept.dropped),
        **({} if is_series else {"expires_at": int(end.timestamp())}),
    }


def _from(item: Item) -> Kept:
    return Kept(
        id=item["pk"].removeprefix(keys.TELEMOST),
        key=item["meeting_key"],
        title=item["title"],
        description=item["description"],
        start=datetime.fromisoformat(item["start_at"]).astimezone(UTC),
        minutes=item["minutes"],
        zone=item["zone"],
        attendees=tuple(Attendee(each["email"], each["name"]) for each in item["attendees"]),
        recurrence=_recurrence_from(item["recurrence"]),
        conference=item["conference"],
        link=item["link"],
        sequence=item["sequence_number"],
        is_cancelled=item["is_cancelled"],
        owed=tuple(item["owed"]),
        dropped=tuple(item["dropped"]),
        version=item["version"],
    )


def _recurrence_item(recurrence: Recurrence | None) -> dict[str, Any] | None:
    if recurrence is None:
        return None
    return {"days": sorted(recurrence.days), "skips": [day.isoformat() for day in sorted(recurrence.skips)]}


def _recurrence_from(item: dict[str, Any] | None) -> Recurrence | None:
    if item is None:
        return None
    return Recurrence(frozenset(item["days"]), frozenset(map(date.fromisoformat, item["skips"])))
