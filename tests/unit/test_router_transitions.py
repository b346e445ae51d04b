"""What is known of a lead once a step of it is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.qualify_router.transitions import (
    born,
    done,
    dropped,
    hands_over,
    left,
    overtaken,
    refused,
    team_before,
    timed,
    unmerged,
)
from functions.shared.lead_state import TOLD, Decision, LastHop, LeadState, Step
from tests.builders import MONDAY_NOON as NOON
from tests.routing_support import ANNA, DINA, HEAD, make_department, place

DEPARTMENT = make_department()
LATER = NOON + timedelta(minutes=5)


def step(kind: Step, seen: str, to: str | None = None, **values: Any) -> Decision:
    plain: dict[str, Any] = {
        "route": "",
        "seen_at": NOON,
        "owner": ANNA,
        "hop": 1,
        "decided_at": NOON,
        "lease_until": NOON + timedelta(seconds=75),
        "department_version": 1,
    }
    return Decision(kind, seen=place(seen), to=place(to) if to else None, **(plain | values))


def at(text: str, **values: Any) -> LeadState:
    where = place(text)
    team = DEPARTMENT.team_of_pipeline(where.role).name
    return replace(LeadState(7, version=1, team=team, told=where.role).at(where, NOON), **values)


class TestMoves:
    MOVE = step(Step.MOVE, "exchange.qualified", "main.received", answer="qualified", route="qualified")

    def test_the_lead_is_known_where_we_put_it_and_whose_it_is_now(self) -> None:
        after = done(at("exchange.qualified", pending=self.MOVE), self.MOVE, DEPARTMENT, LATER)
        assert (after.place, after.team, after.told) == (place("main.received"), "closers", "main")
        assert (after.entered_at, after.pending) == (LATER, None)
        assert after.last == LastHop(place("exchange.qualified"), place("main.received"), NOON, "qualified")

    def test_it_counts_as_a_hop(self) -> None:
        old = NOON - timedelta(minutes=90)
        after = done(at("exchange.qualified", hops=(old,)), self.MOVE, DEPARTMENT, LATER)
        assert (after.hop, after.hops) == (1, (NOON,))

    def test_its_last_manager_in_each_team_is_remembered(self) -> None:
        there = done(at("exchange.qualified"), self.MOVE, DEPARTMENT, LATER)
        back = step(Step.MOVE, "main.not_ready", "warm_up.to_warm", owner=DINA, hop=2)
        assert done(there, back, DEPARTMENT, LATER).owners == {"lead_desk": ANNA, "closers": DINA}

    def test_inside_a_team_nobody_is_remembered(self) -> None:
        inside = step(Step.MOVE, "exchange.no_information", "warm_up.to_warm")
        assert done(at("exchange.no_information"), inside, DEPARTMENT, LATER).owners == {}

    def test_the_answer_is_taken_off_the_card(self) -> None:
        assert done(at("exchange.qualified", answer="qualified"), self.MOVE, DEPARTMENT, LATER).answer == ""

    def test_a_new_stay_knows_of_nothing_done(self) -> None:
        after = done(at("exchange.qualified", fired=frozenset({"x", "role:y"})), self.MOVE, DEPARTMENT, LATER)
        assert after.fired == frozenset()

    def test_warm_up_remembers_where_the_lead_came_from(self) -> None:
        move = step(Step.MOVE, "main.not_ready", "warm_up.to_warm")
        assert done(at("main.not_ready"), move, DEPARTMENT, LATER).came_from == "main"


class TestByHand:
    def test_a_crossing_is_no_write_of_ours(self) -> None:
        cross = step(Step.CROSS, "main.contact", "main.contact")
        after = done(at("exchange.new").at(place("main.contact"), NOON), cross, DEPARTMENT, LATER)
        assert (after.team, after.told, after.last, after.hops) == ("closers", "main", None, ())
        assert (after.hop, after.owners) == (1, {"lead_desk": ANNA})

    @pytest.mark.parametrize("kind", [Step.CLOSED, Step.SOLD])
    def test_what_was_told_is_told_once(self, kind: Step) -> None:
        told = step(kind, "main.lost", "main.lost", fired=TOLD, hop=0)
        assert TOLD in done(at("main.lost"), told, DEPARTMENT, LATER).fired


class TestClosing:
    @pytest.mark.parametrize("kind", [Step.CLOSE, Step.MERGE])
    def test_a_closed_lead_keeps_its_answer_and_the_bus_knows(self, kind: Step) -> None:
        close = step(kind, "exchange.new", "exchange.lost", answer="not_target", fired="role:not_target")
        after = done(at("exchange.new"), close, DEPARTMENT, LATER)
        assert (after.place, after.answer) == (place("exchange.lost"), "not_target")
        assert TOLD in after.fired and after.team == "lead_desk"

    def test_a_merge_that_was_not_done_is_not_tried_again_in_this_stay(self) -> None:
        merge = step(Step.MERGE, "exchange.in_conversation", "exchange.lost", fired="in_conversation")
        after = unmerged(at("exchange.in_conversation", pending=merge), merge, DEPARTMENT, LATER)
        assert after.fired == {"in_conversation"}
        assert (after.place, after.pending, after.hops) == (place("exchange.in_conversation"), None, ())


class TestCopies:
    def test_a_sale_stays_where_it_is_and_knows_its_card(self) -> None:
        copy = step(Step.COPY, "main.won", "aftercare.new_client", route="won", fired="won")
        after = done(at("main.won", answer="qualified"), copy, DEPARTMENT, LATER, sale=99)
        assert (after.place, after.sale, after.answer) == (place("main.won"), 99, "qualified")
        assert after.fired == {"won", TOLD}

    def test_a_copied_lead_that_goes_on_keeps_what_its_card_says(self) -> None:
        copy = step(Step.COPY, "aftercare.offer", "main.received", route="repeat_sale", fired="repeat_sale")
        after = done(at("aftercare.offer", answer="not_target"), copy, DEPARTMENT, LATER)
        assert (after.place, after.answer) == (place("aftercare.in_care"), "not_target")
        assert after.last is not None and after.last.to == place("aftercare.in_care")
        assert after.fired == frozenset()

    def test_a_copy_is_the_team_s_of_its_place_and_the_next_tick_looks_at_it(self) -> None:
        copy = step(Step.COPY, "main.won", "aftercare.new_client")
        card = born(99, copy, 7, DEPARTMENT, LATER)
        assert (card.lead_id, card.version, card.origin) == (99, 0, 7)
        assert (card.place, card.team, card.told, card.due_at) == (
            place("aftercare.new_client"),
            "care",
            "aftercare",
            LATER,
        )

    def test_an_overtaken_copy_is_remembered_but_not_where_the_lead_stands(self) -> None:
        copy = step(Step.COPY, "main.won", "aftercare.new_client", route="won", fired="won")
        after = overtaken(at("main.won", pending=copy), copy, LATER, sale=99)
        assert (after.sale, after.pending, after.hops, after.fired) == (99, None, (NOON,), frozenset())


class TestOtherEnds:
    def test_a_parked_lead_stands_still(self) -> None:
        park = step(Step.PARK, "exchange.qualified", "main.received", fired="qualified", hop=0)
        after = done(at("exchange.qualified"), park, DEPARTMENT, LATER)
        assert after.parked and after.place == place("exchange.qualified") and after.hops == ()
        assert not after.at(place("exchange.new"), LATER).parked

    def test_a_refused_route_is_remembered_under_the_department_s_version(self) -> None:
        move = step(Step.MOVE, "exchange.qualified", "main.received", route="qualified")
        after = refused(at("exchange.qualified", pending=move), move, DEPARTMENT, LATER)
        assert (after.blocked, after.pending, after.place) == ("qualified@1", None, place("exchange.qualified"))

    def test_a_dropped_step_uses_its_number_up(self) -> None:
        """The bus may have been told under it: another hand-over under the same cause would be taken for the first."""
        move = step(Step.MOVE, "exchange.qualified", "main.received", hop=3)
        assert dropped(at("exchange.new", hop=2, pending=move)).hop == 3
        merge = replace(move, step=Step.MERGE)
        assert dropped(at("exchange.new", hop=2, pending=merge)).hop == 2

    def test_a_lead_that_left_the_map_waits_for_nothing(self) -> None:
        after = left(at("warm_up.to_warm", due_at=LATER, pending=step(Step.TASK, "warm_up.to_warm")))
        assert (after.due_at, after.pending) == (None, None)

    def test_suggested_leads_are_remembered_once(self) -> None:
        suggest = step(Step.SUGGEST, "exchange.in_conversation", others=(5, 6), fired="in_conversation")
        after = done(at("exchange.in_conversation", suggested=(6,)), suggest, DEPARTMENT, LATER)
        assert after.suggested == (6, 5)

    def test_due_times_are_whole_seconds_and_never_too_early(self) -> None:
        since = NOON + timedelta(microseconds=1)
        state = LeadState(7).at(place("warm_up.to_warm"), since)
        assert timed(state, DEPARTMENT, NOON).due_at == NOON + timedelta(days=30, seconds=1)


class TestTeams:
    CLOSED = step(Step.MOVE, "exchange.qualified", "main.lost")

    def test_what_we_were_told_counts_first(self) -> None:
        decision = step(Step.MOVE, "exchange.qualified", "main.received", owner=DINA)
        assert team_before(LeadState(7, team="care"), decision, DEPARTMENT) == "care"

    def test_else_the_owner_s_team_else_the_pipeline_s(self) -> None:
        nobody = LeadState(7)
        for owner, team in ((DINA, "closers"), (ANNA, "lead_desk"), (HEAD, "lead_desk")):
            decision = step(Step.MOVE, "exchange.qualified", "main.received", owner=owner)
            assert team_before(nobody, decision, DEPARTMENT) == team
            assert hands_over(nobody, decision, DEPARTMENT) is (team != "closers")

    def test_nobody_is_given_a_closed_lead(self) -> None:
        assert not hands_over(at("exchange.qualified"), self.CLOSED, DEPARTMENT)

    @pytest.mark.parametrize("kind", [Step.TASK, Step.COPY, Step.CLOSE, Step.PARK, Step.SUGGEST])
    def test_only_steps_that_carry_the_lead_hand_it_over(self, kind: Step) -> None:
        assert not hands_over(at("exchange.qualified"), step(kind, "exchange.qualified", "main.received"), DEPARTMENT)

    def test_in_one_team_there_is_nothing_to_hand_over(self) -> None:
        decision = step(Step.MOVE, "exchange.qualified", "main.received")
        assert not hands_over(LeadState(7), decision, make_department("one_level"))
