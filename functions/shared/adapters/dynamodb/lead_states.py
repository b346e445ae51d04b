"""What we last knew of each lead: one row a lead, found again by its due time where a timed route waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import unmoved
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Moved, Table
from functions.shared.department import Place
from functions.shared.lead_state import Decision, LastHop, LeadState, Step

KIND = "stay"

CLAIM_HOLDS = timedelta(minutes=2)
"""Longer than a lease, and than amoCRM's lists lag: afterwards the card that was made is found."""


class LeadStates:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, lead_ids: Iterable[int]) -> dict[int, LeadState]:
        """The states of these leads; one that has no row yet has version 0."""
        wanted = list(dict.fromkeys(lead_ids))
        items = self._table.get_many(keys.lead_state(lead_id) for lead_id in wanted)
        found = {state.lead_id: state for state in map(_state_from, items)}
        return {lead_id: found.get(lead_id) or LeadState(lead_id) for lead_id in wanted}

    def put(self, state: LeadState) -> LeadState:
        """Store what was made of the row that has `state.version`; returns it as stored. Raises Moved."""
        stored = replace(state, version=state.version + 1)
        try:
            self._table.put(_item_of(stored), *unmoved(state.version))
        except ConditionFailed as failed:
            raise Moved(f"lead {state.lead_id}") from failed
        return stored

    def claim_care(self, contact_id: int, lead_id: int, now: datetime) -> bool:
        """Whether this lead is the one that may make the client's card in aftercare; the claim lapses by itself."""
        claim = {**keys.care_claim(contact_id), "entity": "care_claim", "claimed_by": lead_id}
        claim |= {"claimed_at": int(now.timestamp()), "expires_at": int((now + CLAIM_HOLDS).timestamp())}
        values = {":lead": lead_id, ":old": int((now - CLAIM_HOLDS).timestamp())}
        try:
            self._table.put(claim, "attribute_not_exists(pk) OR claimed_by = :lead OR claimed_at < :old", values)
        except ConditionFailed:
            return False
        return True

    def due(self, now: datetime, at_most: int) -> list[int]:
        """Ids of the leads whose timed routes are to be looked at, the longest due first."""
        rows = islice(self._table.due(keys.DUE_INDEX, keys.due_shard(KIND), keys.due_at(now)), at_most)
        return [int(row["pk"].removeprefix("LEAD#")) for row in rows]


def _item_of(state: LeadState) -> Item:
    plain: dict[str, Any] = {
        "version": state.version,
        "place": _text(state.place),
        "entered_at": _text(state.entered_at),
        "arrived_at": _text(state.arrived_at),
        "seen_at": _text(state.seen_at),
        "team": state.team,
        "told": state.told,
        "owners": dict(state.owners),
        "came_from": state.came_from,
        "hop": state.hop,
        "hops": [hop.isoformat() for hop in state.hops],
        "last": _hop_item(state.last) if state.last else None,
        "fired": sorted(state.fired),
        "answer": state.answer,
        "origin": state.origin,
        "sale": state.sale,
        "suggested": list(state.suggested),
        "by_hand": list(state.by_hand),
        "parked": state.parked,
        "blocked": state.blocked,
        "pending": _decision_item(state.pending) if state.pending else None,
    }
    item: Item = {**keys.lead_state(state.lead_id), "entity": "lead_state"}
    item |= {name: value for name, value in plain.items() if value not in (None, "", 0, [], {}, False)}
    if state.due_at is not None:
        item |= {"due_shard": keys.due_shard(KIND), "due_at": keys.due_at(state.due_at)}
    return item


def _state_from(item: Item) -> LeadState:
    return LeadState(
        lead_id=int(item["pk"].removeprefix("LEAD#")),
        version=item["version"],
        place=_place(item.get("place")),
        entered_at=_moment(item.get("entered_at")),
        arrived_at=_moment(item.get("arrived_at")),
        seen_at=_moment(item.get("seen_at")),
        team=item.get("team", ""),
        told=item.get("told", ""),
        owners=item.get("owners", {}),
        came_from=item.get("came_from", ""),
        hop=item.get("hop", 0),
        hops=tuple(map(datetime.fromisoformat, item.get("hops", []))),
        last=_hop_from(item["last"]) if "last" in item else None,
        fired=frozenset(item.get("fired", [])),
        answer=item.get("answer", ""),
        origin=item.get("origin", 0),
        sale=item.get("sale", 0),
        suggested=tuple(item.get("suggested", [])),
        by_hand=tuple(item.get("by_hand", [])),
        parked=item.get("parked", False),
        blocked=item.get("blocked", ""),
        pending=_decision_from(item["pending"]) if "pending" in item else None,
        due_at=_moment(item.get("due_at")),
    )


def _hop_item(hop: LastHop) -> dict[str, str]:
    return {"seen": str(hop.seen), "to": str(hop.to), "seen_at": hop.seen_at.isoformat(), "answer": hop.answer}


def _hop_from(item: Item) -> LastHop:
    seen_at = datetime.fromisoformat(item["seen_at"])
    return LastHop(_known(item["seen"]), _known(item["to"]), seen_at, item.get("answer", ""))


def _decision_item(decision: Decision) -> dict[str, Any]:
    return {
        "step": decision.step.value,
        "route": decision.route,
        "seen": str(decision.seen),
        "seen_at": decision.seen_at.isoformat(),
        "owner": decision.owner,
        "hop": decision.hop,
        "decided_at": decision.decided_at.isoformat(),
        "lease_until": decision.lease_until.isoformat(),
        "department_version": decision.department_version,
        "to": _text(decision.to),
        "reason": decision.reason,
        "answer": decision.answer,
        "others": list(decision.others),
        "why": decision.why,
        "fired": decision.fired,
        "before": _text(decision.before),
    }


def _decision_from(item: Item) -> Decision:
    return Decision(
        step=Step(item["step"]),
        route=item["route"],
        seen=_known(item["seen"]),
        seen_at=datetime.fromisoformat(item["seen_at"]),
        owner=item["owner"],
        hop=item["hop"],
        decided_at=datetime.fromisoformat(item["decided_at"]),
        lease_until=datetime.fromisoformat(item["lease_until"]),
        department_version=item["department_version"],
        to=_place(item["to"]),
        reason=item["reason"],
        answer=item["answer"],
        others=tuple(item["others"]),
        why=item["why"],
        fired=item["fired"],
        before=_place(item["before"]),
    )


def _text(value: Place | datetime | None) -> str | None:
    return None if value is None else str(value) if isinstance(value, Place) else value.isoformat()


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _place(text: str | None) -> Place | None:
    return _known(text) if text else None


def _known(text: str) -> Place:
    role, _, stage = text.partition(".")
    return Place(role, stage)
