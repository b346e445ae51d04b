"""How much room a text takes, without fonts: widths on the wide side of the usual system fonts (DejaVu Sans, Verdana),
so that no text leaves its room where another font is used."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WIDTHS = {
    0.36: " \u00a0.,:;|!ijlI'()[]\\/-·",
    0.46: 'rtf"J?!',
    0.80: "мADGHNOQUVXЗИЙКЛНОПУЭЯ+=<>~^",
    0.86: "mщжыюфшДЦ",
    1.00: "wMWЖМФЫ@%→",
    1.12: "ШЩЮ—…№",
}
_OF_CHARACTER = {character: width for width, characters in _WIDTHS.items() for character in characters}
_USUAL, _CAPITAL, _WIDE = 0.64, 0.76, 1.1
"""In ems: any small letter or digit, any other capital, an ideogram or a pictogram."""
_BOLD = 1.1
ELLIPSIS = "…"
_BLANKS = re.compile(r"[^\S\u00a0]+")
"""All but the one at which no line is broken."""
_UNREADABLE = ("Cc", "Cs", "Cn", "Co")


@dataclass(frozen=True)
class Wrapped:
    """`lines` of a text in its room; `full` is the whole text where it had to be shortened, else empty."""

    lines: tuple[str, ...]
    width: float
    full: str = ""


def printable(text: str) -> str:
    """On one line, and without what XML cannot hold or nobody can read: control characters, surrogates, unassigned."""
    spaced = _BLANKS.sub(" ", text)
    return "".join(each for each in spaced if unicodedata.category(each) not in _UNREADABLE).strip()


def shortened(text: str, most: int) -> str:
    """A name of at most so many characters, for a place where it is not the main thing."""
    text = printable(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + ELLIPSIS


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """In pixels."""
    return sum(map(_ems, text)) * size * (_BOLD if bold else 1)


def wrap(text: str, size: float, room: float, lines: int, *, bold: bool = False) -> Wrapped:
    """Break `text` into at most so many `lines` of `room` pixels; what does not fit is cut with an ellipsis."""
    text = printable(text)
    found: list[str] = []
    rest = text
    while rest and len(found) < lines:
        line = _head(rest, size, room, bold)
        rest = rest[len(line) :].lstrip()
        found.append(line.rstrip())
    if rest:
        found[-1] = _with_ellipsis(found[-1], size, room, bold)
    widest = max((width_of(line, size, bold=bold) for line in found), default=0)
    return Wrapped(tuple(found), widest, text if rest else "")


def _head(text: str, size: float, room: float, bold: bool) -> str:
    """As many whole words as fit; of a word that is longer than a line as many letters, one at least."""
    scale = size * (_BOLD if bold else 1)
    used = 0.0
    for at, character in enumerate(text):
        used += _ems(character) * scale
        if used > room and character != " ":
            blank = text.rfind(" ", 0, at)
            return text[:blank] if blank > 0 else text[: max(at, 1)]
    return text


def _with_ellipsis(line: str, size: float, room: float, bold: bool) -> str:
    while line and width_of(line + ELLIPSIS, size, bold=bold) > room:
        line = line[:-1].rstrip()
    return line + ELLIPSIS


def _ems(character: str) -> float:
    if character in _OF_CHARACTER:
        return _OF_CHARACTER[character]
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F") or ord(character) > 0xFFFF:
        return _WIDE
    return _CAPITAL if character.isupper() else _USUAL
