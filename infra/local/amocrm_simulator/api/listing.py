"""Lists: filters that are silently ignored when not understood, order, pages, and a list's delay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Response, request

from infra.local.amocrm_simulator import php, problems
from infra.local.amocrm_simulator.api.common import links, no_content, respond, the_world

T = TypeVar("T")
Predicate = Callable[[T], bool]
Filter = Callable[[Any], "Predicate[T] | None"]
"""From what was sent to a test of one entity; None when it was not understood, and then it is ignored."""

DEFAULT_LIMIT = 50


def asked() -> dict[str, Any]:
    """The query string, brackets resolved."""
    return php.nested(request.args.items(multi=True))


def filters_sent() -> dict[str, Any]:
    sent = asked().get("filter")
    return sent if isinstance(sent, dict) else {}


def among(read: Callable[[T], object], *, commas: bool = False) -> Filter[T]:
    """`filter[x]=1`, `filter[x][]=1`; with `commas` also `filter[x]=1,2`."""

    def make(raw: Any) -> Predicate[T] | None:
        sent = php.listed(raw)
        if commas:
            sent = [part for text in sent for part in text.split(",")]
        wanted = set(sent)
        return (lambda entity: _text(read(entity)) in wanted) if wanted else None

    return make


def between(read: Callable[[T], int | None], *, exact: bool = False) -> Filter[T]:
    """`filter[x][from]`, `[to]`. A bare value matches nothing for times, and itself where `exact`."""

    def make(raw: Any) -> Predicate[T] | None:
        if isinstance(raw, str):
            return lambda entity: exact and _text(read(entity)) == raw
        bounds = [_number(raw.get(name)) for name in ("from", "to")] if isinstance(raw, dict) else [None, None]
        low, high = bounds
        if low is None and high is None:
            return None

        def inside(entity: T) -> bool:
            value = read(entity)
            return value is not None and (low is None or value >= low) and (high is None or value <= high)

        return inside

    return make


def wanted_ids(sent: Mapping[str, Any]) -> list[int] | None:
    """Ids of `filter[id]`, None without one; lists of thousands need not look at every entity."""
    ids = php.listed(sent.get("id"))
    return [int(id_) for id_ in ids if id_.isdigit()] if ids else None


def lag(*, filtered: bool) -> float:
    """How many seconds this list is behind."""
    world = the_world()
    return world.random.uniform(*world.switches.list_lag) if filtered else 0.0


def chosen(entities: Iterable[T], filters: Mapping[str, Filter[T]], sent: Mapping[str, Any]) -> list[T]:
    """What passes all filters that are known."""
    made = [filters[key](raw) for key, raw in sent.items() if key in filters]
    tests = [test for test in made if test is not None]
    return [entity for entity in entities if all(test(entity) for test in tests)]


def ordered(entities: list[T], orders: Mapping[str, Callable[[T], Any]], default: str = "id") -> list[T]:
    """`order[key]=asc|desc`, by id when no known key was sent."""
    sent = asked().get("order")
    for key, direction in sent.items() if isinstance(sent, dict) else ():
        if key in orders:
            return sorted(entities, key=lambda entity: _sortable(orders[key](entity)), reverse=direction == "desc")
    return sorted(entities, key=lambda entity: _sortable(orders[default](entity)))


def paged(
    key: str,
    entities: list[T],
    show: Callable[[T], dict[str, Any]],
    *,
    largest: int = 250,
    totals: bool = False,
) -> Response:
    """One page, 204 when it is empty. Every full page has a `next`, so the last one may be followed by 204."""
    page, limit = _position(largest)
    shown = entities[(page - 1) * limit : page * limit]
    if not shown:
        return no_content()
    body: dict[str, Any] = {"_page": page, **_page_links(page, limit, full=len(shown) == limit)}
    if totals:
        body = {"_total_items": len(entities), "_page_count": -(-len(entities) // limit), **body}
    return respond({**body, "_embedded": {key: [show(entity) for entity in shown]}})


def _position(largest: int) -> tuple[int, int]:
    page, limit = (
        _number(request.args.get(name, default)) for name, default in (("page", 1), ("limit", DEFAULT_LIMIT))
    )
    if limit is None or limit > largest or limit < 1:
        raise problems.unprocessable(f"Limit {largest} per page")
    if page is None or page < 1:
        raise problems.unprocessable("Page should be 1 or more")
    return page, limit


def _page_links(page: int, limit: int, *, full: bool) -> dict[str, Any]:
    pages = {"self": page}
    if full:
        pages["next"] = page + 1
    if page > 1:
        pages |= {"first": 1, "prev": page - 1}
    return {"_links": {name: {"href": _page_href(number, limit)} for name, number in pages.items()}}


def _page_href(page: int, limit: int) -> str:
    others = [(key, value) for key, value in request.args.items(multi=True) if key not in ("page", "limit")]
    query = urlencode([*others, ("page", page), ("limit", limit)], safe="[]")
    return f"{request.base_url}?{query}"


def counted(key: str, path: str, items: list[dict[str, Any]]) -> Response:
    """A list without pages, with its total; 204 when it is empty."""
    if not items:
        return no_content()
    return respond({"_total_items": len(items), **links(path), "_embedded": {key: items}})


def _number(raw: object) -> int | None:
    try:
        return int(raw) if isinstance(raw, int | str) else None
    except ValueError:
        return None


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value
