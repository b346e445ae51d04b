"""`conveyor meetings doctor`: what is in order, and what would be right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.shared.meeting_plan import Provider
from infra.meetings.doctor import examine
from tests.google_support import HOST, GoogleDesk
from tests.meet_desk import PLANERKA, MeetDesk, make_plan


@pytest.fixture
def desk() -> MeetDesk:
    desk = MeetDesk(plan=make_plan(host=HOST, standups=(PLANERKA,), out_of_office=True))
    google = GoogleDesk(desk.clock, "service_account")
    for user_id in (11, 12, 13):
        google.world.add_user(f"user{user_id}@firm.example")
    desk.google = google  # type: ignore[attr-defined]
    desk.calendar = google.adapter()  # type: ignore[assignment]
    desk.restart()
    return desk


def words(desk, provider=None):
    states = desk.stores.meetings.of(desk.stores.meetings.standups())
    checks = examine(desk.department, desk.plan, provider or desk.google.adapter(), states, desk.clock.now())
    return {check.name: (check.is_right, check.words) for check in checks}


def test_all_is_well(desk):
    desk.tick()
    assert {name: right for name, (right, _) in words(desk).items()} == dict.fromkeys(
        ("calendar", "busy times", "out of office", "recordings", "stand-up «Планёрка» of lead_desk"), True
    )


def test_a_credential_that_has_ended_says_what_to_do(desk):
    desk.google.world.revoke("robot@project.iam.gserviceaccount.com")
    found = words(desk)
    assert found["calendar"][0] is False
    assert "conveyor secrets set google-service-account" in found["calendar"][1]
    assert "busy times" not in found, "one thing at a time"


def test_no_credential_at_all(desk):
    desk.google.ssm.values = {}
    assert "conveyor secrets set" in words(desk)["calendar"][1]


def test_whose_calendar_is_hidden_is_named(desk):
    member = replace(desk.department.teams[0].members[0], email="x@other.example")
    team = replace(desk.department.teams[0], members=(member, *desk.department.teams[0].members[1:]))
    desk.department = replace(desk.department, teams=(team,))
    found = words(desk)
    assert found["busy times"][0] is None
    assert "x@other.example" in found["busy times"][1]
    assert "x@other.example" in found["out of office"][1]


def test_what_became_of_a_standup(desk):
    name = "stand-up «Планёрка» of lead_desk"
    assert "not booked yet" in words(desk)[name][1]
    desk.google.world.users[HOST].can_record = False
    desk.google.world.switch(recording_without_licence=403)
    desk.tick()
    assert "do not allow recordings" in words(desk)[name][1]
    (event,) = desk.google.world.events[HOST].values()
    desk.clock.advance(300)
    desk.google.delete(event.id)
    desk.tick()
    assert "a person deleted the series" in words(desk)[name][1]


def test_telemost_sees_nobody(desk):
    desk.plan = replace(desk.plan, provider=Provider.TELEMOST)
    assert words(desk)["busy times"] == (
        None,
        "Telemost has no calendars: conflicts, answers and absences are not seen",
    )
