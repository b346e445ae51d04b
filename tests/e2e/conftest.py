"""Running stacks, seen from outside: a process, its addresses, HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.outside import Outside, running


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """The unit suite switches them off for the whole process."""


@pytest.fixture(scope="session")
def monday(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """One stack with the example department, on a Monday at 11:30 in Moscow: Anna, Gleb and Vera are on shift.

    Tests leave no trace in each other's leads, and the clock where it is, give or take a minute: a day of ticks takes
    seconds.
    """
    with running(tmp_path_factory.mktemp("stack"), "--start", "2026-03-02T11:30+03:00") as stack:
        yield stack
