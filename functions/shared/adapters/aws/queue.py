"""The function's own queue, seen from inside: putting a message off, and parking one that can never work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from functions.shared.errors import RetryLater
from functions.shared.inbox import OUTSIDE, Envelope

LONGEST_WAIT_SECONDS = 900
FIRST_WAIT_SECONDS = 15
"""Back-off 15, 30, 60 … 900 s: a passing fault costs seconds, and 30 receives (the queue's limit) last for over six
hours, longer than any outage of amoCRM we know of; after that the message lies in the dead letters."""


class SqsQueue:
    """`client` is a lazy boto3 SQS client."""

    def __init__(self, client: Callable[[], Any], queue_url: str, dead_letters_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letters_url = dead_letters_url

    def postpone(self, envelope: Envelope, after: float | None) -> None:
        """Let the message come back by back-off, and not before `after` seconds; the caller reports it as failed.

        Never raises: what cannot be put off comes back when the queue's own visibility timeout ends.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        backed_off = FIRST_WAIT_SECONDS * 2 ** (envelope.receive_count - 1)
        with suppress(BotoCoreError, ClientError):
            self._client().change_message_visibility(
                QueueUrl=self._queue_url,
                ReceiptHandle=envelope.receipt_handle,
                VisibilityTimeout=int(min(max(backed_off, after or 0), LONGEST_WAIT_SECONDS)),
            )

    def park(self, envelope: Envelope, reason: str, detail: str) -> None:
        """Keep a message that can never work in the dead letters, with its reason, so that nothing is lost silently.

        Raises RetryLater.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        outside = {OUTSIDE: {"DataType": "String", "StringValue": "http"}} if envelope.from_outside else {}
        attributes = {
            **outside,  # a replay must not make it more trusted than it was
            "reason": {"DataType": "String", "StringValue": reason},
            "detail": {"DataType": "String", "StringValue": detail[:500] or "-"},
        }
        try:
            self._client().send_message(
                QueueUrl=self._dead_letters_url,
                MessageBody=envelope.body or "-",  # SQS refuses an empty body
                MessageAttributes=attributes,
            )
        except (BotoCoreError, ClientError) as error:
            raise RetryLater(f"SQS: {type(error).__name__}") from error
