"""department.yaml from text to a checked specification, with everything that is wrong found in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from functions.shared.department import ChannelRule
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department import checks
from infra.department.document import Document, read
from infra.department.findings import findings_of
from infra.department.plan import PipelinePlan, StagePlan
from infra.department.preset import LOSS_REASONS, PIPELINES, PipelinePreset
from infra.department.schema import DepartmentSpec


@dataclass(frozen=True)
class DepartmentFile:
    """A valid file. `notices` are what its owner should know although nothing is wrong."""

    spec: DepartmentSpec
    document: Document
    notices: tuple[Finding, ...]

    @property
    def pipelines(self) -> tuple[PipelinePlan, ...]:
        return tuple(_pipeline_plan(self.spec, preset) for preset in PIPELINES)

    @property
    def loss_reasons(self) -> dict[str, str]:
        """Names by key."""
        return {key: ru if self.spec.language == "ru" else en for key, ru, en in LOSS_REASONS}

    @property
    def channel_rules(self) -> tuple[ChannelRule, ...]:
        """The firm's own rules, in the file's order."""
        return tuple(
            ChannelRule(
                channel=channel,
                categories=frozenset(source.categories),
                services=frozenset(source.services),
                source_ids=frozenset(source.source_ids),
                source_names=frozenset(source.source_names),
                tags=frozenset(source.tags),
            )
            for channel, source in self.spec.sources.items()
        )

    @property
    def people(self) -> dict[str, int | None]:
        """The line of every e-mail that must be an amoCRM user, by e-mail, in the file's order."""
        lines: dict[str, int | None] = {}
        for name, team in self.spec.teams.items():
            for index, member in enumerate(team.members):
                lines.setdefault(member.email, self.document.line(("teams", name, "members", index, "email")))
            told = team.first_answer.escalate_to
            for path, email in {("duty",): team.duty, ("first_answer", "escalate_to"): told}.items():
                if email is not None:
                    lines.setdefault(email, self.document.line(("teams", name, *path)))
        return lines


def load(source: Path | str) -> DepartmentFile:
    """Read a file (Path) or its text (str). Raises DepartmentInvalid with all findings, in the order of the file."""
    document = read(_text_of(source) if isinstance(source, Path) else source)
    findings = [*document.findings, *checks.consistency(document)]
    if document.data is None:
        findings.append(Finding("file", None, "is empty", "begin with department.example.yaml"))
    elif not isinstance(document.data, dict):
        findings.append(Finding("file", 1, "is no mapping", "begin with department: and the name of the firm"))
    else:
        try:
            spec = DepartmentSpec.model_validate(document.data)
        except ValidationError as error:
            findings += findings_of(error, document)
    if findings:
        raise DepartmentInvalid(sorted(findings, key=lambda finding: finding.line or 0))
    file = DepartmentFile(spec, document, tuple(checks.notices(spec, document)))
    if clashes := list(checks.name_clashes(file.pipelines, document)):
        raise DepartmentInvalid(clashes)
    return file


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DepartmentInvalid([Finding(path.name, None, "is not UTF-8", "save the file as UTF-8 text")]) from error
    except OSError as error:
        remedy = "copy department.example.yaml and fill it in"
        raise DepartmentInvalid([Finding(path.name, None, str(error.strerror), remedy)]) from error


def _pipeline_plan(spec: DepartmentSpec, preset: PipelinePreset) -> PipelinePlan:
    given = next((given for role, given in spec.pipelines.items() if role == preset.role), None)
    is_russian = spec.language == "ru"
    stages = tuple(StagePlan(stage.key, stage.ru if is_russian else stage.en, stage.color) for stage in preset.stages)
    if given and given.stages:
        stages = tuple(StagePlan(key, stage.name, stage.color) for key, stage in given.stages.items())
    name = given.name if given and given.name else preset.ru if is_russian else preset.en
    # requests that nobody gives out would lie in «Неразобранное» unseen, so it stands only where leads are given out
    return PipelinePlan(preset.role, name, preset.unsorted or preset.role in spec.distribute.pipelines, stages)
