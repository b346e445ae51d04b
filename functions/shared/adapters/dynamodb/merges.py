"""The journal of merges: one row a merge, one a day with what was merged on it, one a lead with its relations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import TRANSACTION_LIMIT, ConditionFailed, Item, Table
from functions.shared.errors import Contended
from functions.shared.identity import Likeness
from functions.shared.merge import STANDING, Added, Merge, State

AT_ONCE = (TRANSACTION_LIMIT - 1) // 3
"""Merges of one transaction: each writes its own row and those of its two leads, and all of them the day's."""

TRIES = 5
"""For the day's row, which every other worker that merges writes too."""

_NOTHING_KEPT = "attribute_not_exists(pk) OR merge_state IN (:dry_run, :refused)"


@dataclass(frozen=True)
class Watch:
    """What is going on with some leads: `leaving` are being merged away, `taking` take in or give back, right now.
    `marks` are the (leaving, taking) marks of their rows, which change with every merge that is begun or taken up."""

    leaving: frozenset[int]
    taking: frozenset[int]
    marks: dict[int, tuple[str, str]]

    def is_free(self, merge: Merge) -> bool:
        """Nothing goes into a lead that leaves, and no lead leaves while something goes into it."""
        return merge.survivor_id not in self.leaving and merge.duplicate_id not in self.taking


