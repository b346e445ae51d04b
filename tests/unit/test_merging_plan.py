"""What a lead gets from its duplicates, and what can be taken from it again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from functions.qualify_router.giving_back import common
from functions.qualify_router.merge_plan import Share, changes, fold, gain, grown, links, summaries, task_changes
from functions.qualify_router.merge_texts import Words
from functions.shared.crm import FieldValue, Lead, LeadChange, Link, Task, TaskChange
from functions.shared.identity import Likeness
from functions.shared.merge import Added, Merge
from tests.builders import MONDAY_NOON
from tests.merge_support import ANNA, BASE_URL, HOUR, answer, make_department, text_field

DEPARTMENT = make_department()
WORDS = Words(DEPARTMENT, BASE_URL)


def lead(lead_id: int, **values: Any) -> Lead:
    return Lead(lead_id, 100, 1001, ANNA, MONDAY_NOON, MONDAY_NOON, **values)


def share(duplicate: Lead, survivor: Lead, tasks: tuple[Task, ...] = ()) -> Share:
    merge = Merge("k", duplicate.id, survivor.id, Likeness.PHONE, MONDAY_NOON, "2026-11-23", (100, 1001), ANNA, 1)
    return Share(merge, duplicate, gain(survivor, duplicate, DEPARTMENT), (), tasks)


def summary(each: Share, **refused: Any) -> str:
    return "\n".join(note.text for note in summaries(each, WORDS, **refused))


def task(task_id: int, result: str | None = None) -> Task:
    times = {"created_at": MONDAY_NOON, "complete_till": MONDAY_NOON + HOUR}
    return Task(task_id, 2, ANNA, "Позвонить", **times, is_completed=result is not None, result=result or "")


def test_only_what_is_missing_goes_over():
    survivor = lead(1, contacts=(5,), tags=("vip",), fields=(text_field(50, "Дом"),), price=900, company=3)
    duplicate = lead(2, contacts=(5, 6), tags=("vip", "сайт"), fields=(text_field(51, "3 окна"),), price=900, company=3)
    gained = gain(survivor, duplicate, DEPARTMENT)
    assert (gained.contacts, gained.tags, gained.fields) == ((6,), ("сайт",), (text_field(51, "3 окна"),))
    assert (gained.price, gained.company) == (0, 0)
    assert (gained.differing, gained.other_price, gained.other_company) == ((), 0, 0)


def test_an_empty_card_gets_everything():
    duplicate = lead(2, contacts=(5,), tags=("a",), fields=(text_field(50, "Дом"),), price=10, company=3)
    assert grown(lead(1), gain(lead(1), duplicate, DEPARTMENT)) == replace(duplicate, id=1)


def test_the_answer_and_the_origin_stay_on_their_card():
    duplicate = lead(
        2, fields=(answer(DEPARTMENT, "in_conversation"), text_field(DEPARTMENT.origin_field, "https://x"))
    )
    assert not gain(lead(1), duplicate, DEPARTMENT).fields


def test_what_differs_is_told_with_its_value_and_never_overwritten():
    survivor = lead(1, fields=(text_field(50, "Дом"),), price=900, company=3)
    each = share(lead(2, fields=(text_field(50, "Дача", "Объект"),), price=700, company=4), survivor)
    assert changes([each]) == []
    assert links(each) == []
    text = summary(each)
    assert "– Объект: Дача" in text
    assert "– бюджет: 700" in text
    assert f"– компания: {BASE_URL}/companies/detail/4" in text


def test_a_choice_that_the_survivor_has_among_others_does_not_differ():
    colours = [{"value": name, "enum_id": number} for number, name in enumerate(("белый", "серый", "чёрный"))]
    survivor = lead(1, fields=(FieldValue(50, "Цвет", "multiselect", tuple(colours)),))
    duplicate = lead(2, fields=(FieldValue(50, "Цвет", "multiselect", (colours[2], colours[0])),))
    assert not gain(survivor, duplicate, DEPARTMENT).differing


def test_a_tag_in_another_spelling_is_the_same_tag():
    """amoCRM shows the spelling it has, so ours could not be told from the survivor's own when it is to go again."""
    survivor = lead(1, tags=("VIP",))
    assert gain(survivor, lead(2, tags=("vip ", "сайт")), DEPARTMENT).tags == ("сайт",)
    assert common(Added(tags=("Сайт",)), lead(1, tags=("сайт",)), lead(2, tags=("САЙТ",))).tags == ("Сайт",)


def test_values_are_told_as_people_write_them():
    fields = (
        FieldValue(50, "Замер", "date", ({"value": 1795381200},)),
        FieldValue(51, "Созвон", "date_time", ({"value": 1795417200},)),
        FieldValue(52, "Срочно", "checkbox", ({"value": True},)),
        FieldValue(53, "Файл", "file", ({"value": {"file_name": "Смета.pdf"}},)),
        FieldValue(54, "Площадь", "numeric", ({"value": 42},)),
    )
    survivor = lead(1, fields=tuple(replace(each, values=({"value": "?"},)) for each in fields))
    text = summary(share(lead(2, fields=fields), survivor))
    for line in ("Замер: 23.11.2026", "Созвон: 23.11.2026 10:00", "Срочно: да", "Смета.pdf", "Площадь: 42"):
        assert line in text


