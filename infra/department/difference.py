"""What amoCRM lacks of a department, thing by thing, and the requests that would make it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from infra.department.changes import Change, Mark, Request, Work, same
from infra.department.directory import CrmField, CrmPipeline, Directory
from infra.department.file import DepartmentFile
from infra.department.match import OF_FILE, Match
from infra.department.plan import PipelinePlan, StagePlan

_STEP = 10
"""Between the places of two stages, as amoCRM numbers its own."""


def pipelines(file: DepartmentFile, matched: Match) -> Iterator[Work]:
    """All missing pipelines in one request, then what existing ones lack."""
    missing = [plan for plan in file.pipelines if plan.role not in matched.pipelines]
    if missing:
        places = {plan.role: (number + 1) * _STEP for number, plan in enumerate(file.pipelines)}
        body = [_new_pipeline(plan, places[plan.role]) for plan in missing]
        changes = tuple(chain.from_iterable(map(_told, missing)))
        yield Work(changes, (Request("POST", "leads/pipelines", body),))
    for plan in file.pipelines:
        if found := matched.pipelines.get(plan.role):
            yield from _completed(plan, found, matched)


def loss_reasons(file: DepartmentFile, directory: Directory, matched: Match) -> Iterator[Work]:
    missing = [name for key, name in file.loss_reasons.items() if f"reason.{key}" not in matched.ids]
    if missing:
        told = (Change(Mark.NEW, f"loss reason «{name}»", f"created loss reason «{name}»") for name in missing)
        yield Work(tuple(told), (Request("POST", "leads/loss_reasons", [{"name": name} for name in missing]),))
    for key, name in file.loss_reasons.items():
        if id_ := matched.ids.get(f"reason.{key}"):
            renaming = Request("PATCH", "leads/loss_reasons", [{"id": id_, "name": name}])
            yield _named(f"reason.{key}", "loss reason", directory.reasons[id_], name, matched, renaming)


def fields(file: DepartmentFile, matched: Match) -> Iterator[Work]:
    """All missing fields in one request, then the choices that an existing one lacks."""
    missing = [name for key, name in file.field_names.items() if key not in matched.fields]
    if missing:
        told = (
            Change(Mark.NEW, f"field of leads «{name}» ({file.fields[name]})", f"created the field «{name}» of leads")
            for name in missing
        )
        yield Work(tuple(told), (Request("POST", "leads/custom_fields", [_new_field(file, name) for name in missing]),))
    for key, found in matched.fields.items():
        name = file.field_names[key]
        yield same(f"field of leads «{found.name}»{_otherwise(f'field.{key}', name, matched)}")
    if "answer" in matched.fields:
        yield from _choices(file, matched.fields["answer"], matched)


def _choices(file: DepartmentFile, found: CrmField, matched: Match) -> Iterator[Work]:
    lacking = [name for key, name in file.answers.items() if f"answer.{key}" not in matched.ids]
    if lacking:
        # a choice that is not sent again with its id counts as deleted (amoCRM API: custom fields)
        last = max((int(enum["sort"]) for enum in found.enums), default=0)
        added = [{"value": name, "sort": last + (number + 1) * _STEP} for number, name in enumerate(lacking)]
        told = (
            Change(Mark.NEW, f"  choice «{name}» of «{found.name}»", f"added «{name}» to the field «{found.name}»")
            for name in lacking
        )
        body = {"enums": [*found.enums, *added]}
        yield Work(tuple(told), (Request("PATCH", f"leads/custom_fields/{found.id}", body),))


def _completed(plan: PipelinePlan, found: CrmPipeline, matched: Match) -> Iterator[Work]:
    """Missing stages go behind the existing ones: their order in amoCRM is the firm's, and so are their colours."""
    path = f"leads/pipelines/{found.id}"
    key = f"pipeline.{plan.role}"
    yield _named(key, "pipeline", found.name, plan.name, matched, Request("PATCH", path, {"name": plan.name}))
    if plan.unsorted and not found.is_unsorted_on:
        told = Change(
            Mark.CHANGED, f"  «Неразобранное» of «{plan.name}»: on", f"switched «Неразобранное» on in «{plan.name}»"
        )
        yield Work((told,), (Request("PATCH", path, {"is_unsorted_on": True}),))
    colors = {row.id: row.color for row in found.rows}
    missing = []
    for stage in plan.stages:
        id_ = matched.ids.get(f"{plan.role}.{stage.key}")
        if id_ is None:
            missing.append(stage)
            continue
        other = colors.get(id_, stage.color)
        color = f" {stage.color}" if other == stage.color else f" {other}, which stays (the file: {stage.color})"
        renaming = Request("PATCH", f"{path}/statuses/{id_}", {"name": stage.name})
        yield _named(f"{plan.role}.{stage.key}", "  stage", found.names[id_], stage.name, matched, renaming, color)
    if missing:
        body = [_new_stage(stage, found.last_sort + (number + 1) * _STEP) for number, stage in enumerate(missing)]
        changes = (
            Change(Mark.NEW, f"  {_stage(stage)}", f"created stage «{stage.name}» in «{plan.name}»")
            for stage in missing
        )
        yield Work(tuple(changes), (Request("POST", f"{path}/statuses", body),))


def _named(key: str, kind: str, name: str, wanted: str, matched: Match, renaming: Request, more: str = "") -> Work:
    """A thing that is there, by the name it has or by the new one that the file gives it."""
    if matched.new_name(key, name):
        words = f"{kind} «{name}» → «{wanted}»{more}"
        return Work((Change(Mark.CHANGED, words, f"renamed {kind.strip()} «{name}» to «{wanted}»"),), (renaming,))
    return same(f"{kind} «{name}»{more}{_otherwise(key, wanted, matched)}")


def _otherwise(key: str, wanted: str, matched: Match) -> str:
    is_other = f"{OF_FILE}{key}" in matched.names
    return f", renamed in amoCRM, which stays (the file: «{wanted}»)" if is_other else ""


def _told(plan: PipelinePlan) -> Iterator[Change]:
    with_unsorted = ", with «Неразобранное»" if plan.unsorted else ""
    done = f"created pipeline «{plan.name}» with {len(plan.stages)} stages"
    yield Change(Mark.NEW, f"pipeline «{plan.name}»{with_unsorted}", done)
    yield from (Change(Mark.NEW, f"  {_stage(stage)}") for stage in plan.stages)


def _stage(stage: StagePlan) -> str:
    return f"stage «{stage.name}» {stage.color}"


def _new_pipeline(plan: PipelinePlan, sort: int) -> dict[str, Any]:
    stages = [_new_stage(stage, (number + 1) * _STEP) for number, stage in enumerate(plan.stages)]
    return {
        "name": plan.name,
        "sort": sort,
        "is_main": False,
        "is_unsorted_on": plan.unsorted,
        "_embedded": {"statuses": stages},
    }


def _new_stage(stage: StagePlan, sort: int) -> dict[str, Any]:
    return {"name": stage.name, "sort": sort, "color": stage.color}


def _new_field(file: DepartmentFile, name: str) -> dict[str, Any]:
    if name == file.answer_field:
        choices = [{"value": text, "sort": (number + 1) * _STEP} for number, text in enumerate(file.answers.values())]
        return {"name": name, "type": file.fields[name], "enums": choices}
    # people read the address of the original card and should not write another one; the other fields are theirs as well
    return {"name": name, "type": file.fields[name], "is_api_only": name == file.origin_field}
