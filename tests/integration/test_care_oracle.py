"""The engine against a slow oracle.

The engine looks at a client only when he is due or a fact calls for it, remembers a few traces, and leaves the rest to
timers. The oracle has no timers and no memory but a list of what it fired: at every single tick it replays all facts
that had arrived by then and asks the rule anew. Both must fire the same stretches at the same ticks, each once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.reading import read_rule
from functions.aftercare_triggers.rules.rule import ReEntry, Rule
from functions.shared.facts import Fact
from tests.care_player import CLIENT, MOSCOW, Player

START = datetime(2026, 9, 28, tzinfo=UTC)
"""Berlin and Moscow go separate ways on 25 October."""
DAYS = 45
TICK = timedelta(hours=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = (MOSCOW, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Vladivostok"))


# ── the oracle ──


def known_at(facts: Sequence[Fact], at: datetime) -> list[Fact]:
    """What had arrived: of each fact the version that was recorded last, of equal ones the first to arrive."""
    versions: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        if fact.received <= at:
            versions.setdefault(fact.key, []).append(fact)
    oldest = datetime.min.replace(tzinfo=UTC)
    newest = []
    for each in versions.values():
        last = max(fact.recorded or oldest for fact in each)
        newest.append(min((fact for fact in each if (fact.recorded or oldest) == last), key=lambda fact: fact.received))
    return sorted(newest, key=lambda fact: (fact.time, fact.source, fact.id))


def frozen_spans(facts: Sequence[Fact]) -> list[tuple[datetime, datetime]]:
    spans, begun = [], None
    for fact in facts:
        if fact.type == "subscription.frozen" and begun is None:
            begun = fact.time
        elif fact.type == "subscription.unfrozen" and begun is not None:
            spans.append((begun, fact.time))
            begun = None
    return [*spans, *([(begun, START + 1000 * DAY)] if begun is not None else [])]


def elapsed(facts: Sequence[Fact], start: datetime, end: datetime) -> timedelta:
    stopped = [max(min(end, until) - max(start, since), timedelta(0)) for since, until in frozen_spans(facts)]
    return end - start - sum(stopped, timedelta(0))


Judge = Callable[[list[Fact], datetime], str | None]
"""From the known facts and an instant to the anchor, None where the condition does not hold."""


def visits(facts: Sequence[Fact], at: datetime) -> list[Fact]:
    return [fact for fact in facts if fact.type == "visit.attended" and fact.time <= at]


def silence(days: int) -> Judge:
    def judge(facts: list[Fact], at: datetime) -> str | None:
        came = visits(facts, at)
        return came[-1].id if came and elapsed(facts, came[-1].time, at) >= days * DAY else None

    return judge


def stopped(n: int, within: int, none_for: int) -> Judge:
    def judge(facts: list[Fact], at: datetime) -> str | None:
        ages = [elapsed(facts, fact.time, at) for fact in visits(facts, at)]
        if any(age < none_for * DAY for age in ages) or sum(age < within * DAY for age in ages) < n:
            return None
        return visits(facts, at)[-1].id

    return judge


def value(limit: int, stays: int) -> Judge:
    def judge(facts: list[Fact], at: datetime) -> str | None:
        bad = [fact for fact in facts if fact.type == "nps.responded" and fact.data["score"] <= limit]
        bad = [fact for fact in bad if fact.time <= at < fact.time + stays * DAY]
        return max(bad, key=lambda fact: (fact.time, fact.id)).id if bad else None

    return judge


def has_not(within: int, stays: int) -> Judge:
    def judge(facts: list[Fact], at: datetime) -> str | None:
        bought = [fact for fact in facts if fact.type == "purchase.completed" and fact.time <= at]
        started = [fact for fact in facts if fact.type == "subscription.started" and fact.time <= at]
        open_ones = []
        for fact in bought:
            steps = range(48 * 3 * DAYS)  # of half an hour, like all times here
            step = bisect_left(steps, within * DAY, key=lambda n: elapsed(facts, fact.time, fact.time + n * HOUR / 2))
            true_at = fact.time + step * HOUR / 2
            is_in_time = true_at <= at < true_at + stays * DAY
            if is_in_time and not any(fact.time <= each.time for each in started):
                open_ones.append((true_at, fact.id))
        return max(open_ones)[1] if open_ones else None

    return judge


def streak(count: int) -> Judge:
    """Marked sessions; one that nobody marks is neutral 14 days after its end. The anchor is the first missed session
    of the run with which the uninterrupted stretch began."""

    def judge(facts: list[Fact], at: datetime) -> str | None:
        starts = [datetime.fromisoformat(fact.data["start"]) for fact in facts if fact.type == "session.booked"]
        instants = {fact.time for fact in facts} | {*starts} | {start + HOUR + 14 * DAY for start in starts}
        anchor = None
        for moment in sorted((each for each in {*instants, at} if each <= at), reverse=True):
            run = missed_run(facts, moment)
            if len(run) < count:
                break
            anchor = run[-1]
        return anchor

    return judge


def missed_run(facts: list[Fact], at: datetime) -> list[str]:
    """The sessions missed in a row, the newest first."""
    sessions = {}
    for fact in facts:
        if fact.type == "session.booked" and fact.time <= at:
            sessions[fact.data["session_id"]] = datetime.fromisoformat(fact.data["start"])
    past = {f.data.get("session_id"): f for f in facts if f.type.startswith("visit.") and f.time <= at}
    walk = [(start, name, past.get(name)) for name, start in sessions.items() if start <= at]
    walk += [(fact.time, "", fact) for fact in visits(facts, at) if fact.data.get("session_id") not in sessions]
    missed: list[str] = []
    for start, name, mark in sorted(walk, key=lambda each: each[0], reverse=True):
        if name and any(since <= start < until for since, until in frozen_spans(facts)):
            continue
        if mark is None:
            if at >= start + HOUR + 14 * DAY or not missed:
                continue
            break
        if mark.type == "visit.attended":
            break
        missed.append(name)
    return missed


def by_the_primitive(rule: Rule, zone: ZoneInfo) -> Judge:
    """The rule's own condition, asked at every tick: for those whose definition is their code."""

    people: dict[int, tuple[list[Fact], Person]] = {}

    def judge(facts: list[Fact], at: datetime) -> str | None:
        if id(facts) not in people:
            people.clear()
            people[id(facts)] = facts, Person.of(CLIENT, zone, facts, at)
        person = replace(people[id(facts)][1], watermark=at)
        return rule.when.anchor(person, at) if rule.when.holds(person, at) else None

    return judge


