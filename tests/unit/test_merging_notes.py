"""Copies of notes: nothing of a note is lost, each says where it is from, and none is copied twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.qualify_router.merge_notes import NATIVE, as_text, copy_of, missing, missing_heads
from functions.qualify_router.merge_texts import LONGEST_NOTE, Words, in_parts
from functions.shared.crm import NewNote, Note
from infra.local.amocrm_simulator.notes import REQUIRED_PARAMS, TYPES
from tests.merge_support import ANNA, BASE_URL, make_department

WORDS = Words(make_department(), BASE_URL)
AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CALL = {"uniq": "8f52", "duration": 60, "source": "onlinePBX", "link": "https://rec.example/1.mp3", "phone": "+7999"}


def note(kind: str = "common", *, by: int = 0, **params: Any) -> Note:
    return Note(1, 101, str(params.get("text") or ""), AT, kind, params, by)


def stands(new: NewNote, number: int = 9) -> Note:
    """The note as amoCRM shows it once it is written."""
    params = {"text": new.text} if new.params is None else dict(new.params)
    return Note(number, new.lead_id, str(params.get("text") or ""), AT, new.kind, params)


def test_a_text_says_from_which_lead_it_is_and_of_when_in_the_departments_zone():
    assert copy_of(note(text="Хочет скидку"), 7, WORDS) == NewNote(7, "Из сделки #101, 20.11.2026 12:30: Хочет скидку")


def test_a_managers_note_keeps_his_name():
    assert copy_of(note(text="Да", by=ANNA), 7, WORDS).text == "Из сделки #101, 20.11.2026 12:30, Анна: Да"


def test_a_call_stays_a_call_with_its_record():
    copy = copy_of(note("call_in", **CALL, call_status=4, call_result="Перезвонить"), 7, WORDS)
    assert copy.kind == "call_in"
    assert copy.params == CALL | {"call_status": 4, "call_result": "Из сделки #101, 20.11.2026 12:30: Перезвонить"}


def test_a_message_stays_a_message():
    copy = copy_of(note("sms_out", text="Ждём вас", phone="+7999"), 7, WORDS)
    assert (copy.kind, copy.params) == (
        "sms_out",
        {"text": "Из сделки #101, 20.11.2026 12:30: Ждём вас", "phone": "+7999"},
    )


def test_a_file_stays_the_same_file():
    params = {"file_uuid": "f1", "version_uuid": "v1", "file_name": "Смета.pdf"}
    assert copy_of(note("attachment", **params, text=""), 7, WORDS).params == params


def test_a_call_without_what_the_api_wants_becomes_a_text_with_all_it_says():
    copy = copy_of(note("call_out", duration=60, phone="+7999"), 7, WORDS)
    assert copy == NewNote(7, "Из сделки #101, 20.11.2026 12:30 [call_out]: duration: 60; phone: +7999")


def test_what_only_amocrm_can_create_becomes_a_text_with_all_it_says():
    copy = copy_of(
        note("amomail_message", text="Здравствуйте", subject="Окна", to=[{"email": "a@b.example"}]), 7, WORDS
    )
    assert copy.kind == "common"
    assert all(part in copy.text for part in ("[amomail_message]", "Здравствуйте", "Окна", "a@b.example"))


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_every_copy_is_one_that_amocrm_takes(kind):
    """Whatever an original lacks: amoCRM gets all parameters that it wants of the type."""
    wanted = REQUIRED_PARAMS.get(kind, ())
    for params in ({}, dict.fromkeys(wanted, "1"), dict.fromkeys(wanted, "1") | {"unknown": "x"}):
        copy = copy_of(note(kind, **params), 7, WORDS)
        sent = {"text": copy.text} if copy.params is None else copy.params
        assert all(sent.get(name) for name in REQUIRED_PARAMS.get(copy.kind, ()))
        assert copy.kind in NATIVE


def test_a_refused_copy_says_the_same_as_a_text():
    copy = as_text(copy_of(note("call_in", **CALL), 7, WORDS))
    assert copy.kind == "common"
    assert copy.params is None
    assert "https://rec.example/1.mp3" in copy.text


class TestMissing:
    """What a repeated run still has to write."""

    @pytest.mark.parametrize(
        "original",
        [
            note(text="Хочет скидку"),
            note("call_in", **CALL),
            note("sms_in", text="Да", phone="+7999"),
            note("attachment", file_uuid="f1", version_uuid="v1"),
            note("chat", text="Здравствуйте"),
        ],
        ids=lambda each: each.kind,
    )
    def test_what_stands_is_not_written_again(self, original):
        copy = copy_of(original, 7, WORDS)
        assert missing([copy], []) == [copy]
        assert missing([copy], [stands(copy)]) == []
        assert missing([copy], [stands(as_text(copy))]) == []

    def test_of_two_equal_notes_both_are_wanted(self):
        copy = copy_of(note(text="Не берёт трубку"), 7, WORDS)
        assert missing([copy, copy], [stands(copy)]) == [copy]

    def test_a_note_of_another_lead_is_another_note(self):
        copy = copy_of(note(text="Да"), 7, WORDS)
        assert missing([copy], [stands(copy_of(note(text="Да"), 8, WORDS))]) == [copy]

    def test_amocrm_may_trim_a_text(self):
        copy = copy_of(note(text="Да \n"), 7, WORDS)
        assert missing([copy], [stands(NewNote(7, copy.text.strip()))]) == []

    def test_a_note_of_a_merge_is_known_by_its_first_line(self):
        told, there = NewNote(7, "Conveyor: голова\nтак"), stands(NewNote(7, "Conveyor: голова\r\nиначе"))
        assert missing_heads([told], [there]) == []
        assert missing_heads([NewNote(8, told.text)], [there]) != []


KINDS = st.sampled_from(["common", "call_in", "sms_out", "attachment", "chat", "geolocation", "zoom_meeting"])
PARAMS = st.dictionaries(
    st.sampled_from(sorted({name for native in NATIVE.values() for name in native.params})), st.text(max_size=3)
)


@given(st.lists(st.tuples(KINDS, PARAMS), max_size=8), st.data())
def test_after_any_part_of_the_copies_was_written_the_rest_completes_them(originals, data):
    copies = [copy_of(note(kind, **params), 7, WORDS) for kind, params in originals]
    written = data.draw(st.sets(st.sampled_from(range(len(copies))))) if copies else set()
    there = [stands(copies[number], number) for number in written]
    rest = missing(copies, there)
    assert len(rest) == len(copies) - len(there)
    assert missing(copies, [*there, *map(stands, rest)]) == []


def test_a_long_story_becomes_several_notes_each_with_its_own_head():
    lines = [f"{number}: {'о' * 3000}" for number in range(10)]
    parts = in_parts("голова", lines, WORDS.part)
    assert all(len(part) < LONGEST_NOTE + 100 for part in parts)
    assert [part.split("\n")[0] for part in parts] == ["голова", *(f"голова (часть {n})" for n in (2, 3, 4))]
    assert [line for part in parts for line in part.split("\n")[1:]] == lines
