"""Merging of duplicates, for amoCRM has no method for it (amoCRM API: merging).

read → plan → journal → act in amoCRM → mark. Every step compares with what stands already, so that a run after a crash
does only what is missing. Nothing of a duplicate is lost before it is closed, and it is never deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from functions.qualify_router import merge_plan
from functions.qualify_router.giving_back import GivingBack
from functions.qualify_router.merge_effects import MergeEffects
from functions.qualify_router.merge_plan import Share
from functions.qualify_router.merge_scene import MergeOrder, Scene, SceneReader, obstacle, owners, place_of
from functions.qualify_router.merge_texts import Words, lead_url, say
from functions.qualify_router.merge_writing import Writing
from functions.qualify_router.questions import answered_by_merge
from functions.shared.adapters.dynamodb.merges import Merges, Watch
from functions.shared.clock import Clock
from functions.shared.crm import Task
from functions.shared.department import Department, MergeMode
from functions.shared.errors import Contended
from functions.shared.merge import Merge, State
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

__all__ = ["MergeOrder", "MergeResult", "Merger"]


@dataclass
class MergeResult:
    """How the orders ended, each duplicate in one of them: `merged` with the lead it is in now, `refused` with the
    reason for people, in the department's language, `later` those with a lead that another worker has in hand: order
    them again."""

    merged: dict[int, int] = field(default_factory=dict)
    dry_run: set[int] = field(default_factory=set)
    over_ceiling: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    later: set[int] = field(default_factory=set)


class Merger:
    """`base_url` is the account's, for the addresses of cards: https://firm.amocrm.ru."""

    def __init__(self, *, amocrm: AmoCrm, merges: Merges, clock: Clock, telemetry: Telemetry, base_url: str) -> None:
        writing = Writing(amocrm, clock)
        self._amocrm = amocrm
        self._merges = merges
        self._clock = clock
        self._telemetry = telemetry
        self._base_url = base_url
        self._reader = SceneReader(amocrm, clock)
        self._effects = MergeEffects(writing)
        self._giving_back = GivingBack(amocrm, merges, writing)

    def merge(self, orders: Sequence[MergeOrder], department: Department) -> MergeResult:
        """Carry the orders out. After any error the same call completes what was begun and doubles nothing."""
        result = MergeResult()
        for part in _rounds(orders):
            awaited = {order.survivor_id for order in orders if order.duplicate.id in result.later}
            result.later |= awaited.intersection(order.duplicate.id for order in part)
            self._round([order for order in part if order.duplicate.id not in result.later], department, result)
        self._refuse_circles(_in_circles(orders), department, result)
        for order in orders:
            if order.duplicate.id in result.merged:
                survivor_id = result.merged[order.duplicate.id]
                self._telemetry.info(
                    "leads_merged", lead_id=survivor_id, duplicate_id=order.duplicate.id, why=order.why.value
                )
        self._telemetry.count("LeadsMerged", len(result.merged))
        return result

    def give_up(self, duplicate_id: int, key: str, department: Department) -> None:
        """Take back what a merge has brought over that was begun and is not wanted any more; nothing happens if there
        is none, or if it is settled. Raises Contended while another worker has one of the leads in hand."""
        merge = self._merges.find([(duplicate_id, key)]).get(key)
        if merge is None or merge.state is not State.PENDING:
            return
        now = self._clock.now()
        taken = self._merges.take_up(merge, self._merges.watch([duplicate_id, merge.survivor_id], now), now)
        if taken is None:
            raise Contended("another worker merges one of the leads")
        self._take_back(taken, say(department, "given_up"))

    def _refuse_circles(self, orders: Sequence[MergeOrder], department: Department, result: MergeResult) -> None:
        for order in orders:
            try:
                self.give_up(order.duplicate.id, order.key, department)
            except Contended:
                result.later.add(order.duplicate.id)
            else:
                self._refuse(order.duplicate.id, None, say(department, "circle"), department, result)

    def _round(self, orders: Sequence[MergeOrder], department: Department, result: MergeResult) -> None:
        known = self._merges.find((order.duplicate.id, order.key) for order in orders)
        scene = Scene([order for order in orders if not _is_settled(order, known, department, result)], known)
        watch = self._hold(scene, result)
        self._take_back_others(scene)
        self._keep_ceiling(scene, department, result)
        if scene.orders:
            self._reader.read_leads(scene)
            self._drop_overtaken(scene, department, result)
        if scene.orders:
            self._reader.read_content(scene)
            shares = self._journal(scene, watch, department, result)
            self._act(scene, shares, department, result)

    # -- which orders are to be carried out -------------------------------------------------------------------------

    def _hold(self, scene: Scene, result: MergeResult) -> Watch:
        """Look who else is at work on these leads, before they are read, and take up what was begun."""
        now = self._clock.now()
        begun = {order.key: scene.begun(order) for order in scene.orders}
        survivors = [merge.survivor_id for merge in begun.values() if merge]
        leads = {lead_id for order in scene.orders for lead_id in (order.duplicate.id, order.survivor_id)}
        watch = self._merges.watch(leads.union(survivors), now)
        for order in list(scene.orders):
            before = begun[order.key]
            taken = self._merges.take_up(before, watch, now) if before else None
            if taken:
                scene.known[order.key] = taken
            elif before or order.survivor_id in watch.leaving or order.duplicate.id in watch.taking:
                _postpone(scene, [order], result)
        return watch

    def _take_back_others(self, scene: Scene) -> None:
        """A merge that was begun, given up because a person moved the lead, and is decided otherwise now."""
        for order in scene.orders:
            before = scene.begun(order)
            if before is not None and before.survivor_id != order.survivor_id:
                self._take_back(before, "")
                scene.known[order.key] = replace(before, state=State.REFUSED)

    def _keep_ceiling(self, scene: Scene, department: Department, result: MergeResult) -> None:
        """Before anything is read for them; the journal keeps it once more."""
        new = scene.new()
        if new and department.merging.mode is not MergeMode.DRY_RUN:
            room = self._merges.room(self._today(department), department.merging.per_day)
            _exceed(scene, new[room:], result)

    def _drop_overtaken(self, scene: Scene, department: Department, result: MergeResult) -> None:
        for order in list(scene.orders):
            what = obstacle(order, scene)
            if what:
                self._refuse(order.duplicate.id, scene.begun(order), say(department, what), department, result)
                scene.drop([order])

    def _refuse(
        self, duplicate_id: int, begun: Merge | None, reason: str, department: Department, result: MergeResult
    ) -> None:
        """People are told; but of what a dry run would not have done, nobody."""
        if begun is None and department.merging.mode is MergeMode.DRY_RUN:
            result.dry_run.add(duplicate_id)
            return
        result.refused[duplicate_id] = reason
        if begun is not None:
            self._take_back(begun, reason)

    def _take_back(self, merge: Merge, reason: str) -> None:
        """The duplicate stays a lead of its own: what went over from it comes back."""
        survivor, duplicate = self._amocrm.lead(merge.survivor_id), self._amocrm.lead(merge.duplicate_id)
        left = self._giving_back.give_back(merge, survivor, duplicate)
        self._merges.refuse(merge, reason)
        self._telemetry.warning("merge_taken_back", lead_id=merge.duplicate_id, left=left)

    # -- planning ---------------------------------------------------------------------------------------------------

    def _journal(self, scene: Scene, watch: Watch, department: Department, result: MergeResult) -> list[Share]:
        """Store what is going to be done; returns what is to be done now."""
        shares = self._plan(scene, department)
        if department.merging.mode is MergeMode.DRY_RUN:
            dry = _of(shares, scene.new())
            self._merges.record([replace(share.merge, state=State.DRY_RUN) for share in dry])
            result.dry_run.update(share.lead.id for share in dry)
            scene.drop(scene.new())
            shares = self._plan(scene, department)
        else:
            new = scene.new()
            begun = self._merges.begin([share.merge for share in _of(shares, new)], department.merging.per_day, watch)
            scene.known |= {merge.key: merge for merge in begun.merges}
            if len(begun.merges) < len(new):  # others have used the room up meanwhile, or work on the same leads
                busy = {merge.key for merge in begun.busy}
                _postpone(scene, [order for order in new if order.key in busy], result)
                _exceed(scene, scene.new(), result)
                shares = self._plan(scene, department)
        for share in shares:
            if scene.known[share.merge.key] != share.merge:
                self._merges.extend(share.merge)
        return shares

    def _plan(self, scene: Scene, department: Department) -> list[Share]:
        pairs = [(self._row(order, scene, department), scene.duplicates[order.duplicate.id]) for order in scene.orders]
        shares = []
        for merge, lead, gain in merge_plan.fold(scene.survivors, pairs, department):
            notes = tuple(note for note in scene.notes if note.lead_id == lead.id)
            tasks = tuple(task for task in scene.tasks if task.lead_id == lead.id)
            share = Share(merge, lead, gain, notes, tasks, self._answered(merge, tasks, department))
            shares.append(replace(share, merge=replace(merge, added=merge.added.with_more(share.added))))
        return shares

    def _answered(self, merge: Merge, tasks: Sequence[Task], department: Department) -> frozenset[int]:
        survivor, place = lead_url(self._base_url, merge.survivor_id), department.place(*merge.place)
        return frozenset(task.id for task in answered_by_merge(tasks, survivor, place, department))

    def _row(self, order: MergeOrder, scene: Scene, department: Department) -> Merge:
        """A begun merge keeps its time, by which its notes are known."""
        lead = scene.duplicates[order.duplicate.id]
        begun = scene.begun(order)
        if begun is not None:
            return begun if lead.is_closed else replace(begun, place=place_of(lead))
        return Merge(
            key=order.key,
            duplicate_id=lead.id,
            survivor_id=order.survivor_id,
            why=order.why,
            at=self._clock.now(),
            day=self._today(department),
            place=place_of(lead),
            owner=lead.responsible_user_id,
            department_version=department.version,
        )

    def _today(self, department: Department) -> str:
        return self._clock.now().astimezone(department.timezone).date().isoformat()

    # -- acting -----------------------------------------------------------------------------------------------------

    def _act(self, scene: Scene, shares: Sequence[Share], department: Department, result: MergeResult) -> None:
        if not shares:
            return
        words = Words(department, self._base_url)
        refused = self._effects.apply(shares, owners(scene.survivors), scene.notes, words)
        for share in shares:
            if share.lead.id in refused:
                reason = words.say("not_taken", why=refused[share.lead.id])
                self._refuse(share.lead.id, share.merge, reason, department, result)
        merged = [share.merge for share in shares if share.lead.id not in refused]
        self._merges.finish(merged)
        result.merged |= {merge.duplicate_id: merge.survivor_id for merge in merged}