@dataclass
class Stretch:
    """A stretch that fired, or that a gate held back until it ended. `true_at` to the half hour. A return ends what
    fired; a correction by which it never was makes it void, so that it does not count any more."""

    name: str
    anchor: str
    at: datetime
    true_at: datetime
    is_fired: bool = True
    is_over: bool = False
    is_void: bool = False

    @property
    def counts(self) -> bool:
        return self.is_fired and not self.is_void


@dataclass
class Oracle:
    rule: Rule
    judge: Judge
    zone: ZoneInfo

    def firings(self, facts: Sequence[Fact], ticks: Sequence[datetime]) -> list[tuple[str, datetime]]:
        past: list[Stretch] = []
        held: Stretch | None = None
        known: list[Fact] = []
        for before, at in pairwise([ticks[0] - TICK, *ticks]):
            if any(before < fact.received <= at for fact in facts):
                known = known_at(facts, at)
                for each in past:
                    self._look_again(each, known, at)
            anchor = self.judge(known, at)
            if anchor is None:
                for each in past:
                    each.is_over |= bool(self._came(each, known, at))
            name = None if anchor is None else self._name(past, anchor, at)
            if held is not None and held.name != name:
                if self.judge(known, held.true_at) is not None:
                    past.append(replace(held, at=at, is_fired=False))
                held = None
            if anchor is not None and name is not None:
                stretch = held or Stretch(name, anchor, at, self._since(known, at))
                stretch = replace(stretch, at=at)
                held = stretch if self._is_closed(past, known, at) else None
                past += [stretch] if held is None else []
        return [(each.name, each.at) for each in past if each.is_fired]

    def _name(self, past: Sequence[Stretch], anchor: str, at: datetime) -> str | None:
        """What would fire if all gates were open; None: it has had its turn."""
        again = [each for each in past if each.anchor == anchor]
        if again:
            every, is_counted = self.rule.every, any(each.counts for each in again)
            is_due = every is not None and is_counted and at >= again[-1].at + every
            return f"{anchor}#{len(again) + 1}" if is_due else None
        is_spent = self.rule.re_entry is ReEntry.ONCE and any(each.counts for each in past)
        return None if is_spent else anchor

    def _is_closed(self, past: Sequence[Stretch], known: list[Fact], at: datetime) -> bool:
        if any(each.counts and at < each.at + self.rule.cooldown for each in past):
            return True
        if not 10 <= at.astimezone(self.zone).hour < 20 and self.rule.window.opens != self.rule.window.closes:
            return True
        return self._is_frozen(known, at)

    def _since(self, known: list[Fact], at: datetime) -> datetime:
        anchor, step = self.judge(known, at), HOUR / 2
        while self.judge(known, at - step) == anchor:
            at -= step
        return at

    def _look_again(self, each: Stretch, known: list[Fact], at: datetime) -> None:
        if each.is_over or not each.is_fired:
            return
        if any(self.judge(known, fact.time) is None for fact in self._came(each, known, at)):
            each.is_over = True
        elif self.judge(known, each.true_at) is None:
            if self.judge(known, at) == each.anchor:
                each.true_at = self._since(known, at)
            else:
                each.is_over = each.is_void = True

    def _came(self, each: Stretch, known: list[Fact], at: datetime) -> list[Fact]:
        """Returns of the client since; one that the condition does not mind counts as soon as it is over."""
        ends = self.rule.exit.on if self.rule.exit else frozenset()
        return [fact for fact in known if fact.type in ends and each.true_at < fact.time <= at]

    def _is_frozen(self, facts: Sequence[Fact], at: datetime) -> bool:
        spans = frozen_spans(facts)
        return self.rule.when.judged_at_watermark and any(since <= at < until for since, until in spans)


