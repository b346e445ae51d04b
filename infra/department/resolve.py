"""From names and e-mails to amoCRM ids."""

from __future__ import annotations

from collections.abc import Iterator

from functions.shared.crm import User
from functions.shared.department import Department, FirstAnswer, Member, Pipeline, Team
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department.directory import CrmPipeline, Directory
from infra.department.file import DepartmentFile
from infra.department.meetings_resolve import plan_of, unknown_task_type
from infra.department.plan import PipelinePlan
from infra.department.preset import MODELS
from infra.department.schema import MemberSpec, TeamSpec
from infra.department.suggest import nearest


def check_account(file: DepartmentFile, directory: Directory) -> list[Finding]:
    """Is this the file's account, is everybody a user of it, does it have the task type that the file names, and does
    nothing else bear the name of a field that Conveyor needs? Returns notices; raises DepartmentInvalid."""
    findings = list(_wrong(file, directory))
    if findings:
        raise DepartmentInvalid(findings)
    return list(_unable(file, directory))


def resolve(file: DepartmentFile, directory: Directory) -> Department:
    """The department with amoCRM's ids, as version 0. Raises DepartmentInvalid for whatever amoCRM does not have."""
    findings = [*_wrong(file, directory), *_missing(file, directory)]
    if findings:
        raise DepartmentInvalid(findings)
    spec = file.spec
    answer_field = directory.fields[file.answer_field.casefold()]
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
        pipelines=tuple(_pipeline(plan, directory.pipelines[plan.name.casefold()]) for plan in file.pipelines),
        channel_rules=file.channel_rules,
        distributes=frozenset(spec.distribute.pipelines),
        loss_reasons={key: directory.loss_reasons[name.casefold()] for key, name in file.loss_reasons.items()},
        routes=file.routes,
        refunds=frozenset(spec.refunds),
        hop_limit=spec.hop_limit,
        answers={key: answer_field.choices[name.casefold()] for key, name in file.answers.items()},
        answer_field=answer_field.id,
        origin_field=directory.fields[file.origin_field.casefold()].id,
        head=directory.users[spec.head].id if spec.head else None,
        marketing=directory.users[spec.marketing].id if spec.marketing else None,
        merging=file.merging,
        country=file.country,
        names=file.names,
        meetings=plan_of(file, directory),
    )


def _wrong(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    """What only people can put right."""
    yield from _wrong_account(file, directory)
    yield from _strangers(file, directory)
    yield from _other_fields(file, directory)
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


def _other_fields(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    for name, kind in file.fields.items():
        found = directory.fields.get(name.casefold())
        if found is not None and found.kind != kind:
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


def _missing(file: DepartmentFile, directory: Directory) -> Iterator[Finding]:
    remedy = "`conveyor apply` creates it"
    for plan in file.pipelines:
        pipeline = directory.pipelines.get(plan.name.casefold())
        if pipeline is None:
            yield Finding("pipelines", None, f"{plan.name!r} is not in amoCRM", remedy)
            continue
        for stage in plan.stages:
            if stage.name.casefold() not in pipeline.stages:
                yield Finding("pipelines", None, f"stage {stage.name!r} is not in {plan.name!r}", remedy)
    for name in file.loss_reasons.values():
        if name.casefold() not in directory.loss_reasons:
            yield Finding("loss reasons", None, f"{name!r} is not in amoCRM", remedy)
    for name in file.fields:
        if name.casefold() not in directory.fields:
            yield Finding("custom fields", None, f"{name!r} is not in amoCRM", remedy)
    answer_field = directory.fields.get(file.answer_field.casefold())
    if answer_field and answer_field.kind == file.fields[file.answer_field]:
        for name in file.answers.values():
            if name.casefold() not in answer_field.choices:
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


def _pipeline(plan: PipelinePlan, found: CrmPipeline) -> Pipeline:
    stages = {stage.key: found.stages[stage.name.casefold()] for stage in plan.stages}
    return Pipeline(
        role=plan.role,
        id=found.id,
        name=found.name,
        entry_status_id=next(iter(stages.values())),
        unsorted_status_id=found.unsorted_status_id,
        stages=stages,
    )
