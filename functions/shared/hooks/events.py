"""From the fields of a webhook body to its events: what happened to which entity of which account.

A hook is a hint: nothing in `fields` is fit to act on, `old_*` fields may be left over from an earlier event, and
keys come in any order (amoCRM API: webhooks). Read the entity before you act.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from functions.shared.errors import HookRejected
from functions.shared.hooks.wire import Path, Reason, is_index, read_pairs

ENTITIES = frozenset(
    {
        "leads",
        "contacts",
        "companies",
        "customers",
        "task",
        "unsorted",
        "message",
        "outgoing_message",
        "talk",
        "catalogs",
    }
)
ACTIONS = frozenset({"add", "update", "delete", "restore", "status", "responsible", "note"})
"""Body keys that amoCRM documents. One of the two known is enough, so that a new action of a known entity, or the
reverse, is an event that nobody listens to and not a rejected message; neither known is another system's body."""


@dataclass(frozen=True)
class HookEvent:
    """One item of a body.

    `entity` and `action` are the two outer keys (`unsorted`, `add`); `id` is the item's own id, None where it has none
    or no integer (unsorted items have a uid, messages a UUID). `fields` is flat, keyed as in the body below the item:
    `status_id`, `custom_fields[0][values][0][value]`; a key that is both a value and a parent has both entries, and
    the item's own value, if it is not only a parent itself, stands under the empty key. `account` is the subdomain,
    `account_id` comes from the account block or else from the item; both are None if the body does not say.
    """

    entity: str
    action: str
    id: int | None
    fields: dict[str, str] = field(repr=False)  # names and phones, and a repr ends up in logs
    account: str | None = None
    account_id: int | None = None


def read_hook(body: str | bytes) -> list[HookEvent]:
    """All events of a body, in its order, at least one; raises HookRejected. Form, base64 of a form, or JSON."""
    account: dict[str, str] = {}
    blocks: dict[tuple[str, str], dict[Path, str]] = {}
    for path, value in read_pairs(body):
        if path[0] == "account":
            account[_flat(path[1:])] = value
        elif len(path) > 2 and _is_event(path[0], path[1]):
            blocks.setdefault((path[0], path[1]), {})[path[2:]] = value
    if not blocks:
        raise HookRejected(Reason.NOT_A_HOOK, "no item of an entity and an action, like leads[add][0][id]")
    return [
        HookEvent(
            entity=entity,
            action=action,
            id=as_id(fields.get("id")),
            fields=fields,
            account=account.get("subdomain") or None,
            account_id=as_id(account.get("id") or fields.get("account_id")),
        )
        for (entity, action), block in blocks.items()
        for fields in _items(block)
    ]


def as_id(value: str | None) -> int | None:
    """amoCRM's ids are whole positive numbers of at most 19 digits; everything else is None."""
    return int(value) if value and re.fullmatch("[0-9]{1,19}", value) else None


def _is_event(entity: str, action: str) -> bool:
    known = entity in ENTITIES or action in ACTIONS
    return known and all(re.fullmatch("[a-z][a-z_]*", word) for word in (entity, action))


def _items(block: Mapping[Path, str]) -> Iterable[dict[str, str]]:
    """The items below `entity[action]`, whatever their indexes are called.

    Some bodies leave the index out (`leads[status][id]=7`): a plain value with a name where the index would be tells
    so, and then all names at this place are fields of one item.
    """
    parents = {path[0] for path in block if len(path) > 1}
    without_index = any(path[0] not in parents and not is_index(path[0]) for path in block)
    items: dict[str, dict[str, str]] = {}
    for path, value in block.items():
        if without_index and not is_index(path[0]):
            items.setdefault("", {})[_flat(path)] = value
        else:
            items.setdefault(path[0], {})[_flat(path[1:])] = value
    return items.values()


def _flat(path: Path) -> str:
    """a, b, 0 → `a[b][0]`."""
    return path[0] + "".join(f"[{segment}]" for segment in path[1:]) if path else ""
