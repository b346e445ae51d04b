"""Carries webhooks to their destinations with amoCRM's patience: two seconds, five attempts, then switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from infra.local.amocrm_simulator.outbox import Delivery

if TYPE_CHECKING:
    from functions.shared.clock import Clock
    from infra.local.amocrm_simulator.model import Webhook
    from infra.local.amocrm_simulator.world import World

ANSWER_WITHIN = timedelta(seconds=2)
TOLERATED_BAD_ANSWERS = 100
BAD_ANSWERS_WITHIN = timedelta(hours=2)
PAUSES = {1: timedelta(minutes=5), 2: timedelta(minutes=15), 3: timedelta(minutes=15), 4: timedelta(hours=1)}
"""After which attempt how long until the next (amoCRM API: webhooks, table of attempts)."""
LAST_ATTEMPT_OF_REFUSALS = 3
"""3xx, 4xx and timeouts end here; 499 and 5xx go on to the fifth (the pages leave open how the groups combine)."""


class HookCourier:
    """`post(url, body, headers)` returns the HTTP status, 0 for no answer within two seconds. No threads of its own."""

    def __init__(self, world: World, clock: Clock, post: Callable[[str, bytes, dict[str, str]], int]) -> None:
        self._world = world
        self._clock = clock
        self._post = post

    def next_due(self) -> datetime | None:
        """When the next delivery is to be made; None when nothing waits."""
        with self._world.lock:
            return self._world.outbox.next_due()

    def deliver_due(self) -> int:
        """Make every delivery that is due now; how many were made."""
        with self._world.lock:
            due = self._world.outbox.pop_due(self._clock.now())
        return sum(self._deliver(delivery) for delivery in due)

    def _deliver(self, delivery: Delivery) -> bool:
        with self._world.lock:
            webhook = self._world.webhooks.get(delivery.webhook_id)
            headers = self._headers()
        if webhook is None or webhook.disabled:
            return False
        started = self._clock.now()
        status = self._post(webhook.destination, delivery.body, headers)
        if self._clock.now() - started > ANSWER_WITHIN:
            status = 0
        with self._world.lock:
            if not 100 <= status <= 299:
                self._failed(delivery, status)
        return True

    def _headers(self) -> dict[str, str]:
        return {
            "User-Agent": "amoCRM-Webhooks/3.0",
            "X-amoCRM-RequestId": self._world.uuid(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept-Encoding": "gzip",
        }

    def _failed(self, delivery: Delivery, status: int) -> None:
        webhook = self._world.webhooks.get(delivery.webhook_id)
        if webhook is None or webhook.disabled:
            return
        now = self._clock.now()
        webhook = self._world.webhooks[webhook.id] = self._with_bad_answer(webhook, now)
        if webhook.disabled:
            self._world.outbox.drop(webhook.id)
        elif pause := _pause(delivery.attempt, status):
            self._world.outbox.put(replace(delivery, due=now + pause, attempt=delivery.attempt + 1, held=False))

    def _with_bad_answer(self, webhook: Webhook, now: datetime) -> Webhook:
        since = (now - BAD_ANSWERS_WITHIN).timestamp()
        bad = (*(at for at in webhook.bad_answers if at > since), now.timestamp())
        disabled = self._world.switches.hook_switch_off and len(bad) > TOLERATED_BAD_ANSWERS
        return replace(webhook, bad_answers=bad, disabled=disabled)


def _pause(attempt: int, status: int) -> timedelta | None:
    if attempt >= LAST_ATTEMPT_OF_REFUSALS and not (status == 499 or 500 <= status <= 599):
        return None
    return PAUSES.get(attempt)
