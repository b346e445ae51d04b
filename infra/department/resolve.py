"""From names and e-mails to amoCRM ids."""

from __future__ import annotations

from collections.abc import Iterator

from functions.shared.crm import User
from functions.shared.department import Department, FirstAnswer, Member, Pipeline, Team
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department.directory import Directory, not_admin
from infra.department.file import DepartmentFile
from infra.department.match import Match, match
from infra.department.meetings_resolve import plan_of, unknown_task_type
from infra.department.plan import PipelinePlan
from infra.department.preset import MODELS
from infra.department.schema import MemberSpec, TeamSpec
from infra.department.suggest import nearest

PIPELINES_AT_MOST = 50
"""In an account (amoCRM API: limits)."""


def check_account(file: DepartmentFile, directory: Directory, known: Department | None = None) -> list[Finding]:
    """Is this the file's account, is everybody a user of it, does it have the task type that the file names and room
    for our pipelines, and does nothing else bear the name of a field that Conveyor needs? Returns notices; raises
    DepartmentInvalid, and NotConfigured where the token may not set an account up."""
    if not directory.is_admin:
        raise not_admin()
    findings = list(wrong(file, directory, match(file, directory, known)))
    if findings:
        raise DepartmentInvalid(findings)
    return list(_unable(file, directory))


def resolve(file: DepartmentFile, directory: Directory, known: Department | None = None) -> Department:
    """The department with amoCRM's ids, as version 0. `known` is the one in force, by whose ids renamed things are
    found again. Raises DepartmentInvalid for whatever amoCRM does not have."""
    matched = match(file, directory, known)
    findings = [*wrong(file, directory, matched), *_missing(file, matched)]
    if findings:
        raise DepartmentInvalid(findings)
    spec = file.spec
    return Department(
        version=0,
        name=spec.department,
        subdomain=directory.subdomain,
        account_id=directory.account_id,
        timezone=spec.timezone,
        language=spec.language,
        model=spec.model,
        teams=tuple(
            _team(file, directory, name, team, levels)
            for (name, team), levels in zip(spec.teams.items(), MODELS[spec.model], strict=True)
        ),
        pipelines=tuple(_pipeline(plan, matched) for plan in file.pipelines),
        channel_rules=file.channel_rules,
        distributes=frozenset(spec.distribute.pipelines),
        loss_reasons=matched.below("reason"),
        routes=file.routes,
        refunds=frozenset(spec.refunds),
        hop_limit=spec.hop_limit,
        answers=matched.below("answer"),
        answer_field=matched.fields["answer"].id,
        origin_field=matched.fields["origin"].id,
        head=directory.users[spec.head].id if spec.head else None,
        marketing=directory.users[spec.marketing].id if spec.marketing else None,
        merging=file.merging,
        country=file.country,
        names=dict(matched.names),
        meetings=plan_of(file, directory, matched),
    )


def wrong(file: DepartmentFile, directory: Directory, matched: Match) -> Iterator[Finding]:
    """What only people can put right."""
    yield from _wrong_account(file, directory)
    yield from _strangers(file, directory)
    yield from _no_room(file, directory, matched)
    yield from _other_fields(file, matched)
    yield from unknown_task_type(file, directory)


