from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared import department_codec
from functions.shared.crm import User
from functions.shared.department import EXCHANGE, Kind, MergeMode, Merging, Place
from functions.shared.errors import DepartmentInvalid
from functions.shared.hours import WorkingHours
from functions.shared.meeting_plan import MEETING_TASK, ClientCalls, MeetingPlan, Provider, StageCall, Standup
from infra.department.directory import CrmField, CrmPipeline, Directory
from infra.department.file import DepartmentFile, load
from infra.department.resolve import check_account, resolve

TEXT = (Path(__file__).parents[2] / "department.example.yaml").read_text(encoding="utf-8")
EXAMPLE = load(TEXT)
ANNA = "anna@oknaplus.example"


def plans() -> st.SearchStrategy[MeetingPlan]:
    """Any plan that a file could ask for."""
    texts, ids = st.text(min_size=1, max_size=20), st.integers(0, 10**9)
    zones = st.sampled_from(["Europe/Moscow", "Asia/Omsk", "America/St_Johns"]).map(ZoneInfo)
    minutes = st.times().map(lambda each: each.replace(second=0, microsecond=0))
    days = st.frozensets(st.integers(0, 6), min_size=1)
    standups = st.builds(Standup, texts, texts, texts, days, minutes, st.integers(5, 480), zones, st.booleans())
    stages = st.none() | st.builds(StageCall, st.tuples(ids, ids), ids)
    calls = st.none() | st.builds(ClientCalls, st.integers(5, 480), st.booleans(), ids, ids, ids, stages)
    return st.builds(
        MeetingPlan,
        st.sampled_from(Provider),
        texts,
        st.lists(standups, max_size=3).map(tuple),
        calls,
        st.frozensets(st.dates(), max_size=5),
        st.booleans(),
    )


def line_of(words: str) -> int:
    return next(number for number, line in enumerate(TEXT.splitlines(), start=1) if words in line)


def directory_of(file: DepartmentFile) -> Directory:
    """An account that has everything the file asks for. Ids: users from 1, pipelines from 100, fields from 700,
    choices from 800, stages from 1000."""
    choices = tuple(
        {"id": 800 + place, "value": name, "sort": place} for place, name in enumerate(file.answers.values())
    )
    return Directory(
        account_id=31_000_001,
        subdomain="oknaplus",
        users={email: User(number, email.title(), email, True) for number, email in enumerate(file.people, start=1)},
        pipelines={
            plan.name.casefold(): CrmPipeline(
                id=100 * number,
                name=plan.name,
                is_unsorted_on=plan.unsorted,
                unsorted_status_id=1000 * number if plan.unsorted else None,
                stages={
                    stage.name.casefold(): 1000 * number + place for place, stage in enumerate(plan.stages, start=1)
                },
                last_sort=100,
            )
            for number, plan in enumerate(file.pipelines, start=1)
        },
        loss_reasons={name.casefold(): number for number, name in enumerate(file.loss_reasons.values(), start=500)},
        fields={
            file.answer_field.casefold(): CrmField(700, file.answer_field, "select", choices),
            file.origin_field.casefold(): CrmField(701, file.origin_field, "url"),
            **{
                name.casefold(): CrmField(number, name, kind)
                for number, (name, kind) in enumerate([*file.fields.items()][2:], start=702)
            },
        },
        task_types=(("Связаться", 1), ("Встреча", 2), ("Замер", 3001), ("замер", 3002)),
    )


ACCOUNT = directory_of(EXAMPLE)


def with_user(email: str, **changes: object) -> Directory:
    return replace(ACCOUNT, users=ACCOUNT.users | {email: replace(ACCOUNT.users[email], **changes)})


