"""Where a lead goes next, decided without any world around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.qualify_router.routing import (
    MergeWanted,
    Sight,
    Table,
    decide,
    due_at,
    has_route,
    is_worth_reading,
    look,
    may_be_swept,
    taken_from,
)
from functions.qualify_router.transitions import done
from functions.shared.crm import LOST, WON, FieldValue, Lead, StageChange
from functions.shared.department import Department, Place
from functions.shared.lead_state import TOLD, Decision, LastHop, LeadState, Step
from infra.department.preset import MODELS
from tests.builders import MONDAY_NOON as NOON
from tests.routing_support import ANNA, DINA, answer, make_department, place

DEPARTMENT = make_department()
ANSWERS = ("not_target", "in_conversation", "no_information", "qualified")


def lead_at(at: str, says: str = "", department: Department = DEPARTMENT, **values: Any) -> Lead:
    pipeline_id, status_id = department.ids(place(at))
    fields = (answer(department, says),) if says else ()
    times = {"created_at": NOON, "updated_at": NOON, "responsible_user_id": ANNA}
    return Lead(7, pipeline_id, status_id, **(times | {"fields": fields} | values))


def sight_of(at: str, says: str = "", department: Department = DEPARTMENT, **values: Any) -> Sight:
    found = look(lead_at(at, says, department, **values), department)
    assert found is not None
    return found


def known(at: str | None = None, since: datetime = NOON, **values: Any) -> LeadState:
    """A lead that has been routed before; its team is the place's own."""
    state = LeadState(7, version=1)
    if at is not None:
        team = DEPARTMENT.team_of_pipeline(place(at).role).name
        state = replace(state, team=team, told=place(at).role).at(place(at), since)
    return replace(state, **values)


def step_of(
    at: str,
    says: str = "",
    state: LeadState | None = None,
    now: datetime = NOON,
    department: Department = DEPARTMENT,
) -> Any:
    """What is decided about a lead there; `state` None is one that stands where it was known to stand."""
    sight = sight_of(at, says, department)
    state = (known(at) if state is None else state).at(sight.place, now)
    return decide(sight, Table(state, department, now))


class TestTheArticle:
    @pytest.mark.parametrize(
        ("at", "says", "step", "to"),
        [
            ("exchange.not_target", "", Step.CLOSE, "exchange.lost"),
            ("exchange.no_information", "", Step.MOVE, "warm_up.to_warm"),
            ("exchange.qualified", "", Step.MOVE, "main.received"),
            ("exchange.new", "not_target", Step.CLOSE, "exchange.lost"),
            ("exchange.qualifying", "no_information", Step.MOVE, "warm_up.to_warm"),
            ("exchange.new", "qualified", Step.MOVE, "main.received"),
            ("main.conditional_refusal", "not_target", Step.CLOSE, "main.lost"),
            ("main.conditional_refusal", "no_information", Step.MOVE, "warm_up.to_warm"),
            ("main.conditional_refusal", "qualified", Step.MOVE, "main.received"),
            ("main.not_ready", "", Step.MOVE, "warm_up.to_warm"),
            ("main.won", "", Step.COPY, "aftercare.new_client"),
            ("exchange.won", "", Step.COPY, "aftercare.new_client"),
            ("warm_up.won", "", Step.COPY, "aftercare.new_client"),
            ("warm_up.warmed", "", Step.MOVE, "exchange.new"),
            ("aftercare.offer", "", Step.COPY, "main.received"),
        ],
    )
    @pytest.mark.parametrize("model", sorted(MODELS))
    def test_every_arrow_leads_to_its_place(self, model: str, at: str, says: str, step: Step, to: str) -> None:
        decided = step_of(at, says, department=make_department(model), state=known())
        assert (decided.step, str(decided.to)) == (step, to)

    @pytest.mark.parametrize(("at", "says"), [("exchange.in_conversation", ""), ("exchange.new", "in_conversation")])
    def test_a_duplicate_is_for_amocrm_to_tell(self, at: str, says: str) -> None:
        assert isinstance(step_of(at, says), MergeWanted)

    def test_a_conditional_refusal_asks_its_owner_first_and_only_once(self) -> None:
        asked = step_of("main.conditional_refusal")
        assert asked.step is Step.TASK

        after = done(known("main.conditional_refusal"), asked, DEPARTMENT, NOON)
        assert step_of("main.conditional_refusal", state=after) is None
        assert step_of("main.conditional_refusal", "qualified", state=after).step is Step.MOVE

    @pytest.mark.parametrize(
        "at", ["exchange.new", "main.contact", "main.offer", "aftercare.in_care", "warm_up.warming"]
    )
    def test_where_no_route_is_nothing_happens(self, at: str) -> None:
        assert step_of(at) is None

    @pytest.mark.parametrize("says", ANSWERS)
    @pytest.mark.parametrize("at", ["main.contact", "warm_up.warming", "aftercare.in_care", "exchange.unsorted"])
    def test_an_answer_counts_only_where_the_article_asks_for_it(self, at: str, says: str) -> None:
        if at.endswith("unsorted"):
            pipeline = DEPARTMENT.pipeline_of("exchange")
            lead = replace(lead_at("exchange.new", says), status_id=pipeline.unsorted_status_id)
            sight = look(lead, DEPARTMENT)
            assert sight is not None
            assert decide(sight, Table(known("exchange.new").at(sight.place, NOON), DEPARTMENT, NOON)) is None
        else:
            assert step_of(at, says) is None

    def test_a_warmed_lead_goes_back_where_it_came_from(self) -> None:
        from_main = known("main.not_ready").at(place("warm_up.to_warm"), NOON)
        assert str(step_of("warm_up.warmed", state=from_main).to) == "main.received"

        from_exchange = known("exchange.no_information").at(place("warm_up.to_warm"), NOON)
        assert str(step_of("warm_up.warmed", state=from_exchange).to) == "exchange.new"


