"""moto's DynamoDB transactions without a copy of the whole table for each of their actions.

moto 5.2.5 deep-copies the table once per action to be able to roll back: with a thousand leads a transaction of a
hundred decisions takes minutes. Here it copies the containers once and only the items that the transaction updates
in place; what a rollback restores is the same.
"""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest.mock import patch

_current = threading.local()


def cheap_transactions() -> AbstractContextManager[Any]:
    """A context manager: inside it moto's transactions cost in proportion to their actions and the table's keys."""
    from moto.dynamodb import models

    plain = models.DynamoDBBackend.transact_write_items

    def transact(self: Any, transact_items: list[dict[str, Any]]) -> None:
        _current.actions, _current.snapshots = transact_items, {}
        try:
            plain(self, transact_items)
        finally:
            vars(_current).clear()  # also where another such manager is active around this one

    exits = ExitStack()
    exits.enter_context(patch.object(models.DynamoDBBackend, "transact_write_items", transact))
    exits.enter_context(patch.object(models, "copy", _Copies))
    return exits


class _Copies:
    """Stands in for the module `copy` as moto's models see it."""

    copy = staticmethod(copy.copy)

    @staticmethod
    def deepcopy(thing: Any) -> Any:
        from moto.dynamodb.models.table import Table

        if not isinstance(thing, Table) or not hasattr(_current, "actions"):
            return copy.deepcopy(thing)
        if thing.name not in _current.snapshots:
            _current.snapshots[thing.name] = _snapshot(thing, _current.actions)
        return _current.snapshots[thing.name]


def _snapshot(table: Any, actions: list[dict[str, Any]]) -> Any:
    kept = copy.copy(table)
    kept.items = defaultdict(dict)
    for partition, rows in table.items.items():
        kept.items[partition] = copy.copy(rows)
    for action in actions:
        update = action.get("Update")
        if update and update["TableName"] == table.name:
            _keep_item(table, kept, update["Key"])
    return kept


def _keep_item(table: Any, kept: Any, key: dict[str, Any]) -> None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    partition, sort = DynamoType(key[table.hash_key_attr]), DynamoType(key[table.range_key_attr])
    item = table.items.get(partition, {}).get(sort)
    if item is not None:
        kept.items[partition][sort] = copy.deepcopy(item)
