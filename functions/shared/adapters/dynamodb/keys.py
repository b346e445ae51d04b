"""Every key string of the table, in one place; the picture and the access patterns are in docs/data-model.md."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


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


def due_shard(kind: str) -> str:
    """One shard per kind is enough: a shard takes 1,000 writes a second, a firm has a few leads a minute."""
    return f"DUE#{kind}#0"


def due_at(moment: datetime) -> str:
    """UTC to the second, so that the strings sort as the moments do."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def budget() -> Key:
    """The request budget of the one amoCRM account."""
    return {"pk": "BUDGET", "sk": "amocrm"}


def lock(name: str) -> Key:
    return {"pk": "LOCK", "sk": name}
