"""The storm guard: a rule that suddenly fires for everybody has met bad data more often than a bad day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from zlib import crc32

from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.texts import mark, storm_text
from functions.shared.adapters.dynamodb.care_counts import REMEMBERED
from functions.shared.care import Episode, Status
from functions.shared.crm import NewClientTask
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

_CALM = 20
"""Firings of a rule on one day that are never a storm."""

_TIMES_USUAL = 3
_AGAIN = timedelta(minutes=30)
"""How soon a person's yes is noticed."""

_A_DAY = timedelta(hours=24)


def is_storm(days: Mapping[str, int], today: str) -> bool:
    """`days` are the rule's firings by day, of the days that are remembered."""
    before = sum(count for day, count in days.items() if day != today)
    return days.get(today, 0) > max(_CALM, _TIMES_USUAL * before / REMEMBERED.days)


class Storms:
    def __init__(self, amocrm: AmoCrm, stores: Stores, telemetry: Telemetry) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._telemetry = telemetry

    def pass_on(self, sight: Sight, waiting: Sequence[Episode]) -> list[Episode]:
        """Those whose tasks may be set; the others wait for a person's yes. What has expired meanwhile passes too: it
        ends at the last look."""
        today = sight.today.isoformat()
        rules = {each.rule for each in waiting if each.status is not Status.SENDING}
        firings = self._stores.counts.firings(rules)
        is_full = 0 < sight.book.ceiling <= self._tasks_today(today)
        stopped = {rule for rule in rules if is_full or is_storm(firings[rule], today)}
        held = [each for each in waiting if each.status is Status.STORM or each.rule in stopped]
        approved = self._stores.books.approved(sight.now) if held else frozenset()
        passed = []
        for episode in waiting:
            has_expired = episode.expires_at is not None and episode.expires_at < sight.now
            is_free = episode.status is Status.SENDING or episode.rule in approved or has_expired
            if is_free or (episode.status is Status.QUEUED and episode.rule not in stopped):
                passed.append(episode)
            else:
                self._stop(sight, episode, firings[episode.rule].get(today, 0))
        return passed

    def _tasks_today(self, today: str) -> int:
        return sum(count for user_id, count in self._stores.counts.tasks_of(today).items() if user_id > 0)

    def _stop(self, sight: Sight, episode: Episode, count: int) -> None:
        if episode.status is Status.QUEUED:
            self._tell_head(sight, episode, count)
            self._telemetry.count("CareStorm")
        self._stores.change(replace(episode, status=Status.STORM, send_at=sight.now + _AGAIN))

    def _tell_head(self, sight: Sight, episode: Episode, count: int) -> None:
        """One task a rule and day, on the first client that is held back: he has the one place for it in the day of a
        manager who does not exist."""
        head, today = sight.department.head, sight.today.isoformat()
        nobody, bearer = -crc32(episode.rule.encode()), str(episode.client)
        if head is None or not self._stores.counts.take(nobody, today, [(bearer, 1)]):
            return
        marker = mark("storm", episode.rule, today)
        there = self._amocrm.client_tasks_since([episode.client], [], sight.now - _A_DAY)
        if not any(marker in task.text for task in there):
            text = storm_text(episode.rule, count, marker, sight.department.language)
            self._amocrm.add_client_tasks([NewClientTask(episode.client, 0, head, text, sight.now + _A_DAY)])
            self._telemetry.warning("care_storm", rule=episode.rule, count=count)
