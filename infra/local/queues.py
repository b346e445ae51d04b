"""SQS as the local stack needs it: moto's queues, with the checks that real SQS makes and moto does not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moto.sqs.models import Message, SQSBackend
    from moto.sqs.models import Queue as MotoQueue

LARGEST_MESSAGE = 1024 * 1024
"""Bytes, body and attributes together (SQS: message size quota since January 2026)."""

LONGEST_DELAY = 900
MOST_ATTRIBUTES = 10
_INVALID_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DATA_TYPE = re.compile(r"(String|Number|Binary)(\..+)?")


class SqsRefused(Exception):
    """SQS would answer 400 with this error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def check_message(body: str, attributes: Mapping[str, Any], delay_seconds: int = 0) -> None:
    """Raises SqsRefused for a message that real SQS does not take (SQS API reference: SendMessage)."""
    if not body:
        raise SqsRefused("MissingParameter", "The request must contain the parameter MessageBody.")
    if _INVALID_CHARACTER.search(body):
        raise SqsRefused("InvalidMessageContents", "The message contains characters outside the allowed set.")
    if not 0 <= delay_seconds <= LONGEST_DELAY:
        raise SqsRefused("InvalidParameterValue", f"DelaySeconds must be between 0 and {LONGEST_DELAY}.")
    if len(attributes) > MOST_ATTRIBUTES:
        raise SqsRefused("InvalidParameterValue", f"A message has at most {MOST_ATTRIBUTES} attributes.")
    size = len(body.encode())
    for name, attribute in attributes.items():
        size += len(name.encode()) + _checked_size(name, attribute)
    if size > LARGEST_MESSAGE:
        raise SqsRefused(
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {LARGEST_MESSAGE} bytes.",
        )


def _checked_size(name: str, attribute: Any) -> int:
    if not _ATTRIBUTE_NAME.fullmatch(name) or not isinstance(attribute, Mapping):
        raise SqsRefused("InvalidParameterValue", f"The message attribute {name!r} is invalid.")
    kind = attribute.get("DataType", "")
    if not isinstance(kind, str) or not _DATA_TYPE.fullmatch(kind):
        raise SqsRefused("InvalidParameterValue", f"The type of message attribute {name!r} is invalid.")
    value = attribute.get("BinaryValue" if kind.startswith("Binary") else "StringValue")
    if not value:
        raise SqsRefused("InvalidParameterValue", f"The message attribute {name!r} must contain a non-empty value.")
    return len(kind) + len(value if isinstance(value, bytes) else str(value).encode())


@dataclass(frozen=True)
class QueueCounts:
    """`visible` can be received now, `in_flight` waits for a consumer or for its retry or delay."""

    visible: int
    in_flight: int


class LocalQueue:
    """One queue, called from inside AWS: API Gateway, Scheduler and Lambda's poller do not go through an SDK."""

    def __init__(self, backend: SQSBackend, name: str) -> None:
        self._backend = backend
        self.name = name

    @property
    def _queue(self) -> MotoQueue:
        return self._backend.get_queue(self.name)

    @property
    def arn(self) -> str:
        return str(self._queue.queue_arn)

    @property
    def region(self) -> str:
        return str(self._queue.region)

    @property
    def dead_letter_queue(self) -> str | None:
        queue = self._queue.dead_letter_queue
        return str(queue.name) if queue else None

    def send(self, body: str, attributes: Mapping[str, Any] | None = None, delay_seconds: int | None = None) -> Message:
        """Raises SqsRefused."""
        check_message(body, attributes or {}, delay_seconds or 0)
        return self._backend.send_message(self.name, body, dict(attributes or {}), delay_seconds)

    def receive(self, count: int) -> list[Message]:
        """Up to `count` messages; those received too often go to the dead-letter queue instead."""
        visibility = int(self._queue.visibility_timeout)  # type: ignore[attr-defined]
        return self._backend.receive_message(self.name, count, 0, visibility, ["All"])

    def delete(self, receipt_handles: Collection[str]) -> None:
        for handle in receipt_handles:
            self._backend.delete_message(self.name, handle)

    def counts(self) -> QueueCounts:
        messages = list(self._queue._messages)
        visible = sum(message.visible and not message.delayed for message in messages)
        return QueueCounts(visible, len(messages) - visible)

    def visible_since(self) -> list[datetime]:
        """For each message the moment from which it can be received: past or future, the earliest first."""
        return sorted(map(_visible_since, list(self._queue._messages)))

    def bodies(self) -> list[str]:
        """What lies in the queue, without receiving it."""
        return [message.body for message in list(self._queue._messages)]


def _visible_since(message: Message) -> datetime:
    milliseconds = max(message.visible_at, message.delayed_until, float(message.sent_timestamp or 0))
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def lambda_record(message: Message, queue: LocalQueue) -> dict[str, Any]:
    """The message as Lambda hands it to a function (Lambda developer guide: SQS event)."""
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if message.group_id is not None:
        attributes["MessageGroupId"] = message.group_id
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {name: _record_attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    }


def _record_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    value = {"dataType": attribute["DataType"], "stringListValues": [], "binaryListValues": []}
    if attribute.get("StringValue") is not None:
        value["stringValue"] = attribute["StringValue"]
    if attribute.get("BinaryValue") is not None:
        value["binaryValue"] = attribute["BinaryValue"]
    return value
