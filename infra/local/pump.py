"""Lambda's poller: reads a queue as the event source mapping says and calls the function."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.local.clock import VirtualClock
from infra.local.lambdas import LocalLambda
from infra.local.queues import LocalQueue, lambda_record
from infra.local.template import QueueSource

if TYPE_CHECKING:
    from moto.sqs.models import Message

log = logging.getLogger(__name__)


class QueuePump:
    """One event source mapping. A `Source` of the timeline.

    A batch is due when BatchSize messages are there, or when the window is over that opened with the first of them.
    """

    clockwork = False

    def __init__(self, source: QueueSource, queue: LocalQueue, function: LocalLambda, clock: VirtualClock) -> None:
        self._source = source
        self._queue = queue
        self._function = function
        self._clock = clock
        self._window = timedelta(seconds=source.window)

    def next_due(self) -> datetime | None:
        visible_since = self._queue.visible_since()
        if not visible_since:
            return None
        window_end = visible_since[0] + self._window
        if len(visible_since) < self._source.batch_size:
            return window_end
        return min(window_end, visible_since[self._source.batch_size - 1])

    def gathering_until(self) -> datetime | None:
        visible_since, now = self._queue.visible_since(), self._clock.now()
        has_begun = bool(visible_since) and visible_since[0] <= now
        due = self.next_due()
        return due if has_begun and due is not None and due > now else None

    def run_due(self) -> None:
        """Hand one batch to the function. What it did not do comes back after the visibility timeout."""
        messages = self._queue.receive(self._source.batch_size)
        if not messages:  # all that was visible went to the dead-letter queue
            return
        records = [lambda_record(message, self._queue) for message in messages]
        try:
            answer = self._function.invoke({"Records": records})
            failed = self._failed(messages, answer)
        except Exception:
            log.exception("%s failed with its whole batch of %d", self._source.function, len(messages))
            return
        self._queue.delete([str(message.receipt_handle) for message in messages if message.id not in failed])

    def _failed(self, messages: list[Message], answer: Any) -> set[str]:
        """Ids of the messages to keep. An answer that Lambda cannot read keeps the whole batch (Lambda developer
        guide: partial batch responses)."""
        if not self._source.reports_item_failures:
            return set()
        ids = {message.id for message in messages}
        try:
            failed = {_identifier(failure) for failure in (answer or {}).get("batchItemFailures") or ()}
        except (AttributeError, KeyError, TypeError):
            log.error("%s returned something that is no partial batch response", self._source.function)
            return ids
        if not failed <= ids:
            log.error("%s reported a message that it was not given", self._source.function)
            return ids
        return failed


def _identifier(failure: Mapping[str, Any]) -> str:
    return str(failure["itemIdentifier"])
