"""The state of one amoCRM account. Every reader and writer holds `world.lock`; time and chance are handed in."""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import furniture
from infra.local.amocrm_simulator.change import Change
from infra.local.amocrm_simulator.limiter import Limiter
from infra.local.amocrm_simulator.model import (
    Contact,
    CustomField,
    Event,
    Lead,
    LossReason,
    Note,
    Pipeline,
    Source,
    Tag,
    Task,
    TaskType,
    Unsorted,
    User,
    Webhook,
)
from infra.local.amocrm_simulator.outbox import Outbox
from infra.local.amocrm_simulator.request_log import RequestLog
from infra.local.amocrm_simulator.store import Store
from infra.local.amocrm_simulator.switches import Switches
from infra.local.amocrm_simulator.tokens import Token, jwt

if TYPE_CHECKING:
    from functions.shared.clock import Clock
    from infra.local.amocrm_simulator.authorisation import Integration

FIRST_IDS = {"lead": 30_000_001, "contact": 40_000_001, "task": 50_000_001, "note": 60_000_001, "status": 70_000_001}
"""Ranges of ids do not overlap, so that an id in the wrong place is never by chance a right one."""
OTHER_IDS = 5_000_001
LONG_LIVED = timedelta(days=5 * 365)


@dataclass
class Ids:
    """Ids that grow by two, as amoCRM's do in its own samples; a kind never reuses one."""

    used: Counter[str] = field(default_factory=Counter)

    def __call__(self, kind: str) -> int:
        pool = kind if kind in FIRST_IDS else "other"
        self.used[pool] += 1
        return FIRST_IDS.get(pool, OTHER_IDS) + 2 * (self.used[pool] - 1)


