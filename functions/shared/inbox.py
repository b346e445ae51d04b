"""A function's queue is its only door: webhooks, bus events and ticks come through it. Here they get their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from functions.shared.errors import HookRejected
from functions.shared.hooks import HookEvent, Reason, read_hook
from functions.shared.hooks.wire import load_json

OUTSIDE = "outside"
"""Message attribute that the HTTP API's integration sets (template.yaml). Whoever knows the hook token could otherwise
post an event of the bus, which is believed where a hook is only a hint."""

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Hook:
    """A webhook of amoCRM, with at least one event."""

    events: tuple[HookEvent, ...]


@dataclass(frozen=True)
class BusMessage:
    """An event of the bus: `detail_type` says which, `detail` is its content as JSON gives it."""

    detail_type: str
    detail: Mapping[str, Any] = field(repr=False)
    event_id: str
    time: datetime


@dataclass(frozen=True)
class Tick:
    """A schedule of ours fired; `time` is the moment it was due, which may be earlier than now."""

    name: str
    time: datetime


@dataclass(frozen=True)
class Wake:
    """These clients are to be looked at: something was told of them that may matter now. At most MOST_CLIENTS."""

    clients: tuple[int, ...]
    time: datetime


MOST_CLIENTS = 1000

Message = Hook | BusMessage | Tick | Wake


@dataclass(frozen=True)
class Envelope:
    """An SQS message as Lambda hands it over: `message`, or None and the `rejection` that says why there is none.

    `receive_count` is 1 on the first delivery. `from_outside` is what the HTTP API put there: never more than a hook,
    whatever it says of itself. A record without readable attributes counts as sent in 1970.
    """

    message_id: str
    receipt_handle: str = field(repr=False)
    sent_at: datetime
    receive_count: int
    body: str = field(repr=False)
    message: Message | None = None
    rejection: HookRejected | None = None
    from_outside: bool = False


def read_batch(event: Mapping[str, Any]) -> list[Envelope]:
    """All records of a Lambda SQS event, in order. A record that cannot be read is rejected alone, never raised."""
    return [_envelope(record) for record in event["Records"]]


def read_message(body: str) -> Message:
    """The message in the body of one SQS record; raises HookRejected.

    EventBridge delivers its envelope with "detail-type" and "detail", our schedules send {"tick": …, "time": …}, and
    whoever takes in facts {"wake": [client ids], "time": …}.
    """
    if body.lstrip().startswith("{"):
        document = load_json(body)
        if "detail-type" in document:
            return _bus_message(document)
        if "tick" in document:
            return _tick(document)
        if "wake" in document:
            return _wake(document)
    return Hook(tuple(read_hook(body)))


def is_foreign(event: HookEvent, subdomain: str, account_id: int | None = None) -> bool:
    """Whether the event names another account than ours; one that names none is not foreign.

    Ids decide where both are known, because an account can be renamed and keep its id.
    """
    if account_id is not None and event.account_id is not None:
        return event.account_id != account_id
    return event.account is not None and _first_label(event.account) != _first_label(subdomain)


def _envelope(record: Mapping[str, Any]) -> Envelope:
    try:
        attributes = record["attributes"]
        envelope = Envelope(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
            receive_count=int(attributes["ApproximateReceiveCount"]),
            body=str(record["body"]),
            from_outside=OUTSIDE in (record.get("messageAttributes") or {}),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        return _unreadable(record, error)
    try:
        if envelope.from_outside:
            return replace(envelope, message=Hook(tuple(read_hook(envelope.body))))
        return replace(envelope, message=read_message(envelope.body))
    except HookRejected as rejection:
        return replace(envelope, rejection=rejection)


def _unreadable(record: object, error: Exception) -> Envelope:
    known = record if isinstance(record, Mapping) else {}
    message_id, receipt_handle, body = (str(known.get(key, "")) for key in ("messageId", "receiptHandle", "body"))
    rejection = HookRejected(Reason.BAD_RECORD, f"not a record of SQS ({type(error).__name__})")
    return Envelope(message_id, receipt_handle, EPOCH, 1, body, rejection=rejection)


def _bus_message(document: Mapping[str, Any]) -> BusMessage:
    detail_type, detail, event_id = document["detail-type"], document.get("detail"), document.get("id")
    if not (isinstance(detail_type, str) and isinstance(event_id, str) and detail_type and event_id):
        raise HookRejected(Reason.BAD_BUS_EVENT, "an envelope whose detail-type or id is missing or no text")
    if not isinstance(detail, dict):
        raise HookRejected(Reason.BAD_BUS_EVENT, "an envelope whose detail is no object")
    return BusMessage(detail_type, detail, event_id, _time(document, Reason.BAD_BUS_EVENT))


def _tick(document: Mapping[str, Any]) -> Tick:
    if not (isinstance(document["tick"], str) and document["tick"]):
        raise HookRejected(Reason.BAD_TICK, "a tick without a name")
    return Tick(document["tick"], _time(document, Reason.BAD_TICK))


def _wake(document: Mapping[str, Any]) -> Wake:
    clients = document["wake"]
    if not isinstance(clients, list) or len(clients) > MOST_CLIENTS or not all(map(_is_id, clients)):
        raise HookRejected(Reason.BAD_TICK, "a wake whose clients are no list of ids, or too many")
    return Wake(tuple(dict.fromkeys(clients)), _time(document, Reason.BAD_TICK))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _time(document: Mapping[str, Any], reason: Reason) -> datetime:
    """The `time` of an envelope or a tick: ISO 8601 with its zone, as EventBridge and Scheduler write it."""
    try:
        time = datetime.fromisoformat(document["time"])
        if time.tzinfo is None:
            raise ValueError
        return time.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise HookRejected(reason, "time is missing or not ISO 8601 with a zone") from None


def _first_label(subdomain: str) -> str:
    """`Example.amocrm.ru` and `example` are the same account."""
    return subdomain.partition(".")[0].casefold()
