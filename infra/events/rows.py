"""From a row of a table to an item as the door for facts knows it (functions/activity_intake/envelopes.py). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from functions.shared.errors import BadInput
from functions.shared.facts import (
    SESSION_BOOKED,
    SESSION_CANCELLED,
    SUBSCRIPTION_CANCELLED,
    SUBSCRIPTION_FROZEN,
    SUBSCRIPTION_UNFROZEN,
    VISIT_ATTENDED,
    VISIT_MISSED,
)
from functions.shared.handle_hash import handle_hash
from infra.events.table_file import Row
from infra.events.words import FLAGS, HEADINGS, SIDES, spelt, type_of

WHO = ("crm_id", "ext", "phone", "email")
_DATES = {"end", "birthday"}
_TIMES = {"start": False, "frozen_from": False, "frozen_to": True}
"""What is a moment, and whether a mere date means its end."""

_NUMBERS = {"price", "visits_left", "score"}
_BOOKINGS = {SESSION_BOOKED, SESSION_CANCELLED}
_HAS_SUBSCRIPTION = {SUBSCRIPTION_FROZEN, SUBSCRIPTION_UNFROZEN, SUBSCRIPTION_CANCELLED}
_RUSSIAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?::(\d{2}))?")


class RowError(Exception):
    """What is wrong in a row and what would be right, without its values."""


@dataclass(frozen=True)
class Columns:
    """`known` are headings by what they say, `kept` those whose cells become data, `left_out` those of names and
    notes."""

    known: Mapping[str, str]
    kept: tuple[str, ...]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, headings: tuple[str, ...], event: str = "") -> Columns:
        """`event` is what all rows are, where no column says it. Raises BadInput."""
        said = {heading: HEADINGS.get(spelt(heading)) for heading in headings if heading}
        counted = Counter(name for name in said.values() if name not in (None, "left_out"))
        twice = [name for name, count in counted.items() if count > 1]
        if twice:
            both = ", ".join(f"«{heading}»" for heading, name in said.items() if name in twice)
            raise BadInput(f"{both} say the same: leave one of them")
        known = {name: heading for heading, name in said.items() if name and name != "left_out"}
        missing = [] if known.keys() & set(WHO) else ["who: Телефон, Почта, ID клиента or ID контакта"]
        missing += [] if "date" in known else ["when: Дата"]
        missing += [] if event or known.keys() & {"event", "status"} else ["what: Событие or Статус, or give --event"]
        if missing:
            there = ", ".join(f"«{heading}»" for heading in headings if heading)
            raise BadInput(f"no column says {'; '.join(missing)}. The columns are {there}")
        kept = tuple(heading for heading, name in said.items() if name is None)
        return cls(known, kept, tuple(heading for heading, name in said.items() if name == "left_out"))


@dataclass(frozen=True)
class Reader:
    """`zone` is that of the table's times, `written_at` when the file was written, `key` hashes what is personal in
    ids. `event` is what every row is, empty: a column says it."""

    columns: Columns
    zone: ZoneInfo
    written_at: datetime
    key: str
    event: str = ""

    def item(self, row: Row) -> dict[str, Any]:
        """Raises RowError."""
        if row.surplus:
            raise RowError("more cells than headings: put a text that holds the separator into quotes")
        kind = type_of(self._cell(row, "event") or self.event, self._cell(row, "status"))
        if kind is None:
            raise RowError("nobody knows this event or status: write пришёл, не пришёл, покупка … or visit.attended")
        happened = self._when(row)
        who = {name: self._cell(row, name) for name in WHO if name in self.columns.known}
        data = self._data(row)
        if kind in _BOOKINGS | {VISIT_ATTENDED, VISIT_MISSED} and "status" in self.columns.known:
            data |= self._session(kind, who, happened, data)
        if kind in _HAS_SUBSCRIPTION and "subscription_id" not in data:
            data["subscription_id"] = self._hashed("subscription", *who.values())
        if kind in _BOOKINGS:  # the table tells when the session is, the fact is that it stands in the table
            happened = min(happened, self.written_at)
        return {
            "id": self._cell(row, "id") or self._hashed("row", *self._said(row)),
            "type": kind,
            "time": happened.isoformat(),
            **who,
            "data": data,
        }

    def _said(self, row: Row) -> list[str]:
        """All that makes the row another one: a name that is spelt better in the next export does not."""
        read = {*self.columns.known.values(), *self.columns.kept}
        return sorted(f"{heading}={cell}" for heading, cell in row.cells.items() if cell and heading in read)

    def _when(self, row: Row) -> datetime:
        text, clock = self._cell(row, "date"), self._cell(row, "time")
        if not text:
            raise RowError("no date: write 31.12.2026, or 31.12.2026 18:30")
        day, at = _day_and_clock(text)
        if clock:
            at = _clock(clock)
        return _moment(day, at or time(), self.zone, text)

    def _data(self, row: Row) -> dict[str, Any]:
        data: dict[str, Any] = {heading: row.cells[heading] for heading in self.columns.kept if row.cells.get(heading)}
        readers: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(_NUMBERS, _number),
            **dict.fromkeys(_DATES, lambda text: _day_and_clock(text)[0].isoformat()),
            "by": lambda text: _one_of(SIDES, text, "клиент or клуб"),
            "late": lambda text: _one_of(FLAGS, text, "да or нет"),
            "session_id": str,
            "subscription_id": str,
        }
        for name, read in readers.items():
            if cell := self._cell(row, name):
                data[name] = self._read(name, cell, read)
        for name, whole_day in _TIMES.items():
            if cell := self._cell(row, name):
                read = partial(self._span_end, is_whole_day=whole_day)
                data[name.removeprefix("frozen_")] = self._read(name, cell, read)
        return data

    def _read(self, name: str, cell: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(cell)
        except RowError as error:
            raise RowError(f"«{self.columns.known[name]}»: {error}") from None

    def _span_end(self, text: str, is_whole_day: bool) -> str:
        day, at = _day_and_clock(text)
        if at is None and is_whole_day:
            day += timedelta(days=1)
        return _moment(day, at or time(), self.zone, text).isoformat()

    def _session(
        self, kind: str, who: Mapping[str, str], happened: datetime, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A booking and what became of it are one session, also where the table numbers none."""
        known: dict[str, Any] = (
            {"start": happened.isoformat()} if kind == SESSION_BOOKED and "start" not in data else {}
        )
        if "session_id" not in data:
            known["session_id"] = self._hashed("session", *who.values(), happened.isoformat())
        return known

    def _hashed(self, *parts: str) -> str:
        """Keyed: whoever sees an id must not find the phone by trying all of them."""
        return handle_hash(self.key, "\n".join(parts))[:32]

    def _cell(self, row: Row, name: str) -> str:
        return row.cells.get(self.columns.known.get(name, ""), "")


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """31.12.2026, 31.12.2026 18:30, or ISO 8601; of a mere date its beginning. Raises RowError."""
    day, at = _day_and_clock(text)
    return _moment(day, at or time(), zone, text)


