"""What is right of a file in which something is wrong, so that its routes are checked in the same go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from infra.department.preset_routes import preset_routes
from infra.department.schema import RoutingSpec

_Place = tuple[int | str, ...]

_CHANGES_NO_PLACE = ("head", "marketing", "distribute", "language")
"""What the routes can be read without; not the pipelines: without them no stage is known."""


@dataclass(frozen=True)
class Right:
    """`spec` is what could be read of what the routes depend on, None if that is not enough to say anything of them;
    `spoilt` are the routes out of which something wrong was left, with the keys."""

    spec: RoutingSpec | None
    spoilt: Mapping[str, Collection[str]] = field(default_factory=dict)
    is_whole: bool = True


def what_is_right(data: dict[str, Any], error: ValidationError) -> Right:
    """`error` is what pydantic says of `data`, the whole file."""
    wrong = [detail["loc"] for detail in error.errors()]
    touched = {step for step in (place[0] for place in wrong) if step in RoutingSpec.model_fields}
    kept = {name: data[name] for name in RoutingSpec.model_fields if name in data}
    for name in touched.intersection(_CHANGES_NO_PLACE):
        del kept[name]
    spoilt: dict[str, set[str]] = {}
    if isinstance(kept.get("routes"), dict):
        kept["routes"] = _right_routes(kept["routes"], wrong, spoilt)
    try:
        return Right(RoutingSpec.model_validate(kept), spoilt, is_whole=not touched)
    except ValidationError:
        return Right(None)


def _right_routes(routes: dict[str, Any], wrong: Sequence[_Place], spoilt: dict[str, set[str]]) -> dict[str, Any]:
    """The routes without their wrong parts. One that is wrong as a whole counts as off: the preset's is not meant."""
    presets, right = preset_routes("ru"), {}
    for name, route in routes.items():
        below = [place[2:] for place in wrong if place[:2] == ("routes", name)]
        if not below:
            right[name] = route
        elif isinstance(route, dict) and all(place and place[0] != "[key]" for place in below):
            right[name] = _without(route, below)
            spoilt[name] = {str(place[0]) for place in below}
        elif name in presets:
            right[name] = "off"
    return right


def _without(route: dict[str, Any], wrong: Sequence[_Place]) -> dict[str, Any]:
    """Without the keys in which something is wrong; of several triggers only the wrong ones go."""
    right = {key: value for key, value in route.items() if key not in {place[0] for place in wrong}}
    triggers = route.get("when")
    if "when" not in right and isinstance(triggers, list):
        numbers = {place[1] if len(place) > 1 else None for place in wrong if place[0] == "when"}
        left = [trigger for number, trigger in enumerate(triggers) if number not in numbers]
        if left and None not in numbers:
            right["when"] = left
    return right
