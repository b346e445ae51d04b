from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from string import Formatter
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from functions.shared.department import Kind, Place, Route, RouteTask, Trigger
from infra.cli.main import app
from infra.department.diagram import draw
from infra.department.file import DepartmentFile, load
from infra.department.phrases import ENDINGS, PHRASES
from infra.department.story import sentence, tell
from infra.department.wording import Wording

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "department.example.yaml"

HEAD = """\
department: Окна Плюс
timezone: Europe/Moscow
amocrm: {account: oknaplus.amocrm.ru}
"""
TEAMS = {
    "one_level": "{sales: {members: [a@x.example]}}",
    "two_level_lead_desk": "{desk: {members: [a@x.example]}, sellers: {members: [b@x.example]}}",
    "two_level_aftercare": "{sales: {members: [a@x.example]}, care: {members: [b@x.example]}}",
    "three_level": "{desk: {members: [a@x.example]}, closers: {members: [b@x.example]}, care: {members: [c@x.test]}}",
}


def department(model: str = "three_level", more: str = "") -> DepartmentFile:
    return load(f"{HEAD}model: {model}\nteams: {TEAMS[model]}\n{more}")


def way(model: str) -> list[str]:
    return list(tell(department(model))[1][-1].lines)


def told(file: DepartmentFile, route_id: str) -> str:
    return sentence(Wording(file), next(route for route in file.routes if route.id == route_id))


def told_of(route: Route, more: str = "") -> str:
    return sentence(Wording(department(more=more)), route)


class TestSentences:
    def test_a_move_says_from_where_where_to_and_who_gets_the_lead(self) -> None:
        assert told(department(), "qualified") == (
            "Из этапа «Квалифицирован» воронки «Биржа лидов» или с любого её этапа при ответе «Квалифицирован» →"
            " карточка переходит в «Основная воронка», этап «Получен от биржи»; передача команде closers."
        )

    def test_a_close_says_that_the_turn_is_given_back(self) -> None:
        refunded = (
            "Из этапа «Условный отказ» воронки «Основная воронка» при ответе «Не целевой» → карточка закрывается, "
        )
        assert (
            told(department(), "refused_not_target") == f"{refunded}причина «Не целевой»; ход возвращается менеджеру."
        )
        assert told(department(more="refunds: []"), "refused_not_target") == f"{refunded}причина «Не целевой»."

    def test_a_task_says_whose_it_is_and_until_when(self) -> None:
        route = Route(
            "thinking",
            (Trigger("main", "offer", after=timedelta(days=14)),),
            Kind.TASK,
            task=RouteTask("head", "Клиент\n думает", timedelta(days=1, hours=2)),
        )
        where = "Из этапа «Предложение отправлено» воронки «Основная воронка» через 14 дней → "
        assert told_of(route) == f"{where}задача менеджеру карточки «Клиент думает», срок 1 день 2 часа."
        assert told_of(route, "head: h@x.example") == (
            f"{where}задача руководителю (h@x.example) «Клиент думает», срок 1 день 2 часа."
        )

    def test_a_copy_says_what_becomes_of_the_lead_itself(self) -> None:
        assert "сама карточка переходит на «На сопровождении»; передача команде closers." in told(
            department(), "repeat_sale"
        )
        assert "сама карточка остаётся на месте; передача команде care." in told(department(), "won")
        assert told(department("one_level"), "won").endswith("копию ведёт тот же менеджер.")

    def test_where_the_receiver_depends_on_the_way_each_way_is_told(self) -> None:
        assert told(department(), "warmed").endswith(
            "«Прогрев» → «Биржа лидов»: менеджер остаётся; «Прогрев» → «Основная воронка»: передача от desk к closers."
        )

    def test_a_lead_closed_in_another_pipeline_is_nobody_s(self) -> None:
        route = Route("away", (Trigger("main", "offer"),), Kind.MOVE, Place("exchange", "lost"))
        assert told_of(route).endswith("карточка переходит в «Биржа лидов», этап «Закрыто и не реализовано».")

    @pytest.mark.parametrize(
        ("mode", "says"),
        [
            ("auto", "объединяется с идущей сделкой этого клиента; при сомнении — задача с предложением; ход за дубль"),
            ("suggest", "задача с предложением объединить карточку"),
            ("dry_run", "в журнал записывается"),
            ("'off'", "ничего: объединение выключено."),
        ],
    )
    def test_merging_is_told_as_it_is_set(self, mode: str, says: str) -> None:
        assert says in told(department(more=f"merging: {mode}"), "in_conversation")

    def test_every_route_is_told_once_in_the_order_of_the_file(self) -> None:
        file = load(EXAMPLE)
        lines = tell(file)[1][1].lines
        assert [line.split(":")[0] for line in lines] == [route.id for route in file.routes]


