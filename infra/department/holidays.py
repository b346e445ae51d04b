"""Public holidays: days on which nobody works, whatever the weekday."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

_YEARS = range(2026, 2036)
_HOLIDAYS = ("01-01", "01-02", "01-03", "01-04", "01-05", "01-06", "01-07", "01-08", "02-23", "03-08", "05-01", "05-09")
_HOLIDAYS_RU = (*_HOLIDAYS, "06-12", "11-04")
"""Labour Code of the Russian Federation, article 112. What the government moves each year stands in the file."""


def holidays(language: str, more: Iterable[str], work_days: Iterable[str]) -> frozenset[str]:
    """The public holidays of a department of that `language` and `more` of the file, but not its `work_days`; all of
    them ISO dates."""
    return (_public(language) | frozenset(more)) - frozenset(work_days)


def _public(language: str) -> frozenset[str]:
    """Of an English department nobody knows the country."""
    if language != "ru":
        return frozenset()
    return frozenset(date.fromisoformat(f"{year}-{day}").isoformat() for year in _YEARS for day in _HOLIDAYS_RU)
