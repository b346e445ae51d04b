"""The last look at what waits in the outbox, and what becomes of it without a task: put off, or dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from functions.aftercare_triggers.places import Place
from functions.aftercare_triggers.release import Release, Released, release
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.sight import Sight, is_contacted
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.waking import view
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.care import Client, Episode, Status
from functions.shared.errors import Contended, RetryLater
from functions.shared.telemetry import Telemetry

LATER = timedelta(hours=1)
"""For what cannot be decided now, and opens by no moment that we know."""


@dataclass(frozen=True)
class Looked:
    """An episode at its last look; `released` None: it cannot be judged now. `rule` None: it was taken out of the
    book. `begun`: somebody has spoken with the client since his task was set."""

    episode: Episode
    client: Client
    rule: Rule | None
    released: Released | None
    begun: bool


@contextmanager
def one_client(telemetry: Telemetry, client_id: int) -> Iterator[None]:
    """Whose row others write all the time must not hold up the others: what was begun with him is ended later."""
    try:
        yield
    except Contended:
        telemetry.warning("care_client_contended", client=client_id)


class Outbox:
    def __init__(self, stores: Stores, telemetry: Telemetry) -> None:
        self._stores = stores
        self._telemetry = telemetry

    def look(self, sight: Sight, episode: Episode) -> Looked | None:
        """None: a bug with this client, who must not hold up the others. Raises RetryLater."""
        rule = sight.rule(episode.rule)

        def judge(client: Client, person: Person) -> Looked:
            seen = view(rule, person, sight.scene) if rule is not None else None
            released = release(episode, seen) if seen is not None else None
            return Looked(episode, client, rule, released, is_contacted(client, person))

        try:
            return self._stores.judge(episode.client, sight, True, judge)
        except RetryLater:
            raise
        except Exception:
            self._telemetry.exception("care_look_failed", client=episode.client, rule=episode.rule)
            return None

    def is_wanted(self, sight: Sight, looked: Looked, places: Mapping[int, Place]) -> bool:
        """Whether its task is to be set now; if not, it has been put off or dropped."""
        episode, released = looked.episode, looked.released
        if looked.client.merged_into or looked.client.id not in places:
            self.drop(sight, episode, Released(Release.DROP, status=Status.REFUSED, gate="no_contact"))
        elif looked.rule is None:
            self.drop(sight, episode, Released(Release.DROP, status=Status.SUPPRESSED, gate="outbox"))
        elif released is None:
            self.put_off(episode, sight.now + LATER)
        elif released.release is Release.DROP:
            self.drop(sight, episode, released)
        elif released.release is Release.WAIT:
            self.put_off(episode, released.until or sight.now + LATER)
        else:
            return True
        return False

    def drop(self, sight: Sight, episode: Episode, released: Released) -> None:
        ended = replace(
            episode,
            status=released.status or Status.SUPPRESSED,
            gate=released.gate,
            ended_at=sight.now,
            returned_at=released.returned_at,
            send_at=None,
        )
        if self._stores.change(ended, lambda client: replace(client, due_at=sight.now)):
            self._telemetry.info("care_dropped", client=episode.client, rule=episode.rule, status=ended.status.value)

    def put_off(self, episode: Episode, until: datetime) -> None:
        """One whose lease has ended without a task waits in the queue again."""
        later = replace(episode, send_at=until)
        if episode.status is Status.SENDING:
            self._stores.change(replace(later, status=Status.QUEUED))
            return
        try:
            self._stores.episodes.put(later)
        except (Moved, Contended):
            return  # withdrawn, or taken by another worker: his word stands
