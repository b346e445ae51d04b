"""Meetings: one row each, found again by its due time, its lead and its client."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import moment, present, text, unmoved
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Moved, Table
from functions.shared.meeting_state import Held, Kind, MeetingState, Outline, Saying
from functions.shared.meetings import LinkState

DUE = "meeting"

_KEPT_FOR = timedelta(days=400)
"""Whoever asks a year later when a client was spoken to still finds it."""


class Meetings:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, meeting_keys: Iterable[str]) -> dict[str, MeetingState]:
        """Those that are known, by key."""
        rows = self._table.get_many(keys.meeting(key) for key in meeting_keys)
        return {state.key: state for state in map(_state_from, rows)}

    def of_lead(self, lead_id: int) -> list[str]:
        """Keys of the calls that hang on the lead, or did."""
        return self._pointed(keys.lead_state(lead_id)["pk"])

    def of_client(self, contact_id: int) -> list[str]:
        return self._pointed(keys.client(contact_id)["pk"])

    def standups(self) -> list[str]:
        """Keys of all stand-ups that ever were and have not ended."""
        return self._pointed(keys.STANDUPS)

    def put(self, state: MeetingState, before: MeetingState | None = None) -> MeetingState:
        """Store what was made of `before`, the row that has `state.version` (None: there is none); returns it as
        stored. Raises Moved."""
        stored = replace(state, version=state.version + 1)
        new_places = [place for place in _places(state) if before is None or place not in _places(before)]
        try:
            if new_places:
                row = self._table.put_action(_item_of(stored), *unmoved(state.version))
                self._table.transact([row, *(self._pointer(place, state.key) for place in new_places)])
            else:
                self._table.put(_item_of(stored), *unmoved(state.version))
        except ConditionFailed as failed:
            raise Moved(state.key) from failed
        return stored

    def due(self, now: datetime, at_most: int) -> list[str]:
        """Keys of the meetings that are to be looked at, the longest due first."""
        rows = self._table.due(keys.DUE_INDEX, keys.due_shard(DUE), keys.due_at(now), at_most)
        return [row["pk"].removeprefix(keys.MEETING) for row in islice(rows, at_most)]

    def retire(self, state: MeetingState) -> None:
        """A stand-up that has ended is no longer among the stand-ups; its row stays."""
        self._table.delete(keys.meeting_of(keys.STANDUPS, state.key))

    def sync_token(self) -> str | None:
        return (self._table.get(keys.calendar("SYNC")) or {}).get("token")

    def put_sync_token(self, token: str) -> None:
        self._table.put({**keys.calendar("SYNC"), "entity": "calendar", "token": token})

    def read_at(self, name: str) -> datetime | None:
        """When something of the calendars was read last."""
        return moment((self._table.get(keys.calendar(name)) or {}).get("read_at"))

    def put_read_at(self, name: str, now: datetime) -> None:
        self._table.put({**keys.calendar(name), "entity": "calendar", "read_at": text(now)})

    def _pointer(self, place: str, key: str) -> Item:
        return self._table.update_action(
            keys.meeting_of(place, key), "SET entity = :kind", {":kind": "meeting_pointer"}
        )

    def _pointed(self, pk: str) -> list[str]:
        return [row["sk"].removeprefix(keys.MEETING) for row in self._table.query(pk, keys.MEETING)]


def _places(state: MeetingState) -> list[str]:
    """Under whom the meeting is looked for."""
    if state.kind is Kind.STANDUP:
        return [keys.STANDUPS]
    lead = [keys.lead_state(state.lead_id)["pk"]] if state.lead_id else []
    return lead + ([keys.client(state.client)["pk"]] if state.client else [])


def _item_of(state: MeetingState) -> Item:
    plain: dict[str, Any] = {
        "lead_id": state.lead_id,
        "client": state.client,
        "task_id": state.task_id,
        "manager": state.manager,
        "lead_owner": state.owner,
        "responsible": state.responsible,
        "event_id": state.event_id,
        "version_seen": state.version_seen,
        "link": state.link,
        "link_state": "" if state.link_state is LinkState.NONE else state.link_state.value,
        "link_shown": state.link_shown,
        "link_attempts": state.link_attempts,
        "code": state.code,
        "meeting_space": state.space,
        "recording": state.recording,
        "asked": _outline_item(state.asked),
        "asked_at": text(state.asked_at),
        "wanted": _outline_item(state.wanted),
        "applied": _outline_item(state.applied),
        "dropped": _outline_item(state.dropped),
        "seen_start": text(state.seen[0]) if state.seen else None,
        "seen_minutes": state.seen[1] if state.seen else 0,
        "follow": text(state.follow),
        "is_followed": state.is_followed,
        "held": list(map(_held_item, state.held)),
        "outbox": [{"key": s.key, "text": s.text, "at": text(s.at), "to": s.to} for s in state.outbox],
        "told": list(state.told),
        "away": {day: list(guests) for day, guests in state.away.items()},
        "kept": list(state.kept),
        "announced": state.announced,
        "trouble": state.trouble,
        "looked_at": text(state.looked_at),
        "claimed_until": text(state.claimed_until),
    }
    item: Item = {
        **keys.meeting(state.key),
        "entity": "meeting",
        "kind": state.kind.value,
        "version": state.version,
        "generation": state.generation,
        **present(plain),
    }
    if state.due_at is not None:
        item |= {"due_shard": keys.due_shard(DUE), "due_at": keys.due_at(_ceiled(state.due_at))}
    elif state.kind is Kind.CALL:
        last = max((each.end for each in (state.wanted, state.applied) if each), default=None)
        item |= {"expires_at": int(((last or datetime.now(UTC)) + _KEPT_FOR).timestamp())}
    return item


def _state_from(item: Item) -> MeetingState:
    seen = moment(item.get("seen_start"))
    return MeetingState(
        key=item["pk"].removeprefix(keys.MEETING),
        kind=Kind(item["kind"]),
        lead_id=item.get("lead_id", 0),
        client=item.get("client", 0),
        task_id=item.get("task_id", 0),
        manager=item.get("manager", 0),
        owner=item.get("lead_owner", 0),
        responsible=item.get("responsible", 0),
        generation=item["generation"],
        event_id=item.get("event_id", ""),
        version_seen=item.get("version_seen", ""),
        link=item.get("link", ""),
        link_state=LinkState(item.get("link_state", "none")),
        link_shown=item.get("link_shown", ""),
        link_attempts=item.get("link_attempts", 0),
        code=item.get("code", ""),
        space=item.get("meeting_space", ""),
        recording=item.get("recording", ""),
        asked=_outline_from(item.get("asked")),
        asked_at=moment(item.get("asked_at")),
        wanted=_outline_from(item.get("wanted")),
        applied=_outline_from(item.get("applied")),
        dropped=_outline_from(item.get("dropped")),
        seen=(seen, item.get("seen_minutes", 0)) if seen else None,
        follow=moment(item.get("follow")),
        is_followed=item.get("is_followed", False),
        held=tuple(map(_held_from, item.get("held", []))),
        outbox=tuple(
            Saying(s["key"], s["text"], datetime.fromisoformat(s["at"]), s["to"]) for s in item.get("outbox", [])
        ),
        told=tuple(item.get("told", [])),
        away={day: tuple(guests) for day, guests in item.get("away", {}).items()},
        kept=tuple(item.get("kept", [])),
        announced=item.get("announced", ""),
        trouble=item.get("trouble", ""),
        looked_at=moment(item.get("looked_at")),
        due_at=moment(item.get("due_at")),
        claimed_until=moment(item.get("claimed_until")),
        version=item["version"],
    )


def _held_item(held: Held) -> Item:
    return {"space": held.space, "start": text(held.start), "minutes": held.minutes, "look_at": text(held.look_at)}


def _held_from(item: Item) -> Held:
    start, look_at = (datetime.fromisoformat(item[name]) for name in ("start", "look_at"))
    return Held(item["space"], start, item["minutes"], look_at)


def _outline_item(outline: Outline | None) -> Item | None:
    if outline is None:
        return None
    return {
        "start": text(outline.start),
        "minutes": outline.minutes,
        "zone": outline.zone,
        "title": outline.title,
        "guests": sorted(outline.guests),
        "days": sorted(outline.days),
        "skips": [day.isoformat() for day in sorted(outline.skips)],
    }


def _outline_from(item: Item | None) -> Outline | None:
    if item is None:
        return None
    return Outline(
        datetime.fromisoformat(item["start"]),
        item["minutes"],
        item["zone"],
        item["title"],
        frozenset(item["guests"]),
        frozenset(item["days"]),
        frozenset(map(date.fromisoformat, item["skips"])),
    )


def _ceiled(moment: datetime) -> datetime:
    """Due times are whole seconds; what is looked at too early would only be put off."""
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
