"""What there is before anything is changed: the account, its webhooks and the department in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.department import Department
from functions.shared.errors import Finding
from infra.department import difference
from infra.department.changes import Work
from infra.department.directory import Directory, read_directory
from infra.department.file import DepartmentFile
from infra.department.match import Match, match
from infra.department.resolve import check_account
from infra.department.webhooks import Hook, read_hooks


@dataclass(frozen=True)
class Survey:
    """`known` is the department in force, None before the first; `notices` tell what its owner should know."""

    file: DepartmentFile
    directory: Directory
    known: Department | None
    hooks: Mapping[str, Hook]
    notices: tuple[Finding, ...]

    @property
    def matched(self) -> Match:
        return match(self.file, self.directory, self.known)

    def crm(self) -> Iterator[tuple[str, list[Work]]]:
        """All but the webhooks, in the order in which it is made."""
        yield "pipelines and stages", list(difference.pipelines(self.file, self.matched))
        yield "loss reasons", list(difference.loss_reasons(self.file, self.directory, self.matched))
        yield "fields", list(difference.fields(self.file, self.matched))


def look(file: DepartmentFile, client: AmoCrmClient, departments: Departments, base: str | None) -> Survey:
    """Reads only. `base` None: the webhooks are not looked at. Raises as check_account and read_hooks do."""
    known = departments.current() if departments.newest_version() else None
    directory = read_directory(client)
    notices = check_account(file, directory, known)
    hooks = {} if base is None else read_hooks(client, base)
    return Survey(file, directory, known, hooks, tuple(notices))
