"""The door for facts: who may speak, what envelopes are read, what becomes of an item."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from functions.activity_intake.credentials import Credential, NotAllowed, authenticate, read_credentials, secret_key
from functions.activity_intake.envelopes import MOST_ITEMS, items_of
from functions.activity_intake.normalising import Speaker, derived_id, tell
from functions.activity_intake.telling import Invalid, Told, TooMany, UnknownContent, Unreadable
from functions.shared.errors import NotConfigured

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = b'{"event":"visit.attended","phone":"+79123456789","at":"2026-11-23T18:00:00+03:00","id":"v-1"}'
SIGNED = {
    "webhook-id": "msg_001",
    "webhook-timestamp": "1795446000",
    "webhook-signature": "v1,CGfmG2HSwRK+6cWhL3CFqyawVLfP+rN7smdGI8E0EYs=",
}
AT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
GYM = Credential("gym", (secret_key(SECRET),), ("token-1", "token-2"))
SPEAKER = Speaker("gym", "RU")


class TestCredentials:
    def test_the_published_vector_is_accepted_for_five_minutes_and_no_second_longer(self) -> None:
        assert authenticate(SIGNED, BODY, [GYM], AT + timedelta(minutes=5)).source == "gym"
        with pytest.raises(NotAllowed, match="five minutes"):
            authenticate(SIGNED, BODY, [GYM], AT + timedelta(minutes=5, seconds=1))

    def test_what_the_public_library_signs_is_accepted_beside_signatures_of_old_secrets(self) -> None:
        signature = Webhook(SECRET).sign("msg_7", AT, BODY.decode())
        headers = {**SIGNED, "webhook-id": "msg_7", "webhook-signature": f"v1a,x v1,AAAA {signature}"}
        assert authenticate(headers, BODY, [GYM], AT) is GYM

    def test_a_changed_body_is_not(self) -> None:
        with pytest.raises(NotAllowed, match="no v1 signature"):
            authenticate(SIGNED, BODY + b" ", [GYM], AT)

    @pytest.mark.parametrize("token", ["token-1", "token-2"])
    def test_both_live_tokens_open_the_door(self, token: str) -> None:
        assert authenticate({"authorization": f"Bearer {token}"}, b"", [GYM], AT) is GYM
        basic = base64.b64encode(f"{token}:".encode()).decode()
        assert authenticate({"authorization": f"Basic {basic}"}, b"", [GYM], AT) is GYM

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer token-3", "Basic ???", "Digest x"])
    def test_nothing_else_does(self, header: str) -> None:
        with pytest.raises(NotAllowed):
            authenticate({"authorization": header}, b"", [GYM], AT)

    def test_the_stored_document_is_read_or_refused(self) -> None:
        assert read_credentials(json.dumps({"gym": {"secrets": [SECRET], "tokens": ["token-1"]}}))[0].source == "gym"
        for wrong in ("", "[]x", '{"gym": {"secrets": ["whsec_AAAA"]}}', '{"gym": 1}'):
            with pytest.raises(NotConfigured, match="events-credentials"):
                read_credentials(wrong)


FLAT = {"event": "visit.attended", "ext": "77", "at": "2026-11-23T18:00:00+03:00", "id": "v-1", "session_id": "b1"}
CLOUD = {
    "specversion": "1.0",
    "id": "v-1",
    "source": "gym",
    "type": "visit.attended",
    "subject": "ext:77",
    "time": "2026-11-23T18:00:00+03:00",
    "data": {"session_id": "b1"},
}
SEGMENT = {
    "type": "track",
    "event": "visit.attended",
    "userId": "77",
    "messageId": "v-1",
    "timestamp": "2026-11-23T15:00:00Z",
    "properties": {"session_id": "b1"},
}


def told(document: Any, **headers: str) -> Told | Invalid:
    (item,) = items_of(headers, json.dumps(document).encode())
    return tell(item, SPEAKER, AT)


class TestEnvelopes:
    """All become the same fact."""

    @pytest.mark.parametrize("document", [FLAT, CLOUD, SEGMENT], ids=["flat", "cloud_event", "segment"])
    def test_one_item(self, document: Any) -> None:
        fact = told(document)
        assert isinstance(fact, Told)
        assert (fact.source, fact.id, fact.type, fact.time) == ("gym", "v-1", "visit.attended", AT)
        assert [str(handle) for handle in fact.handles] == ["ext:gym:77"]
        assert fact.data == {"session_id": "b1"}

    def test_a_cloud_event_whose_attributes_are_headers(self) -> None:
        headers = {f"ce-{name}": str(value) for name, value in CLOUD.items() if name != "data"}
        assert told({"session_id": "b1"}, **headers) == told(CLOUD)

    def test_its_attributes_are_percent_encoded_and_it_needs_no_data(self) -> None:
        headers = {"ce-specversion": "1.0", "ce-id": "v%201", "ce-source": "gym", "ce-type": "visit.attended"}
        headers |= {"ce-subject": "phone:%2B79123456789", "ce-time": "2026-11-23T15:00:00Z"}
        (item,) = items_of(headers, b"")
        fact = tell(item, SPEAKER, AT)
        assert isinstance(fact, Told)
        assert (fact.id, [str(each) for each in fact.handles]) == ("v 1", ["phone:+79123456789"])

    @pytest.mark.parametrize(
        ("row", "words"),
        [
            ('{"event": "visit.attended", "ext": "77", "at": "2026-11-23T15:00:00Z", "price": NaN}', "without end"),
            ('{"event": "visit.attended", "ext": NaN, "at": "2026-11-23T15:00:00Z"}', "without end"),
            ('{"event": "visit.attended", "ext": 77, "at": "2026-11-23T15:00:00Z", "n": ' + "9" * 5000 + "}", "end"),
            ('{"event": "visit.attended", "ext": "77", "ext": "78", "at": "2026-11-23T15:00:00Z"}', "twice"),
            ('{"event": "visit.attended", "ext": "77", "data": {"session_id": 1, "session_id": 2}}', "twice"),
        ],
        ids=["a NaN of a spreadsheet", "as an id", "5,000 digits", "a key twice", "in the data"],
    )
    def test_a_row_that_is_hardly_json_fails_alone(self, row: str, words: str) -> None:
        bad, good = (tell(item, SPEAKER, AT) for item in items_of({}, f"[{row}, {json.dumps(FLAT)}]".encode()))
        assert isinstance(bad, Invalid) and words in bad.reason
        assert isinstance(good, Told)

    def test_a_byte_order_mark_before_the_json_is_no_harm(self) -> None:
        assert len(items_of({}, b"\xef\xbb\xbf" + json.dumps(FLAT).encode())) == 1

    def test_batches_of_all_kinds(self) -> None:
        for batch in ([FLAT, CLOUD], {"batch": [SEGMENT] * 2}, {"events": [FLAT] * 2}):
            assert len(items_of({}, json.dumps(batch).encode())) == 2

    def test_a_clock_that_is_wrong_is_set_right_by_sent_at(self) -> None:
        fact = told({**SEGMENT, "timestamp": "2026-11-23T12:00:00Z", "sentAt": "2026-11-23T12:10:00Z"})
        assert isinstance(fact, Told)
        assert fact.time == AT - timedelta(minutes=10)

    @pytest.mark.parametrize("body", [b"", b"{", b"1", b'"x"', b"\xff", b"[" * 100_000])
    def test_what_is_no_json_object_is_unreadable(self, body: bytes) -> None:
        with pytest.raises(Unreadable):
            items_of({}, body)

    def test_strangers_content_types_and_too_many_items_are_refused(self) -> None:
        with pytest.raises(UnknownContent):
            items_of({"content-type": "text/html"}, b"{}")
        with pytest.raises(TooMany):
            items_of({}, json.dumps([{}] * (MOST_ITEMS + 1)).encode())


class TestItems:
    def test_an_id_that_is_missing_is_derived_by_the_published_rule(self) -> None:
        expected = "c1cb5c5e8418c852d996f3aa5478e500"
        assert derived_id("gym-turnstile", "ext:77", "visit.attended", AT, {}) == expected

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"at": "2026-11-23T18:06:00+03:00"}, "future"),
            ({"at": "2026-11-23T18:00:00"}, "no zone"),
            ({"at": "yesterday"}, "ISO 8601"),
            ({"at": None}, "no time"),
            ({"at": "2025-01-01T00:00:00Z"}, "400 days"),
            ({"event": ""}, "no event type"),
            ({"event": "session.booked", "session_id": "b1"}, "needs start"),
            ({"event": "nps.responded", "score": "good"}, "score is not a number"),
            ({"ext": ""}, "nobody is named"),
            ({"ext": "", "phone": "12"}, "phone is no whole number"),
            ({"id": "x" * 300}, "longer than"),
            ({"note": "x" * 9000}, "more than 8192 bytes"),
        ],
    )
    def test_what_is_wrong_is_said_and_how_it_would_be_right(self, change: dict[str, Any], words: str) -> None:
        fact = told({**FLAT, **change})
        assert isinstance(fact, Invalid)
        assert words in fact.reason

    def test_phones_are_one_however_they_are_typed(self) -> None:
        for typed in ("8 (912) 345-67-89", "+79123456789", "79123456789"):
            fact = told({**FLAT, "ext": "", "phone": typed})
            assert isinstance(fact, Told)
            assert [str(handle) for handle in fact.handles] == ["phone:+79123456789"]

    def test_the_ladder_begins_with_the_surest_rung(self) -> None:
        fact = told({**FLAT, "crm_id": 5, "phone": "+79123456789", "email": "A@B.ru"})
        assert isinstance(fact, Told)
        assert [handle.kind for handle in fact.handles] == ["crm", "ext", "phone", "email"]

    def test_types_that_nobody_knows_are_kept(self) -> None:
        assert isinstance(told({**FLAT, "event": "sauna.visited"}), Told)
