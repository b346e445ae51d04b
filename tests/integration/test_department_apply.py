from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from moto import mock_aws

from functions.shared.errors import AmoCrmUnauthorized, AmoCrmUnavailable, DepartmentInvalid
from functions.shared.waiting import WaitingLead
from infra.department.amocrm import REQUESTS_PER_SECOND, open_client
from infra.department.apply import apply, create_users
from infra.department.file import load
from infra.department.webhooks import CLIENTS_HOOK, LEADS_HOOK, STAGES_HOOK, TASKS_HOOK, hooks_of
from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.model import CustomField, Enum
from tests.installation import EXAMPLE, HOOKS, TEXT, Installation, Killed, Wire, install

OTHERS = "https://other.example/hooks/0123"
ANSWERS = ["Не целевой", "Уже общаемся", "Не даёт информации", "Квалифицирован"]


@pytest.fixture
def installation() -> Iterator[Installation]:
    with mock_aws():
        yield install()


def test_an_empty_account_gets_the_four_pipelines_with_their_stages(installation: Installation) -> None:
    applied = installation.apply()

    assert applied.notices == ()
    made = installation.state["pipelines"][1:]
    assert [name for name, _, _ in made] == ["Биржа лидов", "Основная воронка", "Сопровождение", "Прогрев"]
    assert made[0][1:] == (
        True,
        [
            "Неразобранное",
            *("Новый лид", "В квалификации", "Квалифицирован", "Уже общаемся (дубль)", "Не даёт информации"),
            "Не целевой",
            *("Успешно реализовано", "Закрыто и не реализовано"),
        ],
    )
    assert made[1][1] is False
    assert "Дубль" in installation.state["reasons"]
    assert installation.state["hooks"] == [
        (f"{HOOKS}/leads", sorted(LEADS_HOOK)),
        (f"{HOOKS}/stages", sorted(STAGES_HOOK)),
        (f"{HOOKS}/clients", sorted(CLIENTS_HOOK)),
    ]


def test_an_empty_account_gets_the_two_fields_of_leads(installation: Installation) -> None:
    applied = installation.apply()

    assert installation.state["fields"] == [("Итог квалификации", "select", ANSWERS), ("Исходная сделка", "url", [])]
    department = applied.department
    answer = installation.world.custom_fields[department.answer_field]
    assert department.answers == dict(
        zip(["not_target", "in_conversation", "no_information", "qualified"], (e.id for e in answer.enums), strict=True)
    )
    assert installation.world.custom_fields[department.origin_field].name == "Исходная сделка"


def test_an_english_account_gets_english_fields(installation: Installation) -> None:
    installation.apply(text=TEXT.replace("language: ru", "language: en"))
    assert installation.state["fields"] == [
        (
            "Qualification result",
            "select",
            ["Not our client", "Already talking", "Gives no information", "Qualified"],
        ),
        ("Original lead", "url", []),
    ]


def own_field(installation: Installation, name: str, kind: str, *choices: str) -> CustomField:
    """A field that the firm made itself."""
    world = installation.world
    enums = tuple(Enum(world.ids("enum"), choice, 500 + at, None) for at, choice in enumerate(choices))
    field = CustomField(world.ids("custom_field"), "leads", name, kind, enums=enums)
    world.custom_fields[field.id] = field
    return field


def test_the_choices_that_a_field_of_the_firm_lacks_are_added_and_its_own_keep_their_ids(
    installation: Installation,
) -> None:
    own = own_field(installation, "итог КВАЛИФИКАЦИИ", "select", "Перезвонить", "не целевой")

    applied = installation.apply()

    assert [change for change in applied.changes if "field" in change] == [
        "created the field «Исходная сделка» of leads",
        "added «Уже общаемся» to the field «итог КВАЛИФИКАЦИИ»",
        "added «Не даёт информации» to the field «итог КВАЛИФИКАЦИИ»",
        "added «Квалифицирован» to the field «итог КВАЛИФИКАЦИИ»",
    ]
    now = installation.world.custom_fields[own.id]
    assert now.enums[:2] == own.enums
    assert [enum.value for enum in now.enums[2:]] == ANSWERS[1:]
    assert applied.department.answers["not_target"] == own.enums[1].id
    assert installation.apply().changes == ()


