"""The waiting room: one row a lead that nobody could take, found again by its due time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import Item, Table
from functions.shared.waiting import WaitingLead

KIND = "waiting"


class WaitingRoom:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, waiting: Sequence[WaitingLead]) -> None:
        """Write the rows; a lead that waits already gets its new check time."""
        for lead in waiting:
            self._table.put(_item_of(lead))

    def due(self, now: datetime) -> list[WaitingLead]:
        """Who is to be looked at now, the earliest arrival first. Costs in proportion to what is due."""
        rows = self._table.due(keys.DUE_INDEX, keys.due_shard(KIND), keys.due_at(now))
        found = self._table.get_many(keys.Key(pk=row["pk"], sk=row["sk"]) for row in rows)
        return sorted(map(_lead_from, found), key=lambda lead: (lead.arrived_at, lead.lead_id))

    def of_team(self, team: str) -> list[WaitingLead]:
        """Everybody who waits for this team, the earliest arrival first."""
        found = map(_lead_from, self._table.query(f"TEAM#{team}", "WAIT#"))
        return sorted(found, key=lambda lead: (lead.arrived_at, lead.lead_id))

    def remove(self, team: str, lead_ids: Collection[int]) -> None:
        """Take leads out; those that are not there are no error."""
        for lead_id in sorted(lead_ids):
            self._table.delete(keys.waiting(team, lead_id))


def _item_of(lead: WaitingLead) -> Item:
    return {
        **keys.waiting(lead.team, lead.lead_id),
        "entity": "waiting",
        "channel": lead.channel,
        "reason": lead.reason,
        "arrived_at": lead.arrived_at.isoformat(),
        "due_shard": keys.due_shard(KIND),
        "due_at": keys.due_at(lead.next_check),
        **({"uid": lead.uid} if lead.uid else {}),
    }


def _lead_from(item: Item) -> WaitingLead:
    return WaitingLead(
        lead_id=int(item["sk"].removeprefix("WAIT#")),
        team=item["pk"].removeprefix("TEAM#"),
        channel=item["channel"],
        reason=item["reason"],
        arrived_at=datetime.fromisoformat(item["arrived_at"]),
        next_check=datetime.fromisoformat(item["due_at"]),
        uid=item.get("uid"),
    )
