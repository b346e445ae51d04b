"""From what happened to the POSTs that tell it: bodies, and the deliveries that wait for the courier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import php

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.model import Webhook
    from infra.local.amocrm_simulator.world import World

BURST_PATIENCE = timedelta(seconds=30)
DUPLICATE_AFTER = (1.0, 90.0)
"""Seconds until the second copy of a duplicated delivery."""


@dataclass(frozen=True)
class HookEvent:
    """One entity in one action; `subscriptions` are the settings of a webhook that ask for it."""

    subscriptions: frozenset[str]
    entity: str
    action: str
    item: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One POST that is to be made at `due`; `attempt` counts from 1."""

    webhook_id: int
    body: bytes
    due: datetime
    attempt: int = 1
    held: bool = False


class Outbox:
    """Deliveries in the order in which they were put; the courier takes those that are due."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[Delivery] = []

    @property
    def waiting(self) -> Sequence[Delivery]:
        return self._waiting

    def take(self, events: Sequence[HookEvent]) -> None:
        """Queue what this change tells to whom."""
        for webhook in self._world.webhooks.values():
            if webhook.disabled:
                continue
            settings = set(webhook.settings)
            wanted = [event for event in events if event.subscriptions & settings]
            bodies = [self._body(group) for group in self._groups(wanted)]
            self._world.random.shuffle(bodies)
            for body in bodies:
                self._queue(webhook, body)

    def put(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)

    def next_due(self) -> datetime | None:
        return min((delivery.due for delivery in self._waiting), default=None)

    def pop_due(self, now: datetime) -> list[Delivery]:
        due = [delivery for delivery in self._waiting if delivery.due <= now]
        self._waiting = [delivery for delivery in self._waiting if delivery.due > now]
        due.sort(key=lambda delivery: delivery.due)
        if self._world.switches.hook_reorder:
            self._world.random.shuffle(due)
        return due

    def drop(self, webhook_id: int) -> None:
        """A switched-off webhook loses what waits; nothing is replayed."""
        self._waiting = [delivery for delivery in self._waiting if delivery.webhook_id != webhook_id]

    def _groups(self, events: list[HookEvent]) -> Iterator[list[HookEvent]]:
        switches = self._world.switches
        if switches.combined_bodies:
            yield from ([events] if events else [])
        elif switches.multi_entity_bodies:
            ordered = sorted(events, key=lambda event: (event.entity, event.action))
            for _, group in groupby(ordered, key=lambda event: (event.entity, event.action)):
                yield list(group)
        else:
            yield from ([event] for event in events)

    def _body(self, events: Iterable[HookEvent]) -> bytes:
        told: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for event in events:
            told.setdefault(event.entity, {}).setdefault(event.action, []).append(event.item)
        place = self._world.switches.account_block
        account = {"account": self._account(with_id=place != "without_id")}
        if place == "absent":
            return php.form(told)
        return php.form({**told, **account} if place == "last" else {**account, **told})

    def _account(self, *, with_id: bool) -> dict[str, Any]:
        id_ = {"id": self._world.account_id} if with_id else {}
        return {"subdomain": self._world.subdomain, **id_, "_links": {"self": f"https://{self._world.host}"}}

    def _queue(self, webhook: Webhook, body: bytes) -> None:
        world, switches = self._world, self._world.switches
        if world.chance(switches.hook_drop_share):
            return
        due = world.clock.now() + timedelta(seconds=world.random.uniform(*switches.hook_delay))
        if switches.hook_burst:
            self.put(Delivery(webhook.id, body, due + BURST_PATIENCE, held=True))
            self._release_burst(switches.hook_burst, due)
        else:
            self.put(Delivery(webhook.id, body, due))
        if world.chance(switches.hook_duplicate_share):
            self.put(Delivery(webhook.id, body, due + timedelta(seconds=world.random.uniform(*DUPLICATE_AFTER))))

    def _release_burst(self, size: int, now: datetime) -> None:
        if sum(delivery.held for delivery in self._waiting) >= size:
            self._waiting = [
                Delivery(delivery.webhook_id, delivery.body, now, delivery.attempt) if delivery.held else delivery
                for delivery in self._waiting
            ]