class TestTheWayOfALead:
    def test_three_levels_hand_it_over_between_all_of_them(self) -> None:
        assert way("three_level") == [
            "Новые заявки приходят в «Биржа лидов»; команда desk (1 менеджер) получает их по справедливости",
            "«Биржа лидов» → «Основная воронка»: передача от desk к closers",
            "«Биржа лидов» → «Сопровождение»: передача от desk к care",
            "«Биржа лидов» → «Прогрев»: менеджер остаётся",
            "«Основная воронка» → «Сопровождение»: передача от closers к care",
            "«Основная воронка» → «Прогрев»: передача от closers к desk",
            "«Сопровождение» → «Основная воронка»: передача от care к closers",
            "«Прогрев» → «Биржа лидов»: менеджер остаётся",
            "«Прогрев» → «Основная воронка»: передача от desk к closers",
            "«Прогрев» → «Сопровождение»: передача от desk к care",
        ]

    @pytest.mark.parametrize(
        ("model", "hand_overs"),
        [
            ("one_level", set()),
            (
                "two_level_lead_desk",
                {
                    *("«Биржа лидов» → «Основная воронка»", "«Биржа лидов» → «Сопровождение»"),
                    *(
                        "«Основная воронка» → «Прогрев»",
                        "«Прогрев» → «Основная воронка»",
                        "«Прогрев» → «Сопровождение»",
                    ),
                },
            ),
            (
                "two_level_aftercare",
                {
                    *("«Биржа лидов» → «Сопровождение»", "«Основная воронка» → «Сопровождение»"),
                    *("«Сопровождение» → «Основная воронка»", "«Прогрев» → «Сопровождение»"),
                },
            ),
        ],
    )
    def test_the_other_models_keep_the_manager_within_a_team(self, model: str, hand_overs: set[str]) -> None:
        steps = [line.split(": ") for line in way(model)[1:]]
        assert {step for step, who in steps if "передача" in who} == hand_overs
        assert {who for step, who in steps if step not in hand_overs} == {"менеджер остаётся"}

    def test_each_pipeline_in_which_leads_arrive_is_named(self) -> None:
        file = department(more="distribute: {pipelines: [exchange, aftercare]}")
        arrivals = [line for line in tell(file)[1][-1].lines if line.startswith("Новые")]
        assert [re.findall("«(.*?)»", line) for line in arrivals] == [["Биржа лидов"], ["Сопровождение"]]


class TestMeetings:
    SECTION = (
        'meetings: {host: meet@x.example, standups: [{team: desk, at: "Пн-Ср, Пт 9:15", record: true}],'
        " client_calls: {minutes: 45, zone_field: Часовой пояс, stage: main.offer, field: Дата встречи}}"
    )

    def test_standups_and_calls_are_told_with_everybody_who_is_invited(self) -> None:
        title, lines = (
            tell(department(more=self.SECTION))[1][-1].title,
            tell(department(more=self.SECTION))[1][-1].lines,
        )
        assert title == "Встречи"
        assert lines == (
            "«Планёрка» — команда desk, пн-ср, пт 09:15 (Europe/Moscow) на 15 минут, с записью; приглашены a@x.example",
            "Звонок клиенту: задача «Встреча» на карточке становится встречей в календаре на 45 минут; приглашены"
            " клиент и менеджер, ссылка — в поле «Ссылка на встречу», часы клиента — по полю «Часовой пояс»",
            "Звонок клиенту и без задачи: карточка стоит на этапе «Предложение отправлено» воронки «Основная воронка»,"
            " её время — в поле «Дата встречи»",
            "Все встречи — в Google Календаре meet@x.example",
            "У кого в своём календаре «Нет на работе», тот не получает лидов и приглашений",
        )

    def test_what_is_off_is_not_told(self) -> None:
        section = "meetings: {provider: telemost, host: meet@x.example, client_calls: off}"
        chapter = tell(department(more=section))[1][-1]
        assert chapter.lines == ("Все встречи — в Яндекс Телемосте, организатор meet@x.example",)

    def test_in_english(self) -> None:
        lines = tell(department(more=f"language: en\n{self.SECTION}"))[1][-1].lines
        assert lines[0] == (
            "“Stand-up” — team desk, Mon-Wed, Fri 09:15 (Europe/Moscow) for 15 minutes, recorded; invited: a@x.example"
        )

    def test_a_department_without_meetings_has_no_such_chapter(self) -> None:
        assert "Встречи" not in [chapter.title for chapter in tell(department())[1]]


