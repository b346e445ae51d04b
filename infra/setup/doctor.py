"""Is the installation well? One check after the other, each with its remedy; nothing is written.

A check that failed keeps those from being made that could only say the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.shared.absence import Absence
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.care import RuleBook
from functions.shared.clock import Clock
from functions.shared.department import Team
from functions.shared.errors import ConveyorError, DepartmentInvalid
from infra.department.directory import Directory, not_admin, read_directory
from infra.department.drift import drift, is_something
from infra.department.file import DepartmentFile
from infra.department.match import match
from infra.department.resolve import wrong
from infra.department.survey import Survey
from infra.department.webhooks import Hook, fault, hooks_of, read_hooks
from infra.meetings.doctor import Check

WEEK = timedelta(days=7)
STEP = timedelta(minutes=15)
"""Hours are looked at in steps of the shortest shift that anybody would write down."""

LARGEST_DIFFERENCE = timedelta(seconds=60)
"""Of the clocks: fifteen minutes for the first answer are not measured better by any of them."""


@dataclass(frozen=True)
class Patient:
    """What is examined. `hooks` None: nobody says where they go. `crm_time` asks amoCRM for its time, None where it
    does not say; `absences` are those of a team by its name."""

    file: DepartmentFile
    client: AmoCrmClient
    departments: Departments
    book: Callable[[], RuleBook]
    absences: Callable[[str], Sequence[Absence]]
    crm_time: Callable[[], datetime | None]
    hooks: str | None = None


def examine(patient: Patient, clock: Clock) -> Iterator[Check]:
    """The checks of amoCRM and of the department, in the order in which their remedies help."""
    try:
        directory = read_directory(patient.client)
        if not directory.is_admin:
            raise not_admin()
    except ConveyorError as error:
        yield Check("amoCRM's token", False, str(error))
        return
    yield Check("amoCRM's token", True, f"works, and is an administrator's of {directory.subdomain}")
    yield _clock(patient.crm_time, clock)
    try:
        known = patient.departments.current() if patient.departments.newest_version() else None
    except ConveyorError as error:
        yield Check("table", False, str(error))
        return
    findings = list(wrong(patient.file, directory, match(patient.file, directory, known)))
    yield from (Check(finding.where, False, f"{finding.value}: {finding.remedy}") for finding in findings)
    if not findings:
        yield Check("account", True, f"{directory.subdomain} is that of the file, and has all its people")
    yield from _people(patient.file, directory)
    hooks, trouble = _read_hooks(patient)
    yield from [trouble] if trouble else _hooks(patient.file, hooks)
    if known is not None:
        yield from (_hours(team, patient.absences(team.name), clock.now()) for team in known.teams)
    if not findings:
        yield _department(Survey(patient.file, directory, known, hooks, ()), patient, clock.now())


def _clock(crm_time: Callable[[], datetime | None], clock: Clock) -> Check:
    theirs = crm_time()
    if theirs is None:
        return Check("clock", None, "amoCRM does not say what time it has")
    seconds = round((clock.now() - theirs).total_seconds())
    if abs(seconds) <= LARGEST_DIFFERENCE.total_seconds():
        return Check("clock", True, f"{abs(seconds)} s from amoCRM's")
    words = (
        f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} amoCRM's: let this computer set it by network time"
    )
    return Check("clock", False, words)


def _people(file: DepartmentFile, directory: Directory) -> Iterator[Check]:
    users = [directory.users[email] for email in file.people if email in directory.users]
    for user in users:
        if not user.is_active:
            yield Check("people", False, f"{user.email} is switched off in amoCRM: switch on (Settings, Users)")
        elif not user.may_edit_leads:
            yield Check("people", False, f"{user.email} may not edit leads: the role in amoCRM must allow it")
    if all(user.is_active and user.may_edit_leads for user in users):
        yield Check("people", True, f"{len(users)} users are active and may edit leads")


def _read_hooks(patient: Patient) -> tuple[dict[str, Hook], Check | None]:
    """What is there, and what is wrong with the asking."""
    if patient.hooks is None:
        return {}, Check("webhooks", None, "nobody says where they go: give --stack with the hook token, or --hook-url")
    try:
        return read_hooks(patient.client, patient.hooks), None
    except ConveyorError as error:
        return {}, Check("webhooks", False, str(error))


def _hooks(file: DepartmentFile, found: dict[str, Hook]) -> Iterator[Check]:
    wanted = hooks_of(file)
    remedy = "`conveyor apply` makes it anew"
    for name, settings in wanted.items():
        hook = found.get(name)
        if words := fault(hook, settings) if hook else "is not there":
            yield Check(f"webhook /{name}", False, f"{words}: {remedy}")
    if not any(name not in found or fault(found[name], settings) for name, settings in wanted.items()):
        yield Check("webhooks", True, f"{len(wanted)} are there and on")


def _hours(team: Team, absences: Sequence[Absence], now: datetime) -> Check:
    """Is anybody there within a week to take a lead?"""
    name = f"hours of {team.name}"
    there = [member for member in team.members if not member.paused]
    if not there:
        return Check(name, False, "everybody is paused: take `paused: true` from somebody, or leads wait for good")
    steps = [now + number * STEP for number in range(WEEK // STEP)]
    manned = [
        moment
        for moment in steps
        if any(
            member.hours.is_open(moment, member.timezone)
            and not any(away.user_id == member.user_id and away.covers(moment) for away in absences)
            for member in there
        )
    ]
    if not manned:
        remedy = "correct `hours:`, end an absence with `conveyor back`, or name a `duty:` for the team"
        return Check(name, None if team.duty else False, f"nobody is on shift within 7 days: {remedy}")
    hours = len(manned) * STEP / timedelta(hours=1)
    return Check(name, True, f"somebody is on shift in {hours:.0f} of the next 168 hours")


def _department(survey: Survey, patient: Patient, now: datetime) -> Check:
    if survey.known is None:
        return Check("department", False, "none is in force: `conveyor apply`")
    try:
        lines = [line for line in drift(survey, patient.book(), now, None) if is_something(line)]
    except DepartmentInvalid as error:
        return Check("department", False, str(error))
    if lines:
        words = f"the file and what is in force differ in {len(lines)} lines: `conveyor plan --against` tells them"
        return Check("department", False, f"{words}, `conveyor apply` makes them equal")
    return Check("department", True, f"version {survey.known.version} is what the file says")
