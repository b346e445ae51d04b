"""What comes out of a function's queue."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.errors import HookRejected
from functions.shared.hooks import Reason, read_hook
from functions.shared.inbox import BusMessage, Hook, Tick, is_foreign, read_batch, read_message

FORM = "leads[add][0][id]=7&account[subdomain]=example"
BUS = {
    "version": "0",
    "id": "0e1c9f2a-6a0b-4c63-8f0e-4d6f0c8f2a11",
    "detail-type": "LeadRouted",
    "source": "conveyor.qualify_router",
    "account": "123456789012",
    "time": "2026-03-02T06:15:00Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": {"lead_id": 7, "to_team": "closers"},
}
TICK = {"tick": "waiting-room", "time": "2026-03-02T06:15:00Z"}
QUARTER_PAST_SIX = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["detail-type", "detail", "tick", "time", "id", "leads", "add", "account"])
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)


BODIES = st.text() | st.recursive(st.none() | st.integers() | st.text(), _objects).map(json.dumps)


class TestReadMessage:
    @pytest.mark.parametrize("body", [FORM, base64.b64encode(FORM.encode()).decode()])
    def test_a_webhook_gives_its_events(self, body: str) -> None:
        assert read_message(body) == Hook(tuple(read_hook(FORM)))

    def test_a_digital_pipeline_hook_in_json_is_a_webhook(self) -> None:
        message = read_message('{"leads": {"status": [{"id": 7}]}}')
        assert isinstance(message, Hook)
        assert [(event.entity, event.action, event.id) for event in message.events] == [("leads", "status", 7)]

    def test_an_envelope_of_eventbridge_gives_its_detail_as_it_is(self) -> None:
        assert read_message(json.dumps(BUS)) == BusMessage(
            detail_type="LeadRouted",
            detail={"lead_id": 7, "to_team": "closers"},
            event_id="0e1c9f2a-6a0b-4c63-8f0e-4d6f0c8f2a11",
            time=QUARTER_PAST_SIX,
        )

    def test_a_schedule_of_ours_gives_a_tick_with_the_moment_it_was_due(self) -> None:
        assert read_message(json.dumps(TICK)) == Tick("waiting-room", QUARTER_PAST_SIX)

    def test_times_are_utc_whatever_their_zone(self) -> None:
        message = read_message(json.dumps(TICK | {"time": "2026-03-02T09:15:00+03:00"}))
        assert isinstance(message, Tick)
        assert (message.time, message.time.tzinfo) == (QUARTER_PAST_SIX, UTC)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (json.dumps(BUS | {"detail": "text"}), Reason.BAD_BUS_EVENT),
            (json.dumps(BUS | {"detail-type": None}), Reason.BAD_BUS_EVENT),
            (json.dumps(BUS | {"id": ""}), Reason.BAD_BUS_EVENT),
            (json.dumps(BUS | {"time": "yesterday"}), Reason.BAD_BUS_EVENT),
            (json.dumps(BUS | {"time": "0001-01-01T00:00:00+23:00"}), Reason.BAD_BUS_EVENT),
            (json.dumps({"detail-type": "LeadRouted"}), Reason.BAD_BUS_EVENT),
            (json.dumps(TICK | {"tick": 5}), Reason.BAD_TICK),
            (json.dumps(TICK | {"tick": ""}), Reason.BAD_TICK),
            (json.dumps(TICK | {"time": "2026-03-02T06:15:00"}), Reason.BAD_TICK),
            (json.dumps(TICK | {"time": "<aws.scheduler.scheduled-time>"}), Reason.BAD_TICK),
            ('{"tick": "sweep"}', Reason.BAD_TICK),
            ('{"tick": ' + "1" * 5000 + "}", Reason.NOT_JSON),
            ('{"tick": ' + "[" * 100_000, Reason.TOO_DEEP),
            ("{", Reason.NOT_JSON),
            ("{}", Reason.NOT_A_HOOK),
            ("hello", Reason.NOT_A_HOOK),
            ("", Reason.EMPTY),
        ],
    )
    def test_anything_else_is_rejected_with_its_reason(self, body: str, reason: Reason) -> None:
        with pytest.raises(HookRejected) as caught:
            read_message(body)
        assert caught.value.reason == reason


class TestReadBatch:
    def test_an_envelope_tells_when_and_how_often_the_message_was_sent(self) -> None:
        [envelope] = read_batch({"Records": [_record(FORM)]})
        assert envelope.message_id == "m-1"
        assert envelope.receipt_handle == "handle-1"
        assert envelope.sent_at == datetime(2026, 3, 2, 6, 15, 0, 250_000, tzinfo=UTC)
        assert envelope.receive_count == 3
        assert envelope.body == FORM
        assert isinstance(envelope.message, Hook)
        assert envelope.rejection is None

    def test_a_bad_body_is_rejected_alone_and_its_neighbours_are_read(self) -> None:
        bodies = [FORM, "leads[add][0][name]=%FF", json.dumps(BUS), "", json.dumps(TICK)]
        envelopes = read_batch({"Records": [_record(body) for body in bodies]})
        assert [type(envelope.message) for envelope in envelopes] == [Hook, type(None), BusMessage, type(None), Tick]
        reasons = [envelope.rejection and envelope.rejection.reason for envelope in envelopes]
        assert reasons == [None, Reason.NOT_UTF8, None, Reason.EMPTY, None]
        assert [envelope.body for envelope in envelopes] == bodies

    @pytest.mark.parametrize(
        "record",
        [
            {"messageId": "m-1"},
            {"messageId": "m-1", "body": FORM, "receiptHandle": "h", "attributes": {}},
            {"messageId": "m-1", "body": FORM, "receiptHandle": "h", "attributes": None},
            {
                "messageId": "m-1",
                "body": FORM,
                "receiptHandle": "h",
                "attributes": {"SentTimestamp": "9" * 30, "ApproximateReceiveCount": "1"},
            },
        ],
    )
    def test_a_record_that_is_none_of_sqs_is_rejected_and_keeps_its_id(self, record: dict[str, Any]) -> None:
        good = _record(FORM)
        bad, neighbour = read_batch({"Records": [record, good]})
        assert (bad.message_id, bad.message) == ("m-1", None)
        assert bad.rejection is not None
        assert bad.rejection.reason == Reason.BAD_RECORD
        assert neighbour.message is not None

    @given(BODIES)
    def test_any_body_becomes_a_message_or_a_rejection(self, body: str) -> None:
        [envelope] = read_batch({"Records": [_record(body)]})
        assert (envelope.message is None) != (envelope.rejection is None)

    def test_a_repr_shows_neither_body_nor_fields(self) -> None:
        [envelope] = read_batch({"Records": [_record("contacts[add][0][name]=Anna")]})
        assert "Anna" not in repr(envelope)


class TestIsForeign:
    @pytest.mark.parametrize(
        ("account", "subdomain", "account_id", "foreign"),
        [
            ("account[subdomain]=example", "example", None, False),
            ("account[subdomain]=Example", "example.amocrm.ru", None, False),
            ("account[subdomain]=other", "example", None, True),
            ("account[subdomain]=other", "example.amocrm.ru", None, True),
            ("account[id]=9", "example", None, False),
            ("account[id]=9", "example", 9, False),
            ("account[id]=9", "example", 8, True),
            ("account[subdomain]=renamed&account[id]=9", "example", 9, False),
            ("account[subdomain]=example&account[id]=9", "example", 8, True),
            ("account[subdomain]=other", "example", 9, True),
            ("nothing=1", "example", 9, False),
        ],
    )
    def test_another_account_is_recognised(
        self, account: str, subdomain: str, account_id: int | None, foreign: bool
    ) -> None:
        [event] = read_hook(f"leads[add][0][id]=7&{account}")
        assert is_foreign(event, subdomain, account_id) is foreign


class TestWhatComesFromOutside:
    OUTSIDE: ClassVar = {"outside": {"dataType": "String", "stringValue": "http"}}

    @pytest.mark.parametrize(
        "body",
        [
            '{"tick": "waiting-room", "time": "2026-11-23T09:00:00Z"}',
            '{"id": "1", "time": "2026-11-23T09:00:00Z", "detail-type": "LeadClosed", "detail": {"lead_id": 7}}',
        ],
    )
    def test_it_is_never_an_event_of_ours_whatever_it_says(self, body: str) -> None:
        trusted, forged = read_batch({"Records": [_record(body), _record(body) | {"messageAttributes": self.OUTSIDE}]})

        assert trusted.message is not None
        assert forged.message is None
        assert forged.rejection is not None

    def test_a_hook_from_outside_is_a_hook(self) -> None:
        record = _record("leads[add][0][id]=7") | {"messageAttributes": self.OUTSIDE}
        (envelope,) = read_batch({"Records": [record]})

        assert isinstance(envelope.message, Hook)
        assert envelope.from_outside


def _record(body: str) -> dict[str, Any]:
    return {
        "messageId": "m-1",
        "receiptHandle": "handle-1",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "3",
            "SentTimestamp": "1772432100250",
            "SenderId": "AROAEXAMPLE:hooks",
            "ApproximateFirstReceiveTimestamp": "1772432100300",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:leads",
        "awsRegion": "eu-central-1",
    }
