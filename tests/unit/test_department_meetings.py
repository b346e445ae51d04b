from __future__ import annotations

import re
from datetime import date, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.department import Place
from functions.shared.errors import DepartmentInvalid, Finding
from functions.shared.hours import DAYS
from functions.shared.meeting_plan import Provider, Standup
from infra.department.file import DepartmentFile, load
from infra.department.meetings import Calls, Meetings, standup_key
from infra.department.meetings_spec import read_days_at

HEAD = """\
department: Окна Плюс
timezone: Europe/Moscow
amocrm: {account: oknaplus.amocrm.ru}
model: two_level_lead_desk
teams:
  desk: {members: [anna@oknaplus.example, boris@oknaplus.example]}
  closers: {timezone: Asia/Omsk, members: [dina@oknaplus.example]}
"""
SECTION_LINE = 8


def file_with(section: str, head: str = HEAD) -> DepartmentFile:
    """The section in flow style, in line 8."""
    return load(f"{head}meetings: {section}\n")


def meetings(section: str, head: str = HEAD) -> Meetings:
    read = file_with(section, head).meetings
    assert read is not None
    return read


def calls(section: str, head: str = HEAD) -> Calls:
    read = meetings(f"{{client_calls: {section}}}", head).calls
    assert read is not None
    return read


def findings(section: str, head: str = HEAD) -> list[Finding]:
    with pytest.raises(DepartmentInvalid) as caught:
        file_with(section, head)
    return caught.value.findings


def only_finding(section: str, head: str = HEAD) -> Finding:
    found = findings(section, head)
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0]


class TestTheSection:
    def test_a_department_that_says_nothing_of_meetings_has_none(self) -> None:
        assert load(HEAD).meetings is None
        assert file_with("off").meetings is None

    @pytest.mark.parametrize("section", ["on", "true", "{}"])
    def test_switched_on_it_has_calls_with_clients_and_no_standups(self, section: str) -> None:
        read = meetings(section)
        assert read == Meetings(
            provider=Provider.GOOGLE,
            host="anna@oknaplus.example",
            standups=(),
            calls=Calls(
                minutes=30,
                is_recorded=False,
                task_type="Встреча",
                is_own_type=False,
                link_field="Ссылка на встречу",
                zone_field=None,
                place=None,
                field=None,
            ),
            holidays=read.holidays,
            out_of_office=True,
        )
        assert file_with(section).notices == ()

    def test_an_english_department_has_english_names(self) -> None:
        english = f"language: en\ncountry: GB\n{HEAD}"
        assert calls("on", english).link_field == "Meeting link"
        assert (calls("on", english).task_type, calls("{task_type: meeting}", english).is_own_type) == (
            "Meeting",
            False,
        )
        assert meetings("{standups: [{team: desk, at: Mon 10:00}]}", english).standups[0].name == "Stand-up"

    def test_calls_with_clients_can_be_off(self) -> None:
        assert meetings("{client_calls: off}").calls is None
        assert meetings("{client_calls: false}").calls is None

    def test_what_the_file_says_is_meant(self) -> None:
        read = meetings("{provider: telemost, host: Meet@OknaPlus.example, out_of_office: false}")
        assert (read.provider, read.host, read.out_of_office) == (Provider.TELEMOST, "meet@oknaplus.example", False)
        assert calls(
            "{minutes: 45, record: true, task_type: Замер, link_field: Видео, zone_field: Часы клиента,"
            " stage: main.contact, field: Дата встречи}"
        ) == Calls(45, True, "Замер", True, "Видео", "Часы клиента", Place("main", "contact"), "Дата встречи")

    def test_the_host_is_the_head_then_who_is_told_then_the_first_of_all(self) -> None:
        told = HEAD.replace("{timezone", "{first_answer: {escalate_to: boss@oknaplus.example}, timezone")
        assert meetings("on", f"head: head@oknaplus.example\n{told}").host == "head@oknaplus.example"
        assert meetings("on", told).host == "boss@oknaplus.example"
        assert meetings("on").host == "anna@oknaplus.example"

    def test_the_host_need_not_be_a_user_of_amocrm(self) -> None:
        assert "meet@oknaplus.example" not in file_with("{host: meet@oknaplus.example}").people

    def test_public_holidays_and_those_of_the_file_are_days_off_but_not_work_days(self) -> None:
        days = meetings("{holidays: [2026-12-31], work_days: [2027-01-08]}").holidays
        assert {date(2026, 12, 31), date(2027, 1, 7), date(2027, 6, 12)} <= days
        assert date(2027, 1, 8) not in days
        assert meetings("{holidays: [2026-12-31]}", f"language: en\ncountry: GB\n{HEAD}").holidays == {
            date(2026, 12, 31)
        }

    def test_the_fields_of_calls_are_among_those_that_apply_makes(self) -> None:
        full = "{client_calls: {zone_field: Часы, stage: main.contact, field: Когда}}"
        assert file_with(full).fields == load(HEAD).fields | {
            "Ссылка на встречу": "url",
            "Часы": "text",
            "Когда": "date_time",
        }
        assert file_with("{client_calls: off}").fields == load(HEAD).fields


