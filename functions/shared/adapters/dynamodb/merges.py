"""The journal of merges: one row a merge, one a day with what was merged on it, one a lead with its relations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from functions.qualify_router.merge_journal import STANDING, Added, Merge, State
from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import TRANSACTION_LIMIT, ConditionFailed, Item, Table
from functions.shared.errors import Contended
from functions.shared.identity import Likeness

AT_ONCE = (TRANSACTION_LIMIT - 1) // 2
"""Merges of one transaction: each writes its own row and perhaps one of its survivor, and all of them the day's."""

TRIES = 5
"""For the day's row, which every other worker that merges writes too."""

_NOTHING_KEPT = "attribute_not_exists(pk) OR merge_state IN (:dry_run, :refused)"


class Merges:
    def __init__(self, table: Table) -> None:
        self._table = table

    # -- merging ----------------------------------------------------------------------------------------------------

    def find(self, wanted: Iterable[tuple[int, str]]) -> dict[str, Merge]:
        """Merges by their key; `wanted` are (duplicate id, key)."""
        items = self._table.get_many(keys.merge(duplicate_id, key) for duplicate_id, key in wanted)
        return {merge.key: merge for merge in map(_merge_from, items)}

    def room(self, day: str, per_day: int) -> int:
        """How many merges may still be begun on a day."""
        return max(0, per_day - len(self._day(day).get("merged", [])))

    def begin(self, merges: Sequence[Merge], per_day: int) -> list[Merge]:
        """Write the first rows of merges and count them on their day, at once; returns those for which there was room,
        in order. They are all of one day. A merge of which nothing was kept may be begun again.

        Raises Contended if somebody else has begun one of them.
        """
        begun: list[Merge] = []
        tries = TRIES
        while len(begun) < len(merges):
            day = merges[0].day
            counted = self._day(day).get("merged", [])
            part = merges[len(begun) :][: max(0, min(AT_ONCE, per_day - len(counted)))]
            if not part:
                break
            try:
                self._table.transact(
                    [self._count(day, "merged", counted, part), *map(self._put_new, part), *self._tell_survivors(part)]
                )
            except ConditionFailed as failure:
                tries -= 1
                if failure.items[0] is None or not tries:
                    raise Contended("another worker merges the same leads", after=0) from failure
                continue
            begun += part
        return begun

    def record(self, merges: Sequence[Merge]) -> None:
        """Write what a dry run would have merged; it uses up no room. They are all of one day."""
        for start in range(0, len(merges), AT_ONCE):
            part = merges[start : start + AT_ONCE]
            counted = self._day(part[0].day).get("dry_runs", [])
            try:
                self._table.transact([self._count(part[0].day, "dry_runs", counted, part), *map(self._put_new, part)])
            except ConditionFailed as failure:
                raise Contended("another worker writes the same journal", after=0) from failure

    def extend(self, merge: Merge) -> None:
        """Keep what a merge holds beyond what its row says. Raises Contended if it is not in that state any more."""
        try:
            self._table.put(_item_of(merge), "merge_state = :unmoved", {":unmoved": merge.state.value})
        except ConditionFailed as failure:
            raise Contended("a person undoes the merge", after=0) from failure

    def finish(self, merges: Iterable[Merge]) -> None:
        """All effects are done; what a person undoes meanwhile stays his."""
        for merge in merges:
            self._change(merge, State.DONE, [State.PENDING])

    def refuse(self, merge: Merge, reason: str) -> None:
        """A begun merge came to nothing, and what it had added was taken back."""
        self._change(merge, State.REFUSED, [State.PENDING], reason)

    # -- undoing ----------------------------------------------------------------------------------------------------

    def begin_undo(self, merge: Merge) -> bool:
        """Claim the merge for undoing and keep its two leads apart from now on; False if it does not stand any more."""
        states = {":pending": State.PENDING.value, ":done": State.DONE.value, ":undoing": State.UNDOING.value}
        change = self._table.update_action(
            keys.merge(merge.duplicate_id, merge.key),
            "SET merge_state = :undoing",
            states,
            "merge_state IN (:pending, :done, :undoing)",
        )
        pair = ((merge.duplicate_id, merge.survivor_id), (merge.survivor_id, merge.duplicate_id))
        try:
            self._table.transact([change, *(self._append_kin(one, "apart", [other]) for one, other in pair)])
        except ConditionFailed:
            return False
        return True

    def finish_undo(self, merge: Merge) -> None:
        self._change(merge, State.UNDONE, [State.UNDOING])

    def apart_of(self, lead_ids: Iterable[int]) -> dict[int, set[int]]:
        """The leads that a person has separated from each of these; one read a lead."""
        wanted = list(dict.fromkeys(lead_ids))
        items = self._table.get_many(keys.kin(lead_id) for lead_id in wanted)
        apart = {int(item["pk"].removeprefix("LEAD#")): set(item.get("apart", [])) for item in items}
        return {lead_id: apart.get(lead_id, set()) for lead_id in wanted}

    # -- looking ----------------------------------------------------------------------------------------------------

    def of_days(self, days: Iterable[str]) -> list[Merge]:
        """All merges of these days (2026-11-23), dry runs included, the latest first."""
        rows = self._table.get_many(keys.merges_of_day(day) for day in days)
        named = {(lead_id, key) for row in rows for lead_id, key in [*row.get("merged", []), *row.get("dry_runs", [])]}
        return _latest_first(self.find(named).values())

    def of_lead(self, duplicate_id: int) -> list[Merge]:
        """All merges of a lead into others, the latest first."""
        return _latest_first(map(_merge_from, self._table.query(f"LEAD#{duplicate_id}", "MERGE#")))

    def into(self, survivor_id: int) -> list[Merge]:
        """The merges that stand of others into this lead."""
        row = self._table.get(keys.kin(survivor_id)) or {}
        found = self.find((lead_id, key) for lead_id, key in row.get("took", []))
        return [merge for merge in found.values() if merge.survivor_id == survivor_id and merge.state in STANDING]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _day(self, day: str) -> Item:
        return self._table.get(keys.merges_of_day(day)) or {}

    def _count(self, day: str, attribute: str, counted: Sequence[object], merges: Sequence[Merge]) -> Item:
        """Enter merges into the day's row if nobody has entered others since we read it."""
        unmoved = f"size({attribute}) = :before" if counted else f"attribute_not_exists({attribute})"
        values: Item = {":new": [[merge.duplicate_id, merge.key] for merge in merges], ":none": [], ":kind": "merges"}
        if counted:
            values[":before"] = len(counted)
        appended = f"{attribute} = list_append(if_not_exists({attribute}, :none), :new)"
        return self._table.update_action(
            keys.merges_of_day(day), f"SET {appended}, entity = if_not_exists(entity, :kind)", values, unmoved
        )

    def _put_new(self, merge: Merge) -> Item:
        states = {":dry_run": State.DRY_RUN.value, ":refused": State.REFUSED.value}
        return self._table.put_action(_item_of(merge), _NOTHING_KEPT, states)

    def _tell_survivors(self, merges: Sequence[Merge]) -> Iterator[Item]:
        for survivor_id in dict.fromkeys(merge.survivor_id for merge in merges):
            taken = [[merge.duplicate_id, merge.key] for merge in merges if merge.survivor_id == survivor_id]
            yield self._append_kin(survivor_id, "took", taken)

    def _append_kin(self, lead_id: int, attribute: str, values: Sequence[object]) -> Item:
        appended = f"{attribute} = list_append(if_not_exists({attribute}, :none), :new)"
        return self._table.update_action(
            keys.kin(lead_id),
            f"SET {appended}, entity = if_not_exists(entity, :kind)",
            {":new": list(values), ":none": [], ":kind": "kin"},
        )

    def _change(self, merge: Merge, to: State, states: Collection[State], reason: str = "") -> None:
        names = {f":from{number}": state.value for number, state in enumerate(states)}
        try:
            self._table.update(
                keys.merge(merge.duplicate_id, merge.key),
                "SET merge_state = :to, reason = :reason",
                {":to": to.value, ":reason": reason, **names},
                f"merge_state IN ({', '.join(names)})",
            )
        except ConditionFailed:
            return  # somebody was faster: his word stands


