"""The environment of a function, parsed once."""

from __future__ import annotations

import pytest

from functions.shared.errors import NotConfigured
from functions.shared.settings import Settings

COMPLETE = {
    "TABLE_NAME": "t",
    "BUS_NAME": "b",
    "QUEUE_URL": "q",
    "DEAD_LETTERS_URL": "d",
    "AMOCRM_BASE_URL": "https://demo.amocrm.ru",
    "SECRETS_PREFIX": "/conveyor/dev",
}


def test_a_complete_environment_gives_settings():
    settings = Settings.from_environment(COMPLETE | {"REQUESTS_PER_SECOND": "4.5"})

    assert (settings.table_name, settings.requests_per_second) == ("t", 4.5)


def test_all_missing_names_are_told_at_once():
    with pytest.raises(NotConfigured, match="BUS_NAME, QUEUE_URL"):
        Settings.from_environment({k: v for k, v in COMPLETE.items() if k not in ("BUS_NAME", "QUEUE_URL")})


def test_a_rate_that_is_no_number_is_told():
    with pytest.raises(NotConfigured, match="REQUESTS_PER_SECOND is 'six'"):
        Settings.from_environment(COMPLETE | {"REQUESTS_PER_SECOND": "six"})
