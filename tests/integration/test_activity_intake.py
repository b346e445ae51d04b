"""The intake with its real stores: what is answered, what is stored, who is woken."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from standardwebhooks import Webhook

from functions.activity_intake.answers import Answer
from functions.activity_intake.bootstrap import build
from functions.activity_intake.credentials import EVENTS_CREDENTIALS
from functions.activity_intake.handler import lambda_handler
from functions.activity_intake.service import MOST_BYTES
from functions.aftercare_triggers.watermark import Watermarks
from functions.shared import runtime
from functions.shared.adapters.aws.care_door import CLIENTS_A_MESSAGE, CareDoor
from functions.shared.adapters.dynamodb.table import Item, Table
from functions.shared.care import FeedSpec
from functions.shared.errors import NotConfigured, RetryLater
from functions.shared.facts import PURCHASE_COMPLETED, VISIT_ATTENDED, current
from functions.shared.handle_hash import IDENTITY_KEY, handle_hash
from functions.shared.runtime import Runtime
from tests.fakes import ManualClock
from tests.intake_door import KEY, SECRET, TOKEN, IntakeDoor, visit
from tests.memory_table import MemoryTable

BEARER = {"authorization": f"Bearer {TOKEN}"}
PHONE = "+79123456789"


@pytest.fixture
def door() -> IntakeDoor:
    return IntakeDoor()


class TestWhatIsAnswered:
    def test_each_item_has_its_own_answer_in_order(self, door: IntakeDoor) -> None:
        door.know(7, f"phone:{PHONE}")
        results = door.tell(
            visit(1, phone="8 (912) 345-67-89"),
            visit(1, phone="8 (912) 345-67-89"),
            visit(2, phone="+79990000000"),
            visit(3, at="yesterday"),
            "no object",
        )
        assert [(one["id"], one["status"]) for one in results] == [
            ("v-1", "accepted"),
            ("v-1", "duplicate"),
            ("v-2", "unidentified"),
            ("v-3", "invalid"),
            ("", "invalid"),
        ]
        assert ["reason" in one for one in results] == [False, False, True, True, True]

    def test_the_same_again_is_a_duplicate_and_stored_once(self, door: IntakeDoor) -> None:
        assert door.statuses(visit(1), visit(2)) == ["accepted"] * 2
        assert door.statuses(visit(2), visit(3), visit(1)) == ["duplicate", "accepted", "duplicate"]
        assert len(door.facts_of(7)) == 3

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"authorization": "Bearer x"}, 401),
            (BEARER | {"content_type": "text/xml"}, 415),
            (BEARER | {"content_type": "application/json; charset=utf-8"}, 202),
        ],
    )
    def test_who_may_not_speak_or_not_so(self, door: IntakeDoor, headers: dict[str, str], status: int) -> None:
        answer = door.post(json.dumps(visit()).encode(), **headers)
        assert answer.status == status
        assert len(door.facts_of(7)) == (status == 202)
        assert answer.headers == ({"www-authenticate": "Bearer"} if status == 401 else {})

    def test_what_is_too_big_or_no_json(self, door: IntakeDoor) -> None:
        assert door.post(b" " * MOST_BYTES + b"1", **BEARER).status == 413
        assert door.post(json.dumps([visit()] * 501).encode(), **BEARER).status == 413
        assert door.post(b"{", **BEARER).status == 400
        assert door.post(b"[]", **BEARER).document == {"results": []}

    def test_five_hundred_items_are_taken(self, door: IntakeDoor) -> None:
        assert set(door.statuses(*(visit(number) for number in range(500)))) == {"accepted"}
        assert len(door.facts_of(7)) == 500

    def test_what_a_public_library_signs_is_taken_also_by_a_second_live_secret(self, door: IntakeDoor) -> None:
        body = json.dumps(visit())
        other = "whsec_" + base64.b64encode(b"x" * 24).decode()
        door.secrets.values[EVENTS_CREDENTIALS] = json.dumps({"gym": {"secrets": [other, SECRET]}})
        for secret in (SECRET, other):
            signature = Webhook(secret).sign("msg", door.clock.now(), body)
            signed = {"webhook_id": "msg", "webhook_signature": signature}
            signed["webhook_timestamp"] = str(int(door.clock.now().timestamp()))
            assert door.post(body.encode(), **signed).status == 202

    def test_a_new_source_works_within_half_a_minute_and_wrong_tokens_do_not_make_us_ask(
        self, door: IntakeDoor
    ) -> None:
        assert door.post(b"[]", **BEARER).status == 202
        reads = door.secrets.reads
        door.secrets.values[EVENTS_CREDENTIALS] = json.dumps({"till": {"tokens": ["new"]}})
        assert [door.post(b"[]", authorization="Bearer new").status for _ in range(50)] == [401] * 50
        assert door.secrets.reads == reads
        door.clock.advance(31)
        assert door.post(b"[]", authorization="Bearer new").status == 202
        assert door.post(b"[]", **BEARER).status == 401

    def test_before_the_first_source_is_stored_nobody_may_speak(self, door: IntakeDoor) -> None:
        door.secrets.values.clear()
        assert door.post(b"[]", **BEARER).status == 401

    def test_nobody_speaks_for_a_source_that_has_credentials_of_its_own(self, door: IntakeDoor) -> None:
        known = {"gym": {"tokens": [TOKEN]}, "till": {"tokens": ["x"]}}
        door.secrets.values[EVENTS_CREDENTIALS] = json.dumps(known)
        cloud = {"specversion": "1.0", "id": "1", "type": "source.heartbeat", "time": "2026-11-23T08:30:00Z"}
        beats = [
            {**cloud, "source": each, "data": {"complete_until": cloud["time"]}} for each in ("till", "gym", "gate")
        ]
        assert door.statuses(*beats) == ["invalid", "accepted", "accepted"]
        assert door.stores.feeds.all().keys() == {"gym", "gate"}

    def test_what_the_installation_lacks_is_said_in_the_log_and_may_be_sent_again(self, door: IntakeDoor) -> None:
        del door.secrets.values[IDENTITY_KEY]
        answer = door.post(json.dumps(visit()).encode(), **BEARER)
        assert (answer.status, answer.headers) == (503, {"retry-after": "300"})
        ((event, fields),) = door.telemetry.lines
        assert event == "interrupted" and IDENTITY_KEY in str(fields["detail"])


class TestWhoseFactItIs:
    def test_an_id_of_the_source_then_the_phone_then_the_e_mail(self, door: IntakeDoor) -> None:
        door.know(1, "ext:gym:77")
        door.know(2, f"phone:{PHONE}")
        door.know(3, "email:a@b.ru")
        door.tell(visit(1, ext="77", phone=PHONE), visit(2, ext="78", phone=PHONE), visit(3, email="A@B.ru"))
        assert [[fact.id for fact in door.facts_of(client)] for client in (1, 2, 3)] == [["v-1"], ["v-2"], ["v-3"]]

    def test_a_family_s_phone_waits_for_a_person_and_is_his_afterwards(self, door: IntakeDoor) -> None:
        door.know(1, f"phone:{PHONE}")
        door.know(2, f"phone:{PHONE}", "email:a@b.ru")
        assert door.statuses(visit(1, phone=PHONE, email="a@b.ru"), visit(2, phone=PHONE)) == ["unidentified"] * 2
        (waiting,) = door.stores.identities.parked()
        assert (waiting.hashed, waiting.facts) == (handle_hash(KEY, f"phone:{PHONE}"), 2)
        assert (waiting.candidates, waiting.sources) == ({1, 2}, {"gym"})
        assert not door.facts_of(1) + door.facts_of(2)

        door.stores.identities.release(waiting.hashed, 2, door.stores.facts.put)
        assert [fact.id for fact in door.facts_of(2)] == ["v-1", "v-2"]
        door.know(1)
        assert door.statuses(visit(1, phone=PHONE)) == ["duplicate"], "sent again after the review"

    def test_neither_phones_nor_e_mails_nor_ids_of_the_source_are_stored_or_logged(self, door: IntakeDoor) -> None:
        door.know(1, f"phone:{PHONE}")
        door.tell(visit(1, phone=PHONE, email="anna@b.ru"), visit(2, phone="+79990000001"), visit(3, ext="card-77"))
        stored = str(door.table.rows)  # type: ignore[attr-defined]
        for personal in ("9123456789", "9990000001", "anna@b.ru", "card-77"):
            assert personal not in stored
            assert personal not in str(door.telemetry.lines)
        assert "v-1" not in str(door.telemetry.lines)
        expected = {"source": "gym", "accepted": 1, "unidentified": 2}
        assert door.telemetry.lines == [("facts_told", expected)]


class TestWhoIsWoken:
    def test_a_new_client_is_and_then_only_by_what_concerns_him(self, door: IntakeDoor) -> None:
        door.rules_are_woken_by("visit.missed")
        door.tell(visit(1))
        assert door.care.woken == [7]
        door.has_a_row(7, PURCHASE_COMPLETED)
        door.care.woken.clear()
        door.tell(visit(2))
        assert door.care.woken == []
        for item in (
            visit(3, event="visit.missed"),
            visit(4, event=PURCHASE_COMPLETED),
            visit(2, recorded="2026-11-23T08:59:00Z"),
            visit(5, at="2026-11-20T08:00:00Z"),
        ):
            door.care.woken.clear()
            door.tell(item)
            assert door.care.woken == [7], item

    def test_after_an_attempt_that_died_before_it_told_anybody_the_duplicate_does(self, door: IntakeDoor) -> None:
        door.care.fails = True
        answer = door.post(json.dumps([visit()]).encode(), **BEARER)
        assert (answer.status, answer.headers) == (429, {"retry-after": "5"})
        door.care.fails = False
        assert door.statuses(visit()) == ["duplicate"]
        assert door.care.woken == [7]

    def test_the_row_is_read_after_the_fact_is_stored(self) -> None:
        """Else an episode that begins in between would neither have read the fact nor be woken by it."""

        class EpisodeBegins(MemoryTable):
            def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
                super().put(item, condition, values)
                if item["sk"].startswith("EVT#"):
                    door.has_a_row(7, VISIT_ATTENDED)

        door = IntakeDoor(EpisodeBegins())
        door.has_a_row(7)
        door.tell(visit())
        assert door.care.woken == [7]

    def test_a_fact_dated_ahead_is_looked_at_after_it_has_happened_the_others_at_once(self, door: IntakeDoor) -> None:
        ahead = (door.clock.now() + timedelta(minutes=4)).isoformat()
        door.tell(visit(1), visit(2, crm_id=8, at=ahead))
        assert door.care.woken == [7, 8]
        assert door.care.delays == [timedelta(0), timedelta(minutes=4, seconds=1)]

    def test_who_has_no_time_of_his_own_is_woken_until_the_rules_in_force_have_judged_him(
        self, door: IntakeDoor
    ) -> None:
        door.has_a_row(7)
        door.rules_are_woken_by("visit.missed")
        door.tell(visit(1))
        assert door.care.woken == [7]
        row = door.stores.clients.of([7])[7]
        door.stores.clients.put(replace(row, rules_version=door.stores.rule_books.current().version))
        door.clock.advance(61)
        door.tell(visit(2))
        assert door.care.woken == [7]


class TestFacts:
    def test_a_correction_is_a_newer_version_of_the_same_fact(self, door: IntakeDoor) -> None:
        door.tell(visit(1), visit(1, event="visit.missed", recorded="2026-11-23T08:45:00Z"))
        (fact,) = current(door.facts_of(7))
        assert fact.type == "visit.missed"

    def test_what_is_stored_of_one(self, door: IntakeDoor) -> None:
        door.tell(visit(1, session_id="b-901", price=10.5))
        (fact,) = door.facts_of(7)
        assert (fact.source, fact.id, fact.type) == ("gym", "v-1", VISIT_ATTENDED)
        assert fact.time == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
        assert (fact.received, fact.recorded) == (door.clock.now(), None)
        assert {name: str(value) for name, value in fact.data.items()} == {"session_id": "b-901", "price": "10.5"}

    def test_an_item_without_an_id_told_twice_is_one_fact(self, door: IntakeDoor) -> None:
        assert door.statuses(visit(id=""), visit(id="")) == ["accepted", "duplicate"]

    def test_a_table_that_is_busy_is_not_the_sender_s_fault(self) -> None:
        class Busy(MemoryTable):
            is_busy = False

            def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
                if self.is_busy and item["pk"].startswith("CLIENT#"):
                    raise RetryLater("DynamoDB: throttled", after=2.5)
                super().put(item, condition, values)

        table = Busy()
        door = IntakeDoor(table)
        table.is_busy = True
        answer = door.post(json.dumps([visit()]).encode(), **BEARER)
        assert (answer.status, answer.headers) == (429, {"retry-after": "3"})
        table.is_busy = False
        assert door.statuses(visit()) == ["accepted"]


class TestFeeds:
    def test_a_heartbeat_is_about_the_source_alone_and_never_about_the_future(self, door: IntakeDoor) -> None:
        beat = visit(event="source.heartbeat", complete_until="2026-11-23T08:00:00Z")
        assert door.statuses(beat, {**beat, "crm_id": ""}) == ["accepted"] * 2
        assert not door.facts_of(7) and not door.care.woken
        feed = door.stores.feeds.all()["gym"]
        assert feed.complete_until == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        door.tell({**beat, "complete_until": "2027-01-01T00:00:00Z"})
        assert door.stores.feeds.all()["gym"].complete_until == door.clock.now()

    def test_what_arrives_moves_the_source_at_most_once_a_minute(self, door: IntakeDoor) -> None:
        for second in range(60):
            door.tell(visit(second, at=(door.clock.now() - timedelta(minutes=1)).isoformat()))
            door.clock.advance(1)
        feed = door.table.rows["FEEDS", "gym"]  # type: ignore[attr-defined]
        assert feed["version"] <= 2

    def test_a_feed_is_known_by_the_source_it_names_and_by_its_credential(self, door: IntakeDoor) -> None:
        cloud = {"specversion": "1.0", "source": "gate-2", "time": "2026-11-23T08:30:00Z", "subject": "crm:7"}
        beat = {**cloud, "id": "b", "type": "source.heartbeat", "data": {"complete_until": "2026-11-23T08:40:00Z"}}
        door.tell({**cloud, "id": "1", "type": "visit.attended"}, beat)
        feeds = door.stores.feeds.all()
        assert feeds.keys() == {"gate-2", "gym"}
        assert feeds["gate-2"].complete_until == datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
        assert feeds["gym"].last_at == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
        assert feeds["gym"].complete_until is None, "one source says nothing of what else comes by the same credential"

    def test_what_silence_is_usual_is_learned_when_it_ends(self, door: IntakeDoor) -> None:
        """23 November 2026 is a Monday; 9:00 UTC is noon in the department's Moscow."""
        door.tell(visit(1, at="2026-11-23T09:00:00Z"))
        door.clock.advance(3 * 3600 + 60)
        door.tell(visit(2, at="2026-11-23T12:00:30Z"))
        assert door.stores.feeds.all()["gym"].gaps == {"1-13:1": 1, "1-14:2": 1, "1-15:3": 1}

    def test_the_watermark_of_a_rule_stands_while_the_gate_is_silent_and_goes_on_when_it_tells_again(
        self, door: IntakeDoor
    ) -> None:
        gate = FeedSpec("gym", frozenset({VISIT_ATTENDED}))

        def horizon() -> datetime | None:
            feeds, now = door.stores.feeds.all(), door.clock.now()
            return Watermarks.of([gate], feeds, ZoneInfo("Europe/Moscow"), now).horizon({VISIT_ATTENDED})

        assert horizon() is None
        door.tell(visit(1, at="2026-11-23T09:00:00Z"))
        assert horizon() == door.clock.now()
        door.clock.advance(7 * 3600)
        assert horizon() == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        door.tell(visit(2, at="2026-11-23T15:59:00Z"))
        assert horizon() == door.clock.now()

    def test_the_unidentified_show_that_a_source_lives_the_invalid_do_not(self, door: IntakeDoor) -> None:
        door.tell(visit(at="yesterday"))
        assert not door.stores.feeds.all()
        door.tell(visit(phone=PHONE))
        assert "gym" in door.stores.feeds.all()


