"""What the scheduler of meetings keeps."""

from __future__ import annotations

from dataclasses import dataclass

from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.meetings import Meetings
from functions.shared.adapters.dynamodb.table import Table


@dataclass(frozen=True)
class Stores:
    departments: Departments
    meetings: Meetings
    absences: Absences

    @classmethod
    def on(cls, table: Table) -> Stores:
        return cls(Departments(table), Meetings(table), Absences(table))
