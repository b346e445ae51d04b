"""pydantic's errors as findings: place, line, value, and what would be right."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from functions.shared.errors import Finding
from infra.department import care_spec, meetings_spec, schema
from infra.department.document import Document, Path, dotted
from infra.department.preset_routes import preset_routes
from infra.department.suggest import nearest

_REMEDIES = {
    "string_type": "write a text, in quotes if it looks like a number",
    "string_too_short": "write a text",
    "int_type": "write a whole number without quotes",
    "bool_type": "write true or false",
    "tuple_type": "write a list: [a, b], or one `- a` a line",
    "dict_type": "write `key: value` lines below it",
    "model_type": "write `key: value` lines below it",
}

_EXAMPLES = {
    "department": "department: Окна Плюс",
    "timezone": "timezone: Europe/Moscow",
    "amocrm": "amocrm: {account: oknaplus.amocrm.ru}",
    "account": "account: oknaplus.amocrm.ru",
    "teams": "teams: and below it each team with its members",
    "members": "members: [anna@oknaplus.example]",
    "email": "email: anna@oknaplus.example",
    "name": "name: and what amoCRM shall show",
    "team": "team: and the name of one of the teams",
    "at": 'at: "Mon-Fri 09:15"',
}

_PARTS: dict[tuple[str, ...], type[BaseModel]] = {
    (): schema.DepartmentSpec,
    ("amocrm",): schema.AmoCrmSpec,
    ("teams", "*"): schema.TeamSpec,
    ("teams", "*", "first_answer"): schema.FirstAnswerSpec,
    ("teams", "*", "members", "*"): schema.MemberSpec,
    ("sources", "*"): schema.SourceSpec,
    ("pipelines", "*"): schema.PipelineSpec,
    ("pipelines", "*", "stages", "*"): schema.StageSpec,
    ("distribute",): schema.DistributeSpec,
    ("routes", "*"): schema.RouteSpec,
    ("routes", "*", "task"): schema.RouteTaskSpec,
    ("routes", "*", "when"): schema.TriggerSpec,
    ("routes", "*", "when", "*"): schema.TriggerSpec,
    ("merging",): schema.MergingSpec,
    ("aftercare",): care_spec.AftercareSpec,
    ("aftercare", "feeds", "*"): care_spec.FeedPart,
    ("meetings",): meetings_spec.MeetingsSpec,
    ("meetings", "standups", "*"): meetings_spec.StandupPart,
    ("meetings", "client_calls"): meetings_spec.ClientCallsPart,
}
"""What may stand where; * is any key or list position."""

_PLANNED = ("kpi",)


def findings_of(error: ValidationError, document: Document) -> list[Finding]:
    """One finding per error."""
    return [_finding(detail, document) for detail in error.errors() if not _is_echo(detail)]


def _is_echo(detail: ErrorDetails) -> bool:
    """A list whose every item is wrong is also called too short: that says nothing new."""
    return detail["type"] == "too_short" and len(detail["input"]) > 0


def _finding(detail: ErrorDetails, document: Document) -> Finding:
    path = document.settled(tuple(part for part in detail["loc"] if part != "[key]"))
    return Finding(dotted(path), document.line(path), _shown(detail), _remedy(detail, path))


def _shown(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] == "extra_forbidden":
        return "is not known"
    value = detail["input"]
    if value in (None, "", [], {}):
        return "is empty"
    return "is a mapping" if isinstance(value, dict) else "is a list" if isinstance(value, list) else repr(value)


def _remedy(detail: ErrorDetails, path: Path) -> str:
    kind, context, name = detail["type"], detail.get("ctx", {}), str(path[-1]) if path else ""
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return f"add {_EXAMPLES[name]}"
    if kind == "extra_forbidden":
        is_rest_of_text = detail["input"] is None and " " in name
        return "put a text that holds a comma in quotes" if is_rest_of_text else _unknown_key(name, path[:-1])
    if kind in ("literal_error", "enum"):
        words = re.findall(r"'(\w+)'", context["expected"])
        return choice(detail["input"], words) if words else "write true, or remove the key"
    if kind == "greater_than_equal":
        pause = "; to give a manager nothing for a while write paused: true" if name.startswith("max_") else ""
        return f"write {context['ge']} or more{pause}"
    if kind == "less_than_equal":
        return f"write {context['le']} or less"
    if name == "members" and kind in ("too_short", "tuple_type"):
        return f"name at least one member, {_EXAMPLES['members']}"
    if kind == "too_short" and name == "when":
        return _no_trigger(str(path[1]))
    if kind == "too_short":
        return "name at least one, or leave it out for the default"
    if kind == "string_too_long":
        return f"shorten it to {context['max_length']} characters"
    return _REMEDIES.get(kind, detail["msg"])


def _no_trigger(route: str) -> str:
    example = "name what starts it, such as {stage: main.offer, after: 14d}"
    is_preset = route in preset_routes("ru")
    return f"{example}; to switch the route off write {route}: off instead of its keys" if is_preset else example


def _unknown_key(name: str, parent: Path) -> str:
    if not parent and name in _PLANNED:
        return "this version of Conveyor does not read it: remove it"
    pattern = next(pattern for pattern in _PARTS if _fits(parent, pattern))
    fields = _PARTS[pattern].model_fields.items()
    names = {field.alias or name: field for name, field in fields}
    return choice(name, sorted(names, key=lambda name: not names[name].is_required()))


def _fits(path: Path, pattern: tuple[str, ...]) -> bool:
    return len(path) == len(pattern) and all(want in ("*", step) for step, want in zip(path, pattern, strict=True))


def choice(word: Any, known: list[str] | dict[str, Any]) -> str:
    """The remedy for a word that is none of the known ones."""
    guess = nearest(word, known) if isinstance(word, str) else None
    return f"did you mean {guess}?" if guess else f"write one of: {', '.join(known)}"