# ── what happens to a client ──


class History:
    """A client's dense life at random: facts as they are delivered, some late, doubled, corrected."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.delivered: list[Fact] = []
        self.marked: set[datetime] = set()
        for kind, most in (("visit", 16), ("session", 12), ("nps", 6), ("purchase", 4), ("start", 3), ("date", 2)):
            for number in range(self.chance.randint(0, most)):
                self._happens(kind, f"{kind}{number:02d}")
        if self.chance.random() < 0.5:
            self._freezes()

    def _moment(self, last: int = DAYS) -> datetime:
        return START + self.chance.randrange(last * 48) * HOUR / 2

    def _delay(self) -> timedelta:
        return timedelta(minutes=7 * self.chance.randint(1, 600)) if self.chance.random() < 0.25 else timedelta(0)

    def _happens(self, kind: str, name: str) -> None:
        time = self._moment()
        type_, data = getattr(self, f"_{kind}")(name, time)
        fact = Fact(CLIENT, "gym", name, type_, time, time + self._delay(), None, data)
        self.delivered.append(fact)
        if self.chance.random() < 0.15:
            self.delivered.append(replace(fact, received=fact.received + self._delay()))
        if self.chance.random() < 0.15:
            self.delivered.append(self._corrected(fact))

    def _visit(self, name: str, time: datetime) -> tuple[str, dict[str, Any]]:
        return "visit.attended", {"visits_left": self.chance.randint(0, 5)}

    def _nps(self, name: str, time: datetime) -> tuple[str, dict[str, Any]]:
        return "nps.responded", {"score": self.chance.randint(0, 10)}

    def _purchase(self, name: str, time: datetime) -> tuple[str, dict[str, Any]]:
        return "purchase.completed", {"visits_left": 9}

    def _start(self, name: str, time: datetime) -> tuple[str, dict[str, Any]]:
        end = (time + self.chance.randint(1, 40) * DAY).date().isoformat()
        return "subscription.started", {"subscription_id": f"s-{name}", "end": end}

    def _date(self, name: str, time: datetime) -> tuple[str, dict[str, Any]]:
        return "profile.updated", {"birthday": self._moment().date().replace(year=1990).isoformat()}

    def _session(self, name: str, mark_at: datetime) -> tuple[str, dict[str, Any]]:
        """Booked three days before; some are never marked. Nobody is booked twice for one moment."""
        if mark_at in self.marked:
            return "session.noted", {"session_id": f"s-{name}"}
        self.marked.add(mark_at)
        start = mark_at - HOUR - timedelta(minutes=5)
        data = {"session_id": f"s-{name}", "start": start.isoformat(), "end": (start + HOUR).isoformat()}
        booked = start - 3 * DAY
        self.delivered.append(
            Fact(CLIENT, "gym", f"b-{name}", "session.booked", booked, booked + self._delay(), None, data)
        )
        kinds = ["visit.missed"] * 5 + ["visit.attended", "session.noted"]
        return self.chance.choice(kinds), {"session_id": f"s-{name}"}

    def _corrected(self, fact: Fact) -> Fact:
        recorded = fact.received + self.chance.randint(1, 200) * HOUR
        known = replace(fact, recorded=recorded, received=recorded + self._delay())
        if fact.type == "nps.responded":
            return replace(known, data={"score": self.chance.randint(0, 10)})
        if fact.type == "visit.missed":
            return replace(known, type="visit.attended")
        if fact.type == "visit.attended" and "session_id" not in fact.data:
            return replace(known, time=fact.time - self.chance.randint(0, 96) * HOUR)
        return known

    def _freezes(self) -> None:
        begun = self._moment(DAYS - 10)
        ended = begun + self.chance.randint(1, 12 * 24) * HOUR
        for name, kind, time in (("z1", "subscription.frozen", begun), ("z2", "subscription.unfrozen", ended)):
            self.delivered.append(Fact(CLIENT, "gym", name, kind, time, time + self._delay()))


histories = st.integers(0, 2**32).map(lambda seed: History(seed).delivered)


@st.composite
def settings_of_rules(draw: st.DrawFn) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "cap": "none",
        "cooldown": draw(st.sampled_from(["PT0S", "P3D", "P20D"])),
        "window": draw(st.sampled_from(["none", {"client_local": "10:00-20:00"}])),
        "late": {"policy": "fire_if_still_true", "expire": "P300D"},
        "re_entry": draw(st.sampled_from(["new_episode", "new_episode", "once", {"every": "P9D"}])),
        "priority": draw(st.integers(0, 100)),
    }
    return drawn


VISIT = "visit.attended"
TOLD_BY_CODE: dict[str, list[dict[str, Any]]] = {
    "restarted": [{"restarted": {"of": VISIT, "gap": "P6D", "stays": "P3D"}}],
    "cadence": [{"cadence_break": {"of": VISIT, "k": 1.5, "min": "P2D", "max": "P12D", "fallback": "P5D"}}],
    "rhythm": [{"streak": {"of": "session", "outcome": "missed", "count": 2, "expected": "cadence"}}],
    "derived": [{"streak": {"count": 2, "miss_is": "derived", "grace": "PT3H"}}],
    "count": [{"count": {"of": VISIT, "op": op, "n": 2, "in": "P7D"}} for op in (">=", "<=", "=")],
    "regularly": [
        {"regularly": {"of": VISIT, "op": op, "n": 1, "per": "week", "at_least": 2, "of_last": 3}}
        for op in (">=", "<=")
    ],
    "after": [{"after": {"event": "purchase.completed", "which": w, "by": "P3D"}} for w in ("first", "last", "each")],
    "before": [{"before": {"field": "subscription.end", "by": "P5D", "stays": "P3D"}}],
    "on": [{"on": {"field": "subscription.end"}}],
    "anniversary": [{"anniversary": {"field": "birthday"}}],
    "threshold": [{"threshold": {"path": "visits_left", "op": "<=", "v": 2}}],
    "all": [
        {"all": [{"silence": {"of": VISIT, "for": "P5D"}}, {"before": {"field": "subscription.end", "by": "P10D"}}]},
        {"all": [{"threshold": {"path": "visits_left", "op": "<=", "v": 2}}, {"silence": {"of": VISIT, "for": "P3D"}}]},
    ],
    "any": [
        {"any": [{"silence": {"of": VISIT, "for": "P8D"}}, {"count": {"of": VISIT, "op": ">=", "n": 2, "in": "P4D"}}]},
        {"any": [{"threshold": {"path": "visits_left", "op": "<=", "v": 1}}, {"anniversary": {"field": "birthday"}}]},
    ],
}


ALL_TOLD = [when for kind in TOLD_BY_CODE.values() for when in kind]


@st.composite
def independent(draw: st.DrawFn) -> tuple[dict[str, Any], Judge]:
    """A condition, and the oracle's own idea of it."""
    kind, days = draw(st.sampled_from(["silence", "stopped", "value", "has_not", "streak"])), draw(st.integers(2, 9))
    if kind == "silence":
        return {"silence": {"of": VISIT, "for": f"P{days}D"}}, silence(days)
    if kind == "stopped":
        n, within = draw(st.integers(1, 3)), days + draw(st.integers(1, 20))
        when = {"stopped": {"of": VISIT, "had": {"n": n, "in": f"P{within}D"}, "none_for": f"P{days}D"}}
        return when, stopped(n, within, days)
    if kind == "value":
        when = {"value": {"of": "nps.responded", "path": "score", "op": "<=", "v": 6, "stays": f"P{days}D"}}
        return when, value(6, days)
    if kind == "has_not":
        inner = {"after": "purchase.completed", "event": "subscription.started", "within": f"P{days}D", "stays": "P5D"}
        return {"has_not": inner}, has_not(days, 5)
    count = draw(st.integers(1, 3))
    return {"streak": {"of": "session", "outcome": "missed", "count": count}}, streak(count)