@pytest.mark.parametrize(("name", "kind"), [("Итог квалификации", "text"), ("Исходная сделка", "text")])
def test_a_field_of_that_name_and_another_type_is_told_before_anything_is_written(
    installation: Installation, name: str, kind: str
) -> None:
    own_field(installation, name, kind)
    wire = installation.wire()
    with pytest.raises(DepartmentInvalid, match=f"'{name}' is of type text — rename or delete this field"):
        installation.apply(wire)
    assert wire.writes == []
    assert installation.departments.newest_version() == 0


def test_a_field_of_contacts_with_that_name_is_another_thing(installation: Installation) -> None:
    own = own_field(installation, "Итог квалификации", "text")
    installation.world.custom_fields[own.id] = replace(own, entity="contacts")
    installation.apply()
    assert len(installation.state["fields"]) == 2


@pytest.mark.parametrize(
    "given", [HOOKS, f"{HOOKS}/", f"{HOOKS}/leads", f"{HOOKS}/stages", f"{HOOKS}/tasks", f"{HOOKS}/leads/"]
)
def test_the_address_of_one_hook_is_as_good_as_what_both_have_in_common(installation: Installation, given: str) -> None:
    installation.apply(hooks=given)
    made = [destination for destination, _ in installation.state["hooks"]]
    assert made == [f"{HOOKS}/{name}" for name in ("leads", "stages", "clients")]


def test_the_stored_department_has_the_ids_of_the_account(installation: Installation) -> None:
    department = installation.apply().department

    assert installation.departments.current() == department
    assert department.account_id == installation.world.account_id
    exchange = installation.world.pipelines[department.pipelines[0].id]
    assert {status.id for status in exchange.statuses} >= {
        department.pipelines[0].unsorted_status_id,
        department.pipelines[0].entry_status_id,
    }
    anna = department.teams[0].members[0]
    assert installation.world.users[anna.user_id].email == "anna@oknaplus.example"


def test_a_second_apply_writes_nothing(installation: Installation) -> None:
    installation.apply()
    before = installation.state
    wire = installation.wire()

    applied = installation.apply(wire)

    assert wire.writes == []
    assert applied.changes == ()
    assert installation.state == before


def test_apply_stays_below_the_limit_of_amocrm(installation: Installation) -> None:
    wire = installation.wire()
    installation.apply(wire)
    assert installation.clock.slept >= (len(wire.asked) - 1) / REQUESTS_PER_SECOND - 0.001


@pytest.mark.parametrize("is_done_before_cut", [False, True])
def test_an_apply_that_was_cut_anywhere_is_finished_by_the_next(is_done_before_cut: bool) -> None:
    with mock_aws():
        undisturbed = install()
        wire = undisturbed.wire()
        undisturbed.apply(wire)

        for cut_at in range(1, len(wire.asked) + 1):
            installation = install()
            with pytest.raises(Killed):
                installation.apply(installation.wire(cut_at, is_done_before_cut))
            installation.apply()
            assert installation.state == undisturbed.state


def test_amocrm_calls_nobody_before_the_department_is_stored(installation: Installation) -> None:
    first = installation.wire()
    installation.apply(first, hooks=OTHERS)
    hook_at = first.asked.index("POST /api/v4/webhooks") + 1
    assert first.asked[-1] == "POST /api/v4/webhooks"

    with mock_aws():
        fresh = install()
        with pytest.raises(Killed):
            fresh.apply(fresh.wire(cut_at=hook_at))
        assert fresh.departments.newest_version() == 1


def test_a_changed_department_is_a_new_version_and_leaves_amocrm_alone(installation: Installation) -> None:
    installation.apply()
    wire = installation.wire()

    applied = installation.apply(wire, TEXT.replace("max_open: 40", "max_open: 50"))

    assert applied.changes == ("stored version 2 of the department",)
    assert applied.department.teams[0].members[0].max_open == 50
    assert wire.writes == []


def test_leads_that_wait_are_looked_at_again_under_a_new_version(installation: Installation) -> None:
    installation.apply()
    now, room = installation.clock.now(), installation.waiting_room
    room.put([WaitingLead(7, "lead_desk", "site", "absent", now, now + timedelta(days=14))])

    # an apply without need leaves them alone
    installation.apply()
    assert room.due(installation.clock.now()) == []

    applied = installation.apply(text=TEXT.replace("max_open: 40", "max_open: 50"))

    assert [lead.lead_id for lead in room.due(installation.clock.now())] == [7]
    assert applied.changes == ("stored version 2 of the department", "waiting leads to be looked at again: 1")


