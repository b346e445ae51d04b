"""What people read in amoCRM, and the mark by which a task is recognised. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

_LENGTH = 8
"""Characters of base32: 40 bits, so that two tasks of one client never share a mark by chance."""

LENGTH = 2000
"""amoCRM does not say how long the text of a task may be; whoever reads a task reads no more than this."""

_ALSO = {"ru": "Также: ", "en": "Also: "}
_STORM = {
    "ru": "Правило «{rule}» сработало слишком много раз за день ({count}). Новые задачи остановлены. "
    "Проверьте данные и разрешите: conveyor care approve {rule}",
    "en": "The rule “{rule}” fired too often today ({count}). New tasks are held back. "
    "Check the data and let them go: conveyor care approve {rule}",
}


def mark(*parts: object) -> str:
    """`at-7f3k9c2a`: the same parts always give the same mark."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return f"at-{base64.b32encode(digest).decode().lower()[:_LENGTH]}"


def reasons_text(reasons: Sequence[str], language: str) -> str:
    """The most urgent reason first."""
    first, *others = reasons
    return "\n".join([first, *(f"{_ALSO[language]}{each}" for each in others)])


def task_text(reasons: Sequence[str], marker: str, language: str) -> str:
    """The mark at the end, whole whatever is clipped."""
    return clipped(reasons_text(reasons, language)) + f" ·{marker}"


def clipped(text: str, length: int = LENGTH) -> str:
    """At most so many characters, cut behind a word."""
    if len(text) <= length:
        return text
    start = text[:length]
    words = start.rpartition(" ")[0] or start[:-1]
    return words.rstrip(" ,.;:\n") + "…"


def storm_text(rule: str, count: int, marker: str, language: str) -> str:
    return f"{_STORM[language].format(rule=rule, count=count)} ·{marker}"
