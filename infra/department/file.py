"""department.yaml from text to a checked specification, with everything that is wrong found in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from functions.shared.department import ChannelRule, Merging, Place, Route
from functions.shared.errors import DepartmentInvalid, Finding
from infra.department import checks, meetings_checks
from infra.department.care import Care, read_care
from infra.department.care_spec import AftercareSpec
from infra.department.document import Document, read
from infra.department.findings import findings_of
from infra.department.meetings import Meetings, read_meetings
from infra.department.meetings_spec import MeetingsSpec, switched
from infra.department.plan import PipelinePlan, plan_pipelines
from infra.department.preset import ANSWER_FIELD, ANSWERS, LOSS_REASONS, ORIGIN_FIELD
from infra.department.routes import Routes, read_routes
from infra.department.salvage import Right, what_is_right
from infra.department.schema import DepartmentSpec, RoutingSpec


@dataclass(frozen=True)
class DepartmentFile:
    """A valid file. `routes` and the rules of `care` are those in force: the preset's with the file's changes, then the
    file's own. `notices` are what its owner should know although nothing is wrong."""

    spec: DepartmentSpec
    document: Document
    routes: tuple[Route, ...]
    care: Care
    notices: tuple[Finding, ...]
    meetings: Meetings | None = None

    @property
    def pipelines(self) -> tuple[PipelinePlan, ...]:
        return plan_pipelines(self.spec)

    @property
    def loss_reasons(self) -> dict[str, str]:
        """Names by key."""
        return {key: self._worded(ru, en) for key, ru, en in LOSS_REASONS}

    @property
    def fields(self) -> dict[str, str]:
        """The custom fields of leads that Conveyor needs: amoCRM's type by name."""
        calls = self.meetings.calls if self.meetings else None
        return {self.answer_field: "select", self.origin_field: "url", **(calls.fields if calls else {})}

    @property
    def field_names(self) -> dict[str, str]:
        """The names of `fields` by what they are for."""
        calls = self.meetings.calls if self.meetings else None
        named = {"link": calls.link_field, "zone": calls.zone_field, "moment": calls.field} if calls else {}
        of_calls = {key: name for key, name in named.items() if name is not None}
        return {"answer": self.answer_field, "origin": self.origin_field, **of_calls}

    @property
    def answers(self) -> dict[str, str]:
        """What the field `answer_field` may say: names by key."""
        return {key: self._worded(ru, en) for key, ru, en in ANSWERS}

    @property
    def answer_field(self) -> str:
        """The name of the field that says how the qualification ended."""
        return self._worded(*ANSWER_FIELD)

    @property
    def origin_field(self) -> str:
        """The name of the field with the address of the card that a copy comes from."""
        return self._worded(*ORIGIN_FIELD)

    @property
    def names(self) -> dict[str, str]:
        """What people call things, see Department.names."""
        pipelines = {f"pipeline.{plan.role}": plan.name for plan in self.pipelines}
        fields = {f"field.{key}": name for key, name in self.field_names.items()}
        stages = {str(Place(plan.role, stage.key)): stage.name for plan in self.pipelines for stage in plan.stages}
        reasons = {f"reason.{key}": name for key, name in self.loss_reasons.items()}
        answers = {f"answer.{key}": name for key, name in self.answers.items()}
        return pipelines | stages | reasons | fields | answers

    @property
    def country(self) -> str:
        """Where phones without a country code are from; ZZ, the unknown country of phone numbers, where nobody says."""
        return self.spec.country or ("RU" if self.spec.language == "ru" else "ZZ")

    @property
    def merging(self) -> Merging:
        return Merging(self.spec.merging.mode, self.spec.merging.per_day)

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
        named = {"head": self.spec.head, "marketing": self.spec.marketing}
        lines = {email: self.document.line((key,)) for key, email in named.items() if email is not None}
        for name, team in self.spec.teams.items():
            for index, member in enumerate(team.members):
                lines.setdefault(member.email, self.document.line(("teams", name, "members", index, "email")))
            told = team.first_answer.escalate_to
            for path, email in {("duty",): team.duty, ("first_answer", "escalate_to"): told}.items():
                if email is not None:
                    lines.setdefault(email, self.document.line(("teams", name, *path)))
        return lines

    def _worded(self, russian: str, english: str) -> str:
        return russian if self.spec.language == "ru" else english