class TestOnAws:
    """The handler, with moto behind it."""

    @pytest.fixture
    def queue_url(self, dynamodb: Any) -> str:
        url: str = boto3.client("sqs", region_name="eu-central-1").create_queue(QueueName="care")["QueueUrl"]
        return url

    @pytest.fixture
    def prefix(self, table: Table, queue_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
        from functions.activity_intake import bootstrap

        prefix = f"/conveyor/{table._name}"
        ssm = boto3.client("ssm", region_name="eu-central-1")
        known = json.dumps({"gym": {"tokens": [TOKEN]}})
        for name, value in {EVENTS_CREDENTIALS: known, IDENTITY_KEY: KEY}.items():
            ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="SecureString")
        environment = {"TABLE_NAME": table._name, "SECRETS_PREFIX": prefix, "CARE_QUEUE_URL": queue_url}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        before = runtime.current()
        client = lambda service: boto3.client(service, region_name="eu-central-1")  # noqa: E731
        runtime.install(Runtime(clock=ManualClock(), aws=client))
        bootstrap.intake.cache_clear()
        IntakeDoor(table)  # applies the department
        yield prefix
        runtime.install(before)
        bootstrap.intake.cache_clear()

    @pytest.mark.parametrize("in_base64", [False, True])
    def test_an_event_of_the_http_api_becomes_a_fact_and_a_wake(
        self, prefix: str, queue_url: str, table: Table, in_base64: bool
    ) -> None:
        body = json.dumps(visit(note="«привет»"), ensure_ascii=False)
        event = {
            "headers": {"authorization": f"Bearer {TOKEN}", "content-type": "application/cloudevents+json"},
            "body": base64.b64encode(body.encode()).decode() if in_base64 else body,
            "isBase64Encoded": in_base64,
        }
        answer = lambda_handler(event, None)
        assert (answer["statusCode"], answer["headers"]) == (202, {"content-type": "application/json"})
        assert json.loads(answer["body"])["results"] == [{"index": 0, "id": "v-1", "status": "accepted"}]
        assert IntakeDoor(table).facts_of(7)[0].data == {"note": "«привет»"}
        sqs = boto3.client("sqs", region_name="eu-central-1")
        (message,) = sqs.receive_message(QueueUrl=queue_url)["Messages"]
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        assert json.loads(message["Body"]) == {"wake": [7], "time": "2026-11-23T09:00:00+00:00"}

    def test_a_body_of_a_mebibyte_is_read_in_base64_too_and_one_byte_more_is_not(self, prefix: str) -> None:
        body = b"[7]"
        for size, status in ((MOST_BYTES, 202), (MOST_BYTES + 1, 413)):
            padded = base64.b64encode(body.ljust(size)).decode()
            event = {"headers": {"authorization": f"Bearer {TOKEN}"}, "body": padded, "isBase64Encoded": True}
            assert lambda_handler(event, None)["statusCode"] == status

    def test_half_a_character_in_body_or_header_is_an_answer_and_no_crash(self, prefix: str) -> None:
        body = json.dumps(visit(), ensure_ascii=False).replace("v-1", "\ud800")
        answer = lambda_handler({"headers": {"authorization": f"Bearer {TOKEN}"}, "body": body}, None)
        assert "half a character" in json.loads(answer["body"])["results"][0]["reason"]
        for name in ("authorization", "webhook-signature"):
            headers = {"webhook-id": "\udfff", "webhook-timestamp": "1795424400", name: "Bearer \ud800 v1,\ud800"}
            assert lambda_handler({"headers": headers, "body": "[]"}, None)["statusCode"] == 401

    def test_a_request_without_a_body_is_answered(self, prefix: str) -> None:
        assert lambda_handler({"headers": {"Authorization": f"Bearer {TOKEN}"}}, None)["statusCode"] == 400

    def test_many_clients_are_told_in_several_messages(self, queue_url: str) -> None:
        sqs = boto3.client("sqs", region_name="eu-central-1")
        CareDoor(lambda: sqs, queue_url).wake(range(1, 2 * CLIENTS_A_MESSAGE + 2), ManualClock().now())
        told: list[int] = []
        for message in sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]:
            told += json.loads(message["Body"])["wake"]
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        assert sorted(told) == [*range(1, 2 * CLIENTS_A_MESSAGE + 2)]

    def test_a_queue_that_is_gone_is_to_be_tried_again(self, dynamodb: Any) -> None:
        sqs = boto3.client("sqs", region_name="eu-central-1")
        with pytest.raises(RetryLater, match="SQS"):
            CareDoor(lambda: sqs, "https://sqs.eu-central-1.amazonaws.com/1/gone").wake([1], ManualClock().now())

    def test_what_the_environment_lacks_is_named(self) -> None:
        with pytest.raises(NotConfigured, match="SECRETS_PREFIX, CARE_QUEUE_URL"):
            build({"TABLE_NAME": "t"}, Runtime())


def test_an_answer_never_shows_its_document_in_a_log() -> None:
    assert "secret" not in repr(replace(Answer(202, {"secret": 1}), status=200))
