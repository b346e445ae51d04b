"""One change of the account by one author, with everything it fires: lines of the feed and webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator.model import Event
from infra.local.amocrm_simulator.outbox import HookEvent

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class Change:
    """`author` is a user id, 0 for robots; `by_api` tells writes through REST from those of a person in the UI."""

    def __init__(self, world: World, author: int, *, by_api: bool) -> None:
        self.world = world
        self.author = author
        self.at = world.timestamp()
        self.hooks: list[HookEvent] = []
        self._by_api = by_api

    def hook_author(self, updated_by: int) -> int:
        """`modified_user_id` of the webhooks of this write."""
        return 0 if self._by_api and self.world.switches.hook_author == "zero" else updated_by

    def fire(self, subscriptions: str | tuple[str, ...], entity: str, action: str, item: Mapping[str, Any]) -> None:
        """A webhook for everybody who has one of these subscriptions."""
        if self._by_api and self.world.switches.hook_author == "off":
            return
        wanted = frozenset((subscriptions,) if isinstance(subscriptions, str) else subscriptions)
        self.hooks.append(HookEvent(wanted, entity, action, item))

    def log(
        self,
        type_: str,
        entity_type: str,
        entity_id: int,
        *,
        after: tuple[Mapping[str, Any], ...] = (),
        before: tuple[Mapping[str, Any], ...] = (),
        author: int | None = None,
    ) -> None:
        """A line of the feed; `entity_type` is singular, as the feed has it."""
        by = self.author if author is None else author
        self.world.events.append(Event(self._ulid(), type_, entity_id, entity_type, by, self.at, after, before))

    def log_difference(
        self,
        type_: str,
        entity: tuple[str, int],
        was_is: tuple[object, object],
        shape: Callable[[Any], Mapping[str, Any]],
        author: int,
    ) -> None:
        """A line of the feed if the value changed; `entity` is (singular type, id)."""
        was, is_ = was_is
        if was != is_:
            self.log(type_, *entity, after=(shape(is_),), before=(shape(was),), author=author)

    def _ulid(self) -> str:
        number = int(self.world.clock.now().timestamp() * 1000) << 80 | self.world.random.getrandbits(80)
        return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
