"""Leads that came to another team: whose they are, and which of several causes counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.distribute.decision import decide
from functions.distribute.handing import Past, candidate, in_work, moved_on, not_ours, past_of, superseded
from functions.distribute.hints import Hint
from functions.distribute.triage import Desk
from functions.shared.assignment import ARRIVAL, HandOver, Mode, State, TeamLedger, hop_of
from functions.shared.crm import Contact, Lead
from functions.shared.twins import Clients
from tests.builders import (
    ANNA,
    BORIS,
    DUTY,
    GLEB,
    INNA,
    MAIN_PIPELINE,
    MAIN_STAGE,
    MONDAY_NOON,
    VERA,
    make_candidate,
    make_member,
    make_moment,
    make_team,
    make_three_levels,
)
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE

TOKEN_USER = 1
DEPARTMENT = make_three_levels()
CROSSED = HandOver("exchange.talk", previous_owner=ANNA)
HINT = Hint(7, MONDAY_NOON, cause="route#1", team="closers", handed_over=CROSSED)


def lead(owner=ANNA, place=(MAIN_PIPELINE, MAIN_STAGE), **values):
    return Lead(7, *place, responsible_user_id=owner, created_at=MONDAY_NOON, updated_at=MONDAY_NOON, **values)


def decision(cause=ARRIVAL, **changes):
    (made,) = decide(TeamLedger("lead_desk"), make_team(), [make_candidate(7, cause=cause)], make_moment()).assignments
    return replace(made, **changes)


def desk(department=DEPARTMENT):
    return Desk(department, department.team_named("closers"), TOKEN_USER)


def seen(owner=ANNA, handed=CROSSED, past=None, clients=None, department=DEPARTMENT, **values):
    return candidate(HINT, handed, lead(owner, **values), past or Past(), clients or Clients(), desk(department))


@pytest.mark.parametrize(("cause", "hop"), [("arrival", 0), ("route#1", 1), ("route#27", 27)])
def test_causes_have_an_order(cause, hop):
    assert hop_of(cause) == hop


@pytest.mark.parametrize("cause", ["", "route", "route#", "route#x", "duty#1"])
def test_other_words_are_no_causes(cause):
    with pytest.raises(ValueError, match=r"route|invalid"):
        hop_of(cause)


def test_a_later_cause_supersedes_an_earlier_one_unless_it_has_fallen():
    assert superseded("route#2", [decision("route#10")])
    assert superseded(ARRIVAL, [decision("route#1", state=State.OVERTAKEN)])
    assert not superseded("route#2", [decision(), decision("route#1"), decision("route#2")])
    assert not superseded("route#2", [decision("route#3", state=State.WITHDRAWN)])


def test_only_a_living_lease_of_another_cause_is_in_work():
    pending = decision()
    assert pending.lease_until is not None

    assert in_work("route#1", [pending], MONDAY_NOON) == pending
    assert in_work("route#1", [pending], pending.lease_until) is None
    assert in_work("route#1", [replace(pending, state=State.APPLIED)], MONDAY_NOON) is None
    assert in_work(ARRIVAL, [pending], MONDAY_NOON) is None


def test_a_lead_is_handed_over_where_it_stands_with_the_team_that_was_meant():
    assert moved_on(HINT, lead(), DEPARTMENT) is None
    assert moved_on(HINT, lead(place=(PIPELINE, FIRST_STAGE)), DEPARTMENT) == "moved_on"
    assert moved_on(HINT, lead(place=(999, 1)), DEPARTMENT) == "moved_on"
    assert moved_on(HINT, lead(place=(MAIN_PIPELINE, 143)), DEPARTMENT) == "closed"


def test_a_team_with_another_name_is_known_by_its_pipeline_and_keeps_its_own_people():
    hint = replace(HINT, team="sales of old")

    assert moved_on(hint, lead(), DEPARTMENT) is None
    assert moved_on(hint, lead(GLEB), DEPARTMENT) == "same_team"


@pytest.mark.parametrize("owner", [0, TOKEN_USER, ANNA, BORIS, VERA, INNA])
def test_people_of_the_teams_and_nobody_in_particular_do_not_keep_it_from_the_team(owner):
    assert not_ours(HINT, CROSSED, lead(owner), Past(), DEPARTMENT, TOKEN_USER) is None


def test_somebody_of_no_team_keeps_it_only_if_he_got_it_since():
    assert not_ours(HINT, CROSSED, lead(DUTY), Past(), DEPARTMENT, TOKEN_USER) == "taken_by_a_person"
    before = replace(CROSSED, previous_owner=DUTY)
    assert not_ours(HINT, before, lead(DUTY), Past(), DEPARTMENT, TOKEN_USER) is None
    ours = past_of([decision(owner=DUTY)])
    assert not_ours(HINT, CROSSED, lead(DUTY), ours, DEPARTMENT, TOKEN_USER) is None, "he was on duty"


def test_a_member_who_got_it_since_was_chosen():
    assert seen(VERA).manual_owner == VERA
    assert seen(BORIS).manual_owner is None


def test_a_member_who_had_it_all_along_was_chosen_unless_he_is_of_both_teams():
    had_it = replace(CROSSED, previous_owner=VERA)
    both = make_three_levels(make_team([make_member(ANNA), make_member(VERA)], levels=frozenset({1})))

    assert seen(VERA, had_it).manual_owner == VERA
    assert seen(VERA, had_it, department=both).manual_owner is None


def test_the_user_of_our_token_was_chosen_by_nobody():
    members = [make_member(TOKEN_USER), make_member(VERA)]
    department = make_three_levels(make_team(members, name="closers", levels=frozenset({2})))
    had_it = replace(CROSSED, previous_owner=TOKEN_USER)

    assert seen(TOKEN_USER, had_it, department=department).manual_owner is None


def test_whom_we_gave_it_for_the_same_team_before_is_its_own_manager():
    past = past_of([decision("route#1", team="closers", owner=VERA, state=State.APPLIED)])

    assert seen(VERA, past=past).own_managers == (VERA,)
    assert seen(VERA, past=past).manual_owner is None


def test_a_colleague_who_was_given_his_clients_lead_keeps_it_in_his_own_team():
    guest = decision(team="lead_desk", owner=VERA, mode=Mode.OWN_CLIENT, state=State.APPLIED)

    assert seen(VERA, replace(CROSSED, previous_owner=VERA), past=past_of([guest])).own_managers == (VERA,)


def test_whom_we_gave_it_for_another_team_was_not_chosen_for_this_one():
    past = past_of([decision(team="lead_desk", owner=VERA, state=State.APPLIED)])

    assert seen(VERA, past=past).manual_owner is None
    assert seen(VERA, past=past).own_managers == ()


def test_a_candidate_knows_to_whom_we_gave_it_before_the_latest_first():
    past = past_of(
        [
            decision(owner=ANNA, state=State.APPLIED),
            decision("route#1", owner=BORIS, state=State.OVERTAKEN),
            decision("route#2", team="closers", owner=VERA),
            decision("route#3", owner=GLEB, state=State.WITHDRAWN),
            decision("route#4", owner=ANNA),
        ]
    )

    assert past.owners == (ANNA, VERA)
    assert seen(past=past).predecessors == (ANNA, VERA)


def test_the_router_is_asked_before_the_clients_contact():
    clients = Clients({500: Contact(500, GLEB, MONDAY_NOON)})

    assert seen(handed=replace(CROSSED, known_owner=VERA), clients=clients, contacts=(500,)).own_managers == (
        VERA,
        GLEB,
    )


def test_the_channel_is_the_one_it_came_through_else_what_the_card_says():
    assert seen(past=past_of([decision(channel="avito"), decision("route#1", channel="site")])).channel == "avito"
    assert seen(tags=("Instagram",)).channel == "instagram"
