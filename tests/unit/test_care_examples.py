"""The worked examples of the rule language, with their dates. Europe/Moscow and the year 2026 unless said otherwise; a
tick every ten minutes; 2 November 2026 is a Monday."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from functions.aftercare_triggers.holdout import draw
from functions.aftercare_triggers.release import Release, release
from functions.aftercare_triggers.waking import view
from functions.shared.care import FeedSpec
from tests.care_player import KEY, MOSCOW, Player, anchors, moment, times

VLADIVOSTOK = ZoneInfo("Asia/Vladivostok")
YEKATERINBURG = ZoneInfo("Asia/Yekaterinburg")

PLAN = (
    "Не был на 3 тренировках подряд ({dates}). Предложить бесплатную консультацию тренера: "
    "составить личный план тренировок."
)
UNCAPPED = {"per_client": "none", "per_manager": "none"}


def streak(**changes: Any) -> dict[str, Any]:
    """The gym's rule."""
    rule = {
        "id": "missed-3-trainings",
        "priority": 70,
        "when": {
            "streak": {
                "of": "session",
                "outcome": "missed",
                "count": 3,
                "reset_by": "attended",
                "expected": "bookings",
                "miss_is": "marked",
                "unmarked_after": "P14D",
                "neutral": ["cancelled_by_club", "frozen", "cancelled_in_time"],
            }
        },
        "cooldown": "P30D",
        "window": {"client_local": "10:00-20:00", "calendar": "ru_working"},
        "task": {"text": PLAN, "due": "next_working_slot+4h"},
        "escalate": [{"count": 5, "to": "head_of_sales"}],
        "exit": {"on": "attended", "do": "complete_task", "result": "Клиент вернулся {date}"},
    }
    return rule | changes


def silence(days: int = 14, **changes: Any) -> dict[str, Any]:
    return {"when": {"silence": {"of": "visit.attended", "for": f"P{days}D"}}} | changes


class Gym:
    """Sessions 19:00–20:00, booked a month before, marked at 20:05."""

    def __init__(self, player: Player) -> None:
        self.player = player

    def book(self, day: str) -> str:
        start = moment(f"{day} 19:00")
        session = f"s-{day}"
        booked = start - timedelta(days=30)
        data = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(), "session_id": session}
        self.player.fact("session.booked", booked, id=f"booked-{day}", **data)
        return session

    def missed(self, *days: str, **more: Any) -> None:
        for day in days:
            self.player.fact("visit.missed", f"{day} 20:05", id=f"mark-{day}", session_id=self.book(day), **more)

    def attended(self, day: str, at: str = "20:05", **more: Any) -> None:
        self.player.fact("visit.attended", f"{day} {at}", id=f"mark-{day}", session_id=self.book(day), **more)

    def cancelled(self, day: str, at: str, **data: Any) -> None:
        self.player.fact("session.cancelled", at, session_id=self.book(day), **data)


class TestExample1TheGym:
    @pytest.fixture
    def player(self) -> Player:
        player = Player(streak(), holidays=["2026-11-04"])
        gym = Gym(player)
        gym.attended("02.11")
        gym.missed("05.11", "09.11", "12.11", "16.11", "19.11")
        gym.attended("23.11", at="18:55")
        return player

    def test_the_third_miss_in_a_row_makes_a_task_when_the_window_opens(self, player: Player) -> None:
        player.run("12.11 23:00")
        assert player.due() == moment("13.11 10:00")
        player.run("16.11 23:00")
        assert player.fired("missed-3-trainings") == [("s-05.11", moment("13.11 10:00"))]
        assert player.task.texts == [PLAN.replace("{dates}", "05.11, 09.11, 12.11")]
        assert player.task.due_till == moment("13.11 14:00")
        assert player.task.assignee == "responsible"

    def test_the_fifth_miss_gives_the_same_task_to_the_head_when_the_window_opens(self, player: Player) -> None:
        player.run("20.11 09:50")
        assert player.task.assignee == "responsible"
        player.run("20.11 10:00")
        assert player.task.assignee == "head"

    def test_the_return_completes_the_task(self, player: Player) -> None:
        player.run("24.11")
        assert player.task.result == "Клиент вернулся 23.11.2026"
        assert player.statuses("missed-3-trainings") == {"s-05.11": "completed"}

    def test_the_next_streak_waits_for_the_cool_down_and_for_monday(self, player: Player) -> None:
        Gym(player).missed("26.11", "30.11", "03.12")
        player.run("20.12")
        assert player.fired("missed-3-trainings")[1:] == [("s-26.11", moment("14.12 10:00"))]
        assert player.episode("s-26.11", "missed-3-trainings").planned_at == moment("14.12 10:00")

    def test_a_return_during_the_cool_down_leaves_a_suppressed_episode(self, player: Player) -> None:
        Gym(player).missed("26.11", "30.11", "03.12")
        player.visit("07.12 12:00")
        player.run("20.12")
        assert len(player.tasks) == 1
        suppressed = player.episode("s-26.11", "missed-3-trainings")
        assert (suppressed.status, suppressed.gate) == ("suppressed", "cooldown")


