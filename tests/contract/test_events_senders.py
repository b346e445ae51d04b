"""The door for facts, judged by strangers: Schemathesis reads docs/openapi/events.yaml, sends what it allows and
what it does not; the senders that docs/intake.md offers for copying are run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import schemathesis
import yaml
from flask import Flask, Response, request
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from standardwebhooks import Webhook
from werkzeug.serving import make_server

from functions.activity_intake import bootstrap
from functions.activity_intake.envelopes import CONTENT_TYPES, MOST_ITEMS
from functions.activity_intake.handler import lambda_handler
from functions.activity_intake.normalising import LONGEST_ID, LONGEST_SOURCE, LONGEST_TYPE
from functions.shared.facts import current
from infra.local.integrations import HttpRequest
from infra.local.proxy import event_of, response_of
from tests.intake_door import SECRET, TOKEN, IntakeDoor

ROOT = Path(__file__).parents[2]
OPENAPI = yaml.safe_load((ROOT / "docs" / "openapi" / "events.yaml").read_text(encoding="utf-8"))
INTAKE_DOC = (ROOT / "docs" / "intake.md").read_text(encoding="utf-8")
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


def app_of(door: IntakeDoor) -> Flask:
    """The Lambda's handler behind API Gateway's payload format 2.0."""
    app = Flask("events")

    @app.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        return OPENAPI | {"servers": [{"url": "/"}]}

    @app.post("/v1/events")
    def events() -> Response:
        http = HttpRequest(
            method=request.method,
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            query={},
            query_string="",
            path_parameters={},
            route_key="POST /v1/events",
            source_ip="",
            at=door.clock.now(),
        )
        with patch.object(bootstrap, "intake", lambda: door.intake):
            answer = response_of(lambda_handler(event_of(http, request.get_data()), None))
        return Response(answer.body, answer.status, dict(answer.headers))

    return app


schema = schemathesis.openapi.from_wsgi("/openapi.json", app_of(IntakeDoor()))


@schema.parametrize()
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_to_schemathesis_is_as_the_openapi_file_says(case: schemathesis.Case) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    case.call_and_validate(headers=headers, checks=CHECKS)


def test_the_openapi_file_says_what_the_code_does() -> None:
    schemas = OPENAPI["components"]["schemas"]
    content = OPENAPI["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert set(content) == CONTENT_TYPES - {"", "text/json"}
    assert schemas["Items"]["maxItems"] == MOST_ITEMS
    assert schemas["CloudEvent"]["properties"]["source"]["maxLength"] == LONGEST_SOURCE
    assert schemas["CloudEvent"]["properties"]["id"]["maxLength"] == LONGEST_ID
    assert schemas["Type"]["maxLength"] == LONGEST_TYPE


@pytest.mark.parametrize("content_type", [*OPENAPI["paths"]["/v1/events"]["post"]["requestBody"]["content"]])
def test_the_examples_of_the_openapi_file_are_taken(content_type: str) -> None:
    media = OPENAPI["paths"]["/v1/events"]["post"]["requestBody"]["content"][content_type]
    door = IntakeDoor()
    door.clock.moment = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    for example in media.get("examples", {}).values():
        answer = door.post(
            json.dumps(example["value"]).encode(), content_type=content_type, authorization=f"Bearer {TOKEN}"
        )
        assert [one["status"] for one in answer.document["results"]] == ["unidentified"], answer


# -- the senders of docs/intake.md -------------------------------------------------------------------------------------


@pytest.fixture
def served(socket_enabled: None) -> Iterator[tuple[IntakeDoor, str]]:
    """The door on a port of this machine, in the time of the machine: senders write their own times."""
    door = IntakeDoor()
    door.clock.moment = datetime.now(UTC)
    server = make_server("127.0.0.1", 0, app_of(door), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield door, f"http://127.0.0.1:{server.server_port}/v1/events"
    server.shutdown()
    thread.join()
    server.server_close()


def snippet(title: str) -> str:
    """The first block of code below a heading."""
    section = INTAKE_DOC.partition(f"### {title}\n")[2]
    block = re.search(r"```\w*\n(.*?)```", section, re.DOTALL)
    assert block, f"docs/intake.md has no sender {title!r}"
    return block[1]


def ran(command: list[str], url: str, **variables: str) -> str:
    """What it prints."""
    known = {"EVENTS_URL": url, "EVENTS_TOKEN": TOKEN, "EVENTS_SECRET": SECRET, "NO_PROXY": "*", "no_proxy": "*"}
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | known | variables
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("title", "program"),
    [("curl", "sh"), ("curl, signed", "sh"), ("PHP", "php"), ("Python", "python3"), ("Whatever speaks Segment", "sh")],
)
def test_a_sender_that_is_offered_for_copying_works(
    served: tuple[IntakeDoor, str], tmp_path: Path, title: str, program: str
) -> None:
    door, url = served
    if lacking := [name for name in (program, "curl", "openssl") if not shutil.which(name)]:
        pytest.skip(f"no {' and '.join(lacking)} here")
    door.know(7, "phone:+79123456789")
    script = tmp_path / "sender"
    script.write_text(snippet(title), encoding="utf-8")
    ran([program, str(script)], url)
    assert [fact.type for fact in door.facts_of(7)] == ["visit.attended"]
    ran([program, str(script)], url)
    assert len(current(door.facts_of(7))) == 1, "the same visit told twice"


GOOGLE = """
const sent = {};
const PropertiesService = {getScriptProperties: () => ({getProperty: name => process.env[name]})};
const UrlFetchApp = {fetch: (url, options) => {
  Object.assign(sent, {url}, options);
  return {getResponseCode: () => 202, getContentText: () => ''};
}};
%s
tell({
  namedValues: {'Телефон': ['8 (912) 345-67-89'], 'Оценка': ['9']},
  range: {getSheet: () => ({getSheetId: () => 17}), getRow: () => 42},
});
console.log(JSON.stringify(sent));
"""
"""What Google's scripts find around them, as little as the sender uses (Apps Script reference: UrlFetchApp.fetch)."""


