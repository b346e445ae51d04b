"""Checking what a client sent, item by item; errors are collected, so that a batch is refused as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Any

from infra.local.amocrm_simulator.problems import invalid

DETAILS = {
    "NotSupportedChoice": "The value you selected is not a valid choice.",
    "FieldMissing": "This field is missing.",
    "NotUnique": "This value is already used.",
}


class Item:
    """One JSON object of a request. `path` says where it stands when it is embedded in another one."""

    def __init__(
        self, raw: object, request_id: str, path: str = "", errors: list[dict[str, str]] | None = None
    ) -> None:
        self.errors: list[dict[str, str]] = [] if errors is None else errors
        self.path = path
        self.raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        self.request_id = str(self.raw.get("request_id", request_id))
        if not isinstance(raw, dict):
            self.refuse("", "InvalidType", "This value should be of type array.")

    def refuse(self, path: str, code: str = "NotSupportedChoice", detail: str | None = None) -> None:
        self.errors.append({"code": code, "path": f"{self.path}{path}", "detail": detail or DETAILS[code]})

    def require(self, *keys: str) -> None:
        for key in keys:
            if self.raw.get(key) is None:
                self.refuse(key, "FieldMissing")

    def pick(self, **kinds: type | UnionType) -> dict[str, Any]:
        """The keys that were sent, each of the right type; true is no int here."""
        picked = {}
        for key, kind in kinds.items():
            if key not in self.raw:
                continue
            value = self.raw[key]
            if isinstance(value, kind) and not (isinstance(value, bool) and not _takes_bool(kind)):
                picked[key] = value
            else:
                self.refuse(key, "InvalidType", f"This value should be of type {_name(kind)}.")
        return picked

    def embedded(self, key: str) -> list[Item]:
        """The objects of `_embedded.<key>`."""
        embedded = self.raw.get("_embedded")
        raws = embedded.get(key) if isinstance(embedded, dict) else None
        if raws is None:
            return []
        if not isinstance(raws, list):
            self.refuse(f"_embedded.{key}", "InvalidType", "This value should be of type array.")
            return []
        return [self.inside(raw, f"_embedded.{key}.{index}.") for index, raw in enumerate(raws)]

    def inside(self, raw: object, path: str) -> Item:
        return Item(raw, self.request_id, f"{self.path}{path}", self.errors)


def refuse_invalid(items: Iterable[Item]) -> None:
    """Raise 400 if anything in the batch is wrong."""
    errors = [{"request_id": item.request_id, "errors": item.errors} for item in items if item.errors]
    if errors:
        raise invalid(errors)


def _takes_bool(kind: type | UnionType) -> bool:
    return kind is bool or (isinstance(kind, UnionType) and bool in kind.__args__)


def _name(kind: type | UnionType) -> str:
    kinds = kind.__args__ if isinstance(kind, UnionType) else (kind,)
    return "|".join("null" if each is NoneType else each.__name__ for each in kinds)
