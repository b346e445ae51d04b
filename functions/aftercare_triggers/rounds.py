"""A look at all clients, page by page: when the rules have changed, and once a week to see that nobody is forgotten.

The round of new rules wakes those who were judged by others, so that what holds now is noted as such and every due time
is the new rules'. The weekly one wakes everybody; who had no due time although there is something to wait for had been
forgotten, which is a fault of ours and is told as one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from functions.aftercare_triggers.intake import Hint
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.waker import Waker
from functions.shared.adapters.dynamodb.keys import CLIENT_SHARDS
from functions.shared.care import Client, Round
from functions.shared.clock import Clock
from functions.shared.errors import RetryLater
from functions.shared.limits import LEFT_FOR_A_SLICE
from functions.shared.telemetry import Telemetry

EVERY = timedelta(days=7)

_PAGE = 100


class Rounds:
    def __init__(self, stores: Stores, waker: Waker, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._waker = waker
        self._telemetry = telemetry
        self._clock = clock

    def go_on(self, sight: Sight, deadline: datetime) -> None:
        """As far as the time goes; the next tick takes it up. Without rules there is nothing to look for. Raises
        RetryLater."""
        if not sight.book.version:
            return
        standing = self._stores.rounds.current()
        here = next_round(standing, sight.book.version, sight.now)
        while here.ended_at is None:
            if deadline - self._clock.now() < LEFT_FOR_A_SLICE:
                return
            after = self._page(sight, here)
            if not self._stores.rounds.put(standing, after):
                return  # another worker is at it
            standing = here = after

    def _page(self, sight: Sight, here: Round) -> Round:
        """Look at one page; returns where the next begins."""
        ids = self._stores.clients.listed(here.shard, here.after, _PAGE)
        rows = self._stores.clients.of(ids)
        for client in rows.values():
            if client.rules_version != here.book or here.is_check:
                self._look(sight, client)
        if len(ids) == _PAGE:
            return replace(here, after=ids[-1])
        if here.shard + 1 < CLIENT_SHARDS:
            return replace(here, shard=here.shard + 1, after=0)
        return replace(here, shard=0, after=0, ended_at=sight.now)

    def _look(self, sight: Sight, before: Client) -> None:
        """One who cannot be judged does not hold up the others: he is due, or the next week's round finds him."""
        try:
            self._waker.wake(sight, Hint(before.id))
        except RetryLater:
            raise
        except Exception:
            self._telemetry.exception("care_look_failed", client=before.id)
            return
        if before.rules_version == sight.book.version and is_forgotten(
            before, self._stores.client(before.id), sight.now
        ):
            self._telemetry.warning("care_client_forgotten", client=before.id)
            self._telemetry.count("CareClientForgotten")


def next_round(standing: Round | None, book: int, now: datetime) -> Round:
    """The one that is under way, or the one that is due; else the last one, which has ended. Pure."""
    if standing is None or standing.book != book:
        return Round(book, now)
    if standing.ended_at is not None and now - standing.began_at >= EVERY:
        return Round(book, now, is_check=True)
    return standing


def is_forgotten(before: Client, after: Client, now: datetime) -> bool:
    """Whether nobody would ever have looked at him, although there was something to wait for: he had no due time, and
    the look decides something or gives him one. A later look than the true one is no fault: where a feed is silent,
    looks grow rarer. It says nothing where somebody else has looked at him meanwhile. Pure."""
    if before.due_at is not None or after.version > before.version + 1:
        return False
    return after.due_at is not None or any(trace.decided_at >= now for trace in after.traces)
