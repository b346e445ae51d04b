"""Client calls, from the task to the event and back, with everything in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.meet_scheduler import recordings
from functions.shared.crm import LOST, FieldValue
from functions.shared.errors import MeetingsForbidden, MeetingsUnavailable
from functions.shared.meeting_plan import StageCall
from functions.shared.meetings import Answer, LinkState, Recording, Span
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE
from tests.meet_desk import ANNA, BORIS, CLIENT_EMAIL, DATE_FIELD, MeetDesk, make_plan, zone_value
from tests.meet_desk import CALLS as CLIENT_CALLS


@pytest.fixture
def desk() -> MeetDesk:
    return MeetDesk()


def emails(desk: MeetDesk) -> set[str]:
    return set(desk.event().emails)


class TestATaskBecomesACall:
    def test_manager_and_client_are_invited_and_the_card_has_the_link(self, desk):
        lead = desk.lead()
        at = desk.in_hours(3)

        desk.meeting_task(lead, at)

        event = desk.event()
        assert (event.start, event.minutes) == (at, 30)
        assert emails(desk) == {f"user{ANNA}@firm.example", CLIENT_EMAIL}
        assert [word.kind for word in desk.calendar.told] == ["invite"]
        assert desk.link_on(lead) == event.link
        assert event.link in desk.notes(lead)
        assert "пн 23.11 15:00 (Europe/Moscow)" in desk.notes(lead)
        assert desk.calendar.recorded == {event.code}
        assert [dict(each.detail())["start"] for each in desk.bus.events] == [at.isoformat()]

    def test_a_doubled_hook_changes_nothing(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        before = desk.calendar.calls.copy()

        for _ in range(3):
            desk.tell(desk.task_hook(task.id, "add"), desk.task_hook(task.id), desk.lead_hook(lead.id))

        assert len(desk.calendar.standing) == len(desk.calendar.told) == 1
        assert desk.calendar.calls == before
        assert len(desk.amocrm.notes_of(lead.id)) == 1

    def test_a_task_of_another_type_stays_a_task(self, desk):
        desk.meeting_task(desk.lead(), desk.in_hours(3), kind=1)
        assert desk.calendar.calls == []

    def test_a_task_that_becomes_a_meeting_becomes_a_call(self, desk):
        task = desk.meeting_task(desk.lead(), desk.in_hours(3), kind=1)
        desk.edit_task(task, task_type_id=2)
        assert desk.event().start == task.complete_till

    def test_the_clients_clock_is_shown(self, desk):
        lead = desk.lead(fields=[zone_value("Asia/Yekaterinburg")])
        desk.meeting_task(lead, desk.in_hours(3))
        assert "15:00 (Europe/Moscow), 17:00 у клиента (Asia/Yekaterinburg)" in desk.notes(lead)

    def test_the_invitation_says_nothing_of_the_card(self, desk):
        lead = desk.lead(name="Торгуется, жадный")
        desk.meeting_task(lead, desk.in_hours(3))
        assert "жадный" not in desk.event().title
        assert desk.event().title == "Созвон: Окна Плюс и Иван"

    def test_a_stage_with_a_moment_in_a_field_is_a_call(self):
        calls = replace(CLIENT_CALLS, stage=StageCall((PIPELINE, FIRST_STAGE), DATE_FIELD))
        desk = MeetDesk(plan=make_plan(client_calls=calls))
        at = desk.in_hours(5)
        moment = FieldValue(DATE_FIELD, "Дата встречи", "date_time", ({"value": int(at.timestamp())},))
        lead = desk.lead(fields=[moment])

        desk.tell(desk.lead_hook(lead.id, "status"))
        assert desk.event().start == at
        desk.clock.advance(60)
        desk.calendar.move(desk.event().id, at + timedelta(hours=1))
        desk.tick()
        filled = desk.amocrm.see(lead.id).filled(DATE_FIELD)
        assert filled and filled.values[0]["value"] == int((at + timedelta(hours=1)).timestamp())
        desk.clock.advance(60)
        desk.amocrm.human_moves(lead.id, FIRST_STAGE + 1, PIPELINE)
        desk.tell(desk.lead_hook(lead.id, "status"))
        assert desk.calendar.standing == []


class TestTheEventFollowsTheCard:
    def test_a_moved_task_moves_the_event_and_keeps_the_link(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        link, at = desk.event().link, desk.in_hours(5)

        desk.edit_task(task, complete_till=at)

        assert desk.event().start == at
        assert desk.event().link == link
        assert [word.kind for word in desk.calendar.told] == ["invite", "update"]
        assert "перенесена: пн 23.11 17:00" in desk.notes(lead)
        assert desk.bus.events[-1].detail_type == "MeetingMoved"

    @pytest.mark.parametrize("end", ["completed", "deleted", "lost", "lead_deleted", "other_type", "whole_day"])
    def test_the_event_is_cancelled_with_its_reason(self, desk, end):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        desk.clock.advance(200)

        if end == "completed":
            desk.amocrm.human_completes(task.id)
        elif end == "deleted":
            desk.amocrm.human_deletes_task(task.id)
        elif end == "other_type":
            desk.amocrm.human_edits_task(task.id, task_type_id=1)
        elif end == "whole_day":
            desk.amocrm.human_edits_task(task.id, complete_till=datetime(2026, 11, 24, 20, 59, tzinfo=UTC))
        elif end == "lost":
            desk.amocrm.human_moves(lead.id, LOST, PIPELINE)
        else:
            desk.amocrm.delete_lead(lead.id)
        hook = desk.task_hook(task.id, "delete" if end == "deleted" else "update")
        assert desk.tell(hook, desk.lead_hook(lead.id, "delete" if end == "lead_deleted" else "status")) == []

        assert desk.calendar.standing == []
        assert [word.kind for word in desk.calendar.told] == ["invite", "cancel"]
        if end != "lead_deleted":
            assert "Встреча отменена" in desk.notes(lead)
            assert desk.link_on(lead) == ""
        assert desk.bus.events[-1].detail_type == "MeetingCancelled"

    def test_a_new_time_after_the_cancellation_is_another_event(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        first = desk.event().id
        desk.edit_task(task, is_completed=True)
        desk.edit_task(task, is_completed=False)
        assert desk.event().id != first
        assert [word.kind for word in desk.calendar.told] == ["invite", "cancel", "invite"]

    def test_the_new_owner_takes_the_call_over(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        desk.clock.advance(10)
        desk.amocrm.human_reassigns(lead.id, BORIS)
        desk.tell(desk.lead_hook(lead.id, "responsible"))
        assert emails(desk) == {f"user{BORIS}@firm.example", CLIENT_EMAIL}

    def test_a_task_given_to_a_colleague_is_his_call(self, desk):
        task = desk.meeting_task(desk.lead(), desk.in_hours(3))
        desk.edit_task(task, responsible_user_id=BORIS)
        assert emails(desk) == {f"user{BORIS}@firm.example", CLIENT_EMAIL}

    def test_the_bus_tells_of_a_new_owner_too(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        desk.clock.advance(10)
        desk.amocrm.human_reassigns(lead.id, BORIS)
        desk.announce("LeadAssigned", lead_id=lead.id)
        assert f"user{BORIS}@firm.example" in emails(desk)

    def test_a_task_completed_in_mid_call_calls_nobody_out(self, desk):
        task = desk.meeting_task(desk.lead(), desk.in_hours(1))
        desk.pass_time(minutes=70)
        desk.edit_task(task, is_completed=True)
        assert len(desk.calendar.standing) == 1

    def test_a_call_after_the_call_is_another_event(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(1))
        first = desk.event().id
        desk.pass_time(hours=2)
        desk.edit_task(task, complete_till=desk.in_hours(20))
        assert {event.id for event in desk.calendar.standing} > {first}
        assert len(desk.calendar.standing) == 2

    def test_an_address_that_is_filled_in_later_is_invited(self, desk):
        client = desk.amocrm.add_contact(name="Иван")
        lead = desk.lead(client=client)
        desk.meeting_task(lead, desk.in_hours(3))
        assert emails(desk) == {f"user{ANNA}@firm.example"}
        assert "нет e-mail" in desk.notes(lead)
        desk.clock.advance(60)
        desk.amocrm.human_edits_contact(client.id, emails=(CLIENT_EMAIL,))
        desk.tell(desk.contact_hook(client.id))
        assert CLIENT_EMAIL in emails(desk)
        assert "Приглашение клиенту отправлено" in desk.notes(lead)


class TestPeopleChangeTheCalendar:
    def test_a_moved_event_moves_the_task(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        desk.tick()
        at = desk.in_hours(6)
        desk.calendar.move(desk.event().id, at)
        desk.clock.advance(300)
        desk.tick()
        (there,) = desk.amocrm.tasks_of(lead.id)
        assert there.complete_till == at == desk.event().start
        assert "перенесли в календаре" in desk.notes(lead)
        desk.tell(desk.task_hook(task.id))
        desk.pass_time(minutes=20)
        assert desk.event().start == at
        assert len(desk.calendar.words("update")) == 0

    def test_a_deleted_event_is_not_booked_again_until_the_task_moves(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        desk.tick()
        desk.calendar.delete(desk.event().id)
        desk.clock.advance(300)
        desk.tick()
        assert "удалили в календаре" in desk.notes(lead)
        desk.tell(desk.task_hook(task.id), desk.lead_hook(lead.id))
        assert desk.calendar.standing == []
        desk.edit_task(task, complete_till=desk.in_hours(7))
        assert desk.event().start == desk.in_hours(7)

    def test_a_guest_whom_the_manager_added_stays(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        event = desk.event()
        guest = replace(event.attendees[0], email="chief@firm.example")
        desk.calendar.edit(event.id, attendees=(*event.attendees, guest))
        desk.edit_task(task, responsible_user_id=BORIS)
        assert emails(desk) == {f"user{BORIS}@firm.example", CLIENT_EMAIL, "chief@firm.example"}

    def test_a_client_whom_the_manager_took_out_stays_out(self, desk):
        task = desk.meeting_task(desk.lead(), desk.in_hours(3))
        event = desk.event()
        desk.calendar.edit(event.id, attendees=tuple(each for each in event.attendees if each.email != CLIENT_EMAIL))
        desk.edit_task(task, responsible_user_id=BORIS)
        assert emails(desk) == {f"user{BORIS}@firm.example"}

    def test_a_client_who_declines_is_a_task(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        desk.calendar.answer(desk.event().id, CLIENT_EMAIL, Answer.DECLINED)
        desk.tick()
        desk.tick()
        calls = [task for task in desk.amocrm.tasks_of(lead.id) if "отклонил" in task.text]
        assert [task.responsible_user_id for task in calls] == [ANNA]

    def test_a_manager_who_declines_is_a_note(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        desk.calendar.answer(desk.event().id, f"user{ANNA}@firm.example", Answer.DECLINED)
        desk.tick()
        assert "Менеджер отклонил" in desk.notes(lead)


class TestConflicts:
    def test_three_free_times_inside_working_hours(self, desk):
        lead, at = desk.lead(), desk.in_hours(3)
        desk.calendar.busy_spans[f"user{ANNA}@firm.example"] = [Span(at - timedelta(hours=1), at + timedelta(hours=2))]
        desk.meeting_task(lead, at)
        assert desk.event().start == at
        assert "Свободно: пн 23.11 17:00, пн 23.11 17:30, вт 24.11 09:00." in desk.notes(lead)

    def test_a_call_is_no_conflict_with_itself(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(3))
        desk.edit_task(task, complete_till=desk.in_hours(3.25))
        assert "занято" not in desk.notes(lead)

    def test_nor_with_itself_and_its_neighbour_in_one(self, desk):
        """Calendars show what touches as one stretch."""
        lead, at = desk.lead(), desk.in_hours(3)
        task = desk.meeting_task(lead, at)
        half = timedelta(minutes=30)
        desk.calendar.busy_spans[f"user{ANNA}@firm.example"] = [Span(at, at + 2 * half)]
        desk.edit_task(task, complete_till=at - half / 2)
        assert "занято" not in desk.notes(lead)
        desk.edit_task(task, complete_till=at + half)
        assert "занято" in desk.notes(lead)

    def test_a_hidden_calendar_is_not_called_free_or_busy(self, desk):
        desk.calendar.busy_spans[f"user{ANNA}@firm.example"] = None
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        assert "занято" not in desk.notes(lead)


class TestRecordings:
    def test_a_recording_comes_to_the_card_with_its_length(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(1))
        event = desk.event()
        desk.pass_time(minutes=100)
        assert event.start is not None
        desk.calendar.hold(event, event.start, 25, Recording("r1", "https://drive.google.com/file/d/1", 1500))
        desk.pass_time(hours=1)
        assert (
            "Запись встречи пн 23.11 13:00 (Europe/Moscow) (25 мин): https://drive.google.com/file/d/1"
            in desk.notes(lead)
        )
        assert desk.bus.events[-1].detail_type == "RecordingReady"
        asked = desk.calendar.calls.count("conferences")
        desk.pass_time(hours=24)
        assert desk.calendar.calls.count("conferences") == asked
        assert desk.notes(lead).count("Запись") == 1

    def test_one_that_takes_long_is_waited_for(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(1))
        event = desk.event()
        desk.pass_time(minutes=80)
        assert event.start is not None
        desk.calendar.hold(event, event.start, 25, complete=False)
        desk.pass_time(hours=30)
        desk.calendar.held[event.code] = []
        desk.calendar.hold(event, event.start, 25, Recording("r1", "https://drive.google.com/file/d/1", 0))
        desk.pass_time(hours=25)
        assert "Запись" in desk.notes(lead)

    def test_a_call_to_which_nobody_came_is_forgotten_after_a_day(self, desk):
        task = desk.meeting_task(desk.lead(), desk.in_hours(1))
        desk.pass_time(hours=30)
        assert desk.state(task).held == ()
        assert desk.calendar.calls.count("conferences") == len(recordings.FIRST_LOOKS) + 1


class TestBadInput:
    def test_an_address_that_the_calendar_refuses(self, desk):
        desk.calendar.refuses = {"ivan@mail"}
        lead = desk.lead(client=desk.client("ivan@mail.ru-"))
        desk.calendar.refuses = {"ivan@mail.ru-"}
        desk.meeting_task(lead, desk.in_hours(3))
        assert emails(desk) == {f"user{ANNA}@firm.example"}
        assert "E-mail контакта с ошибкой" in desk.notes(lead)

    def test_an_address_that_is_refused_later(self, desk):
        client = desk.client()
        lead = desk.lead(client=client)
        task = desk.meeting_task(lead, desk.in_hours(3))
        desk.calendar.refuses = {"petr@mail.ru"}
        desk.clock.advance(60)
        desk.amocrm.human_edits_contact(client.id, emails=("petr@mail.ru",))
        desk.tell(desk.contact_hook(client.id))
        assert emails(desk) == {f"user{ANNA}@firm.example"}
        assert "E-mail контакта с ошибкой" in desk.notes(lead)
        desk.edit_task(task, complete_till=desk.in_hours(5))
        assert desk.event().start == desk.in_hours(5)
        assert "не попала в календарь" not in desk.notes(lead)

    def test_an_address_without_an_at(self, desk):
        lead = desk.lead(client=desk.client("ivan.mail.ru"))
        desk.meeting_task(lead, desk.in_hours(3))
        assert emails(desk) == {f"user{ANNA}@firm.example"}
        assert "E-mail контакта с ошибкой" in desk.notes(lead)

    def test_a_time_in_the_past_is_asked_about_once(self, desk):
        lead = desk.lead()
        task = desk.meeting_task(lead, desk.in_hours(-1))
        desk.tell(desk.task_hook(task.id))
        assert desk.calendar.standing == []
        assert desk.notes(lead).count("уже прошло") == 1

    def test_a_whole_day_is_asked_about(self, desk):
        lead = desk.lead()
        desk.meeting_task(lead, datetime(2026, 11, 25, 20, 59, tzinfo=UTC))
        assert desk.calendar.standing == []
        assert "Укажите в задаче время" in desk.notes(lead)

    def test_a_lead_without_an_owner_waits_for_one(self, desk):
        lead = desk.lead(owner=0)
        desk.meeting_task(lead, desk.in_hours(3), owner=0)
        assert desk.calendar.standing == []
        desk.clock.advance(10)
        desk.amocrm.human_reassigns(lead.id, BORIS)
        desk.announce("LeadAssigned", lead_id=lead.id)
        assert f"user{BORIS}@firm.example" in emails(desk)

    def test_a_call_that_an_integration_planned_waits_for_the_manager_whom_distribution_chooses(self, desk):
        robot = desk.amocrm.token_user_id
        desk.amocrm.add_user(robot, email="robot@firm.example")
        lead = desk.lead(owner=0)
        task = desk.meeting_task(lead, desk.in_hours(3), owner=robot)
        assert desk.calendar.standing == []
        assert "нет менеджера" in desk.notes(lead)
        desk.clock.advance(10)
        desk.amocrm.human_reassigns(lead.id, BORIS)
        desk.announce("LeadAssigned", lead_id=lead.id)
        assert emails(desk) == {f"user{BORIS}@firm.example", CLIENT_EMAIL}
        (there,) = [each for each in desk.amocrm.tasks_of(lead.id) if each.id == task.id]
        assert there.responsible_user_id == BORIS

    def test_the_robot_s_own_lead_is_his_call(self, desk):
        """The token is often the owner's, who sells too."""
        robot = desk.amocrm.token_user_id
        desk.amocrm.add_user(robot, email="owner@firm.example")
        desk.meeting_task(desk.lead(owner=robot), desk.in_hours(3), owner=robot)
        assert "owner@firm.example" in emails(desk)

    def test_a_calendar_that_refuses_is_told_of_once_and_asked_hourly(self, desk):
        def refuse(name: str) -> None:
            if name == "book":
                raise MeetingsForbidden("no such calendar")

        desk.calendar.before = refuse
        lead = desk.lead()
        assert desk.meeting_task(lead, desk.in_hours(5))
        assert "отвечает отказом" in desk.notes(lead)
        desk.pass_time(hours=2)
        assert 2 <= desk.calendar.calls.count("book") <= 3
        desk.calendar.before = lambda name: None
        desk.pass_time(hours=1)
        assert len(desk.calendar.standing) == 1
        assert desk.notes(lead).count("отвечает отказом") == 1
        assert desk.link_on(lead)

    def test_limits_that_are_used_up_are_left_alone_for_an_hour(self, desk):
        def quota(name: str) -> None:
            if name == "book":
                raise MeetingsUnavailable("Calendar usage limits exceeded.", after=3600)

        desk.calendar.before = quota
        lead = desk.lead()
        task = desk.amocrm.add_task(lead.id, ANNA, "Встреча", desk.in_hours(5), 2)
        assert desk.tell(desk.task_hook(task.id, "add")) == []
        desk.tell(desk.task_hook(task.id), desk.lead_hook(lead.id))
        desk.pass_time(minutes=55)
        assert desk.calendar.calls.count("book") == 1
        desk.calendar.before = lambda name: None
        desk.pass_time(minutes=15)
        assert len(desk.calendar.standing) == 1

    def test_a_link_that_comes_later(self, desk):
        desk.calendar.gives_links = LinkState.PENDING
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        assert "пока нет" in desk.notes(lead)
        desk.calendar.gives_links = LinkState.READY
        desk.pass_time(minutes=5)
        assert desk.link_on(lead) == desk.event().link != ""
        assert "Ссылка на встречу" in desk.notes(lead)

    def test_a_link_that_never_comes(self, desk):
        desk.calendar.gives_links = LinkState.FAILED
        lead = desk.lead()
        desk.meeting_task(lead, desk.in_hours(3))
        desk.pass_time(minutes=30)
        assert "не даёт ссылку" in desk.notes(lead)
        assert desk.calendar.calls.count("renew_link") == 3

    def test_lists_that_lag_are_asked_again(self, desk):
        lead = desk.lead()
        task = desk.amocrm.add_task(lead.id, ANNA, "Встреча", desk.in_hours(5), 2)
        desk.amocrm.list_lag = timedelta(seconds=30)
        desk.clock.advance(2)
        assert len(desk.tell(desk.task_hook(task.id, "add"))) == 1
        desk.clock.advance(40)
        assert desk.tell(desk.task_hook(task.id, "add")) == []
        assert len(desk.calendar.standing) == 1

    def test_a_department_without_meetings_makes_none(self):
        desk = MeetDesk()
        desk.department = replace(desk.department, meetings=None)
        desk.stores.departments.store(desk.department)
        desk.restart()
        desk.meeting_task(desk.lead(), desk.in_hours(3))
        assert desk.calendar.calls == []