class TestStandups:
    def test_what_it_does_not_say_is_the_team_s_and_the_department_s(self) -> None:
        desk, closers, omsk = meetings(
            "{standups: [{team: desk, at: Mon-Fri 09:15}, {team: closers, at: Tue 9:00, name: Итоги},"
            " {team: desk, name: Отчёт, at: Fri 17:00, minutes: 45, record: true, timezone: Asia/Tomsk}]}"
        ).standups
        assert desk == Standup(
            key=desk.key,
            name="Планёрка",
            team="desk",
            days=frozenset(range(5)),
            at=time(9, 15),
            minutes=15,
            zone=ZoneInfo("Europe/Moscow"),
            is_recorded=False,
        )
        assert (closers.zone, closers.at, closers.days) == (ZoneInfo("Asia/Omsk"), time(9), {1})
        assert (omsk.zone, omsk.minutes, omsk.is_recorded) == (ZoneInfo("Asia/Tomsk"), 45, True)

    @pytest.mark.parametrize(
        ("text", "days", "at"),
        [
            ("Mon-Fri 09:15", {0, 1, 2, 3, 4}, time(9, 15)),
            ("Пн, Чт 10:00", {0, 3}, time(10)),
            ("Mon 10:00; Thu 10:00", {0, 3}, time(10)),
            ("пн–ср: 9:05", {0, 1, 2}, time(9, 5)),
            ("Sat-Mon 23:59", {5, 6, 0}, time(23, 59)),
        ],
    )
    def test_days_and_one_time(self, text: str, days: set[int], at: time) -> None:
        assert read_days_at(text) == (days, at)

    @given(st.sets(st.integers(0, 6), min_size=1), st.times())
    def test_whatever_is_written_out_is_read_back(self, days: set[int], at: time) -> None:
        assert read_days_at(f"{', '.join(DAYS[day] for day in days)} {at:%H:%M}") == (
            days,
            at.replace(second=0, microsecond=0),
        )

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            ("Mon-Fri 09:15; Sat 10:00", "write two stand-ups"),
            ("Mon 09:15, 10:00", "write two stand-ups"),
            ("Mon 09:15-09:30", "how long it lasts is minutes:"),
            ("Mon 09:15, Thu 09:15", "put ';' between groups of days"),
            ("Mon 9", "'9' is no time: write 00:00 to 23:59"),
            ("Mon 24:00", "'24:00' is no time"),
            ("Mon 09:60", "'09:60' is no time"),
            ("Mon", "'mon' is not days followed by a time"),
            ("09:15", "'09:15' is not days followed by a time"),
            ("Mno 09:15", "'mno' is no day of the week"),
            ("Mon-Wed, Tue 09:15", "Tue occurs twice"),
            ("Mon 09:15; Mon 09:15", "Mon occurs twice"),
            ("", "write days and a time"),
        ],
    )
    def test_anything_else_is_explained(self, text: str, remedy: str) -> None:
        found = only_finding(f'{{standups: [{{team: desk, at: "{text}"}}]}}')
        assert (found.where, found.line) == ("meetings.standups[1].at", SECTION_LINE)
        assert remedy in found.remedy

    @given(st.text(max_size=20))
    def test_no_text_is_worse_than_wrong(self, text: str) -> None:
        try:
            read_days_at(text)
        except ValueError as error:
            assert str(error)

    @given(st.from_regex(r"[\w-]{1,64}", fullmatch=True), st.text(min_size=1))
    def test_a_key_is_plain_and_stays(self, team: str, name: str) -> None:
        key = standup_key(team, name)
        assert re.fullmatch("[a-z0-9-]+", key)
        assert key == standup_key(team, name)

    def test_keys_tell_teams_and_names_apart_but_not_capital_letters(self) -> None:
        keys = {standup_key(team, name) for team in ("desk", "de", "отдел") for name in ("Планёрка", "Планерка", "sk")}
        assert len(keys) == 9
        assert standup_key("desk", "планёрка") == standup_key("desk", "Планёрка")
        assert standup_key("desk", "Планёрка") == "desk-310e6e9ff6"

    def test_only_name_and_team_make_it_another_one(self) -> None:
        one, other = (
            meetings(f"{{standups: [{{team: desk, name: A, {more}}}]}}").standups[0].key
            for more in ("at: Mon 9:00", "at: Tue 10:00, minutes: 60, record: true, timezone: Asia/Omsk")
        )
        assert one == other


