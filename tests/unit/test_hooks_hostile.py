"""Whatever is posted to the route: a clear word and an end in good time, never another exception."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.errors import HookRejected
from functions.shared.hooks import MAX_BYTES, MAX_DEPTH, MAX_FIELDS, Reason, read_hook

SECONDS = 2.0
"""Generous for a busy machine: the slowest body here takes 0.3 s, and anything quadratic would take minutes."""


@pytest.mark.parametrize("body", ["", b"", " \r\n", "\ufeff"])
def test_nothing_is_rejected_as_empty(body: str | bytes) -> None:
    assert _reason(body) == Reason.EMPTY


@pytest.mark.parametrize(
    "body",
    [
        "hello world",
        "test",
        "dGVzdA==",
        "a=1&b=2",
        "leads=1",
        "leads[add]=1",
        "leads[add=1",
        "leads[][0][id]=1",
        "=&=&&",
        "[leads][add][0][id]=1",
        "account[subdomain]=example&account[_links][self]=https://example.amocrm.ru",
        "utm[source][0][id]=1",
        "<html><body>502</body></html>",
        '{"a": 1}',
        '{"event": {"data": {"id": "1"}}, "action": {"settings": {"widget": "x"}}}',
        '{"leads": {"add": []}}',
        "[1, 2]",
    ],
)
def test_what_has_no_item_of_an_entity_and_an_action_is_no_hook(body: str) -> None:
    assert _reason(body) == Reason.NOT_A_HOOK


@pytest.mark.parametrize("body", ['{"leads": ', "{", '{"a": ' + "1" * 5000 + "]", "{leads[add][0][id]=1"])
def test_broken_json_says_where_it_breaks_off(body: str) -> None:
    assert _reason(body) == Reason.NOT_JSON


@pytest.mark.parametrize(
    "body",
    [
        "leads[add][0][name]=%FF",
        "leads[add][0][%C3]=1",
        b"leads[add][0][name]=\xff",
        base64.b64encode(b"leads[add][0][name]=\xff"),
        "leads[add][0][name]=%ED%A0%80",
        "leads[add][0][name]=\ud800",
        b'{"leads": "\xff"}',
        '{"leads": {"add": [{"name": "\\ud800"}]}}',
    ],
)
def test_text_that_is_not_utf8_is_rejected(body: str | bytes) -> None:
    assert _reason(body) == Reason.NOT_UTF8


def test_the_limits_are_reached_and_not_crossed() -> None:
    hook = "leads[add][0][id]=1"
    assert read_hook(hook + "&x=" + "y" * (MAX_BYTES - len(hook) - 3))
    assert _reason(hook + "&x=" + "y" * (MAX_BYTES - len(hook) - 2)) == Reason.TOO_LARGE
    assert _reason("x=" + "я" * (MAX_BYTES // 2)) == Reason.TOO_LARGE

    assert read_hook(hook + "&x=1" * (MAX_FIELDS - 1))
    assert _reason(hook + "&x=1" * MAX_FIELDS) == Reason.TOO_MANY_FIELDS

    deepest = "leads[add][0]" + "[a]" * (MAX_DEPTH - 3)
    assert read_hook(deepest + "=1")
    assert _reason(deepest + "[a]=1") == Reason.TOO_DEEP


def test_json_has_the_same_limits() -> None:
    leaf = '{"leads": {"add": [%s]}}'
    assert read_hook(leaf % ", ".join(["1"] * MAX_FIELDS))
    assert _reason(leaf % ", ".join(["1"] * (MAX_FIELDS + 1))) == Reason.TOO_MANY_FIELDS

    levels = MAX_DEPTH - 3
    assert read_hook(leaf % ("[" * levels + "1" + "]" * levels))
    assert _reason(leaf % ("[" * (levels + 1) + "1" + "]" * (levels + 1))) == Reason.TOO_DEEP


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("a" + "[a]" * 100_000 + "=1", Reason.TOO_DEEP),
        ("leads[add][0]" + "[]" * 100_000 + "=1", Reason.TOO_DEEP),
        ("a" + "[" * 1_000_000, Reason.NOT_A_HOOK),
        ("a" + "[" * 500_000 + "]" * 500_000, Reason.NOT_A_HOOK),
        ("&".join(f"leads[add][0][f{index}]=1" for index in range(10_000)), Reason.TOO_MANY_FIELDS),
        ("&" * 1_000_000, Reason.TOO_MANY_FIELDS),
        ("=" * 1_000_000, Reason.NOT_A_HOOK),
        ("%" * 300_000, Reason.NOT_A_HOOK),
        ("A" * 1_000_000, Reason.NOT_A_HOOK),
        ('{"a":' * 150_000 + "1" + "}" * 150_000, Reason.TOO_DEEP),
        ('{"a":' + "[" * 900_000, Reason.TOO_DEEP),
        ('{"leads":{"add":[{"' + "k" * 400_000 + '":[' + "1," * 200_000 + "1]}]}}", Reason.TOO_LARGE),
        ('{"leads":{"add":[' + "[]," * 100_000 + "[]]}}", Reason.NOT_A_HOOK),
        ("x" * 50_000_000, Reason.TOO_LARGE),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_hostile_body_is_refused_in_good_time(body: str, reason: Reason) -> None:
    started = time.perf_counter()
    assert _reason(body) == reason
    assert time.perf_counter() - started < SECONDS


@pytest.mark.parametrize(
    "body",
    [
        "&".join(f"leads[add][{index}]{'[1]' * 28}=1" for index in range(MAX_FIELDS)),
        "&".join(f"leads[add][0][tags][]={index}" for index in range(MAX_FIELDS)),
        "&".join(f"leads[add][][name]={'%D0%AF' * 25}" for _ in range(MAX_FIELDS)),
        "&".join(["leads[add][0][id]=1"] * MAX_FIELDS),
        "leads[add][0][name]=" + "%41" * 340_000,
        "leads[add][0][" + "k" * 900_000 + "]=1",
        '{"leads":{"add":[{"id":' + "1" * 900_000 + "}]}}",
    ],
    ids=["deep", "numbered", "items", "duplicates", "escapes", "long key", "long number"],
)
def test_the_largest_bodies_that_are_read_are_read_in_good_time(body: str) -> None:
    started = time.perf_counter()
    assert read_hook(body)
    assert time.perf_counter() - started < SECONDS


@pytest.mark.parametrize("body", ["leads[add][0][Anna]=Anna&x=%FF", '{"Anna": "Anna" x}', "Anna=Anna", "\ud800Anna"])
def test_a_rejection_does_not_quote_the_body(body: str) -> None:
    with pytest.raises(HookRejected) as caught:
        read_hook(body)
    assert "Anna" not in str(caught.value)


WORDS = ["leads", "add", "account", "unsorted", "id", "[0]", "[]", "[leads]", "[add]", "1", "null", "я", "\x00"]
MARKS = ["[", "]", "=", "&", "%", "%5B", "%5D", "%FF", "+", "{", "}", '"', ":", ",", "\\ud800", " "]
STARTS = ["", "leads[add][0]", "unsorted[delete]", "leads[add][0][id]=1&", '{"leads":{"add":[', '{"account":{']
BODIES = st.builds(
    lambda start, rest: start + "".join(rest), st.sampled_from(STARTS), st.lists(st.sampled_from(WORDS + MARKS))
)


@given(BODIES | BODIES.map(lambda body: base64.b64encode(body.encode())) | st.binary(max_size=50))
def test_any_body_is_read_or_rejected(body: str | bytes) -> None:
    try:
        events = read_hook(body)
    except HookRejected as rejection:
        assert rejection.reason in set(Reason)
    else:
        assert events
        assert all(event.entity and event.action and event.fields for event in events)


def _reason(body: str | bytes) -> str:
    with pytest.raises(HookRejected) as caught:
        read_hook(body)
    return caught.value.reason
