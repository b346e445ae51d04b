"""Everything that the commands about aftercare read: the department, the rules, the clients with their facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from functions.aftercare_triggers.rules.reading import read_rule
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.shared.adapters.dynamodb.keys import CLIENT_SHARDS
from functions.shared.care import Client
from functions.shared.errors import BadInput, NotConfigured
from functions.shared.facts import Fact

_PAGE = 500


class UnknownRule(BadInput):
    """There is no such rule; the text names those there are."""


@dataclass(frozen=True)
class CareDesk:
    """`sight` is how the engine would see clients now."""

    stores: Stores
    sight: Sight

    @classmethod
    def open(cls, stores: Stores, now: datetime, rules: Sequence[Rule] | None = None) -> CareDesk:
        """`rules` stand for those in force, where they are a file's that is not applied yet. Raises NotConfigured."""
        book = stores.books.current()
        if rules is None:
            if not book.version:
                raise NotConfigured("no rules of aftercare are in force: write `aftercare:` and run `conveyor apply`")
            rules = tuple(map(read_rule, book.rules))
        return cls(stores, Sight(stores.departments.current(), book, tuple(rules), stores.feeds.all(), now))

    def rule(self, name: str) -> Rule:
        """Raises UnknownRule."""
        found = self.sight.rule(name)
        if found is None:
            there = ", ".join(sorted(rule.id for rule in self.sight.rules)) or "none"
            raise UnknownRule(f"there is no rule {name!r}; there are: {there}")
        return found

    def clients(self, sample: int | None = None) -> Iterator[tuple[Client, list[Fact]]]:
        """All clients with all their facts, or about so many of them; one who was merged into another is not."""
        for client_id in self._ids(sample):
            client, facts = self.stores.clients.full(client_id)
            if not client.merged_into:
                yield client, facts

    def _ids(self, sample: int | None) -> Iterator[int]:
        share = None if sample is None else -(-sample // CLIENT_SHARDS)
        for shard in range(CLIENT_SHARDS):
            after, left = 0, share
            while ids := self.stores.clients.listed(shard, after, _PAGE if left is None else min(_PAGE, left)):
                yield from ids
                after = ids[-1]
                left = None if left is None else left - len(ids)
                if left == 0:
                    break

    def manager_of(self, client: Client) -> str:
        member = self.sight.member(client.manager)
        return member.email if member else "whoever is next"

    def with_rules(self, rules: Iterable[Rule]) -> CareDesk:
        return replace(self, sight=replace(self.sight, rules=tuple(rules)))