class TestResolving:
    def test_teams_get_the_levels_of_the_model_in_the_order_of_the_file(self) -> None:
        department = resolve(EXAMPLE, ACCOUNT)
        assert [(team.name, team.levels) for team in department.teams] == [
            ("lead_desk", {1}),
            ("closers", {2}),
            ("care", {3}),
        ]
        assert department.team_of_pipeline(EXCHANGE).name == "lead_desk"

    @pytest.mark.parametrize(
        ("model", "levels"),
        [
            ("one_level", [{1, 2, 3}]),
            ("two_level_lead_desk", [{1}, {2, 3}]),
            ("two_level_aftercare", [{1, 2}, {3}]),
            ("three_level", [{1}, {2}, {3}]),
        ],
    )
    def test_every_level_is_run_by_exactly_one_team(self, model: str, levels: list[set[int]]) -> None:
        teams = ", ".join(f"t{number}: {{members: [{ANNA}]}}" for number in range(len(levels)))
        file = load(
            f"{{department: X, timezone: Europe/Moscow, amocrm: {{account: oknaplus.amocrm.ru}}, "
            f"model: {model}, teams: {{{teams}}}}}"
        )
        assert [team.levels for team in resolve(file, directory_of(file)).teams] == levels

    def test_a_member_has_what_he_says_then_what_his_team_says_then_what_the_department_says(self) -> None:
        anna, boris, vera, gleb = resolve(EXAMPLE, ACCOUNT).teams[0].members
        assert (anna.hours, anna.timezone) == (EXAMPLE.spec.teams["lead_desk"].hours, ZoneInfo("Europe/Moscow"))
        assert (anna.max_open, anna.max_per_day, anna.weight) == (40, None, 1)
        assert (boris.hours, boris.weight) == (WorkingHours.parse("Mon-Fri 14:00-22:00"), Fraction(1, 2))
        assert vera.timezone == ZoneInfo("Asia/Yekaterinburg")
        assert gleb.channels == {"call", "site"}

    def test_people_who_are_told_or_on_duty_become_user_ids(self) -> None:
        desk, _, care = resolve(EXAMPLE, ACCOUNT).teams
        head = ACCOUNT.users["head@oknaplus.example"].id
        assert (desk.first_answer.escalate_to, desk.duty) == (head, None)
        assert (care.first_answer.escalate_to, care.duty) == (None, head)

    def test_people_are_found_without_regard_to_case(self) -> None:
        file = load(
            "{department: X, timezone: Europe/Moscow, amocrm: {account: Oknaplus.amocrm.ru}, model: one_level, "
            f"teams: {{a: {{members: [{ANNA.upper()}]}}}}}}"
        )
        assert resolve(file, ACCOUNT).teams[0].members[0].user_id == ACCOUNT.users[ANNA].id

    def test_stages_and_loss_reasons_are_found_by_their_keys(self) -> None:
        department = resolve(EXAMPLE, ACCOUNT)
        exchange = department.pipelines[0]
        assert (exchange.role, exchange.id, exchange.unsorted_status_id) == (EXCHANGE, 100, 1000)
        assert exchange.entry_status_id == exchange.stages["new"] == 1001
        assert department.pipelines[1].unsorted_status_id is None
        assert department.loss_reasons["duplicate"] == 501

    def test_fields_and_their_choices_are_found_by_name_without_regard_to_case(self) -> None:
        department = resolve(EXAMPLE, ACCOUNT)
        assert (department.answer_field, department.origin_field) == (700, 701)
        assert department.answers == {
            "not_target": 800,
            "in_conversation": 801,
            "no_information": 802,
            "qualified": 803,
        }

    def test_head_and_marketing_become_user_ids_and_nobody_stays_nobody(self) -> None:
        department = resolve(load(TEXT.replace("marketing:", "# marketing:")), ACCOUNT)
        assert (department.head, department.marketing) == (ACCOUNT.users["head@oknaplus.example"].id, None)
        assert resolve(EXAMPLE, ACCOUNT).marketing == ACCOUNT.users["maria@oknaplus.example"].id

    def test_what_the_file_says_of_routing_is_in_the_department(self) -> None:
        more = "refunds: [spam]\nhop_limit: 9\nmerging: {mode: dry_run, per_day: 5}\ncountry: kz\nroutes: {won: off}\n"
        file = load(TEXT + more + "distribute: {pipelines: [exchange, aftercare]}\n")
        department = resolve(file, directory_of(file))
        assert (department.refunds, department.hop_limit, department.country) == ({"spam"}, 9, "KZ")
        assert department.merging == Merging(MergeMode.DRY_RUN, 5)
        assert department.routes == file.routes

    def test_the_names_that_people_know_come_along(self) -> None:
        department = resolve(EXAMPLE, ACCOUNT)
        assert department.called(Place("exchange", "qualified")) == "Квалифицирован"
        assert department.called("reason.spam") == "Спам"
        assert department.called("answer.no_information") == "Не даёт информации"


MEETINGS = """
meetings:
  host: meet@oknaplus.example
  standups: [{team: lead_desk, at: "Mon-Fri 09:15", record: true}]
  client_calls: {task_type: замер, zone_field: Часовой пояс, stage: main.offer, field: Дата встречи, record: true}
  holidays: [2026-12-31]
"""
BARE = TEXT.partition("\nmeetings:")[0] + "\n"
WITH_MEETINGS = load(BARE + MEETINGS)


