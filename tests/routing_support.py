"""The article's department in every model, resolved as `conveyor apply` does, and the amoCRM account that it fits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from functions.shared.clock import Clock
from functions.shared.crm import LOST, WON, FieldValue, User
from functions.shared.department import Department, Place
from infra.department.directory import CrmField, CrmPipeline, Directory
from infra.department.file import DepartmentFile, load
from infra.department.preset import MODELS
from infra.department.resolve import resolve
from tests.fakes_amocrm import FakeAmoCrm

TOKEN_USER, HEAD, MARIA = 1, 3, 4
"""The user whose token we hold; the head of sales; the person in marketing."""

ANNA, BORIS, DINA, EGOR, IRINA, KIRILL = 11, 12, 21, 22, 31, 32
"""Lead managers, closers, and those who care for clients; in smaller models they sit in one team."""

OF_LEVEL = {1: (ANNA, BORIS), 2: (DINA, EGOR), 3: (IRINA, KIRILL)}
NAMES = {
    TOKEN_USER: "Робот",
    HEAD: "Глава",
    MARIA: "Мария",
    ANNA: "Анна",
    BORIS: "Борис",
    DINA: "Дина",
    EGOR: "Егор",
    IRINA: "Ирина",
    KIRILL: "Кирилл",
}
EMAILS = {user_id: f"user{user_id}@firm.example" for user_id in NAMES}
TEAM_NAMES = ("lead_desk", "closers", "care")

BASE_URL = "https://firm.amocrm.ru"
SUBDOMAIN, ACCOUNT = "firm", 31_000_001

HEADER = f"""
department: Окна Плюс
timezone: Europe/Moscow
language: ru
amocrm: {{account: firm.amocrm.ru}}
head: {EMAILS[HEAD]}
marketing: {EMAILS[MARIA]}
"""
ALWAYS = "Mon-Sun 00:00-24:00"


def department_text(model: str = "three_level", extra: str = "") -> str:
    """department.yaml of a firm whose people work round the clock; `extra` goes below it."""
    teams = []
    for number, levels in enumerate(MODELS[model]):
        members = [user_id for level in sorted(levels) for user_id in OF_LEVEL[level]]
        emails = ", ".join(EMAILS[user_id] for user_id in members)
        name = TEAM_NAMES[min(levels) - 1] if number else TEAM_NAMES[0]
        teams.append(f"  {name}: {{hours: '{ALWAYS}', members: [{emails}]}}")
    return f"{HEADER}model: {model}\nteams:\n" + "\n".join(teams) + f"\n{extra}\n"


@cache
def make_department(model: str = "three_level", extra: str = "", version: int = 1) -> Department:
    file = load(department_text(model, extra))
    return replace(resolve(file, directory_of(file)), version=version)


def directory_of(file: DepartmentFile) -> Directory:
    """An account that has everything the file asks for."""
    choices = tuple({"id": 800 + place, "value": name} for place, name in enumerate(file.answers.values()))
    return Directory(
        account_id=ACCOUNT,
        subdomain=SUBDOMAIN,
        users={email: User(user_id, NAMES[user_id], email, True) for user_id, email in EMAILS.items()},
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
        },
    )


def furnish(amocrm: FakeAmoCrm, department: Department) -> None:
    """Give the account what the department needs: people, stages, loss reasons, fields."""
    for user_id, name in NAMES.items():
        amocrm.add_user(user_id, name=name, email=EMAILS[user_id])
    amocrm.stages = {(p.id, status) for p in department.pipelines for status in (*p.stages.values(), WON, LOST)}
    amocrm._unsorted_stages |= {p.unsorted_status_id for p in department.pipelines if p.unsorted_status_id}
    amocrm.loss_reasons = set(department.loss_reasons.values())
    enums = {enum_id: department.called(f"answer.{key}") for key, enum_id in department.answers.items()}
    amocrm.add_field("Итог квалификации", "select", field_id=department.answer_field, enums=enums)
    amocrm.add_field("Исходная сделка", "url", field_id=department.origin_field)


def make_account(clock: Clock, department: Department, kind: type[FakeAmoCrm] = FakeAmoCrm, **values: Any) -> Any:
    amocrm = kind(clock, token_user_id=TOKEN_USER, **values)
    furnish(amocrm, department)
    return amocrm


def place(text: str) -> Place:
    """`exchange.qualified`"""
    role, _, stage = text.partition(".")
    return Place(role, stage)


def answer(department: Department, key: str) -> FieldValue:
    """«Итог квалификации» filled in."""
    chosen = {"value": department.called(f"answer.{key}"), "enum_id": department.answers[key]}
    return FieldValue(department.answer_field, "Итог квалификации", "select", (chosen,))
