"""Takes in what sources tell by HTTP: who speaks, what is said; has it stored, and answers each item.

Nothing of a request is logged but counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from functions.activity_intake.answers import Answer, later, refused, taken
from functions.activity_intake.credentials import NotAllowed
from functions.activity_intake.envelopes import CONTENT_TYPES, MOST_ITEMS, items_of
from functions.activity_intake.normalising import Speaker, tell
from functions.activity_intake.sources import Sources
from functions.activity_intake.taking import Taking
from functions.activity_intake.telling import Told, TooMany, UnknownContent, Unreadable
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.feeds import Feeds
from functions.shared.clock import Clock
from functions.shared.errors import NotConfigured, RetryLater
from functions.shared.facts import HEARTBEAT
from functions.shared.remembered import Remembered
from functions.shared.silences import heard
from functions.shared.telemetry import Telemetry

MOST_BYTES = 1024 * 1024

RETRY_SECONDS = 5
"""Of a table that is busy, or an SSM that does not answer."""

BROKEN_SECONDS = 300
"""A person has to mend the installation first."""

DEPARTMENT_AGE = timedelta(minutes=5)


class Intake:
    """All collaborators are handed in."""

    def __init__(
        self,
        *,
        taking: Taking,
        feeds: Feeds,
        departments: Departments,
        sources: Sources,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._taking = taking
        self._feeds = feeds
        self._sources = sources
        self._telemetry = telemetry
        self._clock = clock
        self._department = Remembered(departments.current, clock, DEPARTMENT_AGE)

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """A POST of facts; `headers` have lower-case names. What one item lacks never fails the others."""
        try:
            return self._answer(headers, body)
        except NotAllowed as error:
            return refused(401, str(error))
        except TooMany:
            return refused(413, f"send at most {MOST_ITEMS} items and {MOST_BYTES} bytes a request")
        except UnknownContent:
            return refused(415, f"send {', '.join(sorted(filter(None, CONTENT_TYPES)))}")
        except Unreadable as error:
            return refused(400, str(error))
        except RetryLater as error:
            self._interrupted(error)
            return later(429, "busy: send the same again", error.after or RETRY_SECONDS)
        except NotConfigured as error:
            self._interrupted(error)
            return later(
                503, "the installation lacks something, its log says what: send the same again", BROKEN_SECONDS
            )

    def _answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if len(body) > MOST_BYTES:
            raise TooMany
        source = self._sources.speaker(headers, body).source
        items = items_of(headers, body)
        now, speaker = self._clock.now(), Speaker(source, self._department.get().country, self._sources.names())
        told = [tell(item, speaker, now) for item in items]
        results = self._taking.take(told, now)
        self._touch([one for one in told if isinstance(one, Told)], source, now)
        self._telemetry.info("facts_told", source=source, **Counter(each.outcome.value for each in results))
        return taken(results)

    def _touch(self, told: Sequence[Told], speaker: str, now: datetime) -> None:
        """A feed is known by the source that its facts name, and by the credential with which they come."""
        for source in sorted({one.source for one in told}):
            own = [one for one in told if one.source == source]
            marks = [_complete_until(one, now) for one in own if one.type == HEARTBEAT]
            newest = max([one.time for one in own if one.type != HEARTBEAT] or marks)
            self._heard(source, newest, now, max(marks, default=None))
        if told and all(one.source != speaker for one in told):
            self._heard(speaker, max(one.time for one in told), now)

    def _heard(self, feed: str, newest: datetime, now: datetime, complete_until: datetime | None = None) -> None:
        zone = self._department.get().timezone
        learn = partial(heard, newest=newest, now=now, zone=zone, complete_until=complete_until)
        self._feeds.touch(feed, newest, now, complete_until, learn)

    def _interrupted(self, error: Exception) -> None:
        self._telemetry.warning("interrupted", error=type(error).__name__, detail=str(error))


def _complete_until(heartbeat: Told, now: datetime) -> datetime:
    """A source cannot have told what has not happened yet."""
    return min(datetime.fromisoformat(heartbeat.data["complete_until"]).astimezone(UTC), now)
