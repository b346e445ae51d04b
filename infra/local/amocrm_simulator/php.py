"""PHP's bracket keys: `filter[id][]=1` in queries that come in, `leads[add][0][id]=1` in hooks that go out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Query pairs as nested dicts; `[]` counts up from "0". A scalar that is a parent too gives way to the children."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        head, *rest = key.replace("]", "").split("[")
        node, step = root, head
        for name in rest:
            child = node.get(step)
            if not isinstance(child, dict):
                child = node[step] = {}
            node, step = child, name or str(len(child))
        node[step] = value
    return root


def listed(raw: object) -> list[str]:
    """A filter's value as a list, however it was sent: scalar, `[]`, `[0]`."""
    if isinstance(raw, dict):
        return [value for value in raw.values() if isinstance(value, str)]
    return [raw] if isinstance(raw, str) else []


def form(body: Mapping[str, Any]) -> bytes:
    """Nested dicts and lists as `application/x-www-form-urlencoded`, the way http_build_query writes it."""
    return "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in _flat(body)).encode()


def _flat(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in node.items():
        yield from _branch(str(key), value)


def _branch(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from _branch(f"{key}[{name}]", child)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _branch(f"{key}[{index}]", child)
    elif isinstance(value, bool):
        yield key, str(int(value))
    elif value is not None:
        yield key, str(value)


def _quoted(text: str) -> str:
    return quote_plus(text, safe="").replace("~", "%7E")