def test_the_google_form_that_is_offered_for_copying_works(tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("no node here")
    script = tmp_path / "form.js"
    script.write_text(GOOGLE % snippet("Google Apps Script"), encoding="utf-8")
    sent = json.loads(ran(["node", str(script)], "https://example.org/v1/events"))
    assert (sent["url"], sent["method"]) == ("https://example.org/v1/events", "post")
    door = IntakeDoor()
    door.clock.moment = datetime.now(UTC)
    door.know(7, "phone:+79123456789")
    answer = door.post(sent["payload"].encode(), content_type=sent["contentType"], **_lower(sent["headers"]))
    assert answer.document["results"] == [{"index": 0, "id": "form-17-42", "status": "accepted"}]
    assert door.facts_of(7)[0].data == {"score": 9}


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_what_segment_s_libraries_send_is_taken() -> None:
    """Their wire format: Basic with the write key, gzip off, `batch` with `sentAt` (Segment: HTTP tracking API)."""
    door = IntakeDoor()
    door.know(7, "ext:gym:77")
    call = {
        "type": "track",
        "event": "purchase.completed",
        "userId": "77",
        "anonymousId": None,
        "messageId": "ajs-1",
        "timestamp": "2026-11-23T08:59:58.123+00:00",
        "integrations": {},
        "context": {"library": {"name": "analytics-python", "version": "2.3.3"}},
        "properties": {"price": 4900},
    }
    batch = {"batch": [call], "sentAt": "2026-11-23T09:00:00.000+00:00"}
    answer = door.post(json.dumps(batch).encode(), authorization="Basic dG9rZW4tb2YtdGhlLWd5bTo=")
    assert [one["status"] for one in answer.document["results"]] == ["accepted"]
    assert door.facts_of(7)[0].data == {"price": 4900}


def test_what_the_standard_webhooks_library_signs_is_taken_and_what_it_refuses_is_refused() -> None:
    door = IntakeDoor()
    body = '{"event":"visit.attended","crm_id":7,"at":"2026-11-23T11:30:00+03:00","id":"v-1"}'
    now = door.clock.now()
    headers = {
        "webhook_id": "msg_1",
        "webhook_timestamp": str(int(now.timestamp())),
        "webhook_signature": Webhook(SECRET).sign("msg_1", now, body),
    }
    assert door.post(body.encode(), **headers).status == 202
    assert door.post(body.encode() + b" ", **headers).status == 401
    assert door.post(body.encode(), **headers | {"webhook_id": "msg_2"}).status == 401
