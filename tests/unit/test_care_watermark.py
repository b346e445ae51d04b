from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.aftercare_triggers.watermark import Watermarks, is_stale, usual_silence
from functions.shared.care import Feed, FeedSpec
from functions.shared.silences import heard

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 11, 9, 0, tzinfo=UTC)
VISIT = frozenset({"visit.attended"})
GYM = FeedSpec("gym", VISIT)


def feed(hours_ago: float, **changes: object) -> Feed:
    last = NOW - timedelta(hours=hours_ago)
    return Feed("gym", **({"last_at": last, "seen_at": last} | changes))  # type: ignore[arg-type]


def marks(*pairs: tuple[FeedSpec, Feed | None], now: datetime = NOW) -> Watermarks:
    specs = [spec for spec, _ in pairs]
    return Watermarks.of(specs, {spec.name: each for spec, each in pairs if each is not None}, MOSCOW, now)


class TestHorizon:
    def test_without_a_feed_that_delivers_it_everything_has_been_told(self) -> None:
        assert marks((GYM, feed(100))).horizon({"nps.responded"}) == NOW

    def test_a_fresh_feed_goes_with_the_clock_its_lag_behind(self) -> None:
        assert marks((GYM, feed(5))).horizon(VISIT) == NOW
        late = FeedSpec("gym", VISIT, lag=timedelta(days=2))
        assert marks((late, feed(50))).horizon(VISIT) == NOW - timedelta(days=2)

    def test_a_silent_one_stands_at_its_newest_fact(self) -> None:
        assert marks((GYM, feed(6.5))).horizon(VISIT) == NOW - timedelta(hours=6.5)

    def test_a_silent_one_with_a_lag_may_not_have_told_the_last_of_it(self) -> None:
        late = FeedSpec("gym", VISIT, lag=timedelta(days=2))
        assert marks((late, feed(60))).horizon(VISIT) == NOW - timedelta(hours=60) - timedelta(days=2)

    def test_a_feed_that_never_told_anything_has_no_horizon(self) -> None:
        assert marks((GYM, None)).horizon(VISIT) is None

    def test_a_feed_that_says_how_far_it_is_complete_is_taken_at_its_word(self) -> None:
        told = NOW - timedelta(hours=9)
        assert marks((GYM, feed(1, complete_until=told))).horizon(VISIT) == told
        assert marks((GYM, feed(1, complete_until=NOW + timedelta(hours=9)))).horizon(VISIT) == NOW

    def test_who_has_not_said_so_for_a_week_while_facts_come_is_judged_by_these_again(self) -> None:
        """Of a file that was imported once, or heartbeats that were switched off, nobody would wait for ever."""
        told = NOW - timedelta(days=7, hours=1)
        assert marks((GYM, feed(1, complete_until=told))).horizon(VISIT) == told
        assert marks((GYM, feed(0.5, complete_until=told))).horizon(VISIT) == NOW

    def test_the_slowest_of_several_counts_and_one_that_lists_nothing_may_bring_anything(self) -> None:
        other = FeedSpec("other", lag=timedelta(days=1))
        assert marks((GYM, feed(1)), (other, feed(1))).horizon(VISIT) == NOW - timedelta(days=1)

    def test_a_source_that_cannot_be_silent_is_not_asked(self) -> None:
        assert marks((FeedSpec("amocrm", mark=False), None)).horizon(VISIT) == NOW

    def test_a_fact_from_the_future_makes_nothing_complete(self) -> None:
        ahead = feed(0, last_at=NOW + timedelta(days=30), seen_at=NOW - timedelta(hours=7))
        assert marks((GYM, ahead)).horizon(VISIT) == NOW - timedelta(hours=7)


