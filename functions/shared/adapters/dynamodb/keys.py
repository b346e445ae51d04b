"""Every key string of the table, in one place; the picture and the access patterns are in docs/data-model.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypedDict
from zlib import crc32


class Key(TypedDict):
    pk: str
    sk: str


DUE_INDEX = "due"


def department(version: int) -> Key:
    return {"pk": "DEPARTMENT", "sk": f"v{version}"}


def current_department() -> Key:
    return {"pk": "DEPARTMENT", "sk": "CURRENT"}


def ledger(team: str) -> Key:
    return {"pk": f"TEAM#{team}", "sk": "LEDGER"}


def done(team: str, ledger_version: int) -> Key:
    return {"pk": f"TEAM#{team}", "sk": f"DONE#{ledger_version:012d}"}


def assignment(lead_id: int, cause: str) -> Key:
    return {"pk": f"LEAD#{lead_id}", "sk": f"ASSIGN#{cause}"}


def lead_state(lead_id: int) -> Key:
    return {"pk": f"LEAD#{lead_id}", "sk": "STATE"}


def merge(duplicate_id: int, key: str) -> Key:
    return {"pk": f"LEAD#{duplicate_id}", "sk": f"MERGE#{key}"}


def kin(lead_id: int) -> Key:
    """Which leads were merged into this one, and which must not be."""
    return {"pk": f"LEAD#{lead_id}", "sk": "KIN"}


def merges_of_day(day: str) -> Key:
    return {"pk": "MERGES", "sk": f"DAY#{day}"}


def care_claim(contact_id: int) -> Key:
    return {"pk": f"CLIENT#{contact_id}", "sk": "CARE"}


def waiting(team: str, lead_id: int) -> Key:
    return {"pk": f"TEAM#{team}", "sk": f"WAIT#{lead_id}"}


def absence(team: str, user_id: int, start: datetime) -> Key:
    return {"pk": f"TEAM#{team}", "sk": f"ABSENCE#{user_id}#{start.isoformat()}"}


def client(contact_id: int) -> Key:
    return {"pk": f"CLIENT#{contact_id}", "sk": "META"}


def listed_client(contact_id: int) -> Key:
    """That the client has a row at all: what walks through all clients reads, without their facts."""
    return {"pk": clients_of_shard(client_shard(contact_id)), "sk": str(contact_id)}


def clients_of_shard(shard: int) -> str:
    return f"CLIENTS#{shard}"


CLIENT_SHARDS = 4
"""A shard takes 1,000 writes a second; a million clients that fall due within the same two hours need no more."""


def client_shard(contact_id: int) -> int:
    """Not the number's remainder: ids of an account may all be even."""
    return crc32(str(contact_id).encode()) % CLIENT_SHARDS


FIRST_FACT = "EVT#"
"""EP# < EVT# < KEEP# < META: facts of a client and his row are one range of sort keys, the episodes lie before it."""


def fact(contact_id: int, is_lasting: bool, tail: str) -> Key:
    return {"pk": f"CLIENT#{contact_id}", "sk": f"{'KEEP#' if is_lasting else FIRST_FACT}{tail}"}


def fact_tail(time: datetime, source: str, fact_id: str, recorded: datetime | None) -> str:
    """What a fact is known by, within a client. A correction is a row of its own."""
    parts = [moment(time), escaped(source), escaped(fact_id), *([moment(recorded)] if recorded else [])]
    return "#".join(parts)


def facts_since(since: datetime | None) -> str:
    """The first sort key of what is read: frequent facts from that moment on, and all lasting ones."""
    return FIRST_FACT + (moment(since) if since else "")


EPISODE = "EP#"
"""How the sort keys of all episodes begin."""


def episode(contact_id: int, rule: str, anchor: str) -> Key:
    return {"pk": f"CLIENT#{contact_id}", "sk": f"{EPISODE}{escaped(rule)}#{anchor}"}


def aliases(contact_id: int) -> Key:
    """By which hashes the client is found; before the facts, so that reading these does not read it."""
    return {"pk": f"CLIENT#{contact_id}", "sk": "AKA"}


def identity(hashed: str) -> Key:
    return {"pk": f"IDENTITY#{hashed}", "sk": "CLIENTS"}


def parked_fact(hashed: str, tail: str) -> Key:
    return {"pk": "REVIEW", "sk": f"{hashed}#{tail}"}


def feed(name: str) -> Key:
    return {"pk": "FEEDS", "sk": name}


def rule_book(version: int) -> Key:
    return {"pk": "CARE", "sk": f"v{version}"}


def current_rule_book() -> Key:
    return {"pk": "CARE", "sk": "CURRENT"}


def care_round() -> Key:
    return {"pk": "CARE", "sk": "ROUND"}


def approval(rule: str) -> Key:
    return {"pk": "CARE", "sk": f"APPROVAL#{rule}"}


def firings(rule: str) -> Key:
    return {"pk": "CARE", "sk": f"FIRINGS#{rule}"}


def tasks_of_manager(day: str, manager: int) -> Key:
    return {"pk": f"CARE#{day}", "sk": f"MANAGER#{manager}"}


def care_task(task_id: int) -> Key:
    """Whose task it is that aftercare has set: what amoCRM tells of a deleted one is its id alone."""
    return {"pk": f"TASK#{task_id}", "sk": "CLIENT"}


MEETING = "MEETING#"
"""How the keys of meetings begin, and those of the rows by which they are found."""

STANDUPS = "STANDUPS"
"""The partition with a row for each stand-up that has not ended."""


def meeting(key: str) -> Key:
    return {"pk": f"{MEETING}{key}", "sk": "STATE"}


def meeting_of(pk: str, key: str) -> Key:
    """That the lead, the client or the department whose partition this is has the meeting."""
    return {"pk": pk, "sk": f"{MEETING}{key}"}


def calendar(name: str) -> Key:
    """How far, or when, something of the calendars was read."""
    return {"pk": "CALENDAR", "sk": name}


TELEMOST = "TELEMOST#"


def telemost_meeting(event_id: str) -> Key:
    """A meeting for which no calendar exists but this row."""
    return {"pk": f"{TELEMOST}{event_id}", "sk": "STATE"}


def moment(time: datetime) -> str:
    """UTC to the microsecond, without a zone: "…:00" is followed by "#" and so sorts before "…:00.5"."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat()


def escaped(text: str) -> str:
    """For a part of a key: "#" divides the parts."""
    return text.replace("%", "%25").replace("#", "%23")


def unescaped(text: str) -> str:
    return text.replace("%23", "#").replace("%25", "%")


def due_shard(kind: str, shard: int = 0) -> str:
    """Kinds of leads need only one shard: it takes 1,000 writes a second, a firm has a few leads a minute."""
    return f"DUE#{kind}#{shard}"


FIRST, LAST = " ", "\U0010ffff"
"""Sort keys before and behind all others: a range from one to the other is the whole partition."""

NEVER = "9999"
"""Sorts behind every due time."""


def due_at(moment: datetime) -> str:
    """UTC to the second, so that the strings sort as the moments do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def budget() -> Key:
    """The request budget of the one amoCRM account."""
    return {"pk": "BUDGET", "sk": "amocrm"}


def lock(name: str) -> Key:
    return {"pk": "LOCK", "sk": name}