class TestOrder:
    def test_what_moves_the_lead_goes_before_what_only_sets_a_task(self) -> None:
        assert step_of("main.conditional_refusal", "not_target").route == "refused_not_target"

    def test_the_stage_goes_before_the_field(self) -> None:
        assert step_of("exchange.no_information", "qualified").route == "no_information"

    def test_time_goes_last(self) -> None:
        extra = "routes:\n  tired: {when: {stage: main.offer, after: 1d}, close: no_answer}\n"
        extra += "  now: {when: {stage: main.offer, answer: qualified}, move: main.payment}"
        department = make_department(extra=extra)
        old = known("main.offer", since=NOON - timedelta(days=2))

        assert step_of("main.offer", "qualified", state=old, department=department).route == "now"
        assert step_of("main.offer", state=old, department=department).route == "tired"
        assert step_of("main.offer", state=known("main.offer"), department=department) is None


class TestAnswers:
    def test_an_answer_that_was_acted_upon_and_left_on_the_card_does_not_act_again(self) -> None:
        """The lead was closed as not target, and a person has taken it up again: he has the last word."""
        closed = done(known("exchange.new"), step_of("exchange.new", "not_target"), DEPARTMENT, NOON)
        assert closed.answer == "not_target"

        assert step_of("exchange.new", "not_target", state=closed) is None
        assert step_of("exchange.new", "qualified", state=closed).step is Step.MOVE

    def test_an_enum_that_is_none_of_ours_is_no_answer(self) -> None:
        other = FieldValue(DEPARTMENT.answer_field, "Итог", "select", ({"value": "Иное", "enum_id": 99},))
        found = look(lead_at("exchange.new", fields=(other,)), DEPARTMENT)
        assert found is not None and found.answer == ""


