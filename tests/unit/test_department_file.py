from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.department import ChannelRule, MergeMode, Merging
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department.file import load
from infra.department.preset import COLORS, PIPELINES

EXAMPLE = Path(__file__).parents[2] / "department.example.yaml"

HEAD = """\
department: Окна Плюс
timezone: Europe/Moscow
amocrm: {account: oknaplus.amocrm.ru}
"""
MINIMAL = HEAD + "model: one_level\nteams: {sales: {members: [anna@oknaplus.example]}}\n"


def findings(text: str) -> list[Finding]:
    with pytest.raises(DepartmentInvalid) as caught:
        load(text)
    return caught.value.findings


def only_finding(text: str) -> Finding:
    found = findings(text)
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0]


def one_team(team: str) -> str:
    """A one-level department whose only team is given in flow style, in line 6."""
    return f"{HEAD}model: one_level\nteams:\n  sales: {team}\n"


class TestValidFiles:
    def test_the_example_is_valid_and_gives_nothing_to_notice(self) -> None:
        file = load(EXAMPLE)
        assert file.notices == ()
        assert [len(team.members) for team in file.spec.teams.values()] == [4, 3, 2]

    def test_what_the_example_has_behind_a_number_sign_is_valid_too(self) -> None:
        text = EXAMPLE.read_text(encoding="utf-8")
        file = load(re.sub(r"(?m)^#(?! \S)", "", text))
        assert file.spec.routes.keys() == {"qualified", "not_ready", "thinking"}
        assert file.merging == Merging(MergeMode.SUGGEST)
        assert file.notices == ()

    def test_a_firm_writes_who_works_and_the_rest_is_the_preset(self) -> None:
        file = load(MINIMAL)
        team = file.spec.teams["sales"]
        assert file.spec.language == "ru"
        assert str(team.hours) == "Mon-Fri 09:00-18:00"
        assert (team.first_answer.within, team.first_answer.reassign, team.duty) == (15, 2, None)
        assert team.members[0].weight == 1
        assert [plan.name for plan in file.pipelines] == [
            "Биржа лидов",
            "Основная воронка",
            "Сопровождение",
            "Прогрев",
        ]
        assert [plan.unsorted for plan in file.pipelines] == [True, False, False, False]
        assert file.loss_reasons["duplicate"] == "Дубль"

    def test_an_english_department_has_english_pipelines(self) -> None:
        file = load(MINIMAL + "language: en\n")
        assert file.pipelines[0].name == "Lead exchange"
        assert file.pipelines[0].stages[0].name == "New lead"
        assert file.loss_reasons["duplicate"] == "Duplicate"

    @pytest.mark.parametrize(
        ("text", "weight"),
        [("0.1", Fraction(1, 10)), ("2", Fraction(2)), ("1/3", Fraction(1, 3)), ("1.5", Fraction(3, 2))],
    )
    def test_weights_are_exact(self, text: str, weight: Fraction) -> None:
        file = load(one_team(f"{{members: [{{email: anna@oknaplus.example, weight: {text}}}]}}"))
        assert file.spec.teams["sales"].members[0].weight == weight

    @pytest.mark.parametrize(("text", "minutes"), [("15m", 15), ("2h", 120), ("1h30m", 90)])
    def test_times_to_answer_are_written_with_their_unit(self, text: str, minutes: int) -> None:
        file = load(one_team(f"{{first_answer: {{within: {text}}}, members: [anna@oknaplus.example]}}"))
        assert file.spec.teams["sales"].first_answer.within == minutes

    def test_windows_and_word_processors_leave_no_trace(self) -> None:
        text = MINIMAL.replace("timezone: ", "timezone:\u00a0").replace("\n", "\r\n")
        assert load("\ufeff" + text).spec == load(MINIMAL).spec

    def test_emails_are_compared_without_regard_to_case(self) -> None:
        assert list(load(MINIMAL.replace("anna@", "Anna@")).people) == ["anna@oknaplus.example"]

    def test_a_pipeline_may_be_renamed_and_have_its_own_stages(self) -> None:
        pipelines = 'pipelines: {main: {name: Продажи, stages: {call: Звонок, bill: {name: Счёт, color: "#87F2C0"}}}}\n'
        main = load(MINIMAL + pipelines).pipelines[1]
        assert main.name == "Продажи"
        assert [(stage.key, stage.name, stage.color) for stage in main.stages] == [
            ("call", "Звонок", "#d6eaff"),
            ("bill", "Счёт", "#87f2c0"),
        ]

    def test_leads_are_given_out_where_the_firm_says_and_wait_in_unsorted_there(self) -> None:
        file = load(MINIMAL + "distribute: {pipelines: [exchange, main]}\n")
        assert [plan.unsorted for plan in file.pipelines] == [True, True, False, False]

    def test_sources_become_channel_rules_in_the_order_of_the_file(self) -> None:
        file = load(MINIMAL + "sources: {dealers: {tags: [дилер]}, stand: {source_ids: [77], services: [telegram]}}\n")
        assert file.channel_rules == (
            ChannelRule("dealers", tags=frozenset({"дилер"})),
            ChannelRule("stand", source_ids=frozenset({77}), services=frozenset({"telegram"})),
        )

    def test_everybody_who_must_be_an_amocrm_user_is_known_with_a_line(self) -> None:
        file = load(
            one_team(
                "\n    duty: head@oknaplus.example\n    members:\n    - anna@oknaplus.example\n"
                "    - {weight: 2,\n       email: boris@oknaplus.example}"
            )
        )
        assert file.people == {
            "anna@oknaplus.example": 9,
            "boris@oknaplus.example": 11,
            "head@oknaplus.example": 7,
        }

    def test_a_team_of_which_everybody_is_paused_is_noticed(self) -> None:
        (notice,) = load(one_team("{members: [{email: anna@oknaplus.example, paused: true}]}")).notices
        assert (notice.where, notice.line) == ("teams.sales", 6)


