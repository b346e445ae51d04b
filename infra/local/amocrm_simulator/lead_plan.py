"""What a write may say about a lead, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import custom_fields, tags
from infra.local.amocrm_simulator.model import LOST, WON, Fields, Lead, Pipeline
from infra.local.amocrm_simulator.tags import TagPlan

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World


@dataclass(frozen=True)
class LeadPlan:
    """A checked write. `changes` are attributes of Lead; contacts and company are used on creation only."""

    changes: dict[str, Any] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    tags: TagPlan = field(default_factory=TagPlan)
    contacts: tuple[int, ...] = ()
    company_id: int | None = None


def read(world: World, item: Item, before: Lead | None) -> LeadPlan:
    """Check one lead of a write; what is wrong is noted in the item."""
    changes = item.pick(
        name=str,
        price=int,
        status_id=int,
        pipeline_id=int,
        responsible_user_id=int,
        created_by=int,
        updated_by=int,
        created_at=int,
        updated_at=int,
        closed_at=int | NoneType,
        loss_reason_id=int | NoneType,
        visitor_uid=str | NoneType,
    )
    _check_people(world, item, changes)
    _check_place(world, item, changes, before)
    if changes.get("loss_reason_id") is not None and changes["loss_reason_id"] not in world.loss_reasons:
        item.refuse("loss_reason_id")
    return LeadPlan(
        changes=changes,
        fields=custom_fields.read(world, item, "leads", before.fields if before else {}),
        tags=tags.read(world, item, "leads"),
        contacts=_existing(world, item, "contacts") if before is None else (),
        company_id=next(iter(_existing(world, item, "companies")), None) if before is None else None,
    )


def _check_people(world: World, item: Item, changes: dict[str, Any]) -> None:
    if "responsible_user_id" in changes and not world.may_own(changes["responsible_user_id"]):
        item.refuse("responsible_user_id")
    for key in ("created_by", "updated_by"):
        if changes.get(key, 0) != 0 and changes[key] not in world.users:
            item.refuse(key)


def _check_place(world: World, item: Item, changes: dict[str, Any], before: Lead | None) -> None:
    """Fill in pipeline and stage as amoCRM does, or refuse them (amoCRM API: leads, moving)."""
    pipeline = _pipeline(world, changes, before)
    if pipeline is None:
        item.refuse("pipeline_id")
        return
    if before is not None and "status_id" not in changes and pipeline.id == before.pipeline_id:
        return
    status_id = changes.get("status_id", before.status_id if before else pipeline.entry.id)
    status = pipeline.status(status_id)
    if status is None or status.type == 1 or (before is not None and _waits(world, before)):
        item.refuse("status_id")
    changes |= {"pipeline_id": pipeline.id, "status_id": status_id}


def _pipeline(world: World, changes: dict[str, Any], before: Lead | None) -> Pipeline | None:
    if "pipeline_id" in changes:
        return world.pipelines.get(changes["pipeline_id"])
    if before is not None:
        return world.pipelines[before.pipeline_id]
    status_id = changes.get("status_id")
    if status_id in (None, WON, LOST):
        return world.main_pipeline
    return next((p for p in world.pipelines.values() if p.status(status_id)), world.main_pipeline)


def _waits(world: World, lead: Lead) -> bool:
    """Does the lead lie in «Неразобранное»? Only an accept takes it out of there."""
    unsorted = world.pipelines[lead.pipeline_id].unsorted
    return unsorted is not None and unsorted.id == lead.status_id


def _existing(world: World, item: Item, kind: str) -> tuple[int, ...]:
    """Ids of embedded contacts or companies that exist already; the main contact first."""
    found: list[tuple[bool, int]] = []
    for embedded in item.embedded(kind):
        id_ = embedded.raw.get("id")
        if isinstance(id_, int) and world.live_contact(id_, kind):
            found.append((embedded.raw.get("is_main") is True, id_))
        else:
            embedded.refuse("id")
    return tuple(id_ for _, id_ in sorted(found, key=lambda entry: not entry[0]))
