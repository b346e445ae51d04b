"""What people read on the cards."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.qualify_router.texts import _TEXTS, Words, asks_about
from functions.shared.crm import FieldValue, Lead
from functions.shared.lead_state import Decision, Step
from tests.builders import MONDAY_NOON as NOON
from tests.routing_support import ANNA, BASE_URL, HEAD, answer, make_department, place

DEPARTMENT = make_department()
WORDS = Words(DEPARTMENT, BASE_URL)


def lead(**values: Any) -> Lead:
    return Lead(7, 100, 1001, ANNA, NOON, NOON, **values)


def step(kind: Step, seen: str, to: str | None = None, **values: Any) -> Decision:
    lease = NOON + timedelta(seconds=75)
    return Decision(kind, "r", place(seen), NOON, ANNA, 1, NOON, lease, 1, place(to) if to else None, **values)


def note(decision: Decision, of: Lead | None = None, **values: Any) -> str | None:
    plain = {"handed_over": False, "owner": decision.owner, "channel": "", "without_reason": False}
    return WORDS.note(decision, of or lead(), **(plain | values))


class TestNotes:
    def test_a_move_names_both_places_as_people_call_them(self) -> None:
        text = note(step(Step.MOVE, "exchange.qualified", "main.received", answer="qualified"))
        assert text == (
            "Conveyor: «Биржа лидов: Квалифицирован» → «Основная воронка: Получен от биржи». "
            "Итог квалификации: Квалифицирован."
        )

    def test_the_next_manager_reads_what_is_known(self) -> None:
        area = FieldValue(5, "Площадь", "text", ({"value": "40 м²"},))
        colours = FieldValue(6, "Цвет", "multiselect", ({"value": "белый"}, {"value": "дуб"}, {"value": ""}))
        empty = FieldValue(8, "Пусто", "text", ({"value": None},))
        of = lead(fields=(area, colours, empty, answer(DEPARTMENT, "qualified")))

        text = note(step(Step.MOVE, "exchange.qualified", "main.received"), of, handed_over=True, channel="site")
        assert text is not None
        assert text.endswith("Что известно. Ответственный был: Анна; Источник: сайт; Площадь: 40 м²; Цвет: белый, дуб.")

    def test_without_a_channel_the_tags_tell_the_source_and_strangers_are_numbers(self) -> None:
        moved = replace(step(Step.MOVE, "exchange.qualified", "main.received"), owner=HEAD)
        text = note(moved, lead(tags=("дилер", "юг")), handed_over=True)
        assert text is not None and text.endswith(f"Ответственный был: {HEAD}; Источник: дилер, юг.")

    def test_long_and_many_facts_are_cut(self) -> None:
        fields = tuple(FieldValue(number, f"Поле {number}", "text", ({"value": "x" * 999},)) for number in range(50))
        text = note(step(Step.MOVE, "exchange.qualified", "main.received"), lead(fields=fields), handed_over=True)
        assert text is not None
        assert "Поле 19" in text and "Поле 20" not in text
        assert len(text) < 7_000

    def test_braces_in_what_clients_write_are_text(self) -> None:
        odd = FieldValue(5, "Поле {x}", "text", ({"value": "{0} %s {url}"},))
        text = note(step(Step.MOVE, "exchange.qualified", "main.received"), lead(fields=(odd,)), handed_over=True)
        assert text is not None and "Поле {x}: {0} %s {url}" in text

    def test_a_closing_names_its_reason_or_says_that_amocrm_lacks_it(self) -> None:
        close = step(Step.CLOSE, "exchange.new", "exchange.lost", reason="not_target")
        assert note(close) == "Conveyor: сделка закрыта, причина «Не целевой»."
        assert "записать не удалось" in (note(close, without_reason=True) or "")

    def test_a_hand_drag_is_told_only_if_the_lead_changes_hands(self) -> None:
        cross = step(Step.CROSS, "main.contact", "main.contact")
        assert note(cross) is None
        assert "«Основная воронка»" in (note(cross, handed_over=True) or "")

    @pytest.mark.parametrize("kind", [Step.TASK, Step.CLOSED, Step.SOLD, Step.PARK, Step.SUGGEST, Step.MERGE])
    def test_other_steps_say_nothing_here(self, kind: Step) -> None:
        assert note(step(kind, "main.contact", "main.contact")) is None

    def test_two_cards_point_to_each_other(self) -> None:
        copied = step(Step.COPY, "main.won", "aftercare.new_client")
        assert WORDS.copied(copied, 99) == f"Conveyor: продолжение в «Сопровождение»: {BASE_URL}/leads/detail/99"
        assert f"{BASE_URL}/leads/detail/7" in WORDS.copy(lead(), ANNA, "")
        assert f"{BASE_URL}/leads/detail/7" in WORDS.sold_again(lead())

    def test_the_winning_and_the_losing_stage_have_amocrm_s_names(self) -> None:
        assert "«Основная воронка: Успешно реализовано»" in WORDS.parked(place("main.won"))
        assert "«Прогрев: Закрыто и не реализовано»" in WORDS.parked(place("warm_up.lost"))


def test_both_languages_say_the_same_with_the_same_values() -> None:
    assert _TEXTS["ru"].keys() == _TEXTS["en"].keys()
    for key, russian in _TEXTS["ru"].items():
        assert set(re.findall(r"{(\w+)}", russian)) == set(re.findall(r"{(\w+)}", _TEXTS["en"][key])), key


def test_an_english_department_reads_english() -> None:
    words = Words(replace(DEPARTMENT, language="en"), BASE_URL)
    assert words.no_survivor("").startswith("No running lead")
    assert "the name differs" in words.suggest([5], unsure=True, stage=place("exchange.in_conversation"))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_question_is_known_by_its_beginning_and_by_the_lead_it_names(language: str) -> None:
    words = Words(replace(DEPARTMENT, language=language), BASE_URL)
    stage = place("exchange.in_conversation")
    suggested = [words.suggest([4, 5], unsure=unsure, stage=stage) for unsure in (True, False)]
    for text in (*suggested, words.merge_by_hand([4, 5])):
        assert asks_about(text, words.url(4)) and asks_about(text, words.url(5))
        assert not asks_about(text, words.url(50)) and not asks_about(text.replace("/5", "/51"), words.url(5))
    assert asks_about(words.no_survivor(""), words.url(5))
    assert not asks_about(f"Перезвонить: {words.url(5)}", words.url(5))
