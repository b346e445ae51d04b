"""`aftercare:` of department.yaml → rules, feeds and calendar: the preset's, with the file's changes, then its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from functions.aftercare_triggers.rules.fields import RuleError, RuleErrors
from functions.aftercare_triggers.rules.reading import read_rule
from functions.aftercare_triggers.rules.rule import Rule
from functions.shared.care import FeedSpec
from functions.shared.errors import Finding
from infra.department.care_spec import AftercareSpec
from infra.department.document import Document, Path, dotted, read
from infra.department.findings import choice
from infra.department.holidays import holidays

_PRESETS = FilePath(__file__).parent / "care_presets"
_UNPUBLISHED = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for when a rule will take effect, while it is only checked."""

_ONE_TASK = ("task", "action")
"""Two ways to say the same: a file that uses one replaces the preset's other."""


@dataclass(frozen=True)
class Care:
    """`rules` are those in force as documents, complete but for version and the moment they take effect; `read` are the
    same, read. `holidays` and `work_days` are ISO dates."""

    rules: tuple[Mapping[str, Any], ...] = ()
    read: tuple[Rule, ...] = ()
    feeds: tuple[FeedSpec, ...] = ()
    holidays: frozenset[str] = frozenset()
    work_days: frozenset[str] = frozenset()
    ceiling: int = 0


def read_care(spec: AftercareSpec | None, document: Document, language: str) -> tuple[Care, list[Finding]]:
    """With everything that is wrong about the rules, each with its line."""
    if spec is None:
        return Care(), []
    findings: list[Finding] = []
    base = _base(document)
    documents: dict[str, dict[str, Any]] = {each["id"]: each for each in preset_rules(spec.preset, language)}
    own: dict[str, int] = {}
    for place, given in enumerate(spec.rules):
        findings += _merge(documents, own, given, place, (*base, place), document)
    rules, complete = [], []
    for name, each in documents.items():
        try:
            rule = read_rule(each, effective_from=_UNPUBLISHED, holdout=spec.holdout, language=language)
        except RuleErrors as errors:
            path = (*base, own[name]) if name in own else ("aftercare", "preset")
            findings += [_finding(error, name, path, document) for error in errors.errors]
        else:
            rules.append(rule)
            complete.append(_completed(each, rule))
    work_days = frozenset(spec.work_days)
    days_off = holidays(language, spec.holidays, work_days)
    care = Care(tuple(complete), tuple(rules), _feeds(spec), days_off, work_days, spec.ceiling)
    return care, findings


@cache
def _preset(name: str) -> list[dict[str, Any]]:
    data = read((_PRESETS / f"{name}.yaml").read_text(encoding="utf-8")).data
    assert isinstance(data, list), "a preset is a list of rules"
    return data


def preset_rules(name: str | None, language: str) -> list[dict[str, Any]]:
    """A preset's rules in the language."""
    return [_in_language(each, language) for each in _preset(name)] if name else []


def _in_language(value: Any, language: str) -> Any:
    if isinstance(value, dict):
        if set(value) == {"ru", "en"}:
            return value[language]
        return {key: _in_language(each, language) for key, each in value.items()}
    return [_in_language(each, language) for each in value] if isinstance(value, list) else value


def _base(document: Document) -> Path:
    """Where the rules stand in the file: a list of rules alone needs no `rules:`."""
    is_list = isinstance(document.data, dict) and isinstance(document.data.get("aftercare"), list)
    return ("aftercare",) if is_list else ("aftercare", "rules")


def _merge(
    documents: dict[str, dict[str, Any]],
    own: dict[str, int],
    given: Mapping[str, Any],
    place: int,
    path: Path,
    document: Document,
) -> Iterator[Finding]:
    """A rule with the id of a preset's changes it key by key; `off: true` takes it out."""
    name = given.get("id")
    if not isinstance(name, str):
        yield Finding(dotted((*path, "id")), document.line(path), "is missing", "write `id:` and a name for the rule")
        return
    if name in own:
        first = document.line((*path[:-1], own[name]))
        yield Finding(dotted(path), document.line(path), f"{name!r} is given twice, first in line {first}", "keep one")
        return
    own[name] = place
    if "off" in given:
        yield from _switched_off(documents, given, name, path, document)
        return
    for key in ("version", "effective_from"):
        if key in given:
            remedy = "leave it out: `conveyor apply` counts the versions of a rule by itself"
            yield Finding(dotted((*path, key)), document.line((*path, key)), "is not yours to set", remedy)
    kept = dict(documents.get(name, {}))
    if any(key in given for key in _ONE_TASK):
        kept = {key: value for key, value in kept.items() if key not in _ONE_TASK}
    mine = {key: value for key, value in given.items() if key not in ("version", "effective_from")}
    documents[name] = {**kept, **mine}


def _switched_off(
    documents: dict[str, dict[str, Any]], given: Mapping[str, Any], name: str, path: Path, document: Document
) -> Iterator[Finding]:
    line = document.line((*path, "off"))
    if given["off"] is not True or set(given) != {"id", "off"}:
        yield Finding(dotted((*path, "off")), line, repr(given["off"]), "write {id: …, off: true} and nothing else")
    elif name not in documents:
        remedy = choice(name, [*documents]) if documents else "there is nothing to switch off without a preset"
        yield Finding(dotted((*path, "id")), line, f"{name!r} is no rule of the preset", remedy)
    documents.pop(name, None)


def _finding(error: RuleError, name: str, path: Path, document: Document) -> Finding:
    where = f"{dotted(path)} ({name}) {dotted(error.path) if error.path else ''}".strip()
    return Finding(where, document.line((*path, *error.path)), error.problem, error.remedy)


def _completed(document: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """With the words and the share that the department gives by default: the book is read without the file."""
    complete = {**document, "holdout": rule.holdout}
    if rule.exit is not None:
        complete["exit"] = {**(document.get("exit") or {}), "result": rule.exit.result}
    return complete


def _feeds(spec: AftercareSpec) -> tuple[FeedSpec, ...]:
    return tuple(
        FeedSpec(name, frozenset(feed.delivers), feed.delay, feed.stale_after, str(feed.hours))
        for name, feed in spec.feeds.items()
    )
