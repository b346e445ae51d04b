"""A gym of 200 clients for the end-to-end tests, and what ought to become of each of them.

The oracle is written for this one rule and these plain lives, from the rule's words and not from the engine: whoever is
marked as missing at three booked trainings in a row gets one task at the next opening of the calling hours; whoever
then comes back has it completed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from tests.e2e.outside import MOSCOW

FIRST_DAY = date(2026, 3, 2)
"""A Monday, and after the long weekend of February."""

DAYS = 60
TRAININGS = (0, 3)
"""Mondays and Thursdays, 19:00 to 20:00, marked at 20:05."""

IN_A_ROW = 3
COOLDOWN = timedelta(days=30)
OPENS, CLOSES = time(10), time(20)


@dataclass
class Life:
    """One client: to which trainings he came, in order."""

    client: int
    came: dict[date, bool] = field(default_factory=dict)

    def facts(self, day: date) -> Iterator[dict[str, Any]]:
        """What the turnstile tells in the evening of a training's day, as flat JSON."""
        if day in self.came:
            start = datetime.combine(day, time(19), MOSCOW)
            session = {"crm_id": self.client, "session_id": f"{self.client}-{day}"}
            end = start + timedelta(hours=1)
            hours = {"start": start.isoformat(), "end": end.isoformat()}
            booked = {"event": "session.booked", "id": f"b-{self.client}-{day}"}
            yield {**session, **hours, **booked, "at": (start - timedelta(days=1)).isoformat()}
            kind = "visit.attended" if self.came[day] else "visit.missed"
            at = end + timedelta(minutes=5)
            yield {**session, "event": kind, "id": f"m-{self.client}-{day}", "at": at.isoformat()}

    def episodes(self, until: datetime) -> list[Expected]:
        """What ought to be, up to then."""
        missed: list[date] = []
        found: list[Expected] = []
        for day in sorted(self.came):
            marked = datetime.combine(day, time(20, 5), MOSCOW)
            if self.came[day]:
                if found and found[-1].back is None:
                    found[-1].back = marked
                missed = []
                continue
            missed.append(day)
            if len(missed) >= IN_A_ROW and not any(each.first == missed[0] for each in found):
                fires = datetime.combine(day + timedelta(days=1), OPENS, MOSCOW)
                held_until = found[-1].fires + COOLDOWN if found else fires
                if fires >= held_until and fires <= until:
                    found.append(Expected(missed[0], tuple(missed), fires))
        return found


@dataclass
class Expected:
    """One task: the first missed training, the days its text names, when it is set, and when the client came back."""

    first: date
    missed: tuple[date, ...]
    fires: datetime
    back: datetime | None = None


def lives(clients: list[int], seed: int = 7) -> list[Life]:
    """A tenth never misses, a tenth stops for good, the others come in streaks, each from another week on: so many at
    once that the storm guard holds them back are never due. After his first three missed trainings nobody misses three
    again: what the cool-down does then is a matter of the engine's own tests."""
    chance = Random(seed)
    days = [FIRST_DAY + timedelta(days=n) for n in range(DAYS)]
    trainings = [day for day in days if day.weekday() in TRAININGS]
    made = []
    for number, client in enumerate(clients):
        kind = number % 10
        life = Life(client)
        comes, stops, joins = True, chance.randrange(3, 14), chance.randrange(9)
        for index, day in enumerate(trainings[joins:], joins):
            if kind == 0:
                comes = True
            elif kind == 1:
                comes = index < stops
            elif chance.random() < (0.2 if comes else 0.35):
                comes = not comes
            life.came[day] = comes
        made.append(_at_most_once(life))
    return made


def _at_most_once(life: Life) -> Life:
    """After his first three missed trainings and his return he misses two in a row at most."""
    row, had = 0, False
    for day in sorted(life.came):
        row = 0 if life.came[day] else row + 1
        if row == IN_A_ROW and had:
            life.came[day], row = True, 0
        elif row == 0 and not had:
            had = any(True for _ in _streaks(life, day))
    return life


def _streaks(life: Life, until: date) -> Iterator[date]:
    row = 0
    for day in sorted(each for each in life.came if each < until):
        row = 0 if life.came[day] else row + 1
        if row == IN_A_ROW:
            yield day
