"""The waiting room: one row a lead that nobody could take, found again by its due time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.assignment import ARRIVAL, HandOver, hop_of
from functions.shared.department import Department
from functions.shared.waiting import WaitingLead

KIND = "waiting"


class WaitingRoom:
    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, waiting: Sequence[WaitingLead]) -> list[WaitingLead]:
        """Write the rows; returns those whose wait begins. A lead that waits already under this cause keeps its first
        `arrived_at` and `seen_owner`, and its `uid` if the new row knows none; all else is written anew. Under a later
        cause a new wait begins; a row under an earlier one changes nothing."""
        return [lead for lead in waiting if self._put(lead)]

    def wake(self, team: str, now: datetime) -> int:
        """Make everybody who waits for this team due now; returns how many were not. Leads that are taken out or
        looked at meanwhile stay as they are."""
        return sum(self._wake(lead, now) for lead in self.of_team(team) if lead.next_check > now)

    def due(self, now: datetime) -> list[WaitingLead]:
        """Who is to be looked at now, the earliest arrival first. Costs in proportion to what is due."""
        rows = self._table.due(keys.DUE_INDEX, keys.due_shard(KIND), keys.due_at(now))
        found = self._table.get_many(keys.Key(pk=row["pk"], sk=row["sk"]) for row in rows)
        return sorted(map(_lead_from, found), key=lambda lead: (lead.arrived_at, lead.lead_id))

    def of_team(self, team: str) -> list[WaitingLead]:
        """Everybody who waits for this team, the earliest arrival first."""
        found = map(_lead_from, self._table.query(f"TEAM#{team}", "WAIT#"))
        return sorted(found, key=lambda lead: (lead.arrived_at, lead.lead_id))

    def of_department(self, department: Department) -> list[WaitingLead]:
        """Everybody who waits for one of its teams."""
        return [lead for team in department.teams for lead in self.of_team(team.name)]

    def remove(self, team: str, lead_ids: Collection[int]) -> None:
        """Take leads out; those that are not there are no error."""
        for lead_id in sorted(lead_ids):
            self._table.delete(keys.waiting(team, lead_id))

    def leave(self, lead: WaitingLead) -> None:
        """Take out a lead whose wait has ended, unless another wait, under another cause, has begun since."""
        values = {":cause": lead.cause}
        with suppress(ConditionFailed):
            self._table.delete(
                keys.waiting(lead.team, lead.lead_id), "attribute_not_exists(cause) OR cause = :cause", values
            )

    def _put(self, lead: WaitingLead) -> bool:
        """Whether a wait begins. Others may write or remove the row between our two writes: then all begins again."""
        item = _item_of(lead)
        while True:
            try:
                self._table.put(item, "attribute_not_exists(pk)")
                return True
            except ConditionFailed as failed:
                (standing,) = failed.items
            assert standing, "a condition on an absent row fails only where there is one"
            later = hop_of(lead.cause) - hop_of(standing.get("cause", ARRIVAL))
            if later < 0:
                return False
            try:
                self._table.put(
                    item if later else _going_on(standing, item),
                    "arrived_at = :arrived_at",
                    {":arrived_at": standing["arrived_at"]},
                )
                return bool(later)
            except ConditionFailed:
                continue

    def _wake(self, lead: WaitingLead, now: datetime) -> bool:
        """The condition also keeps a row that is gone from being made anew."""
        due = {":due_at": keys.due_at(now)}
        try:
            self._table.update(keys.waiting(lead.team, lead.lead_id), "SET due_at = :due_at", due, "due_at > :due_at")
        except ConditionFailed:
            return False
        return True


def _going_on(standing: Item, item: Item) -> Item:
    """The new row of a wait that goes on."""
    uid = {"uid": standing["uid"]} if "uid" in standing else {}
    return uid | item | {"arrived_at": standing["arrived_at"], "seen_owner": standing.get("seen_owner", 0)}


def _item_of(lead: WaitingLead) -> Item:
    return {
        **keys.waiting(lead.team, lead.lead_id),
        "entity": "waiting",
        "channel": lead.channel,
        "reason": lead.reason,
        "arrived_at": lead.arrived_at.isoformat(),
        "seen_owner": lead.seen_owner,
        "cause": lead.cause,
        "due_shard": keys.due_shard(KIND),
        "due_at": keys.due_at(lead.next_check),
        **({"uid": lead.uid} if lead.uid else {}),
        **({"handed_over": asdict(lead.handed_over)} if lead.handed_over else {}),
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
        seen_owner=item.get("seen_owner", 0),
        cause=item.get("cause", ARRIVAL),
        handed_over=HandOver(**item["handed_over"]) if "handed_over" in item else None,
    )
