"""The webhooks of a department: what amoCRM is to tell, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from functions.shared.adapters.amocrm.client import AmoCrmClient
from infra.department.file import DepartmentFile

LEADS_HOOK = ("add_lead", "add_unsorted", "delete_unsorted", "delete_lead", "restore_lead")
"""What the leads hook is told. Not `update_lead`: each write of ours would come back."""

STAGES_HOOK = ("status_lead", "update_lead", "add_lead")
"""What the stages hook is told: of a card that was moved, of what its field «Итог квалификации» says, and of one that
was made right in a stage from which a route leads."""

CLIENTS_HOOK = (
    *("add_contact", "update_contact", "delete_contact", "restore_contact"),
    *("update_task", "delete_task", "status_lead"),
)
"""What the clients hook is told: who is behind a phone, the dates that rules count from, what people do with the tasks
that aftercare has set, and into which stages they put cards."""

TASKS_HOOK = (
    *("add_task", "update_task", "delete_task"),
    *("add_lead", "responsible_lead", "status_lead", "update_lead", "delete_lead", "restore_lead"),
    "update_contact",
)
"""What the tasks hook is told: of calls that people plan as tasks, of cards that change hands or stage or say when a
call is, and of the e-mail under which the client is invited."""

HOOKS = {"leads": LEADS_HOOK, "stages": STAGES_HOOK, "clients": CLIENTS_HOOK}
"""The webhooks of every department by the end of their address."""

HOOKS_OF_MEETINGS = {"tasks": TASKS_HOOK}
"""Those of a department with meetings besides."""


def hooks_of(file: DepartmentFile) -> dict[str, tuple[str, ...]]:
    """The webhooks that this department needs: what each is told of, by the end of its address."""
    return HOOKS | HOOKS_OF_MEETINGS if file.meetings else HOOKS


def hooks_base(url: str) -> str:
    """The common part of the hooks' addresses, from it or from one of them."""
    base = url.rstrip("/")
    for name in (*HOOKS, *HOOKS_OF_MEETINGS):
        base = base.removesuffix(f"/{name}")
    return base


def webhooks(file: DepartmentFile, client: AmoCrmClient, base: str) -> Iterator[str]:
    """Bring the account's webhooks below `base` to what the department needs; one sentence for each change."""
    hooks = hooks_of(file)
    for name in HOOKS_OF_MEETINGS.keys() - hooks.keys():
        yield from _removed(client, name, f"{base}/{name}")
    for name, settings in hooks.items():
        yield from _renewed(client, name, f"{base}/{name}", settings)


def _renewed(client: AmoCrmClient, name: str, destination: str, settings: tuple[str, ...]) -> Iterator[str]:
    """Whether a POST on an existing URL adds to its settings or replaces them is not documented, and no call switches
    a disabled hook on again: so a hook that is not right is removed and made anew."""
    found = _hook(client, destination)
    if found and not found.get("disabled") and set(found["settings"]) == set(settings):
        return
    if found:
        client.write("DELETE", "webhooks", {"destination": destination})
    client.write("POST", "webhooks", {"destination": destination, "settings": list(settings)})
    yield f"{'renewed' if found else 'created'} the webhook for {name}"


def _removed(client: AmoCrmClient, name: str, destination: str) -> Iterator[str]:
    """Of a department that has no meetings any more."""
    if _hook(client, destination):
        client.write("DELETE", "webhooks", {"destination": destination})
        yield f"removed the webhook for {name}"


def _hook(client: AmoCrmClient, destination: str) -> dict[str, Any] | None:
    """The embedded key is `webhooks`, `hooks` was seen too; a filter that amoCRM ignores returns other hooks."""
    body = client.get("webhooks", [("filter[destination]", destination)]) or {}
    embedded = body.get("_embedded", {})
    rows = embedded.get("webhooks") or embedded.get("hooks") or []
    return next((row for row in rows if row["destination"] == destination), None)
