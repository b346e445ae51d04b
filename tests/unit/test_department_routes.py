from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.department import Kind, Place, Route, RouteTask, Trigger
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department.file import DepartmentFile, load
from infra.department.preset import ANSWERS, LOSS_REASONS
from infra.department.values import Answer, LossReason

HEAD = """\
department: Окна Плюс
timezone: Europe/Moscow
amocrm: {account: oknaplus.amocrm.ru}
model: one_level
teams: {sales: {members: [anna@oknaplus.example]}}
"""
FIRST = 7
"""The line of the first route that `with_routes` writes."""


def with_routes(*routes: str, more: str = "") -> str:
    return f"{HEAD}routes:\n" + "".join(f"  {route}\n" for route in routes) + more


def routes_of(text: str) -> dict[str, Route]:
    return {route.id: route for route in load(text).routes}


def findings(text: str) -> list[Finding]:
    with pytest.raises(DepartmentInvalid) as caught:
        load(text)
    return caught.value.findings


def only_finding(text: str) -> Finding:
    found = findings(text)
    assert len(found) == 1, [str(finding) for finding in found]
    return found[0]


def on(stage: str, **more: object) -> Trigger:
    role, _, key = stage.partition(".")
    return Trigger(role, key or None, **more)  # type: ignore[arg-type]


PRESET = [
    ("not_target", Kind.CLOSE, ["exchange.not_target", "exchange?not_target"], None, None),
    ("in_conversation", Kind.MERGE, ["exchange.in_conversation", "exchange?in_conversation"], None, None),
    ("no_information", Kind.MOVE, ["exchange.no_information", "exchange?no_information"], "warm_up.to_warm", None),
    ("qualified", Kind.MOVE, ["exchange.qualified", "exchange?qualified"], "main.received", None),
    ("conditional_refusal", Kind.TASK, ["main.conditional_refusal"], None, None),
    ("refused_not_target", Kind.CLOSE, ["main.conditional_refusal?not_target"], None, None),
    ("refused_in_conversation", Kind.MERGE, ["main.conditional_refusal?in_conversation"], None, None),
    ("refused_no_information", Kind.MOVE, ["main.conditional_refusal?no_information"], "warm_up.to_warm", None),
    ("refused_qualified", Kind.MOVE, ["main.conditional_refusal?qualified"], "main.received", None),
    ("not_ready", Kind.MOVE, ["main.not_ready"], "warm_up.to_warm", None),
    ("won", Kind.COPY, ["main.won", "exchange.won", "warm_up.won"], "aftercare.new_client", None),
    ("warmed", Kind.BACK, ["warm_up.warmed"], None, None),
    ("long_warm_up", Kind.TASK, ["warm_up@30"], None, None),
    ("repeat_sale", Kind.COPY, ["aftercare.offer"], "main.received", "aftercare.in_care"),
]


def short(trigger: Trigger) -> str:
    answer = f"?{trigger.answer}" if trigger.answer else ""
    after = f"@{trigger.after.days}" if trigger.after else ""
    return (str(Place(trigger.role, trigger.stage)) if trigger.stage else trigger.role) + answer + after


class TestPreset:
    def test_every_arrow_of_the_article_is_there(self) -> None:
        routes = load(HEAD).routes
        assert [
            (
                route.id,
                route.kind,
                [short(each) for each in route.when],
                *(p and str(p) for p in (route.to, route.then)),
            )
            for route in routes
        ] == PRESET
        assert {route.reason for route in routes if route.kind is Kind.CLOSE} == {"not_target"}

    def test_the_manual_lists_every_route_once(self) -> None:
        manual = (Path(__file__).parents[2] / "docs" / "department.md").read_text(encoding="utf-8")
        table = manual.partition("### Routes")[2].partition("```yaml")[0]
        assert re.findall(r"(?m)^\| `(\w+)` \|", table) == [name for name, *_ in PRESET]

    def test_its_tasks_speak_the_language_of_the_department(self) -> None:
        russian, english = routes_of(HEAD), routes_of(HEAD + "language: en\n")
        assert [route.id for route in russian.values() if route.task] == ["conditional_refusal", "long_warm_up"]
        asked, told = russian["conditional_refusal"].task, english["conditional_refusal"].task
        assert asked is not None
        assert told is not None
        assert "«Итог квалификации»" in asked.text
        assert "“Qualification result”" in told.text
        assert (asked.assignee, asked.due) == (told.assignee, told.due) == ("owner", timedelta(days=1))

    def test_the_field_and_the_reasons_have_the_keys_that_the_schema_knows(self) -> None:
        assert [key for key, _, _ in ANSWERS] == list(get_args(Answer))
        assert [key for key, _, _ in LOSS_REASONS] == list(get_args(LossReason))


