"""Meetings through the local stack, from outside: amoCRM's REST API on one side, Google's on the other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.outside import COMMAND, MOSCOW, ROOT, Outside, running

ANNA, BORIS, DINA = "anna@firm.example", "boris@firm.example", "dina@firm.example"
CLIENT = "ivan@mail.ru"
START = "2026-11-24T10:00+03:00"
FIRM = f"""
department: Окна Плюс
timezone: Europe/Moscow
language: ru
model: three_level
amocrm: {{account: firm.amocrm.ru}}
teams:
  lead_desk: {{hours: "Mon-Fri 09:00-18:00", members: [{ANNA}, {BORIS}]}}
  closers: {{hours: "Mon-Fri 09:00-18:00", members: [{DINA}]}}
  care: {{hours: "Mon-Fri 09:00-18:00", members: [irina@firm.example]}}
"""
MEETINGS = """
meetings:
  host: meet@firm.example
  standups: [{name: Планёрка, team: lead_desk, at: "Mon-Fri 09:15", minutes: 15, record: true}]
  client_calls: {minutes: 30, record: true, zone_field: Часовой пояс}
"""


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("meetings")
    file = folder / "department.yaml"
    file.write_text(FIRM + MEETINGS, encoding="utf-8")
    with running(folder, "--department", str(file), "--start", START, "--tick", "meetings") as stack:
        stack.advance(301)
        stack.settle()
        yield stack


def user_id(stack: Outside, email: str) -> int:
    return next(number for number, known in stack.users().items() if known == email)


def make_card(stack: Outside, owner: str = DINA, email: str = CLIENT) -> int:
    contact: dict[str, Any] = {"name": "Иван Петров"}
    if email:
        values = [{"value": email, "enum_code": "WORK"}]
        contact["custom_fields_values"] = [{"field_code": "EMAIL", "values": values}]
    made = stack.amocrm("POST", "contacts", [contact])["_embedded"]["contacts"][0]
    main = stack.pipeline("Основная воронка")
    lead = {
        "name": "Окна на дачу",
        "pipeline_id": main["id"],
        "responsible_user_id": user_id(stack, owner),
        "_embedded": {"contacts": [{"id": made["id"]}]},
    }
    number: int = stack.amocrm("POST", "leads", [lead])["_embedded"]["leads"][0]["id"]
    stack.settle()
    return number


def plan_meeting(stack: Outside, lead_id: int, at: datetime, owner: str = DINA) -> int:
    task = {
        "task_type_id": 2,
        "text": "Обсудить замер",
        "complete_till": int(at.timestamp()),
        "entity_id": lead_id,
        "entity_type": "leads",
        "responsible_user_id": user_id(stack, owner),
    }
    number: int = stack.amocrm("POST", "tasks", [task])["_embedded"]["tasks"][0]["id"]
    settle(stack)
    return number


def settle(stack: Outside) -> None:
    """Hooks, and what is put off for some seconds because lists lag."""
    stack.settle()
    stack.advance(60)
    stack.settle()


def call_of(stack: Outside, lead_id: int, *, deleted: bool = False) -> dict[str, Any]:
    """The event whose source is the card."""
    ending = f"/leads/detail/{lead_id}"
    events = stack.events(showDeleted=str(deleted).lower())
    found = [event for event in events if event.get("source", {}).get("url", "").endswith(ending)]
    assert len(found) == 1, found
    return found[0]


def start_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["start"]["dateTime"])


def guests(event: dict[str, Any]) -> set[str]:
    return {guest["email"] for guest in event.get("attendees", [])}


def words(stack: Outside, event: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in stack.google("GET", "/_sim/notifications") if each["event_id"] == event["id"]]


def link_on(stack: Outside, lead_id: int) -> str:
    for field in stack.lead(lead_id)["custom_fields_values"] or []:
        if field["field_name"] == "Ссылка на встречу":
            return str(field["values"][0]["value"])
    return ""


def notes(stack: Outside, lead_id: int) -> str:
    return "\n".join(str(note["params"].get("text", "")) for note in stack.notes_of(lead_id))


def in_hours(stack: Outside, hours: float) -> datetime:
    return stack.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)


def test_the_standup_stands_in_the_calendar_of_its_team(firm: Outside) -> None:
    (series,) = [event for event in firm.events() if event["summary"] == "Планёрка"]
    assert guests(series) == {ANNA, BORIS}
    assert series["recurrence"][0] == "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    assert start_of(series).astimezone(MOSCOW).strftime("%H:%M") == "09:15"
    assert series["start"]["timeZone"] == "Europe/Moscow"
    space = firm.google("GET", f"/v2/spaces/{series['conferenceData']['conferenceId']}")
    assert space["config"]["artifactConfig"]["recordingConfig"]["autoRecordingGeneration"] == "ON"
    days = firm.events(singleEvents="true", timeMin="2026-12-28T00:00:00Z", timeMax="2027-01-12T00:00:00Z")
    held = [start_of(day).date().isoformat() for day in days if day["summary"] == "Планёрка"]
    assert held == ["2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31", "2027-01-11"], "the long holidays"


def test_a_task_becomes_a_call_moves_and_is_cancelled(firm: Outside) -> None:
    lead_id = make_card(firm)
    at = in_hours(firm, 26)
    task_id = plan_meeting(firm, lead_id, at)
    event = call_of(firm, lead_id)
    assert (start_of(event), guests(event)) == (at, {DINA, CLIENT})
    assert event["hangoutLink"] == link_on(firm, lead_id)
    assert event["hangoutLink"] in notes(firm, lead_id)
    assert "Обсудить" not in str(event), "the manager's words are not the client's"

    later = at + timedelta(hours=2)
    firm.amocrm("PATCH", "tasks", [{"id": task_id, "complete_till": int(later.timestamp())}])
    settle(firm)
    moved = call_of(firm, lead_id)
    assert (moved["id"], start_of(moved), moved["hangoutLink"]) == (event["id"], later, event["hangoutLink"])

    firm.amocrm("PATCH", f"leads/{lead_id}", {"responsible_user_id": user_id(firm, ANNA)})
    settle(firm)
    assert guests(call_of(firm, lead_id)) == {ANNA, CLIENT}

    firm.amocrm("PATCH", f"leads/{lead_id}", {"status_id": 143})
    settle(firm)
    assert call_of(firm, lead_id, deleted=True)["status"] == "cancelled"
    assert words(firm, event).count("invite") == 2, "the client and his first manager together, then the new one"
    assert words(firm, event)[-1] == "cancel"
    assert link_on(firm, lead_id) == ""
    assert "Встреча отменена: сделка закрыта" in notes(firm, lead_id)


def test_a_deleted_task_and_a_completed_one_leave_no_event(firm: Outside) -> None:
    for end in ("complete", "delete"):
        lead_id = make_card(firm)
        task_id = plan_meeting(firm, lead_id, in_hours(firm, 30))
        if end == "complete":
            done = {"id": task_id, "is_completed": True, "result": {"text": "созвонились раньше"}}
            firm.amocrm("PATCH", "tasks", [done])
        else:
            delete_task(firm, task_id)
        settle(firm)
        assert call_of(firm, lead_id, deleted=True)["status"] == "cancelled"


def delete_task(stack: Outside, task_id: int) -> None:
    """A person's hand: the API cannot."""
    answer = httpx.post(f"{stack.addresses['amocrm']['url']}/_hands/tasks/{task_id}/delete", trust_env=False)
    assert answer.status_code < 300, answer.text


