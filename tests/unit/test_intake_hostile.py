"""Whatever is in a body: an answer of ours, never a crash, and no item that a table would refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.activity_intake.normalising import DEEPEST
from functions.shared.adapters.dynamodb.facts import key_of
from functions.shared.adapters.dynamodb.table import encode
from tests.intake_door import TOKEN, IntakeDoor, visit

STATUSES = {"accepted", "duplicate", "unidentified", "invalid"}
YEAR_1 = "0001-01-01T00:00:00+14:00"
ODD = st.sampled_from(
    [
        *(
            "",
            " ",
            "#" * 200,
            "%" * 100,
            "\ud800",
            "\udfff x",
            "\U0001f600" * 60,
            "x" * 3000,
            "\x00",
            "amocrm",
            "AmoCRM",
        ),
        *(YEAR_1, "9999-12-31T23:59:59-14:00", "2026-11-23T08:30:00Z", "2026-11-23T08:30:00", "2026-11-23"),
        *(
            0,
            -1,
            1.5,
            1e400,
            10**400,
            10**20,
            True,
            False,
            None,
            [],
            {},
            [[[]]],
            {"a": {"b": []}},
            "+79123456789",
            "a@b.ru",
        ),
        *("1.0", "track", "identify", "visit.attended", "source.heartbeat", "nps.responded", "session.booked", "crm:7"),
    ]
)
ANYTHING = st.recursive(ODD | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
NAMES = st.sampled_from(
    [
        *(
            "event",
            "type",
            "at",
            "time",
            "id",
            "crm_id",
            "ext",
            "phone",
            "email",
            "recorded",
            "data",
            "source",
            "subject",
        ),
        *("specversion", "recordedtime", "data_base64", "messageId", "userId", "timestamp", "sentAt", "properties"),
        *("traits", "context", "session_id", "start", "complete_until", "score", "end", "price"),
    ]
)
CHANGES = st.dictionaries(NAMES, ANYTHING, max_size=6)
CLOUD = {"specversion": "1.0", "source": "gym", "type": "visit.attended", "subject": "crm:7", "id": "v"}
SEGMENT = {"type": "track", "event": "visit.attended", "userId": "7", "messageId": "v"}
BASES = st.sampled_from(
    [
        {},
        visit(),
        CLOUD | {"time": "2026-11-23T08:30:00Z"},
        SEGMENT | {"timestamp": "2026-11-23T08:30:00Z"},
        visit(event="source.heartbeat", complete_until="2026-11-23T08:30:00Z"),
    ]
)
ITEMS = st.lists(st.builds(lambda base, changes: {**base, **changes}, BASES, CHANGES) | ANYTHING, max_size=4)


@settings(max_examples=400, deadline=None)
@given(ITEMS)
def test_every_item_has_its_answer_whatever_it_is(items: list[Any]) -> None:
    door = IntakeDoor()
    body = json.dumps(items).encode()
    answer = door.post(body, authorization=f"Bearer {TOKEN}")
    if answer.status == 400:  # a number of more digits than Python reads, or one without end
        return
    assert answer.status == 202, answer
    results = answer.document["results"]
    assert [result["index"] for result in results] == [*range(len(items))]
    assert {result["status"] for result in results} <= STATUSES
    assert all(result.get("reason") for result in results if result["status"] in ("unidentified", "invalid"))
    json.dumps(answer.document, ensure_ascii=False).encode()
    for (pk, sk), row in door.table.rows.items():  # type: ignore[attr-defined]
        encode(row)
        assert len(sk.encode()) <= 1024 and len(pk.encode()) <= 2048, "DynamoDB: limits of keys"
        json.dumps(row, default=str, ensure_ascii=False).encode()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(["", "application/json", "text/xml"])
)
def test_every_body_has_its_answer(body: bytes, content_type: str) -> None:
    answer = IntakeDoor().post(body, authorization=f"Bearer {TOKEN}", content_type=content_type)
    assert answer.status in (202, 400, 415)


def test_the_longest_source_and_id_of_the_oddest_letters_fit_into_a_key() -> None:
    door = IntakeDoor()
    times = {"time": "2026-11-23T08:30:00.123456Z", "recordedtime": "2026-11-23T08:40:00.123456Z"}
    item = CLOUD | times | {"source": "#" * 100, "id": "%" * 200}
    assert door.statuses(item) == ["accepted"]
    assert door.statuses({**item, "subject": "phone:+79123456789"}) == ["unidentified"]
    assert len(key_of(door.facts_of(7)[0])["sk"].encode()) > 900, "the test is about the longest"
    assert max(len(sk.encode()) for _, sk in door.table.rows) <= 1024  # type: ignore[attr-defined]
    assert door.statuses({**item, "source": "#" * 101}, {**item, "id": "%" * 201}) == ["invalid"] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": json.loads("[" * 3000 + "]" * 3000)}, "levels"),
        ({"x": json.loads("[" * DEEPEST + "]" * DEEPEST)}, "levels"),
        ({"crm_id": "7" * 25}, "crm_id"),
        (CLOUD | {"time": "2026-11-23T08:30:00Z", "source": "amoCRM"}, "Conveyor's own"),
        ({"recorded": "9999-01-01T00:00:00Z"}, "no correction could ever be newer"),
        ({"id": "\ud800"}, "half a character"),
        ({"event": "source.heartbeat", "complete_until": YEAR_1}, "complete_until is not a time"),
    ],
)
def test_what_would_harm_the_installation_is_an_invalid_item(change: dict[str, Any], words: str) -> None:
    (result,) = IntakeDoor().tell(visit(**change))
    assert re.search(words, result.get("reason", result["status"]))


def test_a_number_without_end_is_no_data() -> None:
    body = json.dumps(visit(price=123456)).replace("123456", "1e999").encode()
    answer = IntakeDoor().post(body, authorization=f"Bearer {TOKEN}")
    assert "number without end" in answer.document["results"][0]["reason"]


def test_a_sender_whose_clock_is_thousands_of_years_off_is_told_so() -> None:
    (result,) = IntakeDoor().tell(SEGMENT | {"timestamp": "9999-01-01T00:00:00Z", "sentAt": "0002-01-01T00:00:00Z"})
    assert "thousands of years" in result["reason"]
