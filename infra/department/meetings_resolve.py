"""The department's meetings with amoCRM's ids."""

from __future__ import annotations

from collections.abc import Iterator

from functions.shared.department import Place
from functions.shared.errors import Finding
from functions.shared.meeting_plan import MEETING_TASK, ClientCalls, MeetingPlan, StageCall
from infra.department.directory import Directory
from infra.department.file import DepartmentFile
from infra.department.match import Match
from infra.department.meetings import Calls
from infra.department.suggest import nearest

_TASK_TYPE = ("meetings", "client_calls", "task_type")


def unknown_task_type(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    """Only people make task types (amoCRM API: tasks)."""
    calls = file.meetings.calls if file.meetings else None
    if calls and calls.is_own_type and directory.task_type(calls.task_type) is None:
        guess = nearest(calls.task_type, dict(directory.task_types))
        other = f", or did you mean {guess}?" if guess else " or correct the name"
        remedy = f"create this type of task in amoCRM (Settings){other}"
        value = f"{calls.task_type!r} is no type of task in {directory.subdomain}"
        yield Finding(".".join(_TASK_TYPE), file.document.line(_TASK_TYPE), value, remedy)


def plan_of(file: DepartmentFile, directory: Directory, matched: Match) -> MeetingPlan | None:
    """Of an account that has everything the file asks for."""
    meetings = file.meetings
    if meetings is None:
        return None
    return MeetingPlan(
        provider=meetings.provider,
        host=meetings.host,
        standups=meetings.standups,
        client_calls=_client_calls(meetings.calls, directory, matched) if meetings.calls else None,
        holidays=meetings.holidays,
        out_of_office=meetings.out_of_office,
    )


def _client_calls(calls: Calls, directory: Directory, matched: Match) -> ClientCalls:
    def field_id(key: str) -> int:
        return matched.fields[key].id if key in matched.fields else 0

    own_type = directory.task_type(calls.task_type) if calls.is_own_type else None
    return ClientCalls(
        minutes=calls.minutes,
        is_recorded=calls.is_recorded,
        task_type=own_type or MEETING_TASK,
        link_field=field_id("link"),
        zone_field=field_id("zone"),
        stage=StageCall(_ids(calls.place, matched), field_id("moment")) if calls.place else None,
    )


def _ids(place: Place, matched: Match) -> tuple[int, int]:
    """(pipeline id, status id) of the place of the calls."""
    return matched.pipelines[place.role].id, matched.ids[str(place)]