def _wrong_account(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    account = file.spec.amocrm.account
    if account.partition(".")[0] != directory.subdomain.casefold():
        remedy = f"the token belongs to {directory.subdomain}: correct the address or use the other account's token"
        yield Finding("amocrm.account", file.document.line(("amocrm", "account")), repr(account), remedy)


def _strangers(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    for email, line in file.people.items():
        if email not in directory.users:
            guess = nearest(email, directory.users)
            other = f", or did you mean {guess}?" if guess else " or correct the e-mail"
            remedy = f"invite this person in amoCRM (Settings, Users){other}"
            yield Finding("users", line, f"{email!r} is no user of {directory.subdomain}", remedy)


def _no_room(file: DepartmentFile, directory: Directory, matched: Match) -> Iterator[Finding]:
    missing = [plan.name for plan in file.pipelines if plan.role not in matched.pipelines]
    there = len(directory.all_pipelines)
    if missing and there + len(missing) > PIPELINES_AT_MOST:
        value = f"{there} are there, and {', '.join(f'«{name}»' for name in missing)} would be more than"
        remedy = "delete some that nobody needs in amoCRM, or name existing ones under `pipelines:` in department.yaml"
        yield Finding("pipelines", None, f"{value} the {PIPELINES_AT_MOST} that an account may have", remedy)


def _other_fields(file: DepartmentFile, matched: Match) -> Iterator[Finding]:
    for key, found in matched.fields.items():
        kind = file.fields[file.field_names[key]]
        if found.kind != kind:
            remedy = f"rename or delete this field of leads in amoCRM: apply makes one of type {kind}"
            yield Finding("custom fields", None, f"{found.name!r} is of type {found.kind}", remedy)


def _unable(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    """Users who get no leads as amoCRM stands now; the functions look again each time."""
    for email, line in file.people.items():
        user = directory.users[email]
        if not user.is_active:
            remedy = "gets no leads until switched on in amoCRM"
            yield Finding("users", line, f"{email!r} is switched off in amoCRM", remedy)
        elif not user.may_edit_leads:
            remedy = "gets no leads until the role allows it in amoCRM"
            yield Finding("users", line, f"{email!r} may not edit leads in amoCRM", remedy)


def _missing(file: DepartmentFile, matched: Match) -> Iterator[Finding]:
    remedy = "`conveyor apply` creates it"
    for plan in file.pipelines:
        if plan.role not in matched.pipelines:
            yield Finding("pipelines", None, f"{plan.name!r} is not in amoCRM", remedy)
            continue
        for stage in plan.stages:
            if f"{plan.role}.{stage.key}" not in matched.ids:
                yield Finding("pipelines", None, f"stage {stage.name!r} is not in {plan.name!r}", remedy)
    for key, name in file.loss_reasons.items():
        if f"reason.{key}" not in matched.ids:
            yield Finding("loss reasons", None, f"{name!r} is not in amoCRM", remedy)
    for key, name in file.field_names.items():
        if key not in matched.fields:
            yield Finding("custom fields", None, f"{name!r} is not in amoCRM", remedy)
    answer_field = matched.fields.get("answer")
    if answer_field and answer_field.kind == file.fields[file.answer_field]:
        for key, name in file.answers.items():
            if f"answer.{key}" not in matched.ids:
                yield Finding("custom fields", None, f"{file.answer_field!r} cannot be {name!r}", remedy)


def _team(file: DepartmentFile, directory: Directory, name: str, team: TeamSpec, levels: frozenset[int]) -> Team:
    def user_id(email: str | None) -> int | None:
        return None if email is None else directory.users[email].id

    answer = team.first_answer
    return Team(
        name=name,
        levels=levels,
        members=tuple(_member(file, team, member, directory.users[member.email]) for member in team.members),
        first_answer=FirstAnswer(answer.within, answer.reassign, user_id(answer.escalate_to)),
        duty=user_id(team.duty),
        duty_name=directory.users[team.duty].name if team.duty else "",
    )


def _member(file: DepartmentFile, team: TeamSpec, member: MemberSpec, user: User) -> Member:
    """What the member does not say is the team's, what the team does not say is the department's."""
    return Member(
        user_id=user.id,
        email=member.email,
        name=user.name,
        weight=member.weight,
        hours=member.hours or team.hours,
        timezone=member.timezone or team.timezone or file.spec.timezone,
        max_open=member.max_open,
        max_per_day=member.max_per_day,
        channels=frozenset(member.channels),
        paused=member.paused,
    )


def _pipeline(plan: PipelinePlan, matched: Match) -> Pipeline:
    found, stages = matched.pipelines[plan.role], matched.below(plan.role)
    return Pipeline(
        role=plan.role,
        id=found.id,
        name=found.name,
        entry_status_id=next(iter(stages.values())),
        unsorted_status_id=found.unsorted_status_id,
        stages=stages,
    )