class TestByHand:
    def test_a_person_may_take_a_lead_across_by_hand(self) -> None:
        decided = step_of("main.contact", state=known("exchange.new"))
        assert (decided.step, str(decided.to), decided.cause) == (Step.CROSS, "main.contact", "route#1")

    def test_inside_a_team_nobody_is_told_of_a_stage(self) -> None:
        assert step_of("main.offer", state=known("main.contact")) is None

    def test_another_pipeline_of_the_same_team_is_told_without_a_hand_over(self) -> None:
        department = make_department("one_level")
        state = replace(known("exchange.new"), team="lead_desk")
        assert step_of("main.contact", state=state, department=department).step is Step.CROSS

    def test_of_a_lead_that_nobody_knows_no_crossing_is_known(self) -> None:
        assert step_of("main.contact", state=LeadState(7)) is None

    def test_a_lead_closed_by_hand_is_told_once(self) -> None:
        decided = step_of("main.lost")
        assert decided.step is Step.CLOSED
        assert step_of("main.lost", state=done(known("main.lost"), decided, DEPARTMENT, NOON)) is None

    def test_a_sale_in_aftercare_is_told_without_a_copy(self) -> None:
        assert step_of("aftercare.won").step is Step.SOLD

    def test_a_sale_is_copied_once_for_ever(self) -> None:
        sold = known("main.won", sale=99)
        again = sold.at(place("main.contact"), NOON)
        assert step_of("main.won", state=again) is None
        assert step_of("warm_up.won", state=again) is None


class TestCircles:
    def test_the_seventh_move_within_an_hour_is_parked_and_tells_the_head(self) -> None:
        hops = tuple(NOON - timedelta(minutes=minute) for minute in range(6))
        decided = step_of("exchange.qualified", state=known("exchange.qualified", hops=hops))
        assert (decided.step, decided.why) == (Step.PARK, "move")

        parked = done(known("exchange.qualified", hops=hops), decided, DEPARTMENT, NOON)
        assert parked.parked
        assert step_of("exchange.qualified", state=parked) is None

    def test_a_person_who_moves_it_on_ends_the_parking(self) -> None:
        parked = known("exchange.qualified", parked=True)
        assert step_of("exchange.no_information", state=parked).step is Step.MOVE

    def test_hops_of_more_than_an_hour_ago_do_not_count(self) -> None:
        hops = tuple(NOON - timedelta(minutes=60 + minute) for minute in range(6))
        assert step_of("exchange.qualified", state=known("exchange.qualified", hops=hops)).step is Step.MOVE

    def test_tasks_and_what_people_do_are_no_hops(self) -> None:
        hops = (NOON,) * 6
        assert step_of("main.conditional_refusal", state=known("main.conditional_refusal", hops=hops)).step is Step.TASK
        assert step_of("main.contact", state=known("exchange.new", hops=hops)).step is Step.CROSS


class TestRefused:
    def test_a_route_that_amocrm_refused_rests_until_the_department_is_another(self) -> None:
        blocked = known("exchange.qualified", blocked="qualified@1")
        assert step_of("exchange.qualified", state=blocked) is None
        assert step_of("exchange.qualified", state=blocked, department=replace(DEPARTMENT, version=2)) is not None

    def test_other_routes_go_on(self) -> None:
        blocked = known("exchange.qualified", blocked="qualified@1")
        assert step_of("exchange.qualified", "not_target", state=blocked).step is Step.CLOSE


class TestTime:
    DEPARTMENT = make_department(
        extra="routes:\n  thinking: {when: {stage: main.offer, after: 14d}, task: {for: owner, text: Думает}}"
    )

    def test_a_timed_route_is_due_when_its_time_in_the_stage_is_over(self) -> None:
        state = known("main.offer")
        assert due_at(Table(state, self.DEPARTMENT, NOON)) == NOON + timedelta(days=14)

        later = NOON + timedelta(days=14)
        assert step_of("main.offer", state=state, now=later - timedelta(seconds=1), department=self.DEPARTMENT) is None
        assert step_of("main.offer", state=state, now=later, department=self.DEPARTMENT).step is Step.TASK

    def test_time_in_a_pipeline_goes_on_from_stage_to_stage(self) -> None:
        state = known("warm_up.to_warm").at(place("warm_up.warming"), NOON + timedelta(days=10))
        assert due_at(Table(state, DEPARTMENT, NOON)) == NOON + timedelta(days=30)

    def test_what_is_done_is_not_due_again_in_this_stay(self) -> None:
        state = known("main.offer", fired=frozenset({"thinking"}))
        assert due_at(Table(state, self.DEPARTMENT, NOON)) is None
        assert step_of("main.offer", state=state, now=NOON + timedelta(days=99), department=self.DEPARTMENT) is None

    def test_a_stay_that_begins_anew_is_timed_anew(self) -> None:
        done_once = known("main.offer", fired=frozenset({"thinking"}))
        again = done_once.at(place("main.contact"), NOON).at(place("main.offer"), NOON + timedelta(days=1))
        assert due_at(Table(again, self.DEPARTMENT, NOON)) == NOON + timedelta(days=15)

    def test_what_is_done_for_the_pipeline_is_done_in_all_its_stages(self) -> None:
        state = known("warm_up.to_warm", fired=frozenset({"role:long_warm_up"})).at(place("warm_up.warming"), NOON)
        assert due_at(Table(state, DEPARTMENT, NOON)) is None


