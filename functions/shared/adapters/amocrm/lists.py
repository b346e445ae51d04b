"""Filtered lists of amoCRM, read as few requests as possible and never believed.

amoCRM silently answers with the full list where the filters are off or a key is unknown (amoCRM API: filters), so rows
that were not asked for are dropped, and a list that consists of them is not paged through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import urlencode

from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.errors import NotConfigured
from functions.shared.telemetry import Telemetry

IdT = TypeVar("IdT", bound=int | str)
ThingT = TypeVar("ThingT")


class ListTooLong(NotConfigured):
    """One lead has more of something than is ever read."""

    def __init__(self, path: str, lead_id: int, rows: int) -> None:
        super().__init__(f"amoCRM has more than {rows} rows of {path} for lead {lead_id}: too many to be read whole")


class _Cut(Exception):
    """A list that goes on after the last page that we read."""


class FilterIgnored(NotConfigured):
    """amoCRM answered a filtered list with everything it has."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"amoCRM ignores the filters of {path}: ask its support to switch on the filters of the API "
            f"(is_api_filter_enabled) for the account"
        )


@dataclass(frozen=True)
class Source(Generic[ThingT]):
    """A list of amoCRM: its path, the key of its rows, the key of a row's id, and what a row means."""

    path: str
    key: str
    id_key: str
    read: Callable[[Json], ThingT]
    extra: tuple[tuple[str, str | int], ...] = ()


class Lists:
    def __init__(self, client: AmoCrmClient, telemetry: Telemetry) -> None:
        self._client = client
        self._telemetry = telemetry

    def by_id(self, source: Source[ThingT], ids: Collection[IdT]) -> dict[IdT, ThingT]:
        """Things by their id; where the filter is ignored, each is read alone: slow, but nothing looks deleted."""
        found: dict[IdT, ThingT] = {}
        key = f"filter[{source.id_key}][]"
        chunks = list(self.chunks(ids, key, source.extra))
        if len(chunks) > 1:
            self._client.budget.expect(len(chunks))
        for chunk in chunks:
            query = [*source.extra, *((key, each) for each in chunk)]
            missing = set(chunk)
            try:
                for row in self.rows(source.path, source.key, query, partial(_has, source.id_key, frozenset(chunk))):
                    found[row[source.id_key]] = source.read(row)
                    missing.discard(row[source.id_key])
                    if not missing:
                        break  # a full page announces a next one, though nothing is left to come
            except FilterIgnored:
                self._telemetry.warning("amocrm_filter_ignored", path=source.path, reads=len(chunk))
                found |= self._one_by_one(source, chunk)
        return found

    def of_leads(self, path: str, key: str, lead_ids: Collection[int], fixed: Query) -> list[Json]:
        """Rows whose `entity_id` is one of these leads, each once. Raises FilterIgnored; and ListTooLong,
        for a part must not pass for the whole."""
        found: dict[int, Json] = {}
        for chunk in self.chunks(lead_ids, "filter[entity_id][]", fixed):
            found |= self._whole(path, key, chunk, fixed)
        return list(found.values())

    def _whole(self, path: str, key: str, lead_ids: list[int], fixed: Query) -> dict[int, Json]:
        """Half by half where there are more rows than pages."""
        query = [*fixed, *(("filter[entity_id][]", lead_id) for lead_id in lead_ids)]
        belongs = partial(_has, "entity_id", frozenset(lead_ids))
        try:
            return {row["id"]: row for row in self.rows(path, key, query, belongs, whole=True)}
        except _Cut as cut:
            if len(lead_ids) == 1:
                config = self._client.config
                raise ListTooLong(path, lead_ids[0], config.max_pages * config.read_size) from cut
        middle = len(lead_ids) // 2
        halves = (lead_ids[:middle], lead_ids[middle:])
        return {row_id: row for half in halves for row_id, row in self._whole(path, key, half, fixed).items()}

    def rows(
        self,
        path: str,
        key: str,
        query: Query,
        belongs: Callable[[Json], bool],
        size: int | None = None,
        *,
        whole: bool = False,
    ) -> Iterator[Json]:
        """The rows of all pages (of `size` where it is given) that belong to the question.

        A few strangers are harmless (an index that lags behind), and a list without a next page is complete in any
        case. A page of mostly strangers with another to come means that the filter is ignored: raises FilterIgnored.
        `whole`: raises _Cut where the list goes on after the last page that is read.
        """
        for number, page in enumerate(self._client.pages(path, key, query, size), 1):
            mine = [row for row in page.rows if belongs(row)]
            if page.more and len(mine) < len(page.rows) / 2:
                raise FilterIgnored(path)
            yield from mine
            if whole and page.more and number == self._client.config.max_pages:
                raise _Cut(path)

    def chunks(self, ids: Collection[IdT], key: str, fixed: Query) -> Iterator[list[IdT]]:
        """Distinct ids in groups that fit into one page and one URL."""
        config = self._client.config
        paging: Query = [("page", config.max_pages), ("limit", config.read_size)]
        room = config.query_length - len(urlencode([*fixed, *paging]))
        chunk: list[IdT] = []
        length = 0
        for each in dict.fromkeys(ids):
            size = len(urlencode([(key, each)])) + len("&")
            if chunk and (length + size > room or len(chunk) == config.read_size):
                yield chunk
                chunk, length = [], 0
            chunk.append(each)
            length += size
        if chunk:
            yield chunk

    def _one_by_one(self, source: Source[ThingT], ids: Sequence[IdT]) -> dict[IdT, ThingT]:
        self._client.budget.expect(len(ids))
        rows = {each: self._client.find(f"{source.path}/{each}", source.extra) for each in ids}
        return {each: source.read(row) for each, row in rows.items() if row}


def _has(key: str, values: Collection[object], row: Json) -> bool:
    return row.get(key) in values
