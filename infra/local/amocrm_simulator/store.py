"""Entities by id, with enough of their past to show a list as it was some seconds ago."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

PAST = timedelta(minutes=1)
"""How long old versions are kept; longer than any list lag."""


class HasId(Protocol):
    """Ids are ints, those of «Неразобранное» strings."""

    @property
    def id(self) -> Any: ...


T = TypeVar("T", bound=HasId)


class Store(Generic[T]):
    """The newest version of every entity, and the versions of the last minute."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._versions: dict[Any, list[tuple[datetime, T]]] = {}

    def get(self, id_: int | str) -> T | None:
        versions = self._versions.get(id_)
        return versions[-1][1] if versions else None

    def put(self, entity: T) -> None:
        now = self._now()
        versions = self._versions.setdefault(entity.id, [])
        versions.append((now, entity))
        while len(versions) > 1 and versions[1][0] < now - PAST:
            versions.pop(0)

    def all(self, ids: Collection[int | str] | None = None, *, lag: float = 0.0) -> list[T]:
        """Every entity as it was `lag` seconds ago, oldest first, or those with these ids; what was not is missing."""
        wanted = list(self._versions) if ids is None else sorted(set(ids) & self._versions.keys())
        if not lag:
            return [self._versions[id_][-1][1] for id_ in wanted]
        moment = self._now() - timedelta(seconds=lag)
        seen = (self._as_of(id_, moment) for id_ in wanted)
        return [entity for entity in seen if entity is not None]

    def _as_of(self, id_: int | str, moment: datetime) -> T | None:
        return next((entity for at, entity in reversed(self._versions[id_]) if at <= moment), None)
