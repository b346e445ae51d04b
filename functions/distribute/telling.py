"""What people are told of a decision: open tasks go with the lead, a first-answer task, the «why» note."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from functions.distribute.texts import task_text, why_note
from functions.shared.assignment import Assignment, Mode
from functions.shared.crm import Lead, NewNote, NewTask, Task, TaskChange
from functions.shared.department import Department, Team
from functions.shared.limits import CLOCKS_APART
from functions.shared.people import member_of
from functions.shared.ports import AmoCrm

Untold = list[tuple[int, str]]
"""Leads for which amoCRM refused something, with its reason."""


class Telling:
    """`departments` gives the version a decision was taken under: its texts must not change between two runs."""

    def __init__(self, amocrm: AmoCrm, departments: Callable[[int], Department]) -> None:
        self._amocrm = amocrm
        self._departments = departments

    def tell(self, assignments: Sequence[Assignment], leads: Mapping[int, Lead], resumed: set[int]) -> Untold:
        """Everything that these decisions tell; what another run may have told of the resumed ones is looked for."""
        again = [assignment for assignment in assignments if assignment.lead_id in resumed]
        return [
            *self._hand_tasks_on([assignment for assignment in assignments if assignment.handed_over], leads),
            *self._set_tasks(assignments, again),
            *self._write_notes(assignments, again),
        ]

    def _hand_tasks_on(self, assignments: Sequence[Assignment], leads: Mapping[int, Lead]) -> Untold:
        """What the previous owners had to do is the new one's to do. A second run finds nothing of theirs any more."""
        if not assignments:
            return []
        by_lead = {assignment.lead_id: assignment for assignment in assignments}
        tasks = self._amocrm.tasks_since(by_lead, min(leads[lead_id].created_at for lead_id in by_lead))
        theirs = [task for task in tasks if not task.is_completed and _goes_along(task, by_lead[task.lead_id])]
        if not theirs:
            return []
        changes = [TaskChange(task.id, responsible_user_id=by_lead[task.lead_id].owner) for task in theirs]
        refused = self._amocrm.change_tasks(changes).refused
        return [(task.lead_id, refused[task.id]) for task in theirs if task.id in refused]

    def _set_tasks(self, assignments: Sequence[Assignment], again: Sequence[Assignment]) -> Untold:
        tasks = [self._task(assignment) for assignment in assignments]
        if again:
            standing = self._amocrm.tasks_since([assignment.lead_id for assignment in again], _begun(again))
            told = {(task.lead_id, task.text) for task in standing}
            tasks = [task for task in tasks if (task.lead_id, task.text) not in told]
        return list(self._amocrm.add_tasks(tasks).refused.items()) if tasks else []

    def _write_notes(self, assignments: Sequence[Assignment], again: Sequence[Assignment]) -> Untold:
        notes = [self._note(assignment) for assignment in assignments]
        if again:
            standing = self._amocrm.notes_since([assignment.lead_id for assignment in again], _begun(again))
            told = {(note.lead_id, note.text) for note in standing}
            notes = [note for note in notes if (note.lead_id, note.text) not in told]
        return list(self._amocrm.add_notes(notes).refused.items()) if notes else []

    def _task(self, assignment: Assignment) -> NewTask:
        department, team = self._places(assignment)
        within = team.first_answer.within_minutes
        member = member_of(department, team, assignment.owner)
        if member and assignment.mode is not Mode.DUTY:
            till = member.hours.after_working(assignment.decided_at, within, member.timezone)
        else:  # on duty the minutes count whatever the shift
            till = assignment.decided_at + timedelta(minutes=within)
        return NewTask(assignment.lead_id, assignment.owner, task_text(assignment, department, team), till)

    def _note(self, assignment: Assignment) -> NewNote:
        return NewNote(assignment.lead_id, why_note(assignment, self._departments(assignment.department_version)))

    def _places(self, assignment: Assignment) -> tuple[Department, Team]:
        department = self._departments(assignment.department_version)
        team = department.team_named(assignment.team)
        assert team is not None, "a decision names a team of the department version it was taken under"
        return department, team


def _begun(assignments: Sequence[Assignment]) -> datetime:
    """Since when something may have been told."""
    return min(assignment.decided_at for assignment in assignments) - CLOCKS_APART


def _goes_along(task: Task, assignment: Assignment) -> bool:
    """Whether the task is one of those who had the lead before; tasks of third persons stay theirs. Where a person
    changed the owner before the lead was moved, amoCRM shows his choice alone, and only we know who had it until then.
    """
    assert assignment.handed_over is not None, "asked for hand-overs only"
    before = {assignment.seen_owner, assignment.handed_over.previous_owner, *assignment.predecessors}
    return task.responsible_user_id in before - {0, assignment.owner}
