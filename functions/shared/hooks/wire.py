"""From the bytes of a webhook body to its fields: (path, value) pairs in the order of the body.

amoCRM sends PHP's bracket form (`leads[status][0][id]=7`); its digital pipeline hooks are printed as JSON in the
documentation. Whether an HTTP API hands a form body to SQS as it came or in base64 is documented nowhere, so both are
read, here and nowhere else. The formats cannot be confused: a hook in form encoding has a bracket, plain or as %5B,
neither `[` nor `%` is a base64 character, and no hook in form encoding begins with `{`.

Everything is linear in the size of the body and bounded before it is done. Rejections never quote the body: it
holds names and phones, and rejections are logged.
"""

from __future__ import annotations

import binascii
import codecs
import json
from base64 import b64decode
from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes

from functions.shared.errors import HookRejected

Path = tuple[str, ...]
Pair = tuple[Path, str]

MAX_BYTES = 1_048_576
"""What an SQS message can carry (1 MiB); the largest recorded body has 2.6 KB for one item."""

MAX_FIELDS = 5_000
"""PHP stops at 1,000 (max_input_vars); a lead has some 20 to 100 fields, and 50 of them may come in one body."""

MAX_DEPTH = 32
"""PHP stops at 64 levels; the deepest real key, a custom field inside an unsorted item, has 11."""


class Reason(StrEnum):
    """Why a message is refused: stable words, for counting and for the remedy that `conveyor hooks parse` prints."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_FIELDS = "too_many_fields"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_A_HOOK = "not_a_hook"
    BAD_BUS_EVENT = "bad_bus_event"
    BAD_TICK = "bad_tick"
    BAD_RECORD = "bad_record"


def read_pairs(body: str | bytes) -> list[Pair]:
    """All fields of a body that is form-encoded, the same in base64, or JSON; raises HookRejected."""
    data = _unwrapped(_bounded(body))
    return _json_pairs(data) if data.startswith(b"{") else _form_pairs(data)


def load_json(data: str | bytes, *, numbers_as_text: bool = False) -> Any:
    """json.loads within our limits; raises HookRejected. As text, numbers stay as they are written."""
    hooks: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), str)
    try:
        return json.loads(_bounded(data).decode(), **(hooks if numbers_as_text else {}))
    except UnicodeDecodeError as error:
        raise HookRejected(Reason.NOT_UTF8, f"byte {error.start} of the JSON is not UTF-8") from None
    except RecursionError:
        raise HookRejected(Reason.TOO_DEEP, "JSON nested deeper than Python reads") from None
    except json.JSONDecodeError as error:
        raise HookRejected(Reason.NOT_JSON, f"begins like JSON and breaks off at character {error.pos}") from None
    except ValueError:  # an integer of more than 4,300 digits
        raise HookRejected(Reason.NOT_JSON, "begins like JSON and holds a number longer than Python reads") from None


def is_index(segment: str) -> bool:
    """Whether PHP would take the segment for a position in a list: 0, 1, 12, but not 01 or -1."""
    return segment.isascii() and segment.isdecimal() and len(segment) <= 18 and (segment[0] != "0" or segment == "0")


def _bounded(body: str | bytes) -> bytes:
    """The bytes without what an editor adds around them: a raw line break or a BOM is part of no encoded body."""
    if len(body) > MAX_BYTES:
        raise HookRejected(Reason.TOO_LARGE, f"more than {MAX_BYTES:,} bytes")
    try:
        data = body.encode() if isinstance(body, str) else body
    except UnicodeEncodeError as error:
        raise HookRejected(Reason.NOT_UTF8, f"character {error.start} is half a surrogate pair") from None
    if len(data) > MAX_BYTES:
        raise HookRejected(Reason.TOO_LARGE, f"more than {MAX_BYTES:,} bytes")
    data = data.removeprefix(codecs.BOM_UTF8).strip()
    if not data:
        raise HookRejected(Reason.EMPTY, "nothing in the body")
    return data


def _unwrapped(data: bytes) -> bytes:
    """What is inside the base64, if there is base64 with a hook inside; a word like "test" is base64 as well."""
    try:
        inner = b64decode(data.translate(None, b"\r\n"), validate=True).strip()
    except binascii.Error:
        return data
    return inner if inner.startswith(b"{") or b"[" in inner or b"%5b" in inner.lower() else data


def _form_pairs(data: bytes) -> list[Pair]:
    if data.count(b"&") >= MAX_FIELDS:
        raise HookRejected(Reason.TOO_MANY_FIELDS, f"more than {MAX_FIELDS:,} fields")
    numbering: dict[Path, int] = {}
    pairs: list[Pair] = []
    for number, field in enumerate(data.split(b"&"), start=1):
        key, _, value = field.replace(b"+", b" ").partition(b"=")
        try:
            segments = _segments(unquote_to_bytes(key).decode())
            text = unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            raise HookRejected(Reason.NOT_UTF8, f"field {number} is not UTF-8") from None
        if segments:
            pairs.append((_numbered(segments, numbering), text))
    return pairs


def _segments(key: str) -> list[str]:
    """`a[b][0]` → a, b, 0. As PHP: a bracket that is never closed and text after a `]` end the key, and a key
    without a name is no key; `[]` gives an empty segment."""
    name, bracket, _ = key.partition("[")
    if not name:
        return []
    segments = [name]
    at = len(name)
    while bracket and key.startswith("[", at) and (end := key.find("]", at)) >= 0:
        if len(segments) == MAX_DEPTH:
            raise HookRejected(Reason.TOO_DEEP, f"a key of more than {MAX_DEPTH} levels")
        segments.append(key[at + 1 : end])
        at = end + 1
    return segments


def _numbered(segments: list[str], numbering: dict[Path, int]) -> Path:
    """Each `[]` becomes the next free number of its list, as in PHP; `numbering` remembers it for the body."""
    for depth, segment in enumerate(segments):
        if segment and not is_index(segment):
            continue
        parent = tuple(segments[:depth])
        free = numbering.get(parent, 0)
        segments[depth] = segment or str(free)
        numbering[parent] = max(free, int(segments[depth]) + 1)
    return tuple(segments)


def _json_pairs(data: bytes) -> list[Pair]:
    """The fields that the same content would have as a form, and refused when it would be too large as a form:
    JSON writes a key once for all the values below it, so few bytes can stand for gigabytes of paths."""
    pairs: list[Pair] = []
    size = 0
    for path, value in _leaves((), load_json(data, numbers_as_text=True)):
        text = "".join(path) + value
        size += len(text) + 2 * len(path)
        if size > MAX_BYTES:
            raise HookRejected(Reason.TOO_LARGE, f"more than {MAX_BYTES:,} characters once its keys are written out")
        if len(pairs) == MAX_FIELDS:
            raise HookRejected(Reason.TOO_MANY_FIELDS, f"more than {MAX_FIELDS:,} fields")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise HookRejected(Reason.NOT_UTF8, f"field {len(pairs) + 1} holds half a surrogate pair") from None
        pairs.append((path, value))
    return pairs


def _leaves(path: Path, node: object) -> Iterator[Pair]:
    """Scalars with their paths; as PHP's http_build_query, true is 1, false is 0, null and empty lists are nothing."""
    if len(path) > MAX_DEPTH:
        raise HookRejected(Reason.TOO_DEEP, f"a key of more than {MAX_DEPTH} levels")
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _leaves((*path, name), child)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _leaves((*path, str(index)), child)
    elif isinstance(node, bool):
        yield path, str(int(node))
    elif node is not None:
        yield path, str(node)