class TestWorthReading:
    @staticmethod
    def is_worth(at: str, state: LeadState, says: str = "", team: str | None = None) -> bool:
        team = state.team if team is None else team
        return is_worth_reading(place(at), {says} - {""}, state, team, DEPARTMENT)

    def test_an_echo_is_not(self) -> None:
        assert not self.is_worth("main.received", known("main.received"))

    def test_another_place_is(self) -> None:
        assert self.is_worth("main.contact", known("main.received"))

    def test_a_stage_with_a_route_is_until_the_route_is_done(self) -> None:
        state = known("main.conditional_refusal")
        assert self.is_worth("main.conditional_refusal", state)
        assert not self.is_worth("main.conditional_refusal", replace(state, fired=frozenset({"conditional_refusal"})))

    def test_an_answer_is_where_it_counts_and_is_not_known(self) -> None:
        assert self.is_worth("exchange.new", known("exchange.new"), "qualified")
        assert not self.is_worth("exchange.new", known("exchange.new", answer="qualified"), "qualified")
        assert not self.is_worth("main.contact", known("main.contact"), "qualified")

    def test_a_closed_lead_is_until_the_bus_was_told(self) -> None:
        assert self.is_worth("main.lost", known("main.lost"))
        assert not self.is_worth("main.lost", known("main.lost", fired=frozenset({TOLD})))
        assert not self.is_worth("main.won", known("main.won", sale=99))

    def test_a_lead_in_another_teams_pipeline_is(self) -> None:
        assert self.is_worth("main.contact", LeadState(7), team="lead_desk")
        assert not self.is_worth("main.contact", LeadState(7), team="closers")

    def test_a_lead_that_nobody_knows_is_only_where_a_route_is(self) -> None:
        assert self.is_worth("exchange.qualified", LeadState(7))
        assert not self.is_worth("exchange.new", LeadState(7))

    def test_only_leads_made_in_a_stage_with_a_route_need_us_at_once(self) -> None:
        assert has_route(place("exchange.qualified"), DEPARTMENT)
        assert has_route(place("warm_up.warming"), DEPARTMENT)  # thirty days from now
        assert not has_route(place("exchange.new"), DEPARTMENT)
        assert not has_route(place("main.contact"), DEPARTMENT)


