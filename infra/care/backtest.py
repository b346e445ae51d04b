"""A rule in the past: what it would have done on each of the last days, by the engine's own evaluator, and who came
back. Pure.

Each client is played from due time to due time, as the engine does it, with tasks that nobody completes but he himself
by coming back. Feeds count as having been fresh: what they were then is not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from functions.aftercare_triggers.plan import Act
from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.reading import wakes_of
from functions.aftercare_triggers.rules.rule import BackfillMode, Rule
from functions.aftercare_triggers.scene import Scene
from functions.aftercare_triggers.sight import Sight, known
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.waking import wake
from functions.aftercare_triggers.watermark import Mark, Watermarks
from functions.shared.care import Client, Episode, OpenTask, Status
from functions.shared.facts import Fact

TICK = timedelta(minutes=10)
BY_HIMSELF = timedelta(days=7)
_MOST_WAKES = 5000
"""Of one client: more is a rule that spins, and no history."""


@dataclass(frozen=True)
class Firing:
    client: Client
    at: datetime
    anchor: str
    text: str
    is_held_out: bool
    returned_at: datetime | None
    """Within a week."""


@dataclass
class Backtest:
    """`gates` counts stretches that ended, or were stopped, without a task, by what stopped them."""

    rule: Rule
    since: datetime
    until: datetime
    clients: int = 0
    facts: int = 0
    firings: list[Firing] = field(default_factory=list)
    gates: Counter[str] = field(default_factory=Counter)

    def days(self, sight: Sight) -> dict[date, int]:
        """Firings of every day, those without any too."""
        zone = sight.department.timezone
        first, last = local_date(self.since, zone), local_date(self.until, zone)
        counts = Counter(local_date(firing.at, zone) for firing in self.firings)
        return {day: counts[day] for day in (first + timedelta(days=n) for n in range((last - first).days + 1))}

    @property
    def returned(self) -> float | None:
        """Share of those who came back within a week, of the firings that are older; None: there are none."""
        old = [firing for firing in self.firings if firing.at <= self.until - BY_HIMSELF]
        return sum(firing.returned_at is not None for firing in old) / len(old) if old else None


def backtest(
    rule: Rule,
    sight: Sight,
    clients: Iterable[tuple[Client, Sequence[Fact]]],
    span: timedelta,
    *,
    by_time: bool = False,
) -> Backtest:
    """`by_time`: facts count from when they happened (what should have fired), else from when they were received (what
    would have)."""
    since = sight.now - span
    found = Backtest(rule, since, sight.now)
    bare = replace(rule, effective_from=since, backfill=BackfillMode.FUTURE_ONLY)
    for client, facts in clients:
        found.clients += 1
        found.facts += len(facts)
        for episode in _played(bare, sight, client, facts, since, by_time):
            if episode.status in (Status.QUEUED, Status.HELD_OUT):
                found.firings.append(_firing(bare, client, facts, episode))
            elif episode.status is not Status.BASELINE:
                found.gates[episode.gate or episode.status.value] += 1
    found.firings.sort(key=lambda firing: (firing.at, firing.client.id))
    return found


def _firing(rule: Rule, client: Client, facts: Sequence[Fact], episode: Episode) -> Firing:
    ends = rule.exit.on if rule.exit else rule.when.returns
    week = episode.decided_at + BY_HIMSELF
    back = [fact.time for fact in facts if fact.type in ends and episode.decided_at < fact.time <= week]
    is_held_out = episode.status is Status.HELD_OUT
    return Firing(client, episode.decided_at, episode.anchor, episode.text, is_held_out, min(back, default=None))


def _played(
    rule: Rule, sight: Sight, client: Client, facts: Sequence[Fact], since: datetime, by_time: bool
) -> list[Episode]:
    """The episodes of one client."""
    told = sorted(facts, key=lambda fact: (_known_at(fact, by_time), fact.id))
    arrivals = [_known_at(fact, by_time) for fact in told]
    row = replace(known(client, facts), traces=(), held=(), open_task=None, due_at=None, exits=frozenset())
    episodes: list[Episode] = []
    count, now = 0, since
    while arrivals[count : count + 1] and arrivals[count] <= now:
        count += 1
    for _ in range(_MOST_WAKES):
        person = Person.of(client.id, sight.zone_of(row), told[:count], now)
        plan = wake(row, person, [rule], _scene(sight, now), sight.book.version)
        row = plan.client
        for episode in (*plan.episodes, *plan.over_baseline):
            episodes.append(episode)
            if episode.status is Status.QUEUED:
                row = _with_task(row, episode)
        if any(change.act in (Act.STRIKE, Act.VOID, Act.WITHDRAW) for change in plan.changes):
            row = _without_task(row, plan.changes[0].key, episodes, now)
        wanted = wakes_of([rule]) | row.exits
        moment = row.due_at
        while count < len(told):
            fact, arrived = told[count], arrivals[count]
            if moment is not None and arrived >= moment:
                break
            count += 1
            if fact.type in wanted or fact.recorded is not None or fact.time < arrived - timedelta(hours=1):
                moment = arrived
                break
        if moment is None:
            break
        now = max(_up_to_tick(moment), now + TICK)
        if now > sight.now:
            break
        while arrivals[count : count + 1] and arrivals[count] <= now:
            count += 1
    return episodes


def _scene(sight: Sight, now: datetime) -> Scene:
    """All feeds fresh: each has told everything but the last of its lag."""
    marks = tuple((spec.delivers, Mark(now - spec.lag, True, spec.lag)) for spec in sight.book.feeds if spec.mark)
    return Scene(Watermarks(now, marks), sight.scene.days, sight.scene.holdout_key)


def _with_task(row: Client, episode: Episode) -> Client:
    at = episode.decided_at
    row = remembered(row, replace(episode, status=Status.OPEN, task_id=1))
    return row if row.open_task else replace(row, open_task=OpenTask(1, 0, 0, "task", at, at, at, (episode.key,)))


def _without_task(row: Client, key: tuple[str, str], episodes: Sequence[Episode], now: datetime) -> Client:
    """The client came back, or the facts were corrected: his one task is completed."""
    ended = next((each for each in episodes if each.key == key), None)
    if ended is None or ended.status is not Status.QUEUED:
        return row
    completed = replace(ended, status=Status.COMPLETED, task_id=1, ended_at=now, returned_at=now)
    return replace(remembered(row, completed), open_task=None)


def _known_at(fact: Fact, by_time: bool) -> datetime:
    return (fact.recorded or fact.time) if by_time else fact.received


def _up_to_tick(at: datetime) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + -((midnight - at) // TICK) * TICK
