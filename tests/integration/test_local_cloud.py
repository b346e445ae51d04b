"""A template of one of everything, played in process: nothing is kinder than AWS."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from infra.local.clock import VirtualClock
from infra.local.cloud import LocalCloud
from infra.local.intrinsics import Unsupported
from infra.local.template import Template
from tests.integration.local_support import REGION, TOKEN, recorder, write_template

MORNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
HOOK = f"/hooks/{TOKEN}/leads"
NO_TICKS = ("ScheduleExpression: rate(5 minutes)", "ScheduleExpression: rate(5 minutes)\n      State: DISABLED")
NO_WINDOW = ("MaximumBatchingWindowInSeconds: 2", "MaximumBatchingWindowInSeconds: 0")


class Played:
    """A running cloud: `client` posts to its gateway, `work` is the module that records what its functions get."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.client: FlaskClient = cloud.app.test_client()
        self.work: Any = recorder(cloud.template.functions["conveyor-Work"].handler)

    def post(self, body: str | bytes, path: str = HOOK) -> int:
        form = "application/x-www-form-urlencoded"
        return self.client.post(path, data=body, content_type=form).status_code

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get("/_local/status").json or {}
        return answer

    def door(self) -> dict[str, int]:
        counts: dict[str, int] = self.status()["queues"]["conveyor-Door"]
        return counts

    def advance(self, seconds: float) -> None:
        # with the content type that curl and urllib send when nobody says otherwise
        asked = json.dumps({"advance_seconds": seconds})
        answer = self.client.post("/_local/clock", data=asked, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 200

    def settle(self) -> None:
        deadline = time.monotonic() + 10
        while not self.status()["idle"]:
            assert time.monotonic() < deadline, "the stack does not come to rest"
            time.sleep(0.005)


@contextmanager
def played(folder: Path, *changes: tuple[str, str], **options: Any) -> Iterator[Played]:
    template = Template(write_template(folder, *changes), {"HookToken": TOKEN}, REGION)
    with LocalCloud(template, VirtualClock(MORNING), REGION, **options) as cloud, cloud.timeline:
        yield Played(cloud)


def test_a_webhook_goes_through_its_queue_into_the_function_as_lambda_would_hand_it_over(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS) as stack:
        assert stack.post("leads%5Badd%5D%5B0%5D%5Bid%5D=1&x=a+b") == 200
        stack.settle()
        [event] = stack.work.events
    [record] = event["Records"]
    assert record["body"] == "leads%5Badd%5D%5B0%5D%5Bid%5D=1&x=a+b"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    sent = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    assert timedelta() <= sent - MORNING < timedelta(seconds=30)
    assert record["messageAttributes"]["requestId"]["dataType"] == "String"
    assert record["messageAttributes"]["requestId"]["stringValue"]
    assert record["eventSourceARN"] == "arn:aws:sqs:eu-central-1:123456789012:conveyor-Door"
    assert record["messageId"] and record["receiptHandle"] and len(record["md5OfBody"]) == 32


def test_done_messages_are_deleted_and_failed_ones_come_back_until_they_are_dead(tmp_path: Path) -> None:
    def fail_bad(event: Any, context: Any) -> Any:
        failed = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    with played(tmp_path, NO_TICKS) as stack:
        stack.work.behave = fail_bad
        for body in ("good", "bad"):
            stack.post(body)
        stack.settle()
        assert stack.work.calls == [["good", "bad"]]
        assert stack.door() == {"visible": 0, "in_flight": 1, "dlq": 0}
        stack.advance(50)
        assert len(stack.work.calls) == 1, "the visibility timeout of 60 s is not over"
        stack.advance(20)
        assert stack.work.calls[1:] == [["bad"]]
        stack.advance(130)
        assert stack.work.calls[1:] == [["bad"], ["bad"]], "maxReceiveCount is 3"
        assert stack.door() == {"visible": 0, "in_flight": 0, "dlq": 1}


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
        {"batchItemFailures": [{"id": "x"}]},
        {"batchItemFailures": "nonsense"},
        "nonsense",
    ],
)
def test_an_answer_that_lambda_cannot_read_keeps_the_whole_batch(tmp_path: Path, answer: Any) -> None:
    with played(tmp_path, NO_TICKS) as stack:
        stack.work.behave = lambda event, context: answer
        stack.post("one")
        stack.settle()
        assert stack.door() == {"visible": 0, "in_flight": 1, "dlq": 0}


def test_an_exception_keeps_the_whole_batch(tmp_path: Path) -> None:
    def crash(event: Any, context: Any) -> Any:
        raise RuntimeError("crash")

    with played(tmp_path, NO_TICKS) as stack:
        stack.work.behave = crash
        stack.post("one")
        stack.settle()
        assert stack.door()["in_flight"] == 1


