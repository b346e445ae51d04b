"""How many open leads each manager has: the one question that amoCRM has no short answer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists
from functions.shared.clock import Clock
from functions.shared.crm import LOST, WON

Stage = tuple[int, int]
"""(pipeline id, status id): 142 and 143 repeat in every pipeline, so a status alone says nothing."""

STAGES_AGE = timedelta(minutes=10)
"""No hook tells of changed stages (amoCRM API: pipelines), so they are read anew now and then."""


class Workload:
    """Asks by open stages, so that years of closed leads are not paged through."""

    def __init__(self, client: AmoCrmClient, lists: Lists, clock: Clock) -> None:
        self._client = client
        self._lists = lists
        self._clock = clock
        self._stages: dict[int, list[int]] = {}
        self._read_at = datetime(1970, 1, 1, tzinfo=UTC)

    def open_leads_of(self, user_ids: Collection[int], pipeline_ids: Collection[int]) -> dict[int, int]:
        """Every lead counts once, though it may move to another page while we read.

        `max_pages` cuts the reading at 10,000 leads a question: a manager who owns those is above any cap.
        """
        owners: dict[int, int] = {}
        stages = self._open_stages(pipeline_ids)
        for users in self._lists.chunks(user_ids, "filter[responsible_user_id][]", ()):
            who: Query = [("filter[responsible_user_id][]", user_id) for user_id in users]
            for some in self._chunks(stages, who):
                query = [*who, *_statuses_filter(some), ("order[id]", "asc")]
                rows = self._lists.rows("leads", "leads", query, partial(_counts, set(users), set(some)))
                owners |= {row["id"]: row["responsible_user_id"] for row in rows}
        counts = Counter(owners.values())
        return {user_id: counts[user_id] for user_id in user_ids}

    def _open_stages(self, pipeline_ids: Collection[int]) -> list[Stage]:
        unknown = any(pipeline_id not in self._stages for pipeline_id in pipeline_ids)
        if unknown or self._clock.now() - self._read_at > STAGES_AGE:
            rows = [row for page in self._client.pages("leads/pipelines", "pipelines") for row in page.rows]
            self._stages = {row["id"]: reading.stages(row) for row in rows}
            self._read_at = self._clock.now()
        return [
            (pipeline_id, status_id)
            for pipeline_id in dict.fromkeys(pipeline_ids)
            for status_id in self._stages.get(pipeline_id, [])
            if status_id not in (WON, LOST)
        ]

    def _chunks(self, stages: Sequence[Stage], fixed: Query) -> Iterator[Sequence[Stage]]:
        """As many stages as a URL has room for beside the users."""
        room = self._client.config.query_length - len(urlencode(list(fixed)))
        longest = len(urlencode(_statuses_filter([(10**9, 10**9)]))) + len("&&0000")
        step = max(1, room // longest)
        return (stages[start : start + step] for start in range(0, len(stages), step))


def _counts(users: Collection[int], stages: Collection[Stage], row: Json) -> bool:
    return row["responsible_user_id"] in users and (row["pipeline_id"], row["status_id"]) in stages


def _statuses_filter(stages: Sequence[Stage]) -> list[tuple[str, str | int]]:
    return [
        pair
        for index, (pipeline_id, status_id) in enumerate(stages)
        for pair in (
            (f"filter[statuses][{index}][pipeline_id]", pipeline_id),
            (f"filter[statuses][{index}][status_id]", status_id),
        )
    ]
