"""What `conveyor plan --against` sees: everything that apply would do, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from moto import mock_aws

from functions.shared.errors import DepartmentInvalid
from infra.department.apply import STEPS, apply
from infra.department.changes import Change, Mark
from infra.department.drift import is_something
from infra.department.file import load
from infra.local.amocrm_simulator.model import Pipeline, Status
from infra.local.amocrm_simulator.world import World
from tests.installation import HOOKS, TEXT, Installation, install

MEETINGS = """
meetings:
  standups: [{team: lead_desk, at: "Mon-Fri 09:15", record: true}]
  client_calls: {zone_field: Часовой пояс, stage: main.offer, field: Дата встречи}
"""
GYM = "\naftercare: {preset: gym, feeds: {turnstile: {delivers: [visit.attended], lag: 2h}}}\n"
EVERYTHING = TEXT + MEETINGS + GYM


@pytest.fixture
def installation() -> Iterator[Installation]:
    with mock_aws():
        yield install()


@pytest.fixture
def applied(installation: Installation) -> Installation:
    installation.apply()
    return installation


def told(lines: list[Change]) -> list[str]:
    """What would be done, as it is printed."""
    return [f"{line.mark} {line.what}" for line in lines if is_something(line)]


def pipeline(world: World, name: str) -> Pipeline:
    return next(each for each in world.pipelines.values() if each.name == name)


def restage(world: World, of: str, change: Callable[[Status], Status | None]) -> None:
    """As a person edits the stages of a pipeline on the screen."""
    found = pipeline(world, of)
    statuses = tuple(new for status in found.statuses if (new := change(status)) is not None)
    world.pipelines[found.id] = replace(found, statuses=statuses)


def rename(world: World, of: str, stage: str, name: str) -> int:
    """The id of the stage that was renamed."""
    restage(world, of, lambda status: replace(status, name=name) if status.name == stage else status)
    return next(status.id for status in pipeline(world, of).statuses if status.name == name)


class TestAnEmptyAccount:
    def test_everything_is_to_be_created(self, installation: Installation) -> None:
        lines = told(installation.plan(text=EVERYTHING))
        assert lines[0] == "+ pipeline «Биржа лидов», with «Неразобранное»"
        assert re.fullmatch(r"\+   stage «Новый лид» #[0-9a-f]{6}", lines[1])
        assert {line[0] for line in lines} == {"+"}
        assert "+ loss reason «Дубль»" in lines
        assert "+ field of leads «Итог квалификации» (select)" in lines
        assert any(line.startswith("+ webhook /leads: add_lead") for line in lines)
        assert "+ department «Окна Плюс», version 1" in lines
        assert "+ rule missed-3-trainings" in lines
        assert lines[-1] == "+ stand-up «Планёрка» of lead_desk, Mon-Fri 09:15 Europe/Moscow, 15 min, recorded"

    def test_what_the_plan_names_is_what_apply_does_and_then_there_is_nothing_to_do(
        self, installation: Installation
    ) -> None:
        planned = {line.done for line in installation.plan(text=EVERYTHING) if line.done}
        made = set(installation.apply(text=EVERYTHING).changes)
        assert planned <= made
        assert made - planned == {
            "stored version 1 of the department",
            "published version 1 of the rules of aftercare",
        }
        assert told(installation.plan(text=EVERYTHING)) == []

    def test_it_reads_and_writes_nothing(self, installation: Installation) -> None:
        installation.plan(text=EVERYTHING)
        installation.apply(text=EVERYTHING)
        before = len(installation.world.requests.log)
        installation.plan(text=EVERYTHING)
        asked = list(installation.world.requests.log)[before:]
        assert asked and {request.method for request in asked} == {"GET"}

    def test_a_plan_of_an_empty_account_writes_nothing_either(self, installation: Installation) -> None:
        installation.plan(text=EVERYTHING)
        assert {request.method for request in installation.world.requests.log} == {"GET"}
        assert installation.departments.newest_version() == 0
        assert installation.books.current().version == 0


class TestAChangeByHand:
    def test_a_stage_that_was_renamed_is_found_again_and_no_second_one_is_made(self, applied: Installation) -> None:
        world, before = applied.world, applied.departments.current()
        id_ = rename(world, "Основная воронка", "Предложение отправлено", "КП отправлено")

        lines = applied.plan()

        said = "  stage «КП отправлено» #87f2c0, renamed in amoCRM, which stays (the file: «Предложение отправлено»)"
        assert any(re.sub("#[0-9a-f]{6}", "#87f2c0", line.what) == said for line in lines)
        assert told(lines) == [
            "~ department «Окна Плюс»: version 2",
            "~   names.main.offer: Предложение отправлено → КП отправлено",
        ]
        wire = applied.wire()
        after = applied.apply(wire).department
        assert wire.writes == []
        assert after.pipelines == before.pipelines
        assert after.pipeline_of("main").stages["offer"] == id_
        assert after.called("main.offer") == "КП отправлено"
        assert told(applied.plan()) == []

    def test_a_name_that_a_person_gave_outlives_many_applies(self, applied: Installation) -> None:
        rename(applied.world, "Основная воронка", "Предложение отправлено", "КП")
        for max_open in (50, 60, 70):
            applied.apply(text=TEXT.replace("max_open: 40", f"max_open: {max_open}"))
        names = [status.name for status in pipeline(applied.world, "Основная воронка").statuses]
        assert "КП" in names and "Предложение отправлено" not in names

    def test_two_stages_that_change_names_stay_what_they_are(self, applied: Installation) -> None:
        swap = {"Согласование": "Договор и оплата", "Договор и оплата": "Согласование"}
        before = applied.departments.current().pipelines
        restage(
            applied.world, "Основная воронка", lambda status: replace(status, name=swap.get(status.name, status.name))
        )
        assert applied.apply().department.pipelines == before

    def test_the_old_name_given_to_another_stage_makes_it_no_stage_of_ours(self, applied: Installation) -> None:
        world = applied.world
        id_ = rename(world, "Основная воронка", "Согласование", "Согласование 2")
        found = pipeline(world, "Основная воронка")
        fresh = Status(world.ids("status"), "Согласование", 500, "#fffeb2")
        world.pipelines[found.id] = replace(found, statuses=(*found.statuses, fresh))
        assert applied.apply().department.pipeline_of("main").stages["agreement"] == id_

    def test_a_pipeline_that_was_renamed_is_found_again(self, applied: Installation) -> None:
        world = applied.world
        found = pipeline(world, "Прогрев")
        world.pipelines[found.id] = replace(found, name="Тёплая база")
        assert "~   pipelines.warm_up.name: Прогрев → Тёплая база" in told(applied.plan())
        wire = applied.wire()
        assert applied.apply(wire).department.pipeline_of("warm_up").name == "Тёплая база"
        assert wire.writes == []
        assert told(applied.plan()) == []

    def test_a_loss_reason_and_a_field_that_were_renamed_are_found_again(self, applied: Installation) -> None:
        world, department = applied.world, applied.departments.current()
        reason = world.loss_reasons[department.loss_reasons["expensive"]]
        world.loss_reasons[reason.id] = replace(reason, name="Дорого для клиента")
        field = world.custom_fields[department.answer_field]
        enums = tuple(replace(enum, value=f"{enum.value}!") for enum in field.enums)
        world.custom_fields[field.id] = replace(field, name="Итог", enums=enums)
        wire = applied.wire()
        after = applied.apply(wire).department
        assert wire.writes == []
        assert (after.answer_field, after.answers) == (department.answer_field, department.answers)
        assert after.loss_reasons == department.loss_reasons
        assert after.called("reason.expensive") == "Дорого для клиента"
        assert after.called("answer.qualified") == "Квалифицирован!"
        assert told(applied.plan()) == []

    def test_a_stage_that_was_deleted_is_made_again(self, applied: Installation) -> None:
        restage(applied.world, "Прогрев", lambda status: None if status.name == "Прогрет" else status)
        lines = told(applied.plan())
        assert re.fullmatch(r"\+   stage «Прогрет» #[0-9a-f]{6}", lines[0])
        assert lines[1:] == ["~ department «Окна Плюс»: version 2, with the above"]
        applied.apply()
        assert told(applied.plan()) == []

    def test_a_webhook_that_was_deleted_or_switched_off_or_listens_to_other_things(self, applied: Installation) -> None:
        hooks = applied.world.webhooks
        of = {hook.destination.rpartition("/")[2]: hook for hook in hooks.values()}
        del hooks[of["leads"].id]
        hooks[of["stages"].id] = replace(of["stages"], disabled=True)
        hooks[of["clients"].id] = replace(of["clients"], settings=(*of["clients"].settings[1:], "add_company"))
        assert told(applied.plan()) == [
            "+ webhook /leads: add_lead add_unsorted delete_unsorted delete_lead restore_lead",
            "~ webhook /stages: amoCRM has switched it off",
            "~ webhook /clients: is not told of add_contact, is told besides of add_company",
        ]
        applied.apply()
        assert told(applied.plan()) == []

    def test_a_loss_reason_that_was_deleted(self, applied: Installation) -> None:
        world = applied.world
        del world.loss_reasons[applied.departments.current().loss_reasons["duplicate"]]
        assert told(applied.plan())[0] == "+ loss reason «Дубль»"
        applied.apply()
        assert told(applied.plan()) == []

    def test_a_field_of_another_type_is_named_with_its_remedy(self, applied: Installation) -> None:
        world, department = applied.world, applied.departments.current()
        field = world.custom_fields[department.origin_field]
        world.custom_fields[field.id] = replace(field, type="text")
        with pytest.raises(DepartmentInvalid, match="'Исходная сделка' is of type text — rename or delete this field"):
            applied.plan()

    def test_a_colour_is_the_firm_s(self, applied: Installation) -> None:
        restage(
            applied.world, "Прогрев", lambda each: replace(each, color="#f2f3f4") if each.name == "Прогрет" else each
        )
        lines = applied.plan()
        (line,) = [line for line in lines if "«Прогрет»" in line.what]
        assert line.mark is Mark.SAME
        assert re.search(r"#f2f3f4, which stays \(the file: #[0-9a-f]{6}\)", line.what)
        assert told(lines) == []


class TestAChangeOfTheFile:
    def test_a_new_name_in_the_file_renames_what_is_there(self, applied: Installation) -> None:
        before = applied.departments.current()
        text = TEXT + "pipelines: {warm_up: {name: Тёплая база}}\n"
        assert told(applied.plan(text=text)) == [
            "~ pipeline «Прогрев» → «Тёплая база»",
            "~ department «Окна Плюс»: version 2, with the above",
        ]
        made = applied.apply(text=text)
        assert made.changes[0] == "renamed pipeline «Прогрев» to «Тёплая база»"
        assert made.department.pipeline_of("warm_up").id == before.pipeline_of("warm_up").id
        assert len(applied.world.pipelines) == 5
        assert told(applied.plan(text=text)) == []

    def test_another_language_renames_pipelines_stages_and_reasons_instead_of_making_more(
        self, applied: Installation
    ) -> None:
        before = applied.state
        text = TEXT.replace("language: ru", "language: en")
        after = applied.apply(text=text).department
        assert [len(stages) for _, _, stages in applied.state["pipelines"]] == [
            len(stages) for _, _, stages in before["pipelines"]
        ]
        assert len(applied.state["reasons"]) == len(before["reasons"])
        assert pipeline(applied.world, "Main pipeline").id == after.pipeline_of("main").id
        assert told(applied.plan(text=text)) == []

    def test_a_new_name_that_exists_already_means_the_other_pipeline(self, applied: Installation) -> None:
        own = applied.world.main_pipeline
        text = TEXT + "pipelines: {warm_up: {name: Воронка}}\n"
        assert applied.apply(text=text).department.pipeline_of("warm_up").id == own.id
        assert pipeline(applied.world, "Прогрев")
        assert told(applied.plan(text=text)) == []

    @pytest.mark.parametrize(
        ("old", "new", "line"),
        [
            ("max_open: 40", "max_open: 50", "teams.lead_desk.members.anna@oknaplus.example.max_open: 40 → 50"),
            ("language: ru", "language: ru\nhop_limit: 9", "hop_limit: 6 → 9"),
        ],
    )
    def test_what_changes_in_the_department_is_told(self, applied: Installation, old: str, new: str, line: str) -> None:
        assert told(applied.plan(text=TEXT.replace(old, new))) == [
            "~ department «Окна Плюс»: version 2",
            f"~   {line}",
        ]

    def test_stand_ups_come_change_and_go(self, installation: Installation) -> None:
        installation.apply(text=TEXT + MEETINGS)
        changed = TEXT + MEETINGS.replace("09:15", "10:00")
        was = "stand-up «Планёрка» of lead_desk, Mon-Fri 09:15 Europe/Moscow, 15 min, recorded"
        now = was.replace("09:15", "10:00")
        assert told(installation.plan(text=changed))[-1] == f"~ {now}, was {was.partition(', ')[2]}"
        other = TEXT + MEETINGS.replace("team: lead_desk", "team: closers")
        assert told(installation.plan(text=other))[-2:] == [f"+ {was.replace('lead_desk', 'closers')}", f"- {was}"]

    def test_a_hook_that_is_needed_no_more_goes(self, installation: Installation) -> None:
        installation.apply(text=TEXT + MEETINGS)
        assert "- webhook /tasks" in told(installation.plan())

    def test_rules_come_change_and_go(self, installation: Installation) -> None:
        installation.apply(text=TEXT + GYM)
        edited = GYM.replace(
            "preset: gym,", "preset: gym, rules: [{id: birthday, priority: 30}, {id: unhappy, off: true}],"
        )
        assert told(installation.plan(text=TEXT + edited)) == [
            "~ rule birthday, now version 2",
            "- rule unhappy",
            "~ rules of aftercare: version 2",
        ]


def test_without_an_address_the_webhooks_are_left_out(applied: Installation) -> None:
    applied.world.webhooks.clear()
    assert told(applied.plan(hooks=None)) == []


def test_an_apply_that_renames_and_was_cut_anywhere_is_finished_by_the_next() -> None:
    from tests.installation import Killed

    text = TEXT.replace("language: ru", "language: en")
    with mock_aws():
        undisturbed = install()
        undisturbed.apply()
        wire = undisturbed.wire()
        undisturbed.apply(wire, text)
        for cut_at in range(1, len(wire.asked) + 1, 3):
            for is_done in (False, True):
                installation = install()
                installation.apply()
                with pytest.raises(Killed):
                    installation.apply(installation.wire(cut_at, is_done), text)
                installation.apply(text=text)
                assert installation.state == undisturbed.state


def test_each_step_is_reported_as_it_begins(installation: Installation) -> None:
    steps: list[str] = []
    client = installation.client(installation.wire())
    apply(load(TEXT), client, *installation.stores, HOOKS, installation.clock.now(), steps.append)
    assert len(steps) == STEPS
    assert steps == [
        *("reading the account", "pipelines and stages", "loss reasons", "fields"),
        *("storing the department", "webhooks"),
    ]