class TestMeetings:
    def test_calls_get_the_ids_of_their_stage_task_type_and_fields(self) -> None:
        plan = resolve(WITH_MEETINGS, directory_of(WITH_MEETINGS)).meetings
        assert plan is not None
        assert plan.client_calls == ClientCalls(
            minutes=30,
            is_recorded=True,
            task_type=3001,
            link_field=702,
            zone_field=703,
            stage=StageCall((200, 2004), 704),
        )
        (standup,) = plan.standups
        assert (standup.team, standup.days, standup.zone) == ("lead_desk", set(range(5)), ZoneInfo("Europe/Moscow"))
        assert (plan.provider, plan.host) == (Provider.GOOGLE, "meet@oknaplus.example")
        assert date(2026, 12, 31) in plan.holidays

    def test_what_is_not_given_is_amocrm_s_own_type_and_no_field(self) -> None:
        file = load(BARE + "meetings: on\n")
        plan = resolve(file, replace(directory_of(file), task_types=())).meetings
        assert plan is not None
        assert plan.client_calls == ClientCalls(task_type=MEETING_TASK, link_field=702)

    def test_calls_that_are_off_are_none_and_so_is_a_department_without_meetings(self) -> None:
        file = load(BARE + "meetings: {client_calls: off}\n")
        plan = resolve(file, directory_of(file)).meetings
        assert plan is not None and plan.client_calls is None
        assert resolve(load(BARE), ACCOUNT).meetings is None

    def test_a_type_of_task_that_nobody_has_made_is_named_with_the_nearest(self) -> None:
        file = load(BARE + "meetings: {client_calls: {task_type: Замеры}}\n")
        for look in (check_account, resolve):
            with pytest.raises(DepartmentInvalid) as caught:
                look(file, directory_of(file))
            (finding,) = caught.value.findings
            assert (finding.where, finding.line) == ("meetings.client_calls.task_type", BARE.count("\n") + 1)
            assert finding.value == "'Замеры' is no type of task in oknaplus"
            assert finding.remedy == "create this type of task in amoCRM (Settings), or did you mean замер?"

    @pytest.mark.parametrize("name", ["Ссылка на встречу", "Часовой пояс", "Дата встречи"])
    def test_a_field_of_another_type_is_named_with_the_remedy(self, name: str) -> None:
        account = directory_of(WITH_MEETINGS)
        other = replace(account, fields=account.fields | {name.casefold(): CrmField(9, name, "select")})
        with pytest.raises(DepartmentInvalid) as caught:
            check_account(WITH_MEETINGS, other)
        (finding,) = caught.value.findings
        assert finding.value == f"{name!r} is of type select"

    def test_a_missing_field_is_named_with_the_command_that_makes_it(self) -> None:
        account = directory_of(WITH_MEETINGS)
        fields = {name: field for name, field in account.fields.items() if field.id < 702}
        with pytest.raises(DepartmentInvalid) as caught:
            resolve(WITH_MEETINGS, replace(account, fields=fields))
        assert [finding.value for finding in caught.value.findings] == [
            f"{name!r} is not in amoCRM" for name in ("Ссылка на встречу", "Часовой пояс", "Дата встречи")
        ]