def _latest_first(merges: Iterable[Merge]) -> list[Merge]:
    return sorted(merges, key=lambda merge: (merge.at, merge.duplicate_id), reverse=True)


def _item_of(merge: Merge) -> Item:
    return {
        **keys.merge(merge.duplicate_id, merge.key),
        "entity": "merge",
        "survivor": merge.survivor_id,
        "why": merge.why.value,
        "merged_at": merge.at.isoformat(),
        "day": merge.day,
        "place": list(merge.place),
        "owner": merge.owner,
        "department_version": merge.department_version,
        "added": {
            "contacts": list(merge.added.contacts),
            "company": merge.added.company,
            "tags": list(merge.added.tags),
            "fields": list(merge.added.fields),
            "price": merge.added.price,
            "tasks": [[task_id, owner] for task_id, owner in merge.added.tasks.items()],
        },
        "merge_state": merge.state.value,
        "reason": merge.reason,
    }


def _merge_from(item: Item) -> Merge:
    pipeline_id, status_id = item["place"]
    added = item["added"]
    return Merge(
        key=item["sk"].removeprefix("MERGE#"),
        duplicate_id=int(item["pk"].removeprefix("LEAD#")),
        survivor_id=item["survivor"],
        why=Likeness(item["why"]),
        at=datetime.fromisoformat(item["merged_at"]),
        day=item["day"],
        place=(pipeline_id, status_id),
        owner=item["owner"],
        department_version=item["department_version"],
        added=Added(
            contacts=tuple(added["contacts"]),
            company=added["company"],
            tags=tuple(added["tags"]),
            fields=tuple(added["fields"]),
            price=added["price"],
            tasks={task_id: owner for task_id, owner in added["tasks"]},  # noqa: C416 (rows of two)
        ),
        state=State(item["merge_state"]),
        reason=item["reason"],
    )