class TestExample2NeutralOutcomes:
    def play(self, *visits: str) -> Player:
        player = Player(streak(window="none"))
        gym = Gym(player)
        gym.missed("02.11")
        gym.cancelled("04.11", "04.11 09:00", by="club")
        gym.cancelled("06.11", "05.11 09:00", by="client", late=False)
        gym.cancelled("09.11", "09.11 18:00", by="client", late=True)
        gym.missed("11.11")
        player.visit(*visits)
        player.publish(streak())
        player.run("13.11")
        return player

    def test_what_was_cancelled_by_the_club_or_in_time_is_passed_over(self) -> None:
        assert self.play().fired("missed-3-trainings") == [("s-02.11", moment("12.11 10:00"))]

    def test_a_free_visit_in_between_ends_the_streak(self) -> None:
        assert self.play("07.11 12:00").fired("missed-3-trainings") == []


class TestExample3Freeze:
    def test_sessions_inside_a_freeze_do_not_count(self) -> None:
        player = Player(streak())
        gym = Gym(player)
        gym.missed("02.11", "05.11", "09.11", "12.11", "23.11")
        player.fact("subscription.frozen", "06.11")
        player.fact("subscription.unfrozen", "20.11")
        player.run("01.12")
        assert player.fired("missed-3-trainings") == [("s-02.11", moment("24.11 10:00"))]


class TestExample4LateMarks:
    @pytest.fixture
    def player(self) -> Player:
        player = Player(streak())
        gym = Gym(player)
        gym.missed("02.11", "09.11", "12.11")
        gym.book("05.11")
        return player

    def mark(self, player: Player, kind: str) -> None:
        player.fact(kind, "05.11 20:05", id="mark-05.11", session_id="s-05.11", arrives="13.11 11:55")

    def test_nothing_is_said_while_one_in_between_has_no_mark(self, player: Player) -> None:
        player.run("12.11 23:00")
        assert player.fired("missed-3-trainings") == []
        assert player.due() == moment("19.11 20:00")

    def test_a_late_missed_mark_fires_late(self, player: Player) -> None:
        self.mark(player, "visit.missed")
        player.run("14.11")
        assert player.fired("missed-3-trainings") == [("s-02.11", moment("13.11 12:00"))]
        episode = player.episode("s-02.11", "missed-3-trainings")
        assert (episode.true_at, episode.planned_at) == (moment("09.11 20:05"), moment("10.11 10:00"))

    def test_a_late_attended_mark_ends_it(self, player: Player) -> None:
        self.mark(player, "visit.attended")
        player.run("01.12")
        assert player.fired("missed-3-trainings") == []

    def test_a_session_that_nobody_ever_marks_becomes_neutral(self, player: Player) -> None:
        player.run("01.12")
        assert player.fired("missed-3-trainings") == [("s-02.11", moment("20.11 10:00"))]
        episode = player.episode("s-02.11", "missed-3-trainings")
        assert episode.planned_at == episode.decided_at

    def test_a_correction_closes_the_task_and_the_episode_does_not_count(self, player: Player) -> None:
        self.mark(player, "visit.missed")
        player.run("14.11 08:50")
        player.fact(
            "visit.attended",
            "09.11 20:05",
            id="mark-09.11",
            session_id="s-09.11",
            arrives="14.11 09:00",
            recorded="14.11 09:00",
        )
        player.run("15.11")
        assert player.task.result == "Данные исправлены"
        assert player.statuses("missed-3-trainings") == {"s-02.11": "void"}


class TestExample5RecencyWithAFreeze:
    def test_the_clock_of_silence_stands_during_a_freeze(self) -> None:
        player = Player(silence())
        player.visit("12.10 20:00", id="last")
        player.fact("subscription.frozen", "20.10", until="2026-10-30")
        player.run("10.11")
        assert player.fired() == [("last", moment("06.11 10:00"))]

    def test_an_early_end_of_the_freeze_moves_the_timer_forward(self) -> None:
        player = Player(silence())
        player.visit("12.10 20:00", id="last")
        player.fact("subscription.frozen", "20.10", until="2026-10-30")
        player.fact("subscription.unfrozen", "25.10 12:00")
        player.run("24.10")
        player.wake(1)
        assert player.due() == moment("05.11 20:00")
        player.run("10.11")
        assert player.fired() == [("last", moment("01.11 10:00"))]


class TestExample6ExactBoundary:
    def test_a_visit_at_the_very_moment_counts_first(self) -> None:
        player = Player(silence(window="none"))
        player.visit("05.10 20:00", "19.10 20:00")
        player.run("20.10")
        assert player.fired() == []
        assert player.due() == moment("02.11 20:00")

    def test_a_minute_of_truth_between_two_ticks_is_not_seen(self) -> None:
        player = Player(silence(window="none"))
        player.visit("05.10 20:00", "19.10 20:01")
        player.outage("19.10 20:00", "19.10 20:10")
        player.run("20.10")
        assert player.fired() == []