def compare(
    rule: Rule, judge: Judge, zone: ZoneInfo, facts: list[Fact], outage: tuple[datetime, datetime] | None
) -> None:
    player = Player(rule, zone=zone, tick=TICK)
    player.now = START - 5 * DAY  # bookings come before
    for fact in facts:
        player.deliver(fact)
    ticks = [player.now + n * TICK for n in range((DAYS + 25) * 24)]
    if outage is not None:
        player.outage(*outage)
        ticks = [at for at in ticks if not outage[0] <= at < outage[1]]
    player.run(ticks[-1])
    assert player.fired() == Oracle(rule, judge, zone).firings(facts, ticks)


def _outage(begin: int, hours: int) -> tuple[datetime, datetime]:
    return START + begin * HOUR, START + (begin + hours) * HOUR


def rule_of(when: dict[str, Any], more: dict[str, Any]) -> Rule:
    document = {"id": "rule", "task": "Позвонить", "effective_from": "2026-01-01T00:00:00+03:00", "when": when}
    return read_rule(document | more, holdout=0)


outages = st.none() | st.builds(_outage, st.integers(5 * 24, DAYS * 24), st.integers(1, 90))
often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(independent(), settings_of_rules(), st.sampled_from(ZONES), histories, outages)
def test_the_engine_fires_what_the_oracle_fires(
    condition: tuple[dict[str, Any], Judge],
    more: dict[str, Any],
    zone: ZoneInfo,
    facts: list[Fact],
    outage: tuple[datetime, datetime] | None,
) -> None:
    when, judge = condition
    compare(rule_of(when, more), judge, zone, facts, outage)


