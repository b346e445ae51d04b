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

OURS = "amocrm"
"""What amoCRM tells is told by Conveyor itself; nobody else may speak in that name."""

LONGEST_SOURCE, LONGEST_ID, LONGEST_TYPE = 100, 200, 100
"""Bytes. Source and id are part of a key, where a `#` takes three bytes, beside two times and a hash: DynamoDB's sort
keys have at most 1,024."""

LONGEST_CRM_ID = 15
"""Digits: more are no whole number for whoever reads JSON with floats, and no id of amoCRM."""

DEEPEST = 20
"""Levels of an item's data."""

MOST_DATA = 8192
"""Bytes of an item's data: a fact is a row of some hundred bytes, and a card with a history does not belong in it."""

SKEW_MATTERS = timedelta(seconds=30)


@dataclass(frozen=True)
class Speaker:
    """Whose word it is: `source` is the credential's name, `country` where phones without a country code are from,
    `others` the sources that have credentials of their own: nobody else may speak for them."""

    source: str
    country: str
    others: frozenset[str] = frozenset()


def tell(item: Mapping[str, Any] | str, speaker: Speaker, now: datetime) -> Told | Invalid:
    """The fact that an item tells, or what is wrong with it."""
    if isinstance(item, str):
        return Invalid(item)
    try:
        given_id = _name(item.get("id"), "id", LONGEST_ID)
    except _Wrong as wrong:
        return Invalid(str(wrong))
    try:
        return _told(item, given_id, speaker, now)
    except _Wrong as wrong:
        return Invalid(str(wrong), given_id)


class _Wrong(Exception):
    pass


def _told(item: Mapping[str, Any], given_id: str, speaker: Speaker, now: datetime) -> Told:
    source = _name(item.get("source"), "source", LONGEST_SOURCE) or speaker.source
    if source.casefold() == OURS:
        raise _Wrong(f"the source {OURS} is Conveyor's own: name yours")
    if source != speaker.source and source in speaker.others:
        raise _Wrong("this source has credentials of its own: send its events with these")
    kind = _name(item.get("type"), "type", LONGEST_TYPE)
    if not kind:
        raise _Wrong("no event type: name it as in visit.attended")
    time = _happened(item, kind, now)
    recorded = _time(item.get("recorded"), "recorded")
    if recorded is not None and recorded - now > AHEAD:
        raise _Wrong("recorded is in the future: no correction could ever be newer")
    data = _data(item.get("data"))
    problem = problem_of(kind, data)
    if problem:
        raise _Wrong(problem)
    handles = () if kind == HEARTBEAT else _handles(item, source, speaker.country)
    if not handles and kind != HEARTBEAT:
        raise _Wrong("nobody is named: give crm_id, ext, phone or email")
    fact_id = given_id or derived_id(source, str(handles[0]) if handles else "", kind, time, data)
    return Told(source, fact_id, kind, time, handles, recorded, data)


def _happened(item: Mapping[str, Any], kind: str, now: datetime) -> datetime:
    time = _time(item.get("time"), "time")
    if time is None:
        raise _Wrong("no time: say when it happened, as in 2026-11-23T18:00:00+03:00")
    try:
        time += _skew(item, now)
    except OverflowError:
        raise _Wrong("time and sentAt are thousands of years apart") from None
    if time - now > AHEAD:
        raise _Wrong("the time is in the future: send what has happened, bookings with the time of the booking")
    if now - time > KEPT and kind not in LASTING:
        raise _Wrong("older than 400 days: facts of this type are not kept so long")
    return time


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
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, RecursionError):
        raise _Wrong("data holds a number without end, half a character, or more levels than anybody reads") from None
    if size > MOST_DATA:
        raise _Wrong(f"data has more than {MOST_DATA} bytes")
    if _levels(value) > DEEPEST:
        raise _Wrong(f"data has more than {DEEPEST} levels")
    return value


def _levels(value: Any) -> int:
    """Level by level: what is nested deep enough would exhaust a function that calls itself."""
    count, level = 0, [value]
    while level:
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [child for each in inner for child in (each.values() if isinstance(each, dict) else each)]
        count += bool(inner)
    return count


def _handles(item: Mapping[str, Any], source: str, country: str) -> tuple[Handle, ...]:
    """The rungs of the ladder that the item gives, the surest first. Raises _Wrong for a phone or an e-mail that is
    none, if nothing else names the client."""
    subject = _subject(_text(item.get("subject")))
    named = {key: _text(item.get(key)) or subject.get(key, "") for key in ("crm_id", "ext", "phone", "email")}
    found, wrong = [], []
    if named["crm_id"]:
        if _is_crm_id(named["crm_id"]):
            found.append(Handle("crm", str(int(named["crm_id"]))))
        else:
            wrong.append("crm_id is no id of a contact in amoCRM")
    if named["ext"]:
        found.append(Handle("ext", f"{source}:{named['ext']}"))
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


def _is_crm_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_CRM_ID and int(text) > 0


def _subject(text: str) -> dict[str, str]:
    """`crm:77`, `ext:77`, `phone:+7…`, `email:a@b.ru`, or just the value."""
    kind, colon, value = text.partition(":")
    names = {"crm": "crm_id", "contact": "crm_id", "ext": "ext", "phone": "phone", "tel": "phone", "email": "email"}
    if colon and kind.casefold() in names:
        return {names[kind.casefold()]: value.strip()}
    if "@" in text:
        return {"email": text}
    return {"phone" if text.startswith("+") else "ext": text} if text else {}


def _name(value: Any, name: str, longest: int) -> str:
    text = _text(value)
    if len(text.encode()) > longest:
        raise _Wrong(f"{name} is longer than {longest} bytes")
    return text


def _text(value: Any) -> str:
    """Ids come as numbers, too. Raises _Wrong for half a character (JSON can write one, UTF-8 cannot)."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise _Wrong("half a character (a lone surrogate): write the text in UTF-8")
        return value.strip()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Wrong("a number without end, or of more digits than anybody reads, where a text belongs")
        return str(int(value)) if value == int(value) else str(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