class TestStale:
    def test_closed_hours_are_not_silence(self) -> None:
        gym = FeedSpec("gym", VISIT, hours="Mon-Sun 07:00-23:00")
        assert not is_stale(gym, feed(13), MOSCOW, NOW)  # 23:00 till 12:00, five of them open
        assert is_stale(FeedSpec("gym", VISIT), feed(13), MOSCOW, NOW)
        assert is_stale(gym, feed(15), MOSCOW, NOW)

    @pytest.mark.parametrize(("hours_ago", "stale"), [(48, False), (49, True)])
    def test_the_department_may_say_how_long(self, hours_ago: float, stale: bool) -> None:
        gym = FeedSpec("gym", VISIT, stale_after=timedelta(days=2))
        assert is_stale(gym, feed(hours_ago), MOSCOW, NOW) is stale

    def test_what_is_usual_at_this_hour_is_learned(self) -> None:
        """A shop that is closed on Sundays: on a Monday morning a day and a half of silence is usual."""
        known = Feed("shop")
        saturday = datetime(2026, 10, 3, 16, 0, tzinfo=UTC)
        for week in range(6):
            for at in (saturday, saturday + timedelta(hours=38)):
                arrived = at + timedelta(weeks=week)
                known = heard(known, arrived, arrived, MOSCOW)
        sunday = saturday + timedelta(weeks=6, hours=24)
        assert usual_silence(known, MOSCOW, sunday) == timedelta(hours=24)
        shop = FeedSpec("shop", VISIT)
        last = known.last_at
        assert last is not None
        assert is_stale(shop, Feed("shop", last, last), MOSCOW, last + timedelta(hours=24))
        assert not is_stale(shop, known, MOSCOW, last + timedelta(hours=24))

    def test_one_outage_teaches_nothing(self) -> None:
        gaps = {"3-12:2": 5, "3-12:120": 1}
        assert usual_silence(Feed("gym", gaps=gaps), MOSCOW, NOW) == timedelta(hours=2)


class TestLookingAgain:
    def test_with_no_feed_the_moment_itself(self) -> None:
        assert marks().passes(VISIT, NOW + timedelta(days=3)) == NOW + timedelta(days=3)

    def test_a_fresh_feed_passes_it_its_lag_later(self) -> None:
        late = FeedSpec("gym", VISIT, lag=timedelta(days=2))
        moment = NOW - timedelta(days=1)
        assert marks((late, feed(1))).passes(VISIT, moment) == moment + timedelta(days=2)

    def test_of_a_silent_feed_nobody_knows_so_looks_grow_rarer(self) -> None:
        silent = marks((GYM, feed(100)))
        assert silent.passes(VISIT, NOW + timedelta(days=1)) == NOW + timedelta(days=1)
        assert silent.passes(VISIT, NOW - timedelta(hours=2)) == NOW + timedelta(hours=1)
        assert silent.passes(VISIT, NOW - timedelta(hours=40)) == NOW + timedelta(hours=10)

    @given(
        lag=st.timedeltas(timedelta(0), timedelta(days=3)),
        hours_ago=st.floats(0, 200),
        ahead=st.timedeltas(timedelta(microseconds=1), timedelta(days=30)),
        complete=st.none() | st.floats(0, 100),
    )
    def test_a_look_is_always_later_than_now(
        self, lag: timedelta, hours_ago: float, ahead: timedelta, complete: float | None
    ) -> None:
        told = None if complete is None else NOW - timedelta(hours=complete)
        known = marks((FeedSpec("gym", VISIT, lag=lag), feed(hours_ago, complete_until=told)))
        horizon = known.horizon(VISIT)
        assert horizon is not None
        assert known.passes(VISIT, horizon + ahead) > NOW


class TestHeard:
    def test_the_newest_fact_counts_and_late_ones_do_not_turn_it_back(self) -> None:
        known = heard(feed(1), NOW - timedelta(days=3), NOW, MOSCOW)
        assert known.last_at == NOW - timedelta(hours=1)
        assert known.seen_at == NOW

    def test_a_year_of_facts_that_is_told_within_minutes_is_no_silence(self) -> None:
        known = heard(feed(3000), NOW - timedelta(days=100), NOW, MOSCOW)
        learned = known.gaps
        for days in range(99, 0, -1):
            known = heard(known, NOW - timedelta(days=days), NOW + timedelta(seconds=100 - days), MOSCOW)
        assert known.gaps == learned

    def test_a_heartbeat_never_goes_back(self) -> None:
        known = heard(feed(1, complete_until=NOW), NOW, NOW, MOSCOW, complete_until=NOW - timedelta(hours=5))
        assert known.complete_until == NOW
