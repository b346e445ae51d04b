"""Our cheaper rollback of moto's transactions restores what moto's own does."""

from __future__ import annotations

import pytest

from functions.shared.adapters.dynamodb.table import ConditionFailed

KEY, OTHER = {"pk": "a", "sk": "1"}, {"pk": "b", "sk": "1"}


def test_a_cancelled_transaction_leaves_everything_as_it_was(table):
    table.put({**KEY, "balance": 1, "books": {"site": 5}})
    actions = [
        table.update_action(KEY, "SET balance = :two, books.site = :two", {":two": 2}, "attribute_exists(pk)"),
        table.put_action({"pk": "c", "sk": "1"}, "attribute_not_exists(pk)"),
        table.put_action(OTHER, "attribute_exists(pk)"),
    ]

    with pytest.raises(ConditionFailed):
        table.transact(actions)

    assert table.get(KEY) == {**KEY, "balance": 1, "books": {"site": 5}}
    assert table.get({"pk": "c", "sk": "1"}) is None


def test_a_transaction_that_holds_is_kept(table):
    table.put({**KEY, "balance": 1})

    table.transact(
        [
            table.update_action(KEY, "SET balance = :two", {":two": 2}, "balance = :two OR attribute_exists(pk)"),
            table.put_action(OTHER, "attribute_not_exists(pk)"),
        ]
    )

    assert table.get(KEY) == {**KEY, "balance": 2}
    assert table.get(OTHER) == OTHER
