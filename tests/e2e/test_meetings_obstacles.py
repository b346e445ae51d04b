"""What a calendar may refuse, through the local stack: a call is booked in the end, once, and the card says what was
wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.outside import Outside, running
from tests.e2e.test_meetings import (
    CLIENT,
    DINA,
    FIRM,
    MEETINGS,
    START,
    call_of,
    guests,
    in_hours,
    link_on,
    make_card,
    notes,
    plan_meeting,
    settle,
    words,
)

FAIR: dict[str, Any] = {
    "down": False,
    "meet_allowed": True,
    "rate_share": 0.0,
    "lost_answer_share": 0.0,
    "error_share": 0.0,
    "external_invitations": None,
    "link_delay": 0.0,
    "link_fails": False,
    "hidden_after_create": 0.0,
    "rate_status": 403,
}


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("obstacles")
    file = folder / "department.yaml"
    file.write_text(FIRM + MEETINGS, encoding="utf-8")
    with running(folder, "--department", str(file), "--start", START, "--tick", "meetings") as stack:
        stack.advance(301)
        stack.settle()
        yield stack


@pytest.fixture(autouse=True)
def _fair_again(firm: Outside) -> Iterator[None]:
    yield
    firm.google("POST", "/_sim/switches", FAIR)


def switch(stack: Outside, **switches: Any) -> None:
    stack.google("POST", "/_sim/switches", switches)


def pass_time(stack: Outside, minutes: int) -> None:
    stack.advance(minutes * 60)
    stack.settle()


@pytest.mark.parametrize(
    "weather",
    [
        {"lost_answer_share": 0.7},
        {"rate_share": 0.6, "rate_status": 403},
        {"rate_share": 0.6, "rate_status": 429},
        {"error_share": 0.6},
        {"hidden_after_create": 3.0},
        {"link_delay": 120.0},
    ],
    ids=str,
)
def test_in_bad_weather_a_call_is_booked_once(firm: Outside, weather: dict[str, Any]) -> None:
    switch(firm, **weather)
    lead_id = make_card(firm)
    plan_meeting(firm, lead_id, in_hours(firm, 30))
    pass_time(firm, 20)
    switch(firm, **FAIR)
    pass_time(firm, 20)
    event = call_of(firm, lead_id)
    assert guests(event) == {DINA, CLIENT}
    assert words(firm, event) == ["invite"]
    assert link_on(firm, lead_id) == event["hangoutLink"]
    assert notes(firm, lead_id).count("Встреча ") == 1


def test_a_domain_without_meet_gets_the_event_without_a_link(firm: Outside) -> None:
    switch(firm, meet_allowed=False)
    lead_id = make_card(firm)
    plan_meeting(firm, lead_id, in_hours(firm, 30))
    event = call_of(firm, lead_id)
    assert "hangoutLink" not in event
    assert words(firm, event) == ["invite"]
    assert "Ссылки на видеовстречу" in notes(firm, lead_id)


def test_limits_for_invitations_are_waited_out(firm: Outside) -> None:
    switch(firm, external_invitations=0)
    lead_id = make_card(firm)
    plan_meeting(firm, lead_id, in_hours(firm, 40))
    before = firm.google("GET", "/_sim/requests")["by_path"]["POST /calendar/v3/calendars/<path:calendar>/events"]
    pass_time(firm, 50)
    after = firm.google("GET", "/_sim/requests")["by_path"]["POST /calendar/v3/calendars/<path:calendar>/events"]
    assert after == before, "an hour of peace"
    switch(firm, external_invitations=None)
    pass_time(firm, 8 * 60)
    event = call_of(firm, lead_id)
    assert guests(event) == {DINA, CLIENT}
    assert words(firm, event) == ["invite"]


def test_a_time_in_the_past_and_a_misspelt_address(firm: Outside) -> None:
    past = make_card(firm)
    plan_meeting(firm, past, in_hours(firm, -2))
    assert "уже прошло" in notes(firm, past)
    misspelt = make_card(firm, email="ivan(at)mail.ru")
    plan_meeting(firm, misspelt, in_hours(firm, 30))
    assert guests(call_of(firm, misspelt)) == {DINA}
    assert "с ошибкой" in notes(firm, misspelt)
    refused = make_card(firm, email="ivan@mail.r")
    plan_meeting(firm, refused, in_hours(firm, 30))
    assert guests(call_of(firm, refused)) == {DINA}


def test_a_revoked_credential_is_told_and_mended(firm: Outside) -> None:
    """The last one: nothing gives the credential back."""
    firm.google("POST", "/_sim/revoke", {})
    firm.advance(3700)
    firm.settle()
    lead_id = make_card(firm)
    plan_meeting(firm, lead_id, in_hours(firm, 30))
    pass_time(firm, 10)
    assert "отвечает отказом" in notes(firm, lead_id)
    assert notes(firm, lead_id).count("отвечает отказом") == 1
    assert all(counts["dlq"] == 0 for counts in firm.queues().values())
    settle(firm)


def test_nothing_of_all_that_names_anybody_in_the_logs(firm: Outside) -> None:
    """After whatever the tests of this file have done, refusals and revoked credentials included."""
    logged = firm.logs.read_text(encoding="utf-8")
    assert "calendar_refused" in logged
    tokens = [firm.addresses["google"]["token"], firm.addresses["amocrm"]["token"], "ya29.", "BEGIN PRIVATE KEY"]
    secrets = [CLIENT, DINA, "@firm.example", "@mail.ru", "Иван Петров", "meet.google.com", *tokens]
    assert [secret for secret in secrets if secret in logged] == []
