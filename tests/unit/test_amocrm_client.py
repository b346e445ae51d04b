"""What the client makes of each answer of amoCRM, and when it asks again."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

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

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FOUND = httpx.Response(200, json={"id": 1})
LOST_ANSWERS = [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone"), html(502), html(504), problem(500)]
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("far"), httpx.PoolTimeout("busy")]


def names(value: object) -> str:
    return f"{value.status_code}" if isinstance(value, httpx.Response) else type(value).__name__


def test_a_204_is_nothing():
    wire, script = scripted(NOTHING)
    assert (wire.client.get("leads"), wire.client.find("leads/1"), wire.amocrm.lead(1)) == (None, None, None)
    assert len(script.requests) == 3


@pytest.mark.parametrize("answer", [problem(404), html(404)], ids=["json", "html"])
def test_a_404_on_an_entity_is_believed_after_the_account_was_found_once(answer):
    wire, script = scripted(answer, FOUND, answer)
    assert [wire.amocrm.lead(1), wire.amocrm.unsorted_item("ab"), wire.amocrm.lead(2)] == [None, None, None]
    assert [request.url.path for request in script.requests] == [
        "/api/v4/leads/1", "/api/v4/account", "/api/v4/leads/unsorted/ab", "/api/v4/leads/2",
    ]  # fmt: skip


EVERYTHING_READ = [
    lambda amocrm: amocrm.account(),
    lambda amocrm: amocrm.users(),
    lambda amocrm: amocrm.leads([1]),
    lambda amocrm: amocrm.lead(1),
    lambda amocrm: amocrm.open_leads_of([1], [7]),
    lambda amocrm: amocrm.unsorted(["ab"]),
    lambda amocrm: amocrm.unsorted_item("ab"),
    lambda amocrm: amocrm.unsorted_of_pipeline(7),
    lambda amocrm: amocrm.contacts([1]),
    lambda amocrm: amocrm.contact(1),
    lambda amocrm: amocrm.contacts_with("9991234567"),
    lambda amocrm: amocrm.copies_of((5, "https://demo.amocrm.ru/leads/detail/1"), 7, NOW),
    lambda amocrm: amocrm.stage_changes(1, NOW),
    lambda amocrm: amocrm.accept_unsorted("ab", 11, 70),
    lambda amocrm: amocrm.tasks_since([1], NOW),
    lambda amocrm: amocrm.notes_since([1], NOW),
]


@pytest.mark.parametrize("ask", EVERYTHING_READ)
@pytest.mark.parametrize("answer", [problem(404), html(404)], ids=["json", "html"])
def test_where_no_account_answers_nothing_is_called_missing(ask, answer):
    wire, _ = scripted(answer)
    with pytest.raises(AmoCrmUnavailable, match=r"https://demo\.amocrm\.ru.* may have moved or the base URL is wrong"):
        ask(wire.amocrm)


def test_an_account_that_moves_while_we_work_is_noticed_at_the_next_list():
    wire, _ = scripted(FOUND, problem(404), FOUND, problem(404))
    wire.client.get("account")
    assert wire.amocrm.lead(1) is None
    for ask in (lambda: wire.amocrm.leads([1]), lambda: wire.amocrm.lead(1)):
        with pytest.raises(AmoCrmUnavailable):
            ask()


def test_a_lead_is_not_called_missing_while_the_account_cannot_be_asked():
    wire, _ = scripted(problem(404), html(502))
    with pytest.raises(AmoCrmUnavailable):
        wire.amocrm.lead(1)


def test_a_request_carries_the_token_and_goes_to_the_accounts_own_host():
    wire, script = scripted(FOUND)
    wire.client.get("leads/1", [("with", "contacts")])
    (request,) = script.requests
    assert str(request.url) == "https://demo.amocrm.ru/api/v4/leads/1?with=contacts"
    assert request.headers["Authorization"] == "Bearer token"


def test_a_write_to_what_does_not_exist_is_not_found():
    wire, _ = scripted(problem(404), FOUND)
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
    wire, _ = scripted(problem(422))
    with pytest.raises(AmoCrmRefused, match="422 Problem"):
        wire.client.get("leads", [("limit", 251)])


def test_no_message_repeats_the_detail_in_which_amocrm_may_quote_a_client():
    for status in (400, 402, 403, 409, 422, 429, 500):
        wire, _ = scripted(problem(status, detail="Phone +79990000001 of Иванов is wrong"))
        with pytest.raises((AmoCrmError, AmoCrmUnavailable), match=f"{status} Problem") as error:
            wire.client.get("leads/1")
        assert "7999" not in f"{error.value} {wire.telemetry.lines}"


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


@pytest.mark.parametrize("then", [FOUND, problem(401), html(502)], ids=["found", "401 again", "no answer"])
def test_a_probe_answered_by_a_401_ends_the_block(then):
    """GIVEN an open breaker that lets one probe through WHEN amoCRM says 401 THEN it works, and requests go out."""
    wire, _ = scripted(problem(401), then, FOUND)
    wire.tokens.tokens = ("old", "new")
    heard = []
    wire.budget.answered = lambda: heard.append(1)
    with suppress(AmoCrmError, AmoCrmUnavailable):
        wire.client.get("leads/1")
    assert heard


def test_a_401_is_heard_of_although_no_other_token_is_to_be_had():
    wire, _ = scripted(problem(401))
    heard = []
    wire.budget.answered = lambda: heard.append(1)

    def spent(rejected: str) -> str:
        raise AmoCrmUnauthorized("store a new one", 401)

    wire.tokens.renew = spent
    with pytest.raises(AmoCrmUnauthorized):
        wire.client.get("leads/1")
    assert heard


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


def test_no_url_is_logged_although_the_application_logs_at_info(caplog):
    caplog.set_level(logging.INFO)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    wire, _ = scripted(FOUND)
    wire.client.get("leads", [("filter[id][]", 30_000_001)])
    assert "30000001" not in caplog.text
    assert {logging.getLogger(name).getEffectiveLevel() for name in ("httpx", "httpcore")} == {logging.WARNING}


def test_nothing_is_opened_before_the_first_request():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request)

    wire = Wire(httpx.MockTransport(refuse), tokens=FixedTokens(()))
    assert wire.amocrm is not None
