"""What aftercare counts by the day: tasks a manager got, for his cap, and firings of a rule, for the storm guard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import rewrite
from functions.shared.adapters.dynamodb.table import Item, Table

REMEMBERED = timedelta(days=14)
"""The storm guard compares a day with the mean of so many before it."""

_DAY_KEPT_FOR = timedelta(days=30)


class CareCounts:
    """Days are ISO dates, local ones of whom they are about."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, manager: int, day: str, wanted: Sequence[tuple[str, int | None]]) -> list[str]:
        """Places in a manager's day for (key of an episode, cap of its rule or None), in this order; returns the keys
        that have one. A key that has a place keeps it, so asking again costs none; several askers never pass a cap
        together. Raises Contended."""
        granted: list[str] = []

        def change(item: Item) -> Item | None:
            taken = list(item.get("taken", []))
            granted.clear()
            for key, cap in wanted:
                if key not in taken and (cap is None or len(taken) < cap):
                    taken.append(key)
                if key in taken:
                    granted.append(key)
            return _day_item(day, taken) if len(taken) > len(item.get("taken", [])) else None

        rewrite(self._table, keys.tasks_of_manager(day, manager), change)
        return granted

    def give_back(self, manager: int, day: str, episodes: Iterable[str]) -> None:
        """No task came of these after all; whoever has no place is no error."""
        returned = set(episodes)

        def change(item: Item) -> Item | None:
            taken = item.get("taken", [])
            kept = [key for key in taken if key not in returned]
            return _day_item(day, kept) if len(kept) < len(taken) else None

        rewrite(self._table, keys.tasks_of_manager(day, manager), change)

    def tasks_of(self, day: str) -> dict[int, int]:
        """Tasks that were set on that day, by manager."""
        prefix = keys.tasks_of_manager(day, 0)["sk"].removesuffix("0")
        rows = self._table.query(keys.tasks_of_manager(day, 0)["pk"], prefix)
        return {int(row["sk"].removeprefix(prefix)): len(row["taken"]) for row in rows}

    def fired(self, day: str, counts: Mapping[str, int]) -> None:
        """So many more firings of these rules. Count after their episodes are stored: they exist only once, so a crash
        between may lose a count, which the guard can bear, but never doubles one. Raises Contended."""
        oldest = (date.fromisoformat(day) - REMEMBERED).isoformat()
        for rule, count in sorted(counts.items()):

            def change(item: Item, count: int = count) -> Item:
                days = {each: number for each, number in item.get("days", {}).items() if each >= oldest}
                return {"entity": "firings", "days": {**days, day: days.get(day, 0) + count}}

            rewrite(self._table, keys.firings(rule), change)

    def firings(self, rules: Iterable[str]) -> dict[str, dict[str, int]]:
        """By rule and day, of the days that are remembered; a rule that never fired has none."""
        wanted = list(dict.fromkeys(rules))
        found = {row["sk"]: row["days"] for row in self._table.get_many(map(keys.firings, wanted))}
        return {rule: found.get(keys.firings(rule)["sk"], {}) for rule in wanted}


def _day_item(day: str, taken: list[str]) -> Item:
    ends = datetime.combine(date.fromisoformat(day), time(), UTC) + _DAY_KEPT_FOR
    return {"entity": "care_day", "taken": taken, "expires_at": int(ends.timestamp())}