def _rounds(orders: Sequence[MergeOrder]) -> Iterator[list[MergeOrder]]:
    """A lead that takes one in and is merged itself first takes in: then everything goes along with it."""
    left, circles = list(orders), _in_circles(orders)
    left = [order for order in left if order not in circles]
    while left:
        survivors = {order.survivor_id for order in left}
        ready = [order for order in left if order.duplicate.id not in survivors]
        yield ready
        left = [order for order in left if order not in ready]


def _in_circles(orders: Sequence[MergeOrder]) -> list[MergeOrder]:
    """The orders of which none can come first."""
    left = list(orders)
    while True:
        survivors = {order.survivor_id for order in left}
        circling = [order for order in left if order.duplicate.id in survivors]
        if len(circling) == len(left):
            return left
        left = circling


def _is_settled(order: MergeOrder, known: Mapping[str, Merge], department: Department, result: MergeResult) -> bool:
    """Whether the journal knows how the order ended."""
    merge = known.get(order.key)
    if merge is None:
        return False
    if merge.state is State.DONE:
        result.merged[merge.duplicate_id] = merge.survivor_id
    elif merge.state in (State.UNDOING, State.UNDONE):
        result.refused[merge.duplicate_id] = say(department, "undone")
    elif merge.state is State.DRY_RUN and department.merging.mode is MergeMode.DRY_RUN:
        result.dry_run.add(merge.duplicate_id)
    else:
        return False
    return True


def _of(shares: Sequence[Share], orders: Collection[MergeOrder]) -> list[Share]:
    keys = {order.key for order in orders}
    return [share for share in shares if share.merge.key in keys]


def _postpone(scene: Scene, orders: Collection[MergeOrder], result: MergeResult) -> None:
    result.later.update(order.duplicate.id for order in orders)
    scene.drop(orders)


def _exceed(scene: Scene, orders: Sequence[MergeOrder], result: MergeResult) -> None:
    result.over_ceiling.update(order.duplicate.id for order in orders)
    scene.drop(orders)