def _day_and_clock(text: str) -> tuple[date, time | None]:
    try:
        if russian := _RUSSIAN.fullmatch(text):
            day, month, year, hour, minute, second = (int(part) if part else 0 for part in russian.groups())
            return date(year, month, day), time(hour, minute, second) if russian[4] else None
        if re.match(r"\d{4}-\d{2}-\d{2}", text):
            moment = datetime.fromisoformat(text)
            return moment.date(), moment.timetz() if len(text) > len("2026-12-31") else None
    except ValueError:
        pass
    if re.fullmatch(r"\d{5}([.,]\d+)?", text):
        raise RowError("a number of a workbook and no date: format the column as a date, 31.12.2026")
    raise RowError("no date: write 31.12.2026, or 31.12.2026 18:30")


def _clock(text: str) -> time:
    found = _CLOCK.fullmatch(text)
    try:
        if found:
            return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError:
        pass
    raise RowError("no time of day: write 18:30")


def _moment(day: date, at: time, zone: ZoneInfo, text: str) -> datetime:
    """A time with a zone of its own keeps it."""
    try:
        whole = datetime.combine(day, at)
        return (whole if whole.tzinfo else whole.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise RowError(f"no date of our times has {len(text)} letters: write 31.12.2026") from None


def _number(text: str) -> int | float:
    """4 900,00 ₽ and 1,234.50 alike: the last of comma and stop divides, if at most two digits follow it."""
    digits = re.sub(r"[\s₽$€']|руб\.?|р\.?$", "", text.casefold())
    whole, mark, rest = (digits, "", "") if digits.isdigit() else _divided(digits)
    plain = re.sub(r"[.,]", "", whole) + (f".{rest}" if mark and rest.strip("0") else "")
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,4})?", plain):
        raise RowError("no number: write 4900 or 4900,50")
    return float(plain) if "." in plain else int(plain)


def _divided(digits: str) -> tuple[str, str, str]:
    place = max(digits.rfind(","), digits.rfind("."))
    is_fraction = place >= 0 and len(digits) - place - 1 <= 2
    return (digits[:place], digits[place], digits[place + 1 :]) if is_fraction else (digits, "", "")


def _one_of(words: Mapping[str, Any], text: str, right: str) -> Any:
    if spelt(text) not in words:
        raise RowError(f"write {right}")
    return words[spelt(text)]
