"""Episodes: one row for each stretch of a rule, put once; those that wait to be sent are found by their time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.clients import Clients, client_from, version_of
from functions.shared.adapters.dynamodb.rows import moment, present, text, unmoved
from functions.shared.adapters.dynamodb.table import TRANSACTION_LIMIT, ConditionFailed, Item, Moved, Table
from functions.shared.care import Client, Episode, Status

KIND = "outbox"

OUTBOX = frozenset({Status.QUEUED, Status.SENDING, Status.STORM})
"""Their tasks are still to be set: they carry `send_at` as their due time."""

AT_ONCE = TRANSACTION_LIMIT - 1
"""Episodes that one wake may store: the client's row is the hundredth."""


class EpisodesExist(Moved):
    """Some of the new episodes exist already, as `episodes`: their stretches have had their turn."""

    def __init__(self, message: str, episodes: tuple[Episode, ...]) -> None:
        super().__init__(message)
        self.episodes = episodes


class Episodes:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._clients = Clients(table)

    def store(
        self, client: Client, new: Sequence[Episode] = (), changed: Sequence[Episode] = ()
    ) -> tuple[Client, list[Episode]]:
        """What a wake comes to, all or nothing: his row, the new episodes, and the changed ones; returns them as
        stored. At most AT_ONCE episodes. Raises EpisodesExist, else Moved where the row or an episode is not of the
        version that was read; Contended while another transaction holds one of them."""
        if not new and not changed:
            return self._clients.put(client), []
        self._clients.enlist(client)
        versions = [version_of(client), *map(version_of_episode, new), *map(version_of_episode, changed)]
        try:
            self._table.transact([self._table.put_action(*version) for version in versions])
        except ConditionFailed as failed:
            standing = tuple(episode_from(item) for item in failed.items[1 : 1 + len(new)] if item)
            if standing:
                raise EpisodesExist(f"client {client.id}", standing) from failed
            raise Moved(f"client {client.id}") from failed
        row, *episodes = (item for item, *_ in versions)
        return client_from(row), [episode_from(item) for item in episodes]

    def put(self, episode: Episode) -> Episode:
        """Store what was made of the row that has `episode.version` (0: there is none); returns it as stored. Raises
        Moved."""
        item, condition, values = version_of_episode(episode)
        try:
            self._table.put(item, condition, values)
        except ConditionFailed as failed:
            raise Moved(f"episode of client {episode.client}") from failed
        return episode_from(item)

    def claim(self, episode: Episode, until: datetime) -> Episode | None:
        """Take it for sending: nobody else gets it before `until`. None: somebody was faster."""
        try:
            return self.put(replace(episode, status=Status.SENDING, send_at=until, attempts=episode.attempts + 1))
        except Moved:
            return None

    def of(self, client_id: int) -> list[Episode]:
        """All that ever were, sorted by rule and anchor."""
        return [episode_from(row) for row in self._table.query(keys.client(client_id)["pk"], keys.EPISODE)]

    def find(self, wanted: Iterable[tuple[int, tuple[str, str]]]) -> dict[tuple[int, tuple[str, str]], Episode]:
        """By client and key (rule, anchor); what does not exist is missing."""
        found = self._table.get_many(keys.episode(client_id, *key) for client_id, key in wanted)
        return {(episode.client, episode.key): episode for episode in map(episode_from, found)}

    def due(self, now: datetime, at_most: int) -> list[Episode]:
        """Those of the outbox whose time has come, the longest due first; a claim that has run out is among them."""
        rows = islice(self._outbox(keys.due_at(now), at_most), at_most)
        return self._read(rows, keys.due_at(now))

    def stopped_by_storm(self, rule: str, at_most: int) -> list[Episode]:
        """Episodes of the rule that wait for a person's yes. Reads the keys of the whole outbox, of the rule's rows the
        rest."""
        prefix = keys.episode(0, rule, "")["sk"]
        rows = (row for row in self._outbox(keys.NEVER) if row["sk"].startswith(prefix))
        found: list[Episode] = []
        while len(found) < at_most and (part := list(islice(rows, at_most))):
            found += [episode for episode in self._read(part) if episode.status is Status.STORM]
        return found[:at_most]

    def _outbox(self, until: str, page: int | None = None) -> Iterable[Item]:
        return self._table.due(keys.DUE_INDEX, keys.due_shard(KIND), until, page)

    def _read(self, rows: Iterable[Item], until: str = keys.NEVER) -> list[Episode]:
        """The index lags behind a little: what has been sent or put off meanwhile is left out."""
        items = self._table.get_many(keys.Key(pk=row["pk"], sk=row["sk"]) for row in rows)
        items = [item for item in items if item.get("due_at", "~") <= until]
        return list(map(episode_from, sorted(items, key=lambda item: (item["due_at"], item["pk"], item["sk"]))))


def version_of_episode(episode: Episode) -> tuple[Item, str, Item | None]:
    """The next version of its row, and condition and values under which it may be written."""
    return item_of(replace(episode, version=episode.version + 1)), *unmoved(episode.version)


def item_of(episode: Episode) -> Item:
    plain: dict[str, Any] = {
        "rule_version": episode.rule_version,
        "priority": episode.priority,
        "value_order": episode.value,
        "gate": episode.gate,
        "evidence": list(episode.evidence),
        "numbers": dict(episode.numbers),
        "text": episode.text,
        "expire_at": text(episode.expires_at),
        "manager": episode.manager,
        "task_id": episode.task_id,
        "marker": episode.marker,
        "due_till": text(episode.due_till),
        "attempts": episode.attempts,
        "send_at": text(episode.send_at),
        "escalations": list(episode.escalations),
        "ended_at": text(episode.ended_at),
        "returned_at": text(episode.returned_at),
    }
    item: Item = {
        **keys.episode(episode.client, episode.rule, episode.anchor),
        "entity": "episode",
        "version": episode.version,
        "episode_status": episode.status.value,
        "true_at": text(episode.true_at),
        "planned_at": text(episode.planned_at),
        "decided_at": text(episode.decided_at),
        **present(plain),
    }
    if episode.status in OUTBOX and episode.send_at is not None:
        item |= {"due_shard": keys.due_shard(KIND), "due_at": keys.due_at(episode.send_at)}
    return item


def episode_from(item: Item) -> Episode:
    _, rule, anchor = item["sk"].split("#", 2)
    return Episode(
        client=int(item["pk"].removeprefix("CLIENT#")),
        rule=keys.unescaped(rule),
        anchor=anchor,
        rule_version=item.get("rule_version", 0),
        status=Status(item["episode_status"]),
        true_at=datetime.fromisoformat(item["true_at"]),
        planned_at=datetime.fromisoformat(item["planned_at"]),
        decided_at=datetime.fromisoformat(item["decided_at"]),
        priority=item.get("priority", 0),
        value=item.get("value_order", 0),
        gate=item.get("gate", ""),
        evidence=tuple(item.get("evidence", [])),
        numbers=item.get("numbers", {}),
        text=item.get("text", ""),
        expires_at=moment(item.get("expire_at")),
        manager=item.get("manager", 0),
        task_id=item.get("task_id", 0),
        marker=item.get("marker", ""),
        due_till=moment(item.get("due_till")),
        attempts=item.get("attempts", 0),
        send_at=moment(item.get("send_at")),
        escalations=tuple(item.get("escalations", [])),
        ended_at=moment(item.get("ended_at")),
        returned_at=moment(item.get("returned_at")),
        version=item["version"],
    )