class TestExample7QuietHoursZoneAndCalendar:
    def play(self, *visits: str) -> Player:
        rule = silence(window={"client_local": "10:00-20:00", "calendar": "ru_working"})
        player = Player(rule, zone=VLADIVOSTOK, holidays=["2026-11-04"])
        player.visit("20.10.2026 16:20", id="last")  # 23:20 in Vladivostok
        for at in visits:
            player.fact("visit.attended", moment(at, VLADIVOSTOK))
        player.run("06.11")
        return player

    def test_it_fires_when_the_clients_day_opens_after_the_holiday(self) -> None:
        player = self.play()
        assert player.fired() == [("last", moment("05.11 03:00"))]
        assert player.task.due_till == moment("05.11 13:00")

    def test_a_visit_on_the_holiday_suppresses_it(self) -> None:
        player = self.play("04.11.2026 18:00")
        assert player.fired() == []
        assert (player.episode("last").status, player.episode("last").gate) == ("suppressed", "window")


class TestExample8CadenceBreak:
    RULE: ClassVar[dict[str, Any]] = {
        "when": {"cadence_break": {"of": "visit.attended", "k": 2.5, "min": "P5D", "max": "P45D", "fallback": "P14D"}}
    }

    def play(self, *days: str) -> Player:
        player = Player(self.RULE)
        for day in days:
            player.visit(f"{day} 20:00", id=day)
        player.run("01.12")
        return player

    def test_a_break_of_the_clients_own_rhythm_is_noticed(self) -> None:
        player = self.play("01.10", "04.10", "06.10", "10.10", "13.10", "15.10")
        assert player.fired() == [("15.10", moment("23.10 10:00"))]
        assert player.episode("15.10").true_at == moment("23.10 08:00")

    def test_without_four_intervals_the_fallback_counts(self) -> None:
        assert self.play("01.10", "04.10", "06.10", "10.10").episode("10.10").true_at == moment("24.10 20:00")

    def test_a_daily_visitor_gets_five_days(self) -> None:
        player = self.play(*(f"{day:02d}.10" for day in range(1, 11)))
        assert player.episode("10.10").true_at == moment("15.10 20:00")


class TestExample9StoppedThenRestarted:
    STOPPED: ClassVar[dict[str, Any]] = {
        "id": "stopped",
        "when": {"stopped": {"of": "visit.attended", "had": {"n": 4, "in": "P60D"}, "none_for": "P14D"}},
        "cap": UNCAPPED,
    }
    RESTARTED: ClassVar[dict[str, Any]] = {
        "id": "restarted",
        "when": {"restarted": {"of": "visit.attended", "gap": "P30D", "stays": "P3D"}},
        "cap": UNCAPPED,
    }

    def player(self, *days: str) -> Player:
        player = Player(self.STOPPED, self.RESTARTED)
        for day in days:
            player.visit(f"{day} 20:00", id=day)
        return player

    def test_a_regular_who_stopped_and_came_again(self) -> None:
        player = self.player("10.09", "20.09", "01.10", "12.10")
        player.visit("20.11 19:00", id="again")
        player.run("01.12")
        assert player.fired("stopped") == [("12.10", moment("27.10 10:00"))]
        assert player.fired("restarted") == [("again", moment("20.11 19:00"))]

    def test_after_a_long_outage_it_is_no_longer_true(self) -> None:
        player = self.player("10.09", "20.09", "01.10", "12.10")
        player.outage("26.10", "10.11")
        player.run("15.11")
        assert player.fired("stopped") == []

    def test_three_visits_are_not_four(self) -> None:
        player = self.player("20.09", "01.10", "12.10")
        player.run("15.11")
        assert player.fired("stopped") == []


class TestExample10Frequency:
    RULE: ClassVar[dict[str, Any]] = {
        "when": {"count": {"of": "visit.attended", "op": "<=", "n": 1, "in": "P30D"}},
        "cap": UNCAPPED,
    }

    def player(self, *days: str) -> Player:
        player = Player(self.RULE)
        for day in days:
            player.visit(f"{day} 19:00", id=day)
        return player

    def test_it_fires_when_the_second_to_last_leaves_the_window_and_once_per_stretch(self) -> None:
        player = self.player("01.10", "08.10", "20.10", "25.11", "28.11")
        player.run("07.11 18:50")
        assert player.fired() == []
        player.run("20.12")
        assert player.fired() == [("08.10", moment("07.11 19:00"))]

    def test_the_next_stretch_is_named_by_the_visit_that_leaves(self) -> None:
        player = self.player("01.10", "08.10", "20.10", "25.11", "28.11")
        player.run("30.12")
        assert player.fired()[1:] == [("25.11", moment("25.12 19:00"))]

    def test_who_is_not_known_for_the_whole_window_is_not_judged(self) -> None:
        player = self.player("25.10")
        player.run("08.11")
        assert player.fired() == []