def test_a_function_that_uses_more_than_its_timeout_has_failed(tmp_path: Path) -> None:
    remaining = []

    with played(tmp_path, NO_TICKS) as stack:

        def dawdle(event: Any, context: Any) -> Any:
            stack.cloud.clock.sleep(4)
            remaining.append(context.get_remaining_time_in_millis())
            stack.cloud.clock.sleep(8)
            return {"batchItemFailures": []}

        stack.work.behave = dawdle
        stack.post("one")
        stack.settle()
        assert 5_000 < remaining[0] <= 6_000
        assert stack.door()["in_flight"] == 1


def test_without_report_batch_item_failures_an_answer_changes_nothing(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS, ("FunctionResponseTypes: [ReportBatchItemFailures]", "Enabled: true")) as stack:
        stack.work.behave = lambda event, context: {
            "batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
        }
        stack.post("one")
        stack.settle()
        assert stack.door() == {"visible": 0, "in_flight": 0, "dlq": 0}


def test_a_message_that_the_function_put_off_comes_back_when_it_said(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS, NO_WINDOW) as stack:
        seen = []

        def put_off(event: Any, context: Any) -> Any:
            [record] = event["Records"]
            seen.append(stack.cloud.clock.now())
            sqs = stack.cloud.aws.client("sqs")
            url = sqs.get_queue_url(QueueName="conveyor-Door")["QueueUrl"]
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=200)
            return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}] if len(seen) < 3 else []}

        stack.work.behave = put_off
        stack.post("one")
        stack.settle()
        stack.advance(600)
        assert len(seen) == 3
        assert [round((after - before).total_seconds()) for before, after in pairwise(seen)] == [200, 200]
        assert stack.door() == {"visible": 0, "in_flight": 0, "dlq": 0}


def test_a_batching_window_gathers_a_burst_up_to_the_batch_size(tmp_path: Path) -> None:
    at = []
    with played(tmp_path, NO_TICKS) as stack:

        def look_at_the_clock(event: Any, context: Any) -> Any:
            at.append(stack.cloud.clock.now())
            return {"batchItemFailures": []}

        stack.work.behave = look_at_the_clock
        start = stack.cloud.clock.now()
        for number in range(7):
            stack.post(str(number))
        stack.settle()
        assert stack.work.calls == [["0", "1", "2", "3", "4"], ["5", "6"]]
    assert at[0] - start < timedelta(seconds=2) <= at[1] - start, "a full batch does not wait, the rest does"


def test_schedules_fire_in_order_with_what_becomes_visible_between_them(tmp_path: Path) -> None:
    with played(tmp_path, NO_WINDOW) as stack:
        stack.settle()
        stack.work.behave = lambda event, context: {
            "batchItemFailures": [
                {"itemIdentifier": record["messageId"]} for record in event["Records"] if record["body"] == "late"
            ]
        }
        stack.post("late")  # comes back after 60 s, twice
        stack.settle()
        stack.work.calls.clear()
        stack.advance(11 * 60)
        bodies = [body for call in stack.work.calls for body in call]
    assert bodies == ["late", "late", '{"tick": "2026-03-02T06:05:00Z"}', '{"tick": "2026-03-02T06:10:00Z"}']


