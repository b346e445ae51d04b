"""The commands speak English; the journal keeps its reasons in the language of the department."""

from __future__ import annotations

from dataclasses import replace

from functions.qualify_router.merge_texts import say
from functions.shared.department import Department

_REASONS = (
    "survivor_gone",
    "survivor_closed",
    "duplicate_gone",
    "duplicate_closed",
    "duplicate_moved",
    "undone",
    "circle",
    "given_up",
)
"""Why a merge was given up (functions.qualify_router.merge_texts)."""


def in_english(department: Department) -> Department:
    return replace(department, language="en")


def english_reason(reason: str, department: Department) -> str:
    """A reason out of the journal; what amoCRM itself has said in it stays as it is."""
    english = in_english(department)
    known = {say(department, key): say(english, key) for key in _REASONS}
    of_amocrm = say(department, "not_taken", why="")
    if reason.startswith(of_amocrm):
        return say(english, "not_taken", why=reason.removeprefix(of_amocrm))
    return known.get(reason, reason)
