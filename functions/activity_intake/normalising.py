"""From an item of any envelope to a told fact: times, ids, handles, the fields that its type needs. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.activity_intake.event_types import problem_of
from functions.activity_intake.telling import Handle, Invalid, Told
from functions.shared.facts import HEARTBEAT, LASTING
from functions.shared.identity import email, phone

AHEAD = timedelta(minutes=5)
"""Clocks of tills and turnstiles go wrong; an event from further ahead would count before it happened."""

KEPT = timedelta(days=400)
"""How long visits and sessions are kept; older ones would be deleted as soon as they are stored."""

LONGEST_ID = 200
MOST_DATA = 8192
"""Bytes of an item's data: a fact is a row of some hundred bytes, and a card with a history does not belong in it."""

SKEW_MATTERS = timedelta(seconds=30)


@dataclass(frozen=True)
class Speaker:
    """Whose word it is: `source` is the credential's name, `country` where phones without a country code are from."""

    source: str
    country: str


def tell(item: Mapping[str, Any] | str, speaker: Speaker, now: datetime) -> Told | Invalid:
    """The fact that an item tells, or what is wrong with it."""
    if isinstance(item, str):
        return Invalid(item)
    given_id = _text(item.get("id"))
    try:
        return _told(item, given_id, speaker, now)
    except _Wrong as wrong:
        return Invalid(str(wrong), given_id[:LONGEST_ID])


class _Wrong(Exception):
    pass


def _told(item: Mapping[str, Any], given_id: str, speaker: Speaker, now: datetime) -> Told:
    source = _text(item.get("source")) or speaker.source
    kind = _text(item.get("type"))
    if not kind:
        raise _Wrong("no event type: name it as in visit.attended")
    if max(len(source), len(given_id), len(kind)) > LONGEST_ID:
        raise _Wrong(f"source, id or type is longer than {LONGEST_ID} characters")
    time = _time(item.get("time"), "time")
    if time is None:
        raise _Wrong("no time: say when it happened, as in 2026-11-23T18:00:00+03:00")
    time += _skew(item, now)
    if time - now > AHEAD:
        raise _Wrong("the time is in the future: send what has happened, bookings with the time of the booking")
    if now - time > KEPT and kind not in LASTING:
        raise _Wrong("older than 400 days: facts of this type are not kept so long")
    data = _data(item.get("data"))
    problem = problem_of(kind, data)
    if problem:
        raise _Wrong(problem)
    handles = _handles(item, source, speaker.country)
    if not handles and kind != HEARTBEAT:
        raise _Wrong("nobody is named: give crm_id, ext, phone or email")
    recorded = _time(item.get("recorded"), "recorded")
    fact_id = given_id or derived_id(source, str(handles[0]) if handles else "", kind, time, data)
    return Told(source, fact_id, kind, time, handles, recorded, data)


def derived_id(source: str, client: str, kind: str, time: datetime, data: Mapping[str, Any]) -> str:
    """The id of a fact that came without one: the same fact told twice has the same."""
    minute = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    parts = (source, client, kind, minute, _text(data.get("session_id")))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _time(value: Any, name: str) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise _Wrong(f"{name} has no zone: write it as in 2026-11-23T18:00:00+03:00, or with Z for UTC")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _Wrong(f"{name} is not ISO 8601, as in 2026-11-23T18:00:00+03:00") from None


def _skew(item: Mapping[str, Any], now: datetime) -> timedelta:
    """What a Segment client's clock is wrong by: it says when it sent, we know when it arrived (Segment Spec: common
    fields, timestamp)."""
    sent_at = _time(item.get("sent_at"), "sentAt")
    skew = now - sent_at if sent_at else timedelta(0)
    return skew if abs(skew) > SKEW_MATTERS else timedelta(0)


def _data(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Wrong("data is no object")
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise _Wrong("data cannot be read") from None
    if size > MOST_DATA:
        raise _Wrong(f"data has more than {MOST_DATA} bytes")
    return value


def _handles(item: Mapping[str, Any], source: str, country: str) -> tuple[Handle, ...]:
    """The rungs of the ladder that the item gives, the surest first. Raises _Wrong for a phone or an e-mail that is
    none, if nothing else names the client."""
    subject = _subject(_text(item.get("subject")))
    named = {key: _text(item.get(key)) or subject.get(key, "") for key in ("crm_id", "ext", "phone", "email")}
    found, wrong = [], []
    if named["crm_id"]:
        if named["crm_id"].isascii() and named["crm_id"].isdigit() and int(named["crm_id"][:19]) > 0:
            found.append(Handle("crm", str(int(named["crm_id"][:19]))))
        else:
            wrong.append("crm_id is no id of a contact in amoCRM")
    if named["ext"]:
        found.append(Handle("ext", f"{source}:{named['ext'][:LONGEST_ID]}"))
    if named["phone"]:
        number = phone(named["phone"], country)
        found += [Handle("phone", number)] if number else []
        wrong += [] if number else ["phone is no whole number, as in +79123456789"]
    if named["email"]:
        address = email(named["email"])
        found += [Handle("email", address)] if address else []
        wrong += [] if address else ["email is no address"]
    if not found and wrong:
        raise _Wrong("; ".join(wrong))
    return tuple(found)


def _subject(text: str) -> dict[str, str]:
    """`crm:77`, `ext:77`, `phone:+7…`, `email:a@b.ru`, or just the value."""
    kind, colon, value = text.partition(":")
    names = {"crm": "crm_id", "contact": "crm_id", "ext": "ext", "phone": "phone", "tel": "phone", "email": "email"}
    if colon and kind.casefold() in names:
        return {names[kind.casefold()]: value.strip()}
    if "@" in text:
        return {"email": text}
    return {"phone" if text.startswith("+") else "ext": text} if text else {}


def _text(value: Any) -> str:
    """Ids come as numbers, too."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