def test_a_tick_fires_at_its_own_time_even_if_a_function_before_it_took_longer(tmp_path: Path) -> None:
    with played(tmp_path, NO_WINDOW, ("Timeout: 10", "Timeout: 900")) as stack:
        stack.settle()
        at: list[float] = []

        def slow(event: Any, context: Any) -> Any:
            at.append((stack.cloud.clock.now() - MORNING).total_seconds() // 60)
            stack.cloud.clock.sleep(0 if len(at) > 1 else 7 * 60)
            return {"batchItemFailures": []}

        stack.work.behave = slow
        stack.work.calls.clear()
        stack.advance(16 * 60)
    ticks = [json.loads(body)["tick"][11:16] for call in stack.work.calls for body in call]
    assert (ticks, at) == (["06:05", "06:10", "06:15"], [5, 12, 15])


def tell(stack: Played, detail_type: str, detail: dict[str, Any]) -> None:
    """As a function does."""
    entry = {"EventBusName": "test-bus", "Source": "conveyor.test", "DetailType": detail_type}
    events = stack.cloud.aws.client("events")
    answer = events.put_events(Entries=[{**entry, "Detail": json.dumps(detail), "Time": stack.cloud.clock.now()}])
    assert answer["FailedEntryCount"] == 0


def told(stack: Played) -> list[dict[str, Any]]:
    return [json.loads(body) for call in stack.work.calls for body in call]


def test_events_of_the_bus_reach_the_queue_as_a_whole_envelope_if_a_rule_wants_them(tmp_path: Path) -> None:
    detail = {"lead_id": 1, "text": 'Заявка <id> "x"', "nobody": None}
    with played(tmp_path, NO_TICKS) as stack:
        for detail_type in ("LeadRouted", "LeadAssigned"):
            tell(stack, detail_type, detail)
        stack.settle()
        [event] = stack.work.events
        [envelope] = told(stack)
    assert envelope.pop("id")
    assert envelope.pop("time").startswith("2026-03-02T06:00")
    assert envelope == {
        "version": "0",
        "source": "conveyor.test",
        "detail-type": "LeadRouted",
        "account": "123456789012",
        "region": REGION,
        "resources": [],
        "detail": detail,
    }
    assert event["Records"][0]["messageAttributes"] == {}, "nothing marks it as come from outside"


def test_a_rule_wakes_its_function_for_what_its_pattern_says_and_for_nothing_else(tmp_path: Path) -> None:
    pattern = "{detail: {done: [true], twins: [null, {numeric: ['>', 0]}]}}"
    details: list[dict[str, Any]] = [
        {"n": 1, "done": True, "twins": None},
        {"n": 2, "done": True, "twins": []},
        {"n": 3, "done": True, "twins": [17, 4]},
        {"n": 4, "done": False, "twins": [17]},
        {"n": 5, "done": 1, "twins": [17]},
        {"n": 6, "done": True},
    ]
    with played(tmp_path, NO_TICKS, ("{detail-type: [LeadRouted]}", pattern)) as stack:
        for detail in details:
            tell(stack, "LeadRouted", detail)
        stack.settle()
        assert [envelope["detail"]["n"] for envelope in told(stack)] == [1, 3]


def test_two_rules_of_one_queue_send_an_event_twice_and_a_disabled_rule_nothing(tmp_path: Path) -> None:
    rule = """{Type: AWS::Events::Rule, Properties: {EventBusName: !GetAtt Bus.Name, State: %s,
          EventPattern: {source: [conveyor.test]}, Targets: [{Id: door, Arn: !GetAtt Door.Arn}]}}"""
    more = f"  Second: {rule % 'ENABLED'}\n  Third: {rule % 'DISABLED'}\n  Tick:"
    with played(tmp_path, NO_TICKS, ("  Tick:", more)) as stack:
        tell(stack, "LeadRouted", {})
        stack.settle()
        assert len(told(stack)) == 2


def test_the_stack_is_not_idle_before_what_a_function_told_the_bus_is_done(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS) as stack:

        def pass_it_on(event: Any, context: Any) -> Any:
            if len(stack.work.calls) < 4:
                tell(stack, "LeadRouted", {"hop": len(stack.work.calls)})
            return {"batchItemFailures": []}

        stack.work.behave = pass_it_on
        stack.post("{}")
        stack.settle()
        assert [envelope["detail"]["hop"] for envelope in told(stack)[1:]] == [1, 2, 3]
        assert stack.door() == {"visible": 0, "in_flight": 0, "dlq": 0}


def test_any_other_path_is_404_and_reaches_no_queue(tmp_path: Path) -> None:
    other = ["/", "/hooks/wrong/leads", f"/hooks/{TOKEN}", f"{HOOK}/", f"{HOOK}/more", f"/hooks/{TOKEN.upper()}/leads"]
    with played(tmp_path, NO_TICKS) as stack:
        for path in other:
            answer = stack.client.post(path, data="x=1")
            assert (answer.status_code, answer.json) == (404, {"message": "Not Found"}), path
        assert stack.client.get(HOOK).status_code == 404
        assert stack.door() == {"visible": 0, "in_flight": 0, "dlq": 0}


def test_a_body_that_sqs_refuses_is_refused(tmp_path: Path) -> None:
    bodies = [
        (b"", 400),
        (b"a\x00b", 400),
        (b"\xff\xfe", 400),
        (b"x" * (1024 * 1024 - 2000), 200),
        (b"x" * (1024 * 1024), 400),
        (b"x" * (10 * 1024 * 1024 + 1), 413),
    ]
    with played(tmp_path, NO_TICKS) as stack:
        assert [stack.post(body) for body, _ in bodies] == [status for _, status in bodies]
        stack.settle()
        assert [len(body) for call in stack.work.calls for body in call] == [1024 * 1024 - 2000]


def test_bodies_can_be_handed_over_base64_encoded(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS, base64_bodies=True) as stack:
        assert stack.post(b"\xff=1") == 200
        stack.settle()
        [[body]] = stack.work.calls
    assert base64.b64decode(body) == b"\xff=1"


def test_an_optional_header_as_attribute_makes_the_hook_fail_where_it_is_missing(tmp_path: Path) -> None:
    change = ("${context.requestId}", "${request.header.x-sender}")
    with played(tmp_path, NO_TICKS, change) as stack:
        assert stack.post("x=1") == 400
        answer = stack.client.post(HOOK, data="x=1", headers={"X-Sender": "amo"})
        assert answer.status_code == 200
        stack.settle()
        [event] = stack.work.events
    assert event["Records"][0]["messageAttributes"]["requestId"]["stringValue"] == "amo"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("MessageBody: $request.body", "MesageBody: $request.body", "MesageBody is not known, MessageBody is missing"),
        ("MessageBody: $request.body", "MessageBody: $request.body.leads", r"\$request.body.leads is not mapped"),
        ("${context.requestId}", "${context.requestid}", "requestid is not known"),
        ("QueueUrl: !Ref Door", "QueueUrl: https://sqs/other", "is no queue of the template"),
        ("{module}.work", "{module}.wrok", "Handler .*wrok.* cannot be imported"),
        ("{module}.work", "missing.work", "Handler 'missing.work' cannot be imported"),
        ("rate(5 minutes)", "rate(5 minits)", "is not played as a schedule"),
        ("Targets: [{Id: door, Arn: !GetAtt Door.Arn}]", "Targets: [{Id: x, Arn: !GetAtt Work.Arn}]", "Rule: target"),
        ("EventPattern: {detail-type: [LeadRouted]}", "ScheduleExpression: rate(1 minute)", "AWS::Scheduler::Schedule"),
        (
            "{detail-type: [LeadRouted]}",
            "{detail-type: [{prefx: Lead}]}",
            "Rule.detail-type: .* is no match expression",
        ),
    ],
)
def test_wrong_wiring_stops_the_start_and_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = write_template(tmp_path)
    module = path.read_text().split("Handler: ")[1].split(".work")[0]
    text = path.read_text()
    changed = text.replace(old.replace("{module}", module), new.replace("{module}", module))
    assert changed != text
    path.write_text(changed)
    with (
        pytest.raises(Unsupported, match=told),
        LocalCloud(Template(path, {"HookToken": TOKEN}, REGION), VirtualClock(MORNING), REGION),
    ):
        pass


