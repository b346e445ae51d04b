"""Bring an amoCRM account and the table to what department.yaml says. Whatever is there already stays as it is.

Every step looks first and creates only what is missing, found by its name: an apply that was interrupted anywhere is
finished by the next one, and one without need writes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.department import Department
from functions.shared.errors import AmoCrmForbidden, Finding
from infra.department.care_book import publish
from infra.department.changes import Work
from infra.department.directory import read_directory
from infra.department.file import DepartmentFile
from infra.department.resolve import resolve
from infra.department.survey import look
from infra.department.webhooks import hooks_base, no_hooks, webhooks

Report = Callable[[str], None]
"""Told of each step in a few words."""


STEPS = 6
"""So many are reported."""


def silent(_: str) -> None:
    """Nobody watches."""


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
    report: Report = silent,
) -> Applied:
    """`hooks_url` is where amoCRM's calls come in, `https://<host>/hooks/<token>`, with or without the end of one of
    the hooks; leads that wait are due `now` if the department changed. `report` hears of each step as it begins.

    Raises before anything is written: DepartmentInvalid if people are missing, the account is another one or full, or a
    field of ours is of another type; NotConfigured if the token is no administrator's or the tariff has no webhooks.
    Else whatever the client raises; then apply again.
    """
    base = hooks_base(hooks_url)
    report("reading the account")
    survey = look(file, client, departments, base)
    notices = survey.notices
    changes: list[str] = []
    for title, works in survey.crm():
        report(title)
        changes += _done(works, client)
    report("storing the department")
    directory = read_directory(client) if changes else survey.directory
    department = departments.store(resolve(file, directory, survey.known))
    if survey.known is None or department.version != survey.known.version:
        changes.append(f"stored version {department.version} of the department")
        changes += _woken(department, waiting_room, now)
    changes += publish(file.care, books, now)
    report("webhooks")
    # the hooks come last: amoCRM may call them at once, and then the department must be there
    try:
        changes += _done(webhooks(file, survey.hooks, base), client)
    except AmoCrmForbidden as error:
        raise no_hooks() from error
    return Applied(department, tuple(changes), (*file.notices, *notices))


def _done(works: Iterable[Work], client: AmoCrmClient) -> Iterator[str]:
    for work in works:
        for request in work.requests:
            client.write(request.method, request.path, request.body)
        yield from (change.done for change in work.changes if change.done)


def create_users(file: DepartmentFile, client: AmoCrmClient) -> list[str]:
    """Make users of all people of the file who are none yet; for accounts of the local stack only, since in a real
    one people are invited and choose their own passwords. Returns the e-mails created."""
    known = read_directory(client).users
    missing = [email for email in file.people if email not in known]
    if missing:
        client.write("POST", "users", [_new_user(email, file.spec.language) for email in missing])
    return missing


def _woken(department: Department, waiting_room: WaitingRoom, now: datetime) -> Iterator[str]:
    """Under the new version somebody may take what nobody could, perhaps weeks before the check that was planned."""
    woken = sum(waiting_room.wake(team.name, now) for team in department.teams)
    if woken:
        yield f"waiting leads to be looked at again: {woken}"


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
