"""What stands in the way of the arrows, and what they cost: rules that contradict, an account that was changed behind
our back, turns that are given back. From outside, in one model: nothing here depends on who belongs to which team."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.e2e.arrows import HEAD, Arrive, Client, Floor, Patch, open_floor

EXTRA = """
merging: {per_day: 500}
routes:
  went_elsewhere: {when: {stage: main.agreement}, close: competitor}
  dissatisfied: {when: {stage: main.payment}, move: aftercare.at_risk}
"""
"""The preset, with room for many merges, and two routes of the firm's own that tests break from amoCRM's side."""

QUALIFIED = "exchange.qualified"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with open_floor("three_level", tmp_path_factory.mktemp("obstacles"), EXTRA) as floor:
        yield floor


# -- turns -------------------------------------------------------------------------------------------------------------


def whose_turn(floor: Floor) -> str:
    """Who is next for a new request: one that turns out to be no client's costs him nothing."""
    return close_by(floor, "not_target", floor.to("exchange.not_target"))


def close_by(floor: Floor, reason: str, fields: dict[str, object]) -> str:
    """A request comes in and is closed; returns who had it."""
    lead = floor.new_card()
    floor.do([Patch(lead, fields)])
    card = floor.cards()[lead]
    assert (card.place, card.reason) == ("exchange.lost", reason)
    return card.owner


def lost_because(floor: Floor, reason: str) -> dict[str, object]:
    """A person closes the card himself and names a reason."""
    return {**floor.to("exchange.lost"), "loss_reason_id": floor.reasons[reason]}


def test_a_lead_that_was_not_target_gives_the_turn_back(floor: Floor) -> None:
    assert len({whose_turn(floor) for _ in range(3)}) == 1


def test_spam_closed_by_hand_gives_the_turn_back(floor: Floor) -> None:
    assert len({close_by(floor, "spam", lost_because(floor, "spam")) for _ in range(3)} | {whose_turn(floor)}) == 1


def test_a_client_lost_over_the_price_was_a_turn(floor: Floor) -> None:
    assert len({close_by(floor, "expensive", lost_because(floor, "expensive")) for _ in range(3)}) > 1


def test_duplicates_at_arrival_spend_nobodys_turn(floor: Floor) -> None:
    client = Client.new()
    floor.new_card(QUALIFIED, client=client)
    before = whose_turn(floor)
    again = [Arrive(replace(client, phone=client.phone_by_hand)) for _ in range(3)]
    floor.do(again)
    cards = floor.cards()
    assert {cards[arrival.lead].reason for arrival in again} == {"duplicate"}
    assert whose_turn(floor) == before


# -- weather -----------------------------------------------------------------------------------------------------------


def test_a_rule_that_plays_ping_pong_with_a_route_is_stopped(floor: Floor) -> None:
    """GIVEN somebody's automation that puts every card from «Получен от биржи» back to «Квалифицирован»."""
    lead, rounds = floor.new_card(QUALIFIED), 0
    while floor.cards()[lead].place == "main.received":
        rounds += 1
        assert rounds <= 10, "nobody stops it"
        floor.do([floor.step(lead, QUALIFIED)])
    card = floor.cards()[lead]
    assert (card.place, rounds) == (QUALIFIED, 6)
    [told] = [task for task in card.open_tasks() if task.owner == HEAD]
    assert "ходит по кругу" in told.text
    assert told.due <= 4 * HOUR
    assert card.owner in floor.team(2)
    floor.stack.advance(HOUR.total_seconds())
    floor.rest()
    assert floor.cards()[lead].place == QUALIFIED, "it waits for a person"
    for step in ("exchange.qualifying", QUALIFIED):
        floor.do([floor.step(lead, step)])
    assert floor.cards()[lead].place == "main.received"
    assert floor.dead_letters() == {}


def test_fifty_duplicates_of_one_client_end_in_one_card(floor: Floor) -> None:
    lead = floor.new_card(QUALIFIED)
    first = floor.cards()[lead]
    again = [Arrive(Client(contact=first.contacts[0])) for _ in range(50)]
    floor.do(again)
    cards = floor.cards()
    ends = Counter((cards[arrival.lead].place, cards[arrival.lead].reason) for arrival in again)
    assert ends == {("exchange.lost", "duplicate"): 50}
    assert (cards[lead].place, cards[lead].owner, cards[lead].contacts) == (first.place, first.owner, first.contacts)
    assert floor.dead_letters() == {}


def test_a_loss_reason_that_was_deleted_in_amocrm_does_not_keep_a_lead_open(floor: Floor) -> None:
    lead = floor.new_card(QUALIFIED)
    floor.ask("DELETE", f"leads/loss_reasons/{floor.reasons['competitor']}")
    floor.do([floor.step(lead, "main.agreement")])
    card = floor.cards()[lead]
    assert (card.place, card.reason) == ("main.lost", "")
    assert any("записать не удалось" in text for text in card.notes)
    assert floor.dead_letters() == {}


def test_a_target_stage_that_was_deleted_in_amocrm_leaves_the_lead_with_its_manager(floor: Floor) -> None:
    lead = floor.new_card(QUALIFIED)
    before = floor.cards()[lead]
    pipeline_id, status_id = floor.places["aftercare.at_risk"]
    floor.ask("DELETE", f"leads/pipelines/{pipeline_id}/statuses/{status_id}")
    floor.do([floor.step(lead, "main.payment")])
    card = floor.cards()[lead]
    assert (card.place, card.owner) == ("main.payment", before.owner)
    [told] = [task for task in card.open_tasks() if task.owner == HEAD]
    assert "не принимает переход" in told.text
    floor.do([floor.step(lead, "main.not_ready")])
    assert floor.cards()[lead].place == "warm_up.to_warm", "the other routes go on"
    assert floor.dead_letters() == {}


def test_a_pipeline_that_nobody_knows_is_nobodys_business(floor: Floor) -> None:
    lead = floor.new_card(QUALIFIED, "?Воронка.Переговоры")
    card = floor.cards()[lead]
    assert card.place == "?Воронка.Переговоры"
    assert card.owner in floor.team(2)
    tasks, notes = len(card.tasks), len(card.notes)
    floor.do([floor.step(lead, "?Воронка.Принимают решение+qualified")])
    card = floor.cards()[lead]
    assert (card.place, card.answer) == ("?Воронка.Принимают решение", "qualified")
    assert (len(card.tasks), len(card.notes)) == (tasks, notes)
    floor.do([floor.step(lead, "exchange.no_information")])
    card = floor.cards()[lead]
    assert card.place == "warm_up.to_warm"
    assert card.owner in floor.team(1)
    assert floor.dead_letters() == {}
