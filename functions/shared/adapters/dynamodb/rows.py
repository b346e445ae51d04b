"""What several stores need to write their rows small and safely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.shared.adapters.dynamodb.keys import Key
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.errors import Contended

TRIES = 10
"""Lost races for one row in a row before the message goes back to its queue."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def present(values: Mapping[str, Any]) -> Item:
    """Without what is empty: it need not be stored, and a byte that is not there costs nothing."""
    return {name: value for name, value in values.items() if value not in (None, "", 0, [], (), {}, False)}


def text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def micros(moment: datetime) -> int:
    """Microseconds since 1970: whole, so that equality in a condition is exact, and short where moments are most of a
    row: 9 bytes as a number, 27 as a text."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)


def unmoved(version: int) -> tuple[str, Item | None]:
    """Condition and values: the row still has the version that was read, 0 for none."""
    return ("version = :version", {":version": version}) if version else ("attribute_not_exists(pk)", None)


def rewrite(table: Table, key: Key, change: Callable[[Item], Item | None]) -> bool:
    """Read the row, change it, write it if nobody else has since; else from the start. `change` gets the row ({} for
    none) and gives all attributes of the new one, None to leave it as it is. Whether it was written. Raises Contended.
    """
    for _ in range(TRIES):
        standing = table.get(key) or {}
        wanted = change(standing)
        if wanted is None:
            return False
        version = standing.get("version", 0)
        try:
            table.put({**key, **wanted, "version": version + 1}, *unmoved(version))
        except ConditionFailed:
            continue
        return True
    raise Contended("a row of aftercare is written by many at once", after=1)
