"""Turns of the care team, spent in one transaction with the rows that say for whom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from functions.aftercare_triggers.managers import Staff, next_turn
from functions.aftercare_triggers.stores import Stores
from functions.shared.adapters.dynamodb.assignments import LedgerMoved
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.assignment import TeamLedger
from functions.shared.care import Client, Episode
from functions.shared.clock import Clock
from functions.shared.errors import Contended
from functions.shared.telemetry import Telemetry

TRIES = 8
"""Two functions write the ledger, `distribute` and this one: one conflict is usual, not eight."""


@dataclass(frozen=True)
class Wanted:
    """A task that is nobody's yet; `for_good`: with it goes the client."""

    episode: Episode
    for_good: bool


@dataclass
class _Spent:
    """What one look at the ledger comes to: the rows to store with it, and by client what stands then."""

    ledger: TeamLedger
    clients: list[Client] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    chosen: dict[int, tuple[Episode, int]] = field(default_factory=dict)


class Turns:
    def __init__(self, stores: Stores, telemetry: Telemetry, clock: Clock) -> None:
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock

    def spend(self, staff: Staff, wanted: Sequence[Wanted]) -> dict[int, tuple[Episode, int]]:
        """By client the episode as it stands now and whose it is, turns taken in the order given; at most one a client
        and 99 in all. Who is missing moved meanwhile: he stays in the outbox. Raises RetryLater."""
        for attempt in range(TRIES):
            ledger = self._stores.turns.ledger(staff.team.name)
            spent = self._decided(staff, ledger, wanted)
            try:
                if spent.clients or spent.episodes:
                    self._stores.turns.spend(ledger, spent.ledger, spent.clients, spent.episodes)
            except (LedgerMoved, Moved, Contended):
                self._clock.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 no secret depends on it
                continue
            for client in spent.clients:
                self._telemetry.info("care_manager_chosen", client=client.id, manager=client.manager)
            return spent.chosen
        self._telemetry.warning("care_turns_contended", clients=len(wanted))
        return {}

    def _decided(self, staff: Staff, ledger: TeamLedger, wanted: Sequence[Wanted]) -> _Spent:
        """Rows are read after the ledger, so that what another worker spent before shows in them."""
        clients = self._stores.clients.of([each.episode.client for each in wanted], consistent=True)
        episodes = self._stores.episodes.find((each.episode.client, each.episode.key) for each in wanted)
        spent = _Spent(ledger)
        for each in wanted:
            client, episode = clients[each.episode.client], episodes.get((each.episode.client, each.episode.key))
            if episode is None or episode.version != each.episode.version:
                continue
            if each.for_good and staff.belongs(client.manager):
                spent.chosen[client.id] = episode, client.manager
                continue
            spent.ledger, manager = next_turn(spent.ledger, staff)
            if each.for_good:
                spent.clients.append(replace(client, manager=manager))
                spent.chosen[client.id] = episode, manager
            else:
                spent.episodes.append(replace(episode, manager=manager))
                spent.chosen[client.id] = replace(episode, manager=manager, version=episode.version + 1), manager
        return spent