def test_whoever_moves_the_event_moves_the_task(firm: Outside) -> None:
    lead_id = make_card(firm)
    task_id = plan_meeting(firm, lead_id, in_hours(firm, 28))
    event = call_of(firm, lead_id)
    at = start_of(event) + timedelta(hours=3)
    firm.google("POST", "/_sim/move", {"event_id": event["id"], "start": at.isoformat()})
    firm.advance(400)
    firm.settle()
    (task,) = [task for task in firm.tasks_of(lead_id) if task["id"] == task_id]
    assert task["complete_till"] == int(at.timestamp())
    settle(firm)
    assert start_of(call_of(firm, lead_id)) == at


def test_the_recording_comes_to_the_card(firm: Outside) -> None:
    lead_id = make_card(firm)
    at = in_hours(firm, 3)
    plan_meeting(firm, lead_id, at)
    event = call_of(firm, lead_id)
    end = at + timedelta(minutes=20)
    held = {"event_id": event["id"], "start": at.isoformat(), "end": end.isoformat()}
    firm.google("POST", "/_sim/conference", held)
    firm.advance((end - firm.now()).total_seconds() + 3600)
    firm.settle()
    assert "Запись встречи" in notes(firm, lead_id)
    assert "https://drive.google.com/file/d/" in notes(firm, lead_id)
    assert "(20 мин)" in notes(firm, lead_id)


