"""after, before, on, anniversary: so many days from an event or from a date of the client. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from functions.aftercare_triggers.rules.clocks import Calendar, local_date, local_instant, plus_months
from functions.aftercare_triggers.rules.moments import Moments, Stretch, day_month_year
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.selector import Selector
from functions.aftercare_triggers.rules.subscriptions import BEGINNINGS, Dated, dates, end_of, sources_of
from functions.shared.facts import Fact

MORNING = time(10)
"""When a day's rule is due unless it says its own `at`."""

TODAY = Calendar()
_LONGEST_MONTH = 31
_SLACK = timedelta(days=2)
"""Between counting in instants and counting in local dates."""


@dataclass(frozen=True)
class AfterEvent(Moments):
    """The local date of the event + `by`, at `at` o'clock. `which`: first (of the client's life), last (a newer event
    moves the target), each (every event has its own)."""

    event: Selector
    by: Calendar
    which: str = "last"
    at: time = MORNING
    stays: timedelta = timedelta(days=3)

    judged_at_watermark: ClassVar[bool] = False
    returns: ClassVar[frozenset[str]] = frozenset()

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.event.type})

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    def stretches(self, person: Person, at: datetime) -> Iterator[Stretch]:
        for fact in self._bases(person, at):
            day = local_date(fact.time, person.zone)
            target = local_instant(self.by.after(day), self.at, person.zone)
            numbers = {"date": day_month_year(day), "days": str((self.by.after(day) - day).days)}
            # With P0D the hour may lie before the event itself: nothing is true before its cause.
            yield Stretch(fact.id, max(target, fact.time), target + self.stays, (fact,), numbers)

    def _bases(self, person: Person, at: datetime) -> Sequence[Fact]:
        reach = timedelta(days=self.by.days + _LONGEST_MONTH * self.by.months) + self.stays + _SLACK
        recent = [fact for fact in person.of_types(self.reads, at, at - reach) if self.event.matches(fact)]
        if self.which != "first" or not recent:
            return recent[-1:] if self.which == "last" else recent
        return [fact for fact in person.of_types(self.reads, at) if self.event.matches(fact)][:1]


@dataclass(frozen=True)
class DateReached(Moments):
    """before, on, and after for a date field (`subscription.end`, `profile.next_service`): the date + `offset`, at `at`
    o'clock; `is_before` counts `offset` back from the date, and then it ends with the date at the latest."""

    field: str
    offset: Calendar = TODAY
    is_before: bool = True
    at: time = MORNING
    stays: timedelta = timedelta(days=3)

    judged_at_watermark: ClassVar[bool] = False

    @property
    def reads(self) -> frozenset[str]:
        return sources_of(self.field)

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    @property
    def returns(self) -> frozenset[str]:
        """A date of a subscription is settled by the next one; a date of the profile by nothing."""
        return self.reads & BEGINNINGS

    def stretches(self, person: Person, at: datetime) -> Iterator[Stretch]:
        for dated in dates(person, self.field, at):
            day = self.offset.before(dated.day) if self.is_before else self.offset.after(dated.day)
            target = local_instant(day, self.at, person.zone)
            end = target + self.stays
            if self.is_before:
                end = min(end, end_of(dated.day, person.zone))
            days = (dated.day - local_date(at, person.zone)).days
            numbers = {"date": day_month_year(dated.day), "days": str(abs(days))}
            anchor = f"{dated.entity}@{dated.day.isoformat()}"
            yield Stretch(anchor, max(target, dated.since), end, (dated.fact,), numbers)


@dataclass(frozen=True)
class Anniversary(Moments):
    """The date's day in each later year, at `at` o'clock, until the end of that day at the latest; 29 February is the
    28th in other years."""

    field: str
    at: time = MORNING
    stays: timedelta = timedelta(days=1)

    judged_at_watermark: ClassVar[bool] = False
    returns: ClassVar[frozenset[str]] = frozenset()

    @property
    def reads(self) -> frozenset[str]:
        return sources_of(self.field)

    @property
    def woken_by(self) -> frozenset[str]:
        return self.reads

    def stretches(self, person: Person, at: datetime) -> Iterator[Stretch]:
        this_year = local_date(at, person.zone).year
        for dated in dates(person, self.field, at):
            first = dated.day.year + 1
            for year in sorted({this_year, this_year + 1, first}):
                if year >= first:
                    yield self._in_year(person, dated, year)

    def _in_year(self, person: Person, dated: Dated, year: int) -> Stretch:
        years = year - dated.day.year
        day: date = plus_months(dated.day, 12 * years)
        target = local_instant(day, self.at, person.zone)
        end = min(target + self.stays, end_of(day, person.zone))
        numbers = {"date": day_month_year(day), "years": str(years)}
        return Stretch(self._anchor(dated, year), max(target, dated.since), end, (dated.fact,), numbers)

    def _anchor(self, dated: Dated, year: int) -> str:
        """A profile has a field once; of subscriptions there may be several."""
        return f"{self.field}@{year}" if dated.entity == "profile" else f"{dated.entity}@{year}"
