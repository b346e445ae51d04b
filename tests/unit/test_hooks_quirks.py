"""What PHP's bracket form and amoCRM's habits allow beside the regular body."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.hooks import read_hook, unsorted_lead_id, was_accepted

EVERY_QUIRK = Path(__file__).parents[1] / "hooks" / "every-quirk.form"


def test_a_body_with_every_quirk_at_once_is_read_to_the_last_field() -> None:
    events = read_hook(EVERY_QUIRK.read_bytes())
    assert [(event.entity, event.action, event.id, event.fields) for event in events] == [
        (
            "leads",
            "status",
            101,
            {
                "id": "101",
                "name": "Окна 2 + 3",
                "price": "",
                "status_id": "2",
                "custom_fields[0][id]": "7",
                "custom_fields[0][values][0]": "1615845600",
                "custom_fields[1][values][value]": "Да",
                "custom_fields[1][values][enum]": "12",
                "custom_fields[2][code]": "UTM_SOURCE",
                "pipeline_id": "5",
            },
        ),
        ("leads", "status", 103, {"id": "103"}),
        ("leads", "status", 104, {"id": "104"}),
        ("unsorted", "update", None, {"uid": "u7", "data[leads][id]": "106"}),
        ("leads", "add", 105, {"id": "105", "name": "%zz 100%", "flag": "", "city": "Омск", "": "8"}),
        ("unsorted", "delete", None, {"action": "accept", "uid": "u8", "accept_result[leads][0]": "107"}),
        (
            "contacts",
            "note",
            None,
            {"note": "scalar", "note[id]": "9", "note[text]": "a&b=c[d]", "type": "contact"},
        ),
        ("task", "update", 108, {"id": "108", "result[id]": "5"}),
        ("contacts", "update", None, {"linked_leads_id[101][ID]": "101", "tags[0]": "vip", "tags[1]": "hot"}),
        ("leads", "delete", 109, {"id": "109"}),
        ("leads", "delete", 110, {"id": "110"}),
        ("message", "add", None, {"id": "3175b0e9-852b-47f5-b501-61e6e681e014"}),
        ("loyalty_cards", "add", 111, {"id": "111"}),
        ("leads", "call_in", 112, {"id": "112"}),
    ]
    assert {(event.account, event.account_id) for event in events} == {("example", None)}
    assert unsorted_lead_id(events[3]) == 106
    assert [event for event in events if was_accepted(event)] == [events[5]]


def test_base64_hides_none_of_the_quirks() -> None:
    body = EVERY_QUIRK.read_bytes()
    assert read_hook(base64.b64encode(body)) == read_hook(body)


@pytest.mark.parametrize("value", ["", "abc", "1.5", "-1", "+1", " 1", "1e3", "0x1", "١", "9" * 20, "9" * 100_000])
def test_an_id_that_is_no_integer_of_amocrm_is_none(value: str) -> None:
    [event] = read_hook(f"leads[add][0][id]={quote_plus(value)}")
    assert event.id is None
    assert event.fields == {"id": value}


def test_a_body_without_an_account_block_takes_the_account_id_of_the_item() -> None:
    [event] = read_hook("leads[add][0][id]=1&leads[add][0][account_id]=77")
    assert (event.account, event.account_id) == (None, 77)


def test_an_empty_account_block_names_no_account() -> None:
    [event] = read_hook("leads[add][0][id]=1&account[subdomain]=&account[id]=&account=x")
    assert (event.account, event.account_id) == (None, None)


@pytest.mark.parametrize("key", ["leads[note][0]", "leads[note][a]"])
def test_an_item_that_is_both_a_value_and_a_parent_keeps_both(key: str) -> None:
    [event] = read_hook(f"{key}=1&{key}[id]=2")
    assert (event.id, event.fields) == (2, {"": "1", "id": "2"})


def test_brackets_without_a_name_are_numbered_after_the_numbers_before_them() -> None:
    [event] = read_hook("leads[add][0][tags][5]=a&leads[add][0][tags][]=b&leads[add][0][tags][01]=c")
    assert event.fields == {"tags[5]": "a", "tags[6]": "b", "tags[01]": "c"}


def test_json_scalars_read_like_php_would_have_sent_them() -> None:
    [event] = read_hook(
        '{"leads": {"add": [{"id": 7, "a": true, "b": false, "c": null, "d": 1.50, "e": [], "f": {}}]}}'
    )
    assert (event.id, event.fields) == (7, {"id": "7", "a": "1", "b": "0", "d": "1.50"})


def test_json_without_a_list_is_one_item() -> None:
    [event] = read_hook('\ufeff {"leads": {"status": {"id": "7", "custom_fields": [{"values": ["1"]}]}}}')
    assert (event.id, event.fields) == (7, {"id": "7", "custom_fields[0][values][0]": "1"})


def test_a_repr_shows_no_field() -> None:
    [event] = read_hook("contacts[add][0][id]=1&contacts[add][0][name]=Anna")
    assert "Anna" not in repr(event)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=6)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=12,
)
ITEMS = st.lists(st.dictionaries(NAMES, NESTED, min_size=1, max_size=4), min_size=1, max_size=3)
BLOCKS = st.dictionaries(
    st.sampled_from([("leads", "add"), ("leads", "status"), ("unsorted", "delete"), ("task", "update")]),
    ITEMS,
    min_size=1,
    max_size=3,
)


@given(blocks=BLOCKS, order=st.randoms(use_true_random=False))
def test_what_is_encoded_as_php_does_is_read_back_in_any_order(blocks: dict[Any, Any], order: Any) -> None:
    flat = {block: [dict(_flattened(item)) for item in items] for block, items in blocks.items()}
    parameters = [
        (f"{entity}[{action}][{index}][{head}]{rest}", value)
        for (entity, action), items in flat.items()
        for index, item in enumerate(items)
        for (head, rest), value in item.items()
    ]
    parameters.append(("account[subdomain]", "example"))
    order.shuffle(parameters)
    body = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in parameters)

    events = read_hook(body)

    sent = [
        (*block, {head + rest: value for (head, rest), value in item.items()})
        for block, items in flat.items()
        for item in items
    ]
    read = [(event.entity, event.action, event.fields) for event in events]
    assert sorted(read, key=repr_sorted) == sorted(sent, key=repr_sorted)
    assert {event.account for event in events} == {"example"}
    assert read_hook(base64.b64encode(body.encode())) == events


def repr_sorted(event: tuple[str, str, dict[str, str]]) -> str:
    return repr((*event[:2], sorted(event[2].items())))


def _flattened(item: dict[str, Any]) -> list[tuple[tuple[str, str], str]]:
    """((first name, "[rest][of][path]"), value) of every leaf: http_build_query in its shortest form."""
    found = []

    def walk(head: str, rest: str, node: Any) -> None:
        if isinstance(node, str):
            found.append(((head, rest), node))
        else:
            for name, child in node.items() if isinstance(node, dict) else enumerate(node):
                walk(head, f"{rest}[{name}]", child)

    for name, node in item.items():
        walk(name, "", node)
    return found
