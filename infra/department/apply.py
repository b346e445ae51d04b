"""Bring an amoCRM account and the table to what department.yaml says. Whatever is there already stays as it is.

Every step looks first and creates only what is missing, found by its name: an apply that was interrupted anywhere is
finished by the next one, and one without need writes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.department import Department
from functions.shared.errors import Finding
from infra.department.care_book import publish
from infra.department.directory import CrmPipeline, Directory, read_directory
from infra.department.file import DepartmentFile
from infra.department.plan import PipelinePlan, StagePlan
from infra.department.resolve import check_account, resolve
from infra.department.webhooks import hooks_base, webhooks

_STEP = 10
"""Between the places of two stages, as amoCRM numbers its own."""


@dataclass(frozen=True)
class Applied:
    """`changes` says what was done, one sentence each, and is empty when nothing was; `notices` come from the file
    and from amoCRM."""

    department: Department
    changes: tuple[str, ...]
    notices: tuple[Finding, ...]


def apply(
    file: DepartmentFile,
    client: AmoCrmClient,
    departments: Departments,
    waiting_room: WaitingRoom,
    books: RuleBookStore,
    hooks_url: str,
    now: datetime,
) -> Applied:
    """`hooks_url` is where amoCRM's calls come in, `https://<host>/hooks/<token>`, with or without the end of one of
    the hooks; leads that wait are due `now` if the department changed.

    Raises DepartmentInvalid before anything is written if people are missing, the account is another one or a field of
    ours is of another type, and whatever the client raises; then apply again.
    """
    directory = read_directory(client)
    notices = check_account(file, directory)
    changes = [
        *_pipelines(file, directory, client),
        *_loss_reasons(file, directory, client),
        *_fields(file, directory, client),
    ]
    known = departments.newest_version()
    department = departments.store(resolve(file, read_directory(client) if changes else directory))
    if department.version != known:
        changes.append(f"stored version {department.version} of the department")
        changes += _woken(department, waiting_room, now)
    changes += publish(file.care, books, now)
    # the hooks come last: amoCRM may call them at once, and then the department must be there
    changes += webhooks(file, client, hooks_base(hooks_url))
    return Applied(department, tuple(changes), (*file.notices, *notices))


def create_users(file: DepartmentFile, client: AmoCrmClient) -> list[str]:
    """Make users of all people of the file who are none yet; for accounts of the local stack only, since in a real
    one people are invited and choose their own passwords. Returns the e-mails created."""
    known = read_directory(client).users
    missing = [email for email in file.people if email not in known]
    if missing:
        client.write("POST", "users", [_new_user(email, file.spec.language) for email in missing])
    return missing


def _pipelines(file: DepartmentFile, directory: Directory, client: AmoCrmClient) -> Iterator[str]:
    """All missing pipelines in one request, then what existing ones lack."""
    missing = [plan for plan in file.pipelines if plan.name.casefold() not in directory.pipelines]
    if missing:
        places = {plan.role: (number + 1) * _STEP for number, plan in enumerate(file.pipelines)}
        client.write("POST", "leads/pipelines", [_new_pipeline(plan, places[plan.role]) for plan in missing])
        yield from (f"created pipeline «{plan.name}» with {len(plan.stages)} stages" for plan in missing)
    for plan in file.pipelines:
        if found := directory.pipelines.get(plan.name.casefold()):
            yield from _completed(plan, found, client)


def _completed(plan: PipelinePlan, found: CrmPipeline, client: AmoCrmClient) -> Iterator[str]:
    """Missing stages go behind the existing ones: their order in amoCRM is the firm's."""
    if plan.unsorted and not found.is_unsorted_on:
        client.write("PATCH", f"leads/pipelines/{found.id}", {"is_unsorted_on": True})
        yield f"switched «Неразобранное» on in «{plan.name}»"
    missing = [stage for stage in plan.stages if stage.name.casefold() not in found.stages]
    if missing:
        body = [_new_stage(stage, found.last_sort + (number + 1) * _STEP) for number, stage in enumerate(missing)]
        client.write("POST", f"leads/pipelines/{found.id}/statuses", body)
        yield from (f"created stage «{stage.name}» in «{plan.name}»" for stage in missing)


def _loss_reasons(file: DepartmentFile, directory: Directory, client: AmoCrmClient) -> Iterator[str]:
    missing = [name for name in file.loss_reasons.values() if name.casefold() not in directory.loss_reasons]
    if missing:
        client.write("POST", "leads/loss_reasons", [{"name": name} for name in missing])
        yield from (f"created loss reason «{name}»" for name in missing)


def _fields(file: DepartmentFile, directory: Directory, client: AmoCrmClient) -> Iterator[str]:
    """All missing fields in one request, then the choices that an existing one lacks."""
    missing = [name for name in file.fields if name.casefold() not in directory.fields]
    if missing:
        client.write("POST", "leads/custom_fields", [_new_field(file, name) for name in missing])
        yield from (f"created the field «{name}» of leads" for name in missing)
    if found := directory.fields.get(file.answer_field.casefold()):
        lacking = [name for name in file.answers.values() if name.casefold() not in found.choices]
        if lacking:
            # a choice that is not sent again with its id counts as deleted (amoCRM API: custom fields)
            last = max((int(enum["sort"]) for enum in found.enums), default=0)
            added = [{"value": name, "sort": last + (number + 1) * _STEP} for number, name in enumerate(lacking)]
            client.write("PATCH", f"leads/custom_fields/{found.id}", {"enums": [*found.enums, *added]})
            yield from (f"added «{name}» to the field «{found.name}»" for name in lacking)


def _woken(department: Department, waiting_room: WaitingRoom, now: datetime) -> Iterator[str]:
    """Under the new version somebody may take what nobody could, perhaps weeks before the check that was planned."""
    woken = sum(waiting_room.wake(team.name, now) for team in department.teams)
    if woken:
        yield f"waiting leads to be looked at again: {woken}"


def _new_pipeline(plan: PipelinePlan, sort: int) -> dict[str, Any]:
    stages = [_new_stage(stage, (number + 1) * _STEP) for number, stage in enumerate(plan.stages)]
    return {
        "name": plan.name,
        "sort": sort,
        "is_main": False,
        "is_unsorted_on": plan.unsorted,
        "_embedded": {"statuses": stages},
    }


def _new_stage(stage: StagePlan, sort: int) -> dict[str, Any]:
    return {"name": stage.name, "sort": sort, "color": stage.color}


def _new_field(file: DepartmentFile, name: str) -> dict[str, Any]:
    if name == file.answer_field:
        choices = [{"value": text, "sort": (number + 1) * _STEP} for number, text in enumerate(file.answers.values())]
        return {"name": name, "type": file.fields[name], "enums": choices}
    # people read the address of the original card and should not write another one; the other fields are theirs as well
    return {"name": name, "type": file.fields[name], "is_api_only": name == file.origin_field}


def _new_user(email: str, language: str) -> dict[str, Any]:
    everything = {"view": "A", "edit": "A", "add": "A", "delete": "D", "export": "D"}
    return {
        "name": email.partition("@")[0].replace(".", " ").title(),
        "email": email,
        "password": secrets.token_urlsafe(16),
        "lang": language,
        "rights": {
            "leads": everything,
            "contacts": everything,
            "companies": everything,
            "tasks": {"edit": "A", "delete": "A"},
            "mail_access": False,
            "catalog_access": False,
        },
    }