class TestOverriding:
    def test_off_removes_a_route_of_the_preset(self) -> None:
        assert "not_ready" not in routes_of(with_routes("not_ready: off"))

    def test_a_route_of_the_preset_keeps_what_the_file_does_not_name(self) -> None:
        route = routes_of(with_routes("qualified: {move: main.contact}"))["qualified"]
        assert route.to == Place("main", "contact")
        assert [short(each) for each in route.when] == ["exchange.qualified", "exchange?qualified"]

    def test_another_action_takes_the_place_of_the_preset_s_with_its_then(self) -> None:
        routes = routes_of(with_routes("won: {move: aftercare}", "repeat_sale: {move: main}"))
        assert (routes["won"].kind, routes["won"].to) == (Kind.MOVE, Place("aftercare", "new_client"))
        assert (routes["repeat_sale"].kind, routes["repeat_sale"].then) == (Kind.MOVE, None)

    def test_the_place_for_the_copied_lead_alone_can_be_another(self) -> None:
        route = routes_of(with_routes("repeat_sale: {then: aftercare.at_risk}"))["repeat_sale"]
        assert (route.kind, route.to, route.then) == (
            Kind.COPY,
            Place("main", "received"),
            Place("aftercare", "at_risk"),
        )

    def test_of_a_task_single_keys_can_be_others(self) -> None:
        text = with_routes("long_warm_up: {task: {due: 3d}}", "conditional_refusal: {task: {for: head}}")
        routes = routes_of(text + "head: head@oknaplus.example\n")
        long, refusal = routes["long_warm_up"].task, routes["conditional_refusal"].task
        assert long is not None
        assert refusal is not None
        assert (long.assignee, long.due) == ("marketing", timedelta(days=3))
        assert "на прогреве" in long.text
        assert (refusal.assignee, refusal.due) == ("head", timedelta(days=1))

    def test_an_action_goes_together_with_the_task_of_the_preset(self) -> None:
        route = routes_of(with_routes("long_warm_up: {close: no_answer, when: {in: warm_up, after: 90d}}"))[
            "long_warm_up"
        ]
        assert (route.kind, route.reason, route.when[0].after) == (Kind.CLOSE, "no_answer", timedelta(days=90))
        assert route.task is not None

    def test_routes_of_the_firm_come_after_the_preset_s(self) -> None:
        text = with_routes(
            "thinking: {when: {stage: main.offer, after: 1d12h}, task: {text: Позвонить, due: 90m}}",
            "vip: {when: [{in: exchange, after: 90d}, {stage: aftercare.at_risk, after: 5m}], merge: true}",
        )
        *_, thinking, vip = load(text).routes
        assert thinking == Route(
            "thinking",
            (on("main.offer", after=timedelta(days=1, hours=12)),),
            Kind.TASK,
            task=RouteTask("owner", "Позвонить", timedelta(minutes=90)),
        )
        assert vip.kind is Kind.MERGE

    def test_what_the_firm_s_own_pipelines_do_not_have_is_left_out_of_the_preset_and_said(self) -> None:
        text = HEAD + "pipelines:\n  exchange:\n    stages: {new: Новый}\n  main:\n    stages: {call: Звонок}\n"
        file = load(text)
        routes = {route.id: route for route in file.routes}
        assert [short(trigger) for trigger in routes["qualified"].when] == ["exchange?qualified"]
        assert routes["qualified"].to == Place("main", "call")
        assert not {"conditional_refusal", "refused_not_target", "not_ready"} & routes.keys()
        notice = next(notice for notice in file.notices if notice.value == "has no conditional_refusal")
        assert (notice.where, notice.line) == ("pipelines.main.stages", 10)
        assert "left out: conditional_refusal, refused_not_target, refused_in_conversation, refused_no" in notice.remedy

    def test_a_target_of_the_preset_that_the_firm_does_not_have_leaves_the_route_out(self) -> None:
        file = load(HEAD + "pipelines: {aftercare: {stages: {first: Первый, offer: Допродажа}}}\n")
        assert "repeat_sale" not in {route.id for route in file.routes}
        assert [notice.value for notice in file.notices] == ["has no in_care"]

    def test_a_route_that_the_file_changes_must_have_something_that_starts_it(self) -> None:
        text = with_routes("not_ready: {move: main.call}", more="pipelines: {main: {stages: {call: Звонок}}}\n")
        finding = only_finding(text)
        assert (finding.where, finding.line) == ("routes.not_ready", FIRST)
        assert "add when:" in finding.remedy

    def test_a_task_for_somebody_who_is_not_named_is_noticed(self) -> None:
        text = with_routes("x: {when: {stage: main.offer, after: 9d}, task: {for: head, text: Проверить}}")
        (notice,) = load(text).notices
        assert (notice.where, notice.line, notice.value) == ("routes.x.task", FIRST, "for head")
        assert load(text + "head: head@oknaplus.example\n").notices == ()

    def test_a_stage_whose_route_is_off_is_noticed(self) -> None:
        (notice,) = load(with_routes("not_ready: off")).notices
        assert (notice.where, notice.line) == ("routes.not_ready", FIRST)
        assert "cards in main.not_ready stay there" in notice.remedy
        assert load(with_routes("not_ready: off", "x: {when: {stage: main.not_ready}, close: no_need}")).notices == ()

    def test_head_and_marketing_must_be_users_like_everybody(self) -> None:
        file = load(HEAD + "head: head@oknaplus.example\nmarketing: maria@oknaplus.example\n")
        assert file.people == {
            "head@oknaplus.example": 6,
            "maria@oknaplus.example": 7,
            "anna@oknaplus.example": 5,
        }

    @pytest.mark.parametrize(("more", "country"), [("", "RU"), ("country: kz\n", "KZ"), ("language: en\n", "ZZ")])
    def test_phones_are_from_the_country_of_the_file_or_of_its_language(self, more: str, country: str) -> None:
        file = load(HEAD + more)
        assert file.country == country
        assert [notice.where for notice in file.notices] == (["country"] if country == "ZZ" else [])


