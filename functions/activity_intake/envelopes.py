"""From a request's body to its items: CloudEvents 1.0 (structured, batched, binary), Segment's calls, flat JSON. Pure.

The shape decides, not the content type: writers in shops and gyms set whatever their library does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from functions.activity_intake.telling import TooMany, UnknownContent, Unreadable

MOST_ITEMS = 500

LONGEST_NUMBER = 300
"""Digits of a whole number; a float has at most 308 before its point."""

CONTENT_TYPES = frozenset(
    {"", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/json"}
)

Item = Mapping[str, Any]
"""What an envelope is brought to: id, type, time, recorded, source (empty: the credential's), subject, crm_id, ext,
phone, email, data, sent_at."""

_ENVELOPE = frozenset(
    {"event", "at", "id", "crm_id", "ext", "phone", "email", "recorded", "source", "type", "time", "data", "subject"}
)


def items_of(headers: Mapping[str, str], body: bytes) -> list[Item | str]:
    """The items in order; a text where one is not even an object. Raises UnknownContent, Unreadable, TooMany."""
    content_type = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if content_type not in CONTENT_TYPES:
        raise UnknownContent(content_type)
    if "ce-specversion" in headers:
        return [_binary(headers, _parsed(body) if body else None)]
    document = _parsed(body)
    sent_at = None
    if isinstance(document, dict) and isinstance(document.get("batch"), list):
        document, sent_at = document["batch"], document.get("sentAt")
    elif isinstance(document, dict) and isinstance(document.get("events"), list):
        document = document["events"]
    elif isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise Unreadable("the body is neither an object nor an array of objects")
    if len(document) > MOST_ITEMS:
        raise TooMany
    return [_item(each, sent_at) for each in document]


class _Twice(dict[str, Any]):
    """An object that says the same key twice: readers disagree which one counts (RFC 8259), so we do not choose."""


def _parsed(body: bytes) -> Any:
    """Numbers that no row can hold (NaN, of thousands of digits) come as floats without end: one item is refused for
    them, not the request."""
    try:
        return json.loads(body, parse_int=_whole, object_pairs_hook=_object_of)
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON in UTF-8") from None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else math.inf


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    return known if len(known) == len(pairs) else _Twice(known)


def _item(document: Any, sent_at: Any) -> Item | str:
    if not isinstance(document, dict):
        return "an item is no object"
    if any(isinstance(each, _Twice) for each in (document, *document.values())):
        return "a key stands twice in one object: say once what you mean"
    return _shape(document)(document, sent_at)


def _shape(document: Item) -> Callable[[Item, Any], Item | str]:
    if "specversion" in document:
        return _cloud_event
    is_call = document.get("type") in ("track", "identify", "page", "screen", "group", "alias")
    return _segment if is_call and ("messageId" in document or "userId" in document or "traits" in document) else _flat


def _cloud_event(event: Item, _: Any) -> Item | str:
    if event.get("specversion") != "1.0":
        return "specversion is not 1.0"
    missing = [name for name in ("id", "source", "type") if not event.get(name)]
    if missing:
        return f"a CloudEvent without {', '.join(missing)}"
    if "data_base64" in event:
        return "data_base64 is not read: send data as JSON"
    return {
        "id": event["id"],
        "source": event["source"],
        "type": event["type"],
        "time": event.get("time"),
        "recorded": event.get("recordedtime"),
        "subject": event.get("subject"),
        "data": event.get("data"),
    }


def _binary(headers: Mapping[str, str], data: Any) -> Item | str:
    """CloudEvents, HTTP binding: attributes in headers, percent-encoded, the data is the body, which may be empty."""
    from urllib.parse import unquote

    if isinstance(data, _Twice):
        return "a key stands twice in one object: say once what you mean"
    attributes = {name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    return _cloud_event({**attributes, "data": data}, None)


def _segment(call: Item, sent_at: Any) -> Item | str:
    traits = {**_object(_object(call.get("context")).get("traits")), **_object(call.get("traits"))}
    properties = _object(call.get("properties"))
    if call["type"] not in ("track", "identify"):
        return f"calls of type {call['type']} tell nothing of a client: send track or identify"
    is_track = call["type"] == "track"
    kind, data = (call.get("event"), properties) if is_track else ("profile.updated", traits)
    return {
        "id": call.get("messageId"),
        "type": kind,
        "time": call.get("timestamp") or call.get("originalTimestamp"),
        "sent_at": call.get("sentAt") or sent_at,
        "ext": call.get("userId"),
        "phone": traits.get("phone") or properties.get("phone"),
        "email": traits.get("email") or properties.get("email"),
        "data": {name: value for name, value in data.items() if name not in ("phone", "email")},
    }


def _flat(event: Item, _: Any) -> Item | str:
    others = {name: value for name, value in event.items() if name not in _ENVELOPE}
    named = {name: event.get(name) for name in ("id", "crm_id", "ext", "phone", "email", "recorded", "subject")}
    data = event.get("data")
    return {
        **named,
        "type": event.get("event") or event.get("type"),
        "time": event.get("at") or event.get("time"),
        "data": {**others, **data} if isinstance(data, dict) else others,
    }


def _object(value: Any) -> Item:
    return value if isinstance(value, dict) else {}