class World:
    """One account with an admin user and the pipeline «Воронка», at the host `subdomain`.`domain`.

    Tests change behaviour with `switch`, read `requests`, and look into the stores. Nothing happens by itself:
    webhooks leave when a HookCourier is asked to deliver.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        subdomain: str = "demo",
        domain: str = "amocrm.ru",
        switches: Switches | None = None,
        seed: int = 0,
        timezone: str = "Europe/Moscow",
    ) -> None:
        self.clock = clock
        self.subdomain = subdomain
        self.domain = domain
        self.switches = switches or Switches()
        self.timezone = timezone
        self.random = random.Random(seed)
        self.lock = RLock()
        self.ids = Ids()
        self.account_id = 31_000_001
        self.created_at = self.timestamp()
        self.limiter = Limiter()
        self.requests = RequestLog()
        self.outbox = Outbox(self)
        self.tokens: dict[str, Token] = {}
        self.integrations: dict[str, Integration] = {}
        self.users: dict[int, User] = {}
        self.pipelines: dict[int, Pipeline] = {}
        self.custom_fields: dict[int, CustomField] = {}
        self.loss_reasons: dict[int, LossReason] = {}
        self.tags: dict[int, Tag] = {}
        self.task_types = {1: TaskType(1, "Связаться", "FOLLOW_UP"), 2: TaskType(2, "Встреча", "MEETING")}
        self.sources: dict[int, Source] = {}
        self.webhooks: dict[int, Webhook] = {}
        self.leads: Store[Lead] = Store(clock.now)
        self.contacts: Store[Contact] = Store(clock.now)
        self.tasks: Store[Task] = Store(clock.now)
        self.notes: Store[Note] = Store(clock.now)
        self.unsorted: Store[Unsorted] = Store(clock.now)
        self.events: list[Event] = []
        self.leads_of_contact: defaultdict[int, dict[int, None]] = defaultdict(dict)
        self.tasks_of: defaultdict[tuple[str, int], dict[int, None]] = defaultdict(dict)
        self.admin = self.add_user("Администратор", f"admin@{subdomain}.example", is_admin=True)
        furniture.put_into(self)

    # Time, chance, switches

    def timestamp(self) -> int:
        return int(self.clock.now().timestamp())

    def chance(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def hex(self, digits: int) -> str:
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def switch(self, **changes: Any) -> None:
        """Change some switches; the names are those of `Switches`."""
        with self.lock:
            self.switches = replace(self.switches, **changes)

    def unblock(self) -> None:
        """Support lifts the 403 block."""
        with self.lock:
            self.limiter.reset()

    @property
    def host(self) -> str:
        return f"{self.subdomain}.{self.domain}"

    # People and their tokens

    def add_user(self, name: str, email: str, *, is_admin: bool = False, rights: dict[str, Any] | None = None) -> User:
        """A new active user with all rights, unless `rights` says otherwise (amoCRM API: users)."""
        with self.lock:
            user = User(self.ids("user"), name, email, is_admin=is_admin, rights=furniture.rights(rights or {}))
            self.users[user.id] = user
            return user

    def add_token(self, name: str, user_id: int, *, lifetime: timedelta = LONG_LIVED) -> str:
        """A long-lived token of the integration `name`, acting as this user."""
        with self.lock:
            expires_at = self.clock.now() + lifetime
            token = jwt(self, name, user_id, expires_at)
            self.tokens[token] = Token(name, user_id, expires_at)
            return token

    def revoke_token(self, token: str) -> None:
        with self.lock:
            self.tokens[token].revoked = True

    def add_task_type(self, name: str) -> TaskType:
        """A task type of the account's own; the API cannot create them."""
        with self.lock:
            task_type = TaskType(self.ids("task_type"), name)
            self.task_types[task_type.id] = task_type
            return task_type

    # Pipelines

    @property
    def main_pipeline(self) -> Pipeline:
        return next(pipeline for pipeline in self.pipelines.values() if pipeline.is_main)

    # Entities

    def put_lead(self, lead: Lead) -> None:
        before = self.leads.get(lead.id)
        for contact_id in before.contacts if before else ():
            self.leads_of_contact[contact_id].pop(lead.id, None)
        if not lead.is_deleted:
            for contact_id in lead.contacts:
                self.leads_of_contact[contact_id][lead.id] = None
        self.leads.put(lead)

    def put_task(self, task: Task) -> None:
        before = self.tasks.get(task.id)
        if before is not None and before.entity_type is not None and before.entity_id is not None:
            self.tasks_of[before.entity_type, before.entity_id].pop(task.id, None)
        if task.entity_type is not None and task.entity_id is not None:
            self.tasks_of[task.entity_type, task.entity_id][task.id] = None
        self.tasks.put(task)

    def live_lead(self, lead_id: int) -> Lead | None:
        lead = self.leads.get(lead_id)
        return None if lead is None or lead.is_deleted else lead

    def live_contact(self, contact_id: int, kind: str | None = None) -> Contact | None:
        contact = self.contacts.get(contact_id)
        if contact is None or contact.is_deleted or (kind is not None and contact.kind != kind):
            return None
        return contact

    def live(self, entity_type: str, entity_id: int) -> Lead | Contact | None:
        """A lead, contact or company that is not deleted."""
        return self.live_lead(entity_id) if entity_type == "leads" else self.live_contact(entity_id, entity_type)

    def waiting(self, uid: str) -> Unsorted | None:
        """An item of «Неразобранное» that nobody has dealt with yet."""
        item = self.unsorted.get(uid)
        return item if item is not None and item.state == "waiting" else None

    def closest_task_at(self, entity_type: str, entity_id: int) -> int | None:
        tasks = [self.tasks.get(task_id) for task_id in self.tasks_of.get((entity_type, entity_id), ())]
        due = [task.complete_till for task in tasks if task and not task.is_completed and not task.is_deleted]
        return min(due, default=None)

    def may_own(self, user_id: int) -> bool:
        """May this user become responsible for something?"""
        user = self.users.get(user_id)
        return user is not None and (user.is_active or not self.switches.refuse_inactive_owner)

    @contextmanager
    def change(self, author: int, *, by_api: bool = False) -> Iterator[Change]:
        """One change by one author; its webhooks leave together, and only if it did not fail."""
        with self.lock:
            change = Change(self, author, by_api=by_api)
            yield change
            self.outbox.take(change.hooks)

    def live_leads(self, pipelines: Collection[int] | None = None) -> list[Lead]:
        return [
            lead
            for lead in self.leads.all()
            if not lead.is_deleted and (not pipelines or lead.pipeline_id in pipelines)
        ]
