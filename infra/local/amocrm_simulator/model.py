"""What an amoCRM account consists of. All values are frozen: a change is a new value, so the past stays readable.

Times are Unix seconds, ids ints, user id 0 is a robot, an integration or nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WON, LOST = 142, 143
"""Closing stages, in every pipeline."""


@dataclass(frozen=True)
class Value:
    """One value of a custom field; `enum_id` for lists, phones and e-mails."""

    value: Any
    enum_id: int | None = None


Fields = Mapping[int, tuple[Value, ...]]
"""Values of custom fields by field id; empty ones are not kept."""


@dataclass(frozen=True)
class User:
    id: int
    name: str
    email: str
    lang: str = "ru"
    rights: Mapping[str, Any] = field(default_factory=dict)
    is_admin: bool = False
    is_active: bool = True
    is_free: bool = False
    group_id: int | None = None


@dataclass(frozen=True)
class Status:
    """A stage. `type` 1 is «Неразобранное»."""

    id: int
    name: str
    sort: int
    color: str
    is_editable: bool = True
    type: int = 0


@dataclass(frozen=True)
class Pipeline:
    id: int
    name: str
    sort: int
    is_main: bool
    is_unsorted_on: bool
    statuses: tuple[Status, ...]

    def status(self, status_id: int) -> Status | None:
        return next((status for status in self.statuses if status.id == status_id), None)

    @property
    def unsorted(self) -> Status | None:
        return next((status for status in self.statuses if status.type == 1), None)

    @property
    def entry(self) -> Status:
        """The first stage that people work in."""
        return next(status for status in self.statuses if status.type == 0)


@dataclass(frozen=True)
class Enum:
    id: int
    value: str
    sort: int
    code: str | None = None


@dataclass(frozen=True)
class CustomField:
    """`entity` is leads, contacts or companies."""

    id: int
    entity: str
    name: str
    type: str
    code: str | None = None
    sort: int = 500
    is_api_only: bool = False
    is_predefined: bool = False
    enums: tuple[Enum, ...] = ()
    required_statuses: tuple[Mapping[str, int], ...] = ()

    def enum(self, enum_id: int | None) -> Enum | None:
        return next((enum for enum in self.enums if enum.id == enum_id), None)


@dataclass(frozen=True)
class Lead:
    """`contacts` is the main contact first. `price` is None when never set. `old_*` is the memory of the webhooks."""

    id: int
    name: str
    pipeline_id: int
    status_id: int
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    price: int | None = 0
    closed_at: int | None = None
    loss_reason_id: int | None = None
    source_id: int | None = None
    visitor_uid: str | None = None
    fields: Fields = field(default_factory=dict)
    tags: tuple[int, ...] = ()
    contacts: tuple[int, ...] = ()
    company_id: int | None = None
    is_deleted: bool = False
    old_status_id: int | None = None


@dataclass(frozen=True)
class Contact:
    """A contact or a company, see `kind`."""

    id: int
    kind: str
    name: str
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    first_name: str = ""
    last_name: str = ""
    fields: Fields = field(default_factory=dict)
    tags: tuple[int, ...] = ()
    company_id: int | None = None
    is_deleted: bool = False
    is_unsorted: bool = False


@dataclass(frozen=True)
class Unsorted:
    """An item of «Неразобранное»; `state` is waiting, accepted, declined or linked, `source_data` what hooks show."""

    uid: str
    category: str
    pipeline_id: int
    lead_id: int
    created_at: int
    source_name: str | None
    source_uid: str | None
    metadata: Mapping[str, Any]
    source_data: Mapping[str, Any]
    contact_id: int | None = None
    company_id: int | None = None
    source: str | None = None
    source_id: int | None = None
    fingerprint: str = ""
    state: str = "waiting"
    closed_at: int | None = None

    @property
    def id(self) -> str:
        return self.uid


@dataclass(frozen=True)
class Task:
    id: int
    text: str
    complete_till: int
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    task_type_id: int = 1
    entity_type: str | None = None
    entity_id: int | None = None
    duration: int = 0
    is_completed: bool = False
    result: str | None = None
    is_deleted: bool = False


@dataclass(frozen=True)
class Note:
    id: int
    entity_type: str
    entity_id: int
    note_type: str
    params: Mapping[str, Any]
    responsible_user_id: int
    created_by: int
    updated_by: int
    created_at: int
    updated_at: int
    is_pinned: bool = False


@dataclass(frozen=True)
class Event:
    """A line of the feed «История»; `entity_type` is singular."""

    id: str
    type: str
    entity_id: int
    entity_type: str
    created_by: int
    created_at: int
    value_after: tuple[Mapping[str, Any], ...] = ()
    value_before: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class LossReason:
    id: int
    name: str
    sort: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Tag:
    id: int
    entity: str
    name: str
    color: str | None = None


@dataclass(frozen=True)
class Source:
    id: int
    name: str
    external_id: str
    pipeline_id: int | None
    default: bool = False


@dataclass(frozen=True)
class TaskType:
    id: int
    name: str
    code: str | None = None


@dataclass(frozen=True)
class Webhook:
    """`bad_answers` are the times of bad answers of the last two hours."""

    id: int
    destination: str
    settings: tuple[str, ...]
    created_at: int
    updated_at: int
    created_by: int
    sort: int
    disabled: bool = False
    bad_answers: tuple[float, ...] = ()