def test_the_hook_tells_of_leads_that_come_back_from_the_recycle_bin(installation: Installation) -> None:
    installation.apply()
    (_, settings), *_ = installation.state["hooks"]
    assert {"delete_lead", "restore_lead"} <= set(settings)


def test_stages_that_a_firm_lacks_are_added_and_its_own_ones_stay(installation: Installation) -> None:
    installation.apply()
    stages = '{to_warm: На прогрев, warmed: Прогрет, later: {name: Позже, color: "#fff000"}}'
    own = f"pipelines: {{warm_up: {{name: Прогрев, stages: {stages}}}}}"

    applied = installation.apply(text=TEXT + own)

    assert applied.changes[0] == "created stage «Позже» in «Прогрев»"
    assert installation.state["pipelines"][-1][2][:4] == ["На прогрев", "Прогревается", "Прогрет", "Позже"]


def test_a_pipeline_that_exists_is_taken_and_gets_its_unsorted_stage(installation: Installation) -> None:
    own = "pipelines: {exchange: {name: воронка, stages: {first: первичный контакт}}}"
    world = installation.world
    world.pipelines[world.main_pipeline.id] = replace(
        world.main_pipeline, is_unsorted_on=False, statuses=world.main_pipeline.statuses[1:]
    )

    applied = installation.apply(text=TEXT + own)

    exchange = applied.department.pipelines[0]
    assert exchange.id == world.main_pipeline.id
    assert world.main_pipeline.is_unsorted_on
    assert exchange.unsorted_status_id is not None
    assert exchange.name == "Воронка"


@pytest.mark.parametrize("name", ["leads", "stages", "clients"])
def test_a_switched_off_hook_is_made_anew(installation: Installation, name: str) -> None:
    installation.apply()
    world = installation.world
    hook_id, hook = next((id_, hook) for id_, hook in world.webhooks.items() if hook.destination.endswith(name))
    world.webhooks[hook_id] = replace(hook, disabled=True)

    applied = installation.apply()

    assert applied.changes == (f"renewed the webhook for {name}",)
    assert [hook.disabled for hook in world.webhooks.values()] == [False, False, False]


def test_a_hook_with_other_events_is_made_anew(installation: Installation) -> None:
    installation.apply()
    world = installation.world
    (hook_id, hook) = next(iter(world.webhooks.items()))
    world.webhooks[hook_id] = replace(hook, settings=(*hook.settings, "update_lead"))

    installation.apply()

    assert (f"{HOOKS}/leads", sorted(LEADS_HOOK)) in installation.state["hooks"]
    assert len(world.webhooks) == 3


def test_hooks_of_others_are_left_alone(installation: Installation) -> None:
    installation.apply(hooks=OTHERS)
    installation.apply()
    assert [destination for destination, _ in installation.state["hooks"]] == [
        f"{base}/{name}" for base in (OTHERS, HOOKS) for name in ("leads", "stages", "clients")
    ]


def test_an_ignored_filter_does_not_mistake_the_hook_of_another_for_ours(installation: Installation) -> None:
    class Unfiltered(Wire):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET" and request.url.path.endswith("/webhooks"):
                request.url = request.url.copy_with(query=None)
            return super().handle_request(request)

    installation.apply(hooks=OTHERS)
    wire = Unfiltered(httpx.WSGITransport(create_app(installation.world)))

    created = tuple(f"created the webhook for {name}" for name in ("leads", "stages", "clients"))
    assert installation.apply(wire).changes == created
    assert len(installation.world.webhooks) == 6


def test_missing_people_are_named_before_anything_is_written(installation: Installation) -> None:
    wire = installation.wire()
    with pytest.raises(DepartmentInvalid, match=r"'new@oknaplus\.example' is no user of oknaplus"):
        installation.apply(wire, TEXT.replace("email: anna@", "email: new@"))
    assert wire.writes == []
    assert installation.departments.newest_version() == 0