class TestFindings:
    def test_everybody_who_is_no_user_is_named_with_his_line(self) -> None:
        users = {email: user for email, user in ACCOUNT.users.items() if email not in (ANNA, "head@oknaplus.example")}
        with pytest.raises(DepartmentInvalid) as caught:
            check_account(EXAMPLE, replace(ACCOUNT, users=users))
        head, anna = caught.value.findings
        assert (anna.line, anna.value) == (line_of(ANNA), f"{ANNA!r} is no user of oknaplus")
        assert "invite this person in amoCRM" in anna.remedy
        assert head.line == line_of("head@")

    def test_a_user_with_nearly_the_same_email_is_suggested(self) -> None:
        users = {("ana@oknaplus.example" if email == ANNA else email): user for email, user in ACCOUNT.users.items()}
        with pytest.raises(DepartmentInvalid, match=r"did you mean ana@oknaplus\.example\?"):
            check_account(EXAMPLE, replace(ACCOUNT, users=users))

    def test_a_switched_off_user_is_allowed_and_noticed(self) -> None:
        (notice,) = check_account(EXAMPLE, with_user(ANNA, is_active=False))
        assert (notice.line, notice.value) == (line_of(ANNA), f"{ANNA!r} is switched off in amoCRM")
        assert resolve(EXAMPLE, with_user(ANNA, is_active=False)).teams[0].members[0].email == ANNA

    def test_a_user_without_the_right_to_edit_leads_is_noticed(self) -> None:
        (notice,) = check_account(EXAMPLE, with_user(ANNA, may_edit_leads=False))
        assert "may not edit leads" in notice.value

    def test_the_token_of_another_account_is_refused(self) -> None:
        with pytest.raises(DepartmentInvalid, match=r"amocrm\.account: .* the token belongs to other"):
            check_account(EXAMPLE, replace(ACCOUNT, subdomain="other"))

    def test_what_amocrm_lacks_is_named_with_the_command_that_creates_it(self) -> None:
        exchange = ACCOUNT.pipelines["биржа лидов"]
        lacking = replace(
            ACCOUNT,
            pipelines={exchange.name.casefold(): replace(exchange, stages={})},
            loss_reasons={},
            fields={
                EXAMPLE.answer_field.casefold(): CrmField(
                    700, EXAMPLE.answer_field, "select", ({"id": 1, "value": "НЕ ЦЕЛЕВОЙ", "sort": 1},)
                )
            },
        )
        with pytest.raises(DepartmentInvalid) as caught:
            resolve(EXAMPLE, lacking)
        values = [finding.value for finding in caught.value.findings]
        assert "stage 'Новый лид' is not in 'Биржа лидов'" in values
        assert "'Прогрев' is not in amoCRM" in values
        assert "'Дубль' is not in amoCRM" in values
        assert "'Исходная сделка' is not in amoCRM" in values
        assert "'Итог квалификации' cannot be 'Уже общаемся'" in values
        assert "'Итог квалификации' cannot be 'Не целевой'" not in values
        assert {finding.remedy for finding in caught.value.findings} == {"`conveyor apply` creates it"}

    @pytest.mark.parametrize(("name", "kind"), [("Итог квалификации", "text"), ("исходная сделка", "textarea")])
    def test_a_field_of_that_name_and_another_type_is_named_with_the_remedy(self, name: str, kind: str) -> None:
        other = replace(ACCOUNT, fields=ACCOUNT.fields | {name.casefold(): CrmField(9, name, kind)})
        for look in (check_account, resolve):
            with pytest.raises(DepartmentInvalid) as caught:
                look(EXAMPLE, other)
            (finding,) = caught.value.findings
            assert finding.value == f"{name!r} is of type {kind}"
            assert "rename or delete this field" in finding.remedy


class TestCodec:
    def test_a_department_survives_the_way_through_json(self) -> None:
        department = replace(resolve(EXAMPLE, ACCOUNT), version=7)
        document = json.loads(json.dumps(department_codec.encode(department)))
        assert department_codec.decode(document) == department
        assert list(document["pipelines"][0]["stages"])[:2] == ["new", "qualifying"]

    @pytest.mark.parametrize("section", [MEETINGS, "meetings: on", "meetings: {client_calls: off}", ""])
    def test_meetings_survive(self, section: str) -> None:
        file = load(BARE + section)
        department = resolve(file, directory_of(file))
        assert (department.meetings is None) == (section == "")
        assert department_codec.decode(json.loads(json.dumps(department_codec.encode(department)))) == department

    @given(plans())
    def test_every_plan_of_meetings_survives(self, plan: MeetingPlan) -> None:
        department = replace(resolve(EXAMPLE, ACCOUNT), meetings=plan)
        assert department_codec.decode(json.loads(json.dumps(department_codec.encode(department)))) == department

    def test_every_kind_of_route_survives(self) -> None:
        own = """
routes:
  asked: {when: {in: main, answer: qualified, after: 90m}, task: {for: head, text: Проверить, due: 2h}}
  again: {when: {stage: aftercare.at_risk, after: 30d}, copy: main.offer, then: aftercare.in_care}
"""
        file = load(TEXT + own)
        assert {route.kind for route in file.routes} == set(Kind)
        department = resolve(file, directory_of(file))
        assert department_codec.decode(json.loads(json.dumps(department_codec.encode(department)))) == department

    def test_a_version_stored_before_there_were_routes_is_read_with_the_defaults(self) -> None:
        department = resolve(EXAMPLE, ACCOUNT)
        later = {"routes", "refunds", "hop_limit", "answers", "answer_field", "origin_field", "head", "marketing"}
        later |= {"merging", "country", "names", "account_id", "meetings"}
        document = department_codec.encode(department)
        old = department_codec.decode({name: value for name, value in document.items() if name not in later})
        assert (old.routes, old.refunds, old.hop_limit, old.answers) == ((), frozenset(), 6, {})
        assert (old.head, old.merging, old.country, old.account_id) == (None, Merging(), "RU", 0)
        assert old.meetings is None
        assert old.teams == department.teams

    def test_a_document_of_a_newer_conveyor_is_refused(self) -> None:
        document = department_codec.encode(resolve(EXAMPLE, ACCOUNT)) | {"schema": 2}
        with pytest.raises(ValueError, match="deploy a newer one"):
            department_codec.decode(document)