class TestExample11Regularly:
    def test_two_visits_in_three_of_four_weeks_fire_once(self) -> None:
        rule = {
            "when": {
                "regularly": {"of": "visit.attended", "op": ">=", "n": 2, "per": "week", "at_least": 3, "of_last": 4}
            }
        }
        player = Player(rule)
        days = ["05.10", "07.10", "12.10", "19.10", "21.10", "23.10", "26.10", "28.10", "02.11", "04.11"]
        player.visit(*(f"{day} 19:00" for day in days))
        player.run("12.11")
        assert player.fired() == [("2026-W44", moment("02.11 10:00"))]


class TestExample12AfterAnEvent:
    RULE: ClassVar[dict[str, Any]] = {
        "when": {
            "after": {"event": "purchase.completed", "which": "first", "by": "P3D", "at": "11:00", "stays": "P3D"}
        },
        "unless": {"refunded": True},
    }

    def player(self) -> Player:
        player = Player(self.RULE, zone=YEKATERINBURG)
        player.fact("purchase.completed", "20.11 23:30", id="p1")
        return player

    def test_three_local_days_after_the_first_purchase(self) -> None:
        player = self.player()
        player.fact("purchase.completed", "22.11 12:00", id="p2")
        player.run("30.11")
        assert player.fired() == [("p1", moment("24.11 09:00"))]

    def test_a_refund_stops_it(self) -> None:
        player = self.player()
        player.fact("purchase.refunded", "23.11 12:00", purchase_id="p1")
        player.run("30.11")
        assert player.fired() == []


class TestExample13TheDateMoves:
    @staticmethod
    def before(days: int) -> dict[str, Any]:
        return {
            "id": f"B{days}",
            "when": {"before": {"field": "subscription.end", "by": f"P{days}D", "stays": "P3D"}},
            "cap": UNCAPPED,
            "exit": {"on": "subscription.renewed"},
        }

    def test_a_renewal_completes_the_one_and_calls_off_the_other(self) -> None:
        player = Player(self.before(14), self.before(3))
        player.fact("subscription.started", "10.06 12:00", subscription_id="s17", end="2026-12-10")
        player.fact("subscription.renewed", "01.12 12:00", subscription_id="s17", end="2027-03-10")
        player.run("10.12")
        assert player.fired("B14") == [("s17@2026-12-10", moment("26.11 10:00"))]
        assert player.fired("B3") == []
        assert player.task.result == "Клиент вернулся 01.12.2026"
        player.run("20.03.2027")
        assert player.fired("B14")[1:] == [("s17@2027-03-10", moment("24.02.2027 10:00"))]
        assert player.fired("B3") == [("s17@2027-03-10", moment("07.03.2027 10:00"))]

    def test_another_contracts_renewal_does_not_concern_it(self) -> None:
        player = Player(self.before(14))
        player.fact("subscription.started", "10.06 12:00", subscription_id="s17", end="2026-12-10")
        player.fact("subscription.started", "10.06 12:00", subscription_id="s18", end="2026-12-31")
        player.fact("subscription.renewed", "30.11 12:00", subscription_id="s18", end="2027-12-31")
        player.run("05.12")
        assert player.statuses("B14") == {"s17@2026-12-10": "open"}

    def test_a_date_that_moves_back_fires_at_once_if_its_time_has_come(self) -> None:
        player = Player(self.before(14), self.before(3))
        player.fact("subscription.started", "10.06 12:00", subscription_id="s9", end="2026-12-31")
        player.fact("profile.updated", "01.07 12:00", name="nothing")
        player.fact("subscription.renewed", "02.12 12:00", subscription_id="s9", end="2026-12-04")
        player.run("10.12")
        assert player.fired("B14") == []
        assert player.fired("B3") == [("s9@2026-12-04", moment("02.12 12:00"))]
        episode = player.episode("s9@2026-12-04", "B3")
        assert episode.planned_at == episode.decided_at


class TestExample14Anniversary:
    def play(self, **late: Any) -> Player:
        rule = {
            "when": {"anniversary": {"field": "birthday", "stays": "P1D"}},
            "late": {"policy": "fire_if_still_true"} | late,
        }
        player = Player(rule)
        player.fact("profile.updated", "01.06 12:00", birthday="2000-02-29")
        return player

    def test_the_28th_stands_for_the_29th_in_other_years(self) -> None:
        player = self.play()
        player.run("01.04.2028")
        expected = times("28.02.2027 10:00", "29.02.2028 10:00")
        assert [at for _, at in player.fired()] == expected

    def test_a_day_that_went_by_in_an_outage_is_over(self) -> None:
        player = self.play()
        player.outage("28.02.2027 09:00", "02.03.2027 12:00")
        player.run("05.03.2027")
        assert player.fired() == []

    def test_fire_once_makes_up_for_it(self) -> None:
        player = self.play(policy="fire_once", expire="P3D")
        player.outage("28.02.2027 09:00", "02.03.2027 12:00")
        player.run("05.04.2027")
        assert [at for _, at in player.fired()] == times("02.03.2027 12:00")

    def test_fire_once_does_not_make_up_for_what_is_too_old(self) -> None:
        player = self.play(policy="fire_once", expire="P2D")
        player.outage("28.02.2027 09:00", "02.03.2027 12:00")
        player.run("05.04.2027")
        assert player.fired() == []