def test_a_switched_off_user_is_noticed(installation: Installation) -> None:
    world = installation.world
    anna = next(user for user in world.users.values() if user.email == "anna@oknaplus.example")
    world.users[anna.id] = replace(anna, is_active=False)

    (notice,) = installation.apply().notices

    assert notice.value == "'anna@oknaplus.example' is switched off in amoCRM"


def test_a_local_account_gets_the_people_it_lacks_once(installation: Installation) -> None:
    file = load(TEXT.replace("email: anna@", "email: new@"))
    client = installation.client(installation.wire())

    assert create_users(file, client) == ["new@oknaplus.example"]
    assert create_users(file, client) == []
    applied = apply(
        file,
        client,
        installation.departments,
        installation.waiting_room,
        installation.books,
        HOOKS,
        installation.clock.now(),
    )
    assert applied.notices == ()


def test_a_refused_token_is_said(installation: Installation) -> None:
    client = open_client("https://oknaplus.amocrm.ru", "wrong", installation.clock, installation.wire())
    with pytest.raises(AmoCrmUnauthorized, match="mistyped, expired or revoked"):
        apply(
            EXAMPLE,
            client,
            installation.departments,
            installation.waiting_room,
            installation.books,
            HOOKS,
            installation.clock.now(),
        )


def test_a_blocked_account_is_asked_no_more(installation: Installation) -> None:
    installation.world.switch(block_after=0, per_token_per_second=0)
    wire = installation.wire()
    client = installation.client(wire)
    for _ in range(3):
        with pytest.raises(AmoCrmUnavailable):
            apply(
                EXAMPLE,
                client,
                installation.departments,
                installation.waiting_room,
                installation.books,
                HOOKS,
                installation.clock.now(),
            )
    blocked_after = len(wire.asked)
    with pytest.raises(AmoCrmUnavailable, match="blocked"):
        apply(
            EXAMPLE,
            client,
            installation.departments,
            installation.waiting_room,
            installation.books,
            HOOKS,
            installation.clock.now(),
        )
    assert len(wire.asked) == blocked_after


GYM = (
    TEXT
    + "\naftercare: {preset: gym, feeds: {turnstile: {delivers: [visit.attended], lag: 2h}}, holidays: [2026-12-31]}\n"
)


def test_rules_of_aftercare_are_published_once_and_keep_their_versions(installation: Installation) -> None:
    begun = installation.clock.now()
    first = installation.apply(text=GYM)
    assert "new rule missed-3-trainings" in first.changes
    assert "published version 1 of the rules of aftercare" in first.changes
    installation.clock.moment += timedelta(days=1)
    assert installation.apply(text=GYM).changes == ()
    book = installation.books.current()
    assert book.version == 1
    assert {datetime.fromisoformat(rule["effective_from"]) - begun < timedelta(minutes=1) for rule in book.rules} == {
        True
    }
    assert [(feed.name, feed.delivers, feed.lag) for feed in book.feeds] == [
        ("turnstile", frozenset({"visit.attended"}), timedelta(hours=2))
    ]
    assert {"2026-12-31", "2026-11-04"} <= book.holidays


def test_an_edited_rule_gets_a_new_version_and_the_others_keep_theirs(installation: Installation) -> None:
    installation.apply(text=GYM)
    installation.clock.moment += timedelta(days=1)
    edited = GYM.replace(
        "preset: gym,", "preset: gym, rules: [{id: birthday, priority: 30}, {id: unhappy, off: true}],"
    )
    changes = installation.apply(text=edited).changes
    assert changes == (
        "changed rule birthday, now version 2",
        "removed rule unhappy: people keep its open tasks",
        "published version 2 of the rules of aftercare",
    )
    rules = {rule["id"]: rule for rule in installation.books.current().rules}
    assert rules["birthday"]["effective_from"] > rules["missed-3-trainings"]["effective_from"]
    assert rules["missed-3-trainings"]["version"] == 1
    assert "unhappy" not in rules


def test_a_department_without_aftercare_publishes_nothing_until_it_has_some(installation: Installation) -> None:
    installation.apply()
    assert installation.books.current().version == 0
    installation.apply(text=GYM)
    assert "published version 2 of the rules of aftercare" in installation.apply().changes
    assert installation.books.current().rules == ()