class TestSwept:
    """Our write took the lead from where a person had just put it: amoCRM has no conditional writes."""

    LAST = LastHop(place("exchange.qualified"), place("main.received"), NOON)
    STATE = known("main.received", last=LAST)

    def test_a_hook_that_is_newer_than_our_reading_and_names_a_third_place_tells(self) -> None:
        there = sight_of("main.received")
        assert may_be_swept({place("exchange.new"): NOON}, there, self.STATE)
        assert may_be_swept({place("exchange.new"): NOON + timedelta(seconds=1)}, there, self.STATE)

    def test_late_hooks_echoes_and_hooks_without_a_date_do_not(self) -> None:
        there = sight_of("main.received")
        assert not may_be_swept({place("exchange.new"): NOON - timedelta(seconds=1)}, there, self.STATE)
        assert not may_be_swept({place("exchange.qualified"): NOON, place("main.received"): NOON}, there, self.STATE)
        assert not may_be_swept({place("exchange.new"): None}, there, self.STATE)

    def test_a_lead_that_has_been_moved_on_was_not_swept(self) -> None:
        assert not may_be_swept({place("exchange.new"): NOON}, sight_of("main.contact"), self.STATE)

    @staticmethod
    def move(before: str, after: str, by: int, seconds: int = 0) -> StageChange:
        places = DEPARTMENT.ids(place(before)), DEPARTMENT.ids(place(after))
        return StageChange(7, *places, by, NOON + timedelta(seconds=seconds))

    def taken(self, *changes: StageChange) -> Place | None:
        return taken_from(changes, self.LAST, {0, 1}, DEPARTMENT)

    def test_the_history_tells_from_where(self) -> None:
        moves = (
            self.move("exchange.qualified", "exchange.new", ANNA),
            self.move("exchange.new", "main.received", 1, 1),
        )
        assert self.taken(*moves) == place("exchange.new")
        assert self.taken(self.move("exchange.qualified", "main.received", 1)) == place("exchange.qualified")

    def test_a_history_without_our_write_says_nothing(self) -> None:
        assert self.taken() is None
        assert self.taken(self.move("exchange.qualified", "exchange.new", ANNA)) is None

    def test_a_person_who_came_to_the_same_place_later_is_not_us(self) -> None:
        moves = (
            self.move("exchange.qualified", "main.received", 1),
            self.move("main.received", "main.offer", DINA, 5),
            self.move("main.offer", "main.received", DINA, 9),
        )
        assert self.taken(*moves) == place("exchange.qualified")

    def test_where_a_person_had_put_it_before_us_nothing_of_ours_shows(self) -> None:
        moves = (
            self.move("exchange.qualified", "exchange.new", ANNA),
            self.move("exchange.new", "main.received", DINA, 1),
        )
        assert self.taken(*moves) is None

    def test_who_moves_it_after_us_has_the_last_word(self) -> None:
        moves = (
            self.move("exchange.qualified", "exchange.new", ANNA),
            self.move("exchange.new", "main.received", 1, 1),
            self.move("main.received", "main.offer", DINA, 5),
            self.move("main.offer", "main.received", DINA, 9),
        )
        assert self.taken(*moves) == place("exchange.qualified")

    def test_what_we_had_put_there_ourselves_is_no_persons_decision(self) -> None:
        """A list was behind, and we moved the lead twice."""
        moves = (
            self.move("exchange.qualified", "exchange.lost", 1),
            self.move("exchange.lost", "main.received", 1, 3),
        )
        assert self.taken(*moves) == place("exchange.qualified")

    def test_older_moves_are_another_story(self) -> None:
        moves = (
            self.move("exchange.new", "main.received", 1, -60),
            self.move("exchange.qualified", "main.received", 1, 1),
        )
        assert self.taken(*moves) == place("exchange.qualified")


EVERYWHERE = [
    *(f"{pipeline.role}.{stage}" for pipeline in DEPARTMENT.pipelines for stage in (*pipeline.stages, "won", "lost"))
]


@given(st.sampled_from(EVERYWHERE), st.sampled_from(["", *ANSWERS]), st.sampled_from(EVERYWHERE))
def test_a_lead_comes_to_rest_after_a_few_steps_wherever_it_is_put(before: str, says: str, at: str) -> None:
    """Steps follow each other until there is none: the preset has no circle without a person in it."""
    state, now, steps = known(before), NOON, []
    while True:
        sight = sight_of(at, says)
        state = state.at(sight.place, now)
        step = decide(sight, Table(state, DEPARTMENT, now))
        if step is None:
            break
        if isinstance(step, MergeWanted):  # no running lead is found, a task is set
            steps.append(step.route)
            state = replace(state, fired=state.fired | {step.fired})
            continue
        assert isinstance(step, Decision)
        steps.append(step.route or step.step.value)
        assert len(steps) <= 4, steps
        state = done(state, step, DEPARTMENT, now, **({"sale": 99} if sight.place.stage == "won" else {}))
        assert state.place is not None
        at = str(state.place)
        says = "" if step.step is Step.MOVE else says
    assert sight.lead.status_id in (WON, LOST) or not any(
        route.kind.value in ("move", "back", "close")
        for route in DEPARTMENT.routes
        for trigger in route.when
        if str(Place(trigger.role, trigger.stage or "")) == at and trigger.answer is None and trigger.after is None
    )
