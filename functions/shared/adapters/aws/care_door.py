"""The queue of the care function, seen from outside: whose facts want to be looked at now."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from functions.shared.errors import RetryLater

CLIENTS_A_MESSAGE = 50
"""Each is a read and a transaction: a message is worked in a second or two, and one bad client holds up few others."""


class CareDoor:
    """`client` is a lazy boto3 SQS client."""

    def __init__(self, client: Callable[[], Any], queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def wake(self, clients: Iterable[int], now: datetime, after: timedelta = timedelta(0)) -> None:
        """Have these clients looked at, at once or after so long (SQS: 15 minutes at most); to say it twice does no
        harm. Raises RetryLater, where some may be told."""
        from botocore.exceptions import BotoCoreError, ClientError

        wanted, delay = sorted(set(clients)), math.ceil(after.total_seconds())
        for start in range(0, len(wanted), CLIENTS_A_MESSAGE):
            message = {"wake": wanted[start : start + CLIENTS_A_MESSAGE], "time": now.isoformat()}
            try:
                self._client().send_message(
                    QueueUrl=self._queue_url, MessageBody=json.dumps(message), DelaySeconds=delay
                )
            except (BotoCoreError, ClientError) as error:
                raise RetryLater(f"SQS: {type(error).__name__}") from error
