"""The webhooks of a department: what amoCRM is to tell, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.errors import AmoCrmForbidden, NotConfigured
from infra.department.changes import Change, Mark, Request, Work, same
from infra.department.file import DepartmentFile

Hook = Mapping[str, Any]
"""A webhook as amoCRM shows it."""

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


def read_hooks(client: AmoCrmClient, base: str) -> dict[str, Hook]:
    """The account's webhooks below `base`, by the end of their address. Raises NotConfigured where the account may have
    none."""
    try:
        found = {name: _hook(client, f"{base}/{name}") for name in (*HOOKS, *HOOKS_OF_MEETINGS)}
    except AmoCrmForbidden as error:
        raise no_hooks() from error
    return {name: hook for name, hook in found.items() if hook is not None}


def no_hooks() -> NotConfigured:
    """Managing and using webhooks is a matter of the tariff (amoCRM API: webhooks)."""
    remedy = "amoCRM has them from «Расширенный» on, Kommo from Advanced; change it (Settings, Billing) and repeat this"
    return NotConfigured(f"the account's tariff has no webhooks: {remedy}")


def webhooks(file: DepartmentFile, found: Mapping[str, Hook], base: str) -> Iterator[Work]:
    """What brings the webhooks below `base`, of which these are there, to what the department needs."""
    hooks = hooks_of(file)
    for name in found.keys() - hooks.keys():
        told = Change(Mark.GONE, f"webhook /{name}", f"removed the webhook for {name}")
        yield Work((told,), (_deletion(f"{base}/{name}"),))
    for name, settings in hooks.items():
        yield _renewed(name, f"{base}/{name}", settings, found.get(name))


def _renewed(name: str, destination: str, settings: tuple[str, ...], found: Hook | None) -> Work:
    """Whether a POST on an existing URL adds to its settings or replaces them is not documented, and no call switches
    a disabled hook on again: so a hook that is not right is removed and made anew."""
    making = Request("POST", "webhooks", {"destination": destination, "settings": list(settings)})
    if found is None:
        told = Change(Mark.NEW, f"webhook /{name}: {' '.join(settings)}", f"created the webhook for {name}")
        return Work((told,), (making,))
    wrong = fault(found, settings)
    if not wrong:
        return same(f"webhook /{name}")
    told = Change(Mark.CHANGED, f"webhook /{name}: {wrong}", f"renewed the webhook for {name}")
    return Work((told,), (_deletion(destination), making))


def fault(hook: Hook, settings: tuple[str, ...]) -> str:
    """What is wrong with a hook that is there, empty if nothing is."""
    if hook.get("disabled"):
        return "amoCRM has switched it off"
    lacks, hears = set(settings) - set(hook["settings"]), set(hook["settings"]) - set(settings)
    told = {"is not told of": lacks, "is told besides of": hears}
    return ", ".join(f"{words} {' '.join(sorted(events))}" for words, events in told.items() if events)


def _deletion(destination: str) -> Request:
    return Request("DELETE", "webhooks", {"destination": destination})


def _hook(client: AmoCrmClient, destination: str) -> Hook | None:
    """The embedded key is `webhooks`, `hooks` was seen too; a filter that amoCRM ignores returns other hooks."""
    body = client.get("webhooks", [("filter[destination]", destination)]) or {}
    embedded = body.get("_embedded", {})
    rows = embedded.get("webhooks") or embedded.get("hooks") or []
    return next((row for row in rows if row["destination"] == destination), None)
