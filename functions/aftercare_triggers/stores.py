"""What aftercare keeps, and the two ways in which all of it is read and written."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from functions.aftercare_triggers.rules.person import OlderFactsNeeded, Person
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.traces import remembered
from functions.shared.adapters.dynamodb.absences import Absences
from functions.shared.adapters.dynamodb.care_counts import CareCounts
from functions.shared.adapters.dynamodb.care_tasks import CareTasks
from functions.shared.adapters.dynamodb.care_turns import CareTurns
from functions.shared.adapters.dynamodb.clients import Clients
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.episodes import Episodes
from functions.shared.adapters.dynamodb.facts import Facts
from functions.shared.adapters.dynamodb.feeds import Feeds
from functions.shared.adapters.dynamodb.identities import Identities
from functions.shared.adapters.dynamodb.rounds import Rounds
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.table import Moved, Table
from functions.shared.care import Client, Episode
from functions.shared.errors import Contended

TRIES = 3
"""Lost races for one client in a row before his message goes back to the queue."""

T = TypeVar("T")


def random_salt() -> str:
    """What draws a client's arm of the hold-out: nobody can foretell it from his id. 64 bits."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Stores:
    """`new_salt` gives the salt of a client whose row is made; it stays his."""

    departments: Departments
    books: RuleBookStore
    feeds: Feeds
    facts: Facts
    clients: Clients
    episodes: Episodes
    counts: CareCounts
    tasks: CareTasks
    turns: CareTurns
    absences: Absences
    identities: Identities
    rounds: Rounds
    new_salt: Callable[[], str] = random_salt

    @classmethod
    def on(cls, table: Table, new_salt: Callable[[], str] = random_salt) -> Stores:
        return cls(
            Departments(table),
            RuleBookStore(table),
            Feeds(table),
            Facts(table),
            Clients(table),
            Episodes(table),
            CareCounts(table),
            CareTasks(table),
            CareTurns(table),
            Absences(table),
            Identities(table),
            Rounds(table),
            new_salt,
        )

    def judge(self, client_id: int, sight: Sight, consistent: bool, judge: Callable[[Client, Person], T]) -> T:
        """Read as much of him as the rules need as a rule; where they need more, or he is new, read all of him and
        judge again."""
        since = sight.now - sight.book.lookback
        client, facts = self.clients.wake_view(client_id, since, consistent)
        if client.first_at is not None:
            try:
                return judge(client, sight.person(client, facts, since))
            except OlderFactsNeeded:
                pass
        client, facts = self.clients.full(client_id)
        return judge(client, sight.person(client, facts, None))

    def client(self, client_id: int) -> Client:
        """His row as it is now."""
        return self.clients.of([client_id], consistent=True)[client_id]

    def change(self, episode: Episode, edit: Callable[[Client], Client | None] = lambda client: client) -> bool:
        """Store what was made of an episode, and his row with it. False: the episode has moved meanwhile, or `edit`
        found that this may not be (None)."""
        for _ in range(TRIES):
            client = edit(remembered(self.client(episode.client), episode))
            if client is None:
                return False
            try:
                self.episodes.store(client, changed=[episode])
            except (Moved, Contended):
                continue
            return True
        return False
