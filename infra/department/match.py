"""Which of amoCRM's things is which of ours.

By its name, as people set up a department; and what was once ours by its id, so that people may rename it. A name that
was changed in the file means another thing of that name if there is one, else the old one, which is to be renamed.

Things go by the keys of Department.names here: `pipeline.main`, `main.offer`, `reason.spam`, `field.answer`,
`answer.qualified`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.shared.department import Department
from infra.department.directory import CrmField, CrmPipeline, Directory
from infra.department.file import DepartmentFile

OF_FILE = "file:"
"""Before a key of Department.names: what department.yaml calls what people call otherwise."""


@dataclass(frozen=True)
class Before:
    """What the department in force knows: the ids of things, and what the file called them when it was applied."""

    ids: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Department | None) -> Before:
        if known is None:
            return cls()
        ids = {f"pipeline.{pipeline.role}": pipeline.id for pipeline in known.pipelines}
        for pipeline in known.pipelines:
            ids |= {f"{pipeline.role}.{key}": id_ for key, id_ in pipeline.stages.items()}
        ids |= {f"reason.{key}": id_ for key, id_ in known.loss_reasons.items()}
        ids |= {f"answer.{key}": id_ for key, id_ in known.answers.items()}
        ids |= {"field.answer": known.answer_field, "field.origin": known.origin_field}
        if known.meetings and (calls := known.meetings.client_calls):
            moment = calls.stage.field if calls.stage else 0
            ids |= {"field.link": calls.link_field, "field.zone": calls.zone_field, "field.moment": moment}
        # versions of an older Conveyor have no names of pipelines, but always what amoCRM called them
        names = {f"pipeline.{pipeline.role}": pipeline.name for pipeline in known.pipelines} | known.names
        said = {key.removeprefix(OF_FILE): name for key, name in known.names.items() if key.startswith(OF_FILE)}
        return cls(ids, names | said)


@dataclass(frozen=True)
class Match:
    """What amoCRM has of the department; what is missing there is missing here. `pipelines` by role, `fields` by key
    (DepartmentFile.field_names), `ids` of all things and `names` by the keys of Department.names."""

    pipelines: Mapping[str, CrmPipeline]
    fields: Mapping[str, CrmField]
    ids: Mapping[str, int]
    names: Mapping[str, str]

    def below(self, prefix: str) -> dict[str, int]:
        """The ids of one kind of things: `reason`, `answer`, or the role of a pipeline for its stages."""
        return {key.partition(".")[2]: id_ for key, id_ in self.ids.items() if key.partition(".")[0] == prefix}

    def new_name(self, key: str, name: str) -> bool:
        """Whether this thing, which amoCRM calls `name`, is to be renamed since the file has a new name for it."""
        return f"{OF_FILE}{key}" not in self.names and self.names[key].casefold() != name.strip().casefold()


def match(file: DepartmentFile, directory: Directory, known: Department | None) -> Match:
    """`known` is the department in force, None where there is none; that of another account knows nothing of this."""
    before = Before.of(known if known and known.account_id in (0, directory.account_id) else None)
    called = {each.id: each.name for each in directory.all_pipelines}
    ids = settle({f"pipeline.{plan.role}": plan.name for plan in file.pipelines}, called, before)
    by_id = {each.id: each for each in directory.all_pipelines}
    pipelines = {key.partition(".")[2]: by_id[id_] for key, id_ in ids.items()}
    for plan in file.pipelines:
        if found := pipelines.get(plan.role):
            called |= found.names
            ids |= settle({f"{plan.role}.{stage.key}": stage.name for stage in plan.stages}, found.names, before)
    called |= directory.reasons
    ids |= settle({f"reason.{key}": name for key, name in file.loss_reasons.items()}, directory.reasons, before)
    fields_by_id = {each.id: each for each in directory.all_fields}
    named = {each.id: each.name for each in directory.all_fields}
    of_fields = {f"field.{key}": name for key, name in file.field_names.items()}
    field_ids = settle(of_fields, named, before, is_renamed=False)
    fields = {key.partition(".")[2]: fields_by_id[id_] for key, id_ in field_ids.items()}
    choices = fields["answer"].texts if "answer" in fields else {}
    of_answers = {f"answer.{key}": name for key, name in file.answers.items()}
    ids |= field_ids | settle(of_answers, choices, before, is_renamed=False)
    return Match(pipelines, fields, ids, _names(file, ids, called | named | choices, before))


def settle(
    wanted: Mapping[str, str], present: Mapping[int, str], before: Before, *, is_renamed: bool = True
) -> dict[str, int]:
    """The id of each key of `wanted` (names by key) among those `present` (names by id); no thing is two keys' at once,
    and of two with one name it is the older. `is_renamed`: where the file has a new name that nothing bears, the thing
    that bore the old one is meant."""
    ours = {key: before.ids[key] for key in wanted if before.ids.get(key) in present}
    settled = {key: id_ for key, id_ in ours.items() if before.names.get(key) == wanted[key]}
    by_name: dict[str, int] = {}
    for id_ in sorted(present.keys() - settled.values()):
        by_name.setdefault(present[id_].strip().casefold(), id_)
    for key in wanted.keys() - settled.keys():
        if named := by_name.get(wanted[key].casefold()):
            settled[key] = named
    for key in ours.keys() - settled.keys():
        if is_renamed and ours[key] not in settled.values():
            settled[key] = ours[key]
    return {key: settled[key] for key in wanted if key in settled}


def _names(file: DepartmentFile, ids: Mapping[str, int], called: Mapping[int, str], before: Before) -> dict[str, str]:
    """A person's name stands, with what the file says beside it; unless the file has another one than before."""
    names = dict(file.names)
    for key, id_ in ids.items():
        written, name = names[key], called[id_].strip()
        if name.casefold() != written.casefold() and before.names.get(key) == written:
            names[key], names[f"{OF_FILE}{key}"] = name, written
    return names
