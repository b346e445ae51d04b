"""What an amoCRM account has that a department is resolved to: people, pipelines, loss reasons, the fields of leads,
types of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.crm import LOST, WON, User

_UNSORTED_TYPE = 1

Value = TypeVar("Value")


@dataclass(frozen=True)
class CrmPipeline:
    """`stages` are the ids of the working stages by casefolded name; `last_sort` the place of the last of them."""

    id: int
    name: str
    is_unsorted_on: bool
    unsorted_status_id: int | None
    stages: dict[str, int]
    last_sort: int


@dataclass(frozen=True)
class CrmField:
    """A custom field of leads. `kind` is amoCRM's type; `enums` what can be chosen, as amoCRM gives it: to add a choice
    all of them are sent again (amoCRM API: custom fields)."""

    id: int
    name: str
    kind: str
    enums: tuple[Mapping[str, Any], ...] = ()

    @property
    def choices(self) -> dict[str, int]:
        """The ids by casefolded text."""
        return _by_name((enum["value"], int(enum["id"])) for enum in self.enums)


@dataclass(frozen=True)
class Directory:
    """`users` by casefolded e-mail; `pipelines`, `loss_reasons` and `fields` (of leads) by casefolded name. Archived
    pipelines are left out; of two things with one name the older one counts. `task_types` are pairs
    of a name and an id, the oldest first."""

    account_id: int
    subdomain: str
    users: dict[str, User]
    pipelines: dict[str, CrmPipeline]
    loss_reasons: dict[str, int]
    fields: dict[str, CrmField]
    task_types: tuple[tuple[str, int], ...] = ()

    def task_type(self, name: str) -> int | None:
        """The id of the type of tasks that people call so."""
        return _by_name(self.task_types).get(name.casefold())


def read_directory(client: AmoCrmClient) -> Directory:
    """The account as it is now; five requests where no list has more than 250 rows."""
    users = map(reading.user, _rows(client, "users"))
    pipelines = [_pipeline(row) for row in _rows(client, "leads/pipelines") if not row.get("is_archive")]
    reasons = _rows(client, "leads/loss_reasons")
    fields = [_field(row) for row in _rows(client, "leads/custom_fields")]
    row = client.get("account", [("with", "task_types")]) or {}
    account = reading.account(row)
    return Directory(
        account_id=account.id,
        subdomain=account.subdomain,
        users=_by_name((user.email, user) for user in users),
        pipelines=_by_name((pipeline.name, pipeline) for pipeline in sorted(pipelines, key=lambda each: each.id)),
        loss_reasons=_by_name((row["name"], row["id"]) for row in sorted(reasons, key=lambda each: int(each["id"]))),
        fields=_by_name((each.name, each) for each in sorted(fields, key=lambda each: each.id)),
        task_types=_task_types(row),
    )


def _rows(client: AmoCrmClient, path: str) -> list[dict[str, Any]]:
    return [row for page in client.pages(path, path.rpartition("/")[2]) for row in page.rows]


def _pipeline(row: dict[str, Any]) -> CrmPipeline:
    statuses = sorted(row["_embedded"]["statuses"], key=lambda status: int(status["sort"]))
    unsorted = next((status["id"] for status in statuses if status.get("type") == _UNSORTED_TYPE), None)
    working = [status for status in statuses if status["id"] not in (unsorted, WON, LOST)]
    return CrmPipeline(
        id=row["id"],
        name=row["name"],
        is_unsorted_on=bool(row.get("is_unsorted_on")),
        unsorted_status_id=unsorted,
        stages=_by_name((status["name"], status["id"]) for status in working),
        last_sort=max((int(status["sort"]) for status in working), default=0),
    )


def _field(row: dict[str, Any]) -> CrmField:
    return CrmField(int(row["id"]), row["name"], row["type"], tuple(row.get("enums") or ()))


def _task_types(account: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    rows = (account.get("_embedded") or {}).get("task_types") or []
    return tuple((row["name"], int(row["id"])) for row in sorted(rows, key=lambda each: int(each["id"])))


def _by_name(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """By casefolded name, the first of several with one name."""
    found: dict[str, Value] = {}
    for name, value in pairs:
        found.setdefault(name.strip().casefold(), value)
    return found
