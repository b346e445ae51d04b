"""Who is away, and until when."""

from __future__ import annotations

from datetime import datetime

from functions.shared.absence import Absence
from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import Table


class Absences:
    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, absence: Absence) -> None:
        """Rows of the past go by themselves: DynamoDB deletes them some days after their end."""
        self._table.put(
            {
                **keys.absence(absence.team, absence.user_id, absence.start),
                "entity": "absence",
                "user_id": absence.user_id,
                "start_at": absence.start.isoformat(),
                "end_at": absence.end.isoformat(),
                "reason": absence.reason,
                "expires_at": int(absence.end.timestamp()),
            }
        )

    def of_team(self, team: str) -> list[Absence]:
        """All absences that are on record, also future ones; past ones may still be among them."""
        return [
            Absence(
                team=team,
                user_id=item["user_id"],
                start=datetime.fromisoformat(item["start_at"]),
                end=datetime.fromisoformat(item["end_at"]),
                reason=item["reason"],
            )
            for item in self._table.query(f"TEAM#{team}", "ABSENCE#")
        ]

    def remove(self, absence: Absence) -> None:
        self._table.delete(keys.absence(absence.team, absence.user_id, absence.start))