def test_a_client_who_declines_is_called(firm: Outside) -> None:
    lead_id = make_card(firm)
    plan_meeting(firm, lead_id, in_hours(firm, 28))
    event = call_of(firm, lead_id)
    answer = {"event_id": event["id"], "email": CLIENT, "response": "declined"}
    firm.google("POST", "/_sim/answer", answer)
    firm.advance(400)
    firm.settle()
    assert [task for task in firm.tasks_of(lead_id) if "отклонил" in task["text"]]


def test_who_is_out_of_office_is_absent_and_not_invited(firm: Outside) -> None:
    days = [firm.now() + timedelta(days=days) for days in (1, 8)]
    span = {"start": days[0].replace(hour=0).isoformat(), "end": days[1].replace(hour=0).isoformat()}
    firm.google("POST", "/_sim/out_of_office", {"email": BORIS, **span})
    firm.advance(2 * 3600)
    firm.settle()
    until = (firm.now() + timedelta(days=6)).isoformat()
    standups = firm.events(singleEvents="true", timeMin=firm.now().isoformat(), timeMax=until)
    invited = [guests(day) for day in standups if day["summary"] == "Планёрка"]
    assert invited and all(each == {ANNA} for each in invited)


def test_a_client_without_an_address_gets_no_invitation_and_the_manager_a_word(firm: Outside) -> None:
    lead_id = make_card(firm, email="")
    plan_meeting(firm, lead_id, in_hours(firm, 30))
    assert guests(call_of(firm, lead_id)) == {DINA}
    assert "нет e-mail" in notes(firm, lead_id)


def apply(stack: Outside, file: Path) -> None:
    """`conveyor apply`, as an integrator types it."""
    aws = stack.addresses["aws"]
    options = ["--hook-url", stack.hook_url, "--table", aws["table"]]
    environment = os.environ | {
        "AMOCRM_BASE_URL": stack.addresses["amocrm"]["url"],
        "AMOCRM_TOKEN": stack.addresses["amocrm"]["token"],
        "AWS_ENDPOINT_URL": aws["endpoint"],
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    done = subprocess.run(
        [*COMMAND, "apply", str(file), *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_standup_follows_the_file(firm: Outside, tmp_path: Path) -> None:
    file = tmp_path / "department.yaml"
    changed = MEETINGS.replace('"Mon-Fri 09:15", minutes: 15', '"Mon, Thu 10:00", minutes: 20')
    before = next(event for event in firm.events() if event["summary"] == "Планёрка")
    file.write_text(FIRM + changed, encoding="utf-8")
    apply(firm, file)
    firm.advance(400)
    firm.settle()
    after = next(event for event in firm.events() if event["summary"] == "Планёрка")
    assert (after["id"], after["hangoutLink"]) == (before["id"], before["hangoutLink"])
    assert after["recurrence"][0] == "RRULE:FREQ=WEEKLY;BYDAY=MO,TH"
    assert start_of(after).astimezone(MOSCOW).strftime("%H:%M") == "10:00"
    assert words(firm, after) == ["invite", "update"]

    file.write_text(FIRM + MEETINGS.replace("standups:", "holidays: [2026-12-30]\n  # standups:"), encoding="utf-8")
    apply(firm, file)
    firm.advance(400)
    firm.settle()
    assert [event for event in firm.events() if event["summary"] == "Планёрка"] == []
    assert words(firm, after) == ["invite", "update", "cancel"]
