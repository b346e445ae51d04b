"""amoCRM's things as Conveyor sees them: only the fields that some decision reads.

All times are aware datetimes in UTC, ids are ints, 0 is amoCRM's "nobody" (also robot, integration, system).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

WON = 142
LOST = 143
"""Status ids of the two closing stages, the same in every pipeline of every account."""


@dataclass(frozen=True)
class Lead:
    """A deal. `contacts` is the main contact first; filled only when read with contacts. `created_by` 0 is a robot or
    an integration."""

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
    """The client behind a lead. `leads` are the ids of all his leads."""

    id: int
    responsible_user_id: int
    created_at: datetime
    leads: tuple[int, ...] = ()


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
class NewNote:
    """A note to create on a lead."""

    lead_id: int
    text: str


@dataclass(frozen=True)
class Task:
    id: int
    lead_id: int
    responsible_user_id: int
    text: str
    created_at: datetime
    complete_till: datetime
    is_completed: bool = False
    task_type_id: int = 1


@dataclass(frozen=True)
class Note:
    id: int
    lead_id: int
    text: str
    created_at: datetime


@dataclass(frozen=True)
class OwnerChange:
    """Give the lead to another responsible user; nothing else of the lead is written."""

    lead_id: int
    responsible_user_id: int


@dataclass(frozen=True)
class BatchResult:
    """Outcome of a batch write: what was done, and what amoCRM refuses for good, by lead id with its reason."""

    done: frozenset[int] = frozenset()
    refused: dict[int, str] = field(default_factory=dict)
