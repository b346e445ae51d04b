"""The department's versions: each stored once and never changed, and CURRENT, a copy of the newest.

CURRENT is a copy and not a pointer, so that a cold function reads the department in one request.
"""

from __future__ import annotations

import json
from dataclasses import replace

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.table import ConditionFailed, Item, Table
from functions.shared.department import Department
from functions.shared.department_codec import decode, encode
from functions.shared.errors import Contended, NotConfigured


class Departments:
    def __init__(self, table: Table) -> None:
        self._table = table

    def current(self) -> Department:
        """The newest version. Raises NotConfigured when none was ever applied, or a newer Conveyor applied it."""
        department = self._read(keys.current_department())
        if department is None:
            raise NotConfigured("no department is stored: run `conveyor apply department.yaml`")
        return department

    def version(self, number: int) -> Department:
        """The version that a decision was taken under. Raises NotConfigured when it never existed
        or a newer Conveyor stored it."""
        department = self._read(keys.department(number))
        if department is None:
            raise NotConfigured(f"no version {number} of the department is stored: `conveyor apply` stores them")
        return department

    def newest_version(self) -> int:
        """The number of the current version, 0 before the first."""
        item = self._table.get(keys.current_department())
        return item["version"] if item else 0

    def store(self, department: Department) -> Department:
        """Make this the current department; returns it with its version, whatever version it came with.

        The same content again is no new version. Raises Contended when somebody else stored one at the same time, and
        NotConfigured when a newer Conveyor stored the current one.
        """
        current = self._read(keys.current_department())
        if current is not None and replace(department, version=current.version) == current:
            return current
        before = current.version if current else 0
        stored = replace(department, version=before + 1)
        item = _item_of(stored)
        unmoved = "version = :before" if current else "attribute_not_exists(pk)"
        try:
            self._table.transact(
                [
                    self._table.put_action({**keys.department(stored.version), **item}, "attribute_not_exists(pk)"),
                    self._table.put_action(
                        {**keys.current_department(), **item}, unmoved, {":before": before} if current else None
                    ),
                ]
            )
        except ConditionFailed as error:
            raise Contended("another apply stored a department at the same moment: apply again", after=0) from error
        return stored

    def _read(self, key: keys.Key) -> Department | None:
        item = self._table.get(key)
        return _department_from(item) if item else None


def _department_from(item: Item) -> Department:
    document = json.loads(item["document"])
    try:
        return decode(document)
    except ValueError as error:
        raise NotConfigured(f"version {item['version']} of the department cannot be read: {error}") from error


def _item_of(department: Department) -> Item:
    """The whole as one JSON string, and beside it what a person looks for in the console."""
    return {
        "entity": "department",
        "version": department.version,
        "name": department.name,
        "model": department.model,
        "subdomain": department.subdomain,
        "document": json.dumps(encode(department), ensure_ascii=False),
    }
