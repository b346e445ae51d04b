"""What the client makes of each answer of amoCRM, and when it asks again."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from functions.shared.errors import (
    AmbiguousWrite,
    AmoCrmError,
    AmoCrmForbidden,
    AmoCrmNotFound,
    AmoCrmRefused,
    AmoCrmUnauthorized,
    AmoCrmUnavailable,
)
from tests.amocrm_support import NOTHING, FixedTokens, Wire, hal, html, problem, refusal, scripted

FOUND = httpx.Response(200, json={"id": 1})
LOST_ANSWERS = [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone"), html(502), html(504), problem(500)]
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("far"), httpx.PoolTimeout("busy")]


def names(value: object) -> str:
    return f"{value.status_code}" if isinstance(value, httpx.Response) else type(value).__name__


@pytest.mark.parametrize("answer", [NOTHING, problem(404), html(404)], ids=names)
def test_a_read_that_finds_nothing_is_none(answer):
    wire, _ = scripted(answer)
    assert wire.client.get("leads/1") is None


def test_a_request_carries_the_token_and_goes_to_the_accounts_own_host():
    wire, script = scripted(FOUND)
    wire.client.get("leads/1", [("with", "contacts")])
    (request,) = script.requests
    assert str(request.url) == "https://demo.amocrm.ru/api/v4/leads/1?with=contacts"
    assert request.headers["Authorization"] == "Bearer token"


def test_a_write_to_what_does_not_exist_is_not_found():
    wire, _ = scripted(problem(404))
    with pytest.raises(AmoCrmNotFound):
        wire.client.write("PATCH", "leads/1", {})


def test_a_refusal_names_the_items_and_what_is_wrong_with_them():
    wire, script = scripted(refusal(("1", "responsible_user_id", "NotSupportedChoice"), ("4", "id", "NotFound")))
    with pytest.raises(AmoCrmRefused) as refused:
        wire.client.write("PATCH", "leads", [])
    assert refused.value.status == 400
    assert refused.value.problems == (("responsible_user_id", "NotSupportedChoice"), ("id", "NotFound"))
    assert refused.value.refused == {"1": "responsible_user_id: NotSupportedChoice", "4": "id: NotFound"}
    assert len(script.requests) == 1


def test_a_refusal_does_not_repeat_the_values_that_amocrm_quotes():
    wire, _ = scripted(refusal(("0", "custom_fields_values.0", "InvalidType")))
    with pytest.raises(AmoCrmRefused) as refused:
        wire.client.write("PATCH", "leads", [])
    assert "7999" not in str(refused.value)


@pytest.mark.parametrize("errors", [None, {}, ["x"], [{}], [{"request_id": None, "errors": None}], [{"errors": ["x"]}]])
def test_a_refusal_of_an_unknown_shape_is_still_a_refusal(errors):
    wire, _ = scripted(problem(400, **{"validation-errors": errors}))
    with pytest.raises(AmoCrmRefused) as refused:
        wire.client.write("PATCH", "leads", [])
    assert refused.value.refused == {}


def test_an_impossible_question_is_a_refusal():
    wire, _ = scripted(problem(422, detail="Limit 250 per page"))
    with pytest.raises(AmoCrmRefused, match="Limit 250 per page"):
        wire.client.get("leads", [("limit", 251)])


@pytest.mark.parametrize("status", [402, 403])
def test_a_forbidden_request_as_json_concerns_only_itself(status):
    wire, _ = scripted(problem(status))
    with pytest.raises(AmoCrmForbidden):
        wire.client.get("users")
    assert wire.budget.breaker is None


def test_a_403_page_stops_the_requests_of_everybody():
    wire, script = scripted(html(403))
    for _ in range(2):
        with pytest.raises(AmoCrmUnavailable) as blocked:
            wire.client.get("leads/1")
        assert blocked.value.after == 60
    assert wire.budget.breaker is not None
    assert len(script.requests) == 1


def test_an_answer_after_the_block_lets_requests_through_again():
    wire, _ = scripted(FOUND)
    wire.client.get("leads/1")
    wire.budget.open_breaker("403")
    wire.budget.answered()
    assert wire.client.get("leads/1") == {"id": 1}


def test_any_answer_of_a_working_amocrm_ends_a_probe_but_trouble_does_not():
    for answer, ends in [(problem(403), True), (refusal(), True), (html(403), False), (html(502), False)]:
        wire, _ = scripted(answer)
        heard = []
        wire.budget.answered = lambda heard=heard: heard.append(1)
        with pytest.raises((AmoCrmError, AmoCrmUnavailable)):
            wire.client.get("leads/1")
        assert bool(heard) is ends


def test_a_401_is_asked_again_once_with_a_token_read_anew():
    wire, script = scripted(problem(401), FOUND)
    wire.tokens.tokens = ("old", "new")
    assert wire.client.write("PATCH", "leads", []) == {"id": 1}
    assert [request.headers["Authorization"] for request in script.requests] == ["Bearer old", "Bearer new"]


def test_a_401_with_the_new_token_too_is_final():
    wire, script = scripted(problem(401))
    wire.tokens.tokens = ("old", "new")
    with pytest.raises(AmoCrmUnauthorized):
        wire.client.get("leads/1")
    assert len(script.requests) == 2


@pytest.mark.parametrize("answer", [problem(429), html(429)], ids=["json", "html"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_429_slows_everybody_and_is_asked_again(answer, method):
    wire, script = scripted(answer, FOUND)
    started = wire.clock.now()
    assert wire.client._request(method, "leads", (), None) == {"id": 1}
    assert len(script.requests) == 2
    assert wire.budget.granted[1] - started >= timedelta(seconds=1)


def test_a_429_that_stays_is_left_to_the_queue_and_was_not_done():
    wire, script = scripted(problem(429))
    with pytest.raises(AmoCrmUnavailable) as throttled:
        wire.client.write("POST", "tasks", [])
    assert not isinstance(throttled.value, AmbiguousWrite)
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [problem(429, retry_after=300), httpx.Response(429, headers={"Retry-After": "300"})],
    ids=["body", "header"],
)
def test_a_429_that_asks_for_minutes_stops_everybody_for_one_and_is_not_slept_through(answer):
    wire, script = scripted(answer)
    with pytest.raises(AmoCrmUnavailable) as throttled:
        wire.client.get("leads/1")
    assert throttled.value.after == 60
    assert len(script.requests) == 1
    assert wire.clock.slept == 0
    wire.budget.acquire()
    assert wire.clock.slept >= 60


@pytest.mark.parametrize("answer", [*LOST_ANSWERS, *NOT_SENT], ids=names)
def test_a_read_without_an_answer_is_asked_again(answer):
    wire, script = scripted(answer, answer, FOUND)
    assert wire.client.get("leads/1") == {"id": 1}
    assert len(script.requests) == 3
    assert wire.clock.slept >= 3  # 1 s, then 2 s


@pytest.mark.parametrize("answer", [*LOST_ANSWERS, *NOT_SENT], ids=names)
def test_a_read_that_stays_without_an_answer_is_unavailable(answer):
    wire, script = scripted(answer)
    with pytest.raises(AmoCrmUnavailable) as gone:
        wire.client.get("leads/1")
    assert not isinstance(gone.value, AmbiguousWrite)
    assert len(script.requests) == 3


@pytest.mark.parametrize("answer", LOST_ANSWERS, ids=names)
def test_a_write_without_an_answer_is_ambiguous_and_not_repeated(answer):
    wire, script = scripted(answer)
    with pytest.raises(AmbiguousWrite):
        wire.client.write("POST", "tasks", [])
    assert len(script.requests) == 1


@pytest.mark.parametrize("answer", NOT_SENT, ids=names)
def test_a_write_that_never_left_is_repeated_and_then_only_unavailable(answer):
    wire, script = scripted(answer)
    with pytest.raises(AmoCrmUnavailable) as gone:
        wire.client.write("POST", "tasks", [])
    assert not isinstance(gone.value, AmbiguousWrite)
    assert len(script.requests) == 3


def test_a_success_without_json_is_no_answer():
    wire, _ = scripted(html(200))
    with pytest.raises(AmoCrmUnavailable):
        wire.client.get("leads/1")
    with pytest.raises(AmbiguousWrite):
        wire.client.write("POST", "tasks", [])


def test_a_redirect_is_not_followed_with_the_token():
    wire, script = scripted(httpx.Response(301, headers={"Location": "https://elsewhere.example/"}))
    with pytest.raises(AmoCrmError):
        wire.client.get("leads/1")
    assert len(script.requests) == 1


def test_every_attempt_takes_a_slot_of_the_budget():
    wire, script = scripted(problem(401), html(502), FOUND)
    wire.client.get("leads/1")
    assert len(wire.budget.granted) == len(script.requests) == 3


def test_the_request_id_that_support_asks_for_is_in_the_message():
    wire, _ = scripted(httpx.Response(400, json={"title": "Bad Request"}, headers={"X-Request-Id": "abc-1"}))
    with pytest.raises(AmoCrmRefused, match=r"GET /api/v4/leads: 400 Bad Request .*abc-1"):
        wire.client.get("leads", [("query", "Иванов")])


def test_pages_are_read_until_there_is_no_next_and_only_from_amocrm_itself():
    wire, script = scripted(hal("leads", [{"id": 1}], more=True), hal("leads", [{"id": 2}]))
    assert [row["id"] for page in wire.client.pages("leads", "leads") for row in page.rows] == [1, 2]
    assert [request.url.params["page"] for request in script.requests] == ["1", "2"]
    assert {request.url.host for request in script.requests} == {"demo.amocrm.ru"}


def test_pages_end_with_a_204_though_a_next_was_announced():
    wire, script = scripted(hal("leads", [{"id": 1}], more=True), NOTHING)
    assert len(list(wire.client.pages("leads", "leads"))) == 1
    assert len(script.requests) == 2


def test_a_list_without_end_is_cut_with_a_warning():
    wire, script = scripted(hal("leads", [{"id": 1}], more=True), max_pages=5)
    assert len(list(wire.client.pages("leads", "leads"))) == 5
    assert len(script.requests) == 5
    assert wire.telemetry.lines[-1][0] == "amocrm_list_cut"


def test_nothing_is_opened_before_the_first_request():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request)

    wire = Wire(httpx.MockTransport(refuse), tokens=FixedTokens(()))
    assert wire.amocrm is not None