class TestMistakes:
    @pytest.mark.parametrize(
        ("route", "where", "value", "remedy"),
        [
            # what is written
            ("x:", "x", "is empty", "write off, or"),
            ("won: false", "won", "False", "write off, or"),
            ("won: of", "won", "'of'", "`key: value` lines"),
            ("wonn: off", "wonn", "is no route", "did you mean won?"),
            ("'a b': off", "a b", "'a b'", "letters, digits"),
            ("won: {mov: aftercare}", "won.mov", "is not known", "did you mean move?"),
            ("won: {copy_to: aftercare}", "won.copy_to", "is not known", "did you mean copy?"),
            ("won: {then: }", "won.then", "is empty", "write a value, or remove the key"),
            ("won: {when: []}", "won.when", "is empty", "to switch the route off write won: off"),
            ("x: {when: [], close: spam}", "x.when", "is empty", "name what starts it, such as {stage: main.offer"),
            ("won: {merge: false}", "won.merge", "False", "write true, or remove the key"),
            ("won: {close: not_targt}", "won.close", "'not_targt'", "did you mean not_target?"),
            # triggers
            ("won: {when: main.won}", "won.when", "'main.won'", "{stage: main.offer}"),
            ("won: {when: {stage: mian.won}}", "won.when.stage", "'mian.won'", "did you mean main?"),
            ("won: {when: {stage: main.offr}}", "won.when.stage", "'main.offr'", "did you mean offer?"),
            ("won: {when: [{stage: main.won}, {stage: main.x}]}", "won.when[2].stage", "'main.x'", "write one of: rec"),
            ("won: {when: {stage: main}}", "won.when.stage", "'main'", "in: main for the whole pipeline"),
            ("won: {when: {stage: exchange.unsorted}}", "won.when.stage", "'exchange.unsorted'", "people accept"),
            ("won: {when: {in: min, answer: qualified}}", "won.when.in", "'min'", "did you mean main?"),
            ("won: {when: {in: main, stage: main.won}}", "won.when", "has stage and in", "name a stage"),
            ("won: {when: {after: 3d}}", "won.when", "names no stage", "name a stage"),
            ("won: {when: {in: main}}", "won.when", "all of main, at once", "add answer: or after:"),
            ("won: {when: {in: main, anser: qualified}}", "won.when.anser", "is not known", "did you mean answer?"),
            ("won: {when: {in: main, answer: yes}}", "won.when.answer", "'yes'", "write one of: not_target, in_"),
            ("won: {when: {stage: main.offer, after: 0d}}", "won.when.after", "'0d'", "above 0"),
            ("won: {when: {stage: main.offer, after: 14}}", "won.when.after", "14", "such as 30d"),
            ("won: {when: {stage: main.offer, after: 999d}}", "won.when.after", "'999d'", "two years at most"),
            ("won: {when: {stage: main.won, after: 3d}}", "won.when", "after: in main.won", "not watched"),
            ("won: {when: {stage: main.lost, answer: qualified}}", "won.when", "answer: in main.lost", "leave answer"),
            ("x: {when: {in: aftercare, answer: qualified}, move: main}", "x.when", "answer: in aftercare", "stage"),
            (
                "won: {when: [{stage: main.won}, {stage: main.won}]}",
                "won.when",
                "names a trigger twice",
                "keep one",
            ),
            (
                "not_ready: {when: [{stage: main.offer}, {stage: main.offer, after: 3d}]}",
                "not_ready.when",
                "has a trigger that never comes about: another one is faster",
                "keep the faster",
            ),
            # actions
            ("won: {move: main, close: spam}", "won", "has move and close", "keep one of them"),
            ("x: {when: {stage: main.offer}}", "x", "does nothing", "add one of move, close, merge, copy, or a task"),
            ("x: {move: main}", "x", "has no when", "say what starts it"),
            ("qualified: {then: main.offer}", "qualified.then", "'main.offer'", "goes with copy only"),
            ("won: {copy: aftrcare}", "won.copy", "'aftrcare'", "did you mean aftercare?"),
            ("won: {copy: aftercare.newclient}", "won.copy", "'aftercare.newclient'", "did you mean new_client?"),
            ("won: {copy: aftercare.won}", "won.copy", "'aftercare.won'", "not closed"),
            ("won: {copy: aftercare.unsorted}", "won.copy", "'aftercare.unsorted'", "people accept"),
            ("won: {then: main.lost}", "won.then", "'main.lost'", "with close:"),
            ("not_ready: {move: main.lost}", "not_ready.move", "'main.lost'", "with close:"),
            ("not_ready: {move: back}", "not_ready.move", "'back'", "only a lead in warm_up"),
            ("repeat_sale: {copy: aftercare.at_risk}", "repeat_sale.copy", "'aftercare.at_risk'", "another pipeline"),
            ("won: {close: spam, when: {stage: main.won}}", "won.close", "the lead is closed already", "move or copy"),
            ("won: {merge: true, when: {stage: main.won}}", "won.merge", "the lead is closed already", "move or copy"),
            # its own trigger
            ("not_ready: {move: main.not_ready}", "not_ready", "its target is its own trigger", "choose a target"),
            ("repeat_sale: {then: aftercare.offer}", "repeat_sale", "its target is its own trigger", "choose a"),
            (
                "x: {when: {in: main, after: 9d}, move: main.offer}",
                "x",
                "its target is its own trigger",
                "where it does not hold",
            ),
            # tasks
            ("x: {when: {stage: main.offer}, task: {for: owner}}", "x.task", "has no text", "add text:"),
            ("x: {when: {stage: main.offer}, task: {text: ''}}", "x.task.text", "is empty", "write a text"),
            ("x: {when: {stage: main.offer}, task: {text: '  '}}", "x.task.text", "'  '", "write a text"),
            ("x: {when: {stage: main.offer}, task: {text: 7}}", "x.task.text", "7", "in quotes"),
            (
                "x: {when: {in: main, after: 9d}, task: {text: a, б в}}",
                "x.task.б в",
                "is not known",
                "a comma in quotes",
            ),
            ("x: {when: {stage: main.offer}, task: Позвонить}", "x.task", "'Позвонить'", "`key: value` lines"),
            ("x: {when: {stage: main.offer}, task: {text: a, due: 0m}}", "x.task.due", "'0m'", "above 0"),
            ("x: {when: {stage: main.offer}, task: {text: a, for: boss}}", "x.task.for", "'boss'", "owner, head"),
            # two routes
            (
                "x: {when: {stage: exchange.qualified}, task: {text: a}}",
                "x.when",
                "exchange.qualified",
                "qualified has this trigger too: a lead can go one way only, change one of them, or switch that one "
                "off with `qualified: off`",
            ),
            (
                "x: {when: {stage: main.not_ready, after: 3d}, task: {text: a}}",
                "x.when",
                "its trigger in main.not_ready never comes about: not_ready has taken the lead away by then",
                "change the trigger of x or of not_ready",
            ),
            (
                "x: {when: {stage: exchange.qualified, answer: not_target}, close: spam}",
                "x.when",
                "its trigger in exchange.qualified never comes about: qualified has taken the lead away by then",
                "change the trigger",
            ),
            # the whole
            (
                "x: {when: {stage: exchange.new}, move: main}",
                "x.when",
                "starts in exchange.new",
                "gone at once: put another stage of exchange first",
            ),
            (
                "x: {when: {in: warm_up, after: 60d}, move: back}\n"
                "  y: {when: {stage: main.received, after: 9d}, move: warm_up}",
                "x",
                "the routes x, y go round in a circle: warm_up.to_warm → main.received → warm_up.to_warm",
                "nobody stands between: let x set a task",
            ),
            (
                "warmed: {move: warm_up.to_warm}\n"
                "  x: {when: {stage: warm_up.to_warm, after: 9d}, move: warm_up.warmed}\n"
                "  y: {when: {in: warm_up, answer: qualified}, move: main}",
                "warmed",
                "the routes warmed, x go round in a circle: warm_up.warmed → warm_up.to_warm → warm_up.warmed",
                "set a task",
            ),
            (
                "x: {when: {stage: main.lost}, copy: aftercare.at_risk}\n"
                "  y: {when: {stage: aftercare.at_risk}, copy: main.x}",
                "y.copy",
                "'main.x'",
                "main has no such stage",
            ),
        ],
    )
    def test_a_mistake_is_named_with_line_value_and_remedy(
        self, route: str, where: str, value: str, remedy: str
    ) -> None:
        finding = only_finding(with_routes(route))
        assert (finding.where, finding.value) == (f"routes.{where}", value)
        assert remedy in finding.remedy
        lines = with_routes(route).splitlines()
        name = where.partition(".")[0].partition("[")[0]
        assert finding.line is not None
        assert lines[finding.line - 1].strip().removeprefix("'").startswith(name)

    def test_a_text_of_a_task_has_as_many_characters_as_amocrm_takes(self) -> None:
        route = "x: {{when: {{stage: main.offer}}, task: {{text: {}}}}}"
        load(with_routes(route.format("я" * 1000)))
        assert only_finding(with_routes(route.format("я" * 1001))).remedy == "shorten it to 1000 characters"

    def test_the_line_is_the_one_in_which_the_mistake_stands(self) -> None:
        text = with_routes(
            "x:", "  when:", "    stage: main.offr", "  task:", "    text: a", "y:", "  when:", "    - in: main"
        ).replace("in: main", "in: main\n        answer: qualified\n      - stage: main.xxx\n    close: spam")
        assert [(finding.where, finding.line) for finding in findings(text)] == [
            ("routes.x.when.stage", 9),
            ("routes.y.when[2].stage", 16),
        ]

    def test_two_routes_of_the_firm_for_one_trigger_are_both_named(self) -> None:
        route = "{when: {stage: main.offer, after: 3d}, task: {text: a}}"
        finding = only_finding(with_routes(f"one: {route}", f"two: {route}"))
        assert (finding.where, finding.line, finding.value) == ("routes.two.when", FIRST + 1, "main.offer")
        assert finding.remedy.startswith("one has this trigger too")

    def test_a_pipeline_that_no_lead_can_reach_is_named(self) -> None:
        finding = only_finding(with_routes("not_target: {close: spam}", "won: off"))
        assert (finding.where, finding.line) == ("routes.won", FIRST + 1)
        assert finding.value == "is off; nothing brings won leads to aftercare any more: aftercare is unreachable"
        assert "take that back, or add a route that leads there, such as won: {when: {stage: main.won" in finding.remedy
        assert load(with_routes("won: off", more="distribute: {pipelines: [exchange, aftercare]}\n"))

    def test_what_only_a_pipeline_that_nobody_reaches_leads_to_is_not_reached_either(self) -> None:
        # not_ready leads from main to warm-up, but nobody comes to main
        off = [f"{name}: off" for name in ("qualified", "no_information", "repeat_sale")]
        found = findings(with_routes(*off))
        assert [(finding.where, finding.line) for finding in found] == [
            ("routes.qualified", FIRST),
            ("routes.no_information", FIRST + 1),
        ]
        assert found[0].value.startswith("is off, repeat_sale as well; nothing brings qualified leads to main any more")

    def test_a_way_that_the_file_has_changed_is_shown_where_it_is_changed(self) -> None:
        finding = only_finding(with_routes("won:", "  move: main.agreement"))
        assert (finding.where, finding.line) == ("routes.won", FIRST)
        assert finding.value.startswith("is changed; nothing brings won leads to aftercare any more")

    def test_a_way_that_is_missing_for_the_firm_s_own_stages_is_shown_at_them(self) -> None:
        stages = "exchange: {stages: {new: Новый}}, main: {stages: {call: Звонок}}, aftercare: {stages: {in_care: Он}}"
        finding = only_finding(f"{HEAD}pipelines: {{{stages}}}\nroutes: {{no_information: {{close: spam}}}}\n")
        assert (finding.where, finding.line) == ("routes.no_information", 7)
        arrivals = "distribute: {pipelines: [exchange, warm_up]}\n"
        text = HEAD + arrivals + "pipelines:\n  warm_up:\n    stages: {cold: Холодные}\n"
        assert [(finding.where, finding.line) for finding in findings(text)] == [("pipelines.warm_up", 8)]

    def test_back_opens_no_new_way(self) -> None:
        # leads arrive in main alone: who comes back from warm-up comes back there
        off = [f"{name}: off" for name in ("not_target", "in_conversation", "no_information", "qualified")]
        assert load(with_routes(*off, more="distribute: {pipelines: [main]}\n"))

    def test_back_leads_those_who_began_in_warm_up_to_the_exchange(self) -> None:
        more = "distribute: {pipelines: [warm_up]}\n"
        assert load(HEAD + more)
        off = [f"{name}: off" for name in ("not_target", "in_conversation", "no_information", "qualified")]
        assert "leads come to exchange and no route leads out" in only_finding(with_routes(*off, more=more)).value

    def test_a_pipeline_that_leads_enter_and_none_leaves_is_named(self) -> None:
        finding = only_finding(with_routes("warmed: off"))
        assert (finding.where, finding.line) == ("routes.warmed", FIRST)
        assert finding.value == "is off; leads come to warm_up and no route leads out"
        assert "warmed: {when: {stage: warm_up.<stage>}, move: back}" in finding.remedy

    def test_own_stages_without_a_way_out_are_shown_where_they_stand(self) -> None:
        text = HEAD + "pipelines:\n  warm_up:\n    stages: {cold: Холодные}\n"
        assert only_finding(text).line == 7

    def test_moving_about_within_the_pipeline_is_no_way_out(self) -> None:
        route = "warmed: {move: warm_up.warming}"
        assert only_finding(with_routes(route)).where == "routes.warmed"

    @pytest.mark.parametrize(
        "routes",
        [
            ["x: {when: {in: warm_up, after: 60d}, move: back}"],
            ["x: {when: {stage: main.received, after: 9d}, task: {text: Забыли}}"],
            ["x: {when: {stage: main.received, answer: no_information}, move: warm_up}"],
            ["x: {when: {in: main, answer: qualified}, move: main.contact}"],
            ["x: {when: {stage: main.payment, after: 9d}, move: main.won}"],
            ["x: {when: {stage: main.lost}, copy: warm_up}"],
            ["won: {move: aftercare}"],
            ["won: {then: main.agreement}"],
            [
                "x: {when: {stage: main.offer, after: 9d}, task: {text: a}}",
                "y: {when: {stage: main.offer, after: 30d}, move: warm_up}",
            ],
            [
                "x: {when: {stage: main.payment}, copy: aftercare}",
                "y: {when: {stage: main.payment, after: 9d}, task: {text: a}}",
            ],
        ],
    )
    def test_what_a_careful_owner_may_want_is_right(self, routes: list[str]) -> None:
        load(with_routes(*routes))

    def test_a_circle_through_a_copy_is_one_too(self) -> None:
        text = with_routes(
            "again: {when: {stage: aftercare.new_client, after: 90d}, copy: main.payment, then: aftercare.in_care}",
            "paid: {when: {stage: main.payment, after: 1d}, move: main.won}",
        )
        (finding,) = findings(text)
        assert "aftercare.new_client → main.payment → main.won → aftercare.new_client" in finding.value
        assert (finding.where, finding.line) == ("routes.again", FIRST)

    def test_a_circle_of_the_copied_lead_itself_is_one_too(self) -> None:
        finding = only_finding(with_routes("x: {when: {stage: aftercare.in_care, after: 90d}, move: aftercare.offer}"))
        assert "aftercare.in_care → aftercare.offer → aftercare.in_care" in finding.value

    def test_a_circle_through_a_closed_stage_is_one_too(self) -> None:
        text = with_routes(
            "x: {when: {stage: main.payment, after: 9d}, close: no_answer}",
            "y: {when: {stage: main.lost}, move: main.payment}",
        )
        assert "main.payment → main.lost → main.payment" in only_finding(text).value

    def test_a_circle_is_told_once_however_many_stages_begin_it(self) -> None:
        text = with_routes(
            "cold: {when: {in: main, after: 30d}, move: warm_up}",
            "warm: {when: {in: warm_up, after: 30d}, move: back}",
            "long_warm_up: off",
        )
        assert len({finding.value for finding in findings(text)}) == len(findings(text))

    def test_a_circle_that_a_lead_from_elsewhere_cannot_go_is_none(self) -> None:
        # whoever comes to warm-up from main goes back to main, where nothing happens by itself
        text = with_routes(
            "x: {when: {in: warm_up, after: 60d}, move: back}",
            "y: {when: {stage: exchange.new, after: 9d}, move: main.offer}",
            "z: {when: {stage: main.offer, after: 9d}, move: warm_up}",
        )
        assert load(text)

    def test_all_mistakes_are_found_in_one_go_in_the_order_of_the_file(self) -> None:
        text = with_routes(
            "won: {move: mian}",
            "warmed: {close: spm}",
            "x: {when: {stage: main.offer, after: 0d}, task: {text: a}}",
            "y: {when: {stage: main.not_ready}, move: warm_up}",
            more="hop_limit: 0\ncountry: Россия\n",
        )
        assert [finding.line for finding in findings(text)] == [7, 8, 9, 10, 11, 12]

    def test_all_mistakes_of_one_route_are_found_in_one_go(self) -> None:
        text = with_routes(
            "x:",
            "  when:",
            "    - {stage: mian.offer}",
            "    - {stage: main.won, after: 3d}",
            "    - {stage: main.offer, after: 0d}",
            "    - {in: main}",
            "  copy: aftercar",
            "  then: main.offr",
            "  close: spm",
            "  task: {text: ''}",
            "y:",
            "  when: {in: main, stage: main.offr}",
            "  move: mian",
            "  close: spam",
            "z: {mov: main, then: main.contact}",
        )
        assert [(finding.line, finding.where.partition(".")[2], finding.value) for finding in findings(text)] == [
            (8, "x.when", "after: in main.won"),
            (8, "x.when", "all of main, at once"),
            (9, "x.when[1].stage", "'mian.offer'"),
            (11, "x.when[3].after", "'0d'"),
            (13, "x.copy", "'aftercar'"),
            (14, "x.then", "'main.offr'"),
            (15, "x.close", "'spm'"),
            (16, "x.task.text", "is empty"),
            (17, "y", "has move and close"),
            (18, "y.when", "has stage and in"),
            (18, "y.when.stage", "'main.offr'"),
            (19, "y.move", "'mian'"),
            (21, "z.mov", "is not known"),
        ]

    def test_a_mistake_elsewhere_hides_none_of_the_routes(self) -> None:
        text = with_routes("won: off", "x: {when: {stage: main.offer}, move: mian}", more="head: nobody\nmerging: on\n")
        assert [finding.line for finding in findings(text)] == [FIRST + 1, FIRST + 2, FIRST + 3]
        wrong_country = with_routes("won: off", more="country: Россия\n")
        assert [finding.line for finding in findings(wrong_country)] == [FIRST, FIRST + 1]

    def test_what_a_wrong_part_would_have_been_is_not_missed(self) -> None:
        assert only_finding(with_routes("x: {wen: {stage: main.offer}, move: main}")).where == "routes.x.wen"
        assert only_finding(with_routes("x: {when: {stage: main.offer}, mov: main}")).where == "routes.x.mov"
        assert only_finding(with_routes("repeat_sale: {copy: 7, then: aftercare.at_risk}")).where.endswith(".copy")
        taken = "x: {when: {stage: exchange.qualified}, close: spam}"
        assert only_finding(with_routes("qualified: {when: {stage: 7}}", taken)).where == "routes.qualified.when.stage"
        assert only_finding(with_routes("qualified: of", taken)).where == "routes.qualified"

    def test_a_route_of_the_file_that_is_faster_than_one_of_the_preset_is_shown_at_its_own_line(self) -> None:
        early = "x: {when: {in: warm_up, after: 1d}, move: back}"
        finding = only_finding(with_routes("not_ready: {move: warm_up}", early))
        assert (finding.where, finding.line) == ("routes.x.when", FIRST + 1)
        assert finding.value == "takes the lead away before long_warm_up begins in warm_up"
        assert finding.remedy.endswith("or switch that one off with `long_warm_up: off`")

    def test_stages_that_make_a_route_of_the_preset_wrong_are_shown_at_their_own_line(self) -> None:
        stages = "pipelines:\n  exchange:\n    stages: {qualified: Да, new: Новый}\n"
        finding = only_finding(with_routes("won: {then: main.agreement}", more=stages))
        assert (finding.where, finding.line) == ("pipelines.exchange.stages", 10)
        assert finding.value == "begin with qualified, where qualified starts"
        stages = "pipelines:\n  main:\n    stages: {conditional_refusal: Отказ, offer: Да}\n"
        finding = only_finding(with_routes("won: {then: main.offer}", more=stages))
        assert (finding.where, finding.line) == ("routes.refused_qualified", 8)

    def test_every_trigger_that_two_routes_share_is_named(self) -> None:
        route = "{when: [{stage: main.offer, after: 3d}, {stage: main.contact, after: 3d}], task: {text: a}}"
        assert only_finding(with_routes(f"one: {route}", f"two: {route}")).value == "main.offer, main.contact"

    def test_where_a_route_is_wrong_nothing_is_said_of_missing_ways(self) -> None:
        assert only_finding(with_routes("won: {copy: aftercar}")).where == "routes.won.copy"
        assert only_finding(with_routes("won: {copy: 7}")).where == "routes.won.copy"

    @given(st.text(alphabet="abx.:,-{}[]' \n", max_size=40))
    def test_no_text_as_a_route_does_anything_but_load_or_be_found_wrong(self, text: str) -> None:
        try:
            load(with_routes("won: {when: {stage: " + text + "}}"))
        except DepartmentInvalid as error:
            assert all(finding.remedy for finding in error.findings)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["exchange.new", "main.offer", "main.won", "warm_up.warming", "aftercare.offer"]),
                st.sampled_from(["", ", after: 3d", ", answer: qualified"]),
                st.sampled_from(
                    ["move: main", "move: warm_up.to_warm", "copy: aftercare", "close: spam", "move: back"]
                ),
            ),
            max_size=5,
        )
    )
    def test_a_machine_that_is_let_through_comes_to_rest_by_itself(self, drawn: list[tuple[str, str, str]]) -> None:
        routes = [f"r{at}: {{when: {{stage: {where}{more}}}, {does}}}" for at, (where, more, does) in enumerate(drawn)]
        try:
            file = load(with_routes(*routes, "long_warm_up: off"))
        except DepartmentInvalid:
            return
        for role, stages in {plan.role: plan.stages for plan in file.pipelines}.items():
            for stage in stages:
                assert at_rest(file, Place(role, stage.key))


def at_rest(file: DepartmentFile, start: Place) -> bool:
    """Play a lead that nobody touches, for longer than there are places: it and its copies must stop."""
    standing = [(start, role) for role in ("exchange", "main")]
    entries = {plan.role: Place(plan.role, plan.stages[0].key) for plan in file.pipelines}
    for _ in range(40):
        moved: list[tuple[Place, str]] = []
        for place, came_from in standing:
            here = place.role if place.role in ("exchange", "main") else came_from
            for route in file.routes:
                if any(t.answer is None and (t.role, t.stage) == place for t in route.when):
                    if route.kind is Kind.BACK:
                        moved.append((entries[came_from], came_from))
                    elif route.kind in (Kind.CLOSE, Kind.MERGE):
                        moved.append((Place(place.role, "lost"), here))
                    else:
                        moved += [(target, here) for target in (route.to, route.then) if target]
        standing = list(dict.fromkeys(moved))
    return not standing
