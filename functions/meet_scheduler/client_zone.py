"""Where the client's clock stands, as somebody typed it into a field of the card. Pure."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from functions.shared.crm import Lead

_MOSCOW = 3
"""Hours before UTC: in Russia people count from Moscow («МСК+2»)."""

_OFFSET = re.compile(r"(utc|gmt|мск|msk)?\s*([+-]\s*\d{1,2})?(?::?00)?", re.IGNORECASE)
_DASHES = str.maketrans({"−": "-", "–": "-"})


def of(lead: Lead, field_id: int) -> ZoneInfo | None:
    """The zone that the custom field of the lead names: `Asia/Omsk`, `UTC+5`, `МСК+2`; None where it names none."""
    value = lead.filled(field_id) if field_id else None
    return None if value is None else zone_of(str(value.values[0].get("value", "")))


def zone_of(text: str) -> ZoneInfo | None:
    cleaned = text.strip().translate(_DASHES)
    if cleaned.casefold() in _names():
        return ZoneInfo(_names()[cleaned.casefold()])
    match = _OFFSET.fullmatch(cleaned)
    if match is None or not cleaned:
        return None
    base = _MOSCOW if (match[1] or "").casefold() in ("мск", "msk") else 0
    hours = base + int((match[2] or "0").replace(" ", ""))
    # Names of the zone database count westwards: Etc/GMT-5 is five hours before Greenwich.
    return ZoneInfo(f"Etc/GMT{-hours:+d}") if -12 <= hours <= 14 else None


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if "/" in name}
