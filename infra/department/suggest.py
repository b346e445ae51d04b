"""«Did you mean»: the nearest thing that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from zoneinfo import available_timezones

OF_THE_MACHINE = frozenset({"localtime", "Factory"})
"""Names that mean another zone on every machine."""

_ABBREVIATED = {"мск": "Europe/Moscow", "msk": "Europe/Moscow", "москва": "Europe/Moscow"}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word` without regard to case; None when none is near."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def is_zone(word: str) -> bool:
    """Is this the IANA name of a time zone, spelled exactly?"""
    return word in _zones()


def nearest_zone(word: str) -> str | None:
    """The zone that was probably meant, by its whole name or by its city alone."""
    cities = {name.rpartition("/")[2]: name for name in sorted(_zones(), reverse=True) if "/" in name}
    city = nearest(word.rpartition("/")[2].replace(" ", "_"), cities)
    whole = nearest(word, _zones()) if "/" in word else None
    return _ABBREVIATED.get(word.casefold()) or whole or (cities[city] if city else None)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - OF_THE_MACHINE