class TestWording:
    @pytest.mark.parametrize(
        ("span", "russian", "english"),
        [
            (timedelta(days=1), "1 день", "1 day"),
            (timedelta(days=2), "2 дня", "2 days"),
            (timedelta(days=11), "11 дней", "11 days"),
            (timedelta(days=21), "21 день", "21 days"),
            (timedelta(days=30), "30 дней", "30 days"),
            (timedelta(days=112), "112 дней", "112 days"),
            (timedelta(hours=36, minutes=1), "1 день 12 часов 1 минуту", "1 day 12 hours 1 minute"),
        ],
    )
    def test_times_are_said_as_people_say_them(self, span: timedelta, russian: str, english: str) -> None:
        assert Wording(department()).duration(span) == russian
        assert Wording(department(more="language: en")).duration(span) == english

    def test_both_languages_have_the_same_phrases_with_the_same_gaps(self) -> None:
        def gaps(phrase: str) -> set[str]:
            return {name for _, name, _, _ in Formatter().parse(phrase) if name}

        russian, english = ({key: gaps(text) for key, text in PHRASES[each].items()} for each in ("ru", "en"))
        assert russian == english
        assert ENDINGS["ru"].keys() == ENDINGS["en"].keys()

    def test_names_with_braces_are_only_names(self) -> None:
        file = department(more="pipelines: {main: {name: 'Продажи {0} {team}'}}")
        assert "«Продажи {0} {team}»" in told(file, "qualified")


class TestCommand:
    def test_it_tells_the_department_and_writes_the_picture(self, tmp_path: Path) -> None:
        out = tmp_path / "department.svg"
        result = CliRunner().invoke(app, ["plan", str(EXAMPLE), "--diagram", str(out)])
        assert result.exit_code == 0
        assert result.stdout.startswith("Окна Плюс. Модель — три уровня")
        assert "«Прогрев» — команда lead_desk (уровень 1, 4 менеджера): На прогрев → Прогревается" in result.stdout
        assert "Путь сделки" in result.stdout
        assert ET.parse(out).getroot().tag.endswith("svg")

    def test_english_is_english(self, tmp_path: Path) -> None:
        path = tmp_path / "department.yaml"
        text = f"{HEAD}language: en\nmodel: one_level\nteams: {TEAMS['one_level']}\n".replace("Окна Плюс", "Windows")
        path.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(app, ["plan", str(path), "--diagram", str(tmp_path / "out.svg")])
        assert result.exit_code == 0
        assert not re.search(
            "[а-яё]", result.stdout + (tmp_path / "out.svg").read_text(encoding="utf-8"), re.IGNORECASE
        )

    def test_a_broken_file_is_explained_and_draws_nothing(self, tmp_path: Path) -> None:
        path, out = tmp_path / "department.yaml", tmp_path / "out.svg"
        path.write_text(HEAD.replace("Europe/Moscow", "Europe/Moskow"), encoding="utf-8")
        result = CliRunner().invoke(app, ["plan", str(path), "--diagram", str(out)])
        assert result.exit_code == 2
        assert "did you mean Europe/Moscow?" in result.stderr
        assert not out.exists()

    def test_a_picture_that_cannot_be_written_is_said_in_one_line(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["plan", str(EXAMPLE), "--diagram", str(tmp_path / "no" / "out.svg")])
        assert result.exit_code == 1
        assert result.stderr.endswith("out.svg: No such file or directory\n")

    def test_the_picture_in_the_documentation_is_that_of_the_example(self) -> None:
        kept = (ROOT / "docs" / "images" / "department.svg").read_text(encoding="utf-8")
        again = "conveyor plan department.example.yaml --diagram docs/images/department.svg"
        assert kept == draw(load(EXAMPLE)), f"renew it: {again}"

    def test_a_department_without_routes_has_a_picture_too(self) -> None:
        assert "data-route" not in draw(replace(load(EXAMPLE), routes=()))
