"""What apply would change, everywhere: in amoCRM, in the department that is stored, in the rules and the calendar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from functions.shared.care import RuleBook
from functions.shared.department import Department
from functions.shared.department_codec import encode
from functions.shared.meeting_plan import Standup
from infra.department.care_book import changes, next_book
from infra.department.changes import Change, Mark
from infra.department.match import OF_FILE
from infra.department.meetings_story import days_at
from infra.department.resolve import resolve
from infra.department.survey import Survey
from infra.department.webhooks import webhooks

_LINES = 20
"""Of differences within the department; more say no more."""

_TOLD_ELSEWHERE = ("version", "schema", "meetings.standups", f"names.{OF_FILE}")


def drift(survey: Survey, book: RuleBook, now: datetime, base: str | None) -> Iterator[Change]:
    """Line by line, in the order in which apply works. `base` None: nobody said where the webhooks are to go."""
    is_pending = False
    for _, works in survey.crm():
        for work in works:
            is_pending = is_pending or bool(work.requests)
            yield from work.changes
    if base is not None:
        for work in webhooks(survey.file, survey.hooks, base):
            yield from work.changes
    yield from _stored(survey, is_pending=is_pending)
    yield from _rules(survey, book, now)
    yield from _standups(survey)


def is_something(line: Change) -> bool:
    """Whether apply would do something about it."""
    return line.mark is not Mark.SAME


def _stored(survey: Survey, *, is_pending: bool) -> Iterator[Change]:
    known = survey.known
    if known is None:
        yield Change(Mark.NEW, f"department «{survey.file.spec.department}», version 1")
        return
    name = f"department «{survey.file.spec.department}»"
    if is_pending:
        yield Change(Mark.CHANGED, f"{name}: version {known.version + 1}, with the above")
        return
    wanted = replace(resolve(survey.file, survey.directory, known), version=known.version)
    if wanted == known:
        yield Change(Mark.SAME, f"{name}, version {known.version}")
        return
    yield Change(Mark.CHANGED, f"{name}: version {known.version + 1}")
    lines = list(differences(known, wanted))
    yield from (Change(Mark.CHANGED, f"  {line}") for line in islice(lines, _LINES))
    if len(lines) > _LINES:
        yield Change(Mark.CHANGED, f"  and {len(lines) - _LINES} more")


def differences(before: Department, after: Department) -> Iterator[str]:
    """`teams.lead_desk.members.anna@oknaplus.example.max_open: 40 → 50`"""
    old, new = (dict(_flat(encode(each), "")) for each in (before, after))
    for path in old | new:
        if old.get(path) != new.get(path) and not path.startswith(_TOLD_ELSEWHERE):
            yield f"{path}: {_shown(old.get(path))} → {_shown(new.get(path))}"


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner: Mapping[str, Any] | None = None
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        inner = {_key_of(each, place): each for place, each in enumerate(value)}
    if inner is None:
        yield path, value
        return
    for key, each in inner.items():
        yield from _flat(each, f"{path}.{key}" if path else key)


def _key_of(row: Mapping[str, Any], place: int) -> str:
    """By which people know the members of a list."""
    known = (row.get(key) for key in ("email", "role", "channel", "name", "id"))
    return next((each for each in known if isinstance(each, str)), str(place + 1))


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "", [], {}) else ", ".join(map(str, value)) if _is_list(value) else str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _rules(survey: Survey, book: RuleBook, now: datetime) -> Iterator[Change]:
    coming = next_book(survey.file.care, book, now)
    if coming is None:
        if book.version:
            yield Change(Mark.SAME, f"rules of aftercare, version {book.version}")
        return
    lines = list(changes(book, coming))
    yield from lines
    yield Change(Mark.CHANGED if book.version else Mark.NEW, f"rules of aftercare: version {book.version + 1}")


def _standups(survey: Survey) -> Iterator[Change]:
    """The calendar follows the stored department within minutes, so that is what the file is compared with."""
    known, wanted = survey.known and survey.known.meetings, survey.file.meetings
    before = {standup.key: standup for standup in (known.standups if known else ())}
    after = {standup.key: standup for standup in (wanted.standups if wanted else ())}
    for key, standup in after.items():
        old = before.get(key)
        if old is None:
            yield Change(Mark.NEW, _standup(standup))
        elif old != standup:
            yield Change(Mark.CHANGED, f"{_standup(standup)}, was {_when(old)}")
        else:
            yield Change(Mark.SAME, _standup(standup))
    yield from (Change(Mark.GONE, _standup(before[key])) for key in before if key not in after)


def _standup(standup: Standup) -> str:
    return f"stand-up «{standup.name}» of {standup.team}, {_when(standup)}"


def _when(standup: Standup) -> str:
    recorded = ", recorded" if standup.is_recorded else ""
    return f"{days_at(standup, 'en')} {standup.zone.key}, {standup.minutes} min{recorded}"
