"""amoCRM's things as Conveyor sees them: only the fields that some decision reads.

All times are aware datetimes in UTC, ids are ints, 0 is amoCRM's "nobody" (also robot, integration, system).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

WON = 142
LOST = 143
"""Status ids of the two closing stages, the same in every pipeline of every account."""


@dataclass(frozen=True)
class FieldValue:
    """A filled custom field. `kind` is amoCRM's type of the field (select, text, multitext …); `values` are amoCRM's
    own value objects ({"value": …, "enum_id": …}), kept as they came so that they can be written to another card."""

    field_id: int
    name: str
    kind: str
    values: tuple[Mapping[str, Any], ...] = field(repr=False)
    code: str = ""


@dataclass(frozen=True)
class Lead:
    """A deal. `contacts` is the main contact first; filled only when read with contacts. `created_by` 0 is a robot or
    an integration. `price` is in whole units of the account's currency; `company` 0 is none; `loss_reason_id` only says
    something where the lead is lost."""

    id: int
    pipeline_id: int
    status_id: int
    responsible_user_id: int
    created_at: datetime
    updated_at: datetime
    source_id: int | None = None
    tags: tuple[str, ...] = ()
    contacts: tuple[int, ...] = ()
    created_by: int = 0
    is_deleted: bool = False
    name: str = field(default="", repr=False)
    price: int = 0
    company: int = 0
    loss_reason_id: int | None = None
    fields: tuple[FieldValue, ...] = ()

    def filled(self, field_id: int) -> FieldValue | None:
        return next((each for each in self.fields if each.field_id == field_id), None)

    @property
    def is_closed(self) -> bool:
        return self.status_id in (WON, LOST)


@dataclass(frozen=True)
class UnsortedItem:
    """An item of «Неразобранное»: the request that a lead in that stage stands for.

    `category` is sip, mail, forms or chats; `service` the messenger of a chat (telegram, whatsapp …);
    `source_name` and `source_uid` what the channel calls itself.
    """

    uid: str
    lead_id: int
    pipeline_id: int
    category: str
    service: str = ""
    source_name: str = ""
    source_uid: str = ""


@dataclass(frozen=True)
class Contact:
    """The client behind a lead. `leads` are the ids of all his leads; `phones` and `emails` as somebody typed them
    (functions.shared.identity makes them comparable)."""

    id: int
    responsible_user_id: int
    created_at: datetime
    leads: tuple[int, ...] = ()
    name: str = field(default="", repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    emails: tuple[str, ...] = field(default=(), repr=False)
    fields: tuple[FieldValue, ...] = ()
    updated_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class User:
    """A user of the account. `may_edit_leads` is false when the right to edit leads is denied."""

    id: int
    name: str
    email: str
    is_active: bool
    is_admin: bool = False
    may_edit_leads: bool = True


@dataclass(frozen=True)
class Account:
    """`current_user_id` is the user whose token we hold; `timezone` an IANA name."""

    id: int
    subdomain: str
    current_user_id: int
    timezone: str


@dataclass(frozen=True)
class NewTask:
    """A task to create on a lead. Task type 1 is «Связаться», 2 «Встреча»."""

    lead_id: int
    responsible_user_id: int
    text: str
    complete_till: datetime
    task_type_id: int = 1


@dataclass(frozen=True)
class NewClientTask:
    """A task about a client: on his card `lead_id`, or on the contact itself where he has none (0)."""

    client: int
    lead_id: int
    responsible_user_id: int
    text: str
    complete_till: datetime
    task_type_id: int = 1


@dataclass(frozen=True)
class NewNote:
    """A note to create on a lead. `params` is what amoCRM wants for the types that are not a mere text (a call's
    duration and link …); where it is given, `text` is not written."""

    lead_id: int
    text: str
    kind: str = "common"
    params: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Task:
    """`lead_id` is 0 for a task that hangs on a contact (`contact_id`) or on nothing; `updated_at` and `updated_by`
    tell whether a person has touched it. `duration` is in seconds, 0 where nobody gave one."""

    id: int
    lead_id: int
    responsible_user_id: int
    text: str
    created_at: datetime
    complete_till: datetime
    is_completed: bool = False
    task_type_id: int = 1
    result: str = field(default="", repr=False)
    contact_id: int = 0
    updated_at: datetime | None = field(default=None, compare=False)
    updated_by: int = field(default=0, compare=False)
    duration: int = 0


@dataclass(frozen=True)
class Note:
    """`kind` is amoCRM's note_type, `params` what it holds; `text` is the part that people read, empty where the type
    has none. `lead_id` is 0 for a note of a contact (`contact_id`)."""

    id: int
    lead_id: int
    text: str
    created_at: datetime
    kind: str = "common"
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    created_by: int = 0
    contact_id: int = 0


@dataclass(frozen=True)
class OwnerChange:
    """Give the lead to another responsible user; nothing else of the lead is written."""

    lead_id: int
    responsible_user_id: int


@dataclass(frozen=True)
class LeadChange:
    """Change a lead's place and content; what is None or empty is not written. The owner is not among it: OwnerChange.

    `place` is (pipeline id, status id): amoCRM wants both. `loss_reason_id` goes with a place whose status is LOST.
    `fields` replace the values of these custom fields, `clear_fields` are emptied by their ids.
    """

    lead_id: int
    place: tuple[int, int] | None = None
    loss_reason_id: int | None = None
    price: int | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    fields: tuple[FieldValue, ...] = ()
    clear_fields: tuple[int, ...] = ()


@dataclass(frozen=True)
class NewLead:
    """A lead to create. `contacts` is the main one first. `origin` is (field id, address): the custom field that holds
    the address of the card the new one comes from; with the pipeline it is the mark by which a lead whose creation was
    not answered is recognised."""

    name: str = field(repr=False)
    pipeline_id: int
    status_id: int
    responsible_user_id: int
    origin: tuple[int, str]
    contacts: tuple[int, ...] = ()
    company: int = 0
    tags: tuple[str, ...] = ()
    fields: tuple[FieldValue, ...] = ()


@dataclass(frozen=True)
class TaskChange:
    """Change an existing task; None leaves it as it is. `result` completes it with these words."""

    task_id: int
    lead_id: int | None = None
    responsible_user_id: int | None = None
    text: str | None = None
    complete_till: datetime | None = None
    result: str | None = None


@dataclass(frozen=True)
class Link:
    """A contact or a company that hangs on a lead; `kind` is contacts or companies."""

    lead_id: int
    to_id: int
    kind: str = "contacts"


@dataclass(frozen=True)
class StageChange:
    """A lead went from one (pipeline id, status id) to another; `by` is 0 for a robot or an integration."""

    lead_id: int
    before: tuple[int, int]
    after: tuple[int, int]
    by: int
    at: datetime


@dataclass(frozen=True)
class BatchResult:
    """Outcome of a batch write: what was done, and what amoCRM refuses for good with its reason, both by the id of the
    lead (of the task for TaskChange)."""

    done: frozenset[int] = frozenset()
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClientTasks:
    """Outcome of setting tasks about clients, by the client: the id of the task, or why amoCRM refuses it for good."""

    made: dict[int, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
