"""What a batch of merges is about, as just read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.qualify_router.merge_writing import EPOCH, SETTLE
from functions.shared.clock import Clock
from functions.shared.crm import LOST, Lead, Note, Task
from functions.shared.identity import Likeness
from functions.shared.merge import Merge, State
from functions.shared.ports import AmoCrm

APART = timedelta(days=1)
"""A telephony writes one call on two cards within seconds, a person hangs one file on both in a day."""

_NOTHING_KEPT = (State.REFUSED, State.DRY_RUN)


@dataclass(frozen=True)
class MergeOrder:
    """Merge `duplicate` into `survivor`, both as the decision saw them. `key` is the business key: the same order again
    is the same merge. Of the survivor the id is enough: it is read again."""

    duplicate: Lead
    survivor: Lead | int
    why: Likeness
    key: str

    @property
    def survivor_id(self) -> int:
        return self.survivor if isinstance(self.survivor, int) else self.survivor.id


@dataclass
class Scene:
    """Orders in work. `known` are the journal's rows of those that were ordered before, by key; the leads are by id,
    deleted ones are missing; `notes` are those of all of them, `tasks` those of the duplicates."""

    orders: list[MergeOrder]
    known: dict[str, Merge]
    survivors: dict[int, Lead] = field(default_factory=dict)
    duplicates: dict[int, Lead] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def begun(self, order: MergeOrder) -> Merge | None:
        """The row of an order whose effects another run may have begun."""
        merge = self.known.get(order.key)
        return None if merge is None or merge.state in _NOTHING_KEPT else merge

    def new(self) -> list[MergeOrder]:
        return [order for order in self.orders if self.begun(order) is None]

    def drop(self, orders: Collection[MergeOrder]) -> None:
        self.orders = [order for order in self.orders if order not in orders]


class SceneReader:
    def __init__(self, amocrm: AmoCrm, clock: Clock) -> None:
        self._amocrm = amocrm
        self._clock = clock

    def read_leads(self, scene: Scene) -> None:
        """Survivors one by one, for that cannot lag; duplicates as the list or the decision saw them, the later."""
        self._let_lists_settle(scene)
        for lead_id in dict.fromkeys(order.survivor_id for order in scene.orders):
            survivor = self._amocrm.lead(lead_id)
            if survivor is not None:
                scene.survivors[lead_id] = survivor
        listed = self._amocrm.leads([order.duplicate.id for order in scene.orders])
        for order in scene.orders:
            duplicate = listed.get(order.duplicate.id) or self._amocrm.lead(order.duplicate.id)
            if duplicate is not None:
                is_newer = duplicate.updated_at >= order.duplicate.updated_at
                scene.duplicates[duplicate.id] = duplicate if is_newer else order.duplicate

    def read_content(self, scene: Scene) -> None:
        duplicates = {order.duplicate.id for order in scene.orders}
        survivors = {order.survivor_id for order in scene.orders}
        scene.tasks = self._amocrm.tasks_since(duplicates, EPOCH)
        notes = self._amocrm.notes_since(duplicates, EPOCH)
        scene.notes = notes + self._amocrm.notes_since(survivors, self._since(scene, notes))

    def _since(self, scene: Scene, notes: Sequence[Note]) -> datetime:
        """From when on a survivor's notes count: a copy is younger than what it is a copy of, and a busy card has
        thousands of older ones."""
        begun = [merge.at for merge in map(scene.begun, scene.orders) if merge is not None]
        made = [*(note.created_at for note in notes), *(task.created_at for task in scene.tasks)]
        return min([self._clock.now(), *begun, *(moment - APART for moment in made)])

    def _let_lists_settle(self, scene: Scene) -> None:
        """A task or a note that was written together with the lead's last change must not be overlooked."""
        newest = max(order.duplicate.updated_at for order in scene.orders)
        age = (self._clock.now() - newest).total_seconds()
        if age < SETTLE:
            self._clock.sleep(min(SETTLE, SETTLE - age))


def obstacle(order: MergeOrder, scene: Scene) -> str:
    """Why an order cannot be carried out any more, as a key of merge_texts; empty: nothing is in its way."""
    survivor, duplicate = scene.survivors.get(order.survivor_id), scene.duplicates.get(order.duplicate.id)
    if survivor is None:
        return "survivor_gone"
    if survivor.is_closed:
        return "survivor_closed"
    if duplicate is None:
        return "duplicate_gone"
    if duplicate.is_closed:
        may_be_ours = scene.begun(order) is not None and duplicate.status_id == LOST
        return "" if may_be_ours else "duplicate_closed"
    return "" if place_of(duplicate) == place_of(order.duplicate) else "duplicate_moved"


def place_of(lead: Lead) -> tuple[int, int]:
    return lead.pipeline_id, lead.status_id


def owners(leads: Mapping[int, Lead]) -> dict[int, int]:
    return {lead_id: lead.responsible_user_id for lead_id, lead in leads.items()}
