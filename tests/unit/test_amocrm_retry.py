"""The retry policy as a value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.shared.adapters.amocrm.retry import Backoff, Cause, Failure

FAILURES = st.builds(
    Failure,
    cause=st.sampled_from(Cause),
    detail=st.just("x"),
    is_write=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e6),
)


@given(failure=FAILURES, attempt=st.integers(1, 10), chance=st.floats(0, 1, exclude_max=True))
def test_waits_are_few_and_short_whatever_happens(failure, attempt, chance):
    wait = Backoff(jitter=lambda: chance)(failure, attempt)
    assert wait is None or (0 <= wait <= 10 and attempt <= 2)


@given(failure=FAILURES, attempt=st.integers(1, 10))
def test_a_write_that_may_have_been_done_is_never_repeated(failure, attempt):
    if failure.is_write and failure.cause is Cause.UNANSWERED:
        assert Backoff()(failure, attempt) is None


@given(chance=st.floats(0, 1, exclude_max=True), attempt=st.integers(1, 2), is_write=st.booleans())
def test_after_a_429_at_least_the_second_passes_that_amocrm_counts_in(chance, attempt, is_write):
    for asked in (None, 0.0):
        wait = Backoff(jitter=lambda: chance)(Failure(Cause.THROTTLED, "429", is_write, asked), attempt)
        assert wait is not None
        assert wait >= 1


def test_what_amocrm_asks_for_is_respected():
    assert Backoff()(Failure(Cause.THROTTLED, "429", False, retry_after=7.0), 1) == 7.0
    assert Backoff()(Failure(Cause.THROTTLED, "429", False, retry_after=300.0), 1) is None
