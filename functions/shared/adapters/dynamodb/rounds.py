"""How far the look at all clients has come: one row."""

from __future__ import annotations

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import moment, present, rewrite, text
from functions.shared.adapters.dynamodb.table import Item, Table
from functions.shared.care import Round


class Rounds:
    def __init__(self, table: Table) -> None:
        self._table = table

    def current(self) -> Round | None:
        """None: there was none yet."""
        row = self._table.get(keys.care_round())
        return _round_from(row) if row else None

    def put(self, before: Round | None, after: Round) -> bool:
        """False: another worker has gone on meanwhile."""
        return rewrite(
            self._table,
            keys.care_round(),
            lambda row: _item_of(after) if (_round_from(row) if row else None) == before else None,
        )


def _item_of(each: Round) -> Item:
    plain = {"book": each.book, "shard": each.shard, "after": each.after, "ended_at": text(each.ended_at)}
    plain |= {"check": each.is_check}
    return {"entity": "care_round", "began_at": text(each.began_at), **present(plain)}


def _round_from(row: Item) -> Round:
    began_at = moment(row["began_at"])
    assert began_at is not None, "every round has begun"
    return Round(
        book=int(row.get("book", 0)),
        began_at=began_at,
        shard=int(row.get("shard", 0)),
        after=int(row.get("after", 0)),
        ended_at=moment(row.get("ended_at")),
        is_check=bool(row.get("check")),
    )
