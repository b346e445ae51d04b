"""The bus and the function's own queue, seen from the code that uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.shared.adapters.aws.bus import EventBridgeBus
from functions.shared.adapters.aws.queue import SqsQueue
from functions.shared.errors import RetryLater
from functions.shared.events import LeadWaiting
from functions.shared.inbox import read_batch
from tests.builders import sqs_record

EVENT = LeadWaiting(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), 7, "lead_desk", "site", "off_shift", "-")


class Bus:
    """EventBridge that takes entries, loses the nth call or breaks."""

    def __init__(self, failed: int = 0, error: Exception | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._failed, self._error = failed, error

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, int]:  # noqa: N803 boto3's name
        if self._error:
            raise self._error
        assert len(Entries) <= 10, "the limit of the API"
        self.entries += Entries
        return {"FailedEntryCount": self._failed}


class Sqs:
    def __init__(self) -> None:
        self.visibility: dict[str, int] = {}
        self.sent: list[dict[str, Any]] = []

    def change_message_visibility(self, **request: Any) -> None:
        self.visibility[request["ReceiptHandle"]] = request["VisibilityTimeout"]

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)


def envelope(receive_count: int = 1, body: str = "leads[add][0][id]=1", **attributes: Any) -> Any:
    record = sqs_record(body, "m", receive_count=receive_count) | {"messageAttributes": attributes}
    return read_batch({"Records": [record]})[0]


def test_many_events_are_put_ten_at_a_time_in_order():
    bus = Bus()
    EventBridgeBus(lambda: bus, "sales", "conveyor.distribute").publish([EVENT] * 23)

    assert len(bus.entries) == 23
    assert {(entry["EventBusName"], entry["Source"], entry["DetailType"]) for entry in bus.entries} == {
        ("sales", "conveyor.distribute", "LeadWaiting")
    }


@pytest.mark.parametrize(
    "bus", [Bus(failed=1), Bus(error=ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents"))]
)
def test_a_bus_that_does_not_take_everything_is_asked_again_later(bus):
    with pytest.raises(RetryLater):
        EventBridgeBus(lambda: bus, "sales", "conveyor.distribute").publish([EVENT])


@pytest.mark.parametrize(
    ("receives", "after", "seconds"),
    [
        (1, None, 15),
        (2, None, 30),
        (7, None, 900),
        (30, None, 900),
        (1, 75.4, 75),
        (1, 0, 15),
        (9, 10, 900),
        (3, 5_000, 900),
    ],
)
def test_a_message_is_put_off_by_back_off_or_as_told(receives, after, seconds):
    sqs = Sqs()
    message = envelope(receives)
    SqsQueue(lambda: sqs, "queue", "dead").postpone(message, after)

    assert sqs.visibility == {message.receipt_handle: seconds}


def test_a_message_that_cannot_be_put_off_comes_back_by_itself():
    class Broken:
        def change_message_visibility(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "InternalError"}}, "ChangeMessageVisibility")

    SqsQueue(Broken, "queue", "dead").postpone(envelope(), None)


def test_a_parked_message_keeps_its_body_reason_and_distrust():
    sqs = Sqs()
    message = envelope(body="nonsense", outside={"dataType": "String", "stringValue": "http"})
    SqsQueue(lambda: sqs, "queue", "dead").park(message, "not_a_hook", "d" * 2_000)

    (sent,) = sqs.sent
    assert (sent["QueueUrl"], sent["MessageBody"]) == ("dead", "nonsense")
    values = {name: value["StringValue"] for name, value in sent["MessageAttributes"].items()}
    assert values == {"outside": "http", "reason": "not_a_hook", "detail": "d" * 500}


def test_an_empty_body_can_be_parked_although_sqs_refuses_empty_bodies():
    sqs = Sqs()
    SqsQueue(lambda: sqs, "queue", "dead").park(envelope(body=""), "empty", "")

    assert sqs.sent[0]["MessageBody"]
    assert all(value["StringValue"] for value in sqs.sent[0]["MessageAttributes"].values())
