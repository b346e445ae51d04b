from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.holdout import draw, is_held_out
from functions.shared.care import Client

KEY = b"test-holdout-key"


def test_known_draws() -> None:
    assert round(draw(KEY, "client-2"), 6) == 0.000174
    assert round(draw(KEY, "client-10"), 6) == 0.175146


@pytest.mark.parametrize(("share", "held"), [(0.0, False), (0.1, False), (0.18, True), (1.0, True)])
def test_a_client_is_held_out_below_the_share(share: float, held: bool) -> None:
    assert is_held_out(KEY, Client(10, salt="client-10"), share) is held


def test_without_a_salt_the_id_draws() -> None:
    assert is_held_out(KEY, Client(7), 0.5) == is_held_out(KEY, Client(8, salt="7"), 0.5)


@given(salt=st.text(min_size=1), share=st.floats(0, 1), more=st.floats(0, 1))
def test_the_arms_are_nested(salt: str, share: float, more: float) -> None:
    client = Client(1, salt=salt)
    if share <= more and is_held_out(KEY, client, share):
        assert is_held_out(KEY, client, more)


def test_about_a_tenth_is_held_out() -> None:
    held = sum(is_held_out(KEY, Client(number), 0.1) for number in range(1, 20_001))
    assert 1_800 < held < 2_200  # four standard deviations of 42