class TestExample15Value:
    @pytest.fixture
    def player(self) -> Player:
        rule = {
            "when": {"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": 6, "stays": "P7D"}},
            "cooldown": "P30D",
            "holdout": 0,
        }
        player = Player(rule)
        player.fact("nps.responded", "18.11 21:40", id="r9", score=4)
        return player

    def test_a_bad_score_fires_in_the_morning(self, player: Player) -> None:
        player.run("20.11")
        assert player.fired() == [("r9", moment("19.11 10:00"))]

    def test_a_corrected_score_does_not(self, player: Player) -> None:
        player.fact("nps.responded", "18.11 21:40", id="r9", score=9, arrives="18.11 22:00", recorded="18.11 22:00")
        player.run("20.11")
        assert player.fired() == []
        assert player.statuses() == {}

    def test_the_next_one_runs_out_within_the_cool_down(self, player: Player) -> None:
        player.fact("nps.responded", "25.11 15:00", id="r12", score=5)
        player.run("25.12")
        assert anchors(player.fired()) == ["r9"]
        assert (player.episode("r12").status, player.episode("r12").gate) == ("suppressed", "cooldown")


class TestExample16Threshold:
    def test_each_crossing_fires_once(self) -> None:
        rule = {
            "when": {"threshold": {"path": "visits_left", "op": "<=", "v": 2}},
            "cooldown": "P30D",
            "exit": {"on": "purchase.completed"},
        }
        player = Player(rule)
        player.visit("03.11 19:00", visits_left=3)
        player.visit("06.11 19:00", id="two", visits_left=2)
        player.visit("10.11 19:00", visits_left=1)
        player.fact("purchase.completed", "12.11 12:00", visits_left=9)
        player.visit("20.12 19:00", id="two again", visits_left=2)
        player.run("11.11")
        assert player.task.result is None
        player.run("01.01.2027")
        assert player.fired() == [("two", moment("06.11 19:00")), ("two again", moment("20.12 19:00"))]
        assert player.tasks[min(player.tasks)].result == "Клиент вернулся 12.11.2026"


class TestExample17DidNotHappenWithin:
    def play(self, start: str | None = None, trial: str = "10.11 12:00", **trial_data: Any) -> Player:
        rule = {
            "when": {
                "has_not": {
                    "after": {"event": "purchase.completed", "where": {"category": "trial"}},
                    "event": "subscription.started",
                    "within": "P7D",
                    "stays": "P14D",
                }
            }
        }
        player = Player(rule)
        player.fact("purchase.completed", trial, id="trial", category="trial", **trial_data)
        if start:
            player.fact("subscription.started", start)
        player.run("10.12")
        return player

    def test_it_fires_when_nothing_followed(self) -> None:
        assert self.play().fired() == [("trial", moment("17.11 12:00"))]

    @pytest.mark.parametrize("start", ["16.11 15:00", "17.11 12:00"])
    def test_not_when_it_followed_even_at_the_last_moment(self, start: str) -> None:
        assert self.play(start).fired() == []

    def test_not_for_a_trial_of_long_ago(self) -> None:
        assert self.play(trial="01.10 12:00", arrives="20.11 12:00").fired() == []


class TestExample18TwoConditions:
    @pytest.fixture
    def player(self) -> Player:
        rule = {
            "when": {
                "all": [
                    {"silence": {"of": "visit.attended", "for": "P10D"}},
                    {"before": {"field": "subscription.end", "by": "P14D", "stays": "P14D"}},
                ]
            }
        }
        player = Player(rule)
        player.fact("subscription.started", "10.06 12:00", subscription_id="s17", end="2026-12-10")
        player.visit("20.11 20:00", id="last")
        return player

    def test_the_timer_stands_at_the_later_of_the_two(self, player: Player) -> None:
        player.run("25.11 12:00")
        player.wake(1)
        assert player.due() == moment("30.11 20:00")

    def test_both_true_fire_in_the_morning_named_by_the_first(self, player: Player) -> None:
        player.run("10.12")
        assert player.fired() == [("last", moment("01.12 10:00"))]

    def test_a_visit_leaves_the_timer_alone_and_the_wake_finds_it_false(self, player: Player) -> None:
        player.visit("28.11 20:00", id="later")
        player.run("25.11 12:00")
        player.wake(1)
        player.run("30.11 19:50")
        assert player.due() == moment("30.11 20:00")
        player.run("30.11 20:00")
        assert player.due() == moment("08.12 20:00")
        player.run("15.12")
        assert player.fired() == [("later", moment("09.12 10:00"))]

    def test_never_when_the_second_is_over_before_the_first_is_true_again(self, player: Player) -> None:
        player.visit("30.11 19:00", id="later")
        player.run("20.12")
        assert player.fired() == []


