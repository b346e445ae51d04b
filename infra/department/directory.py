"""What an amoCRM account has that a department is resolved to: people, pipelines, loss reasons, the fields of leads,
types of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.crm import LOST, WON, User
from functions.shared.errors import AmoCrmForbidden, NotConfigured

_UNSORTED_TYPE = 1

SUBSCRIPTION_ENDED = 402
"""amoCRM API: HTTP codes."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class CrmStage:
    id: int
    name: str
    color: str


@dataclass(frozen=True)
class CrmPipeline:
    """`stages` are the ids of the working stages by casefolded name; `last_sort` the place of the last of them;
    `rows` the same stages as amoCRM shows them."""

    id: int
    name: str
    is_unsorted_on: bool
    unsorted_status_id: int | None
    stages: dict[str, int]
    last_sort: int
    rows: tuple[CrmStage, ...] = ()

    @property
    def names(self) -> dict[int, str]:
        """Of all working stages, by id."""
        return {id_: name for name, id_ in self.stages.items()} | {row.id: row.name for row in self.rows}


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

    @property
    def texts(self) -> dict[int, str]:
        """The texts by id."""
        return {int(enum["id"]): str(enum["value"]) for enum in self.enums}


@dataclass(frozen=True)
class Directory:
    """`users` by casefolded e-mail; `pipelines`, `loss_reasons` and `fields` (of leads) by casefolded name. Archived
    pipelines are left out; of two things with one name the older one counts. `task_types` are pairs
    of a name and an id, the oldest first. `reason_rows` are all loss reasons by id, `pipeline_rows` and `field_rows`
    all pipelines and fields, namesakes among them. `is_admin`: the token is an administrator's."""

    account_id: int
    subdomain: str
    users: dict[str, User]
    pipelines: dict[str, CrmPipeline]
    loss_reasons: dict[str, int]
    fields: dict[str, CrmField]
    task_types: tuple[tuple[str, int], ...] = ()
    reason_rows: Mapping[int, str] = field(default_factory=dict)
    pipeline_rows: tuple[CrmPipeline, ...] = ()
    field_rows: tuple[CrmField, ...] = ()
    is_admin: bool = True

    @property
    def all_pipelines(self) -> tuple[CrmPipeline, ...]:
        return self.pipeline_rows or tuple(self.pipelines.values())

    @property
    def all_fields(self) -> tuple[CrmField, ...]:
        return self.field_rows or tuple(self.fields.values())

    @property
    def reasons(self) -> dict[int, str]:
        """The names of loss reasons by id."""
        return {**{id_: name for name, id_ in self.loss_reasons.items()}, **self.reason_rows}

    def task_type(self, name: str) -> int | None:
        """The id of the type of tasks that people call so."""
        return _by_name(self.task_types).get(name.casefold())


def read_directory(client: AmoCrmClient) -> Directory:
    """The account as it is now; five requests where no list has more than 250 rows."""
    row = _account(client)
    account = reading.account(row)
    users = _users(client)
    pipelines = [_pipeline(row) for row in _rows(client, "leads/pipelines") if not row.get("is_archive")]
    reasons = _rows(client, "leads/loss_reasons")
    fields = [_field(row) for row in _rows(client, "leads/custom_fields")]
    return Directory(
        account_id=account.id,
        subdomain=account.subdomain,
        users=_by_name((user.email, user) for user in users),
        pipelines=_by_name((pipeline.name, pipeline) for pipeline in sorted(pipelines, key=lambda each: each.id)),
        loss_reasons=_by_name((row["name"], row["id"]) for row in sorted(reasons, key=lambda each: int(each["id"]))),
        fields=_by_name((each.name, each) for each in sorted(fields, key=lambda each: each.id)),
        task_types=_task_types(row),
        reason_rows={int(row["id"]): str(row["name"]) for row in reasons},
        pipeline_rows=tuple(sorted(pipelines, key=lambda each: each.id)),
        field_rows=tuple(fields),
        is_admin=all(user.is_admin for user in users if user.id == account.current_user_id),
    )


def _account(client: AmoCrmClient) -> dict[str, Any]:
    """Every user may read it; what the account does not allow at all, it does not allow here."""
    try:
        return client.get("account", [("with", "task_types")]) or {}
    except AmoCrmForbidden as error:
        if error.status == SUBSCRIPTION_ENDED:
            remedy = "pay for it (Settings, Billing), then repeat this command"
            raise NotConfigured(f"the account's subscription to amoCRM has ended: {remedy}") from error
        remedy = "give its integration all permissions, and this address a place on the account's list of IP addresses"
        raise NotConfigured(f"amoCRM does not allow the token to read the account: {remedy}") from error


def _users(client: AmoCrmClient) -> list[User]:
    try:
        return [reading.user(row) for row in _rows(client, "users")]
    except AmoCrmForbidden as error:
        raise not_admin() from error


def not_admin() -> NotConfigured:
    remedy = "an administrator makes one (amoMarket, your integration, Keys and permissions, long-lived token)"
    return NotConfigured(f"the token is not an administrator's, and only they may set up an account: {remedy}")


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
        rows=tuple(CrmStage(status["id"], status["name"], str(status.get("color") or "")) for status in working),
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
