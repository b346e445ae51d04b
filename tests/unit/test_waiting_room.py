"""When to look again at a lead that nobody can take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.distribute.waiting_room import next_check, reason
from functions.shared.absence import Absence
from functions.shared.eligibility import Rule
from functions.shared.hours import WorkingHours
from tests.builders import ANNA, BORIS, MONDAY_NOON, MOSCOW, make_member, make_team

EVENING = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # 22:00 in Moscow
TUESDAY_NINE = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def check(rules, members=None, absences=(), now=EVENING):
    members = members or [make_member(user) for user in rules]
    return next_check(make_team(members), rules, absences, now, MOSCOW)


def test_after_hours_the_next_shift_is_waited_for():
    assert check({ANNA: Rule.OFF_SHIFT}) == TUESDAY_NINE


def test_the_earliest_shift_of_the_team_counts():
    early = make_member(BORIS, hours=WorkingHours.parse("Mon-Sun 07:00-12:00"))
    found = check({ANNA: Rule.OFF_SHIFT, BORIS: Rule.OFF_SHIFT}, [make_member(ANNA), early])
    assert found == TUESDAY_NINE - timedelta(hours=2)


def test_an_absence_ends_at_the_first_shift_after_it():
    back = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
    absence = Absence("lead_desk", ANNA, EVENING - timedelta(days=1), back)
    assert check({ANNA: Rule.ABSENT}, absences=[absence]) == datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def test_a_cap_of_open_leads_is_looked_at_every_five_minutes():
    assert check({ANNA: Rule.MAX_OPEN}, now=MONDAY_NOON) == MONDAY_NOON + timedelta(minutes=5)


def test_a_cap_of_the_day_ends_with_the_first_shift_of_the_next_day():
    assert check({ANNA: Rule.MAX_PER_DAY}, now=MONDAY_NOON) == TUESDAY_NINE


@pytest.mark.parametrize("rule", [Rule.SWITCHED_OFF, Rule.UNKNOWN_USER, Rule.NO_RIGHTS])
def test_what_people_must_mend_is_looked_at_every_quarter_of_an_hour(rule):
    assert check({ANNA: rule}, now=MONDAY_NOON) == MONDAY_NOON + timedelta(minutes=15)


@pytest.mark.parametrize("rule", [Rule.PAUSED, Rule.CHANNEL])
def test_for_what_the_file_says_nobody_is_asked_again_and_again(rule):
    assert check({ANNA: rule}, now=MONDAY_NOON) == MONDAY_NOON + timedelta(days=1)
    assert check({ANNA: rule, BORIS: Rule.OFF_SHIFT}) == TUESDAY_NINE


def test_a_team_without_members_is_looked_at_too():
    assert next_check(make_team([]), {}, [], MONDAY_NOON, MOSCOW) > MONDAY_NOON


def test_the_reason_names_every_rule_once():
    assert reason({1: Rule.OFF_SHIFT, 2: Rule.ABSENT, 3: Rule.OFF_SHIFT}) == "absent+off_shift"
    assert reason({}) == "no_members"
