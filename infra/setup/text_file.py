"""Text that people hand us: UTF-8, and if not, what it is and how to save it anew."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from functions.shared.errors import BadInput

_MARKED = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))
"""PowerShell's `>` writes such files."""

_RUSSIAN = re.compile("[а-яё]|(?<![^\\W\\d_A-ZА-ЯЁ])[А-ЯЁ]")
"""A Russian letter where one may stand: no capital after a small letter."""

LARGEST = 1_000_000
"""Bytes; nothing that is read here is near it, so a larger file is another one than was meant."""


def read_text(path: Path) -> str:
    """Raises BadInput that says what the file is saved in."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    return text_of(content, str(path))


def text_of(content: bytes, name: str) -> str:
    """Without a byte order mark. Raises BadInput with `name`, never with what stands in it."""
    if len(content) > LARGEST:
        raise BadInput(f"{name} is larger than {LARGEST} bytes: is it another file than you meant?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{name} is saved in {encoding_of(content)}: save it as UTF-8") from None


def encoding_of(content: bytes) -> str:
    """What text that is no UTF-8 is probably saved in, for a message."""
    for mark, encoding in _MARKED:
        if content.startswith(mark):
            return encoding
    text = content.decode("cp1251", errors="replace")
    letters = sum(character > "\x7f" for character in text)
    # in another encoding of one byte most of these would be capitals in the middle of words, or no letters at all
    is_russian = len(_RUSSIAN.findall(text)) * 10 >= letters * 9
    return "CP1251 (Windows Cyrillic)" if is_russian else "another encoding than UTF-8"
