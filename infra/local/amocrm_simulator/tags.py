"""Tags of leads, contacts and companies: replaced as a set, or added and deleted one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.local.amocrm_simulator.model import Tag

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World

Ref = int | str
"""A tag by id or by name."""


@dataclass(frozen=True)
class TagPlan:
    """What a write asks for: `replace` is None when the set as a whole was not sent."""

    replace: tuple[Ref, ...] | None = None
    add: tuple[Ref, ...] = ()
    delete: tuple[Ref, ...] = ()

    def applied(self, world: World, entity: str, current: tuple[int, ...]) -> tuple[int, ...]:
        """The new set; unknown names become tags."""
        kept = current if self.replace is None else _ids(world, entity, self.replace)
        dropped = set(_ids(world, entity, self.delete))
        return tuple(dict.fromkeys(id_ for id_ in (*kept, *_ids(world, entity, self.add)) if id_ not in dropped))


def read(world: World, item: Item, entity: str) -> TagPlan:
    """`_embedded.tags` (null clears), `tags_to_add`, `tags_to_delete` of a write (amoCRM API: leads)."""
    embedded = item.raw.get("_embedded")
    replaces = isinstance(embedded, dict) and "tags" in embedded
    return TagPlan(
        replace=_refs(world, item, entity, "_embedded.tags", embedded["tags"]) if replaces and embedded else None,
        add=_refs(world, item, entity, "tags_to_add", item.raw.get("tags_to_add")),
        delete=_refs(world, item, entity, "tags_to_delete", item.raw.get("tags_to_delete")),
    )


def named(world: World, entity: str, name: str, color: str | None = None) -> Tag:
    """The tag with this name, made if there is none."""
    found = next((tag for tag in world.tags.values() if (tag.entity, tag.name) == (entity, name)), None)
    if found is None:
        found = Tag(world.ids("tag"), entity, name, color)
        world.tags[found.id] = found
    return found


def show(world: World, ids: tuple[int, ...]) -> list[dict[str, object]]:
    return [{"id": tag.id, "name": tag.name, "color": tag.color} for tag in (world.tags[id_] for id_ in ids)]


def _ids(world: World, entity: str, refs: tuple[Ref, ...]) -> tuple[int, ...]:
    return tuple(ref if isinstance(ref, int) else named(world, entity, ref).id for ref in refs)


def _refs(world: World, item: Item, entity: str, path: str, raw: object) -> tuple[Ref, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        item.refuse(path, "InvalidType", "This value should be of type array.")
        return ()
    refs: list[Ref] = []
    for index, entry in enumerate(raw):
        sent = entry if isinstance(entry, dict) else {}
        id_, name = sent.get("id"), sent.get("name")
        if isinstance(id_, int):
            if id_ in world.tags and world.tags[id_].entity == entity:
                refs.append(id_)
            else:
                item.refuse(f"{path}.{index}.id")
        elif isinstance(name, str) and name:
            refs.append(name)
        else:
            item.refuse(f"{path}.{index}.name", "FieldMissing")
    return tuple(refs)