MEETINGS = """
meetings:
  standups: [{team: lead_desk, at: "Mon-Fri 09:15"}]
  client_calls: {zone_field: Часовой пояс, stage: main.offer, field: Дата встречи}
"""
TASKS = f"{HOOKS}/tasks"


def fields(installation: Installation) -> dict[str, CustomField]:
    return {field.name: field for field in installation.world.custom_fields.values() if field.entity == "leads"}


def test_meetings_get_their_fields_and_their_hook_once(installation: Installation) -> None:
    applied = installation.apply(text=TEXT + MEETINGS)

    made = fields(installation)
    assert [(made[name].type, made[name].is_api_only) for name in ("Ссылка на встречу", "Часовой пояс")] == [
        ("url", False),
        ("text", False),
    ]
    assert (made["Дата встречи"].type, made["Исходная сделка"].is_api_only) == ("date_time", True)
    assert installation.state["hooks"][-1] == (TASKS, sorted(TASKS_HOOK))
    assert "created the webhook for tasks" in applied.changes
    plan = installation.departments.current().meetings
    assert plan is not None and plan.client_calls is not None and plan.client_calls.stage is not None
    assert plan.client_calls.link_field == made["Ссылка на встречу"].id
    assert plan.client_calls.zone_field == made["Часовой пояс"].id
    assert plan.client_calls.stage.field == made["Дата встречи"].id
    assert plan.client_calls.task_type == 2
    main = installation.world.pipelines[plan.client_calls.stage.place[0]]
    stage = next(status for status in main.statuses if status.id == plan.client_calls.stage.place[1])
    assert (main.name, stage.name) == ("Основная воронка", "Предложение отправлено")

    wire = installation.wire()
    assert installation.apply(wire, TEXT + MEETINGS).changes == ()
    assert wire.writes == []


def test_a_department_that_had_meetings_loses_the_hook_and_keeps_the_fields(installation: Installation) -> None:
    installation.apply(text=TEXT + MEETINGS)
    before = installation.state

    applied = installation.apply()

    assert applied.changes == ("stored version 2 of the department", "removed the webhook for tasks")
    assert installation.departments.current().meetings is None
    assert installation.state["hooks"] == [hook for hook in before["hooks"] if hook[0] != TASKS]
    assert installation.state["fields"] == before["fields"]
    assert installation.apply().changes == ()


def test_the_hook_of_another_installation_s_meetings_stays(installation: Installation) -> None:
    installation.apply(text=TEXT + MEETINGS, hooks=OTHERS)
    installation.apply()
    assert f"{OTHERS}/tasks" in [destination for destination, _ in installation.state["hooks"]]


@pytest.mark.parametrize("is_done_before_cut", [False, True])
def test_an_apply_of_meetings_that_was_cut_anywhere_is_finished_by_the_next(is_done_before_cut: bool) -> None:
    with mock_aws():
        undisturbed = install()
        wire = undisturbed.wire()
        undisturbed.apply(wire, TEXT + MEETINGS)
        for cut_at in range(1, len(wire.asked) + 1):
            installation = install()
            with pytest.raises(Killed):
                installation.apply(installation.wire(cut_at, is_done_before_cut), TEXT + MEETINGS)
            installation.apply(text=TEXT + MEETINGS)
            assert installation.state == undisturbed.state


def test_the_account_s_own_type_of_tasks_is_found_by_its_name(installation: Installation) -> None:
    own = installation.world.add_task_type("Замер")
    applied = installation.apply(text=TEXT + "\nmeetings: {client_calls: {task_type: замер}}\n")
    plan = applied.department.meetings
    assert plan is not None and plan.client_calls is not None
    assert plan.client_calls.task_type == own.id


def test_a_type_of_tasks_that_is_missing_is_told_before_anything_is_written(installation: Installation) -> None:
    wire = installation.wire()
    with pytest.raises(DepartmentInvalid, match=r"'Замер' is no type of task in oknaplus — create this type"):
        installation.apply(wire, TEXT + "\nmeetings: {client_calls: {task_type: Замер}}\n")
    assert wire.writes == []


def test_only_a_department_with_meetings_needs_the_tasks_hook() -> None:
    assert list(hooks_of(load(TEXT))) == ["leads", "stages", "clients"]
    assert list(hooks_of(load(TEXT + MEETINGS))) == ["leads", "stages", "clients", "tasks"]
