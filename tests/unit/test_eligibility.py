"""Who can take a lead now, and the rule that keeps the others out."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from functions.shared.assignment import TeamLedger
from functions.shared.crm import User
from functions.shared.eligibility import Rule, duty, obstacles, refusals
from functions.shared.hours import WorkingHours
from tests.builders import ANNA, BORIS, DUTY, MONDAY_NOON, make_member, make_team


def user(user_id=ANNA, **changes):
    return User(**({"id": user_id, "name": "x", "email": "x@firm.example", "is_active": True} | changes))


@pytest.mark.parametrize(
    ("member", "account", "absent", "rule"),
    [
        ({}, [user()], (), None),
        ({}, [], (), Rule.UNKNOWN_USER),
        ({}, [user(is_active=False)], (), Rule.SWITCHED_OFF),
        ({}, [user(may_edit_leads=False)], (), Rule.NO_RIGHTS),
        ({"paused": True}, [user()], (), Rule.PAUSED),
        ({}, [user()], (ANNA,), Rule.ABSENT),
        ({"hours": WorkingHours.parse("Mon-Fri 14:00-22:00")}, [user()], (), Rule.OFF_SHIFT),
        ({"timezone": ZoneInfo("Asia/Vladivostok")}, [user()], (), Rule.OFF_SHIFT),
    ],
)
def test_each_rule_keeps_a_member_out(member, account, absent, rule):
    team = make_team([make_member(ANNA, **member)])
    users = {one.id: one for one in account}

    assert obstacles(team, users, absent, MONDAY_NOON).get(ANNA) == rule


def test_a_lunch_break_is_off_shift():
    team = make_team([make_member(ANNA, hours=WorkingHours.parse("Mon-Fri 09:00-12:00, 13:00-18:00"))])
    users = {ANNA: user()}

    assert obstacles(team, users, (), MONDAY_NOON) == {ANNA: Rule.OFF_SHIFT}
    assert obstacles(team, users, (), MONDAY_NOON + timedelta(hours=1)) == {}


@pytest.mark.parametrize(
    ("member", "ledger", "rule"),
    [
        ({"channels": frozenset({"call"})}, TeamLedger("t"), Rule.CHANNEL),
        ({"max_open": 3}, TeamLedger("t", open={ANNA: 3}), Rule.MAX_OPEN),
        ({"max_open": 4}, TeamLedger("t", open={ANNA: 3}), None),
        ({"max_per_day": 2}, TeamLedger("t", given={ANNA: 2}), Rule.MAX_PER_DAY),
        ({"max_per_day": 0}, TeamLedger("t"), Rule.MAX_PER_DAY),
    ],
)
def test_caps_and_channels_depend_on_the_lead_and_the_ledger(member, ledger, rule):
    team = make_team([make_member(ANNA, **member)])

    assert refusals(team, {}, ledger, "site").get(ANNA) == rule


def test_an_obstacle_is_told_before_a_cap():
    team = make_team([make_member(ANNA, max_per_day=0), make_member(BORIS)])

    assert refusals(team, {ANNA: Rule.ABSENT}, TeamLedger("t"), "site") == {ANNA: Rule.ABSENT}


@pytest.mark.parametrize(
    ("account", "absent", "found"),
    [
        ([user(DUTY)], (), DUTY),
        ([user(DUTY, is_active=False)], (), None),
        ([user(DUTY)], (DUTY,), None),
        ([], (), None),
    ],
)
def test_the_duty_person_must_be_able_to_work(account, absent, found):
    assert duty(make_team(duty=DUTY), {one.id: one for one in account}, absent) == found


def test_a_team_may_have_no_duty_person():
    assert duty(make_team(), {ANNA: user()}, ()) is None
