"""What a task says of one reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping

CAME_BACK = "Клиент вернулся {date}"
CORRECTED = "Данные исправлены"


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def worded(text: str, numbers: Mapping[str, str]) -> str:
    """The text with its {places} filled; one that nothing is known of stays empty."""
    return text.format_map(_Known(numbers))
