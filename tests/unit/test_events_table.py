"""Tables that shops and gyms export: read in whatever encoding, row by row."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.activity_intake.normalising import Speaker
from functions.activity_intake.telling import Invalid, Told
from functions.shared.errors import BadInput
from functions.shared.facts import (
    PURCHASE_COMPLETED,
    PURCHASE_REFUNDED,
    SESSION_BOOKED,
    SESSION_CANCELLED,
    VISIT_ATTENDED,
    VISIT_MISSED,
)
from infra.events.importing import Reading, read_lines
from infra.events.rows import Columns, Reader
from infra.events.table_file import read_table
from infra.events.words import type_of

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
VISITS = """Телефон;Дата;Событие;ФИО
8 (912) 345-67-89;20.11.2026 18:30;пришёл;Анна
+7 999 111-22-33;20.11.2026 19:00;не пришёл;Пётр
"""


def read(content: str | bytes, event: str = "", zone: ZoneInfo = MOSCOW) -> Reading:
    table = read_table(content.encode() if isinstance(content, str) else content)
    reader = Reader(Columns.of(table.headings, event), zone, NOW, "key", event)
    return read_lines(table.rows, reader, Speaker("till", "RU"), NOW)


def fact(headings: str, cells: str, event: str = "") -> Told:
    (told,) = read(f"{headings}\n{cells}\n", event).facts
    return told


def wrong(headings: str, cells: str) -> str:
    ((line, reason),) = read(f"{headings}\n{cells}\n").invalid
    assert line == 2
    return reason


class TestFiles:
    def test_the_table_of_the_documentation_is_read(self) -> None:
        document = (Path(__file__).parents[2] / "docs" / "intake.md").read_text(encoding="utf-8")
        reading = read(document.partition("```csv\n")[2].partition("```")[0])
        assert [(each.type, dict(each.data)) for each in reading.facts] == [
            (VISIT_ATTENDED, {}),
            (PURCHASE_COMPLETED, {"price": 4900}),
        ]
        assert not reading.invalid

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
    @pytest.mark.parametrize("separator", [";", ",", "\t"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_every_encoding_separator_and_line_end_says_the_same(
        self, encoding: str, separator: str, line_end: str
    ) -> None:
        content = VISITS.replace(";", separator).replace("\n", line_end).encode(encoding)
        assert read(content).facts == read(VISITS).facts
        assert [(each.type, str(each.handles[0])) for each in read(content).facts] == [
            (VISIT_ATTENDED, "phone:+79123456789"),
            (VISIT_MISSED, "phone:+79991112233"),
        ]

    def test_excel_says_its_separator_and_lines_are_counted_as_in_the_file(self) -> None:
        text = 'sep=;\nТелефон;Дата;Событие;Зал\n\n+79123456789;20.11.2026;пришёл;"два\nэтажа"\n1;20.11.2026;пришёл;\n'
        reading = read(text)
        assert [line.number for line in reading.lines] == [4, 6]
        assert reading.facts[0].data == {"Зал": "два\nэтажа"}

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"PK\x03\x04\0\0", b"\x98" * 9])
    def test_what_is_no_table_is_refused(self, content: bytes) -> None:
        with pytest.raises(BadInput):
            read(content)

    @pytest.mark.parametrize(
        ("headings", "words"),
        [
            ("Дата;Событие", "who"),
            ("Телефон;Событие", "when"),
            ("Телефон;Дата", "what"),
            ("Телефон;Дата;Дата визита;Событие", "say the same"),
        ],
    )
    def test_what_a_table_lacks_is_said_before_anything_is_read(self, headings: str, words: str) -> None:
        with pytest.raises(BadInput, match=words):
            read(headings + "\n")

    @given(st.binary(max_size=200))
    def test_every_file_is_read_or_refused(self, content: bytes) -> None:
        with suppress(BadInput):
            read("Телефон;date;event\n".encode() + content)


class TestWords:
    @pytest.mark.parametrize(
        ("event", "status", "kind"),
        [
            ("Пришёл", "", VISIT_ATTENDED),
            ("НЕ ПРИШЕЛ", "", VISIT_MISSED),
            ("", "не пришёл", VISIT_MISSED),
            ("Тренировка", "пришла", VISIT_ATTENDED),
            ("Запись", "1", VISIT_ATTENDED),
            ("Запись", "-1", VISIT_MISSED),
            ("Запись", "2", SESSION_BOOKED),
            ("Посещение", "не пришла", VISIT_MISSED),
            ("Визит", "отменён", SESSION_CANCELLED),
            ("Покупка", "", PURCHASE_COMPLETED),
            ("Покупка", "оплачен", PURCHASE_COMPLETED),
            ("Покупка", "возврат", PURCHASE_REFUNDED),
            ("Покупка", "отменён", None),
            ("Тренировка", "", None),
            ("Тренировка гр. 5", "", None),
            ("Sauna.Visited", "", "sauna.visited"),
            ("", "", None),
        ],
    )
    def test_event_and_status_together_say_what_it_was(self, event: str, status: str, kind: str | None) -> None:
        assert type_of(event, status) == kind


class TestRows:
    @pytest.mark.parametrize(
        ("headings", "cells", "time"),
        [
            ("Дата", "20.11.2026", "2026-11-19T21:00:00+00:00"),
            ("Дата", "1.2.2026 9:05", "2026-02-01T06:05:00+00:00"),
            ("Дата", "2026-11-20T18:30:00Z", "2026-11-20T18:30:00+00:00"),
            ("Дата", "2026-11-20 18:30", "2026-11-20T15:30:00+00:00"),
            ("Дата;Время", "20.11.2026;18:30", "2026-11-20T15:30:00+00:00"),
            ("Дата и время;Время", "20.11.2026 00:00;18.30", "2026-11-20T15:30:00+00:00"),
        ],
    )
    def test_times_are_those_of_the_table_s_zone(self, headings: str, cells: str, time: str) -> None:
        assert fact(f"Телефон;Событие;{headings}", f"+79123456789;визит;{cells}").time.isoformat() == time

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("4900", 4900),
            ("4 900,00 ₽", 4900),
            ("4\u00a0900,50 руб.", 4900.5),
            ("4,900.50", 4900.5),
            ("1.234.567", 1234567),
            ("-10", -10),
        ],
    )
    def test_sums_as_people_write_them(self, text: str, number: float) -> None:
        told = fact("Почта\tДата\tСобытие\tСумма", f"a@b.ru\t20.11.2026\tпокупка\t{text}")
        assert told.data == {"price": number}
        assert type(told.data["price"]) is type(number)

    @pytest.mark.parametrize(
        ("headings", "cells", "data"),
        [
            ("Абонемент;Действует до", "A-1;31.12.2026", {"subscription_id": "A-1", "end": "2026-12-31"}),
            (
                "Заморозка с;Заморозка по",
                "01.11.2026;10.11.2026",
                {"from": "2026-10-31T21:00:00+00:00", "to": "2026-11-10T21:00:00+00:00"},
            ),
            ("Дата рождения;Тренер", "29.02.2000;Лев", {"birthday": "2000-02-29", "Тренер": "Лев"}),
            ("Остаток;Комментарий", "2;злой", {"visits_left": 2}),
        ],
    )
    def test_other_columns_become_data_but_names_and_notes_do_not(
        self, headings: str, cells: str, data: dict[str, Any]
    ) -> None:
        assert fact(f"ID клиента;Дата;Событие;{headings}", f"77;20.11.2026;my.type;{cells}").data == data

    def test_a_booking_and_what_became_of_it_are_one_session_and_one_of_tomorrow_is_told_today(self) -> None:
        text = "Телефон;Дата;Статус\n89123456789;20.11.2026 18:00;{}\n"
        (booked,), (came,) = read(text.format("записан")).facts, read(text.format("пришёл")).facts
        assert booked.data["session_id"] == came.data["session_id"]
        assert booked.data["start"] == "2026-11-20T15:00:00+00:00"
        (ahead,) = read("Телефон;Дата;Статус\n89123456789;24.11.2026 18:00;записан\n").facts
        assert (ahead.time, ahead.data["start"]) == (NOW, "2026-11-24T15:00:00+00:00")

    @pytest.mark.parametrize(
        ("headings", "cells", "words"),
        [
            ("Телефон;Дата;Событие", "+79031234567;31.02.2026;визит", "31.12.2026"),
            ("Телефон;Дата;Событие", "+79031234567;11/20/2026;визит", "31.12.2026"),
            ("Телефон;Дата;Событие", "+79031234567;45980,5;визит", "workbook"),
            ("Телефон;Дата;Событие", "+79031234567;;визит", "no date"),
            ("Телефон;Дата;Событие", "+79031234567;20.11.2026;чихнул", "nobody knows this event"),
            ("Телефон;Дата;Событие", "+79031234567;20.12.2026;визит", "future"),
            ("Телефон;Дата;Событие", "12;20.11.2026;визит", "phone is no whole number"),
            ("Телефон;Дата;Событие", ";20.11.2026;визит", "nobody is named"),
            ("Телефон;Дата;Событие", "+79031234567;20.11.2026;визит;x", "more cells than headings"),
            ("Телефон;Дата;Событие;Сумма", "+79031234567;20.11.2026;покупка;много", "«Сумма»: no number"),
            ("Телефон;Дата;Время;Событие", "+79031234567;20.11.2026;25:00;визит", "18:30"),
            ("Телефон;Дата;Событие;Кто отменил", "+79031234567;20.11.2026;отмена;он", "клиент or клуб"),
            ("Телефон;Дата;Событие;Оценка", "+79031234567;20.11.2026;отзыв;", "needs score"),
            ("Телефон;Дата;Событие", "+79031234567;01.01.0001;визит", "."),
        ],
    )
    def test_what_is_wrong_is_said_with_what_would_be_right_and_without_the_cell(
        self, headings: str, cells: str, words: str
    ) -> None:
        reason = wrong(headings, cells)
        assert words in reason
        assert "9031234567" not in reason


class TestIds:
    def test_the_same_row_has_the_same_id_also_in_another_order_of_columns_and_with_another_name(self) -> None:
        one = fact("Телефон;Дата;Событие;ФИО", "+79123456789;20.11.2026;визит;Анна")
        other = fact("Событие;ФИО;Дата;Телефон", "визит;Анна К.;20.11.2026;+79123456789")
        assert one.id == other.id
        assert one.id != fact("Телефон;Дата;Событие", "+79123456789;21.11.2026;визит").id

    def test_a_row_with_a_number_keeps_it_and_doubles_are_counted(self) -> None:
        assert fact("Телефон;Дата;Событие;Номер чека", "+79123456789;20.11.2026;покупка;К-17").id == "К-17"
        row = "+79123456789;20.11.2026;визит\n"
        assert read("Телефон;Дата;Событие\n" + 2 * row).twice == 1

    def test_the_file_ends_with_its_newest_visit_not_with_a_booking_ahead(self) -> None:
        text = "Телефон;Дата;Статус\n+79123456789;20.11.2026;пришёл\n+79123456789;30.11.2026;записан\n"
        assert read(text).ends_at == datetime(2026, 11, 19, 21, 0, tzinfo=UTC)


def test_invalid_rows_are_no_facts() -> None:
    assert isinstance(read("Телефон;Дата;Событие\n1;1;1\n").lines[0].told, Invalid)
