"""A table of facts on its way through the same normaliser and the same stores as what comes by HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.activity_intake.answers import Outcome
from functions.activity_intake.envelopes import MOST_ITEMS
from functions.activity_intake.normalising import Speaker, tell
from functions.activity_intake.taking import CareDoor, Stores, Taking
from functions.activity_intake.telling import Invalid, Told
from functions.shared.care import Feed
from functions.shared.facts import SESSION_BOOKED, SESSION_CANCELLED
from infra.events.rows import Reader, RowError
from infra.events.table_file import Row

Progress = Callable[[int], None]
"""Is told how many rows are done."""


@dataclass(frozen=True)
class Line:
    """A row of the file, and what it tells."""

    number: int
    told: Told | Invalid


@dataclass(frozen=True)
class Reading:
    """All lines of a file. `twice` are rows that say the same as an earlier one, and count once."""

    lines: tuple[Line, ...]

    @property
    def facts(self) -> list[Told]:
        return [line.told for line in self.lines if isinstance(line.told, Told)]

    @property
    def invalid(self) -> list[tuple[int, str]]:
        """(line, what would be right)."""
        return [(line.number, line.told.reason) for line in self.lines if isinstance(line.told, Invalid)]

    @property
    def twice(self) -> int:
        return len(self.facts) - len({(fact.id, fact.time) for fact in self.facts})

    @property
    def ends_at(self) -> datetime | None:
        """The time of the newest fact; sessions are listed ahead, so they say nothing about up to when visits are."""
        happened = [fact.time for fact in self.facts if fact.type not in (SESSION_BOOKED, SESSION_CANCELLED)]
        return max(happened or [fact.time for fact in self.facts], default=None)


def read_lines(rows: Iterable[Row], reader: Reader, speaker: Speaker, now: datetime) -> Reading:
    return Reading(tuple(Line(row.line, _told(row, reader, speaker, now)) for row in rows))


def _told(row: Row, reader: Reader, speaker: Speaker, now: datetime) -> Told | Invalid:
    try:
        return tell(reader.item(row), speaker, now)
    except RowError as error:
        return Invalid(str(error))


@dataclass(frozen=True)
class Done:
    """`outcomes` count the rows. `wakes` are the clients who are looked at now, `complete_until` what the feed says."""

    outcomes: Counter[Outcome]
    wakes: int
    complete_until: datetime | None


class Collected:
    """Wakes put off until all facts are stored: who has a hundred rows is looked at once."""

    def __init__(self) -> None:
        self.wanted: dict[int, timedelta] = {}

    def wake(self, clients: Iterable[int], now: datetime, after: timedelta = timedelta(0)) -> None:  # noqa: ARG002
        for client in clients:
            self.wanted[client] = max(after, self.wanted.get(client, timedelta(0)))

    def flush(self, care: CareDoor, now: datetime) -> int:
        for after in sorted(set(self.wanted.values())):
            care.wake([client for client, wait in self.wanted.items() if wait == after], now, after)
        return len(self.wanted)


def outlook(reading: Reading, taking: Taking, now: datetime, progress: Progress) -> Counter[Outcome]:
    """What would become of the rows if none of them were known; nothing is written."""
    outcomes: Counter[Outcome] = Counter()
    for batch in _batches([line.told for line in reading.lines]):
        for one, place in zip(batch, taking.placed(batch, now), strict=True):
            is_known = isinstance(one, Told) and (place is None or bool(place.found.client))
            unknown = Outcome.INVALID if isinstance(one, Invalid) else Outcome.UNIDENTIFIED
            outcomes[Outcome.ACCEPTED if is_known else unknown] += 1
        progress(len(batch))
    return outcomes


def store(
    reading: Reading,
    stores: Stores,
    taking: Taking,
    collected: Collected,
    care: CareDoor,
    feed: str,
    complete_until: datetime | None,
    now: datetime,
    progress: Progress,
) -> Done:
    """Facts first, then how far the feed has told, then the wakes, which are judged by both. `taking` collects its
    wakes in `collected`. Safe to repeat after any crash. Raises RetryLater."""
    outcomes: Counter[Outcome] = Counter()
    for batch in _batches([line.told for line in reading.lines]):
        outcomes.update(each.outcome for each in taking.take(batch, now))
        progress(len(batch))
    mark = None
    if reading.facts and reading.ends_at is not None:
        mark = min(complete_until, now) if complete_until is not None else None
        stores.feeds.touch(feed, reading.ends_at, now, mark)
    return Done(outcomes, collected.flush(care, now), mark)


def tells_by_itself(feed: Feed | None) -> bool:
    """Whether the source tells facts without ever saying how far it is complete: then a file must not say it for it,
    or its rules would be judged no further than the file."""
    return feed is not None and feed.last_at is not None and feed.complete_until is None


def _batches(told: Sequence[Told | Invalid]) -> Iterator[Sequence[Told | Invalid]]:
    for start in range(0, len(told), MOST_ITEMS):
        yield told[start : start + MOST_ITEMS]