class TestExample19StaleFeed:
    P, Q, OTHER = 1, 2, 3

    @pytest.fixture
    def player(self) -> Player:
        """Others come and go at the turnstile every hour until it falls silent."""
        gym = FeedSpec("gym", frozenset({"visit.attended"}))
        birthday = {
            "id": "birthday",
            "when": {"anniversary": {"field": "birthday"}},
            "cap": UNCAPPED,
        }
        player = Player(silence(cap=UNCAPPED), birthday, feeds=[gym])
        player.visit("28.10 20:00", id="p", client=self.P)
        player.visit("30.10 20:00", id="q", client=self.Q)
        player.fact("profile.updated", "01.10 12:00", client=self.Q, source="amocrm", birthday="1990-11-12")
        at = moment("27.10 08:00")
        while at < moment("20.11"):
            if not moment("10.11 22:00") < at < moment("16.11 08:00"):
                player.fact("visit.attended", at, client=self.OTHER)
            at += timedelta(hours=1)
        player.visit("12.11 19:00", client=self.P, arrives="16.11 08:00")
        return player

    def test_nothing_is_judged_beyond_what_the_feed_has_told(self, player: Player) -> None:
        player.run("16.11 07:50")
        assert player.fired(client=self.P) == player.fired(client=self.Q) == []

    def test_who_was_there_is_left_alone_and_who_was_not_is_late(self, player: Player) -> None:
        player.run("18.11")
        assert player.fired(client=self.P) == []
        assert player.fired(client=self.Q) == [("q", moment("16.11 10:00"))]
        assert player.episode("q", client=self.Q).planned_at == moment("14.11 10:00")

    def test_a_rule_that_needs_no_turnstile_fires_on_time(self, player: Player) -> None:
        player.run("16.11 07:50")
        assert [at for _, at in player.fired("birthday", client=self.Q)] == times("12.11 10:00")

    def test_a_client_who_waits_for_the_feed_is_not_woken_at_every_tick(self, player: Player) -> None:
        player.run("16.11 07:50")
        assert len([at for client, at in player.wakes if client == self.Q and at > moment("13.11 20:00")]) < 30


class TestExample20OurOwnOutage:
    def play(self, last: str, *visits: str, **changes: Any) -> Player:
        player = Player(silence(**changes))
        player.visit(last, id="last")
        player.visit(*visits)
        player.outage("09.11", "11.11 12:00")
        player.run("15.11")
        return player

    def test_who_came_back_meanwhile_is_left_alone(self) -> None:
        assert self.play("26.10 20:00", "10.11 18:00").fired() == []

    def test_who_is_still_silent_is_called_late(self) -> None:
        player = self.play("26.10 15:00")
        assert player.fired() == [("last", moment("11.11 12:00"))]
        assert player.episode("last").planned_at == moment("09.11 15:00")

    def test_skip_skips_for_ever(self) -> None:
        player = self.play("26.10 15:00", late={"policy": "skip", "tolerance": "PT30M"})
        player.run("15.12")
        assert player.fired() == []
        assert player.statuses() == {"last": "skipped_late"}


class TestExample21CoolDownAgainstReEntry:
    def play(self, **changes: Any) -> Player:
        player = Player(silence(**changes))
        player.visit("01.06 20:00", id="last")
        player.run("31.12")
        return player

    def test_new_episode_fires_once_for_one_stretch(self) -> None:
        assert self.play().fired() == [("last", moment("16.06 10:00"))]

    def test_every_90_days_fires_the_same_stretch_again(self) -> None:
        expected = [
            ("last", moment("16.06 10:00")),
            ("last#2", moment("14.09 10:00")),
            ("last#3", moment("13.12 10:00")),
        ]
        assert self.play(re_entry={"every": "P90D"}).fired() == expected

    def test_once_is_once_for_ever(self) -> None:
        player = Player(silence(re_entry="once"))
        player.visit("01.06 20:00", "01.08 20:00")
        player.run("31.12")
        assert [at for _, at in player.fired()] == times("16.06 10:00")


class TestExample22HoldOut:
    @pytest.mark.parametrize(
        ("salt", "first", "number"),
        [
            ("client-1", "caacedcf1e7b7987", 0.791701),
            ("client-2", "000b5fabad175228", 0.000174),
            ("client-3", "676061fb9cccfb35", 0.403814),
            ("client-10", "2cd659d13fc0b1cf", 0.175146),
        ],
    )
    def test_the_vector(self, salt: str, first: str, number: float) -> None:
        assert draw(KEY, salt) == int(first, 16) / 2**64
        assert draw(KEY, salt) == pytest.approx(number, abs=1e-6)

    def test_a_control_client_gets_no_task_and_his_return_is_measured(self) -> None:
        player = Player(streak(holdout=0.1), salts={1: "client-2"}, holidays=["2026-11-04"])
        gym = Gym(player)
        gym.attended("02.11")
        gym.missed("05.11", "09.11", "12.11", "16.11", "19.11")
        gym.attended("23.11", at="18:55")
        gym.missed("26.11", "30.11", "03.12")
        player.run("20.12")
        assert player.tasks == {}
        first = player.episode("s-05.11", "missed-3-trainings")
        assert (first.status, first.decided_at) == ("held_out", moment("13.11 10:00"))
        assert first.returned_at == moment("23.11 18:55")
        assert player.episode("s-26.11", "missed-3-trainings").decided_at == moment("14.12 10:00")


