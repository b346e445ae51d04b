"""Reads a rule's document value by value, and notes everything that is wrong instead of stopping at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import Any

from functions.aftercare_triggers.rules.clocks import Calendar, calendar, duration
from functions.aftercare_triggers.rules.values import Scalar
from functions.shared.errors import BadInput

Path = tuple[str | int, ...]

LONGEST = timedelta(days=3660)
"""Ten years: whoever writes more has slipped, and sums of dates must stay within the calendar."""

_ENDLESS = frozenset({"none", "never", "forever", "inf", "∞"})
_EXAMPLE = "write it like P14D, PT3H, 14d or 3h"


@dataclass(frozen=True)
class RuleError:
    """`path` leads to the place in the rule's document, for example ("when", "streak", "count")."""

    path: Path
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'the rule'}: {self.problem} — {self.remedy}"


class RuleErrors(BadInput):
    """A rule cannot be used; `errors` lists everything that is wrong with it, not only the first."""

    def __init__(self, rule: str, errors: Sequence[RuleError]) -> None:
        super().__init__("\n".join(f"{rule}: {error}" for error in errors))
        self.rule = rule
        self.errors = list(errors)


@dataclass(frozen=True)
class Part:
    """A mapping within the document. Each method reads the value at a key; `default` stands for a missing one (None: it
    must be there). For a wrong value the error is noted and something harmless returned, so that reading goes on."""

    document: Mapping[str, Any]
    path: Path = ()
    errors: list[RuleError] = field(default_factory=list)

    @classmethod
    def of(cls, value: Any, path: Path, errors: list[RuleError], known: Collection[str]) -> Part:
        """Whatever is not a mapping reads as an empty one, of which nothing more is said."""
        if not isinstance(value, Mapping):
            errors.append(RuleError(path, _shown(value), f"write key: value, of {_listed(known)}"))
            return cls({}, path, [])
        part = cls(value, path, errors)
        for key in value:
            if key not in known:
                part.fail(str(key), "is not known", nearest(str(key), known) or f"one of {_listed(known)}")
        return part

    def fail(self, key: str | int | None, problem: str, remedy: str) -> None:
        """`key` None: the part as a whole."""
        self.errors.append(RuleError(self.path if key is None else (*self.path, key), problem, remedy))

    def __contains__(self, key: str) -> bool:
        return key in self.document

    def get(self, key: str) -> Any:
        return self.document.get(key)

    def part(self, key: str, known: Collection[str]) -> Part:
        """A mapping below; a missing one reads as empty."""
        return Part.of(self.document.get(key, {}), (*self.path, key), self.errors, known)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, default)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if value is not None:
            self.fail(key, _shown(value), "write a text")
        return default or ""

    def choice(self, key: str, options: Collection[str], default: str | None = None) -> str:
        value = self._value(key, default)
        if isinstance(value, str) and value in options:
            return value
        if value is not None:
            guess = nearest(value, options) if isinstance(value, str) else None
            self.fail(key, _shown(value), guess or f"one of {_listed(options)}")
        return default or next(iter(options))

    def words(self, key: str, options: Collection[str], default: Collection[str]) -> frozenset[str]:
        """A list of words, or a single one."""
        value = self.document.get(key, default)
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, Collection) or isinstance(listed, Mapping):
            self.fail(key, _shown(value), f"write a list of {_listed(options)}")
            return frozenset(default)
        for word in listed:
            if word not in options:
                guess = nearest(word, options) if isinstance(word, str) else None
                self.fail(key, _shown(word), guess or f"one of {_listed(options)}")
        return frozenset(word for word in listed if word in options)

    def whole(self, key: str, least: int, most: int | None = None, default: int | None = None) -> int:
        value = self._value(key, default)
        if value is None:
            return least
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and value >= least and (most is None or value <= most):
            return int(value)
        limits = f"from {least}" + ("" if most is None else f" to {most}")
        self.fail(key, _shown(value), f"write a whole number {limits}")
        return least

    def number(self, key: str, above: float, default: float) -> float:
        value = self.document.get(key, default)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and isfinite(value):
            if value > above:
                return float(value)
            self.fail(key, _shown(value), f"write a number above {above:g}")
        else:
            self.fail(key, _shown(value), "write a number")
        return default

    def scalar(self, key: str) -> Scalar:
        value = self._value(key, None)
        if value is None:
            return 0
        read = scalar_of(value)
        if read is None:
            self.fail(key, _shown(value), "write a number, a text, true or false")
        return 0 if read is None else read

    def span(self, key: str, default: timedelta | None = None, may_be_nothing: bool = False) -> timedelta:
        """A duration, longer than nothing unless that is allowed; `none` is nothing there."""
        value = self._value(key, default)
        if isinstance(value, timedelta):
            return value
        if value is None:
            return timedelta(days=1)
        if may_be_nothing and value in ("none", 0):
            return timedelta(0)
        if isinstance(value, str) and value.strip().casefold() in _ENDLESS:
            self.fail(key, f"{value!r}: the rule would have no end", _EXAMPLE)
            return default or timedelta(days=1)
        read = self._parsed(key, value)
        if read == timedelta(0) and not may_be_nothing:
            self.fail(key, _shown(value), "it must be longer than nothing")
        return read or default or timedelta(days=1)

    def _parsed(self, key: str, value: Any) -> timedelta | None:
        if isinstance(value, str):
            try:
                read = duration(value.strip())
                if read <= LONGEST:
                    return read
            except OverflowError:
                pass
            except ValueError:
                self.fail(key, f"{value!r} is no duration", _EXAMPLE)
                return None
            self.fail(key, f"{value!r} is longer than ten years", _EXAMPLE)
            return None
        self.fail(key, _shown(value), _EXAMPLE)
        return None

    def distance(self, key: str, default: Calendar | None = None) -> Calendar:
        """A number of days or months between two dates."""
        value = self._value(key, default)
        if isinstance(value, Calendar):
            return value
        if value is None:
            return Calendar()
        try:
            read = calendar(value.strip()) if isinstance(value, str) else None
        except ValueError:
            read = None
        if read is None or read.days + 31 * read.months > LONGEST.days:
            self.fail(key, _shown(value), "write days or months, like P14D, P1M, 14d or 1mo; ten years at most")
        return read or Calendar()

    def clock(self, key: str, default: time) -> time:
        value = self.document.get(key)
        if value is None:
            return default
        read = clock_of(value)
        if read is None:
            self.fail(key, _shown(value), 'write a time of day like "10:00"')
        return read or default

    def _value(self, key: str, default: Any) -> Any:
        value = self.document.get(key, default)
        if value is None:
            self.fail(key, "is missing" if key not in self.document else "is empty", f"write `{key}:`")
        return value


def clock_of(value: Any) -> time | None:
    if not isinstance(value, str):
        return None
    hours, colon, minutes = value.strip().partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(hours) <= 2 and len(minutes) == 2):
        return None
    try:
        return time(int(hours), int(minutes))
    except ValueError:
        return None


def scalar_of(value: Any) -> Scalar | None:
    """As facts keep it: with Decimal for what has a fraction. None: it is none."""
    if isinstance(value, float):
        return Decimal(str(value)) if isfinite(value) else None
    return value if isinstance(value, str | int | Decimal) else None


def nearest(word: str, known: Collection[str], likeness: float = 0.6) -> str:
    """«did you mean …» the known word that is most like it; empty when none is near."""
    folded = {name.casefold(): name for name in sorted(known)}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=likeness)
    return f"did you mean `{folded[close[0]]}`?" if close else ""


def _shown(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "is empty"
    if isinstance(value, Mapping):
        return "is a mapping"
    return f"{value!r} does not fit" if not isinstance(value, list) else "is a list"


def _listed(known: Collection[str]) -> str:
    return ", ".join(sorted(known) if isinstance(known, frozenset | set) else known)
