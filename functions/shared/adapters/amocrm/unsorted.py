"""Items of «Неразобранное»."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.amocrm.lists import Lists, Source
from functions.shared.adapters.amocrm.reader import Reader
from functions.shared.crm import UnsortedItem
from functions.shared.errors import AmbiguousWrite, AmoCrmNotFound, AmoCrmRefused

UNSORTED = Source("leads/unsorted", "unsorted", "uid", reading.unsorted_item)

REMEMBERED_ITEMS = 5_000
"""Items whose leads we keep in mind; a burst is some hundreds."""


class Unsorted:
    def __init__(self, client: AmoCrmClient, lists: Lists, reader: Reader) -> None:
        self._client = client
        self._lists = lists
        self._reader = reader
        self._lead_of_item: dict[str, int] = {}

    def items(self, uids: Collection[str]) -> dict[str, UnsortedItem]:
        found = self._lists.by_id(UNSORTED, uids)
        self._remember(found)
        return found

    def item(self, uid: str) -> UnsortedItem | None:
        row = self._client.find(f"leads/unsorted/{uid}")
        if not row:
            return None
        item = reading.unsorted_item(row)
        self._remember({uid: item})
        return item

    def of_pipeline(self, pipeline_id: int) -> list[UnsortedItem]:
        query = [("filter[pipeline_id]", pipeline_id)]
        rows = self._lists.rows(UNSORTED.path, UNSORTED.key, query, lambda row: row.get("pipeline_id") == pipeline_id)
        found = {row["uid"]: reading.unsorted_item(row) for row in rows}
        self._remember(found)
        return list(found.values())

    def accept(self, uid: str, user_id: int, status_id: int) -> bool:
        """An ambiguous answer is settled here: accepted if the item is gone and its lead belongs to the user.

        Raises AmoCrmRefused if amoCRM refuses an item that is still there (user switched off, stage of type 1),
        AmbiguousWrite if the item is still there after an ambiguous answer.
        """
        if uid not in self._lead_of_item and self.item(uid) is None:
            return False
        lead_id = self._lead_of_item[uid]
        try:
            self._client.write("POST", f"leads/unsorted/{uid}/accept", {"user_id": user_id, "status_id": status_id})
        except (AmoCrmRefused, AmoCrmNotFound):
            # Which status a processed item gives is not established, so the item itself is asked.
            if self.item(uid) is None:
                return False
            raise
        except AmbiguousWrite:
            self._client.clock.sleep(self._client.config.settle)
            if self.item(uid) is not None:
                raise
            lead = self._reader.lead(lead_id)
            return lead is not None and lead.responsible_user_id == user_id
        return True

    def _remember(self, items: Mapping[str, UnsortedItem]) -> None:
        """Which lead an item stands for: after a lost answer to an accept the item is gone and cannot tell."""
        if len(self._lead_of_item) > REMEMBERED_ITEMS:
            self._lead_of_item.clear()
        self._lead_of_item |= {uid: item.lead_id for uid, item in items.items()}