class TestExample23OneOpenTask:
    def player(self, **cap: Any) -> Player:
        ending = {
            "id": "ending",
            "priority": 90,
            "when": {"before": {"field": "subscription.end", "by": "P14D", "stays": "P3D"}},
            "task": "Договор заканчивается",
            "exit": {"on": "subscription.renewed"},
            "cap": UNCAPPED | cap,
        }
        player = Player(streak(escalate=[]), ending, holidays=["2026-11-04"])
        gym = Gym(player)
        gym.attended("02.11")
        gym.missed("05.11", "09.11", "12.11")
        player.fact("subscription.started", "04.06 12:00", subscription_id="s17", end="2026-12-04")
        return player

    def test_the_second_reason_joins_the_open_task_and_goes_first(self) -> None:
        player = self.player(per_client="1/P14D")
        player.run("20.11 23:00")
        assert [text[:8] for text in player.task.texts] == ["Договор ", "Не был н"]
        assert player.task.due_till == moment("13.11 14:00")
        assert player.statuses("ending") == {"s17@2026-12-04": "merged"}

    def test_an_exit_strikes_its_own_reason_and_the_last_completes_the_task(self) -> None:
        player = self.player()
        player.fact("subscription.renewed", "21.11 12:00", subscription_id="s17", end="2027-06-04")
        player.visit("23.11 18:55")
        player.run("22.11")
        assert [text[:6] for text in player.task.texts] == ["Не был"]
        assert player.task.result is None
        player.run("24.11")
        assert player.task.result == "Клиент вернулся 23.11.2026"

    def test_a_task_that_a_person_has_begun_is_left_to_him(self) -> None:
        player = self.player()
        player.fact("subscription.renewed", "21.11 12:00", subscription_id="s17", end="2027-06-04")
        player.visit("23.11 18:55")
        player.begin(min(player.tasks, default=0) or self._first_task(player), "20.11 12:00")
        player.run("24.11")
        assert player.task.result is None
        assert player.task.notes == ["Клиент вернулся 23.11.2026"]

    @staticmethod
    def _first_task(player: Player) -> int:
        player.run("13.11 12:00")
        return player.task.id

    def test_with_no_task_to_join_the_cap_holds_it_till_its_time_is_over(self) -> None:
        player = self.player(per_client="1/P14D")
        player.close(self._first_task(player), "14.11 12:00")
        player.run("20.11 23:00")
        assert player.verdicts[(1, "ending")].until == moment("27.11 10:00")
        player.run("01.12")
        assert player.fired("ending") == []
        suppressed = player.episode("s17@2026-12-04", "ending")
        assert (suppressed.status, suppressed.gate) == ("suppressed", "cap")

    def test_without_a_cap_it_gets_its_own(self) -> None:
        player = self.player()
        player.close(self._first_task(player), "14.11 12:00")
        player.run("01.12")
        assert [at for _, at in player.fired("ending")] == times("20.11 10:00")


class TestExample24ManagersCap:
    """What is pure of it: the look before the task of a waiting episode is set."""

    def waiting(self, *visits: str) -> Player:
        player = Player(silence())
        player.visit("02.11 10:00", id="last")
        player.visit(*visits)
        player.run("16.11 10:00")
        return player

    def look(self, player: Player, at: str) -> Any:
        player.run(at)
        seen = view(player.rules[0], player.person(1), player.scene())
        assert seen is not None
        return release(player.episode("last"), seen)

    def test_it_is_sent_on_the_next_day(self) -> None:
        assert self.look(self.waiting(), "17.11 10:00").release is Release.SEND

    def test_not_if_the_client_came_meanwhile(self) -> None:
        seen = self.look(self.waiting("16.11 18:00"), "17.11 10:00")
        assert (seen.release, seen.status, seen.returned_at) == (Release.DROP, "exited", moment("16.11 18:00"))

    def test_not_outside_the_window(self) -> None:
        seen = self.look(self.waiting(), "16.11 21:00")
        assert (seen.release, seen.until) == (Release.WAIT, moment("17.11 10:00"))

    @pytest.mark.parametrize(("at", "kind"), [("23.11 10:00", Release.SEND), ("23.11 10:10", Release.DROP)])
    def test_it_expires_a_week_after_it_was_planned(self, at: str, kind: Release) -> None:
        assert self.look(self.waiting(), at).release is kind


