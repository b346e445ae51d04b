"""Which of amoCRM's things is which of ours: by id what was ours, by name what is new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infra.department.match import Before, settle

NAMES = st.sampled_from(["Новый", "новый", "Замер", "Оплата", "Отказ", "Архив"])
KEYS = st.sampled_from("abcd")
IDS = st.integers(1, 6)
WANTED = st.dictionaries(KEYS, NAMES, min_size=1)
PRESENT = st.dictionaries(IDS, NAMES)
BEFORE = st.builds(Before, st.dictionaries(KEYS, IDS, max_size=4), st.dictionaries(KEYS, NAMES))


@given(WANTED, PRESENT, BEFORE, st.booleans())
def test_nothing_is_two_keys_at_once_and_only_what_is_there_is_found(
    wanted: dict[str, str], present: dict[int, str], before: Before, is_renamed: bool
) -> None:
    wanted = {key: name for key, name in wanted.items() if name.casefold() not in _names_before(wanted, key)}
    before = _sound(before)
    settled = settle(wanted, present, before, is_renamed=is_renamed)
    assert len(set(settled.values())) == len(settled)
    assert set(settled.values()) <= present.keys()
    assert settled.keys() <= wanted.keys()


@given(WANTED, PRESENT, BEFORE)
def test_what_the_file_still_calls_as_it_did_is_what_it_was(
    wanted: dict[str, str], present: dict[int, str], before: Before
) -> None:
    before = _sound(before)
    settled = settle(wanted, present, before)
    for key, name in wanted.items():
        if before.names.get(key) == name and before.ids.get(key) in present:
            assert settled[key] == before.ids[key]


@given(st.lists(NAMES, unique_by=str.casefold), st.data())
def test_whatever_people_rename_is_found_again(names: list[str], data: st.DataObject) -> None:
    wanted = {f"key{number}": name for number, name in enumerate(names)}
    ids = {key: number for number, key in enumerate(wanted, start=1)}
    present = {id_: data.draw(NAMES) for id_ in ids.values()} | {99: data.draw(NAMES)}
    assert settle(wanted, present, Before(ids, wanted)) == ids


def test_without_a_department_names_decide_and_of_two_the_older_one_counts() -> None:
    present = {9: "Замер", 3: " ЗАМЕР ", 5: "Оплата"}
    assert settle({"measure": "Замер", "payment": "Оплата", "new": "Новый"}, present, Before()) == {
        "measure": 3,
        "payment": 5,
    }


def test_a_new_name_in_the_file_means_what_bears_it_else_what_it_was() -> None:
    before = Before({"a": 1, "b": 2}, {"a": "Замер", "b": "Оплата"})
    wanted = {"a": "Выезд", "b": "Отказ"}
    present = {1: "Замер", 2: "Оплата", 3: "Отказ"}
    assert settle(wanted, present, before) == {"a": 1, "b": 3}
    assert settle(wanted, present, before, is_renamed=False) == {"b": 3}


def _names_before(wanted: dict[str, str], key: str) -> set[str]:
    """Two keys with one name are refused when the file is read."""
    return {name.casefold() for each, name in wanted.items() if each < key}


def _sound(before: Before) -> Before:
    """No stored department has one id under two keys."""
    ids: dict[str, int] = {}
    for key, id_ in before.ids.items():
        if id_ not in ids.values():
            ids[key] = id_
    return Before(ids, before.names)