def test_what_amocrm_refuses_is_told_too():
    each = share(lead(2, contacts=(6,), fields=(text_field(50, "Дача", "Объект"),)), lead(1))
    text = summary(each, refused_fields={50}, refused_links=set(links(each)))
    assert "amoCRM не принял значения полей, поэтому они только в этом примечании:\n– Объект: Дача" in text
    assert "Не удалось привязать: контакт #6." in text


def test_the_summary_names_the_duplicate_its_card_and_the_reason():
    text = summary(share(lead(2, name="Окна на дачу"), lead(1)))
    assert text.split("\n") == [
        "Conveyor, 23.11.2026 12:00: сюда объединена сделка #2",
        f"{BASE_URL}/leads/detail/2, «Окна на дачу», создана 23.11.2026 12:00. Основание: совпал телефон.",
    ]


def test_completed_tasks_are_told_with_their_results_and_open_ones_go_over():
    each = share(lead(2), lead(1), (task(8, result="Договорились"), task(9, result=""), task(10)))
    assert "– 23.11.2026 13:00: Позвонить → Договорились\n– 23.11.2026 13:00: Позвонить" in summary(each)
    assert task_changes(each, 77) == [TaskChange(10, lead_id=1, responsible_user_id=77)]
    assert each.added.tasks == {10: ANNA}


def test_nobody_loses_a_task_to_a_lead_without_an_owner():
    assert task_changes(share(lead(2), lead(1), (task(10),)), 0) == [TaskChange(10, lead_id=1)]


def test_several_duplicates_become_one_change_and_the_first_comes_first():
    one = lead(2, tags=("a",), fields=(text_field(50, "Дом"),), price=5, contacts=(7,))
    two = lead(3, tags=("a", "b"), fields=(text_field(50, "Дача"), text_field(51, "да")), price=6, contacts=(7,))
    folded = fold({1: lead(1)}, [(share(each, lead(1)).merge, each) for each in (one, two)], DEPARTMENT)
    shares = [Share(merge, duplicate, gained) for merge, duplicate, gained in folded]
    fields = (text_field(50, "Дом"), text_field(51, "да"))
    assert changes(shares) == [LeadChange(1, price=5, add_tags=("a", "b"), fields=fields)]
    assert [link for each in shares for link in links(each)] == [Link(1, 7)]
    assert shares[1].gain.differing == (text_field(50, "Дача"),)
    assert shares[1].gain.other_price == 6


FIELDS = st.dictionaries(st.integers(50, 54), st.sampled_from("ab"), max_size=4).map(
    lambda values: tuple(text_field(field_id, value) for field_id, value in values.items())
)
CONTENT = st.fixed_dictionaries(
    {
        "contacts": st.lists(st.integers(1, 4), unique=True, max_size=3).map(tuple),
        "tags": st.lists(st.sampled_from("xyz"), unique=True, max_size=3).map(tuple),
        "fields": FIELDS,
        "price": st.sampled_from([0, 0, 5, 6]),
        "company": st.sampled_from([0, 0, 1, 2]),
    }
)


@given(CONTENT, st.lists(CONTENT, min_size=1, max_size=4))
def test_nothing_of_any_duplicate_is_lost_and_nothing_of_the_survivor_is_touched(own, contents):
    survivor = lead(1, **own)
    duplicates = [lead(2 + number, **content) for number, content in enumerate(contents)]
    pairs = [(share(each, survivor).merge, each) for each in duplicates]
    after = survivor
    for (_, duplicate, gained), (_, original) in zip(fold({1: survivor}, pairs, DEPARTMENT), pairs, strict=True):
        assert duplicate == original
        after = grown(after, gained)
        assert set(duplicate.contacts) <= set(after.contacts)
        assert set(duplicate.tags) <= set(after.tags)
        told = {each.field_id for each in gained.differing}
        for each in duplicate.fields:
            assert after.filled(each.field_id) == each or each.field_id in told
        assert duplicate.price in (0, after.price, gained.other_price)
        assert duplicate.company in (0, after.company, gained.other_company)
    assert all(after.filled(each.field_id) == each for each in own["fields"])
    assert not own["price"] or after.price == own["price"]
    assert after.contacts[: len(own["contacts"])] == own["contacts"]


@given(CONTENT, CONTENT)
def test_planned_again_on_what_stands_there_is_nothing_left(own, content):
    survivor, duplicate = lead(1, **own), lead(2, **content)
    after = grown(survivor, gain(survivor, duplicate, DEPARTMENT))
    again = gain(after, duplicate, DEPARTMENT)
    assert (again.contacts, again.company, again.tags, again.fields, again.price) == ((), 0, (), (), 0)


@given(CONTENT, CONTENT)
def test_what_was_added_is_what_can_be_given_back(own, content):
    survivor, duplicate = lead(1, **own), lead(2, **content)
    added = share(duplicate, survivor).added
    after = grown(survivor, gain(survivor, duplicate, DEPARTMENT))
    assert common(added, after, duplicate) == added
    assert added.without(added) == Added()
    assert common(added, survivor, duplicate) == Added()