def load(source: Path | str) -> DepartmentFile:
    """Read a file (Path) or its text (str). Raises DepartmentInvalid with all findings, in the order of the file."""
    document = read(_text_of(source) if isinstance(source, Path) else source)
    findings = [*document.findings, *checks.consistency(document)]
    routes = Routes()
    care = Care()
    spec: DepartmentSpec | None = None
    if document.data is None:
        findings.append(Finding("file", None, "is empty", "begin with department.example.yaml"))
    elif not isinstance(document.data, dict):
        findings.append(Finding("file", 1, "is no mapping", "begin with department: and the name of the firm"))
    else:
        try:
            spec = DepartmentSpec.model_validate(document.data)
        except ValidationError as error:
            findings += findings_of(error, document)
            right = what_is_right(document.data, error)
            routes = _routes(right, document)
            findings += _rules_of_wrong_file(document)
            findings += _wrong_meetings(document, right.spec, routes)
        else:
            routes = _routes(Right(spec), document)
            care, wrong_rules = read_care(spec.aftercare, document, spec.language)
            findings += wrong_rules
            findings += _wrong_meetings(document, spec, routes)
    findings += routes.findings
    if spec is None or findings:
        raise DepartmentInvalid(sorted(findings, key=lambda finding: finding.line or 0))
    of_meetings = meetings_checks.notices(spec.meetings, document) if spec.meetings else ()
    notices = (*checks.notices(spec, document), *routes.notices, *of_meetings)
    return DepartmentFile(spec, document, tuple(routes.routes), care, notices, read_meetings(spec))


def _routes(right: Right, document: Document) -> Routes:
    """The routes with all that is wrong about them. Where some are missing, nobody can say that a way is missing."""
    spec = right.spec
    if spec is None:
        return Routes()
    pipelines = plan_pipelines(spec)
    routes = read_routes(spec, pipelines, document, right.spoilt)
    routes.findings += checks.name_clashes(pipelines, document)
    routes.findings += checks.state_machine(routes, spec, pipelines, document)
    if right.is_whole and not routes.findings:
        routes.findings += checks.whole_machine(routes, spec, document)
    return routes


def _rules_of_wrong_file(document: Document) -> list[Finding]:
    """What is wrong with the rules of aftercare where something else is wrong, too; nothing if it is their section."""
    given = document.data.get("aftercare")
    try:
        spec = AftercareSpec.model_validate(given) if given is not None else None
    except ValidationError:
        return []
    language = "en" if document.data.get("language") == "en" else "ru"
    return read_care(spec, document, language)[1]


def _wrong_meetings(document: Document, spec: RoutingSpec | None, routes: Routes) -> list[Finding]:
    """What is wrong with the meetings; nothing if their section cannot be read at all, which is told elsewhere. `spec`
    None: something is wrong with the pipelines."""
    try:
        given = switched(document.data.get("meetings", "off"))
        meetings = MeetingsSpec.model_validate(given) if given is not None else None
    except ValueError:
        return []
    if meetings is None:
        return []
    pipelines = plan_pipelines(spec) if spec else ()
    language = spec.language if spec else "ru"
    return list(meetings_checks.mistakes(meetings, language, pipelines, routes.routes, document))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DepartmentInvalid([Finding(path.name, *_encoding_of(path.read_bytes()))]) from error
    except OSError as error:
        remedy = "copy department.example.yaml and fill it in"
        raise DepartmentInvalid([Finding(path.name, None, str(error.strerror), remedy)]) from error


def _encoding_of(content: bytes) -> tuple[int | None, str, str]:
    """(line, value, remedy) for a text that is not UTF-8; Windows editors save Russian as CP1251 or UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, "is UTF-16", "save it as UTF-8: in Notepad «Save as», Encoding: UTF-8"
    number, line = next((at, line) for at, line in enumerate(content.splitlines(), start=1) if not _is_utf8(line))
    text = line.decode("cp1251", errors="ignore")
    if re.search("[а-яё]{2}", text, re.IGNORECASE):
        remedy = "save it as UTF-8: in Notepad «Save as», Encoding: UTF-8; or `iconv -f cp1251 -t utf-8`"
        return number, f"is not UTF-8 but Windows-1251 (CP1251), as in {text.strip()!r}", remedy
    return number, "is not UTF-8", "save the file as UTF-8 text"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
