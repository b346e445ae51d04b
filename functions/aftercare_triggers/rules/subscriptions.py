"""What a client's facts say of his subscriptions and of the dates in his profile. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.clocks import local_instant
from functions.aftercare_triggers.rules.person import Person
from functions.shared.facts import (
    PROFILE_UPDATED,
    SUBSCRIPTION_CANCELLED,
    SUBSCRIPTION_FROZEN,
    SUBSCRIPTION_RENEWED,
    SUBSCRIPTION_STARTED,
    SUBSCRIPTION_UNFROZEN,
    Fact,
)

SUBSCRIPTION = frozenset(
    {
        SUBSCRIPTION_STARTED,
        SUBSCRIPTION_RENEWED,
        SUBSCRIPTION_FROZEN,
        SUBSCRIPTION_UNFROZEN,
        SUBSCRIPTION_CANCELLED,
    }
)
BEGINNINGS = frozenset({SUBSCRIPTION_STARTED, SUBSCRIPTION_RENEWED})

_OF_SUBSCRIPTION = "subscription."
_OF_PROFILE = "profile."
_PLAUSIBLE = range(1900, 2200)
"""Years outside are a source's way to say «none» (0001, 9999), and no clock could count from them."""


@dataclass(frozen=True)
class Dated:
    """A date that stands now. `entity` is what has it (a subscription's id, or `profile`), `fact` what last set it,
    `since` when it took this value."""

    entity: str
    day: date
    since: datetime
    fact: Fact


@dataclass(frozen=True)
class Subscription:
    """`ends` None: it says no end. `is_active` is False after a cancellation that names no end."""

    id: str
    is_active: bool = False
    ends: date | None = None


def sources_of(field: str) -> frozenset[str]:
    """Types of facts that can set the field."""
    return SUBSCRIPTION if field.startswith(_OF_SUBSCRIPTION) else frozenset({PROFILE_UPDATED})


def dates(person: Person, field: str, at: datetime) -> list[Dated]:
    """The field's dates as known at `at`: of `subscription.<key>` one for each subscription, of any other field the
    profile's. A cancellation that names no end takes the end away: nothing is left to wait for."""
    key = field.removeprefix(_OF_SUBSCRIPTION if field.startswith(_OF_SUBSCRIPTION) else _OF_PROFILE)
    standing: dict[str, Dated] = {}
    for fact in person.of_types(sources_of(field), at):
        entity = "profile" if fact.type == PROFILE_UPDATED else subscription_of(fact)
        if key in fact.data:
            day = day_of(fact.data[key], person.zone)
        elif fact.type == SUBSCRIPTION_CANCELLED and key == "end":
            day = None
        else:
            continue
        before = standing.pop(entity, None)
        if day is not None:
            keeps = before is not None and before.day == day
            standing[entity] = replace(before, fact=fact) if before and keeps else Dated(entity, day, fact.time, fact)
    return list(standing.values())


def subscriptions(person: Person, at: datetime) -> list[Subscription]:
    """All subscriptions the client ever had, as they stand at `at`."""
    standing: dict[str, Subscription] = {}
    for fact in person.of_types(SUBSCRIPTION, at):
        entity = subscription_of(fact)
        before = standing.get(entity, Subscription(entity))
        ends = day_of(fact.data["end"], person.zone) if "end" in fact.data else before.ends
        is_active = before.is_active or fact.type in BEGINNINGS
        if fact.type == SUBSCRIPTION_CANCELLED and "end" not in fact.data:
            is_active = False
        standing[entity] = Subscription(entity, is_active, ends)
    return list(standing.values())


def subscription_of(fact: Fact) -> str:
    return str(fact.data.get("subscription_id") or "subscription")


def day_of(value: Any, zone: ZoneInfo) -> date | None:
    """The local date of an ISO date, or of an ISO moment with its offset; None for whatever is none: a source's slip
    must not stop the client's other rules."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if moment.year not in _PLAUSIBLE:
        return None
    return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after the local day."""
    return local_instant(day + timedelta(days=1), time(0), zone)
