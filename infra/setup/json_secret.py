"""Secrets that are JSON: which fields they have, and what is wrong with them, told by the field's name alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.shared.errors import BadInput
from infra.department.suggest import nearest

Check = Callable[[Any], str | None]
"""What would be right in place of this value, None where it is right; the value itself is never in it."""


@dataclass(frozen=True)
class Field:
    name: str
    check: Check
    is_number: bool = False


def fields_of(name: str, text: str, fields: Sequence[Field], remedies: Mapping[str, str]) -> dict[str, Any]:
    """All of the JSON object. `remedies`: what is meant by a field that shows that it is another document.

    Raises BadInput with everything that is wrong.
    """
    given = _object(name, text)
    wrong = [problem for field in fields if (problem := _problem(field, given, fields))]
    if not all(field.name in given for field in fields):
        wrong = [remedy for field, remedy in remedies.items() if field in given] or wrong
    if wrong:
        raise BadInput(f"{name}: {'; '.join(wrong)}")
    return given


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        given = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        # from None: the error holds the whole document; behind the colon its message may hold a letter of it
        raise BadInput(
            f"{name} is no JSON: line {error.lineno}, column {error.colno}: {error.msg.partition(':')[0]}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is no JSON that can be read: {error}") from None
    if not isinstance(given, dict):
        raise BadInput(f"{name} is JSON, but no object: it begins with {{ and ends with }}")
    return given


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two fields with one name JSON's reader would silently take the second."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a field is given twice")
    return document


def _problem(field: Field, given: Mapping[str, Any], fields: Sequence[Field]) -> str | None:
    if field.name not in given:
        others = given.keys() - {known.name for known in fields}
        typo = nearest(field.name, others)
        return f"lacks {field.name}" + (f" (is {typo} meant?)" if typo else "")
    remedy = field.check(given[field.name])
    return f"{field.name}: {remedy}" if remedy else None


def word(value: Any) -> str | None:
    """A text without blanks, as all keys and tokens are."""
    if not isinstance(value, str):
        return "must be a text in quotes"
    if not value:
        return "is empty"
    return "has blanks or line ends inside: copy it again" if any(letter.isspace() for letter in value) else None


def password(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a text in quotes"
    return None if value.strip() else "is empty"


def no_word_that(*, begins: str, is_a: str) -> Check:
    """A word, but not this other one that is easily taken for it."""

    def check(value: Any) -> str | None:
        return word(value) or (is_a if value.startswith(begins) else None)

    return check