class TestExample25PublicationAndANewVersion:
    X, Y, Z, W = 1, 2, 3, 4
    V1: ClassVar[dict[str, Any]] = {"version": 1, "effective_from": "2026-11-20T12:00:00+03:00"}
    V2: ClassVar[dict[str, Any]] = {"version": 2, "effective_from": "2026-11-25T12:00:00+03:00"}

    def player(self, backfill: Any) -> Player:
        player = Player()
        player.visit("01.11 12:00", id="x", client=self.X)
        player.visit("17.09 12:00", id="y", client=self.Y)
        player.visit("08.11 12:00", id="z", client=self.Z)
        player.visit("14.11 20:00", id="w", client=self.W)
        player.run("20.11 12:00")
        player.publish(silence(backfill=backfill, **self.V1))
        player.run("25.11 12:00")
        return player

    @pytest.mark.parametrize(
        ("backfill", "fires"),
        [("future_only", {Z}), ("current", {X, Y, Z}), ({"current_since": "P14D"}, {X, Z})],
    )
    def test_what_was_true_before_the_rule(self, backfill: Any, fires: set[int]) -> None:
        player = self.player(backfill)
        clients = (self.X, self.Y, self.Z, self.W)
        assert {client for client in clients if player.fired(client=client)} == fires
        not_fired = {"x", "y", "z"} - {anchor for client in clients for anchor in anchors(player.fired(client=client))}
        assert {each.anchor for each in player.episodes.values() if each.status == "baseline"} == not_fired

    def test_a_new_version_fires_what_was_only_noted_and_nothing_twice(self) -> None:
        player = self.player({"current_since": "P14D"})
        player.publish(silence(10, backfill="current", **self.V2))
        player.run("26.11")
        assert [at for _, at in player.fired(client=self.X)] == times("20.11 12:00")
        assert [at for _, at in player.fired(client=self.Y)] == times("25.11 12:00")
        assert [at for _, at in player.fired(client=self.W)] == times("25.11 12:00")
        assert player.episode("w", client=self.W).true_at == moment("24.11 20:00")

    def test_under_future_only_the_new_version_leaves_it(self) -> None:
        player = self.player("future_only")
        player.publish(silence(10, backfill="future_only", **self.V2))
        player.run("26.11")
        assert player.statuses(client=self.W) == {"w": "baseline"}


class TestExample26Backtest:
    """The same evaluator at past instants; the rule is published at the beginning of October."""

    VISITS: ClassVar[dict[int, list[str]]] = {
        1: ["20.09", "10.10", "05.11"],
        2: ["28.09", "08.10", "18.10", "28.10"],
        3: ["01.09"],
        4: ["05.10", "19.10"],
        5: ["12.10"],
    }

    def october(self, **changes: Any) -> Player:
        player = Player(
            silence(window="none", cap=UNCAPPED, effective_from="2026-10-01T00:00:00+03:00", **changes), start="01.10"
        )
        for client, days in self.VISITS.items():
            for day in days:
                player.visit(f"{day} 20:00", client=client)
        player.fact("subscription.frozen", "20.10", client=5, until="2026-10-30")
        player.run("31.10 23:50")
        return player

    def firings(self, player: Player) -> dict[int, list[datetime]]:
        return {client: [at for _, at in player.fired(client=client)] for client in self.VISITS}

    def test_october(self) -> None:
        player = self.october()
        assert self.firings(player) == {1: times("04.10 20:00", "24.10 20:00"), 2: [], 3: [], 4: [], 5: []}
        assert list(player.statuses(client=3).values()) == ["baseline"]

    def test_with_a_cool_down_the_second_waits(self) -> None:
        player = self.october(cooldown="P30D")
        assert self.firings(player)[1] == times("04.10 20:00")
        assert player.due(1) == moment("03.11 20:00")

    def test_what_is_foreseen_for_the_next_days(self) -> None:
        player = self.october()
        dues = {client: player.wake(client).client.due_at for client in (2, 4, 5)}
        assert dues == {2: moment("11.11 20:00"), 4: moment("02.11 20:00"), 5: moment("05.11 20:00")}


class TestExample27AnyAndFrequency:
    def test_one_stretch_goes_on_from_member_to_member(self) -> None:
        rule = {
            "when": {
                "any": [
                    {"count": {"of": "visit.attended", "op": ">=", "n": 3, "in": "P7D"}},
                    {"threshold": {"path": "visits_left", "op": "<=", "v": 2}},
                ]
            },
            "cap": UNCAPPED,
        }
        player = Player(rule)
        for day in ("02.11", "04.11", "06.11"):
            player.visit(f"{day} 19:00", id=day)
        player.fact("profile.updated", "07.11 12:00", visits_left=2)
        player.fact("purchase.completed", "12.11 12:00", visits_left=10)
        player.run("20.11")
        assert player.fired() == [("1:06.11", moment("06.11 19:00"))]
        assert player.due() is None


def test_all_examples_are_here() -> None:
    names = " ".join(name for name in globals() if name.startswith("TestExample"))
    assert all(f"TestExample{number}" in names for number in range(1, 28))
    assert MOSCOW.key == "Europe/Moscow"


def test_visits_during_a_freeze_alone_are_no_rhythm() -> None:
    """No time passes between them, so nobody can say when the next one is due."""
    player = Player({"when": {"streak": {"of": "session", "outcome": "missed", "count": 2, "expected": "cadence"}}})
    player.fact("subscription.frozen", "01.03", subscription_id="s1")
    player.visit("02.03 19:00", "04.03 19:00", "06.03 19:00", "08.03 19:00", "10.03 19:00", "12.03 19:00")
    player.fact("subscription.unfrozen", "13.03", subscription_id="s1")
    player.run("01.06")
    assert player.fired() == []