class TestMistakes:
    @pytest.mark.parametrize(
        ("section", "where", "value", "remedy"),
        [
            ("{provider: gogle}", "provider", "'gogle'", "did you mean google?"),
            ("{hosts: a@b.example}", "hosts", "is not known", "did you mean host?"),
            ("{host: meet}", "host", "'meet'", "e-mail of the calendar"),
            ("{standups: {team: desk, at: Mon 9:00}}", "standups", "is a mapping", "write a list"),
            ("{standups: [{team: desk}]}", "standups[1].at", "is missing", 'add at: "Mon-Fri 09:15"'),
            ("{standups: [{at: Mon 9:00}]}", "standups[1].team", "is missing", "one of the teams"),
            ("{standups: [{team: desc, at: Mon 9:00}]}", "standups[1].team", "'desc'", "did you mean desk?"),
            ("{standups: [{team: desk, at: 9}]}", "standups[1].at", "9", "Mon-Fri 09:15"),
            ("{standups: [{team: desk, at: Mon 9:00, minutes: 4}]}", "standups[1].minutes", "4", "5 to 480"),
            ("{standups: [{team: desk, at: Mon 9:00, minutes: 481}]}", "standups[1].minutes", "481", "5 to 480"),
            ("{standups: [{team: desk, at: Mon 9:00, minutes: 15m}]}", "standups[1].minutes", "'15m'", "5 to 480"),
            ("{standups: [{team: desk, at: Mon 9:00, minutes: true}]}", "standups[1].minutes", "True", "5 to 480"),
            ("{standups: [{team: desk, at: Mon 9:00, recrod: true}]}", "standups[1].recrod", "is not known", "record?"),
            ("{standups: [{team: desk, at: Mon 9:00, record: yes}]}", "standups[1].record", "'yes'", "true or false"),
            ("{standups: [{team: desk, at: Mon 9:00, timezone: МСК}]}", "standups[1].timezone", "'МСК'", "Moscow?"),
            ("{standups: [{team: desk, at: Mon 9:00, name: ' '}]}", "standups[1].name", "' '", "write a text"),
            ("{client_calls: }", "client_calls", "is empty", "write on, off, or its keys"),
            ("{client_calls: yes}", "client_calls", "'yes'", "write on, off, or its keys"),
            ("{client_calls: [30]}", "client_calls", "is a list", "write on, off, or its keys"),
            ("{client_calls: {minute: 30}}", "client_calls.minute", "is not known", "minutes?"),
            ("{client_calls: {task_type: 2}}", "client_calls.task_type", "2", "write a text"),
            ("{client_calls: {stage: main.contact}}", "client_calls.stage", "'main.contact'", "add field:"),
            ("{client_calls: {field: Когда}}", "client_calls.field", "'Когда'", "add stage: main.contact"),
            ("{client_calls: {field: A, stage: mian.offer}}", "client_calls.stage", "'mian.offer'", "mean main?"),
            ("{client_calls: {field: A, stage: main}}", "client_calls.stage", "'main'", "such as main.received"),
            ("{client_calls: {field: A, stage: main.ofer}}", "client_calls.stage", "'main.ofer'", "mean offer?"),
            (
                "{client_calls: {field: A, stage: main.lost}}",
                "client_calls.stage",
                "'main.lost'",
                "in which people work",
            ),
            (
                "{client_calls: {field: A, stage: main.not_ready}}",
                "client_calls.stage",
                "'main.not_ready'",
                "the route not_ready takes each card out of it at once",
            ),
            (
                "{client_calls: {link_field: ИСХОДНАЯ сделка}}",
                "client_calls.link_field",
                "'ИСХОДНАЯ сделка'",
                "Conveyor itself uses this field",
            ),
            (
                "{client_calls: {zone_field: ссылка на встречу}}",
                "client_calls.zone_field",
                "'ссылка на встречу'",
                "link_field uses this field",
            ),
            ("{holidays: [31.12.2026]}", "holidays[1]", "'31.12.2026'", "2026-12-31"),
            ("{work_days: [2026-02-30]}", "work_days[1]", "'2026-02-30'", "2026-12-31"),
            ("{out_of_office: maybe}", "out_of_office", "'maybe'", "true or false"),
        ],
    )
    def test_each_is_named_with_its_line_and_what_would_be_right(
        self, section: str, where: str, value: str, remedy: str
    ) -> None:
        found = only_finding(section)
        assert (found.where, found.line, found.value) == (f"meetings.{where}", SECTION_LINE, value)
        assert remedy in found.remedy

    @pytest.mark.parametrize("section", ["", "yes", "[on]", "5"])
    def test_a_section_that_is_neither_on_nor_off_nor_keys(self, section: str) -> None:
        found = only_finding(section)
        assert (found.where, found.remedy) == ("meetings", "write on, off, or its keys below it")

    def test_a_stage_that_only_a_task_or_time_or_an_answer_starts_from_is_one_where_cards_stay(self) -> None:
        assert calls("{field: A, stage: main.conditional_refusal}").place == Place("main", "conditional_refusal")

    def test_two_of_a_team_have_two_names(self) -> None:
        same = (
            "{standups: [{team: desk, at: Mon 9:00}, {team: closers, at: Mon 9:00},\n"
            " {team: desk, name: планёрка, at: Mon 10:00}]}"
        )
        found = only_finding(same)
        assert (found.where, found.line) == ("meetings.standups[3]", SECTION_LINE + 1)
        assert found.value == "desk has 'планёрка' twice"
        assert found.remedy == f"give one of the two another name, the first is in line {SECTION_LINE}"

    @pytest.mark.parametrize("members", [200, 201])
    def test_no_more_people_than_answers_are_passed_on(self, members: int) -> None:
        people = ", ".join(f"m{number}@oknaplus.example" for number in range(members))
        head = HEAD.replace("anna@oknaplus.example, boris@oknaplus.example", people)
        section = "{standups: [{team: desk, at: Mon 9:00}]}"
        if members == 200:
            assert meetings(section, head).standups[0].team == "desk"
        else:
            found = only_finding(section, head)
            assert (found.where, found.value) == ("meetings.standups[1].team", "'desk' has 201 members")
            assert "divide the team" in found.remedy

    def test_they_are_told_together_with_mistakes_elsewhere(self) -> None:
        wrong = HEAD.replace("Europe/Moscow", "Europe/Moskow")
        section = "{standups: [{team: desc, at: Mon 9:00}], client_calls: {field: A, stage: main.ofer}}"
        assert [found.where for found in findings(section, wrong)] == [
            "timezone",
            "meetings.standups[1].team",
            "meetings.client_calls.stage",
        ]

    def test_a_stage_is_not_called_wrong_where_the_pipelines_are(self) -> None:
        wrong = f"{HEAD}pipelines: {{main: {{stages: {{bad key: Звонок}}}}}}\n"
        (found,) = findings("{client_calls: {field: A, stage: main.call}}", wrong)
        assert found.where.startswith("pipelines.main.stages")


class TestNotices:
    def test_telemost_cannot_be_told_to_record(self) -> None:
        section = (
            "{provider: telemost, client_calls: {record: true},\n standups: [{team: desk, at: Mon 9:00, record: true}]}"
        )
        assert [(notice.where, notice.line) for notice in file_with(section).notices] == [
            ("meetings.standups[1].record", SECTION_LINE + 1),
            ("meetings.client_calls.record", SECTION_LINE),
        ]
        assert file_with(section.replace("telemost", "google")).notices == ()

    def test_a_section_that_asks_for_nothing(self) -> None:
        (notice,) = file_with("{client_calls: off, out_of_office: false}").notices
        assert (notice.where, notice.value) == ("meetings", "asks for nothing")
        assert file_with("{client_calls: off}").notices == ()
