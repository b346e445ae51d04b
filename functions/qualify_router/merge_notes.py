"""Notes of a duplicate as they are written to the lead that goes on. Pure.

amoCRM cannot move a note, and dates a new one with the present (amoCRM API: notes); so every copy says in its text
from which lead and of when it is. That is also by what a repeated run knows what it has copied already.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from functions.qualify_router.merge_texts import Words
from functions.shared.crm import NewNote, Note


@dataclass(frozen=True)
class _Native:
    """A type of note that the API can create: the parameters it takes, how many of them (the first) it wants, in which
    one people read text, and what tells two of them apart."""

    params: tuple[str, ...]
    needed: int
    text: str = "text"
    mark: tuple[str, ...] = ()


_TEXT = _Native(("text",), 1)
_SERVICE = _Native(("service", "text"), 2)
_SMS = _Native(("text", "phone"), 2)
_CALL = _Native(
    ("uniq", "duration", "source", "phone", "link", "call_result", "call_status", "call_responsible"),
    needed=4,
    text="call_result",
    mark=("uniq",),
)
_FILE = _Native(("file_uuid", "version_uuid", "file_name"), 2, text="", mark=("file_uuid", "version_uuid"))
_PLACE = _Native(("text", "address", "longitude", "latitude"), 4)

NATIVE = {
    "common": _TEXT,
    "service_message": _SERVICE,
    "extended_service_message": _SERVICE,
    "sms_in": _SMS,
    "sms_out": _SMS,
    "call_in": _CALL,
    "call_out": _CALL,
    "attachment": _FILE,
    "geolocation": _PLACE,
}
"""amoCRM API: notes. All other types (letters, chats, visits …) only amoCRM itself can create: they go over as text."""


def copy_of(note: Note, lead_id: int, words: Words) -> NewNote:
    """The note for that lead: of its own type where the API takes it. `text` is in any case all that it says, for the
    case that amoCRM does not take it."""
    native = NATIVE.get(note.kind)
    text = _as_text(note, words)
    if native is None or any(note.params.get(name) in (None, "") for name in native.params[: native.needed]):
        return NewNote(lead_id, text)
    if native is _TEXT:
        return NewNote(lead_id, text)
    params = {name: note.params[name] for name in native.params if note.params.get(name) is not None}
    if native.text:
        params[native.text] = _headed(_head(note, words), str(params.get(native.text) or ""))
    return NewNote(lead_id, text, note.kind, params)


def as_text(note: NewNote) -> NewNote:
    """The same as a mere text."""
    return NewNote(note.lead_id, note.text)


def missing(wanted: Sequence[NewNote], standing: Sequence[Note]) -> list[NewNote]:
    """Those that do not stand there yet, as themselves or as a text; of two equal ones one may stand and one not."""
    left = Counter(map(_mark, standing))
    found = []
    for note in wanted:
        mark = next((mark for mark in (_mark(note), _mark(as_text(note))) if left[mark]), None)
        if mark is None:
            found.append(note)
        else:
            left[mark] -= 1
    return found


def missing_heads(wanted: Sequence[NewNote], standing: Sequence[Note]) -> list[NewNote]:
    """Of notes that are known by their first line, those that do not stand there yet: what follows it may differ."""
    heads = {(note.lead_id, first_line(note.text)) for note in standing}
    return [note for note in wanted if (note.lead_id, first_line(note.text)) not in heads]


def first_line(text: str) -> str:
    return text.partition("\n")[0].strip()


def _mark(note: NewNote | Note) -> Hashable:
    """What makes a note recognisable without an id."""
    native = NATIVE.get(note.kind, _TEXT)
    params = note.params or {}
    if native.mark:
        return note.lead_id, note.kind, tuple(str(params.get(name)) for name in native.mark)
    text = note.text if native is _TEXT else params.get(native.text)
    return note.lead_id, note.kind, str(text or "").strip()


def _as_text(note: Note, words: Words) -> str:
    """Everything the note says; its type is named where it is no plain text."""
    if note.kind == "common":
        return _headed(_head(note, words), note.text)
    others = [f"{name}: {_shown(value)}" for name, value in note.params.items() if name != "text" and value]
    return _headed(f"{_head(note, words)} [{note.kind}]", "; ".join([*([note.text] if note.text else []), *others]))


def _head(note: Note, words: Words) -> str:
    head = words.say("from", lead=note.lead_id, when=words.when(note.created_at))
    author = words.person(note.created_by)
    return f"{head}, {author}" if author else head


def _headed(head: str, text: str) -> str:
    return f"{head}: {text}" if text else head


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
