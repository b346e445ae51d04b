"""A YAML text as plain data in which every value still knows its line.

Stricter than YAML where YAML surprises people: only `true` and `false` are booleans (not `no` and `on`), times such as
09:15 are text (not a number in base 60), a key may occur once, and there are no tags, anchors and merges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from functions.shared.errors import DepartmentInvalid, Finding

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file, as pydantic names a place."""


@dataclass
class Document:
    """`data` is made of dict, list, str, int, float, bool and None; `lines` has the line of every path in it,
    `findings` what is wrong with it that did not keep us from reading on."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line(self, path: Path) -> int | None:
        """The line of the place, or of the nearest place around it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.lines.get(())

    def settled(self, path: Path) -> Path:
        """The path as the file has it: a list position is left out where one mapping stands instead of a list."""
        value, settled = self.data, []
        for step in path:
            if isinstance(value, dict) and isinstance(step, int):
                continue
            settled.append(step)
            is_inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
            value = value[step] if is_inside else value.get(step) if isinstance(value, dict) else None
        return tuple(settled)


def read(text: str) -> Document:
    """Raises DepartmentInvalid when the text is no YAML at all."""
    document = Document()
    try:
        node = yaml.compose(_cleaned(text), Loader=_Loader)
        if node is not None:
            document.data = _Reading(document).value(node, ())
    except yaml.MarkedYAMLError as error:
        raise DepartmentInvalid([_syntax_finding(error)]) from error
    except yaml.YAMLError as error:
        remedy = "save the file as plain UTF-8 text"
        raise DepartmentInvalid([Finding("YAML", None, str(error).splitlines()[0], remedy)]) from error
    except RecursionError as error:
        finding = Finding("YAML", None, "nested too deeply", "compare with department.example.yaml")
        raise DepartmentInvalid([finding]) from error
    return document


def _cleaned(text: str) -> str:
    """Without the byte order mark of Windows and with plain blanks for the unbreakable ones of word processors."""
    return text.removeprefix("\ufeff").replace("\u00a0", " ").replace("\u202f", " ")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of what a bare word means; see the module."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own shape)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors (&) and aliases (*) are not used here", problem_mark=event.start_mark
            )
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem="tags (!) are not used here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text == "true",
    "int": int,
    "float": float,
}


class _Reading:
    """One walk over the nodes: fills the document's lines and findings."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        return _SCALARS.get(node.tag.removeprefix("tag:yaml.org,2002:"), str)(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._find(path, line, "a list or mapping as a key", "use a plain word before the colon")
                continue
            key = key_node.value
            if key in values:
                first = self._document.lines[(*path, key)]
                self._find((*path, key), line, f"given twice, first in line {first}", "keep one of the two")
                continue
            self._document.lines[(*path, key)] = line
            values[key] = self.value(value_node, (*path, key))
        return values

    def _find(self, path: Path, line: int, value: str, remedy: str) -> None:
        self._document.findings.append(Finding(dotted(path), line, value, remedy))


def dotted(path: Path) -> str:
    """`teams.lead_desk.members[2].weight`"""
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "file"


_SYNTAX_REMEDIES = (
    ("'\\t'", "indent with blanks, not with tabs"),
    ("anchors", "write the value out where it is needed"),
    ("tags", "write the plain value"),
    ("mapping values are not allowed", "check the indentation, and put a text that holds ': ' in quotes"),
    ("expected a single document", "keep one department per file, without a --- line inside"),
    ("quoted scalar", "close the quotes"),
    ("flow", "close the bracket or brace, and put commas between the items"),
    ("block", "let the keys of one level begin in the same column"),
    ("could not find expected ':'", "put a colon and a blank after the key"),
)


def _syntax_finding(error: yaml.MarkedYAMLError) -> Finding:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(filter(None, (error.context, error.problem)))
    remedy = next((remedy for sign, remedy in _SYNTAX_REMEDIES if sign in said), "compare with department.example.yaml")
    return Finding("YAML", mark.line + 1 if mark else None, said, remedy)
