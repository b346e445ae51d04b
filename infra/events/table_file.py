"""A table as people export it: in whatever encoding, with whatever between its cells. Pure."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.shared.errors import BadInput
from infra.events.words import HEADINGS, spelt

SEPARATORS = (";", ",", "\t")


@dataclass(frozen=True)
class Row:
    """`line` is where it begins in the file; `cells` by heading, those of no heading under a number."""

    line: int
    cells: Mapping[str, str] = field(repr=False)
    surplus: int = 0
    """Cells behind the last heading."""


@dataclass(frozen=True)
class TableFile:
    encoding: str
    separator: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)


def read_table(content: bytes) -> TableFile:
    """Raises BadInput for what is no table."""
    text, encoding = _decoded(content)
    separator, text, skipped = _separated(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    headings: tuple[str, ...] = ()
    rows, begins = [], 1
    try:
        for cells in reader:
            line, begins = begins + skipped, reader.line_num + 1
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if not headings:
                headings = tuple(stripped)
                continue
            named = {heading: cell for heading, cell in zip(headings, stripped, strict=False) if heading}
            rows.append(Row(line, named, sum(map(bool, stripped[len(headings) :]))))
    except csv.Error as error:
        raise BadInput(f"line {reader.line_num + skipped}: {error}: is this a table saved as CSV?") from error
    if not headings:
        raise BadInput("the file is empty: the first line names the columns, as in Телефон;Дата;Событие")
    return TableFile(encoding, separator, headings, tuple(rows))


def _decoded(content: bytes) -> tuple[str, str]:
    """What is no UTF-8 comes from a Russian Windows, whose text is hardly ever UTF-8 by accident."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # «Текст Юникод» of Excel
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1251"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding.removesuffix("-sig")
    raise BadInput("neither UTF-8 nor CP1251: save the table as «CSV (разделители — запятые)», not as a workbook")


def _separated(text: str) -> tuple[str, str, int]:
    """The separator under which the first line has the most columns that we know; `sep=;` says it (Excel). With the
    text from the headings on, and how many lines were left out."""
    first, _, rest = text.lstrip("\ufeff").partition("\n")
    said = first.strip().casefold().removeprefix("sep=")
    if first.strip().casefold().startswith("sep=") and said in SEPARATORS:
        return said, rest, 1
    heading = next((line for line in text.splitlines() if line.strip()), "")

    def fits(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([heading], delimiter=separator), [])
        return sum(spelt(cell) in HEADINGS for cell in cells), len(cells)

    return max(SEPARATORS, key=fits), text, 0
