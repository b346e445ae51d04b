"""The one table, with plain Python values on our side and DynamoDB's attribute values and errors on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from functions.shared.adapters.dynamodb.keys import Key
from functions.shared.errors import Contended, RetryLater

Item = dict[str, Any]
BATCH_GET_LIMIT = 100
TRANSACTION_LIMIT = 100
"""Both are limits of the DynamoDB API."""

UNPROCESSED_TRIES = 5
"""DynamoDB may leave keys of a batch for the next call when it is busy."""


class ConditionFailed(Exception):
    """A conditional write found another state. `items` has, per action of the transaction, None where the
    condition held, else what stands there ({} for nothing)."""

    def __init__(self, items: Sequence[Item | None]) -> None:
        super().__init__("the condition of a write did not hold")
        self.items = items


class Moved(Exception):
    """Somebody else has written the row since we read it: read it and decide again."""


class Table:
    """`client` gives a boto3 DynamoDB client when the first request needs it.

    Throttling and outages of DynamoDB become RetryLater, a conflict with another transaction Contended.
    """

    def __init__(self, client: Callable[[], Any], name: str) -> None:
        self._client = client
        self._name = name

    def get(self, key: Key) -> Item | None:
        """A strongly consistent read."""
        answer = self._call("get_item", TableName=self._name, Key=encode(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key], consistent: bool = True) -> list[Item]:
        """Missing items are missing, the order is any, a key given twice is read once."""
        wanted = [encode(Key(pk=pk, sk=sk)) for pk, sk in dict.fromkeys((key["pk"], key["sk"]) for key in keys)]
        found: list[Item] = []
        tries = len(wanted) // BATCH_GET_LIMIT + UNPROCESSED_TRIES
        while wanted:
            if not tries:
                raise RetryLater("DynamoDB leaves keys of a batch unprocessed again and again")
            tries -= 1
            request = {self._name: {"Keys": wanted[:BATCH_GET_LIMIT], "ConsistentRead": consistent}}
            answer = self._call("batch_get_item", RequestItems=request)
            found += [decode(item) for item in answer["Responses"].get(self._name, [])]
            unprocessed = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            wanted = unprocessed + wanted[BATCH_GET_LIMIT:]
        return found

    def query(self, pk: str, sk_prefix: str) -> Iterator[Item]:
        """All items of a partition whose sort key begins so, strongly consistent, in the order of the sort key."""
        yield from self._pages(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=encode({":pk": pk, ":sk": sk_prefix}),
            ConsistentRead=True,
        )

    def between(
        self, pk: str, first: str, last: str, consistent: bool = True, page: int | None = None
    ) -> Iterator[Item]:
        """All items of a partition from one sort key to another, both included, in their order. An eventually
        consistent read costs half, and may miss the writes of the last second. `page`: how many items are read ahead,
        for callers that may stop early; None: 1 MB."""
        yield from self._pages(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=encode({":pk": pk, ":first": first, ":last": last}),
            ConsistentRead=consistent,
            **({"Limit": page} if page else {}),
        )

    def due(self, index: str, shard: str, until: str, page: int | None = None) -> Iterator[Item]:
        """Keys of the rows that are due, the earliest first; `page` as above."""
        yield from self._pages(
            IndexName=index,
            KeyConditionExpression="due_shard = :shard AND due_at <= :until",
            ExpressionAttributeValues=encode({":shard": shard, ":until": until}),
            **({"Limit": page} if page else {}),
        )

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
        """Raises ConditionFailed with what stands there."""
        self._write("put_item", {"Item": encode(item)}, condition, values)

    def update(self, key: Key, expression: str, values: Item, condition: str | None = None) -> None:
        """Raises ConditionFailed with what stands there."""
        self._write("update_item", {"Key": encode(key), "UpdateExpression": expression}, condition, values)

    def delete(self, key: Key, condition: str | None = None, values: Item | None = None) -> None:
        """Raises ConditionFailed with what stands there."""
        self._write("delete_item", {"Key": encode(key)}, condition, values)

    def transact(self, actions: Sequence[Item]) -> None:
        """All or nothing. Build the actions with `put_action` and `update_action`; raises ConditionFailed."""
        assert len(actions) <= TRANSACTION_LIMIT
        self._call("transact_write_items", TransactItems=list(actions))

    def put_action(self, item: Item, condition: str, values: Item | None = None) -> Item:
        return {"Put": {"TableName": self._name, "Item": encode(item)} | _conditional(condition, values)}

    def update_action(self, key: Key, expression: str, values: Item, condition: str | None = None) -> Item:
        update = {"TableName": self._name, "Key": encode(key), "UpdateExpression": expression}
        conditional = _conditional(condition, values) if condition else {"ExpressionAttributeValues": encode(values)}
        return {"Update": update | conditional}

    def _write(self, operation: str, request: Item, condition: str | None, values: Item | None) -> None:
        if condition:
            request |= _conditional(condition, values)
        elif values:
            request["ExpressionAttributeValues"] = encode(values)
        self._call(operation, TableName=self._name, **request)

    def _pages(self, **request: Any) -> Iterator[Item]:
        while True:
            answer = self._call("query", TableName=self._name, **request)
            yield from (decode(item) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _call(self, operation: str, **request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(), operation)(**request)
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise RetryLater(f"DynamoDB {operation}: {type(error).__name__}") from error


def _conditional(condition: str, values: Item | None) -> Item:
    request: Item = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return request | ({"ExpressionAttributeValues": encode(values)} if values else {})


_WAIT_FOR = (None, "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
"""Reasons for which a transaction is cancelled although nothing is wrong with it."""

_PASSING = frozenset(
    {
        "ServiceUnavailable",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionInProgressException",
        "TransactionConflictException",
    }
)


def _translated(error: Any) -> Exception:
    """Our error for a botocore ClientError; what stays untranslated is a bug of ours and should be loud."""
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed([decode(error.response.get("Item", {}))])
    if code == "TransactionCanceledException":
        reasons = error.response["CancellationReasons"]
        if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
            return ConditionFailed([_standing(reason) for reason in reasons])
        if all(reason.get("Code") in _WAIT_FOR for reason in reasons):
            return Contended("DynamoDB: another transaction holds one of the items", after=0)
    if code in _PASSING:
        return RetryLater(f"DynamoDB: {code}")
    return cast(Exception, error)


def _standing(reason: Mapping[str, Any]) -> Item | None:
    return decode(reason.get("Item", {})) if reason.get("Code") == "ConditionalCheckFailed" else None


def encode(values: Mapping[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeSerializer

    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in values.items()}


def decode(item: Mapping[str, Any]) -> Item:
    """Numbers come back as int: the table holds no fractions (weights are strings, balances billionths)."""
    from boto3.dynamodb.types import TypeDeserializer

    deserializer = TypeDeserializer()
    return {name: _plain(deserializer.deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {name: _plain(element) for name, element in value.items()}
    return value