def test_a_function_behind_a_route_gets_payload_2_and_its_answer_goes_out(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS) as stack:
        stack.client.set_cookie("k", "v")
        answer = stack.client.get("/pages/week%201?a=1&a=2&b=x")
        page = recorder(stack.cloud.template.functions["conveyor-Page"].handler)
        [event] = page.events
    assert (answer.status_code, answer.text) == (200, "<p>conveyor-Table")
    assert answer.headers["set-cookie"] == "a=b"
    assert answer.headers["content-type"] == "text/html"
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /pages/{name}"
    assert event["pathParameters"] == {"name": "week 1"}
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x"}
    assert event["rawQueryString"] == "a=1&a=2&b=x"
    assert event["cookies"] == ["k=v"]
    assert event["requestContext"]["http"]["method"] == "GET"


def test_a_wrong_clock_request_says_what_would_be_right(tmp_path: Path) -> None:
    values = ('"5"', "-1", "true", "NaN", "1e12", "null")
    with played(tmp_path, NO_TICKS) as stack:
        for body in ("", "x", "[]", "{}", *(f'{{"advance_seconds": {value}}}' for value in values)):
            answer = stack.client.post("/_local/clock", data=body)
            assert answer.status_code == 400, body
            assert "advance_seconds" in (answer.json or {})["message"]


def test_the_clock_goes_forward_by_what_was_asked(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS) as stack:
        before = datetime.fromisoformat(stack.status()["now"])
        stack.advance(86_400)
        after = datetime.fromisoformat(stack.status()["now"])
    assert timedelta(days=1) <= after - before < timedelta(days=1, seconds=5)


def test_functions_cannot_send_what_sqs_would_refuse(tmp_path: Path) -> None:
    with played(tmp_path, NO_TICKS) as stack:
        sqs = stack.cloud.aws.client("sqs")
        url = sqs.get_queue_url(QueueName="conveyor-Door")["QueueUrl"]
        empty = {"reason": {"DataType": "String", "StringValue": ""}}
        with pytest.raises(sqs.exceptions.ClientError, match="non-empty value"):
            sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=empty)
        with pytest.raises(sqs.exceptions.ClientError, match="MessageBody"):
            sqs.send_message(QueueUrl=url, MessageBody="")


def test_a_day_of_minute_ticks_takes_seconds(tmp_path: Path) -> None:
    with played(tmp_path, ("rate(5 minutes)", "rate(1 minute)")) as stack:
        stack.settle()
        stack.work.calls.clear()
        started = time.monotonic()
        stack.advance(6 * 3600)
        took = time.monotonic() - started
        assert len(stack.work.calls) == 360
    assert took / 360 < 0.008, f"{took / 360 * 1000:.1f} ms a tick"