@dataclass(frozen=True)
class Begun:
    """`busy` are the merges whose leads another worker has in hand; for those in neither list the day has no room."""

    merges: list[Merge]
    busy: list[Merge]


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

    def begin(self, merges: Sequence[Merge], per_day: int, watch: Watch | None = None) -> Begun:
        """Write the first rows of merges and count them on their day, at once, as far as there is room, in order. They
        are all of one day, and no lead is both duplicate and survivor in them. A merge of which nothing was kept may
        be begun again. `watch` is what was seen before the leads were read: whatever was begun since makes busy.

        Raises Contended if the day's row is written by others again and again.
        """
        if not merges:
            return Begun([], [])
        watch = watch or self.watch(_leads_of(merges), merges[0].touched)
        begun: list[Merge] = []
        busy = [merge for merge in merges if not watch.is_free(merge)]
        left = [merge for merge in merges if watch.is_free(merge)]
        day, tries = merges[0].day, TRIES
        while left:
            counted = self._day(day).get("merged", [])
            part = left[: max(0, min(AT_ONCE, per_day - len(counted)))]
            if not part:
                break
            marks = self._mark(part, watch)
            try:
                self._table.transact(
                    [self._count(day, "merged", counted, part), *map(self._put_new, part), *marks.values()]
                )
            except ConditionFailed as failure:
                lost = _lost(part, list(marks), failure.items[1:])
                busy += lost
                left = [merge for merge in left if merge not in lost]
                tries -= 1
                if not lost and not tries:
                    raise Contended("other workers fill the day's row", after=0) from failure
                continue
            begun += part
            left = left[len(part) :]
        return Begun(begun, busy)

    def watch(self, lead_ids: Iterable[int], now: datetime) -> Watch:
        """Look what is going on with these leads."""
        rows = {int(row["pk"].removeprefix("LEAD#")): row for row in self._table.get_many(map(keys.kin, lead_ids))}
        marks = {lead_id: (row.get("leaving", ""), row.get("taking", "")) for lead_id, row in rows.items()}
        away = {(lead_id, leaving.rpartition("@")[0]) for lead_id, (leaving, _) in marks.items() if leaving}
        into = {(duplicate_id, key) for row in rows.values() for duplicate_id, key in row.get("took", [])}
        found = [merge for merge in self.find(away | into).values() if merge.is_in_work(now)]
        return Watch(
            frozenset(merge.duplicate_id for merge in found), frozenset(merge.survivor_id for merge in found), marks
        )

    def take_up(self, merge: Merge, watch: Watch, now: datetime) -> Merge | None:
        """Go on with a merge whose worker is gone; None if somebody else has it or one of its leads in hand."""
        if not watch.is_free(merge):
            return None
        taken = replace(merge, touched_at=now)
        touch = self._table.update_action(
            keys.merge(merge.duplicate_id, merge.key),
            "SET touched_at = :now",
            {":now": now.isoformat(), ":pending": State.PENDING.value},
            "merge_state = :pending",
        )
        try:
            self._table.transact([touch, *self._mark([taken], watch, is_new=False).values()])
        except ConditionFailed:
            return None
        return taken

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

    def begin_undo(self, merge: Merge, now: datetime) -> bool:
        """Claim the merge for undoing and keep its two leads apart from now on; False if it does not stand any more, or
        if a worker has taken it up since the row was read."""
        states = {":pending": State.PENDING.value, ":done": State.DONE.value, ":undoing": State.UNDOING.value}
        change = self._table.update_action(
            keys.merge(merge.duplicate_id, merge.key),
            "SET merge_state = :undoing, touched_at = :now",
            states | {":seen": merge.touched.isoformat(), ":now": now.isoformat()},
            "merge_state IN (:done, :undoing) OR (merge_state = :pending AND touched_at = :seen)",
        )
        mark = f"{merge.key}@{now.isoformat()}"
        pair = ((merge.duplicate_id, merge.survivor_id, "leaving"), (merge.survivor_id, merge.duplicate_id, "taking"))
        try:
            kin = [self._change_kin(one, {side: mark}, apart=[other]) for one, other, side in pair]
            self._table.transact([change, *kin])
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

    def _mark(self, merges: Sequence[Merge], watch: Watch, *, is_new: bool = True) -> dict[int, Item]:
        """By lead, the action that marks it as leaving or as taking, if that does not cross what others do since."""
        actions = {}
        for lead_id in _leads_of(merges):
            leaving, taking = watch.marks.get(lead_id, ("", ""))
            into = [merge for merge in merges if merge.survivor_id == lead_id]
            if into:
                mark = {"taking": f"{into[0].key}@{into[0].touched.isoformat()}"}
                took = [[merge.duplicate_id, merge.key] for merge in into] if is_new else []
                actions[lead_id] = self._change_kin(lead_id, mark, unmoved=("leaving", leaving), took=took)
            else:
                [away] = [merge for merge in merges if merge.duplicate_id == lead_id]
                mark = {"leaving": f"{away.key}@{away.touched.isoformat()}"}
                actions[lead_id] = self._change_kin(lead_id, mark, unmoved=("taking", taking))
        return actions

    def _change_kin(
        self,
        lead_id: int,
        marks: dict[str, str],
        unmoved: tuple[str, str] | None = None,
        **lists: Sequence[object],
    ) -> Item:
        """Set marks and append to lists of a lead's row, if the mark `unmoved` (name, value) still stands so."""
        values: Item = {":kind": "kin", ":none": []} if any(lists.values()) else {":kind": "kin"}
        sets = ["entity = if_not_exists(entity, :kind)"]
        for name, new in [*marks.items(), *((name, list(new)) for name, new in lists.items() if new)]:
            value = f":{name}" if name in marks else f"list_append(if_not_exists({name}, :none), :{name})"
            sets.append(f"{name} = {value}")
            values[f":{name}"] = new
        condition = None
        if unmoved is not None:
            name, before = unmoved
            condition = f"{name} = :before" if before else f"attribute_not_exists({name})"
            values |= {":before": before} if before else {}
        return self._table.update_action(keys.kin(lead_id), "SET " + ", ".join(sets), values, condition)

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


def _leads_of(merges: Iterable[Merge]) -> list[int]:
    return list(dict.fromkeys(lead_id for merge in merges for lead_id in (merge.duplicate_id, merge.survivor_id)))


def _lost(merges: Sequence[Merge], marked: Sequence[int], failed: Sequence[Item | None]) -> list[Merge]:
    """The merges that another worker has begun, or one of whose marked leads he has taken in hand."""
    rows, kin = failed[: len(merges)], failed[len(merges) :]
    taken = {lead_id for lead_id, item in zip(marked, kin, strict=True) if item is not None}
    return [
        merge
        for merge, row in zip(merges, rows, strict=True)
        if row is not None or taken & {merge.duplicate_id, merge.survivor_id}
    ]


def _item_of(merge: Merge) -> Item:
    return {
        **keys.merge(merge.duplicate_id, merge.key),
        "entity": "merge",
        "survivor": merge.survivor_id,
        "why": merge.why.value,
        "merged_at": merge.at.isoformat(),
        "day": merge.day,
        "touched_at": merge.touched.isoformat(),
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


def _touched_from(item: Item) -> datetime | None:
    return None if item["touched_at"] == item["merged_at"] else datetime.fromisoformat(item["touched_at"])


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
        touched_at=_touched_from(item),
    )