class TestInvalidFiles:
    @pytest.mark.parametrize(
        ("team", "where", "value", "remedy"),
        [
            ("{members: []}", "members", "is empty", "name at least one member"),
            ("{members: }", "members", "is empty", "name at least one member"),
            ("{hours: Mon-Fri 9-18, members: [a@b.example]}", "hours", "'Mon-Fri 9-18'", "write times as 09:00-18:00"),
            ("{timezone: Europe/Moskow, members: [a@b.example]}", "timezone", "'Europe/Moskow'", "Europe/Moscow?"),
            ("{timezone: moscow, members: [a@b.example]}", "timezone", "'moscow'", "Europe/Moscow?"),
            ("{timezone: МСК, members: [a@b.example]}", "timezone", "'МСК'", "Europe/Moscow?"),
            ("{timezone: UTC+3, members: [a@b.example]}", "timezone", "'UTC+3'", ""),
            ("{members: [anna]}", "members[1].email", "'anna'", "signs in to amoCRM with"),
            ("{members: [{weight: 1}]}", "members[1].email", "is missing", "add email:"),
            ("{members: [{email: a@b.example, weight: 0}]}", "members[1].weight", "0", "above 0"),
            ("{members: [{email: a@b.example, weight: -1}]}", "members[1].weight", "-1", "above 0"),
            ("{members: [{email: a@b.example, weight: .inf}]}", "members[1].weight", "'.inf'", "above 0"),
            ("{members: [{email: a@b.example, weight: 1e99}]}", "members[1].weight", "'1e99'", "above 0"),
            ("{members: [{email: a@b.example, weight: true}]}", "members[1].weight", "True", "above 0"),
            ("{members: [{email: a@b.example, weight: 1/0}]}", "members[1].weight", "'1/0'", "above 0"),
            ("{members: [{email: a@b.example, max_open: -5}]}", "members[1].max_open", "-5", "paused: true"),
            ("{members: [{email: a@b.example, max_per_day: '9'}]}", "members[1].max_per_day", "'9'", "without quotes"),
            ("{members: [{email: a@b.example, paused: yes}]}", "members[1].paused", "'yes'", "true or false"),
            ("{members: [{email: a@b.example, max_opne: 5}]}", "members[1].max_opne", "is not known", "max_open?"),
            (
                "{members: [{email: a@b.example, channels: [watsapp]}]}",
                "members[1].channels[1]",
                "'watsapp'",
                "whatsapp?",
            ),
            ("{members: [{email: a@b.example, channels: call}]}", "members[1].channels", "'call'", "write a list"),
            ("{members: [a@b.example, A@b.example]}", "members[2]", "'A@b.example' is in the team twice", "line 6"),
            ("{first_answer: {within: 15}, members: [a@b.example]}", "first_answer.within", "15", "15m, 2h"),
            ("{first_answer: {reassign: -1}, members: [a@b.example]}", "first_answer.reassign", "-1", "0 or more"),
            (
                "{first_answer: {escalate_to: boss}, members: [a@b.example]}",
                "first_answer.escalate_to",
                "'boss'",
                "signs in to amoCRM with",
            ),
            ("{duty: boss, members: [a@b.example]}", "duty", "'boss'", "signs in to amoCRM with"),
        ],
    )
    def test_a_mistake_in_a_team_is_named_with_line_value_and_remedy(
        self, team: str, where: str, value: str, remedy: str
    ) -> None:
        finding = only_finding(one_team(team))
        assert (finding.where, finding.line, finding.value) == (f"teams.sales.{where}", 6, value)
        assert remedy in finding.remedy

    @pytest.mark.parametrize(
        ("text", "where", "value", "remedy"),
        [
            ("kpi: {}", "kpi", "is not known", "does not read it: remove it"),
            ("head: boss", "head", "'boss'", "signs in to amoCRM with"),
            ("marketing: [a@b.example]", "marketing", "is a list", "write a text"),
            ("country: UK", "country", "'UK'", "two letters of the country (ISO 3166)"),
            ("hop_limit: 1", "hop_limit", "1", "write 2 or more"),
            ("refunds: [spma]", "refunds[1]", "'spma'", "did you mean spam?"),
            ("merging: of", "merging.mode", "'of'", "did you mean off?"),
            ("merging: {mode: auto, per_day: 0}", "merging.per_day", "0", "write 1 or more"),
            ("merging: {perday: 3}", "merging.perday", "is not known", "did you mean per_day?"),
            ("pipelines: {main: {stages: {won: X}}}", "pipelines.main.stages.won", "'won'", "amoCRM's own stages"),
            ("pipelines: {main: {stages: {a.b: X}}}", "pipelines.main.stages.a.b", "'a.b'", "letters, digits"),
            ("tems: {}", "tems", "is not known", "did you mean teams?"),
            ("xyzzy: 1", "xyzzy", "is not known", "write one of: department, timezone"),
            ("language: de", "language", "'de'", "write one of: ru, en"),
            ("pipelines: {exchang: {}}", "pipelines.exchang", "'exchang'", "did you mean exchange?"),
            ("pipelines: {main: {stages: {a: {name: B, color: red}}}}", "pipelines.main.stages.a.color", "'red'", "#"),
            ("pipelines: {main: {stages: {}}}", "pipelines.main.stages", "is empty", "leave it out"),
            ("pipelines: {main: {stages: {a: X, b: x}}}", "pipelines.main.stages.b", "'x'", "a has this name too"),
            ("pipelines: {main: {name: Прогрев}}", "pipelines.warm_up.name", "'Прогрев'", "main has this name too"),
            ("sources: {a: {tag: [b]}}", "sources.a.tag", "is not known", "did you mean tags?"),
            ("distribute: {pipelines: []}", "distribute.pipelines", "is empty", "leave it out"),
            ("department: Again", "department", "given twice, first in line 1", "keep one"),
            ("? [a]\n: b", "file", "a list or mapping as a key", "a plain word"),
        ],
    )
    def test_a_mistake_elsewhere_is_named_with_line_value_and_remedy(
        self, text: str, where: str, value: str, remedy: str
    ) -> None:
        finding = only_finding(MINIMAL + text + "\n")
        assert (finding.where, finding.value) == (where, value)
        assert finding.line == 6 or where == "pipelines.warm_up.name"
        assert remedy in finding.remedy

    @pytest.mark.parametrize(
        ("model", "count", "remedy"),
        [
            ("one_level", 2, "one_level has 1, in this order: level 1 and level 2 and level 3; or choose model: two_"),
            ("two_level_aftercare", 3, "level 1 and level 2; level 3; or choose model: three_level"),
            ("three_level", 4, "three_level has 3, in this order: level 1; level 2; level 3"),
            ("three_level", 0, "three_level has 3"),
        ],
    )
    def test_the_number_of_teams_must_fit_the_model(self, model: str, count: int, remedy: str) -> None:
        teams = ", ".join(f"t{number}: {{members: [a@b.example]}}" for number in range(count))
        finding = only_finding(f"{HEAD}model: {model}\nteams: {{{teams}}}\n")
        assert (finding.where, finding.line, finding.value) == ("teams", 5, f"has {count} teams")
        assert remedy in finding.remedy

    @pytest.mark.parametrize(
        ("text", "remedy"),
        [
            (MINIMAL.replace("oknaplus.amocrm.ru", "'https://oknaplus.amocrm.ru/'"), "without https://"),
            (MINIMAL.replace("oknaplus.amocrm.ru", "evil.example"), "such as oknaplus.amocrm.ru"),
            (MINIMAL.replace("timezone: Europe/Moscow\n", ""), "add timezone: Europe/Moscow"),
            (MINIMAL.replace("Окна Плюс", "2024"), "in quotes"),
            (MINIMAL.replace("sales", "'a#b'"), "use letters, digits"),
            (MINIMAL.replace("{sales: {members: [anna@oknaplus.example]}}", "{sales: }"), "`key: value` lines"),
        ],
    )
    def test_what_every_file_needs_is_asked_for(self, text: str, remedy: str) -> None:
        assert remedy in only_finding(text).remedy

    @pytest.mark.parametrize(
        ("text", "line", "remedy"),
        [
            ("", None, "department.example.yaml"),
            ("# only a comment\n", None, "department.example.yaml"),
            ("- a\n- b\n", 1, "begin with department:"),
            ("Окна Плюс", 1, "begin with department:"),
            ("a: 1\n\tb: 2\n", 2, "indent with blanks, not with tabs"),
            ("a: 1\nb: c: d\n", 2, "check the indentation"),
            ("a: 1\nb: [1, 2\n", 3, "close the bracket"),
            ("a: 'x\n", 2, "close the quotes"),
            ("a: &x 1\nb: *x\n", 1, "write the value out"),
            ("a: &x [*x]\n", 1, "write the value out"),
            ("a: 1\nb: !!python/object/apply:os.getcwd []\n", 2, "write the plain value"),
            ("a: !!int x\n", 1, "write the plain value"),
            ("a: 1\n---\nb: 2\n", 2, "one department per file"),
            ("a: \x00", None, "plain UTF-8 text"),
            ("[" * 1000, None, "department.example.yaml"),
        ],
    )
    def test_a_text_that_is_no_yaml_is_answered_with_a_remedy(self, text: str, line: int | None, remedy: str) -> None:
        finding = only_finding(text)
        assert finding.line == line
        assert remedy in finding.remedy

    def test_a_file_of_another_encoding_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "department.yaml"
        path.write_bytes(MINIMAL.encode("cp1251"))
        said = r"line 1: department\.yaml: is not UTF-8 but Windows-1251 \(CP1251\), as in 'department: Окна Плюс'"
        with pytest.raises(DepartmentInvalid, match=said):
            load(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DepartmentInvalid, match=r"copy department\.example\.yaml"):
            load(tmp_path / "nothing.yaml")

    def test_all_mistakes_are_found_in_one_go_in_the_order_of_the_file(self) -> None:
        text = """\
department: Окна
timezone: Moskow
model: three_level
amocrm: {account: oknaplus.amocrm.ru}
teams:
  desk:
    hours: Mon-Fry 09:00-18:00
    members:
      - {email: a@b.example, channels: [cal]}
      - {email: A@b.example, weight: 0}
  closers: {members: []}
kpi: 1
timezone: Europe/Moscow
"""
        found = findings(text)
        assert [finding.line for finding in found] == [2, 5, 7, 9, 10, 10, 11, 12, 13]


def test_the_preset_uses_only_colours_that_amocrm_allows() -> None:
    assert {stage.color for preset in PIPELINES for stage in preset.stages} <= set(COLORS)
    assert len(set(COLORS)) == 21


@given(st.text(alphabet="ab:-[]{}'\"#&*!|>%@,? \n\t\u00a019.", max_size=60))
def test_no_text_does_anything_but_load_or_be_found_wrong(text: str) -> None:
    try:
        load(text)
    except DepartmentInvalid as error:
        assert all(finding.remedy for finding in error.findings)


@settings(max_examples=20)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_no_value_in_any_place_does_anything_but_load_or_be_found_wrong(value: object) -> None:
    import json

    for place in ("amocrm", "teams", "sources", "pipelines", "distribute", "timezone"):
        lines = [line for line in MINIMAL.splitlines() if not line.startswith(place)]
        text = "\n".join([*lines, f"{place}: {json.dumps(value)}"])
        with pytest.raises(DepartmentInvalid):
            load(text)
