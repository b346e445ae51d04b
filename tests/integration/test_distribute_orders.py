"""Whatever happens to a lead, and in whatever order, however late and often the news come: it ends in the right hands
and every ledger is exactly what the decisions that stand have handed out."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.adapters.dynamodb.table import Table
from functions.shared.errors import AmoCrmUnavailable
from functions.shared.fairness import UNIT
from tests.builders import (
    ANNA,
    BORIS,
    GLEB,
    MAIN_PIPELINE,
    MAIN_STAGE,
    MONDAY_NOON,
    SPAM,
    VERA,
    lead_hook,
    make_three_levels,
)
from tests.desk import Desk
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE

TICK = '{"tick": "waiting-room", "time": "2026-11-23T09:00:00Z"}'
DESK, CLOSERS = "lead_desk", "closers"
PLACES = {DESK: (FIRST_STAGE, PIPELINE), CLOSERS: (MAIN_STAGE, MAIN_PIPELINE)}
PEOPLE = {DESK: {ANNA, BORIS}, CLOSERS: {VERA, GLEB}}

moves = st.lists(st.sampled_from(["cross", "cross", "lose", "reopen", "night", "fail"]), max_size=8)


class Story:
    """One lead, the router that tells of it, and the messages that nobody has finished."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.lead_id = desk.amocrm.add_lead(responsible_user_id=1).id
        self.team, self.hop = DESK, 0
        self.messages = [lead_hook(self.lead_id)]

    @property
    def is_lost(self) -> bool:
        return self.desk.amocrm.see(self.lead_id).is_closed

    def happen(self, move: str) -> None:
        self.desk.clock.advance(90)
        if move == "night":
            self.desk.clock.advance(12 * 3600)
        elif move == "fail":
            self.desk.amocrm.fail_next(AmoCrmUnavailable("502"))
        elif move == "lose" and not self.is_lost:
            self.desk.amocrm.human_moves(self.lead_id, 143, loss_reason_id=SPAM)
            self.messages.append(self.desk.closed(self.lead_id))
        elif move == "reopen" and self.is_lost:
            self.desk.amocrm.human_moves(self.lead_id, *PLACES[self.team])
        elif move == "cross" and not self.is_lost:
            self._cross()

    def _cross(self) -> None:
        lead = self.desk.amocrm.see(self.lead_id)
        self.team, self.hop = (CLOSERS if self.team == DESK else DESK), self.hop + 1
        self.desk.amocrm.human_moves(self.lead_id, *PLACES[self.team])
        places = ("exchange.talk", "main.contact")
        from_place, to_place = places if self.team == CLOSERS else reversed(places)
        self.messages.append(
            self.desk.routed(lead, f"route#{self.hop}", team=self.team, from_place=from_place, to_place=to_place)
        )

    def deliver(self, order: list[str]) -> None:
        """One batch; what comes back stays."""
        back = {order[int(message_id.removeprefix("m"))] for message_id in self.desk.hook(*order)}
        self.messages = [message for message in self.messages if message not in order or message in back]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), script=moves)
def test_any_order_of_news_ends_right(dynamodb, new_table, data, script):
    desk = Desk(Table(lambda: dynamodb, new_table()))
    desk.apply(make_three_levels())
    story = Story(desk)
    told = []
    for move in script:
        if story.messages and data.draw(st.booleans(), label="deliver some"):
            story.deliver(data.draw(st.lists(st.sampled_from(story.messages), min_size=1, max_size=4), label="which"))
        story.happen(move)
        told += [message for message in story.messages if message not in told]
    desk.amocrm._failures.clear()
    for day in range(4):
        desk.clock.moment = MONDAY_NOON + timedelta(days=7 + day)
        story.deliver([*data.draw(st.permutations(story.messages), label="order"), TICK])
    story.deliver([*told, TICK])

    assert story.messages == []
    assert desk.stores.waiting_room.of_department(make_three_levels()) == []
    check_ledgers(desk, story.lead_id)
    if story.is_lost:
        assert not any(one.is_spent for one in desk.stores.assignments.of_lead(story.lead_id))
    else:
        assert desk.amocrm.owner(story.lead_id) in PEOPLE[story.team]


def check_ledgers(desk: Desk, lead_id: int) -> None:
    for team in (DESK, CLOSERS):
        charged: dict[int, int] = {}
        for one in desk.stores.assignments.of_lead(lead_id):
            assert not one.is_open
            if one.team == team and one.is_spent:
                for user_id, claim in one.claims.items():
                    charged[user_id] = charged.get(user_id, 0) + claim
                charged[one.owner] -= UNIT
        assert {user: balance for user, balance in charged.items() if balance} == desk.balances(team)
        assert sum(desk.balances(team).values()) == 0