@often
@given(st.sampled_from(ALL_TOLD), settings_of_rules(), st.sampled_from(ZONES), histories, outages)
def test_no_timer_of_any_condition_is_late(
    when: dict[str, Any],
    more: dict[str, Any],
    zone: ZoneInfo,
    facts: list[Fact],
    outage: tuple[datetime, datetime] | None,
) -> None:
    rule = rule_of(when, more)
    compare(rule, by_the_primitive(rule, zone), zone, facts, outage)


def story(seed: int) -> tuple[Rule, Judge, ZoneInfo, list[Fact], tuple[datetime, datetime] | None]:
    """A rule and a life drawn by a number, for many more of them than Hypothesis draws in each run."""
    chance = Random(seed)
    more = {
        "cap": "none",
        "cooldown": chance.choice(["PT0S", "P3D", "P20D"]),
        "window": chance.choice(["none", {"client_local": "10:00-20:00"}]),
        "late": {"policy": "fire_if_still_true", "expire": "P300D"},
        "re_entry": chance.choice(["new_episode", "new_episode", "once", {"every": "P9D"}]),
        "priority": chance.randint(0, 100),
    }
    zone, facts = chance.choice(ZONES), History(seed).delivered
    outage = chance.choice([None, _outage(chance.randint(120, DAYS * 24), chance.randint(1, 90))])
    rule = rule_of(chance.choice(ALL_TOLD), more)
    return rule, by_the_primitive(rule, zone), zone, facts, outage


TELLING = (783, 437, *range(40))
"""783: a return that counts only when the condition is over by itself; the others for breadth."""


@pytest.mark.parametrize("seed", TELLING)
def test_lives_that_told_something_once(seed: int) -> None:
    rule, judge, zone, facts, outage = story(seed)
    compare(rule, judge, zone, facts, outage)


def test_a_stretch_that_ends_behind_a_closed_gate_is_seen_to_end() -> None:
    """A cool-down holds it back; who does not look before that is over takes the next stretch for it."""
    quiet = {"silence": {"of": VISIT, "for": "P8D"}}
    when = {"any": [quiet, {"count": {"of": VISIT, "op": ">=", "n": 2, "in": "P4D"}}]}
    more = {"cap": "none", "cooldown": "P20D", "window": {"client_local": "10:00-20:00"}, "late": {"expire": "P300D"}}
    rule = rule_of(when, more)
    outage = datetime(2026, 10, 3, 12, tzinfo=UTC), datetime(2026, 10, 6, 16, tzinfo=UTC)
    compare(rule, by_the_primitive(rule, MOSCOW), MOSCOW, History(437).delivered, outage)
