"""The bus «sales» on EventBridge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from functions.shared.errors import RetryLater
from functions.shared.ports import BusEvent

ENTRIES_PER_CALL = 10
"""Limit of the PutEvents API."""


class EventBridgeBus:
    """`client` is a lazy boto3 EventBridge client; `source` is `conveyor.<function>`."""

    def __init__(self, client: Callable[[], Any], bus_name: str, source: str) -> None:
        self._client = client
        self._bus_name = bus_name
        self._source = source

    def publish(self, events: Sequence[BusEvent]) -> None:
        """Raises RetryLater if the bus cannot be reached or did not take them all: PutEvents answers 200 even then."""
        for start in range(0, len(events), ENTRIES_PER_CALL):
            entries = [self._entry(event) for event in events[start : start + ENTRIES_PER_CALL]]
            answer = self._put(entries)
            if answer["FailedEntryCount"]:
                raise RetryLater(f"EventBridge took all but {answer['FailedEntryCount']} of {len(entries)} events")

    def _put(self, entries: list[dict[str, Any]]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._client().put_events(Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise RetryLater(f"EventBridge: {type(error).__name__}") from error

    def _entry(self, event: BusEvent) -> dict[str, Any]:
        return {
            "EventBusName": self._bus_name,
            "Source": self._source,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail(), ensure_ascii=False),
            "Time": event.occurred_at,
        }
